"""Accuracy estimated from confidences, computed anew: isotonic regression and optimisation by scipy, errors by calculus.

reference ─► isotonic regression ─► chances of a day's bins ─► the day's mix, as the likeliest one ─► accuracy
                                    │                           └─ its errors: derivatives by complex steps
                                    └► the fewest to be expected ─► bets on the labels: whether it breaks
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy import optimize, special

OWN: Final = 10.0
"Labels that a verdict's own confidences are worth."
UNSEEN: Final = 0.1
"Wrong labels that few may have missed."
CLOSEST: Final = 1e-6
"Chances are as far as this from 0 and 1."
USUAL: Final = 2.0
"Vehicles that the usual mix is worth."
TAIL: Final = 0.022
"On either side of the interval."
CAUTION: Final = 2.0
"Standard deviations by which labels must be worse."
PARTS: Final = 10_000
"That expected chances are rounded down to."
STAKES, MOST_LOST, ENOUGH = np.array([0.03, 0.1, 0.25]), 0.5, 20.0
"What bettors lose on a right vehicle of mean chance, and at most; and what they own together when something is proven."
STEP: Final = 1e-20
"In the imaginary direction, where no digits are lost."

Matrix = np.ndarray


def binned(judged: pd.DataFrame) -> pd.DataFrame:
    """Vehicles by verdict and fiftieth of confidence: how many, their mean confidence, and what labels say of them."""
    fiftieth = np.minimum((judged["confidence"] * 50).astype(int), 49)
    told = judged["truth"].notna()
    known = judged.assign(labelled=told, right=told & (judged["truth"] == judged["predicted"]))
    return known.groupby([known["predicted"], fiftieth.rename("bin")]).agg(
        n=("confidence", "size"),
        confidence=("confidence", "mean"),
        labelled=("labelled", "sum"),
        right=("right", "sum"),
    )


# What confidences are worth


@dataclass(frozen=True, slots=True)
class _Points:
    """Of one verdict, what confidences are worth."""

    confidence: Matrix
    "Rising."
    chance: Matrix
    "Of being right."
    block: Matrix
    "Those of one block share their labels."
    worth: Matrix
    "Labels and pseudo-labels of the block."

    def at(self, confidence: Matrix) -> tuple[Matrix, Matrix, Matrix]:
        """Chances along the line through the points, with the blocks and errors of the nearest; beyond, a slope of 1."""
        beyond = confidence - np.clip(confidence, self.confidence[0], self.confidence[-1])
        nearest = np.abs(self.confidence[:, None] - confidence).argmin(axis=0)
        moved = _clipped(np.interp(confidence, self.confidence, self.chance) + beyond)
        return moved, self.block[nearest], _errors(self.chance[nearest], self.worth[nearest])


def _clipped(chance: Matrix) -> Matrix:
    return np.clip(chance, CLOSEST, 1 - CLOSEST)


def _errors(chance: Matrix, labels: Any) -> Matrix:
    """Standard deviations of shares, with what few labels miss."""
    wrong = (1 - chance + UNSEEN / labels) / (1 + UNSEEN / labels)
    return np.sqrt(wrong * (1 - wrong) / labels)


def _points(bins: pd.DataFrame) -> _Points:
    own = OWN / bins["n"].sum() * bins["n"]
    labels, right = bins["labelled"] + own, bins["right"] + own * bins["confidence"]
    fitted = optimize.isotonic_regression((right / labels).to_numpy(), weights=labels.to_numpy())
    block = np.repeat(np.arange(len(fitted.weights)), np.diff(fitted.blocks))
    return _Points(bins["confidence"].to_numpy(), _clipped(fitted.x), block, fitted.weights[block])


# A day beside its reference


@dataclass(frozen=True, slots=True)
class _Groups:
    """Vehicles by verdict and bin."""

    n: Matrix
    "How many."
    verdict: Matrix
    "Places among the classes."
    truth: Matrix
    "Chance of each class, groups × classes."
    block: list[tuple[int, int]]
    "Groups of one block have their chances from the same labels."
    doubt: Matrix
    "Standard deviation of the log-odds of being right."

    def tilted(self, blocks: Sequence[tuple[int, int]], by: Matrix) -> Matrix:
        """Chances, were each block's log-odds off by so many of their standard deviations."""
        places = [blocks.index(block) for block in self.block]
        raised = np.where(
            np.arange(self.truth.shape[1]) == self.verdict[:, None], (by[places] * self.doubt)[:, None], 0
        )
        return _normal(self.truth * np.exp(raised))

    def mean(self, values: Matrix) -> Any:
        """Over vehicles."""
        return self.n @ values / self.n.sum()


def _normal(parts: Matrix) -> Matrix:
    return parts / parts.sum(axis=1, keepdims=True)


