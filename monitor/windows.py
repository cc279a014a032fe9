"""Days in a time zone.

── 2026-10-24 ──┼──────── 2026-10-25, 25 h ────────┼── 2026-10-26 ──     Europe/Berlin
            22:00Z                             23:00Z
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from schemas.times import MICROSECOND


def span_us(span: timedelta) -> int:
    """Whole microseconds of a span."""
    return span // MICROSECOND


@dataclass(frozen=True, slots=True)
class Calendar:
    """Where one day ends and the next begins."""

    timezone: str
    "IANA name."
    _zone: ZoneInfo = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_zone", ZoneInfo(self.timezone))

    def day_of(self, at: datetime) -> str:
        """The day that a time falls on, such as `2026-11-23`."""
        return at.astimezone(self._zone).date().isoformat()

    def bounds(self, day: str) -> tuple[datetime, datetime]:
        """A day's first instant and the next day's, UTC: 23 to 25 hours apart where clocks change."""
        return _bounds(day, self.timezone)


@lru_cache(maxsize=256)  # asked for with every frame, about a handful of days
def _bounds(day: str, timezone: str) -> tuple[datetime, datetime]:
    return _midnight(day, timezone), _midnight(day_after(day), timezone)


def _midnight(day: str, timezone: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), time(), ZoneInfo(timezone)).astimezone(UTC)


def day_after(day: str) -> str:
    """The next day."""
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()


def day_before(day: str) -> str:
    """The day before."""
    return (date.fromisoformat(day) - timedelta(days=1)).isoformat()


def days_between(first: str, last: str) -> int:
    """How many days one comes after another."""
    return (date.fromisoformat(last) - date.fromisoformat(first)).days
