"""What a device's process has counted: since it started, on a day, and in the last hour."""

from dataclasses import dataclass, field
from typing import Any, Self

from monitor.spans import HOUR_US, SECOND_US
from schemas.records import Telemetry


@dataclass(slots=True)
class Counters:
    """What a process has counted; or by how much it has counted on."""

    pictures: int = 0
    frames: int = 0
    reconnects: int = 0
    dropped: dict[str, int] = field(default_factory=dict)

    def since(self, before: "Counters") -> "Counters":
        """What was counted since then; one that has fallen began anew with its process, and the others with it."""
        if self._fell(before):
            return self
        return Counters(
            self.pictures - before.pictures,
            self.frames - before.frames,
            self.reconnects - before.reconnects,
            {reason: n - before.dropped.get(reason, 0) for reason, n in self.dropped.items()},
        )

    def _fell(self, before: "Counters") -> bool:
        own, other = ([each.pictures, each.frames, each.reconnects] for each in (self, before))
        fell = any(mine < theirs for mine, theirs in zip(own, other, strict=True))
        return fell or any(self.dropped.get(reason, 0) < n for reason, n in before.dropped.items())

    def add(self, more: "Counters") -> None:
        """Count on."""
        self.pictures += more.pictures
        self.frames += more.frames
        self.reconnects += more.reconnects
        for reason, n in more.dropped.items():
            self.dropped[reason] = self.dropped.get(reason, 0) + n

    def snapshot(self) -> list[Any]:
        """As plain JSON."""
        return [self.pictures, self.frames, self.reconnects, self.dropped]


def counters_of(telemetry: Telemetry) -> Counters:
    """What a record says of them."""
    return Counters(telemetry.pictures, telemetry.frames, telemetry.reconnects, dict(telemetry.dropped))


@dataclass(slots=True)
class Recent:
    """The counts of the last hour, in slots of five minutes."""

    SLOT = 300 * SECOND_US
    slots: list[tuple[int, Counters]] = field(default_factory=list)

    def add(self, at_us: int, counted: Counters) -> None:
        """Count something in, and forget what is older."""
        slot = at_us // self.SLOT
        self.slots = [(when, counts) for when, counts in self.slots if when > slot - HOUR_US // self.SLOT]
        if not self.slots or self.slots[-1][0] != slot:
            self.slots.append((slot, Counters()))
        self.slots[-1][1].add(counted)

    def total(self) -> Counters:
        """All of it."""
        total = Counters()
        for _, counts in self.slots:
            total.add(counts)
        return total

    def snapshot(self) -> list[Any]:
        """As plain JSON."""
        return [[slot, *counts.snapshot()] for slot, counts in self.slots]

    @classmethod
    def restore(cls, plain: list[Any]) -> Self:
        """Continue from a snapshot."""
        return cls([(slot, Counters(*counts)) for slot, *counts in plain])
