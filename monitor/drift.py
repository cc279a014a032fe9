"""Detectors of change in a stream of numbers, kept as plain JSON between records.

value, time ──► Detector.update ──► Change(before, after, values, since_us) or None
                    │  ▲
            snapshot▼  │restore     JSON with a checksum; never pickle

Which one for what (tests/monitor/test_detectors.py holds all of them to at most one false alarm in 100,000 values):

    Adwin         knows nothing of the signal, weighs its variance, grows surer with each value: confidences
    HddmA         values within one unit, however they are distributed; fourteen numbers of state: shares, errors
    PageHinkley   ignores changes below `delta`, adds up what is beyond: signals whose usual value is known

KSWIN (Raab et al. 2020) is not among them: River's takes 1 ms a value on one core, two hundred times as long as Adwin,
gives 20 to 80 false alarms per 100,000 of N(0, 1), needs scipy, and would keep 100 values and a Mersenne twister of
625 words in each snapshot. What it alone would see, a distribution that changes and keeps its mean, is looked at day
by day in monitor.reference.
"""

import base64
import hashlib
import json
import math
import zlib
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from operator import attrgetter
from typing import Any, Protocol, Self

# Not river.drift.ADWIN, which wraps this: its package imports scikit-learn and scipy, seconds and 100 MB for nothing.
from river._river_rust.drift import AdaptiveWindowing

Snapshot = Mapping[str, str]


class SnapshotError(ValueError):
    """A detector's snapshot that this version may not restore."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a detector found."""

    before: float
    "The mean before."
    after: float
    "The mean since."
    values: int
    "On how many values the mean since rests."
    since_us: int
    "The time of the first of them, microseconds since 1970."


class Detector(Protocol):
    """Finds changes of a stream's mean, and begins anew after each."""

    name: str

    def update(self, value: float, at_us: int) -> Change | None:
        """Take the next value, in units of what the signal moves by chance; the change that it proves, if any."""

    def snapshot(self) -> Snapshot:
        """The whole state, as JSON."""

    @classmethod
    def restore(cls, snapshot: Snapshot) -> Self:
        """Continue exactly where the snapshot was taken.

        Raises:
            SnapshotError: it is damaged, or another version of River or other parameters made it.

        """


@dataclass(slots=True)
class _Block:
    """Some values that followed one another."""

    at_us: int
    "The first one's time."
    count: int = 0
    "Values."
    total: float = 0.0
    "Their sum."


_block_parts = attrgetter(*_Block.__slots__)


class Adwin:
    """ADWIN: a window that forgets its older part once the means of both parts differ provably.

    Bifet and Gavaldà, "Learning from time-changing data with adaptive windowing", SDM 2007.
    """

    name = "adwin"

    # River's default: no false alarm in 100,000 stationary confidences, however skewed.
    DELTA = 2e-3
    # Values between two looks: a camera may see only a few hundred vehicles a day.
    CLOCK = 8
    MAX_BUCKETS = 5
    # Fewer values on either side of a cut prove nothing.
    MIN_SIDE = 10
    GRACE = 30

    # Values are rounded to a 64th of a unit: sums of those have short mantissas, and a state that packs well.
    FINE = 64

    # When ADWIN finds a change, its window still holds 100 to 800 older values: the change is looked for among the
    # newest 16 blocks of values, which reach back as far as it takes to find a fall of a third of a unit.
    BLOCKS = 16

    def __init__(self) -> None:
        self._window = _empty_window()
        self._blocks: deque[_Block] = deque(maxlen=self.BLOCKS)

    def update(self, value: float, at_us: int) -> Change | None:
        """See Detector."""
        value = round(value * self.FINE) / self.FINE
        self._keep(value, at_us)
        total, width = self._window.get_total() + value, int(self._window.get_width()) + 1
        if not self._window.update(value):
            return None
        change = _likeliest(total, width, [*self._blocks])
        self._window = _empty_window()
        self._blocks.clear()
        return change

    def _keep(self, value: float, at_us: int) -> None:
        if not self._blocks or self._blocks[-1].count == self.CLOCK:
            self._blocks.append(_Block(at_us))
        block = self._blocks[-1]
        block.count, block.total = block.count + 1, block.total + value

    def snapshot(self) -> Snapshot:
        """See Detector."""
        state = base64.b64encode(zlib.compress(bytes(self._window.__getstate__()))).decode()
        blocks = [part for block in self._blocks for part in _block_parts(block)]
        return sealed(_river_and_arguments(), [state, blocks])

    @classmethod
    def restore(cls, snapshot: Snapshot) -> Self:
        """See Detector."""
        state, blocks = opened(snapshot, _river_and_arguments())
        detector = cls()
        detector._window.__setstate__(zlib.decompress(base64.b64decode(state)))
        detector._blocks.extend(_Block(*blocks[i : i + 3]) for i in range(0, len(blocks), 3))
        return detector


