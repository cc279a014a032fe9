"""How right the model was on a day of which nobody has said a word: accuracy estimated without labels.

    day's bins ──► chance of each class, from the reference's labels      confidence-based performance estimation (CBPE)
               ──► the day's mix of classes, and the chances that go with it      Saerens, Latinne and Decaestecker 2002
               ──► accuracy, confusion, scores; an interval that holds what labels would say on 95 of 100 days

An honest confidence of .9 is right nine times in ten, so the mean of all chances is the accuracy to be expected. It is
as long as the vehicles of a class look as they did in the reference: more trucks than usual are allowed for, trucks of
a new kind are not. `judged` tests that assumption on the labels that come, soon or late.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, takewhile
from operator import mul
from typing import Any, Final, Self

from monitor.calibration import Calibrator, Evidence, Outcome, fitted, mean_confidence, merged, wagered
from monitor.metrics import confusion_of
from schemas.records import Cell, ConfidenceBin

USUAL_MIX: Final = 2.0
"Vehicles that the reference's mix of classes counts as: one vehicle does not prove a day without cars."
SETTLED: Final = 1e-8
"The largest change at which an iteration has settled."
MOST_ROUNDS: Final = 2000
TAIL: Final = 0.022
"""The chance on either side of the interval. With .025, intervals held on 94.4 of 100 days (benchmarks/estimation.py):
the variance does not know that a calibrator's blocks were chosen by the labels that fill them."""
NEGLIGIBLE: Final = 1e-12
"A count's probability, beside the mean's, below which it is left out."
CAUTION: Final = 2.0
"""Standard deviations of the reference's own uncertainty by which labels must be worse before they are evidence.

A reference of 841 labels is off by almost a point: 4,500 labels of 90 days would prove it, and nothing be broken."""
TOLD_IN: Final = 10_000
"Parts of one that chances are told in, rounded down: a model is asked for no more than it said, and less is kept of a day."
OTHER: Final = "another class"
"A second class, where only one is known."

Shares = tuple[float, ...]
"A number for each class, in the classes' order."


@dataclass(frozen=True, slots=True)
class Reference:
    """What a day is compared with: vehicles whose labels are known, and all others that were seen with them."""

    calibrator: Calibrator
    "What confidences are worth."
    bins: tuple[ConfidenceBin, ...]
    "Of all its vehicles, labelled or not."
    confusion: Mapping[tuple[str, str], int]
    "By (truth, predicted): tells, of three classes or more, what the wrong ones were. Two classes do without."

    @classmethod
    def of(cls, bins: Iterable[ConfidenceBin], cells: Iterable[Cell] = ()) -> "Reference":
        """Learn from earlier days, or from a qualification; of nothing, confidences are taken at their word."""
        known = _vehicles(bins)
        return cls(fitted(known), known, confusion_of(cells))


@dataclass(frozen=True, slots=True)
class EstimatedScores:
    """How one class probably fared."""

    label: str
    "The class."
    precision: float | None
    "Of those predicted, the share that is right; None when none was predicted."
    recall: float | None
    "Of those of this class, the share that was found; None without any."
    f1: float | None
    "Harmonic mean of both; None when the class neither came by nor was predicted."


@dataclass(frozen=True, slots=True)
class Estimate:
    """What labels would probably say of a day."""

    accuracy: float
    "To be expected of all its vehicles."
    low: float
    "Lower end of the 95 % interval for the accuracy that n labels find."
    high: float
    "Upper end."
    n: int
    "Vehicles that the interval is about: all of the day's, or as many as are labelled."
    class_mix: dict[str, float]
    "Estimated share of each class, sorted."
    confusion: dict[tuple[str, str], float]
    "Expected vehicles by (truth, predicted), of all of the day's."
    classes: tuple[EstimatedScores, ...]
    "Each class, sorted."
    breaks: str | None
    "Why it is not to be believed, with figures; None while nothing speaks against it."


