"""One signal of one camera, watched: from its values to findings.

    value ─► scaled, less what is usual, in units ─► Detector ─► Change ─► Finding, until it is over

A finding's life:

    begun ──► lasts ──┬──► over: the newest values are more than half way back
                      ├──► over: it has lasted for a week, and is what is usual now
                      └──► over, and another one begins: it has become much worse

While it lasts, little is learnt of what is usual, and no other one begins; only one that does no harm gives way to one
that does.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from operator import attrgetter
from typing import Any, Final, Literal, NamedTuple, Self

from monitor.drift import Change, Detector, SnapshotError
from monitor.usual import Habit, Usual
from monitor.windows import span_us
from schemas.records import Finding
from schemas.times import from_us

Harm = Literal["falling", "rising", "either", "neither"]

BACK: Final = 0.5
"Of the way from before to after: a finding is over when the newest values are nearer to before."
MUCH: Final = 2.0
"Likewise: another one begins when they are this far."
CONCEDED: Final = 3
"Newest values whose mean suffices where another signal of the same pictures has changed …"
PLAIN: Final = 1.0
"… by so many units."
LONGEST: Final = timedelta(days=7)
"What has lasted so long is usual."
USUAL_NOW: Final = "it has lasted for a week and counts as usual from now on"
SPREADS: Final = 2.0
"Standard deviations of what is usual that are a unit, where they are more than the signal's own."


@dataclass(frozen=True, slots=True)
class Signal:
    """What is watched."""

    name: str
    "As in a finding."
    unit: float
    "How far it moves by chance, or with ordinary weather: the detector sees multiples of it."
    harm: Harm
    "The direction that harms."
    detector: type[Detector]
    "What finds its changes."
    habit: type[Habit]
    "What is known of it by the time of day."
    memory: int
    "How many values tell where it has come to, while a finding lasts: few where each says much."
    offset: float | None = None
    "It is watched as the logarithm of value + offset; None: as it is."
    edges: tuple[float, float, int] = (0.0, 1.0, 20)
    "Where its buckets by day begin and end, on the scale that it is watched on, and how many there are."

    def scaled(self, value: float) -> float:
        """The value as it is watched."""
        return value if self.offset is None else math.log(max(value, 0.0) + self.offset)

    def unscaled(self, level: float) -> float:
        """The value that is watched as this."""
        return level if self.offset is None else math.exp(level) - self.offset

    def bucket(self, value: float) -> int:
        """Which of its buckets a value is in; what is beyond them is in the first or the last."""
        low, high, count = self.edges
        return min(max(int((self.scaled(value) - low) / (high - low) * count), 0), count - 1)

    def harms(self, change: float) -> bool:
        """Whether a change of that sign does harm."""
        return self.harm in ("either", "rising" if change > 0 else "falling")


class Look(NamedTuple):
    """A value when it comes."""

    at_us: int
    "Its time, microseconds since 1970."
    value: float
    "The value."
    camera_id: str
    "The camera."
    example: str | None
    "The frame that it is of."


@dataclass(slots=True)
class Lasting:
    """A finding that is not over."""

    since_us: int
    "When it began, as far as can be told."
    found_us: int
    "When it was found."
    low: float
    "Units from what is usual, before."
    high: float
    "Likewise, since."
    before: float
    "The signal before."
    after: float
    "The signal since."
    samples: int
    "Values that prove it."
    worse: bool
    "Whether it does harm."
    example: str | None
    "A frame that shows it."
    count: int = 0
    "Values after that at which it was found."
    level: float = 0.0
    "Their mean, in units; an exponentially weighted one when they are many."

    def add(self, moved: float, memory: int) -> None:
        """Take a value's units from what is usual."""
        self.count += 1
        self.level = round(self.level + (moved - self.level) / min(self.count, memory), 6)

    @property
    def share(self) -> float:
        """How far the newest values are on the way from before (0) to since (1)."""
        return (self.level - self.low) / (self.high - self.low)


_lasting_parts = attrgetter(*Lasting.__slots__)


