"""Times and durations on the command line."""

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from schemas.errors import ConfigurationError

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def instant(text: str, timezone: str, option: str) -> datetime:
    """A time with its zone, or a day, 2026-11-23, which is its beginning in `timezone`; UTC.

    Raises:
        ConfigurationError: neither; names the option.

    """
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            return datetime.combine(date.fromisoformat(text), time(), ZoneInfo(timezone)).astimezone(UTC)
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(
            option, [f"{text!r} is no time; write 2026-11-23T06:30+01:00, or a day, 2026-11-23"]
        ) from error
    if found.tzinfo is None:
        raise ConfigurationError(option, [f"{text!r} has no time zone; write {text}Z or {text}+01:00"])
    return found.astimezone(UTC)


def duration(text: str, option: str) -> timedelta:
    """How long: 90s, 10m, 2h, 1d; longer than nothing.

    Raises:
        ConfigurationError: no duration; names the option.

    """
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)([smhd])", text.strip())
    if not found or not float(found[1]):
        raise ConfigurationError(option, [f"{text!r} is no duration; write 90s, 10m, 2h or 1d"])
    return timedelta(seconds=float(found[1]) * UNITS[found[2]])