@dataclass(frozen=True, slots=True)
class Expectation:
    """How many of a day's vehicles should be right at the least, told before any of their labels has counted."""

    chances: Mapping[tuple[str, int], float] = field(default_factory=dict)
    "By verdict and bin, the chance of being right that the reference leaves possible."
    mean: float = 0.0
    "Of all vehicles when it was first told."

    def snapshot(self) -> dict[str, Any]:
        """As JSON."""
        chances: dict[str, dict[str, float]] = {}
        for (predicted, place), chance in self.chances.items():
            chances.setdefault(predicted, {})[str(place)] = chance
        return {"chances": chances, "mean": self.mean}

    @classmethod
    def restore(cls, plain: Mapping[str, Any]) -> Self:
        """What a snapshot was taken of."""
        by_verdict = plain["chances"].items()
        return cls({(name, int(place)): p for name, each in by_verdict for place, p in each.items()}, plain["mean"])


UNTOLD: Final = Expectation()
"Before a day's first vehicle."


def estimate(
    bins: Iterable[ConfidenceBin],
    reference: Reference,
    evidence: Evidence | None = None,
    labelled: int | None = None,
) -> Estimate | None:
    """The accuracy to be expected of a day's vehicles, or of so many of them drawn to be labelled; None of no vehicles.

    Raises ValueError when more are labelled than there are.
    """
    known = _vehicles(bins)
    vehicles = sum(each.count for each in known)
    n = vehicles if labelled is None else labelled
    if n > vehicles:
        raise ValueError(f"{n} labelled vehicles of {vehicles}")
    if n == 0:
        return None
    return _estimate(_day(known, reference), n, _breaks(evidence) if evidence and evidence.is_broken else None)


def expectation(bins: Iterable[ConfidenceBin], reference: Reference, before: Expectation = UNTOLD) -> Expectation:
    """What is to be expected of a day's vehicles; what was told before stands, whatever the reference has learned since.

    At the least: as few as the reference leaves possible, so that a hopeful reference of few labels is no evidence. It
    must not have seen the day's labels.
    """
    known = _vehicles(bins)
    if all(_place(each) in before.chances for each in known):
        return before
    told = _expectation(known, _day(known, reference))
    return replace(before, chances=dict(sorted({**told.chances, **before.chances}.items()))) if before.chances else told


def judged(bins: Iterable[ConfidenceBin], expected: Expectation) -> Evidence:
    """What a day's labels say so far: evidence that fewer are right than was to be expected of them."""
    labelled = [each for each in _vehicles(bins) if each.labelled]
    outcomes = [Outcome(expected.chances[_place(each)], each.right, each.labelled - each.right) for each in labelled]
    return wagered(outcomes, expected.mean)


def _expectation(bins: Sequence[ConfidenceBin], day: "_Day") -> Expectation:
    worse = 1 + CAUTION * math.sqrt(_doubt(day)) / (1 - day.accuracy)
    chances = [_at_least(1 - worse * (1 - truth[group.verdict])) for group, truth in day.vehicles()]
    told = dict(zip(map(_place, bins), chances, strict=True))
    return Expectation(told, _at_least(_mean(day.groups, chances)))


def _at_least(chance: float) -> float:
    return max(0, math.floor(chance * TOLD_IN)) / TOLD_IN


def _place(each: ConfidenceBin) -> tuple[str, int]:
    return each.predicted, each.bin


@dataclass(frozen=True, slots=True)
class _Group:
    """Vehicles of one verdict and bin."""

    verdict: int
    "The class that they were called."
    n: int
    "How many."
    truth: Shares
    "The chance of each class, in the reference's mix."
    block: tuple[int, int]
    "Groups of one block have their chances from the same labels."
    doubt: float
    "Standard deviation of the log-odds of being right."


