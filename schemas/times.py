"""Times as whole numbers since 1970, and back, exactly."""

from datetime import UTC, datetime, timedelta
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
MILLISECOND: Final = timedelta(milliseconds=1)


def to_us(at: datetime) -> int:
    """Microseconds since 1970."""
    return (at - EPOCH) // MICROSECOND


def from_us(at_us: int) -> datetime:
    """The time that so many microseconds after 1970 are, UTC."""
    return EPOCH + timedelta(microseconds=at_us)


def from_ms(at_ms: int) -> datetime:
    """The time that so many milliseconds after 1970 are, UTC."""
    return EPOCH + timedelta(milliseconds=at_ms)
