"""Slices that are worse than the rest, found day by day: at most alpha of those found are false. Pure.

    day's table of a slice ──► bets that it is worse than the rest ──► wealth, an e-value ──► e-BH over all slices
       right, n                 a player a start, as in sequences       frozen once found      k found: each has at
       rest: right, n           against the day's share of both                                least slices / (alpha k)

A slice is a part of the labelled vehicles (an hour, a camera, a class) and the rest are all others. A day's counts of
both together being given, a slice that is no worse has as many right as a random draw from them, or more: the bet is on
fewer. Whatever a day's weather does to all slices, it says nothing of one of them; nor is the rest's accuracy taken for
known. The draw is without replacement, and so closer to its mean than the coins bet against (Hoeffding, 1963): the
wealth is a supermartingale while the slice is no worse than the rest of its days.

Why e-values. Slices overlap, and all share the rest: their p-values depend on each other in ways nobody knows, under
which Benjamini and Hochberg's procedure must give up a factor of log(slices). e-BH (Wang and Ramdas, 2022) need not,
and a wealth that may be looked at every day pays nothing for 30 days, where e-LOND (Xu and Ramdas, 2024) would count
every slice anew each day: 6,000 hypotheses instead of 200. A slice's wealth is frozen on the day that it is found;
those found later are counted with it, so that each has at least slices / (alpha × all found), and the share of false
ones among all found in the horizon is at most alpha on average, on whatever day one looks (as in Fischer, Xu and
Ramdas, 2024), slices depending on each other as they like and days not. Tables are of whole days. Where labels come
late, their day and those after it are added anew: what is promised holds for each such look, not for all of them together.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Self

from monitor.statistics.intervals import difference
from monitor.statistics.sequences import log_ratio, log_sum

AT_ONCE: Final = 0.75
"""The part of a slice's unit that is bet from the first day on; the rest is spread over later days' starts.

What becomes worse later needs another 4.5 in log wealth, some 50 labels at 15 points, instead of waiting for the next
horizon."""
BETS: Final = ((0.3, 0.10), (0.9, 0.80), (1.8, 0.10))
"""By how much the accuracies bet on are below the day's, as a difference of log odds, and their parts of the wealth.

From 85 %: 81, 70 and 48 %. With the bets of `sequences.ODDS` five slices that are 15 points worse than 90 % were found
in 50 instead of 60 % of months after 100 labels, after 300 in all of them likewise."""
FOLLOWED: Final = 0.3
"The difference of log odds by which the days are told from which on a slice is worse: it notices two points and more."


@dataclass(frozen=True, slots=True)
class Plan:
    """What is promised: of slices found in a horizon, at most alpha false."""

    slices: int
    "How many slices are watched, at most: fewer are found the more it is."
    alpha: float = 0.05
    "The share of false ones among those found."
    horizon: int = 30
    "Days after which all begins anew."

    def __post_init__(self) -> None:
        if self.slices < 1:
            raise ValueError(f"slices is {self.slices}: at least 1")
        if not 0 < self.alpha < 1:
            raise ValueError(f"alpha is {self.alpha}: a share is above 0 and below 1")
        if self.horizon < 2:
            raise ValueError(f"horizon is {self.horizon}: at least 2 days")


@dataclass(frozen=True, slots=True)
class Counts:
    """Labelled vehicles of a slice and of the rest."""

    right: int = 0
    "The slice's, rightly classified."
    n: int = 0
    "The slice's."
    rest_right: int = 0
    "The rest's, rightly classified."
    rest_n: int = 0
    "The rest's."

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.right + other.right,
            self.n + other.n,
            self.rest_right + other.rest_right,
            self.rest_n + other.rest_n,
        )

    @property
    def both(self) -> float:
        """The share of right ones in slice and rest together, of which there are some."""
        return (self.right + self.rest_right) / (self.n + self.rest_n)


@dataclass(frozen=True, slots=True)
class Slice:
    """What is known of one slice in this horizon."""

    wealth: tuple[float, ...]
    "Logarithms of what the players own who have started, one for each of `BETS`."
    recent: float = 0.0
    "Log wealth of the player whose start is the best one by now."
    since: int = 0
    "That start: a day of the horizon, from 0."
    counts: Counts = Counts()
    "Since then."
    found: int | None = None
    "The day of the horizon, from 0, on which it was found; its wealth is that of this day. None: not found."


@dataclass(frozen=True, slots=True)
class Discovery:
    """A slice that is worse than the rest."""

    name: str
    "The slice."
    found: int
    "The day of the horizon, from 0, on which it was found."
    since: int
    "The day from which on the evidence is strongest."
    counts: Counts
    "Since then."
    log_e: float
    "Natural logarithm of its e-value on the day that it was found."
    gap: float
    "Accuracy of the rest less that of the slice."
    low: float
    "Lower bound of the gap at 95 %, of this slice by itself: those found are the ones where chance adds to the gap."
    high: float
    "Upper bound likewise."


@dataclass(frozen=True, slots=True)
class Search:
    """A horizon so far; adding a day gives a new one."""

    plan: Plan
    "What is promised."
    day: int = 0
    "Days of this horizon that were added."
    slices: Mapping[str, Slice] = field(default_factory=dict)
    "By name: those that had labels."

    def with_day(self, tables: Mapping[str, Counts]) -> Self:
        """Add a day's tables; where labels of an earlier day come late, it and those after it are added anew.

        Raises:
            ValueError: more slices than planned.

        """
        begun = self if self.day < self.plan.horizon else replace(self, day=0, slices={})
        names = sorted({*begun.slices, *tables})
        if len(names) > self.plan.slices:
            raise ValueError(f"{len(names)} slices: planned are {self.plan.slices} at most")
        added = {name: begun._added(name, tables.get(name, Counts())) for name in names}
        return replace(begun, day=begun.day + 1, slices=_found(added, begun.plan, begun.day))

    def discoveries(self) -> tuple[Discovery, ...]:
        """What was found in this horizon, the strongest evidence first."""
        found = [_discovery(name, part, self.plan) for name, part in self.slices.items() if part.found is not None]
        return tuple(sorted(found, key=lambda discovery: (-discovery.log_e, discovery.name)))

    def snapshot(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        slices = {name: asdict(part) for name, part in self.slices.items()}
        return {"plan": asdict(self.plan), "day": self.day, "slices": slices}

    @classmethod
    def restore(cls, plain: Mapping[str, Any]) -> Self:
        """Return what a snapshot was taken of."""
        slices = {name: _restored(part) for name, part in plain["slices"].items()}
        return cls(Plan(**plain["plan"]), plain["day"], slices)

    def _added(self, name: str, table: Counts) -> Slice:
        """What a day makes of a slice; nothing, once it is found."""
        known = self.slices.get(name) or Slice((_log(_started(self.plan, self.day)),) * len(BETS))
        if known.found is not None:
            return known
        begun = _with_start(known, self.plan, self.day)
        return _followed(_bet(begun, table), table, self.day) if table.n and table.rest_n else begun


def _with_start(part: Slice, plan: Plan, day: int) -> Slice:
    """The player of a new day joins in."""
    return replace(part, wealth=tuple(log_sum([log, _log(_part(plan, day))]) for log in part.wealth))


def _bet(part: Slice, table: Counts) -> Slice:
    """What becomes of all players' wealth on a day."""
    won = [log_ratio(table.right, table.n, table.both, odds) for odds, _ in BETS]
    return replace(part, wealth=tuple(log + gain for log, gain in zip(part.wealth, won, strict=True)))