@dataclass(frozen=True, slots=True)
class _Day:
    """A day's vehicles beside the reference's."""

    classes: tuple[str, ...]
    "Sorted."
    groups: tuple[_Group, ...]
    "The day's."
    before: tuple[_Group, ...]
    "The reference's; empty: nothing is known of the usual mix, and chances stay as they are."
    usual: Shares
    "Share of each class in the reference."
    mix: Shares
    "On the day."
    truths: tuple[Shares, ...]
    "Of each group of the day, the chance of each class in the day's mix."

    @property
    def n(self) -> int:
        return _count(self.groups)

    @property
    def accuracy(self) -> float:
        return _mean(self.groups, [truth[group.verdict] for group, truth in self.vehicles()])

    def vehicles(self) -> list[tuple[_Group, Shares]]:
        return list(zip(self.groups, self.truths, strict=True))


def _estimate(day: _Day, n: int, breaks: str | None) -> Estimate:
    fewest, most = _likely(n * (1 - day.accuracy), _chance(day, n) + n * n * _doubt(day), n)
    confusion = _confusion(day)
    return Estimate(
        accuracy=day.accuracy,
        low=min(1 - most / n, day.accuracy),
        high=max(1 - fewest / n, day.accuracy),
        n=n,
        class_mix=dict(zip(day.classes, day.mix, strict=True)),
        confusion=confusion,
        classes=tuple(_scores(confusion, label) for label in day.classes),
        breaks=breaks,
    )


def _breaks(evidence: Evidence) -> str:
    n, right, expected = evidence.labelled, evidence.right, evidence.expected
    return (
        f"of {n} labelled vehicles {right} were right ({right / n:.1%}), where {expected:.1f} ({expected / n:.1%}) are"
        f" the fewest to be expected; {evidence.broken_at} labels were enough to tell"
    )


def _vehicles(bins: Iterable[ConfidenceBin]) -> tuple[ConfidenceBin, ...]:
    return tuple(each for each in merged(bins) if each.count)


def _day(bins: Sequence[ConfidenceBin], reference: Reference) -> _Day:
    classes = _classes((*bins, *reference.bins), reference.confusion)
    errors = [_errors(label, classes, reference.confusion) for label in classes]
    groups, before = (_groups(part, reference.calibrator, classes, errors) for part in (bins, reference.bins))
    known = before or groups
    usual = _shares(known, [group.truth for group in known])
    mix = _mix(groups, usual) if before else usual
    return _Day(classes, groups, before, usual, mix, _reweighted(groups, mix, usual))


