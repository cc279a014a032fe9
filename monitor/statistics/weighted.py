"""Shares of labels that stand for different numbers of vehicles, and how far they may lie from the truth. Pure.

    weight   labels     vehicles
       1     ████       ████                                     all are labelled: nothing is left to chance
       3     ████       ████████████                             two in three may be anything
      12     ████       ████████████████████████████████████████████████

Labels of one weight are a random draw from the vehicles that they stand for (models.asking). So the weighted share of
right ones is that of all vehicles, but for chance, however mistaken the opinion of itself was by which the model had the
draw planned. How many of a weight's other vehicles are wrong is betabinomial: what a draw without replacement leaves
open, and a prior. The counts of all weights are added, and the interval is the shortest that holds 95 % of the sum.

A weight's prior is worth `WRONG` wrong labels, and as many right ones as the model's own doubt makes of that: `MOST_RIGHT`
at most, where it is sure, and hardly any where it is not. Of simulated days whose model knows where it errs, too sure of
itself or not sure enough, the interval holds the accuracy of 97 in 100, of real crops of 99; where a model is sure and
wrong, or its confidence is chance, of 92 (benchmarks/asking.py). All figures of classes, and whatever rules hold against
a threshold, go by Wilson's interval of the effective number of labels, which needs no word of the model.

Labels that all have one weight are a plain sample, of which `monitor.statistics.intervals` tells, to the last bit.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor.metrics import confusion_of, represented, wilson
from monitor.statistics.intervals import (
    F1,
    PRECISION,
    RECALL,
    ClassFigures,
    Figure,
    Figures,
    Measure,
    f1_of_touched,
    mean_of_classes,
    share,
)
from monitor.statistics.intervals import figures as plain_figures
from schemas.records import Cell, WeightedCells

Chances = NDArray[np.float64]
"Of 0, 1, 2 … vehicles."

WRONG: Final = 0.4
"""Wrong labels that a prior is worth. With Jeffreys' .5, intervals are 4 % wider, and hold on 95 instead of 93 of 100 days
on which the model is sure and wrong of three vehicles in a hundred, or more."""
FEWEST_RIGHT: Final = 0.5
"Right labels that a prior is worth at least, as Jeffreys' is."
MOST_RIGHT: Final = 8.0
"""Right labels that it is worth at most. Without the model's word, 23 % more labels are needed for the same. With 12, 6 %
fewer are, and intervals hold on 91 of 100 such days."""
HELD: Final = 0.95
"Of the chances, by an interval."
MOST: Final = 4000
"Vehicles that are told apart; of more, several count as one."
SMOOTHING: Final = 0.3
"Right and wrong labels, each, by which a weight's variance is kept from being nothing."


@dataclass(frozen=True, slots=True)
class Stratum:
    """Labels of one weight."""

    weight: float
    "Vehicles that each stands for, at least 1."
    n: int
    "Labelled vehicles that are asked about."
    right: int
    "Those of them that are right."
    doubt: float | None = None
    "The mean chance of error that the model gives them; None where it is not known."
    among: int | None = None
    "Labels of this weight, where it is asked about a part of their vehicles; None: about all."


def weighed_share(strata: Sequence[Stratum], scale: float = 1.0) -> Figure:
    """The share of right ones among all vehicles, with its interval.

    `scale` is how many times as many vehicles there are as weights say, because not all were labelled that were asked
    for.
    """
    n, right = sum(each.n for each in strata), sum(each.right for each in strata)
    if len({each.weight for each in strata}) < 2:
        return share(right, n)
    value = value_of(strata)
    low, high = _interval(strata, scale)
    return Figure(value, min(low, value), max(high, value), n)


def effective(strata: Sequence[Stratum], scale: float = 1.0) -> float:
    """How many labels of a plain sample would tell as much: by the variance of the weighted share, without the prior.

    As Korn and Graubard (1998) have it for intervals of shares from surveys: Wilson's interval of so many labels, of
    which so large a share is right, holds as often as that of a plain sample. Of a part of the vehicles the variance is
    that of a ratio (Cochran, 1977): how many of each weight belong to it is chance as well.
    """
    if len({each.weight for each in strata}) < 2:
        return float(sum(each.n for each in strata))
    smooth = [_smoothed(each) for each in strata]
    touched = math.fsum(each.weight * known.n for each, known in zip(strata, smooth, strict=True))
    mean = math.fsum(each.weight * known.right for each, known in zip(strata, smooth, strict=True)) / touched
    left = (max(0.0, each.weight**2 - each.weight / scale) for each in strata)
    variance = math.fsum(open_ * known.spread(mean) for open_, known in zip(left, smooth, strict=True)) / touched**2
    return mean * (1 - mean) / variance if variance else touched


class _Smoothed(NamedTuple):
    """A stratum's labels, and a few more by which its variance is kept from being nothing."""

    labels: float
    "In all."
    n: float
    "Those that are asked about."
    right: float
    "Those of them that are right."

    def spread(self, mean: float) -> float:
        """The variance of the sum, over all labels, of what each of those asked about is above a mean."""
        squares = self.right * (1 - mean) ** 2 + (self.n - self.right) * mean**2
        return squares - (self.right - mean * self.n) ** 2 / self.labels


def _smoothed(each: Stratum) -> _Smoothed:
    labels = each.n if each.among is None else each.among
    more = SMOOTHING * each.n / labels
    return _Smoothed(labels + 2 * SMOOTHING, each.n + 2 * more, each.right + more)


def _share_of_some(strata: Sequence[Stratum], scale: float) -> Figure:
    """The share of right vehicles among some, with Wilson's interval of the effective number of labels."""
    n = sum(each.n for each in strata)
    if not n or len({each.weight for each in strata}) < 2:
        return share(sum(each.right for each in strata), n)
    value, worth = value_of(strata), effective(strata, scale)
    return Figure(value, *wilson(value * worth, worth), n)


