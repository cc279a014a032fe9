"""Spans of time: in microseconds, and in words."""

from datetime import timedelta
from typing import Final

from monitor.windows import span_us

MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
MINUTE_US: Final = span_us(MINUTE)
DAY_US: Final = span_us(DAY)
SECOND_US: Final = 1_000_000
HOUR_US: Final = 3600 * SECOND_US


def in_words(seconds: float) -> str:
    """A length of time in words: `14 s`, `3 min`, `2.5 h`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
