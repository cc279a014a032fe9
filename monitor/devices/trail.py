"""A sensor's last values, and how far it has changed."""

from dataclasses import dataclass, field
from typing import Any

from monitor.spans import HOUR_US


@dataclass(slots=True)
class Trail:
    """Some of a sensor's last values, each the median of three, so that a hiccup leaves no trace."""

    apart_us: int
    "Between two that are kept."
    length_us: int
    "How far back they reach."
    newest_us: int = -1
    "When the last value came."
    last: list[float] = field(default_factory=list)
    "The last three values, none before a pause of an hour."
    values: list[tuple[int, float]] = field(default_factory=list)
    "When, and what."

    @property
    def level(self) -> float:
        """The median of the last values."""
        return sorted(self.last)[len(self.last) // 2]

    def change(self, at_us: int, value: float) -> float:
        """Take a value; how far the level is from the one that differs most from it."""
        self.last = [*self.last[-2:], value] if at_us - self.newest_us <= HOUR_US else [value]
        self.newest_us = at_us
        self.values = [(when, known) for when, known in self.values if when >= at_us - self.length_us]
        change = max((self.level - known for _, known in self.values), key=abs, default=0.0)
        if not self.values or at_us - self.values[-1][0] >= self.apart_us:
            self.values.append((at_us, self.level))
        return change

    def snapshot(self) -> list[Any]:
        """As plain JSON."""
        return [self.newest_us, self.last, [[*value] for value in self.values]]

    def take_up(self, plain: list[Any]) -> None:
        """Continue from a snapshot."""
        self.newest_us, self.last, values = plain
        self.values = [(when, value) for when, value in values]
