"""Whether estimated accuracy is what labels would say: `python -m benchmarks.estimation [test.zip]`, three minutes.

Days of simulated models, whose confidences are mostly above .9, and of the bundled one on real crops where a zip of
labelled ones is named, drawn again and again. Each day has a reference of its own, and 100 to 5,000 vehicles. Then what
labels say once the estimate's assumption is broken, and how often they say so when it is not: labels that come with
their day, and late ones, of which those of five days come mixed, a part of each day's every day.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.options import crops_of
from models.bundle import BUNDLED, load_bundle
from models.evaluation import wilson_interval
from models.training.data import read_pictures
from monitor.calibration import BINS, Evidence, together
from monitor.estimation import Reference, estimate, expectation, judged
from monitor.trust import Doubts
from processors.classifier import Classifier
from schemas.records import ConfidenceBin

CLASSES: Final = ("car", "truck")
POOL: Final = 200_000
"Simulated vehicles that days are drawn from."
DAYS: Final = 400
SIZES: Final = (100, 500, 1500, 5000)
"Vehicles of a day, in turn."
MIXES: Final = (0.5, 0.2, 0.8)
"Share of trucks."
STREAMS: Final = 120
STREAM_DAYS: Final = 90
VEHICLES: Final = 500
"A day of a stream."
LABELS: Final = 50
"Likewise."
PARTS: Final = 5
"In which late labels of a day come, one on each of the days after it."
FIRST: Final = date(2026, 1, 1)
"Day of a stream."
WOBBLE: Final = 0.1
"Standard deviation of the share of trucks, from one day of a stream to the next."
STEP: Final = 5
"Labels between two looks, where it is asked after how many the break is found."
LOOKS: Final = 100
"Before a stream is given up."
BATCH: Final = 64
"Crops classified at once."
ROUNDING: Final = 1e-9
"A share may miss an interval's end by the last bits."
DROPS: Final = (0.20, 0.10, 0.05)
"By which accuracy falls, confidences being what they were."


@dataclass(frozen=True, slots=True)
class Model:
    """A simulated model of two classes."""

    name: str
    "For the table."
    easy: float
    "Share of vehicles that it is sure of."
    pride: float
    "By which the log-odds that it tells exceed the true ones; 1: it is honest."


MODELS: Final = (
    Model("honest", 0.82, 1.0),
    Model("honest, weaker", 0.55, 1.0),
    Model("over-confident", 0.82, 1.7),
)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Vehicles that days are drawn from, an entry for each."""

    truth: NDArray[np.int64]
    "Index of the true class; sorted, where days of another mix are drawn."
    predicted: NDArray[np.int64]
    "Index of the verdict."
    confidence: NDArray[np.float64]
    "Of the verdict."

    @property
    def accuracy(self) -> float:
        """The share of verdicts that are right."""
        return float((self.truth == self.predicted).mean())

    def day(self, rng: np.random.Generator, vehicles: int, trucks: float | None = None) -> "Traffic":
        """Draw vehicles, in their own mix of classes or another, each class looking as it does."""
        if trucks is None:
            return self.chosen(rng.integers(0, len(self.truth), vehicles))
        cars = int(np.searchsorted(self.truth, 1))
        is_truck = rng.random(vehicles) < trucks
        return self.chosen(
            np.where(is_truck, rng.integers(cars, len(self.truth), vehicles), rng.integers(0, cars, vehicles))
        )

    def chosen(self, places: NDArray[np.int64]) -> "Traffic":
        """The vehicles at these places."""
        return Traffic(self.truth[places], self.predicted[places], self.confidence[places])

    def sorted(self) -> "Traffic":
        """Cars first."""
        return self.chosen(np.argsort(self.truth, kind="stable"))

    def worse(self, rng: np.random.Generator, drop: float) -> "Traffic":
        """The same verdicts of the same confidence, of which fewer are right: vehicles of a new kind."""
        wronged = (self.truth == self.predicted) & (rng.random(len(self.truth)) < drop / self.accuracy)
        return Traffic(np.where(wronged, 1 - self.predicted, self.truth), self.predicted, self.confidence)

    def bins(self, labelled: int) -> list[ConfidenceBin]:
        """Count them; the first ones are labelled."""
        right = (self.truth == self.predicted)[:labelled]
        step = np.minimum((self.confidence * BINS).astype(int), BINS - 1)
        place, size = self.predicted * BINS + step, len(CLASSES) * BINS
        columns = (
            np.bincount(place, minlength=size),
            np.bincount(place, self.confidence, size),
            np.bincount(place[:labelled], minlength=size),
            np.bincount(place[:labelled][right], minlength=size),
        )
        rows = zip(range(size), *(column.tolist() for column in columns), strict=True)
        return [ConfidenceBin(CLASSES[k // BINS], k % BINS, *row) for k, *row in rows if row[0]]


@dataclass(frozen=True, slots=True)
class History:
    """What a reference is learned from."""

    name: str
    "For the table."
    vehicles: int
    "All that were seen."
    labelled: int
    "Those of them that are labelled."

    def reference(self, traffic: Traffic, rng: np.random.Generator) -> Reference:
        """Draw one."""
        return Reference.of(traffic.day(rng, self.vehicles).bins(self.labelled))


HISTORIES: Final = (History("841 labels", 841, 841), History("30 days × 50 labels", 30 * VEHICLES, 30 * LABELS))


@dataclass(frozen=True, slots=True)
class Coverage:
    """How estimates of days fared, beside what labels of all vehicles would have said."""

    name: tuple[str, ...]
    "What was estimated."
    held: NDArray[np.bool_]
    "Whether the interval held the accuracy."
    widths: NDArray[np.float64]
    "Of the intervals."
    errors: NDArray[np.float64]
    "Estimated less realised accuracy."
    realised: float
    "Mean accuracy."
    trucks: float
    "Mean of the estimated share of trucks."


def simulated(model: Model, rng: np.random.Generator) -> Traffic:
    """Draw vehicles: log-odds of many sure ones and of some that are not, in trucks a little less than in cars."""
    truckish, easy = rng.random(POOL) < 0.5, rng.random(POOL) < model.easy
    sure = rng.gamma(6, np.where(truckish, 5.5, 6.5) / 6)
    odds = np.where(easy, sure, rng.gamma(1.2, np.where(truckish, 1.0, 0.8)))
    right = rng.random(POOL) < _sigmoid(odds)
    return Traffic(np.where(right, truckish, ~truckish).astype(int), truckish.astype(int), _sigmoid(odds * model.pride))


def real(path: Path) -> Traffic:
    """What the bundled model says of labelled crops."""
    classifier, pictures = Classifier.load(load_bundle(BUNDLED)), list(read_pictures(path))
    said = [
        classifier.classify([picture.image for picture in pictures[k : k + BATCH]])
        for k in range(0, len(pictures), BATCH)
    ]
    return Traffic(
        truth=np.array([CLASSES.index(picture.label) for picture in pictures]),
        predicted=np.array([CLASSES.index(label) for verdicts in said for label in verdicts.best]),
        confidence=np.concatenate([verdicts.confidences for verdicts in said]).astype(float),
    )


def coverages(name: str, traffic: Traffic, rng: np.random.Generator) -> Iterator[Coverage]:
    """Estimate days of every mix of classes beside every reference."""
    for history in HISTORIES:
        for trucks in MIXES:
            days = [(history.reference(traffic, rng), traffic.day(rng, size, trucks)) for size in _sizes()]
            yield covered((name, history.name, f"{trucks:.0%}"), days)


def broken_coverages(name: str, traffic: Traffic, rng: np.random.Generator) -> Iterator[Coverage]:
    """The same where the assumption does not hold."""
    for drop in DROPS:
        worse = traffic.worse(rng, drop)
        days = [(HISTORIES[0].reference(traffic, rng), worse.day(rng, size)) for size in _sizes()]
        yield covered((f"{name}, -{drop * 100:.0f} points", HISTORIES[0].name, "as is"), days)


def covered(name: tuple[str, ...], days: list[tuple[Reference, Traffic]]) -> Coverage:
    """Estimate days, and compare with what they truly were."""
    estimates = [estimate(day.bins(0), reference) for reference, day in days]
    made = [found for found in estimates if found is not None]
    realised = np.array([day.accuracy for _, day in days])
    low, high, expected = (np.array([getattr(found, field) for found in made]) for field in ("low", "high", "accuracy"))
    return Coverage(
        name=name,
        held=(low - ROUNDING <= realised) & (realised <= high + ROUNDING),
        widths=high - low,
        errors=expected - realised,
        realised=float(realised.mean()),
        trucks=float(np.mean([found.class_mix["truck"] for found in made])),
    )


def false_alarms(traffic: Traffic, history: History, rng: np.random.Generator) -> list[int | None]:
    """Labels after which each stream of 90 days is called broken, although nothing is; None where it is not."""
    return [_broken_at(_days(traffic, rng), history.reference(traffic, rng)) for _ in range(STREAMS)]


def labels_until(traffic: Traffic, drop: float, history: History, rng: np.random.Generator) -> list[int | None]:
    """Labels after which each stream is called broken, being broken from the first; None where it is not."""
    worse = traffic.worse(rng, drop)
    return [_broken_at(_steps(worse, rng), history.reference(traffic, rng)) for _ in range(STREAMS)]


def _days(traffic: Traffic, rng: np.random.Generator) -> Iterator[list[ConfidenceBin]]:
    for trucks in np.clip(rng.normal(0.5, WOBBLE, STREAM_DAYS), 0.1, 0.9):
        yield traffic.day(rng, VEHICLES, trucks).bins(LABELS)


def _steps(traffic: Traffic, rng: np.random.Generator) -> Iterator[list[ConfidenceBin]]:
    for _ in range(LOOKS):
        yield traffic.day(rng, VEHICLES).bins(STEP)


def _broken_at(days: Iterator[list[ConfidenceBin]], reference: Reference) -> int | None:
    evidence = Evidence()
    for bins in days:
        evidence = together(evidence, judged(bins, expectation(bins, reference)))
        if evidence.is_broken:
            return evidence.broken_at
    return None


def late_alarms(traffic: Traffic, history: History, rng: np.random.Generator) -> list[int | None]:
    """Late labels after which each stream of 90 days is called broken in any revision; None where it is not."""
    return [_broken_late(_revisions(traffic, rng), history.reference(traffic, rng)) for _ in range(STREAMS)]


def late_labels_until(traffic: Traffic, drop: float, history: History, rng: np.random.Generator) -> list[int | None]:
    """Late labels after which each stream is called broken, being broken from the first; None where it is not."""
    worse = traffic.worse(rng, drop).sorted()
    return [_broken_late(_revisions(worse, rng), history.reference(traffic, rng)) for _ in range(STREAMS)]


def _revisions(traffic: Traffic, rng: np.random.Generator) -> Iterator[tuple[int, list[ConfidenceBin]]]:
    """A day's report, without labels; then the revisions of the five days before it, each with more labels."""
    days: list[Traffic] = []
    for trucks in np.clip(rng.normal(0.5, WOBBLE, STREAM_DAYS), 0.1, 0.9):
        days.append(traffic.day(rng, VEHICLES, trucks))
        for age in range(min(PARTS, len(days) - 1), -1, -1):
            number = len(days) - 1 - age
            yield number, days[number].bins(LABELS * age // PARTS)


def _broken_late(reports: Iterator[tuple[int, list[ConfidenceBin]]], reference: Reference) -> int | None:
    doubts, labelled = Doubts(), dict[int, int]()
    for number, bins in reports:
        labelled[number] = sum(each.labelled for each in bins)
        if doubts.judge(f"{FIRST + timedelta(number)}", (), bins, reference).is_broken:
            return sum(labelled.values())
    return None


def coverage_table(results: list[Coverage], title: str) -> Table:
    """A line for each kind of day."""
    shown = Table(title=title)
    for name in ("model", "reference", "trucks", "found", "accuracy", "held", "95 %", "bias", *_widths()):
        shown.add_column(name, justify="left" if name in ("model", "reference") else "right")
    for result in results:
        shown.add_row(*_line(result))
    return shown


def _widths() -> list[str]:
    return [f"width at {size:,}" for size in SIZES]


def _line(result: Coverage) -> tuple[str, ...]:
    low, high = wilson_interval(int(result.held.sum()), len(result.held))
    widths = [result.widths[k :: len(SIZES)].mean() for k in range(len(SIZES))]
    return (
        *result.name,
        f"{result.trucks:.0%}",
        f"{result.realised:.1%}",
        f"{result.held.mean():.1%}",
        f"{low:.0%} to {high:.0%}",
        f"{result.errors.mean() * 100:+.2f}",
        *(f"{width * 100:.1f}" for width in widths),
    )


def breaks_table(rows: Iterable[tuple[str, ...]]) -> Table:
    """A line for each kind of stream."""
    shown = Table(title="How often labels say that the assumption is broken, and after how many")
    for name in (
        "model",
        "reference",
        "accuracy",
        "labels",
        "streams",
        "found",
        "95 %",
        "after, median",
        "after, 90 %",
    ):
        shown.add_column(name, justify="left" if name in ("model", "reference", "labels") else "right")
    for row in rows:
        shown.add_row(*row)
    return shown


def breaks(name: str, traffic: Traffic, history: History, rng: np.random.Generator) -> Iterator[tuple[str, ...]]:
    """Streams in which nothing is broken, then those in which accuracy has fallen; labels with their day, and late."""
    for come, alarms, until in (("at once", false_alarms, labels_until), ("late", late_alarms, late_labels_until)):
        lasting = f"as it was, {STREAM_DAYS} days"
        yield name, history.name, lasting, come, *_found(alarms(traffic, history, rng)), "", ""
        for drop in DROPS:
            labels = until(traffic, drop, history, rng)
            yield name, history.name, f"-{drop * 100:.0f} points", come, *_found(labels), *_quantiles(labels)


def _found(labels: Sequence[int | None]) -> tuple[str, ...]:
    found = sum(each is not None for each in labels)
    low, high = wilson_interval(found, len(labels))
    return f"{len(labels)}", f"{found / len(labels):.1%}", f"{low:.0%} to {high:.0%}"


def _quantiles(labels: Sequence[int | None]) -> tuple[str, ...]:
    ordered = sorted(LOOKS * STEP + 1 if each is None else each for each in labels)
    chosen = (ordered[len(ordered) // 2], ordered[len(ordered) * 9 // 10])
    return tuple(f"{each}" if each <= LOOKS * STEP else f"over {LOOKS * STEP}" for each in chosen)


def _sizes() -> list[int]:
    return [*SIZES] * (DAYS // len(SIZES))


def _sigmoid(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-odds))


def main() -> None:
    """Simulate and print; real crops from the zip named first."""
    file = crops_of("estimation", __doc__)
    console, rng = Console(), np.random.default_rng(5)
    models = [(model.name, simulated(model, rng).sorted()) for model in MODELS]
    honest, _, boasting = models
    crops = [("bundled, real crops", real(file).sorted())] if file else []
    if not crops:
        console.print("Real crops are left out: no zip of labelled crops was named.")
    held = [result for name, traffic in models + crops for result in coverages(name, traffic, rng)]
    console.print(coverage_table(held, f"{DAYS} days a line: how often the 95 % interval held the accuracy"))
    title = "The same where accuracy falls and confidence does not"
    console.print(coverage_table(list(broken_coverages(*honest, rng)), title))
    console.print(breaks_table(breaks(*honest, HISTORIES[0], rng)))
    console.print(breaks_table(breaks(*boasting, HISTORIES[1], rng)))


if __name__ == "__main__":
    main()
