"""What reports said, day by day, as far as rules look back: counts that can be added, as plain JSON.

    first days          …         as far as a rule looks back          the report's day
    of a reference   forgotten    accuracy and labels: 120 days        all that rules look at

A day's figures are replaced when a revision of its report comes. A subject's first days are kept, for
`reference = "first_days:14"`, as long as it is seen at all.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final, NamedTuple, Self

from monitor.statistics.intervals import F1, PRECISION, RECALL
from monitor.statistics.weighted import Stratum, class_strata, effective, fair_count, strata_of, value_of
from schemas.records import CameraScores, DayReport, Scores, SignalScores, SliceScores

HELD: Final = 120
"Days that a rule can look back."
FIRST: Final = 28
"First days of a subject that can be a reference."
ALL: Final = "all"
"The subject of all cameras together; others are `camera:gate` and `slice:hour=07`."
ANY: Final = "*"
"Stands for each class of a metric, behind a colon."

Figures = dict[str, list[float]]
"""By metric: the part and the whole of a share, else the value and what it rests on, then the ends of its interval.

Where labels stand for different numbers of vehicles, a share's whole is how many of a plain sample would tell as much
(`monitor.statistics.weighted.effective`), and the part of that follows which bets may count."""


class Depth(NamedTuple):
    """How long a figure is kept."""

    days: int
    "Newest days."
    first: int = 0
    "First days besides."


Depths = Mapping[tuple[str, str], Depth]
"By place, which is what a subject begins with, and metric; `recall:*` for every class."

ALWAYS: Final[Depths] = {
    ("all", "accuracy"): Depth(HELD),
    ("all", "labels"): Depth(HELD),
    ("camera", "accuracy"): Depth(HELD),
}
"Kept whatever the rules are: a new rule about them knows the days before."


class History:
    """Figures by day, subject and metric."""

    def __init__(self, days: dict[str, dict[str, Figures]] | None = None) -> None:
        self._days = days or {}

    @classmethod
    def restore(cls, plain: Mapping[str, Any]) -> Self:
        """Continue from a snapshot."""
        return cls(dict(plain))

    def snapshot(self) -> dict[str, Any]:
        """The whole state, as JSON: a value for each day."""
        return dict(sorted(self._days.items()))

    def put(self, report: DayReport, depths: Depths = ALWAYS) -> None:
        """Take a report in, in the place of its earlier revision, and forget what is kept no longer."""
        days = {**self._days, report.day: _figures_of(report)}
        self._days = _Pruning(depths, days, report.day).kept()

    def subjects(self, day: str, place: str) -> list[str]:
        """Those of a place that a day tells of, sorted."""
        return sorted(subject for subject in self._days.get(day, {}) if place_of_subject(subject) == place)

    def days(self, first: str, last: str) -> list[str]:
        """The days known from one to another, both counted, in order."""
        return sorted(day for day in self._days if first <= day <= last)

    def told(self, days: Iterable[str], subject: str, metric: str) -> list[str]:
        """Those of the days that have a figure."""
        return [day for day in days if self.figure(day, subject, metric) is not None]

    def figure(self, day: str, subject: str, metric: str) -> list[float] | None:
        """A day's figure; None without one."""
        return self._days.get(day, {}).get(subject, {}).get(metric)

    def classes(self, days: Iterable[str], subject: str, family: str) -> list[str]:
        """The metrics `family:…` that a subject has on these days, sorted."""
        found = {metric for day in days for metric in self._days.get(day, {}).get(subject, {})}
        return sorted(metric for metric in found if metric.startswith(f"{family}:"))


def day_back(day: str, count: int) -> str:
    """So many days before a day."""
    return (date.fromisoformat(day) - timedelta(days=count)).isoformat()


def place_of_subject(subject: str) -> str:
    """`all`, `camera` or `slice`."""
    return subject.partition(":")[0]


class _Pruning:
    """What is kept of all days, of which one is about to be judged."""

    def __init__(self, depths: Depths, days: dict[str, dict[str, Figures]], judged: str) -> None:
        self._depths, self._days, self._judged = depths, days, judged
        self._newest = date.fromisoformat(max(days))
        held = day_back(max(days), HELD - 1)
        self._seen = {subject for day, subjects in days.items() if day >= held for subject in subjects}
        self._told: Counter[tuple[str, str]] = Counter()

    def kept(self) -> dict[str, dict[str, Figures]]:
        """The days; those of which nothing is kept are left out."""
        return {day: found for day in sorted(self._days) if (found := self._day(day))}

    def _day(self, day: str) -> dict[str, Figures]:
        age = 0 if day == self._judged else (self._newest - date.fromisoformat(day)).days
        subjects = {name: self._figures(name, known, age) for name, known in sorted(self._days[day].items())}
        return {name: found for name, found in subjects.items() if found}

    def _figures(self, subject: str, known: Figures, age: int) -> Figures:
        return {metric: figure for metric, figure in known.items() if self._is_kept(subject, metric, age)}

    def _is_kept(self, subject: str, metric: str, age: int) -> bool:
        depth = _depth(self._depths, place_of_subject(subject), metric)
        self._told[subject, metric] += 1
        return age < depth.days or (self._told[subject, metric] <= depth.first and subject in self._seen)


