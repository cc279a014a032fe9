"""Writing a recording: entries to segments, sealed segments to the index.

A segment is sealed, that is named in the index with its checksum, when it is large enough or the recording pauses.
What a kill leaves behind is at most one unsealed segment for each partition; whoever goes on seals what is whole of it.
"""

import os
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final, Self

from producers.recordings.container import Codec, Entry, SegmentWriter
from producers.recordings.index import NAME, Chosen, Gap, Index, RecordedTopic, Segment
from producers.recordings.recording import open_recording, sha256_of
from schemas.codec import Schema
from schemas.errors import RecordingError
from schemas.topics import FRAMES

SEGMENT: Final = 64 * 1024 * 1024
"Bytes after which a segment is sealed and another begun."
PACKED: Final[Mapping[str, Codec]] = {FRAMES.name: "null"}
"JPEG does not get smaller; all else is deflated."


@dataclass(slots=True)
class _Open:
    """A segment that is being written."""

    file: IO[bytes]
    writer: SegmentWriter
    name: str
    "Within the recording."
    records: int = 0
    first_offset: int = 0
    last_offset: int = 0
    first_ms: int = 0
    last_ms: int = 0
    first_us: int | None = None
    last_us: int | None = None

    def write(self, entry: Entry) -> None:
        if not self.records:
            self.first_offset, self.first_ms = entry.offset, entry.logged_ms
        self.writer.write(entry)
        self.records += 1
        self.last_offset = entry.offset
        self.first_ms, self.last_ms = min(self.first_ms, entry.logged_ms), max(self.last_ms, entry.logged_ms)
        if entry.first_us is not None and entry.last_us is not None:
            self.first_us = entry.first_us if self.first_us is None else min(self.first_us, entry.first_us)
            self.last_us = entry.last_us if self.last_us is None else max(self.last_us, entry.last_us)


