"""A report's figures in the words in which a terminal and a page show them. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from models.evaluation import wilson_interval
from monitor.causes import WORDS
from monitor.metrics import represented, wilson
from schemas.records import Cell, DayReport, Finding, Scores

NOTHING: Final = "–"
SHARES: Final = frozenset({"confidence", "flip", "abstention", "class-mix", "errors"})
"Signals that are shares of one, and read better as percents."
UNITS: Final[Mapping[str, tuple[str, str]]] = {
    "temperature_c": ("temperature", "°C"),
    "pressure_hpa": ("pressure", "hPa"),
    "magnetometer_ut": ("magnetic field", "µT"),
}
"A sensor's name and unit."


MEANINGS: Final[Mapping[str, str]] = {
    "flip": "of a vehicle's frames, those whose class is not the one that most of them say",
    "abstention": "frames too doubtful for the model to name a class",
    "class-mix": "the share of each class among the model's verdicts",
    "errors": "of labelled vehicles, those whose verdict is wrong",
    "noise": "how strongly single pixels differ from their neighbours where the picture is plain, grey levels",
    "structure": "how unlike the camera's usual view the picture is where it differs most; 0: as ever, 1: nothing is alike",
}
"What signals are whose name does not say it."


@dataclass(frozen=True, slots=True)
class Share:
    """A share of one with its 95 % interval."""

    value: float
    "The share."
    low: float
    "Lower end."
    high: float
    "Upper end."
    n: int
    "Of how many."
    effective: float | None = None
    "Labels of a plain sample that would tell as much; None where all stand for as many vehicles."

    @property
    def bounds(self) -> str:
        """`86.8 to 92.1`."""
        return f"{self.low * 100:.1f} to {self.high * 100:.1f}"


def accuracy(report: DayReport) -> Share | None:
    """The day's accuracy, all cameras together; None without labels."""
    given = next((each for each in report.intervals if each.metric == "accuracy"), None)
    if given is None:
        return share_of(report.scores)
    return Share(given.value, given.low, given.high, given.n, report.scores.effective)


def camera_accuracy(report: DayReport, camera_id: str, scores: Scores) -> Share | None:
    """One camera's accuracy; None without labels."""
    given = (each for each in report.slices if (each.dimension, each.value) == ("camera", camera_id))
    found = next(given, None)
    if found is None or found.accuracy is None or scores.weighted:
        return share_of(scores)
    return Share(found.accuracy, found.low, found.high, found.labelled)


def share_of(scores: Scores) -> Share | None:
    """Accuracy with Wilson's interval; None without labels."""
    return share_of_days([scores])


def share_of_days(days: Sequence[Scores]) -> Share | None:
    """The accuracy of several days, each as much as its labels tell, with Wilson's interval; None without labels."""
    if not any(scores.weighted for scores in days):
        return share_right(cell for scores in days for cell in scores.confusion)
    told = [(scores.accuracy, worth(scores)) for scores in days]
    right, n = sum((value or 0.0) * each for value, each in told), sum(each for _, each in told)
    labelled = sum(scores.labelled for scores in days)
    return Share(right / n, *wilson(right, n), labelled, n) if n else None


def worth(scores: Scores) -> float:
    """How many labels of a plain sample would tell as much as those that there are."""
    return scores.labelled if scores.effective is None else scores.effective


def vehicles_of(scores: Scores) -> Mapping[tuple[str, str], float]:
    """How many vehicles labels stand for, by truth and verdict, in proportion; they sum to what labels are worth."""
    if not scores.weighted:
        return represented([(1.0, scores.confusion)])
    found = represented((each.weight, each.cells) for each in scores.weighted)
    total = sum(found.values())
    return {pair: n * worth(scores) / total for pair, n in found.items()}


def share_right(confusion: Iterable[Cell]) -> Share | None:
    """The share on a confusion matrix's diagonal, with Wilson's interval; None of nothing."""
    cells = list(confusion)
    right, n = sum(cell.count for cell in cells if cell.truth == cell.predicted), sum(cell.count for cell in cells)
    return share_of_n(right / n, n) if n else None


def share_of_n(value: float | None, n: int) -> Share | None:
    """A share of n things with Wilson's interval; None for None."""
    return None if value is None else Share(value, *wilson_interval(round(value * n), n), n)


def headline(found: Share | None) -> str:
    """How right the model was, in a sentence."""
    if found is None:
        return "No vehicle is labelled: nobody can say how right the model was"
    if found.effective is not None:
        labels = f"{counted(found.n, 'label')}, which tell as much as {found.effective:,.0f} of a plain sample"
        return f"Right on {percent(found.value)} of the vehicles; by {labels}"
    right = round(found.value * found.n)
    return f"Right on {right:,} of {counted(found.n, 'labelled vehicle')}: {percent(found.value)}"


