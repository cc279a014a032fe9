"""Whether a recording is what its index says; and what is whole of one that is not, as a new recording.

segment 0 ██████████ ok
segment 1 ██████░░░░ torn or changed: kept up to there, what is lost is a gap
segment 2 ██████████ ok
segment 3 ████       unsealed: what a kill left behind
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Literal

from producers.recordings.container import UNREAD, Block, Entry, sound_blocks
from producers.recordings.files import Files, open_torn, readable
from producers.recordings.index import NAME, Index, IndexDamagedError, Segment, decoded
from producers.recordings.recording import PIECE, Recording, checksums_of, index_bytes, open_recording
from producers.recordings.segments import Chain, Tally, chain_of, head_of, is_segment, number_of
from producers.recordings.writing import RecordingWriter
from schemas.errors import RecordingError

State = Literal["ok", "missing", "torn", "changed", "wrong", "unsealed", "stranger"]
Progress = Callable[[int, int], None]
"Told how many files are done, and of how many."


@dataclass(frozen=True, slots=True)
class Found:
    """What was found of one file."""

    file: str
    "Within the recording."
    state: State
    "Wrong: its checksum is right, but its entries are not what the index says. Stranger: of no segment, or another's."
    records: int
    "Entries that are whole and sound, from its beginning."
    end: int
    "Where the last of them ends, bytes."
    size: int
    "Bytes that the index says, or that are there where it says nothing."
    lost: int | None
    "Entries that the index says besides; None where it says nothing."
    lost_offsets: tuple[int, int] | None
    "Between which offsets they lay, both included; None where nothing is lost, or nobody knows."
    fault: str
    "What is wrong with it, and where; empty where nothing is."


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found of a recording."""

    where: str
    "Its path."
    index: str
    "What is wrong with its index; empty where nothing is."
    found: tuple[Found, ...]
    "Its files, chain by chain."

    @property
    def sound(self) -> bool:
        """Whether it is whole and unchanged; a strange file beside it does no harm."""
        return not self.index and all(found.state in ("ok", "stranger") for found in self.found)

    @property
    def records(self) -> int:
        """Entries that are whole and sound."""
        return sum(found.records for found in self.found)


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What was kept of a damaged recording, and what was not."""

    folder: Path
    "The new recording."
    index: str
    "What was wrong with the old one's index; empty where nothing was."
    found: tuple[Found, ...]
    "The old one's files: of each, what it says is whole is kept."
    records: int
    "Entries kept."
    lost: int
    "Entries lost, as far as the index said how many there were."


@dataclass(frozen=True, slots=True)
class _Source:
    """A recording as far as it can be read."""

    files: Files
    index: Index | None
    "Made again from the segments where it is lost; None where that cannot be."
    fault: str
    "What is wrong with the index."


def verify(recording: Recording | Path, progress: Progress = lambda _done, _total: None) -> Verification:
    """Look at every byte of a recording.

    Raises:
        RecordingError: nothing is there, or a recording of a newer version.

    """
    source = _opened(recording) if isinstance(recording, Path) else _source(recording.files, recording.index)
    found = []
    names = _in_order(source)
    for done, (name, segment) in enumerate(names):
        progress(done, len(names))
        look = _Look(source, name, segment)
        for _ in look.blocks():
            pass
        found.append(look.found())
    progress(len(names), len(names))
    return Verification(source.files.where, source.fault, tuple(found))


def salvage(path: Path, folder: Path, *, made_by: str, progress: Progress = lambda _done, _total: None) -> Salvaged:
    """Keep what is whole of a recording as a new one: of each segment what stands before its first fault.

    The index's checksums prove what is kept. Of a segment that it does not name, or where it is lost itself, only what
    Avro's blocks tell is known: a tear is found, a changed byte within an entry is not.

    Raises:
        RecordingError: nothing is there, nothing of it is whole, or it is of a newer version; the folder is not empty, or
            the disk takes no more.

    """
    source = _torn(path)
    if source.index is None:
        raise RecordingError(f"{path}: nothing of it is whole: {source.fault}")
    names = _in_order(source)
    counts = {name: topic.partitions for name, topic in source.index.topics.items()}
    with RecordingWriter.begin(
        folder, origin=source.index.origin, made_by=made_by, partitions=counts, chosen=source.index.chosen
    ) as writer:
        keeper = _Keeper(source.index, writer)
        for done, (name, segment) in enumerate(names):
            progress(done, len(names))
            keeper.keep(_Look(source, name, segment, keeper.last(name)))
        keeper.end(complete=source.index.complete and not source.fault)
    progress(len(names), len(names))
    found = tuple(keeper.found)
    return Salvaged(folder, source.fault, found, keeper.records, sum(one.lost or 0 for one in found))


def _opened(path: Path) -> _Source:
    try:
        recording = open_recording(path)
    except RecordingError:
        return _torn(path)
    return _source(recording.files, recording.index)


def _torn(path: Path) -> _Source:
    """A recording whose index or list of files may be damaged; raises RecordingError for one of a newer version."""
    fault = _fault_of(path)
    files = open_torn(path)
    try:
        return _source(files, decoded(index_bytes(files), f"{path}/{NAME}"), fault)
    except IndexDamagedError:
        return _source(files, None, fault)


def _source(files: Files, index: Index | None, fault: str = "") -> _Source:
    """With the schemas that the heads of unsealed segments name; of an index that is lost all that the heads say."""
    named = {segment.file for segment in index.segments} if index else set()
    names = [name for name in files.names() if is_segment(name) and name not in named]
    heads = [head for name in names if (head := _head(files, name))]
    index = index or _of_most(heads)
    of_it = [head for head in heads if index and head.id == index.id]
    return _Source(files, _with_schemas(index, of_it) if index else None, fault)


def _of_most(heads: list[Index]) -> Index | None:
    """A head of the recording that most heads are of."""
    counts = Counter(head.id for head in heads)
    return next((head for head in heads if counts[head.id] == max(counts.values())), None)


def _with_schemas(index: Index, heads: list[Index]) -> Index:
    """A topic's schemas become more with time: the longest list has them all."""
    topics = dict(index.topics)
    for name, topic in (item for head in heads for item in head.topics.items()):
        if name in topics and len(topic.schemas) > len(topics[name].schemas):
            topics[name] = topics[name].model_copy(update={"schemas": topic.schemas})
    return index.model_copy(update={"topics": topics})


