"""The signals of a camera: which are watched for drift, what each is fed, and how its values are counted by day.

confidence, flip, abstention, class-mix   of vehicles, when they have passed: frames of one vehicle resemble each
                                          other and would look like many proofs
brightness, contrast, sharpness, noise,   of whole pictures, which show a constant scene where crops show now a white
structure                                 van, now a black one; one each ten minutes: weather lasts for hours, and a
                                          picture each second of it is no thousand proofs
errors                                    of labelled vehicles, when their day closes
"""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Self

from monitor.drift import Adwin, HddmA, PageHinkley
from monitor.usual import Hours, Nothing, Scene, Shifts
from monitor.watching import USUAL_NOW, Look, Signal, Watch
from schemas.records import Finding, SignalCounts

# With confidences in units of 0.25, ADWIN sees a fall from .93 to .80 after 40 vehicles instead of 130, still without a
# false alarm in 100,000. The share of a vehicle's few frames seldom differs by more than half from its neighbour's.
CONFIDENCE: Final = Signal("confidence", 0.25, "falling", Adwin, Shifts)
FLIP: Final = Signal("flip", 0.5, "rising", HddmA, Shifts, edges=(0.0, 1.0, 10))
ABSTENTION: Final = Signal("abstention", 0.5, "rising", HddmA, Shifts, edges=(0.0, 1.0, 10))
CLASS_MIX: Final = Signal("class-mix", 1.0, "neither", HddmA, Shifts)
ERRORS: Final = Signal("errors", 1.0, "rising", HddmA, Nothing)

# What veils or lights a picture multiplies: hence logarithms. Units are what light rain, clouds and mist move the
# pictures of simulated days by; offsets keep the dark from counting double, where a grey level is a large share.
BRIGHTNESS: Final = Signal("brightness", 0.20, "either", PageHinkley, Hours, 16.0, (math.log(16), math.log(272), 16))
CONTRAST: Final = Signal("contrast", 0.25, "falling", PageHinkley, Hours, 4.0, (math.log(4), math.log(132), 16))
SHARPNESS: Final = Signal("sharpness", 0.70, "falling", PageHinkley, Hours, 20.0, (math.log(20), 10.0, 24))
NOISE: Final = Signal("noise", 0.20, "rising", PageHinkley, Hours, 0.5, (math.log(0.5), math.log(32), 16))
STRUCTURE: Final = Signal("structure", 0.20, "rising", PageHinkley, Hours)

SIGNALS: Final = (CONFIDENCE, FLIP, ABSTENTION, BRIGHTNESS, CONTRAST, SHARPNESS, NOISE, STRUCTURE, ERRORS)
"All but class-mix, of which there is one for each class."
BY_NAME: Final = {signal.name: signal for signal in (*SIGNALS, CLASS_MIX)}

PICTURE_EVERY_US: Final = 600_000_000
"Of a camera's whole pictures, one is looked at in so many microseconds."
SAMPLE_EVERY_US: Final = 60_000_000
"Likewise for what the model says of whole pictures, the gate being off."
CLASSES: Final = 8
"Classes whose share is watched: those seen first."


class PictureValues(NamedTuple):
    """What was measured of a whole picture."""

    brightness: float
    "Mean luma."
    contrast: float
    "Its standard deviation."
    sharpness: float
    "Variance of the Laplacian."
    noise: float
    "Standard deviation of the grain; 0 where it was not measured."


