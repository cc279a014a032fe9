"""A day's report, or several, on a terminal: sentences, then tables."""

from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, JustifyMethod, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from roadwatch.context import printable, unbroken
from roadwatch.reporting.figures import (
    NOTHING,
    accuracy,
    camera_accuracy,
    change,
    clock,
    confusion_table,
    counted,
    estimated,
    findings_of,
    headline,
    level,
    percent,
    points,
    sensor_name,
    zone_of,
)
from roadwatch.reporting.page import long_day
from roadwatch.reporting.ranges import DayLine, RaisedAlert, Summary
from schemas.records import (
    AlertLine,
    CameraScores,
    Cell,
    DayReport,
    DeviceDay,
    Finding,
    SignalScores,
    SliceScores,
    StageScores,
)

COLOURS = {"critical": "bold red", "warning": "yellow", "info": ""}
MOST_FINDINGS = 30
"Lines about what was found; all are in the JSON."

Cells = Sequence[str | Text]


def day_view(report: DayReport) -> RenderableType:
    """Everything that a report says."""
    found = findings_of(report)
    parts: list[RenderableType | None] = [
        _opening(report),
        _alerts(report.alerts),
        _list(f"What revision {report.revision} changes", report.changes),
        _cameras(report),
        _confusion(report.scores.confusion),
        _behind([each for each in report.slices if each.discovered]),
        _findings(report, found),
        _signals(report.cameras),
        _devices(report.cameras),
        _stages(report.stages),
        _labels(report),
    ]
    return Group(*(part for part in parts if part is not None))


def range_view(told: Summary) -> RenderableType:
    """Everything that several reports say together."""
    missing = f"; no report of {', '.join(told.missing)}" if told.missing else ""
    opening = [
        Text(f"{told.span}: {counted(len(told.lines), 'report')}{missing}", style="bold"),
        Text(_sentence(headline(told.accuracy), f"95 % interval {told.accuracy.bounds}" if told.accuracy else "")),
        Text(f"{counted(told.passages, 'vehicle')} at {counted(len(told.cameras), 'camera')}."),
    ]
    parts: list[RenderableType | None] = [
        Group(*opening),
        days_table(told.lines),
        _cameras_of(told),
        _confusion(told.confusion),
        _raised(told.alerts),
    ]
    return Group(*(part for part in parts if part is not None))


def days_table(lines: Iterable[DayLine]) -> Table:
    """A line a day."""
    names = ("day", "rev.", "accuracy", "95 %", "labelled", "estimated", "vehicles", "alerts")
    return _table("", names, map(_day, lines))


def _opening(report: DayReport) -> RenderableType:
    share, scores = accuracy(report), report.scores
    mix = ", ".join(f"{n:,} {label}" for label, n in scores.passages_by_label.items())
    lines = [
        Text(f"{long_day(report.day)}, revision {report.revision}, {report.timezone}", style="bold"),
        Text(_sentence(headline(share), f"95 % interval {share.bounds}" if share else "")),
        Text(f"Estimated without labels: {printable(estimated(report))}."),
        Text(f"{counted(scores.passages, 'vehicle')}{f': {printable(mix)}' if mix else ''}."),
    ]
    if report.absent:
        lines.append(Text(f"Sent nothing: {printable(', '.join(report.absent))}.", style="red"))
    return Group(*lines, Text(f"Model: {printable(', '.join(report.model_versions)) or NOTHING}."))


def _sentence(text: str, aside: str) -> str:
    return f"{text} ({aside})." if aside else f"{text}."


def _alerts(alerts: Sequence[AlertLine]) -> Table | None:
    rows = [(Text(each.severity, COLOURS[each.severity]), each.title, each.state) for each in alerts]
    return _table("Alerts", ("", "", ""), rows, words=3) if rows else None


def _raised(alerts: Sequence[RaisedAlert]) -> Table | None:
    rows = [
        (Text(each.alert.severity, COLOURS[each.alert.severity]), each.first_day, each.alert.title, each.alert.state)
        for each in alerts
    ]
    return _table("Alerts", ("", "first told on", "", ""), rows, words=4) if rows else None


def _list(title: str, sentences: Sequence[str]) -> RenderableType | None:
    if not sentences:
        return None
    lines = [Text(f"- {printable(sentence)}") for sentence in sentences]
    return Group("", Text(title, style="bold"), *(Padding(line, (0, 0, 0, 2)) for line in lines))


def _cameras(report: DayReport) -> Table | None:
    worse = {each.value for each in report.slices if each.dimension == "camera" and each.discovered}
    names = ("camera", "accuracy", "95 %", "labelled", "vehicles", "flip rate", "found")
    rows = [_camera(report, camera, camera.camera_id in worse) for camera in report.cameras]
    return _table("Cameras", names, rows) if rows else None


def _camera(report: DayReport, camera: CameraScores, worse: bool) -> Cells:
    share, scores = camera_accuracy(report, camera.camera_id, camera.scores), camera.scores
    return (
        camera.camera_id,
        Text(percent(share.value if share else None), "red" if worse else ""),
        share.bounds if share else "",
        f"{scores.labelled:,}",
        f"{scores.passages:,}",
        percent(scores.flip_rate),
        f"{sum(finding.worse for finding in camera.findings) or NOTHING}",
    )


