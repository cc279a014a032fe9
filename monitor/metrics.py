"""From counts to figures: confusion matrices, accuracy, precision, recall, F1, for one camera or for all."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping

from monitor.quantiles import quantile_ms
from schemas.records import Cell, ClassScores, Scores, Tally

Confusion = Mapping[tuple[str, str], int]
"Counts by (truth, predicted)."


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
    classes = tuple(class_scores(vehicles, label) for label in sorted({name for pair in vehicles for name in pair}))
    return Scores(
        frames=tally.frames,
        passages=sum(tally.passages.values()),
        passages_by_label=dict(sorted(tally.passages.items())),
        labelled=sum(vehicles.values()),
        accuracy=accuracy(vehicles),
        precision=_mean(c.precision for c in classes),
        recall=_mean(c.recall for c in classes),
        f1=_mean(c.f1 for c in classes),
        classes=classes,
        confusion=cells(vehicles),
        labelled_frames=sum(frames.values()),
        frame_accuracy=accuracy(frames),
        flip_rate=_share(tally.dissenting_frames, tally.passage_frames),
        mean_confidence=_share(tally.confidence_sum, tally.frames),
        mean_brightness=_share(tally.brightness_sum, tally.frames),
        latency_p50_ms=quantile_ms(tally.latency_buckets, 0.50),
        latency_p95_ms=quantile_ms(tally.latency_buckets, 0.95),
        latency_p99_ms=quantile_ms(tally.latency_buckets, 0.99),
        unmatched_labels=tally.unmatched_labels,
    )


def accuracy(confusion: Confusion) -> float | None:
    """The share on the diagonal; None of nothing."""
    right = sum(n for (truth, predicted), n in confusion.items() if truth == predicted)
    return _share(right, sum(confusion.values()))


def class_scores(confusion: Confusion, label: str) -> ClassScores:
    """How one class fared."""
    right = confusion.get((label, label), 0)
    support = sum(n for (truth, _), n in confusion.items() if truth == label)
    predicted = sum(n for (_, seen), n in confusion.items() if seen == label)
    return ClassScores(
        label=label,
        support=support,
        predicted=predicted,
        precision=_share(right, predicted),
        recall=_share(right, support),
        f1=_share(2 * right, support + predicted),
    )


def wilson(right: int, n: int, z: float = 1.96) -> tuple[float, float]:
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
