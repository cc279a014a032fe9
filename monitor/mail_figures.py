"""What a mail shows of an alert, as plain words and tables: the same for its text and its HTML part.

Alert ─► Letter ─┬─► mail_text   text/plain
                 └─► mail_html   text/html
"""

import math
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from monitor.alerting.entries import INCIDENT
from monitor.causes import CAUSES, SENSORS, UNKNOWN, level_of, listed, sentence_of, words_of
from monitor.mail_plots import Plot, plots_of
from monitor.rules.measures import measure_of
from schemas.records import Alert, CameraScores, Cell, DayReport, Finding, Scores

Tone = Literal["critical", "warning", "info", "resolved"]

CAMERAS_SHOWN = 20
"Rows of cameras in a mail; of more, the least accurate ones are shown. Mail clients cut what is over 100 KB."
CLASSES_SHOWN = 6
"Rows of the confusion matrix; of more classes, the most frequent ones are shown."
CHANGES_SHOWN = 20
"Lines about what was found on the day."
CAMERAS_NAMED = 8
"Cameras that are named one by one."
LONGEST_SUBJECT = 140
"Characters; phones show about forty of them, list views about seventy."
FEW = 200
"Below this many labelled vehicles a tenth of a percent says nothing, and is not shown."

COLUMNS = ("Camera", "Vehicles", "Labelled", "Accuracy", "Precision", "Recall", "F1", "Findings")
SHARES = frozenset({"accuracy", "frame_accuracy", "precision", "recall", "f1", "confidence", "mean_confidence"})
"Metrics that are shares of one, and read better as percents."


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the day's figures."""

    name: str
    "The camera, or `All cameras`."
    values: tuple[str, ...]
    "The cells under `COLUMNS` after the first."
    accuracy: float | None
    "What the accuracy cell says, as a share; None without labels."
    concerned: bool
    "Whether the alert is about this line."


@dataclass(frozen=True, slots=True)
class Matrix:
    """The day's confusion matrix."""

    labels: tuple[str, ...]
    "Its classes, in the order of rows and columns."
    counts: tuple[tuple[int, ...], ...]
    "For each true class, how often each class was predicted."


@dataclass(frozen=True, slots=True)
class Figures:
    """A day's report, ready to be shown."""

    day: str
    "`Monday, 23 November 2026`."
    rows: tuple[Row, ...]
    "All cameras together, then each camera."
    cameras_left_out: int
    "Cameras without a row, for there are too many."
    matrix: Matrix | None
    "None without labels."
    changes: tuple[str, ...]
    "A sentence for each finding, in order of time."
    absent: tuple[str, ...]
    "Cameras that sent nothing."
    model_versions: tuple[str, ...]
    "Bundles that served."


@dataclass(frozen=True, slots=True)
class Reason:
    """Why it may have happened."""

    name: str
    "`The likely cause: fog, or a fogged lens, at gate`; `What speaks for it`, where the title names the cause."
    evidence: tuple[str, ...]
    "What speaks for it, the strongest first."


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that is shown in a mail."""

    frame_id: str
    "The frame."
    cid: str
    "Its Content-ID, without angle brackets."


@dataclass(frozen=True, slots=True)
class Letter:
    """An alert in words."""

    tone: Tone
    "Its severity, or that it is over."
    title: str
    "One line: what and where."
    summary: str
    "What happened, in a few sentences."
    value: str
    "What was measured: `41.3 %`; empty where no single number tells it."
    measured: str
    "What that is: `accuracy`."
    compared: str
    "What the value is held against: `allowed: at least 60 %`, or `before: 100.5` for a drift."
    basis: str
    "What it rests on: `212 labelled vehicles`; empty when on nothing countable."
    share: tuple[float, float] | None
    "Value and threshold when both are shares of one; None otherwise."
    facts: tuple[tuple[str, str], ...]
    "Name and value: where, since when, how bad."
    reason: Reason | None
    "None where no cause is looked for."
    plots: tuple[Plot, ...]
    "What is drawn."
    pictures: tuple[Picture, ...]
    "Frames that show it."
    actions: tuple[str, ...]
    "What to do, first things first."
    figures: Figures | None
    "The day's figures; None when the alert carries no report."
    alert_id: str
    "Which alert."


def letter_of(
    alert: Alert,
    timezone: str,
    pictures: Sequence[Picture] = (),
    reminder: int = 0,
    waited: timedelta | None = None,
) -> Letter:
    """An alert in words, its times in the report's time zone; in `timezone` (IANA) when it carries no report.

    Where nobody has acknowledged it for so long as it has `waited`, that is said first.
    """
    zone = _zone(alert.report.timezone if alert.report else timezone)
    value, compared = _measure(alert)
    return Letter(
        tone=tone_of(alert),
        title=one_line(alert.title),
        summary="\n".join([*_unheeded(alert, waited), alert.summary.strip()]),
        value=value,
        measured=one_line(words_of(alert.metric)).removeprefix("the "),
        compared=compared,
        basis=_basis(alert),
        share=(alert.value, alert.threshold) if alert.metric in SHARES else None,
        facts=_facts(alert, zone, reminder),
        reason=_reason(alert),
        plots=plots_of(alert),
        pictures=tuple(pictures),
        actions=tuple(one_line(action) for action in alert.actions),
        figures=_figures(alert.report, alert.camera_id, zone) if alert.report else None,
        alert_id=one_line(alert.alert_id),
    )


def _unheeded(alert: Alert, waited: timedelta | None) -> tuple[str, ...]:
    if waited is None:
        return ()
    command = f"roadwatch alerts ack {shlex.quote(one_line(alert.alert_id))}"
    return (f"Nobody has acknowledged this alert for {lasting(waited)}. Whoever takes it on says so by: {command}",)


def lasting(span: timedelta) -> str:
    """A span of time for people, rounded down: `40 minutes`, `4 hours`, `3 days`."""
    units = (("day", timedelta(days=1), 3), ("hour", timedelta(hours=1), 1), ("minute", timedelta(minutes=1), 0))
    name, count = next((name, span // unit) for name, unit, fewest in units if span // unit >= fewest)
    return f"{count} {name}{'' if count == 1 else 's'}"


def tone_of(alert: Alert) -> Tone:
    """How loud a mail about the alert is."""
    return "resolved" if alert.state == "resolved" else alert.severity


def one_line(text: str) -> str:
    """Text without line breaks and control characters: fit for a header or a cell."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", " ", text).split())


