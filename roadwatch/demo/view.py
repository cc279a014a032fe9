"""A run drawn for a terminal, and told in lines where there is none."""

from collections.abc import Iterable

from rich import box
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from roadwatch.context import unbroken
from roadwatch.demo.state import RunState
from schemas.records import Alert, CameraScores, DayReport, Scores

SEVERITY_STYLE = {"info": "cyan", "warning": "yellow", "critical": "bold red"}
NEWEST = 4


def live_view(state: RunState, now: float) -> RenderableType:
    """The run as it stands."""
    return Group(
        _header(state, now), _cameras(state, now), day_table(state.reports.values(), cameras=False), _alerts(state)
    )


def day_table(reports: Iterable[DayReport], *, cameras: bool = True) -> Table:
    """A line for each day, and one for each of its cameras unless there is no room for them."""
    table = Table(title="Days", box=box.SIMPLE_HEAD, expand=True, title_justify="left")
    for name in (
        "day",
        "camera",
        "vehicles",
        "cars",
        "trucks",
        "labelled",
        "accuracy",
        "precision",
        "recall",
        "F1",
        "found",
    ):
        words = name in {"day", "camera", "found"}
        table.add_column(name, justify="left" if words else "right", overflow="fold")
    for report in sorted(reports, key=lambda report: report.day):
        troubled = ", ".join(camera.camera_id for camera in report.cameras if _signals(camera))
        table.add_row(
            report.day, "all", *_figures(report.scores), Text("" if cameras else troubled, "yellow"), style="bold"
        )
        for camera in report.cameras if cameras else ():
            table.add_row("", camera.camera_id, *_figures(camera.scores), Text(_signals(camera), "yellow"))
    return unbroken(table, 0, 1)


def alert_line(alert: Alert) -> Text:
    """An alert in one line: how bad it is, or that it is over."""
    said, style = ("over", "green") if alert.state == "resolved" else (alert.severity, SEVERITY_STYLE[alert.severity])
    line = Text(f"{said:<8} ", style)
    return line.append(f"{alert.since:%m-%d %H:%M}  ", "dim").append(alert.title, "default")


def _header(state: RunState, now: float) -> RenderableType:
    elapsed = now - state.started
    event_time = f"{state.event_time:%a %d %b %H:%M}" if state.event_time else "starting"
    rate = sum(camera.rate(now) for camera in state.cameras.values())
    text = Text.assemble(
        ("roadwatch  ", "bold"),
        (f"{event_time}", "bold cyan"),
        f"   {elapsed:5.1f} s   {state.frames} frames   {rate:.0f} frames/s   {len(state.passages)} vehicles   {len(state.mails)} mails",
    )
    return Panel(text, box=box.ROUNDED)


def _cameras(state: RunState, now: float) -> Table:
    table = Table(title="Cameras", box=box.SIMPLE_HEAD, expand=True, title_justify="left")
    for name in ("camera", "frames/s", "frames", "cars", "trucks", "sees now", "confidence"):
        table.add_column(name, justify="left" if name in {"camera", "sees now"} else "right", overflow="fold")
    for camera_id, camera in sorted(state.cameras.items()):
        confidence = camera.confidence
        table.add_row(
            camera_id,
            f"{camera.rate(now):.0f}",
            str(camera.frames),
            str(camera.passages.get("car", 0)),
            str(camera.passages.get("truck", 0)),
            camera.seen,
            Text("" if confidence is None else f"{confidence:.0%}", _confidence_style(confidence)),
        )
    return unbroken(table, 0)


def _alerts(state: RunState) -> RenderableType:
    lines = [alert_line(alert) for alert in list(state.alerts.values())[-NEWEST:]]
    lines += [Text(f"mail     {subject}", "green") for _, subject in state.mails[-NEWEST:]]
    return Panel(Group(*lines) if lines else Text("none yet", "dim"), title="Alerts and mails", box=box.ROUNDED)


def _figures(scores: Scores) -> tuple[str, ...]:
    accuracy = Text(_percent(scores.accuracy), "bold red" if (scores.accuracy or 1) < 0.6 else "")
    counts = scores.passages_by_label
    return (  # type: ignore[return-value]  # rich takes Text where it takes str
        str(scores.passages),
        str(counts.get("car", 0)),
        str(counts.get("truck", 0)),
        str(scores.labelled),
        accuracy,
        _percent(scores.precision),
        _percent(scores.recall),
        _percent(scores.f1),
    )


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _signals(camera: CameraScores) -> str:
    """What was found at a camera that does harm."""
    return ", ".join(sorted({finding.signal for finding in camera.findings if finding.worse}))


def _confidence_style(confidence: float | None) -> str:
    if confidence is None:
        return "dim"
    return "green" if confidence >= 0.9 else "yellow" if confidence >= 0.7 else "red"


class Teller:
    """Says what is new, a line each, where there is no terminal to draw on."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told = {"closed": 0, "mails": 0}
        self._days: set[tuple[str, int]] = set()
        self._alerts: set[str] = set()

    def tell(self, state: RunState) -> None:
        """Print what came since the last call."""
        for key in state.alerts.keys() - self._alerts:
            self._console.print(Text("alert: ").append_text(alert_line(state.alerts[key])), soft_wrap=True)
        self._alerts |= state.alerts.keys()
        for report in state.reports.values():
            if (report.day, report.revision) not in self._days:
                self._days.add((report.day, report.revision))
                accuracy = _percent(report.scores.accuracy)
                self._console.print(
                    f"day {report.day} closed: {report.scores.passages} vehicles, accuracy {accuracy}", soft_wrap=True
                )
        for _, subject in state.mails[self._told["mails"] :]:
            self._console.print(f"mail: {subject}", markup=False, soft_wrap=True)
        self._told["mails"] = len(state.mails)
