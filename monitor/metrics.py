"""From counts to figures: confusion matrices, accuracy, precision, recall, F1, for one camera or for all.

Where labels stand for different numbers of vehicles, shares are those of the vehicles that they stand for; counts are
of labels.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping

from monitor.quantiles import quantile_ms
from schemas.records import Cell, ClassScores, Scores, Tally, WeightedCells

Confusion = Mapping[tuple[str, str], int]
"Counts by (truth, predicted)."
Vehicles = Mapping[tuple[str, str], float]
"How many vehicles labels stand for, by (truth, predicted); of a plain sample, the counts."


def cells(confusion: Confusion) -> tuple[Cell, ...]:
    """A confusion matrix as sorted cells."""
    return tuple(Cell(truth, predicted, n) for (truth, predicted), n in sorted(confusion.items()))


def confusion_of(parts: Iterable[Cell]) -> Counter[tuple[str, str]]:
    """Cells as counts; those of the same place are added."""
    counts: Counter[tuple[str, str]] = Counter()
    for cell in parts:
        counts[cell.truth, cell.predicted] += cell.count
    return counts


def scores(tally: Tally) -> Scores:
    """A tally's figures."""
    vehicles, frames = confusion_of(tally.vehicle_cells), confusion_of(tally.frame_cells)
    weighted = unequal(tally.weighted)
    stood_for = represented((each.weight, each.cells) for each in weighted) or vehicles
    frames_for = represented((each.weight, each.frame_cells) for each in weighted) or frames
    names = sorted({name for pair in vehicles for name in pair})
    classes = tuple(class_scores(vehicles, label, stood_for) for label in names)
    return Scores(
        frames=tally.frames,
        passages=sum(tally.passages.values()),
        passages_by_label=dict(sorted(tally.passages.items())),
        labelled=sum(vehicles.values()),
        accuracy=accuracy(stood_for),
        precision=_mean(c.precision for c in classes),
        recall=_mean(c.recall for c in classes),
        f1=_mean(c.f1 for c in classes),
        classes=classes,
        confusion=cells(vehicles),
        labelled_frames=sum(frames.values()),
        frame_accuracy=accuracy(frames_for),
        flip_rate=_share(tally.dissenting_frames, tally.passage_frames),
        mean_confidence=_share(tally.confidence_sum, tally.frames),
        mean_brightness=_share(tally.brightness_sum, tally.frames),
        latency_p50_ms=quantile_ms(tally.latency_buckets, 0.50),
        latency_p95_ms=quantile_ms(tally.latency_buckets, 0.95),
        latency_p99_ms=quantile_ms(tally.latency_buckets, 0.99),
        unmatched_labels=tally.unmatched_labels,
        weighted=weighted,
    )


def unequal(parts: Iterable[WeightedCells]) -> tuple[WeightedCells, ...]:
    """Those of the weights that have labels; none where all labels stand for as many vehicles."""
    known = tuple(part for part in parts if part.cells or part.frame_cells)
    return known if len(known) > 1 else ()


def represented(parts: Iterable[tuple[float, Iterable[Cell]]]) -> dict[tuple[str, str], float]:
    """How many vehicles the labels in these cells stand for, each as many as its weight says."""
    found: dict[tuple[str, str], float] = {}
    for weight, some in parts:
        for cell in some:
            found[cell.truth, cell.predicted] = found.get((cell.truth, cell.predicted), 0.0) + weight * cell.count
    return found


def accuracy(confusion: Vehicles) -> float | None:
    """The share on the diagonal; None of nothing."""
    right = sum(n for (truth, predicted), n in confusion.items() if truth == predicted)
    return _share(right, sum(confusion.values()))


def class_scores(confusion: Confusion, label: str, stood_for: Vehicles | None = None) -> ClassScores:
    """How one class fared; `stood_for` are the vehicles that its labels stand for, where those are not the labels."""
    vehicles = confusion if stood_for is None else stood_for
    right = vehicles.get((label, label), 0)
    support = sum(n for (truth, _), n in vehicles.items() if truth == label)
    predicted = sum(n for (_, seen), n in vehicles.items() if seen == label)
    return ClassScores(
        label=label,
        support=sum(n for (truth, _), n in confusion.items() if truth == label),
        predicted=sum(n for (_, seen), n in confusion.items() if seen == label),
        precision=_share(right, predicted),
        recall=_share(right, support),
        f1=_share(2 * right, support + predicted),
    )


def wilson(right: float, n: float, z: float = 1.96) -> tuple[float, float]:
    """Bounds of a share by Wilson's score interval (1927), 95 % by default; (0, 1) without samples."""
    if n == 0:
        return 0.0, 1.0
    share, spread = right / n, z * z / n
    centre = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / n + spread / (4 * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
