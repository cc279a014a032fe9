"""What a qualification measures, as plain values: figures, faults, curves and pictures, part by part."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

Part = Literal["accuracy", "errors", "consistency", "latency", "robustness", "scalability"]
PARTS: Final[tuple[Part, ...]] = ("accuracy", "errors", "consistency", "latency", "robustness", "scalability")


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number."""

    name: str
    "Within its part, such as `accuracy`, `accuracy.overpass`, `recall.truck`, `p99_ms`, `mean_corruption`."
    value: float | None
    "What was measured; None: it could not be, and no threshold on it is met."
    low: float | None = None
    "Lower end of its 95 % interval; None: it has none."
    high: float | None = None
    "Upper end."
    n: int | None = None
    "Of how many; None: does not apply."


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that must not happen at all, whatever the thresholds."""

    what: str
    "In a sentence, such as `an empty picture ended the processor`."


@dataclass(frozen=True, slots=True)
class Curve:
    """A line to draw."""

    chart: str
    "The chart that it belongs to, such as `reliability` or `accuracy under corruption`."
    name: str
    "Its own name, such as `fog` or `road-2026.11-1a2b3c4d`."
    x_label: str
    "What x is."
    y_label: str
    "What y is."
    points: tuple[tuple[float, float], ...]
    "x and y, in order of x."


@dataclass(frozen=True, slots=True)
class Mistake:
    """A picture that the candidate got wrong."""

    picture: str
    "Its name in the held-out data."
    source: str
    "Where it is from."
    truth: str
    "What it shows."
    said: str
    "What the candidate said."
    confidence: float
    "How sure it was."
    thumbnail: bytes
    "A small JPEG of it."


@dataclass(frozen=True, slots=True)
class Measured:
    """One part's measurements of one version."""

    part: Part
    "Which."
    figures: tuple[Figure, ...]
    "Numbers, in the order to show."
    faults: tuple[Fault, ...] = ()
    "What must not happen, and did."
    curves: tuple[Curve, ...] = ()
    "Lines to draw."
    mistakes: tuple[Mistake, ...] = ()
    "The surest mistakes first."
    seconds: float = 0.0
    "How long the measuring took."


@dataclass(frozen=True, slots=True)
class Subject:
    """What was measured, and where."""

    version: str
    "The candidate."
    champion: str | None
    "The version that it is compared with; None: there is none."
    data: str
    "The held-out data, in words: where from, how many pictures."
    data_sha256: str
    "Of labels and pixels."
    machine: str
    "Processor, cores, system."
    packages: dict[str, str]
    "Versions of what computed it, by name."
    at: datetime
    "When, UTC."


@dataclass(frozen=True, slots=True)
class Measurements:
    """Everything that was measured in one qualification."""

    subject: Subject
    "Of what."
    candidate: tuple[Measured, ...]
    "Part by part, in the order of PARTS; a part that was not run is missing."
    champion: tuple[Measured, ...] = ()
    "The same of the champion, as far as it was measured beside it; empty: there is none."