def _fault_of(path: Path) -> str:
    try:
        open_recording(path)
    except RecordingError as error:
        return str(error).split("; what is whole can be kept")[0]
    return ""


def _head(files: Files, name: str) -> Index | None:
    try:
        with readable(name), closing(files.open(name)) as file:
            return head_of(file, name)
    except RecordingError:
        return None


def _in_order(source: _Source) -> list[tuple[str, Segment | None]]:
    """The files of a recording, each chain in order, what belongs to no chain first; with what the index says of each."""
    named = {segment.file: segment for segment in source.index.segments} if source.index else {}
    others = set(source.files.names()) - named.keys() - {NAME, f"{NAME}.new"}
    segments = named.keys() | {name for name in others if is_segment(name)}
    in_chains = sorted(segments, key=lambda name: (*chain_of(name), number_of(name)))
    return [(name, named.get(name)) for name in (*sorted(others - segments), *in_chains)]


class _Look:
    """One look at a file: gives its sound blocks up to its first fault, then says what was found."""

    def __init__(self, source: _Source, name: str, segment: Segment | None, after: int = -1) -> None:
        """Entries up to the offset `after` are had already."""
        self._files = source.files
        self._index = source.index
        self._segment = segment
        self._where = f"{source.files.where}/{name}"
        self._after = after
        self._state: State = "ok"
        self._fault = ""
        self._end = 0
        self._size = segment.size if segment else 0
        self._tally = Tally()
        self.name = name
        self.torn = False
        "Whether a file of which the index says nothing ends in something else than a whole block."

    def blocks(self) -> Iterator[Block]:
        """The blocks that are whole and sound."""
        try:
            until = self._sound_until()
            with readable(self._where), closing(self._files.open(self.name)) as file:
                yield from self._blocks(file, until)
        except RecordingError as error:
            self.torn = self._state == "unsealed"
            self._note("wrong", str(error))
        if self._segment and self._state == "ok" and (fault := _difference(self._segment, self._tally)):
            self._note("wrong", f"{self._where}: {fault}")

    def found(self) -> Found:
        """What was found, once all blocks were given."""
        segment, tally = self._segment, self._tally
        lost = max(0, segment.records - tally.records) if segment else None
        first = tally.last_offset + 1 if tally.records else segment.first_offset if segment else 0
        offsets = (first, segment.last_offset) if segment and lost and first <= segment.last_offset else None
        return Found(self.name, self._state, tally.records, self._end, self._size, lost, offsets, self._fault)

    @property
    def last(self) -> int:
        """The last offset that was given, or was had before."""
        return self._tally.last_offset if self._tally.records else self._after

    def _blocks(self, file: IO[bytes], until: int) -> Iterator[Block]:
        for block in sound_blocks(file, self._where, self._schemas(), self._after):
            if block.end > until:
                raise RecordingError(f"{self._where}: sound to byte {self._end}, after {self._tally.records} entries")
            for entry in block.entries:
                self._tally.add(entry)
            self._end = block.end
            yield block

    def _schemas(self) -> int:
        topic = self._index.topics.get(chain_of(self.name)[0]) if self._index else None
        return len(topic.schemas) if topic else 0

    def _sound_until(self) -> int:
        """The byte up to which nothing speaks against the file; what does is noted."""
        if self._segment is None:
            return self._stranger_until()
        if not self._files.has(self.name):
            self._note("missing", f"{self._where}: missing")
            raise RecordingError(self._fault)
        with readable(self._where), closing(self._files.open(self.name)) as file:
            sha256, pieces = checksums_of(file)
        size = self._files.size(self.name)
        if size < self._segment.size:
            self._note("torn", f"{self._where}: torn at byte {size} of {self._segment.size}")
        elif sha256 != self._segment.sha256:
            self._note("changed", f"{self._where}: was changed after it was written")
        else:
            return size
        return _sound_until(self._segment, size, pieces)

    def _stranger_until(self) -> int:
        head = _head(self._files, self.name) if is_segment(self.name) else None
        if head and self._index and head.id == self._index.id and chain_of(self.name)[0] in self._index.topics:
            self._note("unsealed", f"{self._where}: in no index: it is still written, or a kill left it behind")
            self._size = self._files.size(self.name)
            return self._size
        self._note("stranger", f"{self._where}: no segment of this recording")
        raise RecordingError(self._fault)

    def _note(self, state: State, fault: str) -> None:
        """The first fault says what is wrong; others follow from it."""
        if self._state == "ok":
            self._state, self._fault = state, fault