def _facts(alert: Alert, zone: ZoneInfo, reminder: int) -> tuple[tuple[str, str], ...]:
    reminders = f", reminder {reminder}" if reminder else ""
    return (
        ("Where", _where(alert)),
        ("Since", moment(alert.since, zone)),
        ("Noticed", moment(alert.raised_at, zone)),
        ("Severity", alert.severity),
        ("State", f"{alert.state}{reminders}"),
    )


def _where(alert: Alert) -> str:
    if alert.camera_id is None:
        return "All cameras together"
    return named(alert.cameras or (alert.camera_id,))


def named(cameras: Sequence[str]) -> str:
    """Cameras by name, as many as a line has room for."""
    more = len(cameras) - CAMERAS_NAMED
    shown = [one_line(camera) for camera in cameras[:CAMERAS_NAMED]]
    return ", ".join([*shown, *([f"and {more} more"] if more > 0 else [])])


def _reason(alert: Alert) -> Reason | None:
    """The cause in words; other versions of the monitor may know causes that this one does not."""
    if not alert.cause:
        return None
    known = CAUSES.get(alert.cause)
    title = known.title.format(signal=words_of(alert.metric)) if known else one_line(alert.cause)
    cameras = "" if alert.camera_id else f", at {one_line(listed(alert.cameras))}"
    name = "What speaks for it" if alert.rule == INCIDENT else f"The likely cause: {title}{cameras}"
    name = "What was found" if alert.cause == UNKNOWN else name
    return Reason(name, tuple(one_line(sentence) for sentence in alert.evidence))


def _measure(alert: Alert) -> tuple[str, str]:
    """What was measured, and what it is held against; nothing where no single number tells it."""
    if alert.rule != INCIDENT:
        value, threshold = _value_and_threshold(alert)
        return value, f"allowed: {_bound(alert)} {threshold}"
    if not any(finding.signal == alert.metric and _is_measured(finding) for finding in alert.findings):
        return "", ""
    return level_of(alert.metric, alert.value), f"before: {level_of(alert.metric, alert.threshold)}"


def _bound(alert: Alert) -> str:
    """Which side is allowed; of a metric that this version does not know, the one on which the value was not."""
    measure = measure_of(alert.metric)
    is_floor = alert.value < alert.threshold if measure is None else measure.harm == "below"
    return "at least" if is_floor else "at most"


def _is_measured(finding: Finding) -> bool:
    return finding.kind == "drift" or finding.signal in SENSORS


