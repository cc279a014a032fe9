"""What figures usually are at each hour of the day."""

from dataclasses import dataclass, field
from typing import Any, Self

from monitor.spans import HOUR_US


@dataclass(slots=True)
class Hourly:
    """What some figures usually are at each hour of the day (UTC), from the days before the current one.

    A day moves the usual by 0.3 of how far it was off, of which no more than `reach` counts: a day of fog or fever
    leaves little behind.
    """

    WEIGHT = 0.3

    reach: float
    "In the figures' unit."
    hour: int = -1
    "The current hour, counted from 1970; -1 before the first figures."
    count: int = 0
    "Of figures in it."
    sums: list[float] = field(default_factory=list)
    "Their sums."
    usual: dict[int, list[float]] = field(default_factory=dict)
    "By hour of the day."

    def at(self, at_us: int) -> list[float] | None:
        """The usual figures of that hour; None when no earlier day had it."""
        self._turn(at_us // HOUR_US)
        return self.usual.get(self.hour % 24)

    def learn(self, at_us: int, *values: float) -> None:
        """Count figures in."""
        self._turn(at_us // HOUR_US)
        self.sums = [total + value for total, value in zip(self.sums or [0.0] * len(values), values, strict=True)]
        self.count += 1

    def _turn(self, hour: int) -> None:
        if hour == self.hour:
            return
        if self.count:
            means = [total / self.count for total in self.sums]
            usual = self.usual.get(self.hour % 24, means)
            self.usual[self.hour % 24] = [
                round(known + self._step(mean - known), 4) for known, mean in zip(usual, means, strict=True)
            ]
        self.hour, self.count, self.sums = hour, 0, []

    def _step(self, off: float) -> float:
        return self.WEIGHT * min(max(off, -self.reach), self.reach)

    def snapshot(self) -> list[Any]:
        """As plain JSON."""
        return [self.hour, self.count, self.sums, {str(hour): values for hour, values in self.usual.items()}]

    @classmethod
    def restore(cls, reach: float, plain: list[Any]) -> Self:
        """Continue from a snapshot."""
        hour, count, sums, usual = plain
        return cls(reach, hour, count, sums, {int(hour): values for hour, values in usual.items()})
