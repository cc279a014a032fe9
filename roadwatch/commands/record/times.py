"""Times and durations on the command line."""

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from runtime.durations import some_time_of
from schemas.errors import ConfigurationError


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
    """How long, as `runtime.durations` reads it; longer than nothing.

    Raises:
        ConfigurationError: no duration; names the option.

    """
    try:
        return some_time_of(text)
    except ValueError as error:
        raise ConfigurationError(option, [str(error)]) from error
