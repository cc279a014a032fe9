"""A report as the rows of a page's tables, each with its strip. Pure."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, TypeVar
from zoneinfo import ZoneInfo

from monitor.causes import PICTURES
from roadwatch.reporting.figures import (
    Share,
    camera_accuracy,
    change,
    clock,
    counted,
    counts_of_truth,
    findings_of,
    level,
    points,
    sensor_name,
    share_of_n,
    shares_of,
    zone_of,
)
from roadwatch.reporting.plots import BAD, OURS, of_share, of_slice
from roadwatch.reporting.ranges import CameraLine, DayLine
from roadwatch.reporting.strips import (
    Axis,
    Segment,
    Strip,
    colours_of,
    day_axis,
    effect_axis,
    latency_axis,
    segments,
    share_axis,
    value_axis,
)
from schemas.records import (
    CameraScores,
    ClassScores,
    DayReport,
    Finding,
    Interval,
    SensorDay,
    SignalScores,
    SliceScores,
    StageScores,
    WorstFrame,
)

HARMLESS: Final = "base"
"The colour of what is found and harms nobody."
MOST_FINDINGS: Final = 80
"Findings that a page shows; all are in the JSON."
ELSEWHERE: Final = frozenset({"camera", "hour"})
"Dimensions that have a table and a plot of their own."

Row = TypeVar("Row")
ClassRow = tuple[ClassScores, Strip | None, Strip | None]
"A class, its precision and its recall."
Line = TypeVar("Line", DayLine, CameraLine)


@dataclass(frozen=True, slots=True)
class Table(Generic[Row]):
    """Rows, and what their strips share."""

    axis: Axis
    "Of the strips."
    rows: tuple[Row, ...]
    "In order."


@dataclass(frozen=True, slots=True)
class CameraRow:
    """A camera's line."""

    camera: CameraScores
    "Its figures."
    accuracy: Share | None
    "Its accuracy; None without labels."
    strip: Strip | None
    "The same, drawn."
    harm: int
    "What was found that harms."


@dataclass(frozen=True, slots=True)
class SliceRow:
    """A slice's line."""

    scores: SliceScores
    "Its figures."
    begins: bool
    "Whether it is its dimension's first."
    strip: Strip | None
    "Its accuracy; None without labels."
    gap: str
    "To the rest, percentage points."
    bounds: str
    "The gap's 95 % interval; empty without one."


@dataclass(frozen=True, slots=True)
class FindingRow:
    """Something found."""

    finding: Finding
    "What."
    begins: bool
    "Whether it is its camera's first."
    strip: Strip
    "When it was found, since when and until when, over the day."
    since: str
    "When it began, in the day's zone."
    until: str
    "When it was over."
    change: str
    "From what to what."


@dataclass(frozen=True, slots=True)
class SignalCell:
    """A camera's signal."""

    strip: Strip | None
    "How far it is from its reference; None without one."
    before: str
    "The reference."
    now: str
    "The day's mean."
    differs: bool
    "Whether it matters."


@dataclass(frozen=True, slots=True)
class SensorCell:
    """A device's sensor."""

    strip: Strip
    "Mean, lowest and highest, on the sensor's axis."
    mean: str
    "In the sensor's unit."
    bounds: str
    "The lowest and the highest."


@dataclass(frozen=True, slots=True)
class Grid(Generic[Row]):
    """A row for each camera, and a cell for each of its signals or sensors."""

    names: tuple[str, ...]
    "Of the columns."
    axes: tuple[Axis, ...]
    "Theirs."
    rows: tuple[tuple[CameraScores, tuple[Row | None, ...]], ...]
    "Cameras and cells; None: it has none."


@dataclass(frozen=True, slots=True)
class MixRow:
    """What share each class has."""

    what: str
    "Who says so."
    segments: tuple[Segment, ...]
    "The shares, side by side."
    shares: dict[str, float]
    "By class."
    n: str
    "Of what."


@dataclass(frozen=True, slots=True)
class WorstRow:
    """A frame that somebody should look at."""

    frame: WorstFrame
    "Which."
    camera_id: str
    "Whose."
    at: datetime
    "When it was taken, in the day's zone."
    jpeg: bytes | None
    "Its picture; None: no longer kept."


def camera_rows(report: DayReport) -> Table[CameraRow]:
    """Each camera, in the report's order."""
    found = [(camera, camera_accuracy(report, camera.camera_id, camera.scores)) for camera in report.cameras]
    axis = share_axis([(share.value, share.low, share.n) for _, share in found if share], report.scores.accuracy)
    worse = {each.value for each in report.slices if each.dimension == "camera" and each.discovered}
    return Table(axis, tuple(_camera_row(camera, share, axis, camera.camera_id in worse) for camera, share in found))


def _camera_row(camera: CameraScores, share: Share | None, axis: Axis, worse: bool) -> CameraRow:
    strip = share_strip(axis, share, BAD if worse else OURS)
    return CameraRow(camera, share, strip, sum(finding.worse for finding in camera.findings))