def estimated(report: DayReport) -> str:
    """The accuracy that confidences alone tell, in words."""
    told = report.estimate
    if told is None:
        return "not estimated: no vehicles"
    bounds = f"{percent(told.accuracy)} ({told.low * 100:.1f} to {told.high * 100:.1f})"
    return f"{bounds} of {counted(told.n, 'vehicle')}{f'; not to be believed: {told.breaks}' if told.breaks else ''}"


def alerts_by_severity(report: DayReport) -> str:
    """`1 critical, 2 warning`; empty without any."""
    counts = Counter(alert.severity for alert in report.alerts)
    return ", ".join(f"{counts[each]} {each}" for each in ("critical", "warning", "info") if counts[each])


def findings_of(report: DayReport) -> list[Finding]:
    """What was found at all cameras, by camera and in order of time."""
    found = [finding for camera in report.cameras for finding in camera.findings]
    return sorted(found, key=lambda each: (each.camera_id, each.since, each.signal))


def change(finding: Finding) -> str:
    """`94 % → 71 %`."""
    return f"{level(finding.signal, finding.before)} → {level(finding.signal, finding.after)}"


def level(signal: str, value: float) -> str:
    """A signal's value."""
    return percent(value, 0) if signal in SHARES else rounded(value)


def signal_name(signal: str) -> str:
    """What mails call a signal: `picture's grain`."""
    return WORDS.get(signal, signal).removeprefix("the ")


def meanings(report: DayReport) -> dict[str, str]:
    """What those of a report's signals are whose names do not say it, by what they are called."""
    measured = {each.signal for camera in report.cameras for each in camera.signals}
    seen = measured | {each.signal for each in findings_of(report)}
    return {signal_name(signal): means for signal, means in MEANINGS.items() if signal in seen}


def sensor_name(sensor: str) -> str:
    """A sensor's name and unit: `temperature, °C`."""
    name, unit = UNITS.get(sensor, (sensor.replace("_", " "), ""))
    return f"{name}, {unit}" if unit else name


def shares_of(counts: Mapping[str, float]) -> dict[str, float]:
    """Counts as shares of their sum; empty of nothing."""
    total = sum(counts.values())
    return {name: count / total for name, count in counts.items()} if total else {}


def counts_of_truth(scores: Scores) -> dict[str, float]:
    """How many of each class there truly are, as far as labels tell."""
    counts: dict[str, float] = {}
    for (truth, _), n in vehicles_of(scores).items():
        counts[truth] = counts.get(truth, 0.0) + n
    return dict(sorted(counts.items()))


def confusion_table(cells: Sequence[Cell]) -> tuple[tuple[str, ...], tuple[tuple[str, tuple[int, ...]], ...]]:
    """The classes, and for each true one how often each was said of it."""
    names = tuple(sorted({cell.truth for cell in cells} | {cell.predicted for cell in cells}))
    counts = {(cell.truth, cell.predicted): cell.count for cell in cells}
    return names, tuple((truth, tuple(counts.get((truth, said), 0) for said in names)) for truth in names)


def percent(value: float | None, digits: int = 1) -> str:
    """A share of one, with a no-break space: `89.7 %`; a dash for None."""
    return NOTHING if value is None else f"{value * 100:.{digits}f}\u00a0%"


def rounded(value: float) -> str:
    """Three digits or all before the point: `0.31`, `41.3`, `1,012`."""
    size = abs(value)
    return f"{value:,.{0 if size >= 100 else 1 if size >= 10 else 2}f}"


def points(gap: float | None) -> str:
    """A difference of shares in percentage points: `+1.2`; a dash for None."""
    return NOTHING if gap is None else f"{gap * 100:+.1f}".replace("-", "−")


def counted(n: int, what: str) -> str:
    """`1 vehicle`, `1,234 vehicles`."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def clock(at: datetime, day_begins: float, zone: ZoneInfo) -> str:
    """`07:20`; with its day, `22 Nov 07:20`, where that is before the one that begins so many seconds after 1970."""
    local = at.astimezone(zone)
    return f"{local:%H:%M}" if at.timestamp() >= day_begins else f"{local.day} {local:%b %H:%M}"


def zone_of(timezone: str) -> ZoneInfo:
    """A report's time zone; UTC where it is not known here."""
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def plain(record: Any) -> Any:
    """A record as plain JSON values, times in ISO 8601."""
    return _plain(asdict(record))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, datetime) else value
