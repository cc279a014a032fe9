"""Champion against challenger, label by label: a sequential test that may be looked at after every one. Pure.

    labelled vehicle ──► both right, both wrong      says nothing of who is better
                    └──► only one right              a win for it: a coin toss, were they equally good

A player bets, before each vehicle, that the challenger does better there than the champion. While the challenger is
no better, no bet makes money on average, so the player's wealth reaches 100 times what it began with, at any time at
all, with a probability of at most 1 in 100 (Ville, 1939; Robbins, 1970). That wealth is the e-value. Where it stands
against each possible difference in accuracy gives a confidence sequence: an interval that holds at all times at once
(Howard, Ramdas, McAuliffe and Sekhon, 2021; Waudby-Smith and Ramdas, 2023), so that looking after every label costs
nothing (Johari, Koomen, Pekelis and Walsh, 2017).

    low ├────────────┤ high           promote: low > 0         the challenger is better
     ·       0   margin               keep:    high < margin   it is not better by what is worth having, or labels
                                      not yet  otherwise       are used up
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

Answer = Literal["promote", "keep", "not yet"]
Slice = tuple[Literal["class", "camera"], str]
"What a part of the vehicles has in common: its true class, or its camera."

ALPHA: Final = 0.01
"""The chance of promoting a challenger that is not better, and that of calling one not worth having that is.

