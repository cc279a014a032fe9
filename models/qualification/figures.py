"""What a qualification measures, as plain values: figures, faults, curves and pictures, part by part."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final, Literal

from pydantic import ConfigDict

Part = Literal["accuracy", "errors", "consistency", "latency", "robustness", "scalability"]
PARTS: Final[tuple[Part, ...]] = ("accuracy", "errors", "consistency", "latency", "robustness", "scalability")

Outcome = Literal["predicted", "dead_letter", "crashed", "lost"]
"What became of a frame: a prediction, a dead letter, the processor's end, or nothing at all."

BASE64: Final = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")
"Pictures in JSON."


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

    __pydantic_config__: ClassVar[ConfigDict] = BASE64

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
class Trial:
    """A picture that is hard to take, and what became of it."""

    case: str
    "What is wrong with the picture, such as `empty`."
    wanted: tuple[Outcome, ...]
    "What may become of it."
    outcome: Outcome
    "What did."


@dataclass(frozen=True, slots=True)
class Sheet:
    """A picture to show beside the figures."""

    __pydantic_config__: ClassVar[ConfigDict] = BASE64

    caption: str
    "What it shows."
    jpeg: bytes
    "The picture."


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
    trials: tuple[Trial, ...] = ()
    "Pictures that are hard to take, one by one."
    sheets: tuple[Sheet, ...] = ()
    "Pictures to show."


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


def figure(measured: Measured, name: str) -> Figure | None:
    """Return the figure of that name; None: the part has none."""
    return next((figure for figure in measured.figures if figure.name == name), None)


def of_part(measured: Iterable[Measured], part: Part) -> Measured | None:
    """Return what was measured of a part; None: nothing."""
    return next((found for found in measured if found.part == part), None)
