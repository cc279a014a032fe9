"""A device's days that were not handed in yet."""

from dataclasses import dataclass, field
from typing import Any, Self

from monitor.devices.counters import Counters
from monitor.devices.sensors import level, sensed
from schemas.records import DeviceDay, SensorDay, Telemetry


@dataclass(slots=True)
class OpenDay:
    """A day that was not handed in yet."""

    records: int = 0
    "Telemetry records."
    states: dict[str, int] = field(default_factory=dict)
    "By state."
    sensors: dict[str, list[float]] = field(default_factory=dict)
    "By sensor: how many, their sum, the lowest and the highest."
    counters: Counters = field(default_factory=Counters)
    "What the process has counted."

    def add(self, telemetry: Telemetry) -> None:
        """Count a record in."""
        self.records += 1
        self.states[telemetry.state] = self.states.get(telemetry.state, 0) + 1
        for sensor, value in sensed(telemetry):
            if value is not None:
                self._measure(sensor, level(value))

    def _measure(self, sensor: str, value: float) -> None:
        count, total, low, high = self.sensors.get(sensor, (0, 0.0, value, value))
        self.sensors[sensor] = [count + 1, total + value, min(low, value), max(high, value)]

    def device_day(self) -> DeviceDay:
        """As it is handed in."""
        return DeviceDay(
            records=self.records,
            sensors=tuple(SensorDay(name, int(n), *sums) for name, (n, *sums) in sorted(self.sensors.items())),
            states=dict(sorted(self.states.items())),
            pictures=self.counters.pictures,
            frames=self.counters.frames,
            dropped={reason: n for reason, n in sorted(self.counters.dropped.items()) if n},
            reconnects=self.counters.reconnects,
        )

    def snapshot(self) -> list[Any]:
        """As plain JSON."""
        return [self.records, self.states, self.sensors, self.counters.snapshot()]

    @classmethod
    def restore(cls, plain: list[Any]) -> Self:
        """Continue from a snapshot."""
        records, states, sensors, counters = plain
        return cls(records, states, sensors, Counters(*counters))