Of 1,000 simulated comparisons looked at after every label, challengers worse by one point or more were promoted in
none, equally good ones in 0 to 0.6 %. McNemar's test at 5 %, looked at as often, promoted 7 to 22 % of the equally good
and up to 12 % of those worse by a point (benchmarks/paired_comparison.py)."""
MARGIN: Final = 0.01
"The difference in accuracy worth a change: one point. A champion at 98.5 % leaves little more to gain."
MOST_LABELS: Final = 3000
"Labels after which the champion is kept; more may be given at any time, the error rate does not depend on it."
GUARD: Final = 0.05
"The chance that any class or camera is called worse that is not, divided among them (Bonferroni)."


@dataclass(frozen=True, slots=True)
class Bets:
    """What a player stakes: wealth is divided among several bettors, each with a share and a stake of its own."""

    stakes: tuple[float, ...]
    "The part of its wealth that each puts on every vehicle, above 0 and below 1."
    shares: tuple[float, ...]
    "The part of the wealth that each begins with; they sum to 1."


ON_BETTER: Final = Bets((0.05, 0.14, 0.35, 0.7), (0.05, 0.8, 0.1, 0.05))
"""On the challenger. A stake of .14 is the best one where models differ on a sixth of the vehicles and 3,000 labels
must tell 3 points; the larger ones are quicker where models seldom differ, the small one tells less with more labels.
With wealth spread alike over stakes from 0 to 1, a challenger 3 points above a champion at 90 %, errors independent, was
found in 79 % of the comparisons, so in 91 %. Above one at 85 % it is found in 72 %: a single look after 3,000 labels,
than which no test at this alpha is better, would find it in 86 %. Models of the same road err alike, and differ less."""
ON_NOT_BETTER: Final = Bets((0.05, 0.1, 0.2, 0.4, 0.8), (0.2, 0.2, 0.2, 0.2, 0.2))
"Against the challenger: spread alike, since nobody knows how often two models will differ."


@dataclass(frozen=True, slots=True)
class Rule:
    """When a comparison is over."""

    alpha: float = ALPHA
    "The error rate, for each of the two answers."
    margin: float = MARGIN
    "The difference in accuracy, challenger less champion, that is worth a change."
    most_labels: int = MOST_LABELS
    "Labelled vehicles after which the champion is kept."

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 0.5:
            raise ValueError(f"alpha is {self.alpha}: an error rate is above 0 and below 0.5")
        if not 0 <= self.margin < 1:
            raise ValueError(f"margin is {self.margin}: a difference in accuracy is from 0 to below 1")
        if self.most_labels < 1:
            raise ValueError(f"most_labels is {self.most_labels}: at least 1")

    @property
    def enough(self) -> float:
        """The e-value that decides, as a logarithm."""
        return float(-np.log(self.alpha))


@dataclass(frozen=True, slots=True)
class Outcome:
    """How both models did on one labelled vehicle."""

    label: str
    "Its true class."
    camera_id: str
    "The camera that saw it."
    champion_right: bool
    "Whether the champion's verdict is the true class."
    challenger_right: bool
    "Whether the challenger's is."


@dataclass(frozen=True, slots=True)
class Counts:
    """Labelled vehicles by who was right."""

    both: int = 0
    "Both models."
    champion: int = 0
    "The champion alone."
    challenger: int = 0
    "The challenger alone."
    neither: int = 0
    "Neither."

    @property
    def labels(self) -> int:
        """All of them."""
        return self.both + self.champion + self.challenger + self.neither

    @property
    def alike(self) -> int:
        """Those that say nothing of who is better."""
        return self.both + self.neither

    @property
    def difference(self) -> float:
        """Accuracy of the challenger less that of the champion; 0 without labels."""
        return (self.challenger - self.champion) / max(1, self.labels)

    def changed(self, outcome: Outcome, by: int) -> "Counts":
        """Return the counts with an outcome put in (1) or taken out (-1)."""
        name = _CELLS[outcome.champion_right, outcome.challenger_right]
        return replace(self, **{name: getattr(self, name) + by})


_CELLS: Final = {
    (True, True): "both",
    (True, False): "champion",
    (False, True): "challenger",
    (False, False): "neither",
}


@dataclass(frozen=True, slots=True)
class Decision:
    """The end of a comparison: the first time that the evidence sufficed."""

    answer: Answer
    "Promote or keep."
    labels: int
    "After how many labels."
    reason: Literal["better", "not better", "labels used up"]
    "Why."


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison so far; adding an outcome gives a new one."""

    rule: Rule = Rule()
    "When it is over."
    counts: Counts = Counts()
    "All labelled vehicles."
    slices: Mapping[Slice, Counts] = field(default_factory=dict)
    "The same by class and by camera."
    revised: int = 0
    "Outcomes that were counted, and changed or taken out when their label was corrected or taken back."
    decision: Decision | None = None
    "None while it goes on. A decision stands: what comes later adds to the counts alone."

    def with_outcome(self, outcome: Outcome) -> "Comparison":
        """Count one more vehicle, and decide if that suffices."""
        return _decided(_counted(self, outcome, 1))

    def with_revision(self, before: Outcome, after: Outcome | None) -> "Comparison":
        """Count a vehicle whose label was corrected as what it is now; no longer, where its label was taken back.

        The test's promise holds as long as nobody corrects, or takes back, more eagerly where one of the models was wrong.
        """
        without = replace(_counted(self, before, -1), revised=self.revised + 1)
        return _decided(_counted(without, after, 1) if after else without)

    def snapshot(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "rule": asdict(self.rule),
            "counts": asdict(self.counts),
            "slices": [[*name, asdict(counts)] for name, counts in self.slices.items()],
            "revised": self.revised,
            "decision": self.decision and asdict(self.decision),
        }

    @staticmethod
    def restore(plain: Mapping[str, Any]) -> "Comparison":
        """Return what a snapshot was taken of."""
        return Comparison(
            rule=Rule(**plain["rule"]),
            counts=Counts(**plain["counts"]),
            slices={(kind, name): Counts(**counts) for kind, name, counts in plain["slices"]},
            revised=plain["revised"],
            decision=plain["decision"] and Decision(**plain["decision"]),
        )


