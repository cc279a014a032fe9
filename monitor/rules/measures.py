"""What a rule may look at: each metric in words, what it rests on, which direction harms, and where it is told."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Literal

from monitor.breaches import Bound
from monitor.rules.history import ANY
from monitor.signals import ERRORS, SIGNALS, STRUCTURE

Sums = Literal["share", "mean", "classes", "count", "alone"]
"""How the figures of several days become one.

share      parts and wholes are added, and divided
mean       each day's value, weighed by what it rests on
classes    as share for each class, then the mean over classes
count      added; it rests on what was counted before
alone      not at all: it tells of one day
"""
Harm = Literal["below", "above"]
Unit = Literal["%", "points", "ms", "deviations", ""]
Place = Literal["all", "camera", "slice"]
Subject = Literal["accuracy", "slice", "labels", "confidence", "picture", "latency"]
"""What somebody should look at when it is bad: the key of the actions."""

COUNTED: Final = tuple(signal.name for signal in SIGNALS if signal not in (STRUCTURE, ERRORS))
"Signals that a day's report tells of; the other two are judged as they come."
DIMENSIONS: Final = ("zone", "hour", "light", "size", "weather")
"Of slices; a rule may look at one of them, or at all."

POINT: Final[tuple[Bound, ...]] = ("point",)
INTERVAL: Final[tuple[Bound, ...]] = ("point", "confidence")
EVERY: Final[tuple[Bound, ...]] = ("point", "confidence", "anytime")
BOTH: Final[tuple[Place, ...]] = ("all", "camera")


@dataclass(frozen=True, slots=True)
class Measure:
    """A metric."""

    name: str
    "As rules call it; `recall:*` is that of a class."
    what: str
    "In words, as the subject of a sentence."
    counts: str
    "What it rests on, and `min_n` is compared with."
    sums: Sums
    "How days become one figure."
    subject: Subject = "accuracy"
    "What to look at."
    harm: Harm = "below"
    "The side of the threshold that is bad."
    unit: Unit = "%"
    "Of the value."
    places: tuple[Place, ...] = BOTH
    "Where it is told."
    bounds: tuple[Bound, ...] = POINT
    "What can be held against a threshold."
    befell: str = ""
    "What was true of the share: `were classified rightly`; empty for what is no share of things."
    parts: tuple[str, ...] = ()
    "What may stand for `*`; empty for any class."


# A frame's neighbours show the same vehicle: shares of frames have no interval that could be believed, those of vehicles do.
MEASURES: Final = (
    Measure(
        "accuracy",
        "accuracy",
        "labelled vehicles",
        "share",
        places=("all", "camera", "slice"),
        bounds=EVERY,
        befell="were classified rightly",
    ),
    Measure("frame_accuracy", "frame accuracy", "labelled frames", "share", befell="were classified rightly"),
    Measure("precision", "precision", "labelled vehicles", "classes"),
    Measure("recall", "recall", "labelled vehicles", "classes"),
    Measure("f1", "F1", "labelled vehicles", "classes"),
    Measure(
        "precision:*",
        "precision of {of}",
        "labelled vehicles taken for {of}",
        "share",
        bounds=EVERY,
        befell="were one",
    ),
    Measure(
        "recall:*",
        "recall of {of}",
        "vehicles labelled {of}",
        "share",
        bounds=EVERY,
        befell="were found",
    ),
    Measure("f1:*", "F1 of {of}", "vehicles labelled or taken for {of}", "share"),
    Measure(
        "estimated_accuracy",
        "estimated accuracy",
        "vehicles",
        "alone",
        places=("all",),
        bounds=INTERVAL,
    ),
    Measure(
        "estimate_broken",
        "doubt of the estimated accuracy",
        "labelled vehicles",
        "alone",
        "confidence",
        harm="above",
        unit="",
        places=("all",),
    ),
    Measure(
        "calibration_error",
        "calibration error",
        "labelled vehicles",
        "mean",
        "confidence",
        harm="above",
        unit="",
        places=("all",),
    ),
    Measure("flip_rate", "flip rate", "vehicles", "mean", "picture", harm="above"),
    Measure("mean_confidence", "mean confidence", "frames", "mean", "picture", unit=""),
    Measure("abstention", "share of frames without an answer", "frames", "mean", "picture", harm="above"),
    Measure("latency_p95_ms", "p95 latency", "frames", "mean", "latency", harm="above", unit="ms"),
    Measure(
        "unmatched_labels",
        "share of labels without their vehicle",
        "labels",
        "share",
        "labels",
        harm="above",
        bounds=INTERVAL,
        befell="match nothing that was seen",
    ),
    Measure("labels", "labels", "labels", "count", "labels", unit=""),
    Measure("passages", "vehicles", "vehicles", "count", "picture", unit=""),
    Measure(
        "drift:*",
        "change of {of}",
        "values",
        "alone",
        "picture",
        harm="above",
        unit="deviations",
        places=("camera",),
        parts=COUNTED,
    ),
    Measure(
        "gap",
        "gap to all other vehicles",
        "labelled vehicles",
        "alone",
        "slice",
        unit="points",
        places=("slice",),
        bounds=EVERY,
    ),
)
PLACES: Final[Mapping[str, Place]] = {
    "all": "all",
    "camera": "camera",
    "slice": "slice",
    **dict.fromkeys(DIMENSIONS, "slice"),
}
"By scope."
BY_NAME: Final = {measure.name: measure for measure in MEASURES}


@lru_cache(maxsize=1024)  # asked for with every rule, day and camera
def measure_of(metric: str) -> Measure | None:
    """The measure of a metric, its class or signal in the words; None for what is none, or has no such signal."""
    family, colon, of = metric.partition(":")
    if not colon:
        return BY_NAME.get(metric)
    found = BY_NAME.get(f"{family}:{ANY}")
    if found is None or of in ("", ANY) or (found.parts and of not in found.parts):
        return None
    return replace(found, name=metric, what=found.what.format(of=of), counts=found.counts.format(of=of))


def metrics_like(metric: str) -> tuple[str, ...]:
    """The metrics that one may have meant: those of its family, with the class that it names, else all."""
    family, _, of = metric.partition(":")
    named = [name for measure in MEASURES for name in _names(measure, of or ANY)]
    return tuple(name for name in named if name.startswith(f"{family}:")) or tuple(named)


def _names(measure: Measure, of: str) -> tuple[str, ...]:
    return tuple(measure.name.replace(ANY, part) for part in measure.parts or (of,))


def place_of(scope: str) -> Place | None:
    """Where a scope looks; None for what is none."""
    return PLACES.get(scope)
