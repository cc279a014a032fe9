"""Faults of a camera's stream and pictures that show without looking at a single vehicle.

    frame ─┬─► its number, time, figures, classes      of every frame: some microseconds
           └─► stillness, light, size, focus, view     of whole pictures, in the order of their time
                    │
    Trouble    sound ──► suspected ──► lasting ──► over ──► …      several frames in a row for each step
                                          │         │
                                       Finding   the same, with its end

What is usual is learned from the camera itself: how far apart its heartbeats are, how bright, rich in contrast and
sharp its pictures are at each hour, and what its view looks like. During the first day, and for a day after a new view
was taken for granted, the view is only learned.
"""

import base64
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import blake2b
from typing import Any, Final, Literal, NamedTuple, Self

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from monitor.windows import span_us
from schemas.ids import parse_id
from schemas.records import CLASSIFIED, Finding, FindingKind, FrameKind
from schemas.times import from_us

Floats = NDArray[np.float64]

MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
MINUTE_US: Final = span_us(MINUTE)
DAY_US: Final = span_us(DAY)
SECOND_US: Final = 1_000_000
HOUR_US: Final = 3600 * SECOND_US

COLUMNS, ROWS = 16, 9
CELLS: Final = COLUMNS * ROWS
"Of a sketch."
WHOLE: Final[frozenset[FrameKind]] = frozenset({"heartbeat", "sample"})
"Kinds of frames that are pictures of their own; an end repeats the last one."


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame as it is checked."""

    frame_id: str
    "The frame."
    kind: FrameKind
    "Its kind."
    epoch: str
    "The run of frames."
    sequence: int
    "Its number in it."
    at_us: int
    "When it was taken, microseconds since 1970."
    brightness: float
    "Mean luma, 0 to 255."
    contrast: float
    "Standard deviation of luma, 0 to 127.5."
    sharpness: float
    "Variance of the Laplacian."
    noise: float
    "Standard deviation of the grain."
    sketch: bytes
    "16 × 9 luma of whole pictures; empty for crops, and where an older processor did not draw one."
    width: int
    "Pixels."
    height: int
    "Pixels."
    label: str | None
    "The predicted class; None for what is not classified, and where the model abstains."
    probabilities: Mapping[str, float]
    "By class; empty for what is not classified."
    model_version: str
    "The bundle that served."


# Troubles


@dataclass(frozen=True, slots=True)
class Check:
    """When something is a trouble, and when it is over."""

    signal: str
    "What the finding is called."
    unit: str
    "What is counted: frames, pictures, records."
    needed: int = 1
    "So many unsound ones in a row make it one …"
    span: timedelta = timedelta(0)
    "… if they are spread over at least so long."
    relief: int = 1
    "So many sound ones in a row end it …"
    quiet: timedelta = timedelta(0)
    "… if the last unsound one is so long ago."
    adopted: timedelta | None = None
    "After so long what was found is the new usual; None: it stays a trouble."
    kind: FindingKind = "integrity"
    "The finding's kind."


class Sign(NamedTuple):
    """What shows that something is unsound."""

    before: float
    "What is usual, or allowed."
    after: float
    "What was seen."
    note: str
    "In words."
    example: str | None = None
    "A frame that shows it."
    since_us: int | None = None
    "When it began, where that was before it showed."
    times: int = 1
    "How many frames are unsound at once."


Verdict = Sign | Literal["sound", "unclear"]
"What a check says of one frame: what is unclear changes nothing."


@dataclass(slots=True)
class Told:
    """A finding without its camera."""

    since_us: int
    found_us: int
    until_us: int | None
    before: float
    after: float
    samples: int
    example: str | None
    note: str


@dataclass(slots=True)
class Trouble:
    """What one check has seen."""

    check: Check
    "When it is one."
    run: int = 0
    "Unsound frames since it is suspected."
    since_us: int = -1
    "When that began."
    last_us: int = -1
    "The last of them."
    sound: int = 0
    "Sound frames in a row since then."
    sound_us: int = -1
    "The first of those."
    told: Told | None = None
    "The last finding."

    @property
    def lasts(self) -> bool:
        """Whether it was found and is not over."""
        return self.told is not None and self.told.until_us is None

    def take(self, at_us: int, verdict: Verdict) -> bool:
        """Take what a frame says; whether there is a new finding, or the end of one."""
        if isinstance(verdict, Sign):
            return self.unsound(at_us, verdict)
        return verdict == "sound" and self.relieve(at_us)

    def unsound(self, at_us: int, sign: Sign) -> bool:
        """Take a frame that shows it; whether it is found."""
        if not self.run:
            self.since_us = at_us if sign.since_us is None else sign.since_us
        self.run += sign.times
        self.last_us, self.sound = at_us, 0
        if self.lasts or self.run < self.check.needed or at_us - self.since_us < span_us(self.check.span):
            return False
        self.told = Told(self.since_us, at_us, None, *sign[:2], self.run, sign.example, sign.note)
        return True

    def relieve(self, at_us: int) -> bool:
        """Take a frame that is sound; whether the trouble is over."""
        if not self.lasts:
            self.run = 0
            return False
        self.sound_us = self.sound_us if self.sound else at_us
        self.sound += 1
        if self.sound < self.check.relief or at_us - self.last_us < span_us(self.check.quiet):
            return False
        self.end(self.sound_us)
        return True

    def passed(self, since_us: int, until_us: int, sign: Sign) -> bool:
        """Take what is known only now that it is over."""
        self.told = Told(since_us, until_us, until_us, *sign[:2], sign.times, sign.example, sign.note)
        return True

    def is_outlasted(self, at_us: int) -> bool:
        """Whether it has lasted until it is the new usual."""
        adopted = self.check.adopted
        return self.lasts and adopted is not None and at_us - self.since_us >= span_us(adopted)

    def end(self, until_us: int, why: str = "") -> None:
        """It is over."""
        if self.told:
            total = f"; in all {self.run} {self.check.unit}" if self.run > self.told.samples else ""
            self.told.until_us, self.told.samples = until_us, max(self.run, self.told.samples)
            self.told.note += total + why
        self.run = self.sound = 0

    def finding(self, camera_id: str) -> Finding:
        """The last finding, as it is known now."""
        told, signal = self.told, self.check.signal
        if told is None:
            raise ValueError(f"nothing was found of {signal}")
        return Finding(
            finding_id=f"{camera_id}:{signal}:{told.since_us}",
            kind=self.check.kind,
            camera_id=camera_id,
            signal=signal,
            detector="rule",
            since=from_us(told.since_us),
            found_at=from_us(told.found_us),
            until=None if told.until_us is None else from_us(told.until_us),
            before=told.before,
            after=told.after,
            samples=told.samples,
            worse=True,
            example=told.example,
            note=told.note,
        )

    def snapshot(self) -> list[Any] | None:
        """As plain JSON; None while there is nothing to remember."""
        if not self.run and not self.lasts:
            return None
        told = [getattr(self.told, name) for name in Told.__slots__] if self.lasts else None
        return [self.run, self.since_us, self.last_us, self.sound, self.sound_us, told]

    @classmethod
    def restore(cls, check: Check, plain: list[Any] | None) -> Self:
        """Continue from a snapshot."""
        if plain is None:
            return cls(check)
        run, since_us, last_us, sound, sound_us, told = plain
        return cls(check, run, since_us, last_us, sound, sound_us, Told(*told) if told else None)


# What shows in every frame is over an hour after the last one that showed it, so that a bad hour is one finding.
# A frame that comes late is no missing one: a gap is told when this many more frames have come.
SETTLE = 4
GAP = Check("gap", "frames", quiet=HOUR)
REPEAT = Check("repeat", "frames", quiet=HOUR)
DISORDER = Check("disorder", "frames", quiet=HOUR)
VALUES = Check("values", "frames", quiet=HOUR)
LABELS = Check("labels", "frames", quiet=HOUR)
CLOCK = Check("clock", "frames", quiet=HOUR)
# Known when the next frame comes: see Pace for how long a pause must be.
STALLED = Check("stalled", "frames")
# Ten heartbeats in a row are no traffic jam on the way; after a day it is how somebody has set the camera.
RATE = Check("rate", "heartbeats", needed=10, relief=10, adopted=DAY)
# Sensors have noise: equal figures of three pictures mean that it is one picture. A minute, because a gate that pushes
# each picture may read a video whose still parts are coded as unchanged.
FROZEN = Check("frozen", "pictures", needed=3, span=MINUTE)
# Three, because headlights and passing lorries blind or cover a camera for one picture, seldom for two.
BLACK = Check("black", "pictures", needed=3, relief=3)
BLOWN_OUT = Check("blown-out", "pictures", needed=3, relief=3)
SIZE = Check("size", "pictures", needed=2, relief=2, adopted=DAY)
# Dew on the glass dries within the hour: a lens that is out of focus stays so. A week, for one that was exchanged.
BLURRED = Check("blurred", "pictures", needed=4, span=10 * MINUTE, relief=4, adopted=7 * DAY)
# Ten minutes, because a lorry may stop before the camera.
MOVED = Check("moved", "pictures", needed=4, span=10 * MINUTE, relief=4, adopted=DAY)

EVENTS: Final = (GAP, REPEAT, DISORDER, VALUES, LABELS, CLOCK)
"Checks of single frames, which end by the time that passes without them."


# What is usual


@dataclass(slots=True)
class Pace:
    """How far apart signs of life usually are: seconds covered by intervals of each log-spaced length.

    Weighed by the time that they cover, because a camera may send often on busy days and seldom at night.
    """

    RATIO = 1.1
    "Between two lengths."
    KEPT = 3 * 86_400
    "Seconds, after which what is older counts half."
    KNOWN = 20
    "Intervals that make a pace."
    LONG = (2 * MINUTE_US, 30 * MINUTE_US)
    "A pause that is shorter is none; on the first day, which may not have seen the night's pace, the second holds."
    STALL, STALL_SLOWEST = 5, 3
    "A pause is so many times the median, and so many times what 95 % of the time keeps to."
    CHANGE = 1.7
    "An interval is twice or half as long as the usual ones, less what the buckets and the camera's clock are off."

    since_us: int = -1
    "The first sign of life."
    intervals: int = 0
    "How many were counted."
    covered: dict[int, int] = field(default_factory=dict)
    "Seconds by bucket."

    def learn(self, interval_us: int) -> None:
        """Count an interval in."""
        bucket = round(math.log(max(interval_us / SECOND_US, 1e-3), self.RATIO))
        self.covered[bucket] = self.covered.get(bucket, 0) + max(1, interval_us // SECOND_US)
        self.intervals += 1
        if sum(self.covered.values()) > self.KEPT:
            self.covered = {bucket: seconds // 2 for bucket, seconds in self.covered.items() if seconds > 1}

    def usual_s(self, share: float) -> float:
        """The length that so much of the time keeps to, seconds."""
        wanted, seen = share * sum(self.covered.values()), 0
        for bucket, seconds in sorted(self.covered.items()):
            seen += seconds
            if seen >= wanted:
                return round(self.RATIO**bucket, 3)
        return 0.0

    def is_stall(self, pause_us: int, at_us: int) -> bool:
        """Whether a pause that ends then is much longer than usual."""
        if pause_us <= self.LONG[at_us - self.since_us < DAY_US] or self.intervals < self.KNOWN:
            return False
        return pause_us > SECOND_US * max(self.STALL * self.usual_s(0.5), self.STALL_SLOWEST * self.usual_s(0.95))

    def is_changed(self, interval_us: int, at_us: int) -> bool:
        """Whether an interval that ends then is not one of the usual ones; nobody knows on the first day."""
        if at_us - self.since_us < DAY_US or self.intervals < self.KNOWN:
            return False
        interval = interval_us / SECOND_US
        return interval > self.CHANGE * self.usual_s(0.95) or interval * self.CHANGE < self.usual_s(0.05)

    def snapshot(self) -> list[Any]:
        """As plain JSON."""
        return [self.since_us, self.intervals, {str(bucket): n for bucket, n in self.covered.items()}]

    @classmethod
    def restore(cls, plain: list[Any]) -> Self:
        """Continue from a snapshot."""
        since_us, intervals, covered = plain
        return cls(since_us, intervals, {int(bucket): n for bucket, n in covered.items()})


@dataclass(slots=True)
class Hourly:
    """What some figures usually are at each hour of the day (UTC), from the days before the current one.

    A day moves the usual by 0.3 of how far it was off, of which no more than `reach` counts: a day of fog or fever
    leaves little behind.
    """

    WEIGHT = 0.3

    reach: float
    "In the figures' unit."
    hour: int = -1
    "The current hour, counted from 1970; -1 before the first figures."
    count: int = 0
    "Of figures in it."
    sums: list[float] = field(default_factory=list)
    "Their sums."
    usual: dict[int, list[float]] = field(default_factory=dict)
    "By hour of the day."

    def at(self, at_us: int) -> list[float] | None:
        """The usual figures of that hour; None when no earlier day had it."""
        self._turn(at_us // HOUR_US)
        return self.usual.get(self.hour % 24)

    def learn(self, at_us: int, *values: float) -> None:
        """Count figures in."""
        self._turn(at_us // HOUR_US)
        self.sums = [total + value for total, value in zip(self.sums or [0.0] * len(values), values, strict=True)]
        self.count += 1

    def _turn(self, hour: int) -> None:
        if hour == self.hour:
            return
        if self.count:
            means = [total / self.count for total in self.sums]
            usual = self.usual.get(self.hour % 24, means)
            self.usual[self.hour % 24] = [
                round(known + self._step(mean - known), 4) for known, mean in zip(usual, means, strict=True)
            ]
        self.hour, self.count, self.sums = hour, 0, []

    def _step(self, off: float) -> float:
        return self.WEIGHT * min(max(off, -self.reach), self.reach)

    def snapshot(self) -> list[Any]:
        """As plain JSON."""
        return [self.hour, self.count, self.sums, {str(hour): values for hour, values in self.usual.items()}]

    @classmethod
    def restore(cls, reach: float, plain: list[Any]) -> Self:
        """Continue from a snapshot."""
        hour, count, sums, usual = plain
        return cls(reach, hour, count, sums, {int(hour): values for hour, values in usual.items()})


@dataclass(frozen=True, slots=True)
class Likeness:
    """How like the usual view a picture is."""

    match: float
    "Correlation with the most similar of the sketches that are kept."
    index: int
    "Which that is."


class View:
    """What a camera usually sees: a handful of sketches, as different as day and night.

    Each follows its scene as an approximate running median (McFarlane and Schofield, "Segmentation and tracking of
    piglets in images", 1995): one grey level towards each picture that resembles it, so that vehicles leave no trace.
    """

    KEPT = 5
    "Sketches: day, night, dusk, and two for sun and snow."
    SAME = 0.85
    "A picture that is less like all of them may be one of its own."
    HITS = 4000
    "Of a sketch, when those of all are halved."

    def __init__(self, since_us: int = -1, references: tuple[tuple[bytes, int], ...] = ()) -> None:
        """`since_us` is when it began to learn; each reference is a sketch and how many pictures resembled it."""
        self.since_us = since_us
        self._sketches = [sketch for sketch, _ in references]
        self._hits = [hits for _, hits in references]

    def is_learned(self, at_us: int) -> bool:
        """Whether it has seen a day."""
        return self.since_us >= 0 and at_us - self.since_us >= DAY_US

    def likeness(self, sketch: bytes) -> Likeness | None:
        """How like it a picture is; None without anything to compare with, as for pictures of one grey."""
        if len(sketch) != CELLS or not self._sketches:
            return None
        matches = _normal(_cells(*self._sketches)) @ _normal(_cells(sketch))[0]
        index = int(matches.argmax())
        return Likeness(round(float(matches[index]), 3), index)

    def shifted(self, sketch: bytes) -> float:
        """The best correlation when the picture is shifted by up to three cells against what is usual."""
        return round(float(_shifted_matches(_cells(*self._sketches), _cells(sketch)[0]).max()), 3)

    def explained(self, sketch: bytes) -> float:
        """The share of cells that are as usual, brighter or darker all together: many where something covers a part."""
        return _explained(_cells(sketch)[0], _cells(*self._sketches))

    def learn(self, at_us: int, sketch: bytes, likeness: Likeness | None) -> None:
        """Let the sketch that is most like a picture follow it, or keep the picture beside it."""
        if self.since_us < 0:
            self.since_us = at_us
        if likeness is None or likeness.match < self.SAME:
            self._keep(sketch)
        else:
            self._follow(sketch, likeness.index)

    def _keep(self, sketch: bytes) -> None:
        if len(self._sketches) == self.KEPT:
            rarest = self._hits.index(min(self._hits))
            del self._sketches[rarest], self._hits[rarest]
        self._sketches.append(sketch)
        self._hits.append(1)

    def _follow(self, sketch: bytes, index: int) -> None:
        known, seen = (np.frombuffer(each, np.uint8).astype(np.int16) for each in (self._sketches[index], sketch))
        self._sketches[index] = (known + np.sign(seen - known)).astype(np.uint8).tobytes()
        self._hits[index] += 1
        if self._hits[index] > self.HITS:
            self._hits = [max(1, hits // 2) for hits in self._hits]

    def snapshot(self) -> list[Any]:
        """As plain JSON."""
        pairs = zip(self._sketches, self._hits, strict=True)
        return [self.since_us, *([base64.b64encode(sketch).decode(), hits] for sketch, hits in pairs)]

    @classmethod
    def restore(cls, plain: list[Any]) -> Self:
        """Continue from a snapshot."""
        since_us, *references = plain
        return cls(since_us, tuple((base64.b64decode(sketch), hits) for sketch, hits in references))


REACH = 3
"Cells that a picture is shifted by, at most: a fifth of its width, a third of its height."


def _windows(grids: Floats) -> Floats:
    """Grids of 9×16, each cut at all shifts: ×49×144, zero outside."""
    padded = np.pad(grids, ((0, 0), (REACH, REACH), (REACH, REACH)))
    return sliding_window_view(padded, (ROWS, COLUMNS), axis=(1, 2)).reshape(len(grids), -1, CELLS)


INSIDE: Final = _windows(np.ones((1, ROWS, COLUMNS)))[0]
"Which cells overlap at each shift: 49×144 of 0 and 1."


def _cells(*sketches: bytes) -> Floats:
    """Sketches as float64 n×144."""
    return np.frombuffer(b"".join(sketches), np.uint8).astype(np.float64).reshape(-1, CELLS)


def _normal(rows: Floats) -> Floats:
    """Rows of mean 0 and length 1; of a row of one value, zeros."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(np.sqrt((centred**2).sum(axis=1, keepdims=True)), 1e-6))


def _shifted_matches(references: Floats, seen: Floats) -> Floats:
    """Correlation of the overlapping cells, of each reference at each shift: n×49."""
    windows = _windows(references.reshape(-1, ROWS, COLUMNS))
    n = INSIDE.sum(axis=1)
    own, other = INSIDE @ seen / n, windows.sum(axis=2) / n
    together = windows @ seen / n - own * other
    spread = (INSIDE @ seen**2 / n - own**2) * ((windows**2).sum(axis=2) / n - other**2)
    return np.asarray(together / np.sqrt(np.maximum(spread, 1e-6)))


TRIMMED = (144, 100, 80, 72)
"Cells that a line is laid through, the best ones of the line before: half of them may be anything."
AS_USUAL = 0.25
"How far a cell may be off the line, in standard deviations of what is usual; and two grey levels in any case."


def _explained(seen: Floats, usual: Floats) -> float:
    """The share of cells near a line through what is seen and what is usual, n×144; the most of all n.

    Least trimmed squares (Rousseeuw, 1984), as far as a few steps go.
    """
    off, gains = np.zeros_like(usual), np.zeros(len(usual))
    for count in TRIMMED:
        order = np.argsort(off, axis=1, kind="stable")[:, :count]
        x, y = np.take_along_axis(usual, order, axis=1), seen[order]
        middle, level = x.mean(axis=1, keepdims=True), y.mean(axis=1, keepdims=True)
        gains = ((x - middle) * (y - level)).sum(axis=1) / np.maximum(((x - middle) ** 2).sum(axis=1), 1e-6)
        off = np.abs(seen - level - gains[:, None] * (usual - middle))
    near = np.maximum(AS_USUAL * np.abs(gains) * usual.std(axis=1), 2.0)
    return float((off < near[:, None]).mean(axis=1).max())


# Whole pictures


@dataclass(frozen=True, slots=True)
class Picture:
    """A whole picture, and what is usual."""

    seen: Seen
    "The picture."
    same: int
    "Pictures in a row that are equal to it, with itself."
    before_us: int
    "When the one before was taken."
    size: tuple[int, int]
    "The usual width and height."
    usual: tuple[float, float, float] | None
    "Brightness, contrast and sharpness at this hour; None while not known."
    is_clear: bool
    "Whether pictures of this hour are usually about as sharp as the sharpest: in others grain is taken for sharpness."
    view: View
    "What the camera usually sees."
    likeness: Likeness | None
    "To that; None while it is learned, and without a sketch."

    @property
    def is_black(self) -> bool:
        """Whether there is next to nothing to be seen."""
        return self.seen.brightness < 10 and self.seen.contrast < 6

    @property
    def is_white(self) -> bool:
        """Whether nearly all is as bright as can be."""
        return (self.seen.brightness > 235 and self.seen.contrast < 25) or self.white > 0.6

    @property
    def white(self) -> float:
        """Share of the sketch's cells that are full."""
        return sum(map(self.seen.sketch.count, range(250, 256))) / CELLS

    @property
    def shows_focus(self) -> bool:
        """Whether it is neither so dull nor so bright that sharpness is lost for other reasons than focus."""
        usual = self.usual[0] if self.usual else 0.0
        return self.contrast >= FOCUS_CONTRAST and self.seen.brightness <= FOCUS_BRIGHTNESS * usual

    @property
    def contrast(self) -> float:
        """Against the usual one; 0 while that is not known."""
        return self.seen.contrast / max(self.usual[1], 1.0) if self.usual else 0.0

    @property
    def sharpness(self) -> float:
        """Against the usual one; 0 while that is not known."""
        return self.seen.sharpness / max(self.usual[2], 1.0) if self.usual else 0.0


def _frozen(picture: Picture) -> Verdict:
    if not picture.seen.sketch or picture.is_black or picture.is_white:
        return "unclear"
    if picture.same == 1:
        return "sound"
    count, note = (2, 1)[picture.same > 2], f"{picture.same} pictures in a row are equal in every figure"
    return Sign(1, picture.same, note, picture.seen.frame_id, picture.before_us, count)


DARK_ANYWAY = 14.0
"Where it is usually as dark as this at that hour, a black picture is a night."


def _black(picture: Picture) -> Verdict:
    seen = picture.seen
    if not picture.is_black:
        return "sound" if seen.brightness > 14 or seen.contrast > 8 else "unclear"
    if picture.usual and picture.usual[0] < DARK_ANYWAY:
        return "unclear"
    before = round(picture.usual[0], 1) if picture.usual else 10.0
    return Sign(before, round(seen.brightness, 1), f"the picture is black: {_light(seen)}", seen.frame_id)


def _blown_out(picture: Picture) -> Verdict:
    seen = picture.seen
    if picture.is_white:
        before = round(picture.usual[0], 1) if picture.usual else 235.0
        return Sign(before, round(seen.brightness, 1), f"the picture is white: {_light(seen)}", seen.frame_id)
    return "sound" if (seen.brightness < 225 or seen.contrast > 30) and picture.white < 0.4 else "unclear"


def _light(seen: Seen) -> str:
    return f"brightness {seen.brightness:.0f} of 255, contrast {seen.contrast:.0f}"


def _size(picture: Picture) -> Verdict:
    (width, height), seen = picture.size, picture.seen
    if (seen.width, seen.height) == (width, height):
        return "sound"
    note = f"whole pictures of {width}×{height} have become {seen.width}×{seen.height}"
    return Sign(width * height, seen.width * seen.height, note, seen.frame_id)


# Sharpness falls with the square of contrast when it gets dark or hazy; what it falls further is focus. Measured on the
# simulator's views, that rest is .80 to 1.04 on ordinary days with clouds, rain and mist, and under all of noise, heat
# and short exposure; .47 to .58 with a lens slightly out of focus (blur=0.25), .2 with one well out of it. Fog, dirt
# and drops take it down to .2 too, but they change the view; long exposure does, which eats edges. Half of the contrast
# must be there to tell.
FOCUS, FOCUS_AGAIN = 0.6, 0.72
FOCUS_MATCH, FOCUS_CONTRAST, FOCUS_BRIGHTNESS = 0.9, 0.5, 1.5


def _blurred(picture: Picture) -> Verdict:
    if not picture.usual or not picture.likeness or not picture.is_clear or not picture.shows_focus:
        return "unclear"
    focus, usual, seen = picture.sharpness / picture.contrast**2, picture.usual[2], picture.seen
    if focus >= FOCUS_AGAIN:
        return "sound"
    if focus >= FOCUS or picture.likeness.match < FOCUS_MATCH:
        return "unclear"
    note = (
        f"the view is as usual, its sharpness {seen.sharpness:.0f} instead of {usual:.0f}:"
        f" {focus:.0%} of what its contrast lets expect"
    )
    return Sign(round(usual, 1), round(seen.sharpness, 1), note, seen.frame_id)


# What turns, covers or veils a camera changes its sketch. Fog, rain, dirt and darkness also take sharpness and contrast
# from it; a leaf or a lorry leaves the cells beside it as they were. Only what is as sharp as ever and nowhere as usual
# was moved. Measured on the simulator's views: knocks of bump=0.55 have matches of .23 to .5, sharpness above .65,
# contrast above .9 and at most .19 of the cells as usual; on ordinary days a match below .6 goes with sharpness below
# .61 (mist), or with .75 of the cells as usual (a lorry); a large leaf leaves .38. Where bump=0.25 is seen, it is by its
# shift: a match of .7 becomes .8, with .45 of the cells as usual.
MATCH, MATCH_AGAIN, MATCH_SHIFTED, SHIFT_GAIN = 0.6, 0.7, 0.85, 0.08
KEPT_SHARPNESS, KEPT_CONTRAST = 0.65, 0.75
AS_USUAL_ELSEWHERE, AS_USUAL_SHIFTED = 0.35, 0.5


def _moved(picture: Picture) -> Verdict:
    likeness, seen = picture.likeness, picture.seen
    if not likeness or not picture.is_clear:
        return "unclear"
    if likeness.match >= MATCH_SHIFTED:
        return "sound"
    if picture.sharpness < KEPT_SHARPNESS or picture.contrast < KEPT_CONTRAST:
        return "unclear"
    return _elsewhere(seen, likeness.match, picture.view)


def _elsewhere(seen: Seen, match: float, view: View) -> Verdict:
    shifted = view.shifted(seen.sketch)
    is_shifted = shifted >= match + SHIFT_GAIN
    if match >= MATCH and not is_shifted:
        return "sound" if match >= MATCH_AGAIN else "unclear"
    if view.explained(seen.sketch) >= (AS_USUAL_ELSEWHERE if match < MATCH else AS_USUAL_SHIFTED):
        return "unclear"
    note = f"the picture is as sharp as usual and shows something else: its likeness to the usual view is {match:.2f}"
    return Sign(1.0, match, f"{note}, {shifted:.2f} when it is shifted" if is_shifted else note, seen.frame_id)


JUDGES: Final[tuple[tuple[Check, Callable[[Picture], Verdict]], ...]] = (
    (FROZEN, _frozen),
    (BLACK, _black),
    (BLOWN_OUT, _blown_out),
    (SIZE, _size),
    (BLURRED, _blurred),
    (MOVED, _moved),
)
"What is asked of each whole picture."

CLEAN = 0.85
"Of the usual sharpness and contrast, what a picture has that is neither misty nor wet: it may be kept as a new sketch."
CLEAR = 0.7
"Share of the sharpest hour's sharpness that makes an hour clear."
FLAT = 5.0
"Contrast below which a picture shows nothing that could be compared."
LEARNED_MATCH = 0.6
"A picture that is less like the usual view says nothing of what is usual."
REACH_OF_DAY = 0.5
"Of the logarithms of brightness, contrast and sharpness: a day moves them by a seventh at most; see Hourly. Logarithms, \
because a few vehicles before bare asphalt must not make all other pictures look blurred."

CHECKS: Final = {check.signal: check for check in (*EVENTS, STALLED, RATE, *(check for check, _ in JUDGES))}


# Frames


@dataclass(slots=True)
class Gap:
    """Numbers that have not come."""

    first: int
    last: int
    since_us: int
    "The newest frame's time when it showed."
    patience: int
    "With how many frames it is told, the one that showed it among them; 0 when it was."


@dataclass(slots=True)
class Course:
    """How far an epoch has come."""

    KEPT = 32
    "Gaps whose frames would be known as late ones; frames of older ones would be taken for repeated ones."

    expected: int
    "The next number."
    at_us: int
    "When the newest was taken; -1 where that is not believed."
    gaps: list[Gap] = field(default_factory=list)
    "Numbers that have not come, rising."
    waiting: int = 0
    "Gaps that were not told."

    def skip_to(self, sequence: int, since_us: int) -> None:
        """Numbers up to that one are missing."""
        self.gaps = [*self.gaps, Gap(self.expected, sequence - 1, since_us, SETTLE + 1)][-self.KEPT :]
        self.waiting = sum(gap.patience > 0 for gap in self.gaps)

    def fill(self, sequence: int) -> bool:
        """Take a number that was missing; whether it was."""
        gap = next((gap for gap in self.gaps if gap.first <= sequence <= gap.last), None)
        if gap is None:
            return False
        halves = (Gap(gap.first, sequence - 1, *_rest(gap)), Gap(sequence + 1, gap.last, *_rest(gap)))
        place = self.gaps.index(gap)
        self.gaps[place : place + 1] = [half for half in halves if half.first <= half.last]
        self.waiting = sum(gap.patience > 0 for gap in self.gaps)
        return True

    def settled(self, at_once: bool) -> list[Gap]:
        """One more frame has come: the gaps that are to be told now."""
        told = [gap for gap in self.gaps if gap.patience == 1 or (at_once and gap.patience)]
        for gap in self.gaps:
            gap.patience = 0 if at_once else max(0, gap.patience - 1)
        self.waiting -= len(told)
        return told

    def snapshot(self) -> list[Any]:
        """As plain JSON."""
        return [self.expected, self.at_us, [[gap.first, gap.last, *_rest(gap)] for gap in self.gaps]]

    @classmethod
    def restore(cls, plain: list[Any]) -> Self:
        """Continue from a snapshot."""
        expected, at_us, gaps = plain
        known = [Gap(*gap) for gap in gaps]
        return cls(expected, at_us, known, sum(gap.patience > 0 for gap in known))


def _rest(gap: Gap) -> tuple[int, int]:
    return gap.since_us, gap.patience


PAUSES = 3
"Long ones in a row that are no pauses, but another pace."
EPOCHS_KEPT = 4
"Runs of frames whose numbers are known; a frame of an older one begins it anew."
VERSIONS_KEPT = 4
"Models whose classes are known."
CLASSES_KEPT = 256
"Of a model; with more, somebody writes nonsense, and is told of all of it."
SUM_TOLERANCE = 0.01
"Probabilities travel as 32-bit floats, and are rounded to five digits."


class Integrity:
    """What is known of the soundness of one camera's stream and pictures."""

    def __init__(self) -> None:
        self._newest_us = -1
        self._ended = False
        self._courses: dict[str, Course] = {}
        self._classes: dict[str, frozenset[str]] = {}
        self._troubles = {signal: Trouble(check) for signal, check in CHECKS.items()}
        self._pace, self._beat_us = Pace(), -1
        self._picture_us, self._digest, self._same = -1, "", 0
        self._size: tuple[int, int] | None = None
        self._hourly, self._view = Hourly(REACH_OF_DAY), View()
        self._news: list[Trouble] = []
        self._begin()

    def _begin(self) -> None:
        self._events = [self._troubles[check.signal] for check in EVENTS]

    @classmethod
    def fresh(cls) -> Self:
        """Nothing is known yet."""
        return cls()

    def see(self, camera_id: str, frame: Seen) -> tuple[Finding, ...]:
        """Take the next frame of the stream; what begins with it, and what is over."""
        before_us = self._newest_us
        self._newest_us = max(before_us, frame.at_us)
        self._pause(before_us, frame)
        if self._count(frame.epoch, frame.sequence, frame.at_us, frame.frame_id, is_end=frame.kind == "end"):
            self._examine(frame)
        return self._found(camera_id)

    def refused(self, camera_id: str, frame_id: str, at_us: int, logged_us: int) -> tuple[Finding, ...]:
        """Take a frame that was captured ahead of when it was logged: of the stream's time it says nothing."""
        thing, now_us = parse_id(frame_id), logged_us if self._newest_us < 0 else self._newest_us
        ahead_s = (at_us - logged_us) / SECOND_US
        sign = Sign(0.0, round(ahead_s, 1), f"frames are {_span(ahead_s)} ahead of when they were logged", frame_id)
        self._tell(CLOCK, now_us, sign)
        self._count(thing.epoch, thing.sequence, -1, frame_id, is_end=False)
        return self._found(camera_id)

    def _found(self, camera_id: str) -> tuple[Finding, ...]:
        for trouble in self._events:
            if trouble.lasts and trouble.last_us < self._newest_us and trouble.relieve(self._newest_us):
                self._news.append(trouble)
        if not self._news:
            return ()
        news, self._news = self._news, []
        return tuple(trouble.finding(camera_id) for trouble in news)

    def _tell(self, check: Check, at_us: int, verdict: Verdict) -> None:
        trouble = self._troubles[check.signal]
        if trouble.take(at_us, verdict):
            self._news.append(trouble)

    @property
    def _is_unpaced(self) -> bool:
        """Whether a pause says nothing: the clock is wrong, or heartbeats seem to have become seldom."""
        return self._troubles[CLOCK.signal].lasts or self._troubles[RATE.signal].run >= PAUSES

    # Order

    def _pause(self, before_us: int, frame: Seen) -> None:
        """Look at the time since the newest frame: nothing is expected after an end, or by a clock that is wrong."""
        pause_us = frame.at_us - before_us
        ended, self._ended = self._ended, frame.kind == "end"
        self._beat_us = -1 if ended else self._beat_us
        if pause_us <= Pace.LONG[0] or before_us < 0 or ended or self._is_unpaced:
            return
        if self._pace.is_stall(pause_us, frame.at_us):
            pause, usual = pause_us / SECOND_US, self._pace.usual_s(0.5)
            note = f"no frame came for {_span(pause)}; one each {_span(usual)} is usual"
            trouble = self._troubles[STALLED.signal]
            trouble.passed(before_us, frame.at_us, Sign(usual, round(pause, 1), note, frame.frame_id))
            self._news.append(trouble)

    def _count(self, epoch: str, sequence: int, at_us: int, frame_id: str, *, is_end: bool) -> bool:
        """Take a frame's number; whether it is a new one."""
        course = self._courses.get(epoch) or self._new_course(epoch, sequence)
        if sequence < course.expected:
            return self._again(course, sequence, frame_id)
        if sequence > course.expected:
            course.skip_to(sequence, self._newest_us if course.at_us < 0 else course.at_us)
        course.expected = sequence + 1
        self._step_back(course, at_us, frame_id)
        if course.waiting:
            self._settle(course, frame_id, is_end)
        return True

    def _new_course(self, epoch: str, sequence: int) -> Course:
        """Begin an epoch: at its first frame, unless it is the first one that is seen of the camera at all."""
        course = Course(0 if self._courses else sequence, -1)
        kept = [*self._courses.items()][-(EPOCHS_KEPT - 1) :]
        self._courses = dict([*kept, (epoch, course)])
        return course

    def _again(self, course: Course, sequence: int, frame_id: str) -> bool:
        is_late = course.fill(sequence)
        if is_late:
            note = f"frame {sequence} came after {course.expected - 1}"
        else:
            note = f"frame {sequence} came again after {course.expected - 1}"
        self._tell(DISORDER if is_late else REPEAT, self._newest_us, Sign(0, 1, note, frame_id))
        return is_late

    def _step_back(self, course: Course, at_us: int, frame_id: str) -> None:
        back_us = course.at_us - at_us
        if back_us > MINUTE_US and at_us >= 0:
            back_s = back_us / SECOND_US
            note = f"the camera's time stepped back by {_span(back_s)}"
            self._tell(CLOCK, self._newest_us, Sign(0.0, round(-back_s, 1), note, frame_id))
        course.at_us = at_us if at_us >= 0 else course.at_us

    def _settle(self, course: Course, frame_id: str, at_once: bool) -> None:
        for gap in course.settled(at_once):
            count, example = gap.last - gap.first + 1, f"{frame_id.rpartition(':')[0]}:{gap.last + 1}"
            where = f"between {gap.first - 1} and {gap.last + 1}" if gap.first else f"before {gap.last + 1}"
            note = f"{count} {'frames' if count > 1 else 'frame'} missing {where}"
            self._tell(GAP, self._newest_us, Sign(0, count, note, example, gap.since_us, count))

    # Figures

    def _examine(self, frame: Seen) -> None:
        fault = _fault(frame)
        if fault:
            self._tell(VALUES, self._newest_us, Sign(0, 1, fault, frame.frame_id))
        if frame.kind in CLASSIFIED:
            self._know_classes(frame)
        if frame.kind in WHOLE and not fault and frame.at_us > self._picture_us:
            self._look(frame)

    def _know_classes(self, frame: Seen) -> None:
        names = frame.probabilities.keys()
        known = self._classes.get(frame.model_version)
        if known is None:
            kept = [*self._classes.items()][-(VERSIONS_KEPT - 1) :]
            self._classes = dict([*kept, (frame.model_version, frozenset(names))]) if names else self._classes
        elif not names <= known or (frame.label is not None and frame.label not in known):
            new = {*names, frame.label or ""} - known - {""}
            note = f"model {frame.model_version} had no class {', '.join(sorted(new))} before"
            self._tell(LABELS, self._newest_us, Sign(0, len(new), note, frame.frame_id))
            self._classes[frame.model_version] = frozenset(sorted(known | new)[:CLASSES_KEPT])

    # Whole pictures

    def _look(self, frame: Seen) -> None:
        if frame.kind == "heartbeat":
            self._beat(frame)
        picture = self._picture(frame)
        for check, judge in JUDGES:
            self._tell(check, frame.at_us, judge(picture))
        self._adopt(frame)
        self._learn(picture)
        self._picture_us = frame.at_us

    def _beat(self, frame: Seen) -> None:
        before_us, self._beat_us = self._beat_us, frame.at_us
        if self._pace.since_us < 0:
            self._pace.since_us = frame.at_us
        if before_us < 0:
            return
        interval_us = frame.at_us - before_us
        if not self._pace.is_changed(interval_us, frame.at_us):
            self._pace.learn(interval_us)
            self._tell(RATE, frame.at_us, "sound")
            return
        usual, interval = self._pace.usual_s(0.5), interval_us / SECOND_US
        note = f"heartbeats come each {_span(interval)}; each {_span(usual)} is usual"
        self._tell(RATE, frame.at_us, Sign(usual, round(interval, 1), note, frame.frame_id, before_us))

    def _picture(self, frame: Seen) -> Picture:
        self._compare(frame)
        self._size = self._size or (frame.width, frame.height)
        usual, view = self._hourly.at(frame.at_us), self._view
        sharpest = max((values[2] for values in self._hourly.usual.values()), default=0.0)
        return Picture(
            seen=frame,
            same=self._same,
            before_us=self._picture_us,
            size=self._size,
            usual=(math.expm1(usual[0]), math.expm1(usual[1]), math.expm1(usual[2])) if usual else None,
            is_clear=usual is not None and usual[2] >= sharpest + math.log(CLEAR),
            view=view,
            likeness=view.likeness(frame.sketch) if view.is_learned(frame.at_us) else None,
        )

    def _compare(self, frame: Seen) -> None:
        figures = repr((frame.brightness, frame.contrast, frame.sharpness)).encode()
        before, self._digest = self._digest, blake2b(figures + frame.sketch, digest_size=8).hexdigest()
        self._same = self._same + 1 if before == self._digest else 1

    def _adopt(self, frame: Seen) -> None:
        """Take what has lasted long enough for usual."""
        for signal, relearn in RELEARN.items():
            trouble = self._troubles[signal]
            if trouble.is_outlasted(frame.at_us):
                trouble.end(frame.at_us, "; taken for usual from now on")
                relearn(self, frame)
                self._news.append(trouble)

    def _learn(self, picture: Picture) -> None:
        """Let what is usual follow a picture that is sound."""
        seen, troubles = picture.seen, [self._troubles[check.signal] for check, _ in JUDGES]
        suspected = any(trouble.lasts or trouble.run for trouble in troubles)
        if picture.usual is None or (not suspected and self._is_usual(picture)):
            figures = seen.brightness, seen.contrast, seen.sharpness
            self._hourly.learn(seen.at_us, *map(math.log1p, figures))
        if not suspected and len(seen.sketch) == CELLS and seen.contrast >= FLAT:
            self._learn_view(picture)

    @staticmethod
    def _is_usual(picture: Picture) -> bool:
        return picture.likeness is None or picture.likeness.match >= LEARNED_MATCH

    def _learn_view(self, picture: Picture) -> None:
        """On the first day all there is; later what looks as usual, and in clear hours what is nearly so."""
        view, seen = self._view, picture.seen
        likeness = picture.likeness or view.likeness(seen.sketch)
        is_new = likeness is None or likeness.match < View.SAME
        is_near = likeness is not None and likeness.match >= MATCH_AGAIN and picture.is_clear
        is_near = is_near and min(picture.sharpness, picture.contrast) >= CLEAN
        if not view.is_learned(seen.at_us) or not is_new or is_near:
            view.learn(seen.at_us, seen.sketch, likeness)

    # State

    def snapshot(self) -> dict[str, Any]:
        """The whole state, as JSON."""
        troubles = {signal: plain for signal, trouble in self._troubles.items() if (plain := trouble.snapshot())}
        return {
            "newest_us": self._newest_us,
            "ended": self._ended,
            "courses": {epoch: course.snapshot() for epoch, course in self._courses.items()},
            "classes": {version: sorted(names) for version, names in self._classes.items()},
            "troubles": troubles,
            "pace": self._pace.snapshot(),
            "beat_us": self._beat_us,
            "picture": [self._picture_us, self._digest, self._same],
            "size": self._size and [*self._size],
            "hourly": self._hourly.snapshot(),
            "view": self._view.snapshot(),
        }

    @classmethod
    def restore(cls, plain: Mapping[str, Any]) -> Self:
        """Continue from a snapshot."""
        known = cls()
        known._newest_us, known._ended = plain["newest_us"], plain["ended"]
        known._courses = {epoch: Course.restore(course) for epoch, course in plain["courses"].items()}
        known._classes = {version: frozenset(names) for version, names in plain["classes"].items()}
        known._troubles = {s: Trouble.restore(check, plain["troubles"].get(s)) for s, check in CHECKS.items()}
        known._pace, known._beat_us = Pace.restore(plain["pace"]), plain["beat_us"]
        known._picture_us, known._digest, known._same = plain["picture"]
        known._size = (plain["size"][0], plain["size"][1]) if plain["size"] else None
        known._hourly, known._view = Hourly.restore(REACH_OF_DAY, plain["hourly"]), View.restore(plain["view"])
        known._begin()
        return known

    def take_size(self, frame: Seen) -> None:
        """Take a picture's size for usual."""
        self._size = (frame.width, frame.height)

    def take_pace(self, frame: Seen) -> None:
        """Learn the pace of heartbeats anew."""
        self._pace = Pace(frame.at_us)

    def take_focus(self, _: Seen) -> None:
        """Learn anew how sharp pictures are."""
        self._hourly = Hourly(REACH_OF_DAY)

    def take_view(self, _: Seen) -> None:
        """Learn the view anew, and how sharp its pictures are."""
        self._view, self._hourly = View(), Hourly(REACH_OF_DAY)


RELEARN: Final[Mapping[str, Callable[[Integrity, Seen], None]]] = {
    SIZE.signal: Integrity.take_size,
    RATE.signal: Integrity.take_pace,
    BLURRED.signal: Integrity.take_focus,
    MOVED.signal: Integrity.take_view,
}
"What is learned anew when a trouble has lasted until it is usual."


def _fault(frame: Seen) -> str:
    """Which figure of a frame cannot be; empty where all can. Comparisons with NaN are false."""
    if not (0 <= frame.brightness <= 255 and 0 <= frame.contrast <= 128):
        return f"brightness {frame.brightness:.4g} or contrast {frame.contrast:.4g} is outside 0 to 255, or 0 to 128"
    if not (0 <= frame.sharpness < math.inf and 0 <= frame.noise < math.inf):
        return f"sharpness {frame.sharpness:.4g} or noise {frame.noise:.4g} is no number of 0 or more"
    if frame.width <= 0 or frame.height <= 0 or len(frame.sketch) not in (0, CELLS):
        return f"a picture of {frame.width}×{frame.height} with a sketch of {len(frame.sketch)} bytes"
    values = frame.probabilities.values()
    if values and not (abs(sum(values) - 1) <= SUM_TOLERANCE and min(values) >= -SUM_TOLERANCE):
        return f"probabilities that sum to {sum(values):.4g}, the least {min(values):.4g}"
    return ""


def _span(seconds: float) -> str:
    """A length of time in words: `14 s`, `3 min`, `2.5 h`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