class RecordingWriter:
    """Writes a recording into a folder of its own; a context that seals what is open.

    Raises:
        RecordingError: by any method, when the disk takes no more. What was sealed is kept; the recording can be gone
            on with.

    """

    def __init__(self, folder: Path, index: Index) -> None:
        """Take a folder and the index so far; `begin` and `resume` make both."""
        self._folder = folder
        self._index = index
        self._segments = list(index.segments)
        self._gaps = list(index.gaps)
        self._schemas = {name: list(topic.schemas) for name, topic in index.topics.items()}
        self._positions = {name: dict(topic.positions) for name, topic in index.topics.items()}
        self._open: dict[tuple[str, int], _Open] = {}

    @classmethod
    def begin(cls, folder: Path, *, origin: str, made_by: str, partitions: Mapping[str, int], chosen: Chosen) -> Self:
        """A new recording of topics with so many partitions.

        Raises:
            RecordingError: the folder is not empty, or cannot be made.

        """
        with _full_disk(folder):
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise RecordingError(f"{folder}: not empty; a recording begins in a folder of its own")
        topics = {name: RecordedTopic(partitions=count) for name, count in partitions.items()}
        identity = uuid.uuid4().hex
        writer = cls(
            folder,
            Index(id=identity, made_by=made_by, created=datetime.now(UTC), origin=origin, chosen=chosen, topics=topics),
        )
        writer._save(complete=False)
        return writer

    @classmethod
    def resume(cls, folder: Path) -> Self:
        """A recording that was stopped or killed, to go on with; what is whole of its unsealed segments is sealed.

        Raises:
            RecordingError: no recording, or a damaged one.

        """
        writer = cls(folder, open_recording(folder).index)
        with _full_disk(folder):
            for path in sorted(folder.glob("*/*.avro")):
                writer._adopt(path)
        writer._save(complete=False)
        return writer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Seal what is open; where the disk is full, what is sealed already stays."""
        if kind is None or not issubclass(kind, RecordingError):
            self.seal()
            return
        with suppress(RecordingError):
            self.seal()

    @property
    def index(self) -> Index:
        """The index as it stands, with what is sealed."""
        return self._index

    def position(self, topic: str, partition: int) -> int | None:
        """The offset that comes next; None where nothing was kept yet."""
        return self._positions[topic].get(partition)

    def schema_number(self, topic: str, schema: Schema) -> int:
        """The number of a writer's schema among its topic's."""
        known = self._schemas[topic]
        if schema not in known:
            known.append(schema)
        return known.index(schema)

    def write(self, topic: str, partition: int, entry: Entry) -> None:
        """Add an entry to its partition."""
        with _full_disk(self._folder):
            segment = self._open.get((topic, partition)) or self._begin_segment(topic, partition)
            segment.write(entry)
            self._positions[topic][partition] = entry.offset + 1
            if segment.file.tell() >= SEGMENT:
                self._seal(topic, partition)
                self._save(complete=False)

    def pass_over(self, topic: str, partition: int, position: int) -> None:
        """Say that everything before `position` was seen, though not all of it is kept."""
        self._positions[topic][partition] = position

    def gap(self, topic: str, partition: int, first: int, last: int) -> None:
        """Note offsets that were gone."""
        self._gaps.append(Gap(topic=topic, partition=partition, first=first, last=last))

    def flush(self) -> None:
        """Hand everything written to the operating system, so that only its crash, or the disk's, costs anything."""
        with _full_disk(self._folder):
            for segment in self._open.values():
                segment.writer.flush()
                segment.file.flush()

    def seal(self, *, complete: bool = False) -> None:
        """Seal all open segments, and write the index; `complete` where the recording was ended in order."""
        with _full_disk(self._folder):
            for topic, partition in list(self._open):
                self._seal(topic, partition)
        self._save(complete=complete)

    def _begin_segment(self, topic: str, partition: int) -> _Open:
        number = sum(s.topic == topic and s.partition == partition for s in self._segments)
        name = f"{topic}/{partition}-{number:04d}.avro"
        path = self._folder / name
        path.parent.mkdir(exist_ok=True)
        file = path.open("wb")
        about = {"roadwatch.recording": self._index.id, "roadwatch.topic": topic, "roadwatch.partition": str(partition)}
        segment = _Open(file, SegmentWriter(file, PACKED.get(topic, "deflate"), about), name)
        self._open[topic, partition] = segment
        return segment

    def _seal(self, topic: str, partition: int) -> None:
        segment = self._open.pop((topic, partition))
        with segment.file as file:
            segment.writer.flush()
            file.flush()
            os.fsync(file.fileno())
        self._name(topic, partition, segment)

    def _name(self, topic: str, partition: int, segment: _Open) -> None:
        path = self._folder / segment.name
        with path.open("rb") as file:
            digest = sha256_of(file)
        self._segments.append(
            Segment(
                file=segment.name,
                topic=topic,
                partition=partition,
                records=segment.records,
                first_offset=segment.first_offset,
                last_offset=segment.last_offset,
                first_ms=segment.first_ms,
                last_ms=segment.last_ms,
                first_us=segment.first_us,
                last_us=segment.last_us,
                size=path.stat().st_size,
                sha256=digest,
            )
        )

    def _adopt(self, path: Path) -> None:
        """Seal what is whole of a segment that a kill left behind."""
        raise NotImplementedError

    def _save(self, *, complete: bool) -> None:
        """Write the index beside the old one, then in its place."""
        topics = {
            name: RecordedTopic(
                partitions=topic.partitions, schemas=tuple(self._schemas[name]), positions=self._positions[name]
            )
            for name, topic in self._index.topics.items()
        }
        self._index = self._index.model_copy(
            update={
                "topics": topics,
                "segments": tuple(self._segments),
                "gaps": tuple(self._gaps),
                "complete": complete,
            }
        )
        with _full_disk(self._folder):
            beside = self._folder / f"{NAME}.new"
            with beside.open("wb") as file:
                file.write(self._index.encoded())
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._folder / NAME)


def pack(folder: Path, path: Path) -> None:
    """Put a recording's folder into one zip file, the index first, everything stored as it is.

    Raises:
        RecordingError: the file is there already, or the disk takes no more.

    """
    if path.exists():
        raise RecordingError(f"{path}: is there already")
    beside = path.with_name(f"{path.name}.new")
    with _full_disk(path):
        with zipfile.ZipFile(beside, "w", zipfile.ZIP_STORED) as archive:
            archive.write(folder / NAME, NAME)
            for segment in open_recording(folder).index.segments:
                archive.write(folder / segment.file, segment.file)
        beside.replace(path)


@contextmanager
def _full_disk(where: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RecordingError(
            f"{where}: cannot be written: {error.strerror or error}; what is sealed is kept, the same command goes on"
        ) from error
