"""Several days' reports as one summary: what adds up is added, what does not is shown day by day. Pure.

reports ──► a line for each day ─┐
        ──► confusion matrices added ──► accuracy, precision, recall of all days, and of each camera
        ──► alerts, each once, as the last report tells of them
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from monitor.metrics import class_scores, confusion_of
from roadwatch.reporting.days import Span
from roadwatch.reporting.figures import Share, accuracy, findings_of, share_of_days, vehicles_of
from schemas.records import AlertLine, Cell, ClassScores, DayReport, EstimatedAccuracy

WORST: Final = 3
"Days that are named as the worst."


@dataclass(frozen=True, slots=True)
class DayLine:
    """A day in one line."""

    day: str
    "The day."
    revision: int
    "Of its report."
    accuracy: Share | None
    "Of labelled vehicles; None without any."
    estimate: EstimatedAccuracy | None
    "Accuracy without labels; None without vehicles."
    passages: int
    "Vehicles."
    passages_by_label: dict[str, int]
    "Vehicles by verdict."
    alerts: int
    "Alerts of the day."
    findings: int
    "What was found that harms."


@dataclass(frozen=True, slots=True)
class CameraLine:
    """A camera over all days."""

    camera_id: str
    "The camera."
    days: int
    "On how many it is in the report."
    passages: int
    "Vehicles."
    accuracy: Share | None
    "Of its labelled vehicles; None without labels."
    worst_day: str
    "Its least accurate day; empty without labels."
    worst: float | None
    "Accuracy on that day; None likewise."
    findings: int
    "What was found that harms."


@dataclass(frozen=True, slots=True)
class RaisedAlert:
    """An alert of these days."""

    alert: AlertLine
    "As the last report tells of it."
    first_day: str
    "The first day whose report tells of it."
    days: int
    "How many reports do."


@dataclass(frozen=True, slots=True)
class Summary:
    """Several days together."""

    span: Span
    "Which days were asked for."
    lines: tuple[DayLine, ...]
    "Those that are reported on, in order."
    missing: tuple[str, ...]
    "The others."
    accuracy: Share | None
    "Of all labelled vehicles; None without any."
    confusion: tuple[Cell, ...]
    "Of all labelled vehicles, sorted."
    classes: tuple[ClassScores, ...]
    "Each class, sorted."
    passages: int
    "Vehicles."
    cameras: tuple[CameraLine, ...]
    "Each camera, sorted."
    worst_days: tuple[DayLine, ...]
    "The least accurate ones, the worst first."
    alerts: tuple[RaisedAlert, ...]
    "Each once, the most severe first, then in order."
    model_versions: tuple[str, ...]
    "Bundles that served, sorted."

    @property
    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        told = asdict(self)
        return {"from": f"{self.span.first}", "to": f"{self.span.last}", **{k: told[k] for k in told if k != "span"}}


def summary(span: Span, reports: Sequence[DayReport]) -> Summary:
    """What reports of these days say together; in order of days."""
    lines = tuple(map(day_line, reports))
    cells = added(cell for report in reports for cell in report.scores.confusion)
    judged = [(line.accuracy.value, line.day, line) for line in lines if line.accuracy]
    return Summary(
        span=span,
        lines=lines,
        missing=tuple(sorted(set(span.days) - {line.day for line in lines})),
        accuracy=share_of_days([report.scores for report in reports]),
        confusion=cells,
        classes=_classes(cells, reports),
        passages=sum(line.passages for line in lines),
        cameras=tuple(_camera(name, reports) for name in _cameras(reports)),
        worst_days=tuple(line for _, _, line in sorted(judged)[:WORST]),
        alerts=tuple(_alerts(reports)),
        model_versions=tuple(sorted({version for report in reports for version in report.model_versions})),
    )


def day_line(report: DayReport) -> DayLine:
    """A report in one line."""
    return DayLine(
        day=report.day,
        revision=report.revision,
        accuracy=accuracy(report),
        estimate=report.estimate,
        passages=report.scores.passages,
        passages_by_label=report.scores.passages_by_label,
        alerts=len(report.alerts),
        findings=sum(finding.worse for finding in findings_of(report)),
    )


def added(cells: Iterable[Cell]) -> tuple[Cell, ...]:
    """Cells of the same place added, sorted."""
    counts: Counter[tuple[str, str]] = Counter()
    for cell in cells:
        counts[cell.truth, cell.predicted] += cell.count
    return tuple(Cell(truth, predicted, n) for (truth, predicted), n in sorted(counts.items()))


def _classes(cells: Sequence[Cell], reports: Sequence[DayReport]) -> tuple[ClassScores, ...]:
    """Each class, every day counted as much as its labels tell."""
    vehicles: Counter[tuple[str, str]] = Counter()
    for report in reports:
        vehicles.update(vehicles_of(report.scores))
    confusion = confusion_of(cells)
    labels = sorted({name for pair in confusion for name in pair})
    return tuple(class_scores(confusion, label, vehicles) for label in labels)


def _cameras(reports: Sequence[DayReport]) -> list[str]:
    return sorted({camera.camera_id for report in reports for camera in report.cameras})


def _camera(name: str, reports: Sequence[DayReport]) -> CameraLine:
    days = [(report.day, camera) for report in reports for camera in report.cameras if camera.camera_id == name]
    judged = [(c.scores.accuracy, day) for day, c in days if c.scores.accuracy is not None]
    worst, worst_day = min(judged, default=(None, ""))
    return CameraLine(
        camera_id=name,
        days=len(days),
        passages=sum(camera.scores.passages for _, camera in days),
        accuracy=share_of_days([camera.scores for _, camera in days]),
        worst_day=worst_day,
        worst=worst,
        findings=len({found.finding_id for _, camera in days for found in camera.findings if found.worse}),
    )


SEVERITIES: Final = ("critical", "warning", "info")


def _alerts(reports: Sequence[DayReport]) -> list[RaisedAlert]:
    told: dict[str, list[tuple[str, AlertLine]]] = {}
    for report in reports:
        for alert in report.alerts:
            told.setdefault(alert.alert_id, []).append((report.day, alert))
    raised = [RaisedAlert(days[-1][1], days[0][0], len(days)) for days in told.values()]
    return sorted(raised, key=lambda each: (SEVERITIES.index(each.alert.severity), each.first_day))
