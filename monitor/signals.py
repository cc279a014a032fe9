"""The signals of a camera that are watched for drift, and what a detector is fed of each.

confidence    of vehicles: the mean over a passage's frames, when it ends, because frames of one vehicle resemble
              each other and would look like many proofs; of whole pictures (gate off) each by itself
brightness    of whole pictures, which show a constant scene where crops show now a white van, now a black one;
              less the usual brightness of that hour, because dusk is no drift
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from monitor.drift import Adwin, Change, Detector, Snapshot, SnapshotError
from schemas.records import Drift
from schemas.times import from_us

Harm = Literal["falling", "either"]


@dataclass(frozen=True, slots=True)
class Signal:
    """What a detector watches."""

    name: str
    "`confidence` or `brightness`."
    unit: float
    "How far the signal moves by chance: the detector sees multiples of it."
    harm: Harm
    "The direction that harms the model."
    by_hour: bool
    "Whether it is compared with the same hour of earlier days."


# A quarter: with confidences in units of 0.25, ADWIN sees a fall from .93 to .80 after 67 vehicles instead of 187,
# still without a false alarm in 100,000. Brightness in units of 32 grey levels: clouds move a scene by some ten of
# them, which stays below what ADWIN can prove on a day's heartbeats; fog moves it by forty, and is found in hours.
CONFIDENCE = Signal("confidence", unit=0.25, harm="falling", by_hour=False)
BRIGHTNESS = Signal("brightness", unit=32.0, harm="either", by_hour=True)
SIGNALS = (CONFIDENCE, BRIGHTNESS)


@dataclass(slots=True)
class HourlyMean:
    """The usual value of each hour of the day (UTC), from the days before the current one."""

    WEIGHT = 0.3
    "Of the newest day."

    day: int = -1
    "The current day, counted from 1970; -1 before the first value."
    today: dict[str, list[float]] = field(default_factory=dict)
    "Sum and count of each hour so far."
    usual: dict[str, float] = field(default_factory=dict)
    "Mean of each hour seen on an earlier day."

    def add(self, at_us: int, value: float) -> float | None:
        """Count a value in; give the usual one at that hour, None when no earlier day had it."""
        hours = at_us // 3_600_000_000
        if hours // 24 != self.day:
            self._begin(hours // 24)
        hour = str(hours % 24)
        total, count = self.today.get(hour, (0.0, 0.0))
        self.today[hour] = [total + value, count + 1]
        return self.usual.get(hour)

    def _begin(self, day: int) -> None:
        for hour, (total, count) in self.today.items():
            mean, known = total / count, self.usual.get(hour)
            self.usual[hour] = mean if known is None else known + self.WEIGHT * (mean - known)
        self.today, self.day = {}, day


@dataclass(frozen=True, slots=True)
class Found:
    """A drift, and how many values prove it."""

    drift: Drift
    "The drift."
    values: int
    "Values since the change."


class Watch:
    """One signal of one camera."""

    def __init__(self, signal: Signal, detector: Detector, means: HourlyMean, last_us: int = -1) -> None:
        self.signal = signal
        self._detector = detector
        self._means = means
        self._last_us = last_us

    @classmethod
    def fresh(cls, signal: Signal) -> Self:
        """A signal of which nothing is known."""
        return cls(signal, Adwin(), HourlyMean())

    def add(self, at_us: int, value: float) -> Found | None:
        """Take a value, unless it is older than the last: detectors see event-time order."""
        if at_us <= self._last_us:
            return None
        self._last_us = at_us
        usual = self._means.add(at_us, value) if self.signal.by_hour else 0.0
        if usual is None:
            return None
        change = self._detector.update((value - usual) / self.signal.unit)
        return Found(self._drift(at_us, usual, change), change.values) if change else None

    def _drift(self, at_us: int, usual: float, change: Change) -> Drift:
        return Drift(
            signal=self.signal.name,
            detector=self._detector.name,
            detected_at=from_us(at_us),
            before=usual + change.before * self.signal.unit,
            after=usual + change.after * self.signal.unit,
            worse=self.signal.harm == "either" or change.after < change.before,
        )

    def snapshot(self) -> dict[str, Any]:
        """The whole state, as JSON."""
        means = [self._means.day, self._means.today, self._means.usual] if self.signal.by_hour else None
        return {"detector": self._detector.snapshot(), "means": means, "last_us": self._last_us}


@dataclass(slots=True)
class Watches:
    """All signals of one camera."""

    watches: dict[str, Watch]
    "By signal."
    reset: tuple[str, ...] = ()
    "Why a detector began anew when it was restored; empty in the ordinary case."

    @classmethod
    def fresh(cls) -> Self:
        """Nothing is known yet."""
        return cls({signal.name: Watch.fresh(signal) for signal in SIGNALS})

    def add(self, signal: Signal, at_us: int, value: float) -> Found | None:
        """Take a value of a signal; the drift that it proves, if any."""
        return self.watches[signal.name].add(at_us, value)

    def snapshot(self) -> dict[str, Any]:
        """The whole state, as JSON."""
        return {name: watch.snapshot() for name, watch in self.watches.items()}

    @classmethod
    def restore(cls, plain: Mapping[str, Any]) -> Self:
        """Continue from a snapshot; what cannot be restored begins anew, and `reset` says so."""
        watches, reset = {}, []
        for signal in SIGNALS:
            watch, fault = _restored(signal, plain.get(signal.name))
            watches[signal.name] = watch
            reset += [f"{signal.name}: {fault}"] if fault else []
        return cls(watches, tuple(reset))


def _restored(signal: Signal, plain: Mapping[str, Any] | None) -> tuple[Watch, str]:
    if plain is None:
        return Watch.fresh(signal), ""
    means = HourlyMean(*plain["means"]) if plain["means"] else HourlyMean()
    detector, fault = _detector(plain["detector"])
    return Watch(signal, detector, means, plain["last_us"]), fault


def _detector(snapshot: Snapshot) -> tuple[Detector, str]:
    try:
        return Adwin.restore(snapshot), ""
    except SnapshotError as error:
        return Adwin(), str(error)
