"""How many labels tell a day's accuracy within 3 points: `python -m benchmarks.asking [test.zip]`, some minutes.

Days of simulated models, of which some are right about their own errors and some are not, and of the bundled ones on
real crops where a zip of labelled ones is named: in fog, in the dark, out of focus. Of each kind of day, the fewest
labels are sought by which the 95 % interval is 6 points wide on average: drawn at random, with Wilson's interval, and
asked for. Then it is drawn anew, to see how often the interval holds the accuracy of the day.

What could be hoped for: the best draw that knows each vehicle's chance of error q needs (mean of √(q (1 - q)))² / V
labels, V being the variance of an interval of that width, and fewer of a small day (Neyman, 1934). Nobody knows q.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.estimation import BATCH, CLASSES, Model, Traffic, simulated
from benchmarks.options import crops_of
from models.archive.examples import Example
from models.asking import RANDOM_SHARE, Candidate, ask
from models.bundle import BUNDLED, load_bundle
from models.qualification.corruptions import corrupt
from models.training.data import read_pictures
from monitor.metrics import wilson
from monitor.statistics.weighted import Stratum, weighed_share
from processors.classifier import Classifier

WITHIN: Final = 0.03
"Half of the interval's width."
SIZES: Final = (300, 700, 2000)
"Vehicles of a day."
BUDGETS: Final = (20, 30, 40, 50, 60, 75, 90, 110, 135, 165, 200, 245, 300, 370, 460, 570)
"Labels asked for; what lies between two is interpolated."
SOUGHT: Final = 30
"Days of each kind and size by which the fewest labels are found."
DAYS: Final = 200
"Days of each kind and size on which it is seen whether the interval holds."
MIXES: Final = (0.5, 0.2, 0.8)
"Share of trucks, in turn."
STEPS: Final = 200
"Groups of like confidence whose chance of error is counted, for the best draw."
MORNING: Final = datetime(2026, 11, 23, 8, tzinfo=UTC)
ROUNDING: Final = 1e-9

Drawn = Callable[["Day", int, int], tuple[float, float, float]]
"Estimate, and the ends of its interval, of a day of which so many are labelled, by a seed."


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of day."""

    name: str
    "For the table."
    traffic: Traffic
    "What its vehicles are drawn from, sorted by class."

    def day(self, rng: np.random.Generator, vehicles: int, number: int) -> "Day":
        """Draw one."""
        return Day(self.traffic.day(rng, vehicles, MIXES[number % len(MIXES)]))


class Day:
    """A day's vehicles, and all that can be asked."""

    def __init__(self, traffic: Traffic) -> None:
        self.traffic = traffic
        self.right = traffic.truth == traffic.predicted
        self.accuracy = float(self.right.mean())
        self.confidence = traffic.confidence
        names = [f"{k:05}" for k in range(len(self.right))]
        rows = zip(names, traffic.predicted.tolist(), traffic.confidence.tolist(), strict=True)
        self.candidates = [_candidate(*row) for row in rows]
        self.places = {name: k for k, name in enumerate(names)}


def _candidate(name: str, predicted: int, confidence: float) -> Candidate:
    example = Example(
        example_id=name,
        camera_id="gate",
        day="2026-11-23",
        zone_id=None,
        at=MORNING,
        predicted=CLASSES[predicted],
        confidence=confidence,
        dissent=0.0,
        model_version="v1",
        frames=(),
    )
    return Candidate(example)


def at_random(day: Day, labels: int, seed: int) -> tuple[float, float, float]:
    """Label so many at random."""
    drawn = np.random.default_rng(seed).choice(len(day.right), min(labels, len(day.right)), replace=False)
    right = int(day.right[drawn].sum())
    return right / len(drawn), *wilson(right, len(drawn))


def asked(day: Day, labels: int, seed: int, random_share: float = 1.0) -> tuple[float, float, float]:
    """Label what is asked for."""
    chosen = ask(day.candidates, labels, seed, random_share=random_share)
    found = weighed_share(_strata(day, [(day.places[each.example_id], each.weight) for each in chosen]))
    assert found.value is not None
    return found.value, found.low, found.high