@dataclass(frozen=True, slots=True)
class Day:
    """A day's vehicles, those before it, and its mix of classes."""

    classes: list[str]
    "Sorted."
    groups: _Groups
    "The day's."
    before: _Groups | None
    "The reference's; None without one: chances stay as they are."
    mix: Matrix
    "Share of each class on the day."

    @property
    def _blocks(self) -> list[tuple[int, int]]:
        return sorted({*self.groups.block, *(self.before.block if self.before else ())})

    @property
    def right(self) -> Matrix:
        """Each group's chance of being right, in the day's mix."""
        return self._rights(self.mix, self.usual(self._level), self._level)

    @property
    def _level(self) -> Matrix:
        return np.zeros(len(self._blocks))

    @property
    def accuracy(self) -> float:
        """To be expected."""
        return float(self.groups.mean(self.right))

    def usual(self, off: Matrix) -> Matrix:
        """The reference's mix of classes."""
        known = self.before or self.groups
        return np.asarray(known.mean(known.tilted(self._blocks, off)))

    def _truths(self, mix: Matrix, usual: Matrix, off: Matrix) -> Matrix:
        tilted = self.groups.tilted(self._blocks, off)
        return _normal(tilted * (mix / usual)) if self.before else tilted

    def _rights(self, mix: Matrix, usual: Matrix, off: Matrix) -> Matrix:
        truths = self._truths(mix, usual, off)
        return truths[np.arange(len(truths)), self.groups.verdict]

    def doubt(self) -> float:
        """Variance of the accuracy, but for the vehicles' own luck: by labels, by who came on the day and before."""
        parts = (self.mix, self.usual(self._level), self._level)
        rises = _slopes(lambda *at: np.atleast_1d(self.groups.mean(self._rights(*at))), parts)
        if self.before is None:
            return float((rises[2] ** 2).sum())
        pulls = _slopes(self._imbalance, parts)
        by_mix = -np.linalg.solve(pulls[0].T, rises[0][0])
        by_usual, by_label = (rise[0] + by_mix @ pull for rise, pull in zip(rises[1:], pulls[1:], strict=True))
        by_label = by_label + by_usual @ _slopes(self.usual, (self._level,))[0]
        now = _spread(self.groups, self._truths(*parts) @ by_mix * self._weight)
        return float((by_label**2).sum() + now + _spread(self.before, self.before.truth @ by_usual))

    @property
    def _weight(self) -> float:
        """Of what is found on the day, beside what is usual."""
        n = self.groups.n.sum()
        return float(n / (n + USUAL))

    def _imbalance(self, mix: Matrix, usual: Matrix, off: Matrix) -> Matrix:
        """What a mix leads to, less itself: nothing where it is the likeliest."""
        found = self.groups.mean(self._truths(mix, usual, off))
        return np.asarray(self._weight * found + (1 - self._weight) * usual - mix)


def _slopes(of: Callable[..., Matrix], at: tuple[Matrix, ...]) -> list[Matrix]:
    """A function's derivatives by each of its arguments, results × elements."""
    return [
        np.array([of(*at[:i], x + 1j * STEP * unit, *at[i + 1 :]).imag / STEP for unit in np.eye(len(x))]).T
        for i, x in enumerate(at)
    ]


def _spread(groups: _Groups, values: Matrix) -> float:
    """Variance of a mean over vehicles, had others come by."""
    return float(groups.mean((values - groups.mean(values)) ** 2) / groups.n.sum())


def day_of(bins: pd.DataFrame, known: pd.DataFrame, cells: pd.DataFrame) -> Day:
    """A day's bins beside those of its reference, and the reference's labelled vehicles (truth, predicted)."""
    seen = {*bins.index.unique(0), *known.index.unique(0), *cells["truth"], *cells["predicted"]}
    classes = sorted(seen if len(seen) > 1 else seen | {"another class"})
    errors = np.array([_wrong(cells, name, classes) for name in classes])
    points = {name: _points(known.loc[name]) for name in known.index.unique(0)}
    groups = _groups(bins, points, classes, errors)
    if not len(known):
        return Day(classes, groups, None, np.asarray(groups.mean(groups.truth)))
    before = _groups(known, points, classes, errors)
    return Day(classes, groups, before, _likeliest(groups, np.asarray(before.mean(before.truth))))


def _wrong(cells: pd.DataFrame, predicted: str, classes: list[str]) -> Matrix:
    """What a wrong verdict truly is."""
    counts = cells.loc[cells["predicted"] == predicted, "truth"].value_counts().reindex(classes, fill_value=0)
    smooth = (counts + 1 / (len(classes) - 1)).where(counts.index != predicted, 0.0)
    return (smooth / smooth.sum()).to_numpy()


def _groups(bins: pd.DataFrame, points: dict[str, _Points], classes: list[str], errors: Matrix) -> _Groups:
    verdict = np.array([classes.index(name) for name in bins.index.get_level_values(0)])
    chance, block, off = np.hstack([_worth(points.get(name), table) for name, table in bins.groupby(level=0)])
    truth = (1 - chance)[:, None] * errors[verdict]
    truth[np.arange(len(truth)), verdict] = chance
    blocks = [(int(place), int(number)) for place, number in zip(verdict, block, strict=True)]
    return _Groups(bins["n"].to_numpy(float), verdict, truth, blocks, off / (chance * (1 - chance)))


