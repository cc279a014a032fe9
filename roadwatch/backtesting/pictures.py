"""Pictures of the vehicles on which models differ, read from a recording once more: only those, and small."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

import cv2

from processors.pictures import decode
from producers.recordings.container import Entry
from producers.recordings.entries import Reader
from producers.recordings.index import Segment
from producers.recordings.recording import Recording, Selection
from roadwatch.backtesting.differing import Differing
from roadwatch.backtesting.stream import readers_of
from schemas.errors import PictureError, RecordError
from schemas.records import Frame, Label
from schemas.times import to_us
from schemas.topics import FRAMES, LABELS

HEIGHT: Final = 120
"Pixels."
QUALITY: Final = 80
"JPEG's."
SLACK_US: Final = timedelta(seconds=1) // timedelta(microseconds=1)
"Around a vehicle's first and last frame."

Span = tuple[bytes, int, int]
"A camera's key, and from when to when, microseconds since 1970."


def pictures_of(recording: Recording, vehicles: Sequence[Differing], max_pixels: int) -> dict[str, bytes]:
    """Each vehicle's largest picture as a small JPEG, by passage id; those alone whose frames are recorded."""
    wanted = {vehicle.passage_id for vehicle in vehicles}
    largest: dict[str, Frame] = {}
    for frame in _frames(recording, [_span(vehicle) for vehicle in vehicles]):
        thing = frame.passage_id
        if thing is not None and thing in wanted and frame.picture and _area(frame) > _area(largest.get(thing)):
            largest[thing] = frame
    small = {thing: _small(frame, max_pixels) for thing, frame in sorted(largest.items())}
    return {thing: jpeg for thing, jpeg in small.items() if jpeg}


def recorded_labels(recording: Recording, selection: Selection) -> Iterator[Label]:
    """All labels of the recording once more."""
    if LABELS.name not in recording.index.topics:
        return
    reader = readers_of(recording)[LABELS.name]
    for located in recording.entries(Selection(frozenset({LABELS.name}), selection.cameras)):
        try:
            label = reader.record(located.entry)
        except RecordError:
            continue  # counted when the recording was run through
        if isinstance(label, Label):
            yield label


def _frames(recording: Recording, spans: Sequence[Span]) -> Iterator[Frame]:
    if not spans or FRAMES.name not in recording.index.topics or not recording.index.chosen.pictures:
        return
    reader = readers_of(recording)[FRAMES.name]
    for segment in recording.index.segments:
        if segment.topic == FRAMES.name and any(_holds(segment, span) for span in spans):
            yield from _of_segment(recording, segment, spans, reader)


def _of_segment(recording: Recording, segment: Segment, spans: Sequence[Span], reader: Reader) -> Iterator[Frame]:
    for entry in recording.segment(segment):
        if any(_within(entry, span) for span in spans):
            try:
                frame = reader.record(entry)
            except RecordError:
                continue  # as above
            if isinstance(frame, Frame):
                yield frame


def _span(vehicle: Differing) -> Span:
    key = vehicle.camera_id.encode()
    return key, to_us(vehicle.first_at) - SLACK_US, to_us(vehicle.last_at) + SLACK_US


def _holds(segment: Segment, span: Span) -> bool:
    if segment.first_us is None or segment.last_us is None:
        return False
    return segment.first_us <= span[2] and segment.last_us >= span[1]


def _within(entry: Entry, span: Span) -> bool:
    return entry.first_us is not None and span[1] <= entry.first_us <= span[2] and entry.key == span[0]


def _area(frame: Frame | None) -> int:
    if frame is None:
        return -1
    return frame.box.width * frame.box.height if frame.box else 0


def _small(frame: Frame, max_pixels: int) -> bytes | None:
    try:
        image = decode(frame.picture, max_pixels=max_pixels)
    except PictureError:
        return None
    share = HEIGHT / image.shape[0]
    if share < 1:
        image = cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA).astype(image.dtype)
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1])