def _confusion(cells: Sequence[Cell]) -> Table | None:
    said, rows = confusion_table(cells)
    if not said:
        return None
    names = ("truth", *(f"said {name}" for name in said))
    return _table("What was said of what", names, [(truth, *(f"{n:,}" for n in counts)) for truth, counts in rows])


def _behind(slices: Sequence[SliceScores]) -> Table | None:
    rows = [
        (
            f"{each.dimension} {each.value}",
            Text(percent(each.accuracy), "red"),
            f"{each.low * 100:.1f} to {each.high * 100:.1f}",
            f"{each.labelled:,}",
            points(each.gap),
        )
        for each in slices
    ]
    names = ("slice", "accuracy", "95 %", "labelled", "to the rest")
    return _table("Surely worse than the rest", names, rows) if rows else None


def _findings(report: DayReport, found: Sequence[Finding]) -> RenderableType | None:
    if not found:
        return None
    zone, begins, names = (
        zone_of(report.timezone),
        report.starts_at.timestamp(),
        ("camera", "what", "kind", "since", "until", "from → to", ""),
    )
    shown = sorted(found, key=lambda each: not each.worse)[:MOST_FINDINGS]
    rows = [
        (
            each.camera_id,
            Text(printable(each.signal), "red" if each.worse else ""),
            each.kind,
            clock(each.since, begins, zone),
            clock(each.until, begins, zone) if each.until else "lasts",
            change(each),
            each.note or ("" if each.worse else "harmless"),
        )
        for each in shown
    ]
    table = _table("What was found", names, rows, words=7)
    return Group(table, f"and {len(found) - len(shown)} more: --json") if len(found) > len(shown) else table


def _signals(cameras: Sequence[CameraScores]) -> Table | None:
    rows = [
        (camera.camera_id, each.signal, *_before_and_now(each), f"{each.effect or 0.0:+.1f}")
        for camera in cameras
        for each in camera.signals
        if each.differs
    ]
    names = ("camera", "signal", "before", "now", "standard deviations")
    return _table("Signals unlike the days before", names, rows, words=2) if rows else None


def _before_and_now(scores: SignalScores) -> tuple[str, str]:
    before = NOTHING if scores.reference is None else level(scores.signal, scores.reference)
    return before, level(scores.signal, scores.mean)


def _devices(cameras: Sequence[CameraScores]) -> Table | None:
    devices = [(camera.camera_id, camera.device) for camera in cameras if camera.device]
    sensors = sorted({each.sensor for _, device in devices for each in device.sensors})
    names = ("device", *map(sensor_name, sensors), "dropped", "reconnects")
    return _table("Devices", names, [_device(*each, sensors) for each in devices]) if devices else None


def _device(camera_id: str, device: DeviceDay, sensors: Sequence[str]) -> Cells:
    known = {each.sensor: f"{each.low:,.1f} to {each.high:,.1f}" for each in device.sensors}
    dropped = sum(device.dropped.values())
    return camera_id, *(known.get(name, NOTHING) for name in sensors), f"{dropped:,}", f"{device.reconnects:,}"


def _stages(stages: Sequence[StageScores]) -> Table | None:
    rows = [(each.stage, *(f"{ms:,.1f}" for ms in (each.p50_ms, each.p95_ms, each.p99_ms))) for each in stages]
    return _table("Latency, ms", ("stage", "p50", "p95", "p99"), rows) if rows else None


def _labels(report: DayReport) -> Text | None:
    told = ", ".join(f"{name} {n:,}" for name, n in report.labels.items())
    return Text(f"\nLabels: {printable(told)}.") if told else None


def _cameras_of(told: Summary) -> Table | None:
    rows = [
        (
            line.camera_id,
            percent(line.accuracy.value if line.accuracy else None),
            line.accuracy.bounds if line.accuracy else "",
            f"{line.accuracy.n if line.accuracy else 0:,}",
            f"{line.passages:,}",
            f"{percent(line.worst)} {line.worst_day}" if line.worst_day else NOTHING,
            f"{line.findings or NOTHING}",
        )
        for line in told.cameras
    ]
    return (
        _table("Cameras", ("camera", "accuracy", "95 %", "labelled", "vehicles", "worst day", "found"), rows)
        if rows
        else None
    )


def _day(line: DayLine) -> Cells:
    share, told = line.accuracy, line.estimate
    return (
        line.day,
        f"{line.revision}",
        percent(share.value if share else None),
        share.bounds if share else "",
        f"{share.n if share else 0:,}",
        Text(percent(told.accuracy if told else None), "strike" if told and told.breaks else ""),
        f"{line.passages:,}",
        f"{line.alerts or NOTHING}",
    )


def _table(title: str, names: Sequence[str], rows: Iterable[Cells], *, words: int = 1) -> Table:
    """The first so many columns are words, the others numbers; what comes from elsewhere is no markup.

    The first column names things, and is never broken.
    """
    table = Table(
        title=f"\n{title}" if title else None,
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        show_edge=False,
        show_header=any(names),
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for place, name in enumerate(names):
        side: JustifyMethod = "left" if place < words else "right"
        table.add_column(Text(printable(name)), justify=side, overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(printable(cell)) for cell in row))
    return unbroken(table, 0)