@dataclass(slots=True)
class Watches:
    """All signals of one camera."""

    watches: dict[str, Watch]
    "By signal."
    mix: dict[str, Watch] = field(default_factory=dict)
    "The share of each class, by class."
    scene: Scene = field(default_factory=Scene)
    "What the pictures usually show."
    slots: list[int] = field(default_factory=lambda: [-1, -1])
    "When the newest picture was looked at, and the newest one that was classified: counted in what they come in."
    reset: tuple[str, ...] = ()
    "Why a detector began anew when it was restored; empty in the ordinary case."

    @classmethod
    def fresh(cls) -> Self:
        """Nothing is known yet."""
        return cls({signal.name: Watch(signal) for signal in SIGNALS})

    def add(
        self, signal: Signal, at_us: int, value: float, camera_id: str, example: str | None = None
    ) -> tuple[Finding, ...]:
        """Take a value of a signal; what it makes begin or end."""
        return self.watches[signal.name].add(Look(at_us, value, camera_id, example))

    def see_picture(
        self, camera_id: str, frame_id: str, at_us: int, values: PictureValues, sketch: bytes
    ) -> tuple[Finding, ...]:
        """Look at a whole picture, unless one of the same ten minutes was looked at."""
        if not self._is_due(0, at_us // PICTURE_EVERY_US):
            return ()
        pairs = [(BRIGHTNESS, values.brightness), (CONTRAST, values.contrast), (SHARPNESS, values.sharpness)]
        pairs += [(NOISE, values.noise)] if values.noise else []
        found = [finding for signal, value in pairs for finding in self.add(signal, at_us, value, camera_id, frame_id)]
        return (*found, *self._see_scene(camera_id, frame_id, at_us, sketch))

    def _is_due(self, which: int, slot: int) -> bool:
        due = slot > self.slots[which]
        self.slots[which] = max(slot, self.slots[which])
        return due

    def _see_scene(self, camera_id: str, frame_id: str, at_us: int, sketch: bytes) -> tuple[Finding, ...]:
        if len(sketch) != Scene.SIZE:
            return ()
        distance = self.scene.distance(sketch)
        found = () if distance is None else self.add(STRUCTURE, at_us, distance, camera_id, frame_id)
        if any(finding.note == USUAL_NOW for finding in found):
            self.scene = Scene()
        if not self.watches[STRUCTURE.name].lasts:
            self.scene.learn(sketch)
        return found

    def see_confidence(
        self, camera_id: str, frame_id: str, at_us: int, confidence: float | None
    ) -> tuple[Finding, ...]:
        """Hear what the model says of a whole picture, once a minute; None where it abstains."""
        if not self._is_due(1, at_us // SAMPLE_EVERY_US):
            return ()
        found = self.add(ABSTENTION, at_us, float(confidence is None), camera_id, frame_id)
        return found if confidence is None else (*found, *self.add(CONFIDENCE, at_us, confidence, camera_id, frame_id))

    def see_passage(
        self,
        camera_id: str,
        frame_id: str,
        at_us: int,
        label: str | None,
        confidence: float,
        *,
        frames: int,
        dissenting: int,
        refused: int,
    ) -> tuple[Finding, ...]:
        """Hear what the model says of a vehicle that has passed.

        Args:
            camera_id: The camera.
            frame_id: A frame of the vehicle.
            at_us: When its last frame was taken, microseconds since 1970.
            label: The verdict; None where no frame was classified.
            confidence: The verdict's share of the votes.
            frames: Classified ones.
            dissenting: Those of them that disagree with the verdict.
            refused: Those beside them that the model refused.

        """
        look = Look(at_us, refused / max(frames + refused, 1), camera_id, frame_id)
        found = self.watches[ABSTENTION.name].add(look)
        if label is None:
            return found
        return (
            *found,
            *self.add(CONFIDENCE, at_us, confidence, camera_id, frame_id),
            *self.add(FLIP, at_us, dissenting / max(frames, 1), camera_id, frame_id),
            *self._see_class(label, look),
        )

    def _see_class(self, label: str, look: Look) -> tuple[Finding, ...]:
        """Count for each class whether this was one; while one of them tells of a change, only for that one."""
        if label not in self.mix and len(self.mix) < CLASSES:
            self.mix[label] = Watch(CLASS_MIX, _share_of(label))
        lasting = [name for name, watch in self.mix.items() if watch.lasts]
        for name in lasting or sorted(self.mix, reverse=True):
            found = self.mix[name].add(look._replace(value=float(name == label)))
            if found:
                return found
        return ()

    def see_error(self, camera_id: str, frame_id: str, at_us: int, wrong: bool) -> tuple[Finding, ...]:
        """Hear whether the model was wrong of a labelled vehicle."""
        return self.add(ERRORS, at_us, float(wrong), camera_id, frame_id)

    def snapshot(self) -> dict[str, Any]:
        """The whole state, as JSON."""
        return {
            **{name: watch.snapshot() for name, watch in self.watches.items()},
            CLASS_MIX.name: {name: watch.snapshot() for name, watch in self.mix.items()},
            "scene": self.scene.snapshot(),
            "slots": self.slots,
        }

    @classmethod
    def restore(cls, plain: Mapping[str, Any]) -> Self:
        """Continue from a snapshot; what cannot be restored begins anew, and `reset` says so."""
        fresh, faults = cls.fresh(), []
        for signal in SIGNALS:
            fresh.watches[signal.name], fault = _restored(signal, plain.get(signal.name))
            faults += [f"{signal.name}: {fault}"] if fault else []
        for name, held in plain.get(CLASS_MIX.name, {}).items():
            fresh.mix[name], fault = _restored(CLASS_MIX, held, _share_of(name))
            faults += [f"{CLASS_MIX.name} {name}: {fault}"] if fault else []
        if "scene" in plain:
            fresh.scene, fresh.slots = Scene.restore(plain["scene"]), [*plain["slots"]]
        fresh.reset = tuple(faults)
        return fresh


def _share_of(label: str) -> str:
    return f"the share of {label}"


def _restored(signal: Signal, plain: Mapping[str, Any] | None, note: str = "") -> tuple[Watch, str]:
    return (Watch(signal, note), "") if plain is None else Watch.restore(signal, plain, note)


@dataclass(slots=True)
class _Sums:
    """A signal's values over a day, in the making."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    buckets: Counter[int] = field(default_factory=Counter)

    def add(self, value: float, bucket: int) -> None:
        self.count, self.total, self.squares = self.count + 1, self.total + value, self.squares + value * value
        self.buckets[bucket] += 1

    def counts(self, signal: str) -> SignalCounts:
        buckets = {str(bucket): n for bucket, n in sorted(self.buckets.items())}
        return SignalCounts(signal, self.count, self.total, self.squares, buckets)


class Tallies:
    """Counts a day's values of each signal, but for structure and errors, which are judged as they come.

    Buckets are numbered along the signal's scale (see `Signal.edges`); those of class-mix are named after the classes,
    and it has no sums.
    """

    def __init__(self) -> None:
        self._sums: defaultdict[str, _Sums] = defaultdict(_Sums)
        self._classes: Counter[str] = Counter()

    def picture(self, brightness: float, contrast: float, sharpness: float, noise: float) -> None:
        """Count a whole picture; noise is 0 where it was not measured."""
        self._add(BRIGHTNESS, brightness)
        self._add(CONTRAST, contrast)
        self._add(SHARPNESS, sharpness)
        if noise:
            self._add(NOISE, noise)

    def passage(self, label: str, confidence: float, dissenting: int, frames: int, refused: int) -> None:
        """Count a vehicle: its verdict, and of its classified frames those that dissent; refused ones are beside."""
        self._classes[label] += 1
        self._add(CONFIDENCE, confidence)
        self._add(FLIP, dissenting / max(frames, 1))
        self._add(ABSTENTION, refused / max(frames + refused, 1))

    def _add(self, signal: Signal, value: float) -> None:
        self._sums[signal.name].add(value, signal.bucket(value))

    def counts(self) -> tuple[SignalCounts, ...]:
        """What was counted, sorted by signal."""
        counts = [sums.counts(name) for name, sums in self._sums.items()]
        if self._classes:
            classes = dict(sorted(self._classes.items()))
            counts.append(SignalCounts(CLASS_MIX.name, self._classes.total(), 0.0, 0.0, classes))
        return tuple(sorted(counts, key=lambda each: each.signal))