def _likeliest(total: float, width: int, blocks: Sequence[_Block]) -> Change:
    """The change at the block's edge that parts the window best, by least squares."""
    best, count, since = (-1.0, Change(total / width, total / width, width, blocks[0].at_us)), 0, 0.0
    for block in reversed(blocks):
        count, since = count + block.count, since + block.total
        if count < Adwin.MIN_SIDE or count >= width:
            continue
        before, after = (total - since) / (width - count), since / count
        gain = (after - before) ** 2 * count * (width - count)
        best = max(best, (gain, Change(before, after, count, block.at_us)), key=lambda scored: scored[0])
    return best[1]


def _empty_window() -> Any:
    return AdaptiveWindowing(
        delta=Adwin.DELTA,
        clock=Adwin.CLOCK,
        max_buckets=Adwin.MAX_BUCKETS,
        min_window_length=Adwin.MIN_SIDE,
        grace_period=Adwin.GRACE,
    )


@cache
def _river_and_arguments() -> str:
    """River's Rust parts abort on bytes of another layout, so none may reach them."""
    return f"River {version('river')} {json.dumps(_empty_window().__getnewargs__())}"


@dataclass(slots=True)
class _Side:
    """What has added up in one direction since it was nothing."""

    above: float = 0.0
    "Sum of the steps since."
    count: int = 0
    "Values since."
    total: float = 0.0
    "Their sum."
    since_us: int = -1
    "The first one's time."

    def add(self, step: float, value: float, at_us: int) -> float:
        """Take a step; what has added up."""
        if not self.count:
            self.since_us = at_us
        self.above, self.count, self.total = self.above + step, self.count + 1, self.total + value
        if self.above < 0:
            self.above, self.count, self.total = 0.0, 0, 0.0
        return self.above

    def change(self, count: int, mean: float, limit: float = math.inf) -> Change:
        """The change since then, in a stream of so many values with this mean, none counted as beyond the limit."""
        after = self.total / self.count
        before = (count * mean - self.count * _within(after, limit)) / (count - self.count)
        return Change(before, after, self.count, self.since_us)


def _within(value: float, limit: float) -> float:
    return min(max(value, -limit), limit)


_side_parts = attrgetter(*_Side.__slots__)


@dataclass(slots=True)
class _Mean:
    """The mean of a stream's first values."""

    count: int = 0
    "Values."
    mean: float = 0.0
    "Their mean."

    def bound(self) -> float:
        """How far the true mean may be from this one."""
        return math.sqrt(math.log(1 / HddmA.CONFIDENCE) / (2 * self.count)) if self.count else math.inf

    def is_beyond(self, other: "_Mean", sign: int) -> bool:
        """Whether it is provably above (1) or below (-1) the mean of fewer of the values."""
        count = self.count - other.count
        if not count:
            return False
        allowed = math.sqrt(count / other.count / self.count / 2 * math.log(2 / HddmA.CONFIDENCE))
        return sign * (self.mean - other.mean) >= allowed


class HddmA:
    """HDDM_A: holds the mean against the lowest and the highest that it ever was, by Hoeffding's inequality.

    Frías-Blanco et al., "Online and non-parametric drift detection methods based on Hoeffding's bounds", IEEE
    Transactions on Knowledge and Data Engineering 27(3), 2015; step for step as River's `HDDMA(two_sided_test=True)`.
    When the change began it does not tell, for the mean may have been lowest long before: that is looked for beside it.
    """

    name = "hddm-a"

    # How often chance alone may seem a change. The paper's 1e-3 gives 2.5 false alarms per 100,000 tosses of a coin,
    # this one 0.5; errors that rise from .1 to .3 are found after about 150 values instead of 100.
    CONFIDENCE = 1e-4
    # What is no change, in units, when its beginning is looked for.
    SLACK = 0.1

    def __init__(self) -> None:
        self._all, self._low, self._high = _Mean(), _Mean(), _Mean()
        self._rise, self._fall = _Side(), _Side()

    def update(self, value: float, at_us: int) -> Change | None:
        """See Detector."""
        count = self._all.count + 1
        self._all = _Mean(count, self._all.mean + (value - self._all.mean) / count)
        self._follow()
        beyond = value - self._all.mean
        self._rise.add(beyond - self.SLACK, value, at_us)
        self._fall.add(-beyond - self.SLACK, value, at_us)
        if self._all.is_beyond(self._low, 1):
            return self._changed(self._low, self._rise, at_us)
        return self._changed(self._high, self._fall, at_us) if self._all.is_beyond(self._high, -1) else None

    def _follow(self) -> None:
        """Keep where the mean was surely lowest, and surely highest."""
        now, bound = self._all, self._all.bound()
        if self._low.mean + self._low.bound() >= now.mean + bound:
            self._low = now
        if self._high.mean - self._high.bound() <= now.mean - bound:
            self._high = now

    def _changed(self, cut: _Mean, side: _Side, at_us: int) -> Change:
        """What has changed; what creeps less than SLACK beyond the mean adds up to nothing, and has no beginning."""
        crept = Change(cut.mean, self._all.mean, 1, at_us)
        change = side.change(self._all.count, self._all.mean) if side.count else crept
        self._all, self._low, self._high = _Mean(), _Mean(), _Mean()
        self._rise, self._fall = _Side(), _Side()
        return change

    def snapshot(self) -> Snapshot:
        """See Detector."""
        means = [part for mean in (self._all, self._low, self._high) for part in (mean.count, mean.mean)]
        return sealed(str(self.CONFIDENCE), [*means, *_side_parts(self._rise), *_side_parts(self._fall)])

    @classmethod
    def restore(cls, snapshot: Snapshot) -> Self:
        """See Detector."""
        parts = opened(snapshot, str(cls.CONFIDENCE))
        detector = cls()
        detector._all, detector._low, detector._high = (_Mean(*parts[i : i + 2]) for i in (0, 2, 4))
        detector._rise, detector._fall = _Side(*parts[6:10]), _Side(*parts[10:])
        return detector