def strata_of(parts: Iterable[WeightedCells]) -> list[Stratum]:
    """Labelled vehicles by how many each stands for, and the model's own opinion of them."""
    known = [(part, sum(cell.count for cell in part.cells)) for part in parts]
    return [Stratum(part.weight, n, _right(part.cells), 1 - part.confidence_sum / n) for part, n in known if n]


def scale_of(strata: Iterable[Stratum], vehicles: int) -> float:
    """How many times as many vehicles there are as weights say; 1 where weights say as many, or more."""
    return max(1.0, vehicles / math.fsum(each.weight * each.n for each in strata))


def figures(parts: Sequence[WeightedCells], vehicles: int) -> Figures:
    """All figures of labels by weight, of a day of so many vehicles."""
    strata, all_cells = strata_of(parts), [cell for part in parts for cell in part.cells]
    confusion = confusion_of(all_cells)
    if len(strata) < 2:
        return plain_figures(confusion)
    labels, scale = sorted({name for pair in confusion for name in pair}), scale_of(strata, vehicles)
    of = {m: {label: _class_figure(parts, label, m, scale) for label in labels} for m in (PRECISION, RECALL, F1)}
    stood_for, n = represented((part.weight, part.cells) for part in parts), sum(confusion.values())
    means = {measure: mean_of_classes(stood_for, every, measure, n) for measure, every in of.items()}
    return Figures(
        accuracy=weighed_share(strata, scale),
        precision=means[PRECISION],
        recall=means[RECALL],
        f1=means[F1],
        classes=tuple(ClassFigures(each, of[PRECISION][each], of[RECALL][each], of[F1][each]) for each in labels),
    )


def _class_figure(parts: Iterable[WeightedCells], label: str, measure: Measure, scale: float) -> Figure:
    """Among the vehicles that are of a class, or were taken for it, the share that was right."""
    found = _share_of_some(class_strata(parts, label, measure), scale)
    return f1_of_touched(found) if measure == F1 else found


def class_strata(parts: Iterable[WeightedCells], label: str, measure: Measure) -> list[Stratum]:
    """Labelled vehicles that are of a class, or were taken for it, by how many each stands for."""
    found = (_of_class(part, label, measure) for part in parts)
    return [each for each in found if each.n]


def _of_class(part: WeightedCells, label: str, measure: Measure) -> Stratum:
    touched = [
        cell
        for cell in part.cells
        if (measure.support and cell.truth == label) or (measure.predicted and cell.predicted == label)
    ]
    n, among = (sum(cell.count for cell in some) for some in (touched, part.cells))
    return Stratum(part.weight, n, _right(touched), among=among)


def _right(cells: Iterable[Cell]) -> int:
    return sum(cell.count for cell in cells if cell.truth == cell.predicted)


def fair_count(strata: Sequence[Stratum]) -> float:
    """How many labels of a plain sample all of these are at least: each counts as its weight by the heaviest.

    A label that counts as a part of one has that part of a bet's logarithm, and so a bet that gains nothing on average
    on whole ones gains nothing on parts (Jensen's inequality): evidence of `monitor.statistics.sequences` stays valid.
    """
    return math.fsum(each.weight * each.n for each in strata) / max(each.weight for each in strata)


def value_of(strata: Iterable[Stratum]) -> float:
    """The weighted share of right ones."""
    known = list(strata)
    return math.fsum(e.weight * e.right for e in known) / math.fsum(e.weight * e.n for e in known)


def _interval(strata: Sequence[Stratum], scale: float) -> tuple[float, float]:
    others = [each.n * max(0.0, each.weight * scale - 1) for each in strata]
    unit = max(1.0, sum(others) / MOST)
    chances = np.ones(1)
    for each, left in zip(strata, others, strict=True):
        chances = np.convolve(chances, _wrong_among(round(left / unit), each))
    fewest, most = _shortest(chances)
    seen, labelled = sum(each.n - each.right for each in strata), sum(each.n for each in strata)
    vehicles = labelled + unit * (len(chances) - 1)
    return 1 - (seen + unit * most) / vehicles, 1 - (seen + unit * fewest) / vehicles


def _wrong_among(vehicles: int, labelled: Stratum) -> Chances:
    """The chance of each count of wrong ones among so many vehicles that are like the labelled ones."""
    wrong = labelled.n - labelled.right + WRONG
    right = labelled.right + _right_before(labelled.doubt)
    k = np.arange(vehicles)
    ratios = (vehicles - k) * (k + wrong) / ((k + 1) * (vehicles - k - 1 + right))
    logs = np.concatenate([np.zeros(1), np.cumsum(np.log(ratios))])
    chances = np.exp(logs - logs.max())
    return np.asarray(chances / chances.sum())


def _right_before(doubt: float | None) -> float:
    """How many right labels the prior is worth, so that its mean is the doubt, as far as that is believed."""
    if doubt is None:
        return FEWEST_RIGHT
    return min(max(WRONG / max(doubt, 1e-9) - WRONG, FEWEST_RIGHT), MOST_RIGHT)


def _shortest(chances: Chances) -> tuple[int, int]:
    """The first and the last count of the shortest run that holds 95 %; of several, the one of the lowest counts."""
    so_far = np.concatenate([np.zeros(1), np.cumsum(chances)])
    starts = np.flatnonzero(so_far <= so_far[-1] - HELD)
    ends = np.searchsorted(so_far, so_far[starts] + HELD)
    best = int(np.argmin(ends - starts))
    return int(starts[best]), int(ends[best]) - 1