def share_strip(axis: Axis, share: Share | None, colour: str = OURS) -> Strip | None:
    """A share drawn; None for None."""
    return axis.strip(share.value, share.low, share.high, colour, of_share(share)) if share else None


def class_rows(classes: Sequence[ClassScores], intervals: Sequence[Interval]) -> Table[ClassRow]:
    """Each class with its precision and its recall; Wilson's intervals where none are given."""
    given = {each.metric: Share(each.value, each.low, each.high, each.n) for each in intervals}
    found = [
        (
            each,
            given.get(f"precision:{each.label}") or share_of_n(each.precision, each.predicted),
            given.get(f"recall:{each.label}") or share_of_n(each.recall, each.support),
        )
        for each in classes
    ]
    axis = share_axis([(each.value, each.low, each.n) for _, *shares in found for each in shares if each], None)
    return Table(axis, tuple((each, share_strip(axis, a), share_strip(axis, b)) for each, a, b in found))


def slice_rows(report: DayReport) -> Table[SliceRow]:
    """Every slice but those that are shown elsewhere, by dimension."""
    found = [each for each in report.slices if each.dimension not in ELSEWHERE and each.passages]
    known = [(each.accuracy, each.low, each.labelled) for each in found if each.accuracy is not None]
    axis = share_axis(known, report.scores.accuracy)
    firsts = {id(each) for each in {each.dimension: each for each in reversed(found)}.values()}
    return Table(axis, tuple(_slice_row(each, axis, id(each) in firsts) for each in found))


def _slice_row(scores: SliceScores, axis: Axis, begins: bool) -> SliceRow:
    strip, bounds = None, ""
    if scores.accuracy is not None:
        colour = BAD if scores.discovered else OURS
        strip = axis.strip(scores.accuracy, scores.low, scores.high, colour, of_slice(scores))
    if scores.gap is not None:
        bounds = f"{points(scores.gap_low)} to {points(scores.gap_high)}"
    return SliceRow(scores, begins, strip, points(scores.gap), bounds)


def finding_rows(report: DayReport) -> Table[FindingRow]:
    """What was found, by camera and in order of time; of too much, what harms comes first."""
    zone = zone_of(report.timezone)
    found = sorted(findings_of(report), key=lambda each: not each.worse)[:MOST_FINDINGS]
    shown = [each for each in findings_of(report) if each in found]
    axis = day_axis(report.starts_at, report.ends_at, zone)
    firsts = {each.finding_id for each in {each.camera_id: each for each in reversed(shown)}.values()}
    return Table(axis, tuple(_finding_row(each, axis, zone, each.finding_id in firsts) for each in shown))


def _finding_row(finding: Finding, axis: Axis, zone: ZoneInfo, begins: bool) -> FindingRow:
    end = axis.high if finding.until is None else finding.until.timestamp()
    since, until = clock(finding.since, axis.low, zone), "lasts"
    if finding.until:
        until = clock(finding.until, axis.low, zone)
    title = f"{finding.signal}: {change(finding)}, {since} to {until}"
    colour = BAD if finding.worse else HARMLESS
    strip = axis.strip(finding.found_at.timestamp(), finding.since.timestamp(), end, colour, title)
    return FindingRow(finding, begins, strip, since, until, change(finding))


def signal_grids(report: DayReport) -> list[Grid[SignalCell]]:
    """Each camera's signals beside their references, of pictures and of the model; all differences on one axis."""
    cameras = [camera for camera in report.cameras if camera.signals]
    names = sorted({each.signal for camera in cameras for each in camera.signals})
    parts = [[name for name in names if name in PICTURES], [name for name in names if name not in PICTURES]]
    axis = effect_axis(each.effect for camera in cameras for each in camera.signals if each.effect is not None)
    found = [(camera, {each.signal: _signal_cell(each, axis) for each in camera.signals}) for camera in cameras]
    return [_signal_grid(tuple(part), axis, found) for part in parts if part]


def _signal_grid(
    names: tuple[str, ...], axis: Axis, found: Sequence[tuple[CameraScores, Mapping[str, SignalCell]]]
) -> Grid[SignalCell]:
    rows = tuple((camera, tuple(map(cells.get, names))) for camera, cells in found)
    return Grid(names, (axis,) * len(names), rows)


def _signal_cell(scores: SignalScores, axis: Axis) -> SignalCell:
    before = "" if scores.reference is None else level(scores.signal, scores.reference)
    now, strip = level(scores.signal, scores.mean), None
    if scores.effect is not None:
        title = f"{scores.signal}: {before} → {now}, {scores.effect:+.2f} standard deviations"
        ends = min(scores.effect, 0.0), max(scores.effect, 0.0)
        strip = axis.strip(scores.effect, *ends, BAD if scores.differs else HARMLESS, title)
    return SignalCell(strip, before, now, scores.differs)


