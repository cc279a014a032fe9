"""What came of a recording."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from schemas.records import Alert, DayReport, Passage, Prediction, Record


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to a recording; compares equal to that of the same stream under the same rules."""

    reports: "Mapping[str, DayReport]"
    "The newest revision of each day's report, by day: `2026-03-02`."
    alerts: "tuple[Alert, ...]"
    "Each in each of its states, as it was told last; by the time when they were raised, then by id."
    passages: "tuple[Passage, ...]"
    "Vehicles, by the time when they crossed their line, then by id."
    predictions: "tuple[Prediction, ...]"
    "Of frames that were classified anew, by time, then by id; empty where recorded observations were sent."

    def raised(self, rule: str | None = None, camera: str | None = None, day: str | None = None) -> "tuple[Alert, ...]":
        """The alerts of one rule, about one camera or one day; None: of any."""
        return tuple(
            alert
            for alert in self.alerts
            if rule in {None, alert.rule} and camera in {None, alert.camera_id} and day in {None, alert.day}
        )

    @classmethod
    def of(cls, records: "Iterable[Record]") -> Self:
        """Put in order what a monitor and a processor sent; what a restart sent twice counts once."""
        from schemas.records import Alert, DayReport, Passage, Prediction

        reports: dict[str, DayReport] = {}
        alerts: dict[tuple[str, str], Alert] = {}
        passages: dict[str, Passage] = {}
        predictions: dict[str, Prediction] = {}
        for record in records:
            match record:
                case DayReport():
                    reports[record.day] = max(reports.get(record.day, record), record, key=lambda r: r.revision)
                case Alert():
                    alerts[record.alert_id, record.state] = record
                case Passage():
                    passages[record.passage_id] = record
                case Prediction():
                    predictions[record.frame_id] = record
                case _:
                    pass
        return cls(
            reports=dict(sorted(reports.items())),
            alerts=tuple(sorted(alerts.values(), key=lambda alert: (alert.raised_at, alert.alert_id, alert.state))),
            passages=tuple(sorted(passages.values(), key=lambda passage: (passage.crossed_at, passage.passage_id))),
            predictions=tuple(sorted(predictions.values(), key=lambda frame: (frame.captured_at, frame.frame_id))),
        )