def _sound_until(segment: Segment, size: int, pieces: str) -> int:
    """The byte up to which a file is what its pieces' checksums say; of a torn one, the last piece has none."""
    torn = size < segment.size
    if len(segment.pieces) != 8 * -(-segment.size // PIECE):
        return size if torn else 0
    for number in range(len(pieces) // 8):
        proven = (number + 1) * PIECE <= size or not torn
        place = slice(8 * number, 8 * number + 8)
        if proven and pieces[place] != segment.pieces[place]:
            return number * PIECE
    return size


def _difference(segment: Segment, tally: Tally) -> str:
    """What the index says otherwise than the entries; empty where they agree."""
    names = ("records", "first_offset", "last_offset", "first_ms", "last_ms", "first_us", "last_us")
    told: dict[str, tuple[Any, Any]] = {name: (getattr(tally, name), getattr(segment, name)) for name in names}
    return "; ".join(f"{name} is {is_}, the index says {says}" for name, (is_, says) in told.items() if is_ != says)


class _Keeper:
    """Puts what is whole into a new recording."""

    def __init__(self, index: Index, writer: RecordingWriter) -> None:
        self._index = index
        self._writer = writer
        self._numbers = {
            name: [writer.schema_number(name, schema) for schema in topic.schemas]
            for name, topic in index.topics.items()
        }
        self._lost: dict[Chain, list[tuple[int, int | None]]] = {}
        self.found: list[Found] = []
        self.records = 0

    def last(self, name: str) -> int:
        """The last offset that is kept of a file's chain; -1 for none."""
        if not is_segment(name) or chain_of(name)[0] not in self._index.topics:
            return -1
        return (self._writer.position(*chain_of(name)) or 0) - 1

    def keep(self, look: _Look) -> None:
        """Take over the entries of one file."""
        for block in look.blocks():
            chain = chain_of(look.name)
            self._note_gaps(chain, block.entries[0].offset)
            for entry in block.entries:
                self._writer.write(*chain, self._numbered(chain, entry))
            self.records += len(block.entries)
        found = look.found()
        self.found.append(found)
        if found.lost_offsets or look.torn:
            self._lost.setdefault(chain_of(look.name), []).append(found.lost_offsets or (look.last + 1, None))

    def end(self, *, complete: bool) -> None:
        """Take over how far the old recording had come, where nothing of a chain's end is lost."""
        for gap in self._index.gaps:
            self._writer.gap(gap.topic, gap.partition, gap.first, gap.last)
        for name, topic in self._index.topics.items():
            for partition, position in topic.positions.items():
                if (name, partition) not in self._lost and position > (self._writer.position(name, partition) or 0):
                    self._writer.pass_over(name, partition, position)
        whole = all(found.state in ("ok", "stranger") for found in self.found)
        self._writer.seal(complete=complete and whole)

    def _note_gaps(self, chain: Chain, before: int) -> None:
        """What was lost before an entry that is kept is a gap; at a chain's end it may be recorded anew."""
        for first, last in self._lost.pop(chain, []):
            if first < before:
                self._writer.gap(*chain, first, before - 1 if last is None else last)

    def _numbered(self, chain: Chain, entry: Entry) -> Entry:
        number = entry.schema if entry.schema == UNREAD else self._numbers[chain[0]][entry.schema]
        return entry if number == entry.schema else replace(entry, schema=number)