def sensor_grid(report: DayReport) -> Grid[SensorCell]:
    """Each device's sensors, each sensor on its own axis."""
    known = {camera.camera_id: camera.device.sensors for camera in report.cameras if camera.device}
    names = tuple(sorted({sensor.sensor for sensors in known.values() for sensor in sensors}))
    axes = {name: _sensor_axis(name, known.values()) for name in names}
    cameras = [camera for camera in report.cameras if camera.camera_id in known]
    rows = ((each, {s.sensor: _sensor_cell(s, axes[s.sensor]) for s in known[each.camera_id]}) for each in cameras)
    return Grid(
        tuple(map(sensor_name, names)),
        tuple(axes.values()),
        tuple((camera, tuple(map(cells.get, names))) for camera, cells in rows),
    )


def _sensor_axis(name: str, devices: Iterable[Sequence[SensorDay]]) -> Axis:
    of_name = [each for sensors in devices for each in sensors if each.sensor == name]
    return value_axis(value for each in of_name for value in (each.low, each.high))


def _sensor_cell(sensor: SensorDay, axis: Axis) -> SensorCell:
    mean = sensor.total / sensor.count if sensor.count else sensor.low
    bounds = f"{sensor.low:,.1f} to {sensor.high:,.1f}"
    strip = axis.strip(mean, sensor.low, sensor.high, OURS, f"mean {mean:,.1f}, {bounds}")
    return SensorCell(strip, f"{mean:,.1f}", bounds)


def stage_rows(report: DayReport) -> Table[tuple[StageScores, Strip]]:
    """Latency from its median to its 99th percentile, a dot at the 95th; all frames together first."""
    scores = report.scores
    quantiles = (scores.latency_p50_ms, scores.latency_p95_ms, scores.latency_p99_ms)
    known = [value for value in quantiles if value is not None]
    stages = [*([StageScores("in all", *known)] if len(known) == 3 else []), *report.stages]
    axis = latency_axis(value for stage in stages for value in (stage.p50_ms, stage.p99_ms))
    return Table(axis, tuple((stage, _stage_strip(stage, axis)) for stage in stages))


def _stage_strip(stage: StageScores, axis: Axis) -> Strip:
    p50, p95, p99 = (math.log10(max(value, 0.01)) for value in (stage.p50_ms, stage.p95_ms, stage.p99_ms))
    return axis.strip(p95, p50, p99, OURS, f"{stage.stage}: {stage.p50_ms:g}, {stage.p95_ms:g}, {stage.p99_ms:g} ms")


def mix_rows(report: DayReport, before: Sequence[DayReport]) -> tuple[dict[str, str], list[MixRow]]:
    """Each class's colour, and its share as the model says, as is estimated, as labels say, and as it was said before."""
    said, truths = report.scores.passages_by_label, counts_of_truth(report.scores)
    estimated = report.estimate.class_mix if report.estimate else {}
    earlier: Counter[str] = Counter()
    for each in before:
        earlier.update(each.scores.passages_by_label)
    told: list[tuple[str, Mapping[str, float], str]] = [
        ("the model says", said, f"{sum(said.values()):,} vehicles"),
        ("estimated", estimated, "corrected for what it confuses"),
        ("labels say", truths, f"{report.scores.labelled:,} labelled"),
        ("it said before", earlier, counted(len(before), "day")),
    ]
    colours = colours_of({**dict.fromkeys([*estimated, *truths], 0), **earlier, **said})
    return colours, list(_mix_rows(told, colours))


def _mix_rows(told: Iterable[tuple[str, Mapping[str, float], str]], colours: Mapping[str, str]) -> Iterator[MixRow]:
    for what, counts, n in told:
        if shares := shares_of(counts):
            yield MixRow(what, segments(shares, colours), shares, n)


def mix_by_day(lines: Sequence[DayLine]) -> tuple[dict[str, str], list[MixRow]]:
    """Each class's colour, and its share as the model says on each day."""
    total: Counter[str] = Counter()
    for line in lines:
        total.update(line.passages_by_label)
    colours = colours_of(total)
    return colours, list(_mix_rows([(line.day, line.passages_by_label, "") for line in lines], colours))


def share_table(lines: Sequence[Line], together: Share | None) -> Table[tuple[Line, Strip | None]]:
    """Lines with their accuracies drawn beside that of all together."""
    known = [(share.value, share.low, share.n) for line in lines if (share := line.accuracy)]
    axis = share_axis(known, together.value if together else None)
    return Table(axis, tuple((line, share_strip(axis, line.accuracy)) for line in lines))


def worst_rows(report: DayReport, pictures: Mapping[str, bytes]) -> list[WorstRow]:
    """The frames to be looked at: those that are wrong first, then by how sure the model was."""
    zone = zone_of(report.timezone)
    found = [(camera.camera_id, frame) for camera in report.cameras for frame in camera.worst]
    found.sort(key=lambda each: _urgency(each[1]))
    return [
        WorstRow(frame, name, frame.captured_at.astimezone(zone), pictures.get(frame.frame_id)) for name, frame in found
    ]


def _urgency(frame: WorstFrame) -> tuple[bool, float]:
    return (False, -frame.confidence) if frame.why == "wrong" else (True, frame.confidence)
