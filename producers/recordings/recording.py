"""A recording, opened: its index, and its entries in the order in which they were logged.

frames/0 ──1──4──5──┐
frames/1 ──2────6───┼──► 1 2 3 4 5 6     merged by the time they were logged; within a partition, by offset
labels/0 ────3──────┘
"""

import hashlib
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from heapq import merge
from pathlib import Path
from typing import IO, Final

from producers.recordings.container import Entry, sound_blocks
from producers.recordings.files import Files, hint, open_files, readable
from producers.recordings.index import MOST_BYTES, NAME, Index, IndexDamagedError, Segment, decoded
from schemas.errors import RecordingError
from schemas.topics import TABLE

PLACES = {topic.name: number for number, topic in enumerate(TABLE)}
"Of entries logged in the same millisecond, those of the topic that stands first in the table come first."


PIECE: Final = 1024 * 1024
"Bytes of a file to a checksum in the index's `pieces`."


@dataclass(frozen=True, slots=True)
class Selection:
    """What of a recording is wanted."""

    topics: frozenset[str] | None = None
    "Names in the topic table; None for all."
    cameras: frozenset[str] | None = None
    "Camera ids, the keys of the topics that are kept by camera; None for all."
    from_us: int | None = None
    "From this event time on, microseconds since 1970; entries without event time are always wanted."
    to_us: int | None = None
    "Until before this event time."

    @property
    def is_whole(self) -> bool:
        """Whether of its topics everything is wanted."""
        return (self.cameras, self.from_us, self.to_us) == (None, None, None)

    def wants(self, topic: str, entry: Entry) -> bool:
        """Whether an entry is wanted; a batch is where any of it is."""
        return self._wants_topic(topic) and self._wants_key(topic, entry) and self._wants_time(entry)

    def _wants_topic(self, topic: str) -> bool:
        return self.topics is None or topic in self.topics

    def _wants_key(self, topic: str, entry: Entry) -> bool:
        if self.cameras is None or topic not in BY_CAMERA:
            return True
        return entry.key is not None and entry.key.decode(errors="replace") in self.cameras

    def _wants_time(self, entry: Entry) -> bool:
        if entry.first_us is None or entry.last_us is None:
            return True
        after = self.from_us is None or entry.last_us >= self.from_us
        return after and (self.to_us is None or entry.first_us < self.to_us)


BY_CAMERA = frozenset(topic.name for topic in TABLE if topic.by_camera)
ALL = Selection()


@dataclass(frozen=True, slots=True, order=True)
class Located:
    """An entry and where it belongs; sorts by when it was logged."""

    logged_ms: int
    "When it, or one before it in its partition, was logged: never falls within a partition."
    place: int
    "Its topic's place in the topic table."
    partition: int
    "Its partition."
    offset: int
    "Its offset."
    topic: str = field(compare=False)
    "Its topic's name in the topic table."
    entry: Entry = field(compare=False)
    "The entry."


class Recording:
    """A recording that can be read, any number of times."""

    def __init__(self, files: Files, index: Index) -> None:
        self.files = files
        self.index = index

    @property
    def where(self) -> str:
        """Its path, for messages."""
        return self.files.where

    def chain(self, topic: str, partition: int) -> list[Segment]:
        """The segments of a partition, in order."""
        return [s for s in self.index.segments if s.topic == topic and s.partition == partition]

    def entries(self, selection: Selection = ALL) -> Iterator[Located]:
        """The wanted entries in the order in which they were logged; always the same order.

        Each segment's checksum is looked at before its first entry is given.

        Raises:
            RecordingError: a segment is missing, torn, or was changed.

        """
        chains = sorted({(segment.topic, segment.partition) for segment in self.index.segments})
        wanted = [chain for chain in chains if selection.topics is None or chain[0] in selection.topics]
        streams = [self._located(topic, partition) for topic, partition in wanted]
        return (located for located in merge(*streams) if selection.wants(located.topic, located.entry))

    def _located(self, topic: str, partition: int) -> Iterator[Located]:
        latest = 0
        for segment in self.chain(topic, partition):
            for entry in self.segment(segment):
                latest = max(latest, entry.logged_ms)
                yield Located(latest, PLACES.get(topic, len(PLACES)), partition, entry.offset, topic, entry)

    def segment(self, segment: Segment) -> Iterator[Entry]:
        """The entries of one segment; raises RecordingError where it is not what the index says."""
        self.check(segment)
        where = f"{self.where}/{segment.file}"
        found, last = 0, segment.first_offset - 1
        with readable(where), closing(self.files.open(segment.file)) as file:
            for block in sound_blocks(file, where, self.schemas(segment.topic), last):
                found, last = found + len(block.entries), block.entries[-1].offset
                yield from block.entries
        if (found, last) != (segment.records, segment.last_offset):
            raise RecordingError(
                f"{where}: {found} entries to offset {last}, where the index says {segment.records} to"
                f" {segment.last_offset}; {hint(self.where)}"
            )

    def schemas(self, topic: str) -> int:
        """How many schemas a topic's records were written with."""
        return len(self.index.topics[topic].schemas)

    def check(self, segment: Segment) -> None:
        """Raise RecordingError where a segment is missing, torn, or was changed."""
        where = f"{self.where}/{segment.file}"
        if not self.files.has(segment.file):
            raise RecordingError(f"{where}: missing; {hint(self.where)}")
        size = self.files.size(segment.file)
        if size < segment.size:
            raise RecordingError(f"{where}: torn: {size} of {segment.size} bytes are there; {hint(self.where)}")
        with readable(where), closing(self.files.open(segment.file)) as file:
            if checksums_of(file)[0] != segment.sha256:
                raise RecordingError(f"{where}: was changed after it was written; {hint(self.where)}")


def open_recording(path: Path) -> Recording:
    """The recording at a path, a folder or a zip file.

    Raises:
        RecordingError: nothing is there, no recording, or its index is torn, was changed or is of a newer version.

    """
    files = open_files(path)
    try:
        return Recording(files, decoded(index_bytes(files), f"{path}/{NAME}"))
    except IndexDamagedError as error:
        raise IndexDamagedError(f"{error}; {hint(files.where)}") from error


def index_bytes(files: Files) -> bytes:
    """What stands in a recording's index; raises RecordingError where there is none, or one that is too large."""
    if not files.has(NAME):
        raise IndexDamagedError(f"{files.where}: no recording, or a damaged one: it holds no {NAME}")
    with readable(f"{files.where}/{NAME}"), closing(files.open(NAME)) as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise IndexDamagedError(f"{files.where}/{NAME}: larger than {MOST_BYTES} bytes")
    return data


def checksums_of(file: IO[bytes]) -> tuple[str, str]:
    """Of a file: its SHA-256, and the CRC-32 of each of its pieces, both as hexadecimal digits."""
    digest, pieces = hashlib.sha256(), []
    while piece := file.read(PIECE):
        digest.update(piece)
        pieces.append(f"{zlib.crc32(piece):08x}")
    return digest.hexdigest(), "".join(pieces)