@dataclass(frozen=True, slots=True)
class SliceEvidence:
    """One class or camera."""

    kind: Literal["class", "camera"]
    "Which of the two."
    name: str
    "The class or camera."
    counts: Counts
    "Its vehicles."
    worse: bool
    "Whether the challenger is worse here, beyond chance."


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a comparison says now."""

    answer: Answer
    "What to do."
    decision: Decision | None
    "When and why it was decided; None: it is not yet."
    counts: Counts
    "All labelled vehicles."
    difference: float
    "Accuracy of the challenger less that of the champion."
    low: float
    "Lower end of the difference's confidence sequence: true at all times at once but for a chance of alpha."
    high: float
    "Upper end, likewise."
    e_better: float
    "The e-value against a challenger that is not better; 1 / alpha decides."
    e_not_better: float
    "The e-value against one that is better by the margin or more."
    labels_wanted: int | None
    "More labels until the answer, an estimate at the present rates; 0 when decided, None without labels."
    heading_for: Answer
    "The answer that those labels would give; `not yet` without labels."
    slices: tuple[SliceEvidence, ...]
    "Classes, then cameras, sorted."
    warnings: tuple[str, ...]
    "What to look at before following the answer."


def folded(comparison: Comparison, outcomes: Iterable[Outcome]) -> Comparison:
    """Add outcomes one by one, in order."""
    for outcome in outcomes:
        comparison = comparison.with_outcome(outcome)
    return comparison


def evidence(comparison: Comparison) -> Evidence:
    """Return what a comparison says now."""
    counts, rule, decision = comparison.counts, comparison.rule, comparison.decision
    low, high = confidence_sequence(counts, rule.alpha)
    slices = _slices(comparison)
    wanted, heading = _wanted(comparison)
    return Evidence(
        answer=decision.answer if decision else "not yet",
        decision=decision,
        counts=counts,
        difference=counts.difference,
        low=low,
        high=high,
        e_better=_number(log_e_better(counts.challenger, counts.champion)),
        e_not_better=_number(log_e_not_better(counts.challenger, counts.champion, counts.alike, rule.margin)),
        labels_wanted=wanted,
        heading_for=heading,
        slices=slices,
        warnings=tuple(_warnings(comparison, slices)),
    )


def log_e_better(challenger: NDArray[Any] | int, champion: NDArray[Any] | int) -> NDArray[np.float64]:
    """Return the logarithm of the e-value against `the challenger is not better`, from vehicles that one alone got.

    A mixture of likelihood ratios of coins with p = (1 + stake) / 2 to a fair one: Robbins' (1970) mixture, its prior
    a few points above one half. Arrays are taken element by element.
    """
    return log_wealth(challenger, champion, 0, 0.0, ON_BETTER)


def log_e_not_better(
    challenger: NDArray[Any] | float, champion: NDArray[Any] | float, alike: NDArray[Any] | float, margin: float
) -> NDArray[np.float64]:
    """Return the logarithm of the e-value against `the challenger is better by the margin or more`."""
    return log_wealth(champion, challenger, alike, -margin, ON_NOT_BETTER)


def log_wealth(
    wins: NDArray[Any] | float, losses: NDArray[Any] | float, draws: NDArray[Any] | float, mean: float, bets: Bets
) -> NDArray[np.float64]:
    """Return the logarithm of what a player owns who bet that a result (1, -1 or 0) exceeds `mean` on average.

    Where it does not, this is a supermartingale: each bettor's wealth is multiplied by 1 - stake + stake × (1 + result)
    / (1 + mean), as in Waudby-Smith and Ramdas (2023) with (1 + result) / 2 for their bounded observation.
    """
    stakes = np.asarray(bets.stakes)
    won, drawn = (np.log(1 - stakes + stakes * gain / (1 + mean)) for gain in (2.0, 1.0))
    lost = np.log1p(-stakes)
    parts = [
        np.log(share) + np.multiply(wins, a) + np.multiply(losses, b) + np.multiply(draws, c)
        for share, a, b, c in zip(bets.shares, won, lost, drawn, strict=True)
    ]
    return np.asarray(np.logaddexp.reduce(parts, axis=0), np.float64)


def confidence_sequence(counts: Counts, alpha: float) -> tuple[float, float]:
    """Return the ends of an interval for the difference in accuracy; each holds at all times but for a chance of alpha.

    An end is where the wealth of betting on a difference beyond it is 1 / alpha: wealth falls as the mean rises.
    """
    wins, losses, alike = counts.challenger, counts.champion, counts.alike
    return _lowest(wins, losses, alike, alpha, ON_BETTER), -_lowest(losses, wins, alike, alpha, ON_NOT_BETTER)


def _lowest(wins: int, losses: int, alike: int, alpha: float, bets: Bets) -> float:
    """Halve the interval until its end is known to a millionth."""
    enough, low, high = -np.log(alpha), -1.0 + 1e-9, 1.0
    if log_wealth(wins, losses, alike, low, bets) < enough:
        return -1.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        refuted = log_wealth(wins, losses, alike, middle, bets) >= enough
        low, high = (middle, high) if refuted else (low, middle)
    return low


def _counted(comparison: Comparison, outcome: Outcome, by: int) -> Comparison:
    slices = dict(comparison.slices)
    names: tuple[Slice, Slice] = (("class", outcome.label), ("camera", outcome.camera_id))
    for name in names:
        slices[name] = slices.get(name, Counts()).changed(outcome, by)
    return replace(comparison, counts=comparison.counts.changed(outcome, by), slices=slices)


def _decided(comparison: Comparison) -> Comparison:
    if comparison.decision is not None:
        return comparison
    return replace(comparison, decision=_decision(comparison.counts, comparison.rule))


def _decision(counts: Counts, rule: Rule) -> Decision | None:
    wins, losses = counts.challenger, counts.champion
    if log_e_better(wins, losses) >= rule.enough:
        return Decision("promote", counts.labels, "better")
    if log_e_not_better(wins, losses, counts.alike, rule.margin) >= rule.enough:
        return Decision("keep", counts.labels, "not better")
    if counts.labels >= rule.most_labels:
        return Decision("keep", counts.labels, "labels used up")
    return None


def _wanted(comparison: Comparison) -> tuple[int | None, Answer]:
    """How many more labels at the present rates: the first number of labels at which one of the tests would decide."""
    counts, rule = comparison.counts, comparison.rule
    if comparison.decision:
        return 0, comparison.decision.answer
    if counts.labels == 0:
        return None, "not yet"
    scale = np.arange(counts.labels, rule.most_labels + 1) / counts.labels
    wins, losses, alike = (scale * n for n in (counts.challenger, counts.champion, counts.alike))
    better = log_wealth(wins, losses, 0, 0.0, ON_BETTER) >= rule.enough
    not_better = log_e_not_better(wins, losses, alike, rule.margin) >= rule.enough
    decided = np.flatnonzero(better | not_better)
    if len(decided) == 0:
        return rule.most_labels - counts.labels, "keep"
    return int(decided[0]), "promote" if better[decided[0]] else "keep"


def _slices(comparison: Comparison) -> tuple[SliceEvidence, ...]:
    """Whether the challenger is worse somewhere: the same bets, on the champion."""
    present = {name: counts for name, counts in comparison.slices.items() if counts.labels}
    enough = np.log(max(1, len(present)) / GUARD)
    ordered = sorted(present.items(), key=lambda item: (item[0][0] != "class", item[0][1]))
    return tuple(
        SliceEvidence(kind, name, counts, bool(log_e_better(counts.champion, counts.challenger) >= enough))
        for (kind, name), counts in ordered
    )


def _warnings(comparison: Comparison, slices: Iterable[SliceEvidence]) -> Iterable[str]:
    for part in slices:
        if part.worse:
            yield (
                f"the challenger is worse on {part.kind} {part.name}: of {part.counts.labels} vehicles the champion"
                f" alone was right on {part.counts.champion}, the challenger alone on {part.counts.challenger}"
            )
    if comparison.revised:
        yield f"labels corrected or taken back after they were counted: {comparison.revised}"


def _number(logarithm: NDArray[np.float64]) -> float:
    """A finite e-value: JSON knows no infinity."""
    return float(np.exp(np.minimum(logarithm, 700.0)))
