"""Writing a recording: entries to segments, sealed segments to the index.

A segment is sealed, that is named in the index with its checksum, when it is large enough or the recording pauses.
What a kill leaves behind is at most one unsealed segment for each partition; whoever goes on seals what is whole of it.
"""

import os
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final, Self

from producers.recordings.container import Codec, Entry, SegmentWriter
from producers.recordings.files import FolderFiles, inside, locked, refused, writable
from producers.recordings.index import NAME, Chosen, Gap, Index, RecordedTopic
from producers.recordings.recording import open_recording
from producers.recordings.segments import (
    HEAD,
    Chain,
    Tally,
    chain_of,
    head_of,
    is_segment,
    number_of,
    place_of,
    whole_of,
)
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
    "Its file."
    writer: SegmentWriter
    "Writes it."
    name: str
    "Within the recording."
    schemas: int
    "How many its head names; an entry of another needs a segment that begins later."
    before: int | None
    "Where its partition stood: what the index says until it is sealed, for a kill may take all of it."
    tally: Tally = field(default_factory=Tally)
    "What was written."


class RecordingWriter:
    """Writes a recording into a folder of its own; a context that seals what is open.

    Raises:
        RecordingError: by any method, when the disk takes no more. What was sealed is kept; the recording can be gone
            on with.

    """

    def __init__(self, folder: Path, index: Index, lock: int) -> None:
        """Take a folder, which is locked, and the index so far; `begin` and `resume` make all three."""
        self._folder = folder
        self._index = index
        self._lock: int | None = lock
        self._segments = list(index.segments)
        self._gaps = list(index.gaps)
        self._schemas = {name: list(topic.schemas) for name, topic in index.topics.items()}
        self._latest: dict[str, tuple[Schema, int]] = {}
        self._positions = {name: dict(topic.positions) for name, topic in index.topics.items()}
        self._open: dict[Chain, _Open] = {}
        self._failed = False

    @classmethod
    def begin(cls, folder: Path, *, origin: str, made_by: str, partitions: Mapping[str, int], chosen: Chosen) -> Self:
        """A new recording of topics with so many partitions.

        Raises:
            RecordingError: the folder is not empty, or cannot be made.

        """
        with writable(folder):
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise RecordingError(f"{folder}: not empty; a recording begins in a folder of its own")
        topics = {name: RecordedTopic(partitions=count) for name, count in partitions.items()}
        index = Index(
            id=uuid.uuid4().hex,
            made_by=made_by,
            created=datetime.now(UTC),
            origin=origin,
            chosen=chosen,
            topics=topics,
        )
        writer = cls(folder, index, locked(folder))
        try:
            writer._save(complete=False)
        except RecordingError:
            writer.close()
            raise
        return writer

    @classmethod
    def resume(cls, folder: Path) -> Self:
        """A recording that was stopped or killed, to go on with; what is whole of its unsealed segments is sealed.

        Raises:
            RecordingError: no recording, a damaged one, or one that somebody is writing.

        """
        if folder.is_file():
            raise RecordingError(f"{folder}: a recording goes on in a folder; unpack it first")
        lock = locked(folder)
        try:
            writer = cls(folder, open_recording(folder).index, lock)
            writer._adopt_all()
        except BaseException:
            os.close(lock)
            raise
        return writer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Seal what is open; after an exception what is whole of it, as far as the disk lets us."""
        try:
            if kind is None:
                self.seal(complete=self._index.complete and not self._open)
            else:
                self._rescue()
        finally:
            self.close()

    def _rescue(self) -> None:
        with suppress(RecordingError):
            self.flush()
        for chain in list(self._open):
            self._leave(chain)
        with suppress(RecordingError):
            self._adopt_all()

    def close(self) -> None:
        """Let go of the folder, and leave what is open as a kill would."""
        for chain in list(self._open):
            self._leave(chain)
        if self._lock is not None:
            os.close(self._lock)
        self._lock = None

    @property
    def index(self) -> Index:
        """The index as it stands, with what is sealed."""
        return self._index

    def position(self, topic: str, partition: int) -> int | None:
        """The offset that comes next; None where nothing was kept yet."""
        return self._positions[topic].get(partition)

    def schema_number(self, topic: str, schema: Schema) -> int:
        """The number of a writer's schema among its topic's."""
        latest, number = self._latest.get(topic, (None, 0))
        if latest is schema:
            return number
        known, plain = self._schemas[topic], {name: part for name, part in schema.items() if not name.startswith("__")}
        if plain not in known:
            known.append(plain)
        self._latest[topic] = schema, known.index(plain)
        return known.index(plain)

    def write(self, topic: str, partition: int, entry: Entry) -> None:
        """Add an entry to its partition; its offset is beyond all before it, its schema has a number.

        Raises:
            RecordingError: it is not; or the disk takes no more, now or at an earlier call.

        """
        chain = topic, partition
        positions = self._positions[topic]
        if entry.offset < positions.get(partition, 0):
            raise RecordingError(f"{topic}/{partition}: offset {entry.offset} comes after {positions[partition] - 1}")
        segment = self._open.get(chain)
        if segment is None or self._failed or entry.schema >= segment.schemas:
            segment = self._begin_segment(chain, entry)
        try:
            segment.writer.write(entry)
        except OSError as error:
            self._leave(chain)
            raise self._fault(error) from error
        except (ValueError, TypeError, ArithmeticError):  # half an entry may stand in the block
            self._failed = True
            raise
        segment.tally.add(entry)
        positions[partition] = entry.offset + 1
        if segment.file.tell() >= SEGMENT:
            self._seal(chain)
            self._save(complete=False)

    def pass_over(self, topic: str, partition: int, position: int) -> None:
        """Say that everything before `position` was seen, though not all of it is kept."""
        self._positions[topic][partition] = position

    def gap(self, topic: str, partition: int, first: int, last: int) -> None:
        """Note offsets that were gone; at once, for what comes after them may outlive a kill."""
        new = Gap(topic=topic, partition=partition, first=first, last=last)
        self._gaps = [gap for gap in self._gaps if not _contains(new, gap)] + [new]
        self._save(complete=False)

    def flush(self) -> None:
        """Hand everything written to the operating system, so that only its crash, or the disk's, costs anything."""
        for chain, segment in list(self._open.items()):
            with self._writes(chain):
                segment.writer.flush()

    def seal(self, *, complete: bool = False) -> None:
        """Seal all open segments, and write the index; `complete` where the recording was ended in order."""
        for chain in list(self._open):
            self._seal(chain)
        self._save(complete=complete)

    def _begin_segment(self, chain: Chain, entry: Entry) -> _Open:
        if self._failed:
            raise RecordingError(f"{self._folder}: could not be written before; what is sealed can be gone on with")
        if chain in self._open:
            self._seal(chain)
            self._save(complete=False)
        if entry.schema >= len(self._schemas[chain[0]]):
            raise RecordingError(f"{chain[0]} at offset {entry.offset}: no schema has the number {entry.schema}")
        with self._writes(chain):
            self._open[chain] = self._opened(*chain)
        return self._open[chain]

    def _opened(self, topic: str, partition: int) -> _Open:
        name = f"{topic}/{partition}-{self._next_number(topic, partition):04d}.avro"
        path = inside(self._folder, name)
        path.parent.mkdir(exist_ok=True)
        schemas = tuple(self._schemas[topic])
        about = {
            "roadwatch.recording": self._index.id,
            "roadwatch.topic": topic,
            "roadwatch.partition": str(partition),
            HEAD: self._index.head(topic, schemas).encoded().decode(),
        }
        file = path.open("xb")
        try:
            writer = SegmentWriter(file, self._codec(topic), about)
        except OSError:
            with suppress(OSError):
                file.close()
            raise
        return _Open(file, writer, name, len(schemas), self.position(topic, partition))

    def _codec(self, topic: str) -> Codec:
        return PACKED.get(topic, "deflate") if self._index.chosen.pictures else "deflate"

    def _next_number(self, topic: str, partition: int) -> int:
        return 1 + max((number_of(s.file) for s in self._segments if s.chain == (topic, partition)), default=-1)

    def _seal(self, chain: Chain) -> None:
        segment = self._open[chain]
        with self._writes(chain):
            segment.writer.flush()
            os.fsync(segment.file.fileno())
            segment.file.close()
            self._name(segment.name, segment.tally)
        del self._open[chain]

    def _name(self, name: str, tally: Tally) -> None:
        """Name a segment that is whole on the disk in the index; one without entries is removed."""
        if tally.records:
            self._segments.append(tally.segment(self._folder, name))
        else:
            (self._folder / name).unlink()

    def _adopt_all(self) -> None:
        """Seal what is whole of the segments that a kill left behind."""
        sealed = {segment.file for segment in self._segments}
        with writable(self._folder):
            for name in sorted(FolderFiles(self._folder).names(), key=place_of):
                if is_segment(name) and name not in sealed and chain_of(name)[0] in self._schemas:
                    self._adopt(name)
        self._save(complete=False)

    def _adopt(self, name: str) -> None:
        path, (topic, partition) = inside(self._folder, name), chain_of(name)
        self._learn(topic, path)
        tally, end = whole_of(path, len(self._schemas[topic]))
        if not tally.records:
            path.unlink()
            return
        if tally.first_offset < (self.position(topic, partition) or 0):
            raise RecordingError(f"{path}: begins at offset {tally.first_offset}, which is kept already; take it away")
        _truncate(path, end)
        self._name(name, tally)
        self._positions[topic][partition] = tally.last_offset + 1

    def _learn(self, topic: str, path: Path) -> None:
        """Take over the schemas that a segment names and the index does not yet."""
        with path.open("rb") as file:
            head = head_of(file, str(path))
        if head is None:
            return
        known, told = self._schemas[topic], list(head.topics[topic].schemas) if topic in head.topics else []
        if head.id != self._index.id or any(one != other for one, other in zip(known, told, strict=False)):
            raise RecordingError(f"{path}: a segment of another recording; take it away")
        known.extend(told[len(known) :])

    def _save(self, *, complete: bool) -> None:
        """Write the index beside the old one, then in its place."""
        index = self._index.model_copy(
            update={
                "topics": {name: self._recorded(name, topic) for name, topic in self._index.topics.items()},
                "segments": tuple(self._segments),
                "gaps": tuple(self._gaps),
                "complete": complete,
            }
        )
        with self._writes():
            beside = self._folder / f"{NAME}.new"
            beside.unlink(missing_ok=True)
            with beside.open("xb") as file:
                file.write(index.encoded())
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._folder / NAME)
            if self._lock is not None:
                os.fsync(self._lock)
        self._index = index

    def _recorded(self, name: str, topic: RecordedTopic) -> RecordedTopic:
        """A topic as far as it is sealed."""
        unsealed = {chain[1]: segment.before for chain, segment in self._open.items() if chain[0] == name}
        positions = {**self._positions[name], **unsealed}
        return RecordedTopic(
            partitions=topic.partitions,
            schemas=tuple(self._schemas[name]),
            positions={partition: position for partition, position in positions.items() if position is not None},
        )

    @contextmanager
    def _writes(self, chain: Chain | None = None) -> Iterator[None]:
        """Leave a chain's segment as it is, and write no more, where the disk refuses."""
        try:
            yield
        except OSError as error:
            if chain in self._open:
                self._leave(chain)
            raise self._fault(error) from error

    def _leave(self, chain: Chain) -> None:
        """Leave a segment unsealed, and its partition where it stood before."""
        segment, positions = self._open.pop(chain), self._positions[chain[0]]
        if segment.before is None:
            positions.pop(chain[1], None)
        else:
            positions[chain[1]] = segment.before
        with suppress(OSError):
            segment.file.close()

    def _fault(self, error: OSError) -> RecordingError:
        self._failed = True
        return refused(self._folder, error)


def _truncate(path: Path, size: int) -> None:
    with path.open("r+b") as file:
        file.truncate(size)
        os.fsync(file.fileno())


def _contains(outer: Gap, inner: Gap) -> bool:
    same = (outer.topic, outer.partition) == (inner.topic, inner.partition)
    return same and outer.first <= inner.first and inner.last <= outer.last


def pack(folder: Path, path: Path) -> None:
    """Put a recording's folder into one zip file, the index first, everything stored as it is.

    Raises:
        RecordingError: the file is there already, or the disk takes no more.

    """
    if path.exists():
        raise RecordingError(f"{path}: is there already")
    beside = path.with_name(f"{path.name}.new")
    names = [NAME, *(segment.file for segment in open_recording(folder).index.segments)]
    with writable(path):
        with zipfile.ZipFile(beside, "w", zipfile.ZIP_STORED, strict_timestamps=False) as archive:
            for name in names:
                archive.write(inside(folder, name), name)
        beside.replace(path)