def _number(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def _value_and_threshold(alert: Alert) -> tuple[str, str]:
    """Both with as many digits as keep them apart: 59.96 % is not shown as 60 % against a threshold of 60 %."""
    if alert.metric not in SHARES:
        return _number(alert.value), _number(alert.threshold)
    fewest = 0 if alert.samples < FEW else 1
    texts = [(percent(alert.value, digits), percent(alert.threshold, digits)) for digits in range(fewest, 4)]
    value = next((value for value, threshold in texts if value != threshold), texts[0][0])
    return value, f"{round(alert.threshold * 100, 3):g}\u00a0%"


def _basis(alert: Alert) -> str:
    if alert.samples <= 0:
        return ""
    unit = "labelled vehicle" if alert.metric in SHARES and "confidence" not in alert.metric else "sample"
    return f"{alert.samples:,} {unit}{'' if alert.samples == 1 else 's'}"


def _figures(report: DayReport, camera_id: str | None, zone: ZoneInfo) -> Figures:
    shown = _least_accurate(report.cameras, camera_id)
    findings = sorted((f for c in report.cameras for f in c.findings), key=lambda f: (f.found_at, f.finding_id))
    total = _row("All cameras", report.scores, _harmful(findings), concerned=camera_id is None)
    rows = (_row(c.camera_id, c.scores, _harmful(c.findings), concerned=c.camera_id == camera_id) for c in shown)
    return Figures(
        day=_long_day(report.day),
        rows=(total, *rows),
        cameras_left_out=len(report.cameras) - len(shown),
        matrix=_matrix(report.scores.confusion),
        changes=_changes(findings, zone),
        absent=tuple(one_line(name) for name in report.absent),
        model_versions=tuple(one_line(version) for version in report.model_versions),
    )


def _least_accurate(cameras: Sequence[CameraScores], concerned: str | None) -> list[CameraScores]:
    """The cameras to be shown, in the report's order: the one concerned, then the worst."""

    def rank(camera: CameraScores) -> tuple[bool, float]:
        accuracy = camera.scores.accuracy
        return camera.camera_id != concerned, math.inf if accuracy is None else accuracy

    chosen = {camera.camera_id for camera in sorted(cameras, key=rank)[:CAMERAS_SHOWN]}
    return [camera for camera in cameras if camera.camera_id in chosen]


def _harmful(findings: Iterable[Finding]) -> int:
    return sum(finding.worse for finding in findings)


def _row(name: str, scores: Scores, findings: int, *, concerned: bool) -> Row:
    digits = 0 if scores.labelled < FEW else 1
    accuracy = "no labels" if scores.accuracy is None else percent(scores.accuracy, digits)
    rest = (share_or_dash(value, digits) for value in (scores.precision, scores.recall, scores.f1))
    counts = (f"{scores.passages:,}", f"{scores.labelled:,}")
    return Row(one_line(name), (*counts, accuracy, *rest, str(findings)), scores.accuracy, concerned)


def _matrix(cells: Sequence[Cell]) -> Matrix | None:
    counts = {(cell.truth, cell.predicted): cell.count for cell in cells}
    weight: dict[str, int] = {}
    for (truth, predicted), count in counts.items():
        weight[truth] = weight.get(truth, 0) + count
        weight[predicted] = weight.get(predicted, 0) + count
    labels = tuple(sorted(sorted(weight, key=lambda label: -weight[label])[:CLASSES_SHOWN]))
    rows = tuple(tuple(counts.get((truth, predicted), 0) for predicted in labels) for truth in labels)
    return Matrix(tuple(one_line(label) for label in labels), rows) if labels else None


def _changes(findings: Sequence[Finding], zone: ZoneInfo) -> tuple[str, ...]:
    """Those that harm first, each part in order of time."""
    ordered = sorted(findings, key=lambda finding: not finding.worse)
    lines = [_change(finding, zone) for finding in ordered[:CHANGES_SHOWN]]
    left_out = len(findings) - len(lines)
    return (*lines, *([f"… and {left_out} more"] if left_out else []))


def _change(finding: Finding, zone: ZoneInfo) -> str:
    end = f", until {moment(finding.until, zone)}" if finding.until else ""
    verdict = "" if finding.worse else "; harmless"
    sentence = one_line(sentence_of(finding)).rstrip(".")
    return f"{one_line(finding.camera_id)}: {sentence}, since {moment(finding.since, zone)}{end}{verdict}"


def moment(at: datetime, zone: ZoneInfo) -> str:
    """A time for people: `23 Nov 2026, 05:06 CET`."""
    local = at.astimezone(zone)
    return f"{local.day} {local:%b %Y, %H:%M %Z}"


def _zone(name: str) -> ZoneInfo:
    """UTC where the zone is not known: a mail with other times is better than none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def _long_day(day: str) -> str:
    try:
        date = datetime.strptime(day, "%Y-%m-%d")  # noqa: DTZ007  # a day's name, not an instant
    except ValueError:
        return one_line(day)
    return f"{date:%A}, {date.day} {date:%B %Y}"


def percent(share: float, digits: int) -> str:
    """A share of one as percent, with a no-break space: `41.3 %`."""
    return f"{share * 100:.{digits}f}\u00a0%"


def share_or_dash(share: float | None, digits: int) -> str:
    """A share as percent; a dash when there is none."""
    return "–" if share is None else percent(share, digits)