def _worth(points: _Points | None, bins: pd.DataFrame) -> Matrix:
    """Chances, blocks and errors; of a verdict never seen, its word."""
    confidence = bins["confidence"].to_numpy()
    if points:
        return np.array(points.at(confidence))
    chance = _clipped(confidence)
    return np.array([chance, np.zeros(len(chance)), _errors(chance, OWN)])


def _likeliest(groups: _Groups, usual: Matrix) -> Matrix:
    """The mix of the largest likelihood, with Dirichlet's prior about the usual one."""

    def unlikely(logits: Matrix) -> tuple[float, Matrix]:
        mix = special.softmax(logits)
        chances = groups.truth * (mix / usual)
        told = groups.n @ np.log(chances.sum(axis=1)) + USUAL * usual @ np.log(mix)
        pull = groups.n @ _normal(chances) + USUAL * usual - (groups.n.sum() + USUAL) * mix
        return -told, -pull

    found = optimize.minimize(unlikely, np.log(usual), jac=True, method="BFGS", options={"gtol": 1e-9})
    return np.asarray(special.softmax(found.x))


# Figures


def figures(day: Day) -> dict[str, Any]:
    """The accuracy, where that of labels would lie, and the mix."""
    n, wrong = int(day.groups.n.sum()), 1 - day.right
    variance = day.groups.n @ (wrong * (1 - wrong)) + n * n * day.doubt()
    fewest, most = _likely(float(day.groups.n @ wrong), float(variance), n)
    return {
        "accuracy": day.accuracy,
        "low": min(1 - most / n, day.accuracy),
        "high": max(1 - fewest / n, day.accuracy),
        "n": n,
        "class_mix": dict(zip(day.classes, day.mix.tolist(), strict=True)),
    }


def _likely(mean: float, variance: float, n: int) -> tuple[int, int]:
    """Counts of wrong ones within the tails: binomial or negative binomial, of any real size."""
    counts = np.arange(n + 1)
    if variance > mean:
        size, share = mean * mean / (variance - mean), 1 - mean / variance
        logs = special.gammaln(size + counts) - special.gammaln(counts + 1) + counts * math.log(share)
    else:
        counts = counts[counts < mean * mean / (mean - variance) + 1]
        size, odds = mean * mean / (mean - variance), mean / variance - 1
        logs = counts * math.log(odds) - special.gammaln(counts + 1) - special.gammaln(size - counts + 1)
    chances = special.softmax(logs)
    likely = counts[np.abs(chances.cumsum() - chances / 2 - 0.5) < 0.5 - TAIL]
    return int(likely[0]), int(likely[-1])


# What labels say of it


@dataclass(frozen=True, slots=True)
class Expected:
    """The fewest that should be right, told before the day's labels count."""

    chances: "pd.Series[Any]"
    "By verdict and bin."
    mean: float
    "Of all."


def expected(bins: pd.DataFrame, day: Day, before: Expected | None = None) -> Expected:
    """As few as the reference's own uncertainty leaves possible; what was told before stands."""
    worse = 1 + CAUTION * math.sqrt(day.doubt()) / (1 - day.accuracy)
    chances = pd.Series(_down(1 - worse * (1 - day.right)), bins.index)
    if before:
        return Expected(before.chances.combine_first(chances), before.mean)
    return Expected(chances, float(_down(day.groups.mean(chances.to_numpy()))))


def _down(chance: Any) -> Any:
    return np.maximum(np.floor(chance * PARTS), 0) / PARTS


@dataclass(frozen=True, slots=True)
class Said:
    """A day's labels beside what was expected of them."""

    labelled: int
    "Vehicles."
    right: int
    "Of them."
    expected: float
    "The fewest that should be."
    gains: Matrix
    "Logarithms of what each bettor's wealth is multiplied by."


def said(bins: pd.DataFrame, told: Expected) -> Said:
    """Bets that fewer are right than is expected at the least."""
    chance = told.chances.loc[bins.index].to_numpy()
    right, wrong = bins["right"].to_numpy(), (bins["labelled"] - bins["right"]).to_numpy()
    stakes = np.minimum(STAKES[:, None] / (1 - told.mean), MOST_LOST / (1 - chance))
    gains = np.log1p(-stakes * (1 - chance)) @ right + np.log1p(stakes * chance) @ wrong
    return Said(int((right + wrong).sum()), int(right.sum()), float((right + wrong) @ chance), gains)


def breaks(days: Iterable[Said]) -> list[float]:
    """Whether the bettors have ever had enough on the way: labelled, right, expected, and labelled when they had."""
    known = list(days)
    wealth = np.exp(np.cumsum([each.gains for each in known], axis=0)).mean(axis=1)
    labelled = np.cumsum([each.labelled for each in known])
    enough = labelled[wealth >= ENOUGH]
    if not len(enough):
        return []
    return [int(labelled[-1]), sum(e.right for e in known), sum(e.expected for e in known), int(enough[0])]