class Watch:
    """One signal of one camera."""

    def __init__(self, signal: Signal, note: str = "") -> None:
        """Know nothing yet; `note` says in each finding what its numbers do not."""
        self.signal = signal
        self._note = note
        self._detector = signal.detector()
        self._habit = signal.habit()
        self._lasting: Lasting | None = None
        self._recent: list[tuple[int, float]] = []
        self._last_us = -1

    @property
    def lasts(self) -> bool:
        """Whether a finding is not over."""
        return self._lasting is not None

    def add(self, look: Look) -> tuple[Finding, ...]:
        """Take a value, unless it is none, or older than the last: detectors see event-time order."""
        if look.at_us <= self._last_us or not math.isfinite(look.value):
            return ()
        self._last_us = look.at_us
        level, usual = self.signal.scaled(look.value), self._habit.at(look.at_us)
        self._habit.learn(look.at_us, level, strange=self.lasts)
        if usual is None:
            return ()
        moved = (level - usual.level) / self._unit(usual)
        self._recent = [*self._recent, (look.at_us, round(moved, 4))][-CONCEDED:]
        return (*self._followed(look, usual, moved), *self._found(look, usual, moved))

    def concede(self, look: Look) -> tuple[Finding, ...]:
        """Find a change on less proof, because another signal of the same pictures has changed: one fault moves several."""
        usual = self._habit.at(look.at_us)
        if usual is None or self._lasting or len(self._recent) < CONCEDED:
            return ()
        moved = sum(moved for _, moved in self._recent) / CONCEDED
        if abs(moved) < PLAIN or not self.signal.harms(moved):
            return ()
        return (self._begun(look, usual, Change(0.0, moved, CONCEDED, self._recent[0][0])),)

    @property
    def is_harmed(self) -> bool:
        """Whether a finding that does harm is not over."""
        return self._lasting is not None and self._lasting.worse

    def _unit(self, usual: Usual) -> float:
        return max(self.signal.unit, SPREADS * usual.spread)

    def _followed(self, look: Look, usual: Usual, moved: float) -> tuple[Finding, ...]:
        """What has become of the finding that lasts."""
        lasting = self._lasting
        if lasting is None:
            return ()
        lasting.add(moved, self.signal.memory)
        if look.at_us - lasting.found_us >= span_us(LONGEST):
            return (self._accepted(look, lasting),)
        if lasting.count < self.signal.memory:
            return ()
        return self._compared(look, usual, lasting)

    def _accepted(self, look: Look, lasting: Lasting) -> Finding:
        self._habit = self.signal.habit()
        return self._over(look, lasting, USUAL_NOW)

    def _compared(self, look: Look, usual: Usual, lasting: Lasting) -> tuple[Finding, ...]:
        if lasting.share < BACK:
            return (self._over(look, lasting),)
        if lasting.count == self.signal.memory:
            # It was found when chance was at its side, or before it had fully come.
            lasting.high = lasting.level
        if lasting.share > MUCH:
            change = Change(lasting.low, lasting.level, self.signal.memory, look.at_us)
            return (self._over(look, lasting), self._begun(look, usual, change))
        return ()

    def _found(self, look: Look, usual: Usual, moved: float) -> tuple[Finding, ...]:
        """What the detector finds, unless something that does harm lasts."""
        lasting = self._lasting
        if lasting and lasting.worse:
            return ()
        change = self._detector.update(moved, look.at_us)
        if change is None or (lasting and not self.signal.harms(change.after - change.before)):
            return ()
        ended = (self._over(look, lasting),) if lasting else ()
        return (*ended, self._begun(look, usual, change))

    def _begun(self, look: Look, usual: Usual, change: Change) -> Finding:
        before, after = (
            self.signal.unscaled(usual.level + mean * self._unit(usual)) for mean in (change.before, change.after)
        )
        self._habit.drop()
        self._lasting = Lasting(
            since_us=change.since_us,
            found_us=look.at_us,
            low=round(change.before, 4),
            high=round(change.after, 4),
            before=round(before, 4),
            after=round(after, 4),
            samples=change.values,
            worse=self.signal.harms(change.after - change.before),
            example=look.example,
        )
        return self._finding(look.camera_id, self._lasting)

    def _over(self, look: Look, lasting: Lasting, why: str = "") -> Finding:
        self._lasting, self._detector = None, self.signal.detector()
        self._habit.drop()
        return self._finding(look.camera_id, lasting, look.at_us, why)

    def _finding(self, camera_id: str, lasting: Lasting, until_us: int | None = None, why: str = "") -> Finding:
        return Finding(
            finding_id=f"{camera_id}:{self.signal.name}:{lasting.found_us}",
            kind="drift",
            camera_id=camera_id,
            signal=self.signal.name,
            detector=self.signal.detector.name,
            since=from_us(lasting.since_us),
            found_at=from_us(lasting.found_us),
            until=None if until_us is None else from_us(until_us),
            before=lasting.before,
            after=lasting.after,
            samples=lasting.samples,
            worse=lasting.worse,
            example=lasting.example,
            note="; ".join(filter(None, (self._note, why))),
        )

    def snapshot(self) -> dict[str, Any]:
        """The whole state, as JSON; what is empty is left out."""
        state = {
            "recent": self._recent,
            "detector": self._detector.snapshot(),
            "habit": self._habit.snapshot(),
            "last_us": self._last_us,
            "lasting": self._lasting and [*_lasting_parts(self._lasting)],
        }
        return {name: value for name, value in state.items() if value}

    @classmethod
    def restored(cls, signal: Signal, plain: Mapping[str, Any], note: str = "") -> tuple[Self, str]:
        """Continue from a snapshot; and why the detector had to begin anew, empty in the ordinary case."""
        watch = cls(signal, note)
        if not plain:
            return watch, ""
        watch._last_us = plain["last_us"]
        watch._recent = [(at_us, moved) for at_us, moved in plain.get("recent", ())]
        watch._habit = signal.habit.restore(plain["habit"]) if "habit" in plain else watch._habit
        watch._lasting = Lasting(*plain["lasting"]) if "lasting" in plain else None
        try:
            watch._detector = signal.detector.restore(plain["detector"])
        except SnapshotError as error:
            return watch, str(error)
        return watch, ""
