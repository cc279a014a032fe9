"""Whether a confidence is the chance of being right: how far it is not, what it is worth, and when that has changed.

    bins of labelled vehicles ──► reliability   the diagram of a report, and its figures
                              ├─► fitted        a calibrator: confidence ──► chance of being right
                              └─► wagered       evidence that fewer are right than the chances say

A bin is a count by verdict and fiftieth of confidence, so that the bins of cameras and days can be added.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import groupby
from typing import Final

from monitor.metrics import wilson
from schemas.records import ConfidenceBin

BINS: Final = 50
"Equal steps of confidence from 0 to 1."
ROWS: Final = 10
"Of a reliability diagram."
FEWEST: Final = 10
"Labelled vehicles in a row before its gap counts as one: one wrong vehicle alone would be a gap of .9."
PSEUDO_LABELS: Final = 10.0
"""What the model's own confidence is worth beside labels, in labels a verdict: spread over its bins as vehicles are.

Twenty in every bin would let an over-confident model have its way where vehicles are few: with 841 labels, accuracy was
estimated one to two points too high."""
UNSEEN: Final = 0.1
"""Wrong labels that a block is thought to have missed, where its doubt is concerned: none of 300 does not prove none.

With .25, intervals for a model that errs on one vehicle in a hundred held on 98 of 100 days instead of 96."""
SUREST: Final = 1 - 1e-6
"The highest chance: nobody is right for certain."
STAKES: Final = (0.03, 0.1, 0.25)
"""What each bettor loses on a right vehicle of mean chance, as a part of its wealth.

The best ones for accuracies that fall by 3, 10 and 24 points from 95 % (Kelly 1956); each begins with a third."""
MOST_LOST: Final = 0.5
"What a bettor loses on one right vehicle at most."
ENOUGH: Final = math.log(20)
"The logarithm of the wealth that proves: reached by chance with a probability of at most 1 in 20, ever (Ville 1939)."


@dataclass(frozen=True, slots=True)
class ReliabilityRow:
    """One line of the reliability diagram."""

    low: float
    "Confidences from here …"
    high: float
    "… up to here."
    n: int
    "Labelled vehicles."
    confidence: float | None
    "Their mean confidence; None without any."
    accuracy: float | None
    "The share that is right; None without any."
    accuracy_low: float
    "Lower end of the accuracy's 95 % interval (Wilson)."
    accuracy_high: float
    "Upper end."

    @property
    def gap(self) -> float:
        """Confidence less accuracy: above 0 where the model is too sure of itself; 0 without vehicles."""
        return 0.0 if self.confidence is None or self.accuracy is None else self.confidence - self.accuracy


@dataclass(frozen=True, slots=True)
class Reliability:
    """How far confidences are from the truth, over labelled vehicles."""

    rows: tuple[ReliabilityRow, ...]
    "Ten, from confidence 0 to 1."
    n: int
    "Labelled vehicles."
    calibration_error: float | None
    "Mean of the rows' absolute gaps, by vehicles (ECE, Guo et al. 2017); None without any."
    largest_gap: float | None
    "The largest absolute gap of a row of ten vehicles or more; None without such a row."
    overconfidence: float | None
    "Mean confidence less accuracy: above 0 where the model is too sure of itself; None without any."
    brier: float | None
    "Mean square of confidence less 1 for the right and 0 for the wrong (Brier 1950); None without any."


@dataclass(frozen=True, slots=True)
class Point:
    """What a confidence is worth."""

    confidence: float
    "As the model says."
    chance: float
    "Of being right."
    block: int
    "Points of one verdict's block have their chance from the same labels."
    doubt: float
    "The chance's standard deviation, as far as few labels leave it open."


@dataclass(frozen=True, slots=True)
class Calibrator:
    """The chance of being right, by verdict and confidence."""

    points: Mapping[str, tuple[Point, ...]]
    "By verdict, in order of confidence."

    def point(self, predicted: str, confidence: float) -> Point:
        """What this confidence of this verdict is worth; of a verdict never seen, what it says."""
        points = self.points.get(predicted)
        return _between(points, confidence) if points else _taken_at_its_word(confidence)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Labelled vehicles of one chance."""

    chance: float
    "Of being right, as it was told before their labels came."
    right: int
    "Those that were."
    wrong: int
    "The others."