class PageHinkley:
    """Page-Hinkley: adds up how far values are beyond their mean, each less `DELTA`, until it is too much.

    Page, "Continuous inspection schemes", Biometrika 41, 1954; step for step as River's `PageHinkley` (with a `PRIOR`
    of 0), without its forgetting of sums (`alpha`): in the long run that forgets `DELTA` too, and gives 60 false
    alarms per 100,000 of N(0, 1).
    """

    name = "page-hinkley"

    # What is no change, and what adds up to one, in units.
    DELTA = 0.8
    THRESHOLD = 12.0
    # How many values the belief is worth that the mean is 0: three days of pictures, one each ten minutes.
    PRIOR = 432
    # Fewer values, the belief included, prove nothing.
    GRACE = 30
    # What a value counts for at most, in units: a truck before the lens for one picture is no proof.
    LIMIT = 4.0

    def __init__(self) -> None:
        self._count, self._mean = 0, 0.0
        self._rise, self._fall = _Side(), _Side()

    def update(self, value: float, at_us: int) -> Change | None:
        """See Detector."""
        self._count += 1
        weight, counted = self._count + self.PRIOR, _within(value, self.LIMIT)
        self._mean += (counted - self._mean) / weight
        beyond = counted - self._mean
        risen = self._rise.add(beyond - self.DELTA, value, at_us)
        fallen = self._fall.add(-beyond - self.DELTA, value, at_us)
        if weight < self.GRACE or max(risen, fallen) <= self.THRESHOLD:
            return None
        return self._changed(self._rise if risen >= fallen else self._fall)

    def _changed(self, side: _Side) -> Change:
        change = side.change(self._count + self.PRIOR, self._mean, self.LIMIT)
        self._count, self._mean, self._rise, self._fall = 0, 0.0, _Side(), _Side()
        return change

    def snapshot(self) -> Snapshot:
        """See Detector."""
        return sealed(self._parameters(), [self._count, self._mean, *_side_parts(self._rise), *_side_parts(self._fall)])

    @classmethod
    def restore(cls, snapshot: Snapshot) -> Self:
        """See Detector."""
        count, mean, *sides = opened(snapshot, cls._parameters())
        detector = cls()
        detector._count, detector._mean = count, mean
        detector._rise, detector._fall = _Side(*sides[:4]), _Side(*sides[4:])
        return detector

    @classmethod
    def _parameters(cls) -> str:
        return f"{cls.DELTA} {cls.THRESHOLD} {cls.PRIOR} {cls.LIMIT}"


def sealed(maker: str, state: list[Any]) -> Snapshot:
    """A snapshot that says by a checksum whether it is whole, and was made by the same code."""
    written = json.dumps(state, separators=(",", ":"))
    return {"state": written, "sum": _checksum(maker, written)}


def opened(snapshot: Snapshot, maker: str) -> Any:
    """What was sealed; raises SnapshotError where it is damaged, or made by something else."""
    state = snapshot.get("state", "")
    if snapshot.get("sum") != _checksum(maker, state):
        raise SnapshotError(f"its checksum does not match: it is damaged, or not made by {maker}")
    return json.loads(state)


def _checksum(maker: str, state: str) -> str:
    return hashlib.sha256(f"{maker}\n{state}".encode()).hexdigest()[:16]
