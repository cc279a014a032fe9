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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple, Self

from monitor.bets import AdwinAndBets, HddmAndBets
from monitor.causes import PARTLY
from monitor.drift import HddmA, PageHinkley
from monitor.usual import Hours, Nothing, Scene, Shifts
from monitor.watching import USUAL_NOW, Look, Signal, Watch
from schemas.records import Finding, SignalCounts

# With confidences in units of 0.25, ADWIN sees a fall from .93 to .80 after 36 vehicles instead of 100, still without a
# false alarm in 100,000. Shares are watched as they are: Hoeffding's inequality is about values from 0 to 1, and in units
# of a half two refused vehicles in a row were a change.
CONFIDENCE: Final = Signal("confidence", 0.25, "falling", AdwinAndBets, Shifts, 32)
FLIP: Final = Signal("flip", 1.0, "rising", HddmAndBets, Shifts, 64, edges=(0.0, 1.0, 10))
ABSTENTION: Final = Signal("abstention", 1.0, "rising", HddmAndBets, Shifts, 64, edges=(0.0, 1.0, 10))
CLASS_MIX: Final = Signal("class-mix", 1.0, "neither", HddmA, Shifts, 64)
ERRORS: Final = Signal("errors", 1.0, "rising", HddmAndBets, Nothing, 64)

# What veils or lights a picture multiplies: hence logarithms. Units are a little less than what light rain, clouds and
# mist move the pictures of simulated days by; offsets keep the dark from counting double, where a grey level is much.
BRIGHTNESS: Final = Signal(
    "brightness", 0.20, "either", PageHinkley, Hours, 16, 16.0, (math.log(16), math.log(272), 16)
)
CONTRAST: Final = Signal("contrast", 0.25, "falling", PageHinkley, Hours, 16, 4.0, (math.log(4), math.log(132), 16))
SHARPNESS: Final = Signal("sharpness", 0.70, "falling", PageHinkley, Hours, 16, 20.0, (math.log(20), 10.0, 24))
NOISE: Final = Signal("noise", 0.20, "rising", PageHinkley, Hours, 16, 0.5, (math.log(0.5), math.log(32), 16))
STRUCTURE: Final = Signal("structure", 0.17, "rising", PageHinkley, Hours, 16)

SIGNALS: Final = (CONFIDENCE, FLIP, ABSTENTION, CLASS_MIX, BRIGHTNESS, CONTRAST, SHARPNESS, NOISE, STRUCTURE, ERRORS)
OF_PICTURES: Final = (BRIGHTNESS, CONTRAST, SHARPNESS, NOISE, STRUCTURE)
BY_NAME: Final = {signal.name: signal for signal in SIGNALS}

MIX: Final = f"{CLASS_MIX.name}:"
"With a class, the name that the watch over its share has in snapshots."
SCENE, CLASSES, PICTURES, SAMPLES = "scene", "classes", "pictures", "samples"
"Likewise of the usual scene, the classes seen, and the slots of time of the newest picture and sample looked at."

PICTURE_EVERY_US: Final = 600_000_000
"Of a camera's whole pictures, one is looked at in so many microseconds."
SAMPLE_EVERY_US: Final = 60_000_000
"Likewise for what the model says of whole pictures, the gate being off."
AS_EVER: Final = 0.1
"""A part of the scene that is no more unlike the usual one has not changed.

On the simulator's views a leaf leaves a part of .00 to .06; after a knock, the least that any part differs is .15 to .84."""
MOST_CLASSES: Final = 8
"Classes whose shares are watched: those seen first."


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


