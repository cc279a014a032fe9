"""What a backtest's run gives: what each variant said, what the live run said, and what it cost."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from monitor.metrics import scores
from monitor.tallies import added
from roadwatch.backtesting.differing import Vehicles
from roadwatch.backtesting.variants import Model, RuleSet, Variant
from schemas.records import Alert, CameraDay, DayReport, Passage, Record, Scores

OF_NOW: Final = ("model-refused", "all-silent")
"Rules of alerts about steps in a model's life, and about the clock: a backtest takes neither."


@dataclass(slots=True)
class Ran:
    """What one variant gave."""

    variant: Variant
    "Which."
    reports: dict[str, DayReport] = field(default_factory=dict)
    "The newest of each day."
    alerts: dict[str, Alert] = field(default_factory=dict)
    "By id, each as it was told last."
    passages: int = 0
    "Vehicles."
    refused: int = 0
    "Frames that were not believed, for they are ahead of when they were logged."
    _days: dict[tuple[str, str], CameraDay] = field(default_factory=dict)

    def take(self, record: Record) -> None:
        """Know what its monitor said."""
        match record:
            case DayReport():
                self.reports[record.day] = record
            case Alert():
                self.alerts[record.alert_id] = record
            case Passage():
                self.passages += 1
            case CameraDay() if record.revision and record.part == "pictures":
                self._days[record.day, record.camera_id] = record
            case _:
                pass

    def alerts_on(self, day: str) -> int:
        """How many alerts stood on a day, as its report says."""
        return len(self.reports[day].alerts)

    @property
    def scores(self) -> Scores:
        """The figures of all days together."""
        return scores(added(day.tally for _, day in sorted(self._days.items())))


@dataclass(slots=True)
class Live:
    """What the live run said, as far as it is recorded."""

    reports: dict[str, DayReport] = field(default_factory=dict)
    "The newest of each day."
    alerts: dict[str, Alert] = field(default_factory=dict)
    "By id, each as it was told last."

    def take(self, record: Record) -> None:
        """Know what the live monitor said."""
        if isinstance(record, DayReport):
            known = self.reports.get(record.day)
            self.reports[record.day] = record if known is None or record.revision >= known.revision else known
        elif isinstance(record, Alert) and record.rule not in OF_NOW:
            self.alerts[record.alert_id] = record


@dataclass(slots=True)
class Cost:
    """CPU seconds of this process by phase, all threads together."""

    phases: dict[str, float] = field(default_factory=dict)
    "reading, decoding, inference, columns, monitor."

    @contextmanager
    def of(self, phase: str) -> Iterator[None]:
        """Count what runs inside for a phase."""
        started = time.process_time()
        try:
            yield
        finally:
            self.phases[phase] = self.phases.get(phase, 0.0) + time.process_time() - started


@dataclass(slots=True)
class Outcome:
    """What a run gave."""

    models: list[Model]
    "That were tried."
    rules: list[RuleSet]
    "Likewise."
    ran: list[Ran]
    "Each model with each rule set, models first."
    live: Live
    "What is recorded of the live run's own answers."
    vehicles: Vehicles
    "Models beside each other, by the first rule set."
    counts: Counter[str]
    "Records by what became of them."
    cost: Cost
    "CPU."
    latencies: bool
    "Whether latencies were taken over from the recording."
