"""Few values, plainly worse than before: a bettor beside a detector that takes its time.

value ─┬─► Adwin or HddmA ─┬─► Change    small changes, of many values
       └─► Bets ───────────┘             large ones that harm, of a dozen

A quiet road has 24 vehicles a day. ADWIN and HDDM know nothing of a signal, and so ask for dozens of values; but hardly
a confidence is near its lower end, or a share near its upper one, and of what is rare a few prove much.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import ClassVar, Self

from monitor.drift import Adwin, Change, Detector, HddmA, Snapshot, opened, sealed


@dataclass(slots=True)
class _Run:
    """Values that followed one another."""

    count: int = 0
    "How many."
    values: float = 0.0
    "Their sum."
    bad: float = 0.0
    "How bad they were, in all."
    since_us: int = -1
    "When the first one came."

    def add(self, other: "_Run") -> None:
        """Append; of MEMORY values each newer one counts for an older one."""
        kept = min(1.0, Bets.MEMORY / max(self.count, 1))
        self.count = round(kept * self.count) + other.count
        self.values = round(kept * self.values + other.values, 4)
        self.bad = round(kept * self.bad + other.bad, 4)

    @property
    def mean(self) -> float:
        """Of the values."""
        return self.values / self.count


class Bets:
    """A bettor who stakes, value by value, that they are worse than before.

    How bad a value is goes from 0 to 1. As long as the mean of that is no more than SLACK above what it was, no bet
    makes money on average; whoever has lost begins again with 1, and who owns 1 / ALPHA has proved a change. While
    nothing changes that takes 1 / ALPHA values on average or more, however they are distributed: the e-detector of
    Shin, Ramdas and Rinaldo (2023), with bets as of Waudby-Smith and Ramdas (2023). What it was is known of GRACE values
    at least, and taken for a standard error worse.
    """

    # Like Adwin's and HddmA's: at most one false alarm in 100,000 values.
    ALPHA = 1e-5
    SLACK = 0.06
    # The most that is lost by a value, as a part of what is owned.
    STAKE = 0.5
    GRACE = 30
    MEMORY = 1000

    def __init__(self, before: _Run | None = None, since: _Run | None = None, owned: float = 0.0) -> None:
        """`before` are the values of before the bets, `since` those that were bet on; `owned` is a logarithm."""
        self._before, self._since, self._owned = before or _Run(), since or _Run(), owned

    def update(self, value: float, bad: float, at_us: int) -> Change | None:
        """Bet on a value; the change that the bets prove."""
        if self._before.count < self.GRACE:
            self._before.add(_Run(1, value, bad))
            return None
        self._since.since_us = self._since.since_us if self._since.count else at_us
        self._since.add(_Run(1, value, bad))
        self._owned = round(self._owned + self._won(bad), 4)
        if self._owned >= -math.log(self.ALPHA):
            return Change(self._before.mean, self._since.mean, self._since.count, self._since.since_us)
        if self._owned <= 0:
            self._before.add(self._since)
            self._since, self._owned = _Run(), 0.0
        return None

    def _won(self, bad: float) -> float:
        share = self._before.bad / self._before.count
        error = math.sqrt(share * (1 - share) / self._before.count)
        floor = min(share + error + self.SLACK, 1.0)
        return math.log1p(self.STAKE * (bad - floor) / floor)

    def parts(self) -> list[float]:
        """The whole state, as numbers."""
        return [*astuple(self._before), *astuple(self._since), self._owned]

    @classmethod
    def of(cls, parts: Sequence[float]) -> Self:
        """Continue from such numbers."""
        return cls(_Run(*parts[:4]), _Run(*parts[4:8]), parts[8])  # type: ignore[arg-type]


class _WithBets(ABC):
    """A detector with a bettor at its side; both begin anew after a change."""

    name = ""
    SLOW: ClassVar[type[Detector]]
    "The detector that takes its time."

    def __init__(self) -> None:
        self._slow, self._bets = self.SLOW(), Bets()

    @staticmethod
    @abstractmethod
    def badness(value: float) -> float:
        """How bad a value is, 0 to 1."""

    def update(self, value: float, at_us: int) -> Change | None:
        """See Detector."""
        bet = self._bets.update(value, self.badness(value), at_us)
        change = self._slow.update(value, at_us) or bet
        if change:
            self._slow, self._bets = self.SLOW(), Bets()
        return change

    def snapshot(self) -> Snapshot:
        """See Detector."""
        return sealed(self._parameters(), [dict(self._slow.snapshot()), self._bets.parts()])

    @classmethod
    def restore(cls, snapshot: Snapshot) -> Self:
        """See Detector."""
        slow, bets = opened(snapshot, cls._parameters())
        detector = cls()
        detector._slow, detector._bets = cls.SLOW.restore(slow), Bets.of(bets)
        return detector

    @classmethod
    def _parameters(cls) -> str:
        return f"{cls.name} {Bets.ALPHA} {Bets.SLACK} {Bets.STAKE} {Bets.GRACE} {Bets.MEMORY}"


class AdwinAndBets(_WithBets):
    """Confidences, in units of a quarter."""

    name, SLOW = "adwin+bets", Adwin
    # Whatever is beyond is sure, or as unsure as a verdict between two classes can be.
    SURE, UNSURE = 3.6, 2.0

    @staticmethod
    def badness(value: float) -> float:
        """How unsure a verdict is."""
        sure, unsure = AdwinAndBets.SURE, AdwinAndBets.UNSURE
        return min(max((sure - value) / (sure - unsure), 0.0), 1.0)


class HddmAndBets(_WithBets):
    """Shares of what is bad."""

    name, SLOW = "hddm-a+bets", HddmA

    @staticmethod
    def badness(value: float) -> float:
        """The share itself."""
        return min(max(value, 0.0), 1.0)