class Watches:
    """All signals of one camera; most records touch few of them, and the others stay packed."""

    def __init__(self, plain: Mapping[str, Any]) -> None:
        """`plain` is a snapshot."""
        self._packed = {**plain, CLASSES: [*plain.get(CLASSES, ())]}
        self._watches: dict[str, Watch] = {}
        self._scene: Scene | None = None
        self.reset: tuple[str, ...] = ()
        "Why detectors began anew instead of going on from their snapshot; empty in the ordinary case."

    @classmethod
    def fresh(cls) -> Self:
        """Nothing is known yet."""
        return cls({})

    @classmethod
    def restore(cls, plain: Mapping[str, Any]) -> Self:
        """Continue from a snapshot; what cannot be restored begins anew when it is used, and `reset` says so."""
        return cls(plain)

    def snapshot(self) -> dict[str, Any]:
        """The whole state, as JSON."""
        watches = {name: watch.snapshot() for name, watch in self._watches.items()}
        scene = {} if self._scene is None else {SCENE: self._scene.snapshot()}
        return dict(sorted({**self._packed, **watches, **scene}.items()))

    def add(
        self, signal: Signal, at_us: int, value: float, camera_id: str, example: str | None = None
    ) -> tuple[Finding, ...]:
        """Take a value of a signal; what it makes begin or end."""
        return self._watch(signal.name).add(Look(at_us, value, camera_id, example))

    def see_picture(
        self, camera_id: str, frame_id: str, at_us: int, values: PictureValues, sketch: bytes
    ) -> tuple[Finding, ...]:
        """Look at a whole picture, unless one of the same ten minutes was looked at."""
        if not self._is_due(PICTURES, at_us // PICTURE_EVERY_US):
            return ()
        pairs = [(BRIGHTNESS, values.brightness), (CONTRAST, values.contrast), (SHARPNESS, values.sharpness)]
        pairs += [(NOISE, values.noise)] if values.noise else []
        found = [finding for signal, value in pairs for finding in self.add(signal, at_us, value, camera_id, frame_id)]
        of_scene, in_part = self._see_scene(camera_id, frame_id, at_us, sketch)
        found += [*of_scene, *self._conceded(camera_id, frame_id, at_us)]
        return tuple(map(_partly, found) if in_part else found)

    def _conceded(self, camera_id: str, frame_id: str, at_us: int) -> Iterator[Finding]:
        """Once one signal of the pictures has changed, others that have moved plainly have changed with it."""
        known = {*self._watches, *self._packed}
        watches = [self._watch(signal.name) for signal in OF_PICTURES if signal.name in known]
        if any(watch.is_harmed for watch in watches):
            for watch in watches:
                yield from watch.concede(Look(at_us, 0.0, camera_id, frame_id))

    def _see_scene(self, camera_id: str, frame_id: str, at_us: int, sketch: bytes) -> tuple[tuple[Finding, ...], bool]:
        """What begins or ends, and whether a part of the scene is as ever."""
        if len(sketch) != Scene.SIZE:
            return (), False
        scene = self._scene = self._scene or self._restored_scene()
        distances = scene.distances(at_us, sketch)
        found = self.add(STRUCTURE, at_us, max(distances), camera_id, frame_id) if distances else ()
        if any(finding.note == USUAL_NOW for finding in found):
            scene = self._scene = Scene()
        if not self._watch(STRUCTURE.name).lasts:
            scene.learn(at_us, sketch)
        return found, min(distances, default=math.inf) < AS_EVER

    def see_confidence(
        self, camera_id: str, frame_id: str, at_us: int, confidence: float | None
    ) -> tuple[Finding, ...]:
        """Hear what the model says of a whole picture, once a minute; None where it abstains."""
        if not self._is_due(SAMPLES, at_us // SAMPLE_EVERY_US):
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
        found = self._watch(ABSTENTION.name).add(look)
        if label is None:
            return found
        return (
            *found,
            *self.add(CONFIDENCE, at_us, confidence, camera_id, frame_id),
            *self.add(FLIP, at_us, dissenting / max(frames, 1), camera_id, frame_id),
            *self._see_class(label, look),
        )

    def _see_class(self, label: str, look: Look) -> tuple[Finding, ...]:
        """Count for each class but the first whether this was one; while one's share is told of, only for that one."""
        known = self._packed[CLASSES]
        if label not in known and len(known) < MOST_CLASSES:
            known[:] = sorted([*known, label])
        watches = {each: self._watch(MIX + each) for each in known[1:]}
        lasting = [each for each, watch in watches.items() if watch.lasts]
        for each in lasting or watches:
            found = watches[each].add(look._replace(value=float(each == label)))
            if found:
                return found
        return ()

    def see_error(self, camera_id: str, frame_id: str, at_us: int, wrong: bool) -> tuple[Finding, ...]:
        """Hear whether the model was wrong of a labelled vehicle."""
        return self.add(ERRORS, at_us, float(wrong), camera_id, frame_id)

    def _is_due(self, what: str, slot: int) -> bool:
        """Whether nothing was looked at in this slot of time or a later one."""
        if slot <= self._packed.get(what, -1):
            return False
        self._packed[what] = slot
        return True

    def _watch(self, name: str) -> Watch:
        if name not in self._watches:
            signal, _, label = name.partition(":")
            note = f"the share of {label}" if label else ""
            self._watches[name], fault = Watch.restored(BY_NAME[signal], self._packed.pop(name, {}), note)
            self.reset += (f"{name}: {fault}",) if fault else ()
        return self._watches[name]

    def _restored_scene(self) -> Scene:
        return Scene.restore(self._packed.pop(SCENE)) if SCENE in self._packed else Scene()


def _partly(finding: Finding) -> Finding:
    """Of the scene it is told, when it begins to differ, that a part of it does not."""
    begun = finding.signal == STRUCTURE.name and finding.until is None
    return replace(finding, note=PARTLY) if begun else finding


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
        if math.isfinite(value):
            self._sums[signal.name].add(value, signal.bucket(value))

    def counts(self) -> tuple[SignalCounts, ...]:
        """What was counted, sorted by signal."""
        counts = [sums.counts(name) for name, sums in self._sums.items()]
        if self._classes:
            classes = dict(sorted(self._classes.items()))
            counts.append(SignalCounts(CLASS_MIX.name, self._classes.total(), 0.0, 0.0, classes))
        return tuple(sorted(counts, key=lambda each: each.signal))