@dataclass(frozen=True, slots=True)
class Evidence:
    """What labels have said so far against the chances that were told before they came."""

    log_wealth: tuple[float, ...] = (0.0,) * len(STAKES)
    "Of each bettor, who all began with 1."
    labelled: int = 0
    "Labelled vehicles."
    right: int = 0
    "Those that were right."
    expected: float = 0.0
    "The sum of their chances: how many should have been."
    broken_at: int | None = None
    "Labelled vehicles when the evidence first sufficed; None: it never did."

    @property
    def log_e(self) -> float:
        """The logarithm of the e-value: mean wealth of the bettors."""
        top = max(self.log_wealth)
        return top + math.log(sum(math.exp(each - top) for each in self.log_wealth) / len(self.log_wealth))

    @property
    def is_broken(self) -> bool:
        """Whether fewer are right than the chances say, beyond chance, now or at any time before."""
        return self.broken_at is not None


def merged(bins: Iterable[ConfidenceBin]) -> tuple[ConfidenceBin, ...]:
    """The sum of bins, sorted; whatever their order, to the last bit."""
    ordered = sorted(bins, key=_place)
    return tuple(_sum(list(parts)) for _, parts in groupby(ordered, key=_place))


def mean_confidence(each: ConfidenceBin) -> float:
    """The mean of a bin's confidences, which stands for each of them; of a bin that has vehicles."""
    return each.confidence_sum / each.count


