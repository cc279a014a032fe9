"""Plots of a mail: bars, which every mail program can draw.

hours      accuracy of each hour of the day, from the report
changes    what was found at a camera: each signal before, and since
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from monitor.causes import SENSORS, level_of, words_of
from schemas.records import Alert, DayReport, Finding, SliceScores

Mark = Literal["good", "bad", "plain"]

FEWEST_HOURS = 3
"With labels; fewer make no plot."
FEWEST_LABELLED = 5
"Of an hour whose bar is drawn."
CHANGES_SHOWN = 6
HOUR: Final = "hour"
"The dimension of a report's slices."


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar."""

    label: str
    "What it stands for; may be empty."
    share: float
    "Its length, 0 to 1."
    text: str
    "Its value in words."
    mark: Mark
    "Whether it is one that should be seen."


@dataclass(frozen=True, slots=True)
class Plot:
    """A row of bars."""

    heading: str
    "What is shown."
    bars: tuple[Bar, ...]
    "In order."
    upright: bool
    "Whether they stand side by side, as hours do, or lie below each other."
    note: str
    "What the colours mean."


def plots_of(alert: Alert) -> tuple[Plot, ...]:
    """What is drawn of an alert: the day's hours if it is about accuracy, and what was found."""
    hours = _hours(alert.report, alert.threshold) if alert.report and alert.metric == "accuracy" else None
    return tuple(filter(None, (hours, _changes(alert.findings))))


def _hours(report: DayReport, threshold: float) -> Plot | None:
    counted = {int(s.value): s for s in report.slices if s.dimension == HOUR and s.value.isdecimal()}
    known = [at for at, s in counted.items() if s.labelled >= FEWEST_LABELLED and s.accuracy is not None]
    if len(known) < FEWEST_HOURS:
        return None
    bars = tuple(_hour(at, counted.get(at), threshold) for at in range(min(known), max(known) + 1))
    return Plot(
        "Accuracy by hour of the day", bars, upright=True, note=f"Full height is 100%; red is below {threshold:.0%}."
    )


def _hour(at: int, scores: SliceScores | None, threshold: float) -> Bar:
    if scores is None or scores.accuracy is None or scores.labelled < FEWEST_LABELLED:
        return Bar(f"{at:02d}", 0.0, "–", "plain")
    mark: Mark = "bad" if scores.accuracy < threshold else "good"
    return Bar(f"{at:02d}", scores.accuracy, f"{scores.accuracy:.0%} of {scores.labelled}", mark)


def _changes(findings: Sequence[Finding]) -> Plot | None:
    """Each signal's first harmful change, with the names of cameras where there are several."""
    first: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        if finding.worse and (finding.kind == "drift" or finding.signal in SENSORS):
            first.setdefault((finding.camera_id, finding.signal), finding)
    shown = [*first.values()][:CHANGES_SHOWN]
    several = len({finding.camera_id for finding in shown}) > 1
    bars = tuple(bar for finding in shown for bar in _pair(finding, several=several))
    return Plot("What has changed", bars, upright=False, note="Grey: before. Coloured: since.") if bars else None


def _pair(finding: Finding, *, several: bool) -> Iterable[Bar]:
    most = max(abs(finding.before), abs(finding.after)) or 1.0
    name = words_of(finding.signal).removeprefix("the ")
    yield Bar(name, abs(finding.before) / most, level_of(finding.signal, finding.before), "plain")
    camera = finding.camera_id if several else ""
    yield Bar(camera, abs(finding.after) / most, level_of(finding.signal, finding.after), "bad")