def _depth(depths: Depths, place: str, metric: str) -> Depth:
    family = metric.partition(":")[0]
    return depths.get((place, metric)) or depths.get((place, f"{family}:{ANY}")) or Depth(0)


# Reading a report


_Line = tuple[str, float | None, float, tuple[float, ...]]
Told = Iterator[_Line]
"Metric, value (a share's part), what it rests on (a share's whole), and more."


def _figures_of(report: DayReport) -> dict[str, Figures]:
    found = {ALL: _plain([*_of_scores(report.scores), *_of_day(report), *_abstention(report)])}
    found.update((f"camera:{camera.camera_id}", _plain(_of_camera(camera))) for camera in report.cameras)
    found.update((f"slice:{each.dimension}={each.value}", _plain(_of_slice(each))) for each in report.slices)
    return found


def _plain(told: Iterable[tuple[str, float | None, float, tuple[float, ...]]]) -> Figures:
    """Shares and means of nothing are left out; a count of nothing is one."""
    return {
        metric: [value, n, *more]
        for metric, value, n, more in told
        if value is not None and (n or metric in ("labels", "passages"))
    }


def _of_scores(scores: Scores) -> Told:
    labels = scores.labelled + scores.unmatched_labels
    yield _accuracy(scores)
    yield "frame_accuracy", _part(scores.frame_accuracy, scores.labelled_frames), scores.labelled_frames, ()
    yield "flip_rate", scores.flip_rate, scores.passages, ()
    yield "mean_confidence", scores.mean_confidence, scores.frames, ()
    yield "latency_p95_ms", scores.latency_p95_ms, scores.frames, ()
    yield "unmatched_labels", scores.unmatched_labels, labels, ()
    yield "labels", labels, labels, ()
    yield "passages", scores.passages, scores.passages, ()
    yield from _of_weighted_classes(scores) if scores.weighted else _of_classes(scores)


def _accuracy(scores: Scores) -> _Line:
    if scores.weighted and scores.effective is not None:
        return _weighed("accuracy", strata_of(scores.weighted), scores.effective)
    return "accuracy", sum(cell.count for cell in scores.confusion if cell.truth == cell.predicted), scores.labelled, ()


def _weighed(metric: str, strata: Sequence[Stratum], worth: float) -> _Line:
    return metric, value_of(strata) * worth, worth, (fair_count(strata) / worth,)


def _of_weighted_classes(scores: Scores) -> Told:
    """As if there were any number of vehicles: how many of a class there are is not known."""
    for label in (each.label for each in scores.classes):
        for name, measure in (("precision", PRECISION), ("recall", RECALL), ("f1", F1)):
            strata = class_strata(scores.weighted, label, measure)
            if strata:
                found = _weighed(f"{name}:{label}", strata, effective(strata, math.inf))
                yield _f1(found) if measure == F1 else found


def _f1(touched: _Line) -> _Line:
    """A class's F1, of the share that is right of the vehicles that are of it or were taken for it."""
    metric, right, worth, more = touched
    return metric, 2 * (right or 0.0) * worth / ((right or 0.0) + worth), worth, more


def _of_classes(scores: Scores) -> Told:
    for each in scores.classes:
        right = _part(each.recall, each.support) or 0
        yield f"precision:{each.label}", right, each.predicted, ()
        yield f"recall:{each.label}", right, each.support, ()
        yield f"f1:{each.label}", 2 * right, each.support + each.predicted, ()


def _of_day(report: DayReport) -> Told:
    labelled, estimate = report.scores.labelled, report.estimate
    yield "calibration_error", report.calibration_error, labelled, ()
    if estimate is not None:
        yield "estimate_broken", float(bool(estimate.breaks)), labelled, ()
        believed = None if estimate.breaks else estimate.accuracy
        yield "estimated_accuracy", believed, estimate.n, (estimate.low, estimate.high)


def _abstention(report: DayReport) -> Told:
    """Over all cameras, weighed by their frames."""
    told = [signal for camera in report.cameras for signal in camera.signals if signal.signal == "abstention"]
    frames = sum(signal.count for signal in told)
    yield "abstention", sum(signal.mean * signal.count for signal in told) / max(frames, 1), frames, ()


def _of_camera(camera: CameraScores) -> Told:
    yield from _of_scores(camera.scores)
    for signal in camera.signals:
        yield from _of_signal(signal)


def _of_signal(signal: SignalScores) -> Told:
    if signal.signal == "abstention":
        yield "abstention", signal.mean, signal.count, ()
    yield f"drift:{signal.signal}", None if signal.effect is None else abs(signal.effect), signal.count, ()


def _of_slice(each: SliceScores) -> Told:
    yield "accuracy", _part(each.accuracy, each.labelled), each.labelled, ()
    yield "gap", each.gap, each.labelled, (each.gap_low, each.gap_high, float(each.discovered))


def _part(share: float | None, whole: int) -> int | None:
    return None if share is None else round(share * whole)
