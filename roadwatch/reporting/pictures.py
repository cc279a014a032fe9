"""Small pictures of frames, by their ids, while the cluster or a recording still has them.

    taken at ──► the offsets logged since then ──► frames in order ──► found, or passed: no longer kept

A camera's frames lie in order: where a later one of the same epoch comes first, the one that is looked for is gone. A
live camera logs a frame when it takes it; a replay logs it later, and is read from its beginning on.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final, cast

import cv2

from processors.pictures import decode
from producers.recordings.entries import reader_of
from producers.recordings.recording import Recording, Selection
from runtime.offsets import Offsets, Place
from runtime.registry import open_codec
from runtime.settings import KafkaSettings, Settings
from runtime.spans import SpanReader, partitions_of
from schemas.errors import DecodingError, PictureError, RecordError
from schemas.ids import FrameRef, parse_id
from schemas.records import Frame
from schemas.times import to_us
from schemas.topics import FRAMES

HEIGHT: Final = 160
"Of a small picture, pixels."
QUALITY: Final = 80
"JPEG's."
SLACK: Final = timedelta(seconds=5)
"A broker's or a sender's clock may be behind the camera's by so much."
READ_S: Final = 30.0
"The longest that the cluster is searched."

Starts = tuple[tuple[Place, int | None], ...]
"Where to begin in each partition; None: with the first record that there is."


def pictures(settings: Settings, frames: Mapping[str, datetime]) -> dict[str, bytes]:
    """Small JPEGs of frames on the cluster, by frame id; those that are no longer kept are left out.

    `frames` are ids, each with when it was taken, or a time shortly before. Half a minute is the longest that it takes:
    what is not found by then is left out too.

    Raises:
        BrokerError: the cluster does not give them.

    """
    if not frames:
        return {}
    found = {frame.frame_id: frame.picture for frame in _Search(settings.kafka).run(frames)}
    return small_pictures(found, settings.processor.max_pixels)


def recorded_pictures(recording: Recording, frames: Mapping[str, datetime], max_pixels: int) -> dict[str, bytes]:
    """Small JPEGs of recorded frames, likewise; `frames` are ids, each with when it was taken."""
    if FRAMES.name not in recording.index.topics or not frames:
        return {}
    found = {frame.frame_id: frame.picture for frame in _recorded(recording, frames) if frame.frame_id in frames}
    return small_pictures(found, max_pixels)


def _recorded(recording: Recording, frames: Mapping[str, datetime]) -> Iterator[Frame]:
    """Frames taken when these were."""
    reader, times = reader_of(FRAMES.name, recording.index.topics[FRAMES.name]), {to_us(at) for at in frames.values()}
    cameras = frozenset(ref.camera_id for ref in _refs(frames).values())
    for located in recording.entries(Selection(frozenset({FRAMES.name}), cameras, min(times), max(times) + 1)):
        if located.entry.first_us in times:
            with suppress(RecordError):
                yield cast("Frame", reader.record(located.entry))


def small_pictures(found: Mapping[str, bytes], max_pixels: int) -> dict[str, bytes]:
    """Pictures no higher than `HEIGHT`, by frame id, sorted; what is no picture is left out."""
    small = {name: _small(jpeg, max_pixels) for name, jpeg in sorted(found.items())}
    return {name: jpeg for name, jpeg in small.items() if jpeg}


def _small(jpeg: bytes, max_pixels: int) -> bytes | None:
    try:
        image = decode(jpeg, max_pixels=max_pixels)
    except PictureError:
        return None
    share = HEIGHT / image.shape[0]
    if share < 1:
        image = cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA).astype(image.dtype)
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1])


class _Search:
    """Reads the frames from where each may lie."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._codec = open_codec(kafka)
        self._deadline = time.monotonic() + READ_S

    def run(self, frames: Mapping[str, datetime]) -> Iterator[Frame]:
        """The frames that are there; those that may lie behind the same offsets are looked for together."""
        together: dict[Starts, set[str]] = defaultdict(set)
        for name, starts in self._starts(frames):
            together[starts].add(name)
        for starts, names in together.items():
            yield from self._found(starts, _Wanted(names))

    def _starts(self, frames: Mapping[str, datetime]) -> Iterator[tuple[str, Starts]]:
        topic, offsets = self._kafka.names.of(FRAMES), Offsets(self._kafka)
        places = [(topic, partition) for partition in range(partitions_of(self._kafka, [topic])[topic])]
        for name, at in frames.items():
            yield name, tuple(sorted(offsets.since(places, at - SLACK).items()))

    def _found(self, starts: Starts, wanted: "_Wanted") -> Iterator[Frame]:
        with SpanReader(self._kafka, dict(starts)) as reader:
            reader.stop_at(reader.ends())
            while wanted and reader.left and time.monotonic() < self._deadline:
                record = reader.read()
                if record and record.key in wanted.keys:
                    yield from wanted.take(self._frame(record.value))

    def _frame(self, value: bytes) -> Frame | None:
        try:
            return self._codec.decode(value, Frame)
        except RecordError:  # the processor sent it to dead letters
            return None


class _Wanted:
    """Frames that are still looked for."""

    def __init__(self, names: Iterable[str]) -> None:
        self._left = _refs(names)
        self.keys = {ref.camera_id.encode() for ref in self._left.values()}
        "Of the records of their cameras."

    def __bool__(self) -> bool:
        return bool(self._left)

    def take(self, frame: Frame | None) -> Iterator[Frame]:
        """Give a frame that is wanted; it, and those that should have come before it, are looked for no more."""
        if frame is None:
            return
        if frame.frame_id in self._left:
            yield frame
        self._left = {name: ref for name, ref in self._left.items() if not _passed(ref, frame)}


def _refs(names: Iterable[str]) -> dict[str, FrameRef]:
    """What ids say; what is no frame's id is left out."""
    refs = {}
    for name in names:
        with suppress(DecodingError):
            refs[name] = parse_id(name)
    return refs


def _passed(ref: FrameRef, frame: Frame) -> bool:
    return (ref.camera_id, ref.epoch) == (frame.camera_id, frame.epoch) and ref.sequence <= frame.sequence