def reliability(bins: Iterable[ConfidenceBin]) -> Reliability:
    """The reliability diagram of labelled vehicles, and what follows from it."""
    labelled = [each for each in merged(bins) if each.labelled]
    rows = tuple(_row(place, [each for each in labelled if each.bin * ROWS // BINS == place]) for place in range(ROWS))
    n = sum(row.n for row in rows)
    return Reliability(
        rows=rows,
        n=n,
        calibration_error=_mean((row.n * abs(row.gap) for row in rows), n),
        largest_gap=max((abs(row.gap) for row in rows if row.n >= FEWEST), default=None),
        overconfidence=_mean((row.n * row.gap for row in rows), n),
        brier=_mean((_squares(each) for each in labelled), n),
    )


def fitted(bins: Iterable[ConfidenceBin]) -> Calibrator:
    """Learn from labelled vehicles what confidences are worth.

    For each verdict an isotonic regression (pool adjacent violators, Ayer et al. 1955) of right on confidence, in which
    the model's own confidence counts as ten labels: without any, it is what comes out.
    """
    known = [each for each in merged(bins) if each.count]
    by_verdict = groupby(known, key=lambda each: each.predicted)
    return Calibrator({predicted: _points(list(parts)) for predicted, parts in by_verdict})


def wagered(outcomes: Iterable[Outcome], mean: float) -> Evidence:
    """Bet on labelled vehicles that fewer are right than their chances say.

    While the chances are true, or too low, no bet gains on average, in whatever order the labels come (Waudby-Smith
    and Ramdas, "Estimating means of bounded random variables by betting", 2024). What is bet on a vehicle follows from
    its chance and from the mean chance of all that may be labelled: neither knows of any label, and so a wealth is a
    product over the labels, and the same however many came before one looked.
    """
    known = list(outcomes)
    return _decided(
        Evidence(
            log_wealth=tuple(_gain(stake / (1 - mean), known) for stake in STAKES),
            labelled=sum(each.right + each.wrong for each in known),
            right=sum(each.right for each in known),
            expected=math.fsum((each.right + each.wrong) * each.chance for each in known),
        )
    )


def together(before: Evidence, after: Evidence) -> Evidence:
    """The evidence of two sets of labels, of which those of the first are looked at first."""
    return _decided(
        Evidence(
            log_wealth=tuple(a + b for a, b in zip(before.log_wealth, after.log_wealth, strict=True)),
            labelled=before.labelled + after.labelled,
            right=before.right + after.right,
            expected=before.expected + after.expected,
            broken_at=before.broken_at,
        )
    )


def _place(each: ConfidenceBin) -> tuple[str, int]:
    return each.predicted, each.bin


def _sum(parts: Sequence[ConfidenceBin]) -> ConfidenceBin:
    return ConfidenceBin(
        predicted=parts[0].predicted,
        bin=parts[0].bin,
        count=sum(part.count for part in parts),
        confidence_sum=math.fsum(part.confidence_sum for part in parts),
        labelled=sum(part.labelled for part in parts),
        right=sum(part.right for part in parts),
    )


def _mean(values: Iterable[float], n: int) -> float | None:
    return math.fsum(values) / n if n else None


def _row(place: int, bins: Sequence[ConfidenceBin]) -> ReliabilityRow:
    n, right = sum(each.labelled for each in bins), sum(each.right for each in bins)
    low, high = wilson(right, n)
    return ReliabilityRow(
        low=place / ROWS,
        high=(place + 1) / ROWS,
        n=n,
        confidence=_mean((each.labelled * mean_confidence(each) for each in bins), n),
        accuracy=right / n if n else None,
        accuracy_low=low,
        accuracy_high=high,
    )


def _squares(each: ConfidenceBin) -> float:
    return each.right * (1 - mean_confidence(each)) ** 2 + (each.labelled - each.right) * mean_confidence(each) ** 2


@dataclass(frozen=True, slots=True)
class _Block:
    """Neighbouring bins that have one chance."""

    confidences: tuple[float, ...]
    "Of its bins, in order."
    weight: float
    "Labels and pseudo-labels."
    right: float
    "Those of them that are right."

    @property
    def chance(self) -> float:
        return _clipped(self.right / self.weight)


def _points(bins: Sequence[ConfidenceBin]) -> tuple[Point, ...]:
    """The points of one verdict."""
    own = PSEUDO_LABELS / sum(each.count for each in bins)
    blocks: list[_Block] = reduce(_pooled, (_block(each, own) for each in bins), [])
    return tuple(
        Point(confidence, block.chance, number, _doubt(block.chance, block.weight))
        for number, block in enumerate(blocks)
        for confidence in block.confidences
    )


def _block(each: ConfidenceBin, own: float) -> _Block:
    """A bin by itself, in which each vehicle's confidence counts as `own` labels."""
    weight = each.labelled + own * each.count
    return _Block((mean_confidence(each),), weight, each.right + own * each.confidence_sum)


def _pooled(blocks: list[_Block], last: _Block) -> list[_Block]:
    """Add a block to others of rising chances, and pool it with those before it as long as they are no lower."""
    while blocks and blocks[-1].chance >= last.chance:
        before = blocks.pop()
        last = _Block(before.confidences + last.confidences, before.weight + last.weight, before.right + last.right)
    return [*blocks, last]


def _between(points: Sequence[Point], confidence: float) -> Point:
    """The nearest point, moved along the straight line to its neighbour; beyond the ends, as much as the confidence."""
    place = bisect_left(points, confidence, key=lambda point: point.confidence)
    around = points[max(0, place - 1) : place + 1]
    nearest = min(around, key=lambda point: abs(point.confidence - confidence))
    moved = nearest.chance + (confidence - nearest.confidence) * _slope(around)
    return replace(nearest, confidence=confidence, chance=_clipped(moved))


def _slope(around: Sequence[Point]) -> float:
    if len(around) == 1:
        return 1.0
    before, after = around
    return (after.chance - before.chance) / (after.confidence - before.confidence)


def _taken_at_its_word(confidence: float) -> Point:
    return Point(confidence, _clipped(confidence), 0, _doubt(_clipped(confidence), PSEUDO_LABELS))


def _doubt(chance: float, labels: float) -> float:
    wrong = (1 - chance + UNSEEN / labels) / (1 + UNSEEN / labels)
    return math.sqrt(wrong * (1 - wrong) / labels)


def _clipped(chance: float) -> float:
    return min(max(chance, 1 - SUREST), SUREST)


def _gain(stake: float, outcomes: Sequence[Outcome]) -> float:
    """The logarithm of what a bettor's wealth is multiplied by, who bets `stake` times a chance."""
    return math.fsum(_gain_on(min(stake, MOST_LOST / (1 - each.chance)), each) for each in outcomes)


def _gain_on(stake: float, each: Outcome) -> float:
    return each.right * math.log1p(-stake * (1 - each.chance)) + each.wrong * math.log1p(stake * each.chance)


def _decided(evidence: Evidence) -> Evidence:
    if evidence.is_broken or evidence.log_e < ENOUGH:
        return evidence
    return replace(evidence, broken_at=evidence.labelled)