def _classes(bins: Iterable[ConfidenceBin], confusion: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    seen = {each.predicted for each in bins} | {label for pair in confusion for label in pair}
    return tuple(sorted(seen if len(seen) > 1 else seen | {OTHER}))


def _errors(predicted: str, classes: Sequence[str], confusion: Mapping[tuple[str, str], int]) -> Shares:
    """What a wrong verdict truly is: shares of the other classes. One vehicle is spread over them alike."""
    alike = 1 / (len(classes) - 1)
    counts = [0.0 if label == predicted else confusion.get((label, predicted), 0) + alike for label in classes]
    return tuple(count / math.fsum(counts) for count in counts)


def _groups(
    bins: Iterable[ConfidenceBin], calibrator: Calibrator, classes: Sequence[str], errors: Sequence[Shares]
) -> tuple[_Group, ...]:
    return tuple(_group(each, calibrator, classes.index(each.predicted), errors) for each in bins)


def _group(each: ConfidenceBin, calibrator: Calibrator, verdict: int, errors: Sequence[Shares]) -> _Group:
    point = calibrator.point(each.predicted, mean_confidence(each))
    truth = [(1 - point.chance) * share for share in errors[verdict]]
    truth[verdict] = point.chance
    doubt = point.doubt / (point.chance * (1 - point.chance))
    return _Group(verdict, each.count, tuple(truth), (verdict, point.block), doubt)


def _reweighted(groups: Iterable[_Group], mix: Shares, usual: Shares) -> tuple[Shares, ...]:
    """Each group's chances in another mix of classes, by Bayes' rule."""
    ratios = [now / before for now, before in zip(mix, usual, strict=True)]
    return tuple(_normal([a * b for a, b in zip(group.truth, ratios, strict=True)]) for group in groups)


def _normal(parts: Sequence[float]) -> Shares:
    whole = sum(parts)
    return tuple([part / whole for part in parts])


def _shares(groups: Sequence[_Group], truths: Iterable[Shares]) -> Shares:
    """The share of each class among vehicles of these chances."""
    return tuple(_mean(groups, chances) for chances in zip(*truths, strict=True))


def _mix(groups: Sequence[_Group], usual: Shares) -> Shares:
    """The day's mix of classes: the one that, taken for true, is what its vehicles' chances then add up to.

    By expectation and maximisation (Saerens et al. 2002); `USUAL_MIX` is a Dirichlet prior's weight.
    """

    def added_up(mix: Shares) -> Shares:
        found = _shares(groups, _reweighted(groups, mix, usual))
        return tuple(_towards(share, prior, n) for share, prior in zip(found, usual, strict=True))

    n = _count(groups)
    return _settled(added_up, usual)


def _towards(share: float, prior: float, n: int) -> float:
    return (n * share + USUAL_MIX * prior) / (n + USUAL_MIX)


def _settled(step: Callable[[Shares], Shares], last: Shares) -> Shares:
    """Where repeating a step leads."""
    for _ in range(MOST_ROUNDS):
        last, before = step(last), last
        if max(abs(a - b) for a, b in zip(last, before, strict=True)) < SETTLED:
            break
    return last


def _doubt(day: _Day) -> float:
    """Variance of the expected accuracy, to first order: of what it rests on besides the vehicles' own luck."""
    by_mix, by_usual = _slopes(day) if day.before else (_nothing(day.usual), _nothing(day.usual))
    labels = math.fsum(effect**2 for effect in _effects(day, by_mix, by_usual).values())
    seen = _error(day.groups, [_dot(by_mix, truth) for truth in day.truths])
    return labels + seen + _error(day.before, [_dot(by_usual, group.truth) for group in day.before])


def _effects(day: _Day, by_mix: Shares, by_usual: Shares) -> Mapping[tuple[int, int], float]:
    """By how much the expected accuracy is off where a block's chance is off by its standard deviation."""
    effects: dict[tuple[int, int], float] = defaultdict(float)
    for group, truth in day.vehicles():
        tilt = _tilts(truth, _worths(group, by_mix))[group.verdict]
        effects[group.block] += group.doubt * tilt * group.n / day.n
    for group in day.before:
        tilt = _tilts(group.truth, by_usual)[group.verdict]
        effects[group.block] += group.doubt * tilt * group.n / _count(day.before)
    return effects


def _slopes(day: _Day) -> tuple[Shares, Shares]:
    """By how much the expected accuracy rises with each class's share: as found on the day, and in the reference.

    What is found shifts the mix, which shifts the chances, which shifts what is found: the slopes, too, have settled.
    """
    prior, units = USUAL_MIX / day.n, _units(len(day.classes))
    right = _tied(day, [units[group.verdict] for group in day.groups])
    ties = [_tied(day, [unit] * len(day.groups)) for unit in units]

    def pulls(slopes: Shares) -> list[float]:
        return [own + _dot(slopes, tie) for own, tie in zip(right, zip(*ties, strict=True), strict=True)]

    def raised(slopes: Shares) -> Shares:
        return tuple(pull / share / (1 + prior) for pull, share in zip(pulls(slopes), day.mix, strict=True))

    found = _settled(raised, _nothing(day.mix))
    lowered = (-pull / share for pull, share in zip(pulls(found), day.usual, strict=True))
    return found, tuple(prior * slope + lower for slope, lower in zip(found, lowered, strict=True))


def _tied(day: _Day, worths: Iterable[Shares]) -> Shares:
    """By how much the day's mean worth rises with the log-odds of each class's share."""
    return _shares(day.groups, [_tilts(truth, worth) for truth, worth in zip(day.truths, worths, strict=True)])


def _units(classes: int) -> list[Shares]:
    return [tuple(float(k == chosen) for k in range(classes)) for chosen in range(classes)]


def _nothing(shares: Shares) -> Shares:
    return (0.0,) * len(shares)


def _worths(group: _Group, slopes: Shares) -> Shares:
    """What a vehicle adds to the accuracy, were it of each class: being right, and what it says of the mix."""
    return tuple(slope + (k == group.verdict) for k, slope in enumerate(slopes))


def _tilts(truth: Shares, worths: Shares) -> Shares:
    """By how much the mean worth rises with the log-odds of each class."""
    mean = _dot(truth, worths)
    return tuple(chance * (worth - mean) for chance, worth in zip(truth, worths, strict=True))


def _chance(day: _Day, n: int) -> float:
    """Variance of how many are wrong, of n vehicles drawn to be labelled, were all chances known: Poisson's binomial.

    When all are labelled, only their luck varies; of few, also which ones are drawn.
    """
    wrong = [1 - truth[group.verdict] for group, truth in day.vehicles()]
    luck = _mean(day.groups, [chance * (1 - chance) for chance in wrong])
    left_out = 1 - (n - 1) / max(1, day.n - 1)
    return n * (luck + left_out * _variance(day.groups, wrong))


def _likely(mean: float, variance: float, n: int) -> tuple[int, int]:
    """The fewest and the most of n that are likely to be wrong: all but `TAIL` on either side, ends counted half.

    Counts of that mean and variance after Panjer (1981): binomial, Poisson or negative binomial, where each count's
    probability is a + b / count times that of the one before.
    """
    a = 1 - mean / variance
    b = mean * mean / variance - a
    middle = int(mean)
    fewer = _weights(1 / (a + b / count) for count in range(middle, 0, -1))
    weights = [*reversed(fewer), 1.0, *_weights(a + b / count for count in range(middle + 1, n + 1))]
    total = math.fsum(weights)
    halves = [(below - weight / 2) / total for below, weight in zip(accumulate(weights), weights, strict=True)]
    likely = [count for count, half in enumerate(halves, middle - len(fewer)) if TAIL < half < 1 - TAIL]
    return likely[0], likely[-1]


def _weights(ratios: Iterable[float]) -> list[float]:
    """Products of the ratios, until they no longer matter."""
    return list(takewhile(lambda weight: weight > NEGLIGIBLE, accumulate(ratios, mul)))


def _confusion(day: _Day) -> dict[tuple[str, str], float]:
    counts: dict[tuple[str, str], float] = defaultdict(float)
    for group, truth in day.vehicles():
        for label, chance in zip(day.classes, truth, strict=True):
            counts[label, day.classes[group.verdict]] += group.n * chance
    return dict(sorted(counts.items()))


def _scores(confusion: Mapping[tuple[str, str], float], label: str) -> EstimatedScores:
    right = confusion.get((label, label), 0.0)
    support = math.fsum(n for (truth, _), n in confusion.items() if truth == label)
    predicted = math.fsum(n for (_, seen), n in confusion.items() if seen == label)
    return EstimatedScores(
        label=label,
        precision=right / predicted if predicted else None,
        recall=right / support if support else None,
        f1=2 * right / (support + predicted) if support + predicted else None,
    )


def _count(groups: Iterable[_Group]) -> int:
    return sum(group.n for group in groups)


def _dot(a: Shares, b: Shares) -> float:
    return sum([x * y for x, y in zip(a, b, strict=True)])


def _mean(groups: Sequence[_Group], values: Sequence[float]) -> float:
    """The mean over vehicles of what each group has."""
    return math.fsum(group.n * value for group, value in zip(groups, values, strict=True)) / _count(groups)


def _variance(groups: Sequence[_Group], values: Sequence[float]) -> float:
    mean = _mean(groups, values)
    return _mean(groups, [(value - mean) ** 2 for value in values])


def _error(groups: Sequence[_Group], values: Sequence[float]) -> float:
    """Variance of a mean over vehicles, had others come by; 0 of no vehicles."""
    return _variance(groups, values) / _count(groups) if groups else 0.0
