"""How far apart signs of life usually are."""

import math
from dataclasses import dataclass, field
from typing import Any, Self

from monitor.spans import DAY_US, MINUTE_US, SECOND_US


@dataclass(slots=True)
class Pace:
    """How far apart signs of life usually are: seconds covered by intervals of each log-spaced length.

    Weighed by the time that they cover, because a camera may send often on busy days and seldom at night.
    """

    RATIO = 1.1
    "Between two lengths."
    KEPT = 3 * 86_400
    "Seconds, after which what is older counts half."
    KNOWN = 20
    "Intervals that make a pace."
    LONG = (2 * MINUTE_US, 30 * MINUTE_US)
    "A pause that is shorter is none; on the first day, which may not have seen the night's pace, the second holds."
    STALL, STALL_SLOWEST = 5, 3
    "A pause is so many times the median, and so many times what 95 % of the time keeps to."
    CHANGE = 1.7
    "An interval is twice or half as long as the usual ones, less what the buckets and the camera's clock are off."

    since_us: int = -1
    "The first sign of life."
    intervals: int = 0
    "How many were counted."
    covered: dict[int, int] = field(default_factory=dict)
    "Seconds by bucket."

    def learn(self, interval_us: int) -> None:
        """Count an interval in."""
        bucket = round(math.log(max(interval_us / SECOND_US, 1e-3), self.RATIO))
        self.covered[bucket] = self.covered.get(bucket, 0) + max(1, interval_us // SECOND_US)
        self.intervals += 1
        if sum(self.covered.values()) > self.KEPT:
            self.covered = {bucket: seconds // 2 for bucket, seconds in self.covered.items() if seconds > 1}

    def usual_s(self, share: float) -> float:
        """The length that so much of the time keeps to, seconds."""
        wanted, seen = share * sum(self.covered.values()), 0
        for bucket, seconds in sorted(self.covered.items()):
            seen += seconds
            if seen >= wanted:
                return round(self.RATIO**bucket, 3)
        return 0.0

    def is_stall(self, pause_us: int, at_us: int) -> bool:
        """Whether a pause that ends then is much longer than usual."""
        if pause_us <= self.LONG[at_us - self.since_us < DAY_US] or self.intervals < self.KNOWN:
            return False
        return pause_us > SECOND_US * max(self.STALL * self.usual_s(0.5), self.STALL_SLOWEST * self.usual_s(0.95))

    def is_changed(self, interval_us: int, at_us: int) -> bool:
        """Whether an interval that ends then is not one of the usual ones; nobody knows on the first day."""
        if at_us - self.since_us < DAY_US or self.intervals < self.KNOWN:
            return False
        interval = interval_us / SECOND_US
        return interval > self.CHANGE * self.usual_s(0.95) or interval * self.CHANGE < self.usual_s(0.05)

    def snapshot(self) -> list[Any]:
        """As plain JSON."""
        return [self.since_us, self.intervals, {str(bucket): n for bucket, n in self.covered.items()}]

    @classmethod
    def restore(cls, plain: list[Any]) -> Self:
        """Continue from a snapshot."""
        since_us, intervals, covered = plain
        return cls(since_us, intervals, {int(bucket): n for bucket, n in covered.items()})