def with_teaching(day: Day, labels: int, seed: int) -> tuple[float, float, float]:
    """Label what is asked for where a part of it is asked for because it teaches."""
    return asked(day, labels, seed, RANDOM_SHARE)


def _strata(day: Day, chosen: Sequence[tuple[int, float]]) -> list[Stratum]:
    weights = sorted({weight for _, weight in chosen})
    parts = [np.array([place for place, other in chosen if other == weight]) for weight in weights]
    return [
        Stratum(weight, len(part), int(day.right[part].sum()), float(1 - day.confidence[part].mean()))
        for weight, part in zip(weights, parts, strict=True)
    ]


def needed(days: Sequence[Day], drawn: Drawn) -> float:
    """The labels by which the interval is narrow enough, on average over the days; all vehicles, where none suffice."""
    before = (0.0, 0.5)
    vehicles = len(days[0].right)
    for labels in [each for each in _tried(drawn) if each < vehicles]:
        half = float(np.mean([_half(drawn(day, labels, seed)) for seed, day in enumerate(days)]))
        if half <= WITHIN:
            return float(np.interp(-WITHIN, [-before[1], -half], [before[0], labels]))
        before = (labels, half)
    return vehicles


def _tried(drawn: Drawn) -> Sequence[int]:
    return range(20, 1000, 5) if drawn is at_random else BUDGETS


def _half(found: tuple[float, float, float]) -> float:
    return (found[2] - found[1]) / 2


def best(traffic: Traffic, vehicles: int) -> float:
    """The labels that the best draw needs, which knows each vehicle's chance of error."""
    wrong = (traffic.truth != traffic.predicted)[np.argsort(traffic.confidence)]
    q = np.array([part.mean() for part in np.array_split(wrong, STEPS)])
    variance = (WITHIN / 1.96) ** 2
    return float(np.sqrt(q * (1 - q)).mean() ** 2 / (variance + (q * (1 - q)).mean() / vehicles))


@dataclass(frozen=True, slots=True)
class Line:
    """What one kind of day of one size needs."""

    kind: str
    "For the table."
    accuracy: float
    "Mean."
    vehicles: int
    "Of a day."
    random: float
    "Labels at random."
    asked: float
    "Labels asked for, all drawn by chance."
    taught: float
    "Labels asked for, a part because they teach."
    best: float
    "By the best draw."
    held: tuple[float, float, float]
    "Of days, those whose interval holds the accuracy: at random, asked for, a part because they teach."
    close: float
    "Of days, those whose accuracy is estimated within 3 points, as asked for."


DRAWS: Final[tuple[Drawn, ...]] = (at_random, asked, with_teaching)


def lines(kind: Kind, rng: np.random.Generator) -> Iterator[Line]:
    """A line for each size of days."""
    for vehicles in SIZES:
        days = [kind.day(rng, vehicles, number) for number in range(SOUGHT)]
        labels = [needed(days, drawn) for drawn in DRAWS]
        found = [_found(kind, drawn, round(n), vehicles, rng) for drawn, n in zip(DRAWS, labels, strict=True)]
        yield Line(
            kind.name,
            float(np.mean([day.accuracy for day in days])),
            vehicles,
            *labels,
            best=best(kind.traffic, vehicles),
            held=(found[0][0], found[1][0], found[2][0]),
            close=found[1][1],
        )


def _found(kind: Kind, drawn: Drawn, labels: int, vehicles: int, rng: np.random.Generator) -> tuple[float, float]:
    """How often the interval holds, and how often the estimate is close."""
    days = [kind.day(rng, vehicles, number) for number in range(DAYS)]
    told = np.array([(*drawn(day, labels, seed), day.accuracy) for seed, day in enumerate(days)])
    value, low, high, truth = told.T
    held = (low - ROUNDING <= truth) & (truth <= high + ROUNDING)
    return float(held.mean()), float((np.abs(value - truth) <= WITHIN + ROUNDING).mean())


