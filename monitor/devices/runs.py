"""How often each sensor has given the same value in a row, or none."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monitor.devices.sensors import level, sensed
from monitor.integrity.troubles import Sign, Verdict
from schemas.records import Telemetry

STUCK_RUN, STUCK_TIMES = 12, 3
"Equal values in a row, and so many times the longest run that the sensor had before."
KNOWN = 20
"Changes of a sensor's value that show that it works."
MISSED = 3
"Records in a row without a sensor that was there."


@dataclass(slots=True)
class Run:
    """A sensor's value and how often it has come in a row."""

    value: float | list[float]
    since_us: int
    "When it came first."
    length: int = 1
    "Records in a row."
    longest: int = 0
    "The longest run before, of those that were no fault."
    changes: int = 0
    "How often the value has changed."
    missed: int = 0
    "Records since then without the sensor."

    @property
    def is_stuck(self) -> bool:
        """Whether it has come so often as it never did before."""
        return self.changes >= KNOWN and self.length >= max(STUCK_RUN, STUCK_TIMES * self.longest)

    def take(self, at_us: int, value: float | list[float]) -> None:
        """Take the next value."""
        self.missed = 0
        if value == self.value:
            self.length += 1
            return
        self.longest = self.longest if self.is_stuck else max(self.longest, self.length)
        self.value, self.since_us, self.length = value, at_us, 1
        self.changes += 1

    def snapshot(self) -> list[Any]:
        """As plain JSON."""
        return [self.value, self.since_us, self.length, self.longest, self.changes, self.missed]


class Runs:
    """The runs of all sensors of a device."""

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}

    def take(self, at_us: int, telemetry: Telemetry) -> None:
        """Take a record."""
        for sensor, value in sensed(telemetry):
            run = self._runs.get(sensor)
            if value is None:
                self._miss(run)
            elif run:
                run.take(at_us, value)
            else:
                self._runs[sensor] = Run(value, at_us)

    @staticmethod
    def _miss(run: Run | None) -> None:
        if run:
            run.missed += 1

    def missed(self, sensor: str, name: str) -> Verdict:
        """Whether a sensor that says nothing was there."""
        run = self._runs.get(sensor)
        if run is None or run.changes < KNOWN or run.missed < MISSED:
            return "unclear"
        last = round(level(run.value), 2)
        return Sign(last, last, f"the {name} sensor says nothing any more")

    def stuck(self) -> Verdict:
        """Whether a sensor repeats itself as it never did."""
        stuck = {sensor: run for sensor, run in sorted(self._runs.items()) if run.is_stuck}
        if not stuck:
            return "sound"
        note = ", ".join(f"{sensor} gave the same value {run.length} times in a row" for sensor, run in stuck.items())
        longest = max(stuck.values(), key=lambda run: run.length)
        return Sign(longest.longest, longest.length, note, None, longest.since_us, longest.length)

    def snapshot(self) -> dict[str, Any]:
        """As plain JSON, by sensor."""
        return {sensor: run.snapshot() for sensor, run in self._runs.items()}

    def take_up(self, plain: Mapping[str, Any]) -> None:
        """Continue from a snapshot."""
        self._runs = {sensor: Run(*run) for sensor, run in plain.items()}