def _followed(part: Slice, table: Counts, day: int) -> Slice:
    """Since when the evidence is strongest: what has lost is forgotten (Page's CUSUM, 1954)."""
    won = log_ratio(table.right, table.n, table.both, FOLLOWED)
    if part.recent <= 0:
        return replace(part, recent=won, since=day, counts=table)
    return replace(part, recent=part.recent + won, counts=part.counts + table)


def _found(slices: Mapping[str, Slice], plan: Plan, day: int) -> dict[str, Slice]:
    """e-BH: the most slices such that each has at least slices / (alpha × their number)."""
    before = sum(part.found is not None for part in slices.values())
    open_ = {name: log_e(part, plan, day) for name, part in slices.items() if part.found is None}
    ranked = sorted(open_.values(), reverse=True)
    enough = [_enough(plan, before + k) for k in range(1, len(ranked) + 1)]
    least = min((e for e, least in zip(ranked, enough, strict=True) if e >= least), default=math.inf)
    return {name: _marked(part, day, found=open_.get(name, -math.inf) >= least) for name, part in slices.items()}


def _marked(part: Slice, day: int, *, found: bool) -> Slice:
    return replace(part, found=day) if found else part


def log_e(part: Slice, plan: Plan, day: int) -> float:
    """The logarithm of a slice's e-value when a day is over: what its players own, and what later ones still hold."""
    owned = [math.log(share) + log for (_, share), log in zip(BETS, part.wealth, strict=True)]
    return log_sum([*owned, _log(1 - _started(plan, day + 1))])


def _enough(plan: Plan, found: int) -> float:
    return math.log(plan.slices / (plan.alpha * found))


def _part(plan: Plan, day: int) -> float:
    """What the player who starts on a day has."""
    return AT_ONCE if day == 0 else (1 - AT_ONCE) / (plan.horizon - 1)


def _started(plan: Plan, days: int) -> float:
    """What the players of so many first days have together."""
    return sum(_part(plan, day) for day in range(days))


def _log(part: float) -> float:
    """Nothing, which rounding may leave a trifle of, is the logarithm's smallest here: JSON knows no infinity."""
    return math.log(max(part, 1e-300))


def _restored(plain: Mapping[str, Any]) -> Slice:
    return Slice(**{**plain, "wealth": tuple(plain["wealth"]), "counts": Counts(**plain["counts"])})


def _discovery(name: str, part: Slice, plan: Plan) -> Discovery:
    found, counts = part.found or 0, part.counts
    low, high = difference(counts.rest_right, counts.rest_n, counts.right, counts.n)
    return Discovery(
        name=name,
        found=found,
        since=part.since,
        counts=counts,
        log_e=log_e(part, plan, found),
        gap=counts.rest_right / counts.rest_n - counts.right / counts.n,
        low=low,
        high=high,
    )