SIMULATED: Final = (
    Model("honest, 99 %", 0.99, 1.0),
    Model("honest, 97 %", 0.92, 1.0),
    Model("honest", 0.82, 1.0),
    Model("honest, weaker", 0.68, 1.0),
    Model("honest, weak", 0.55, 1.0),
    Model("over-confident", 0.82, 1.7),
    Model("over-confident, weak", 0.55, 1.7),
    Model("modest", 0.82, 0.6),
)
DROPS: Final = (0.03, 0.10)
"By which accuracy falls, confidences being what they were."
CROPS: Final = (
    ("road", "", 0),
    ("road", "fog", 5),
    ("road", "dark", 5),
    ("fast", "fog", 5),
    ("fast", "dark", 5),
    ("fast", "defocus_blur", 4),
    ("fast", "defocus_blur", 5),
)
"Bundle, corruption, severity."


def kinds(rng: np.random.Generator) -> Iterator[Kind]:
    """Simulated days."""
    for model in SIMULATED:
        yield Kind(model.name, simulated(model, rng).sorted())


def deceived(rng: np.random.Generator) -> Iterator[Kind]:
    """Simulated days on which confidence says little of errors, or nothing."""
    traffic = simulated(SIMULATED[2], rng)
    for drop in DROPS:
        yield Kind(f"honest, -{drop * 100:.0f} points", traffic.worse(rng, drop).sorted())
    shuffled = Traffic(traffic.truth, traffic.predicted, rng.permutation(traffic.confidence))
    yield Kind("confidence by chance", shuffled.sorted())


def real(path: Path) -> Iterator[Kind]:
    """What bundled models say of labelled crops, as they are and worse."""
    pictures = list(read_pictures(path))
    truth = np.array([CLASSES.index(picture.label) for picture in pictures])
    for bundle, corruption, severity in CROPS:
        classifier = Classifier.load(load_bundle(BUNDLED.parent / bundle))
        images = [
            p.image if not corruption else corrupt(p.image, corruption, severity, k) for k, p in enumerate(pictures)
        ]
        said = [classifier.classify(images[k : k + BATCH]) for k in range(0, len(images), BATCH)]
        predicted = np.array([CLASSES.index(label) for verdicts in said for label in verdicts.best])
        confidence = np.concatenate([verdicts.confidences for verdicts in said]).astype(float)
        name = f"{bundle}, {corruption.replace('_', ' ')} {severity}" if corruption else f"{bundle}, as they are"
        yield Kind(name, Traffic(truth, predicted, confidence).sorted())


def table(found: Sequence[Line], title: str) -> Table:
    """A line for each kind and size of days, and what they need together."""
    shown = Table(title=title)
    columns = ("days", "accuracy", "vehicles", "at random", "asked for", "fewer", "and teaching", "fewer", "best")
    for name in (*columns, "held at random", "asked for", "and teaching", "within 3"):
        shown.add_column(name, justify="left" if name == "days" else "right")
    for line in found:
        shown.add_row(*_row(line))
    random, chosen, taught, ideal = (sum(getattr(e, n) for e in found) for n in ("random", "asked", "taught", "best"))
    held = [f"{np.mean([line.held[k] for line in found]):.1%}" for k in range(3)]
    shown.add_row(
        "all", "", "", f"{random:.0f}", f"{chosen:.0f}", f"{random / chosen:.2f}", f"{taught:.0f}",
        f"{random / taught:.2f}", f"{ideal:.0f}", *held, f"{np.mean([line.close for line in found]):.1%}",
    )  # fmt: skip
    return shown


def _row(line: Line) -> tuple[str, ...]:
    labels = (line.asked, line.taught)
    return (
        line.kind,
        f"{line.accuracy:.1%}",
        f"{line.vehicles:,}",
        f"{line.random:.0f}",
        *(text for n in labels for text in (f"{n:.0f}", f"{line.random / n:.1f}")),
        f"{line.best:.0f}",
        *(f"{held:.1%}" for held in line.held),
        f"{line.close:.1%}",
    )


def main() -> None:
    """Simulate and print; real crops from the zip named first."""
    file = crops_of("asking", __doc__)
    console, rng = Console(), np.random.default_rng(7)
    parts = [("Simulated days", kinds(rng)), ("Where confidence deceives", deceived(rng))]
    parts += [("Real crops", real(file))] if file else []
    for title, some in parts:
        found = [line for kind in some for line in lines(kind, rng)]
        console.print(table(found, f"{title}: labels by which the interval is within 3 points"))
    if not file:
        console.print("Real crops are left out: no zip of labelled crops was named.")


if __name__ == "__main__":
    main()
