"""Cutting: a recording of a span, which gives, replayed, what the whole gave for that span.

    ────────●──●──┼──●─────●────●──┼──●─────     pictures: those of the span,
            └─────┴──┘          └──┴──┘          and all of a vehicle that is on both sides of a border
    ───○───────────────────────────────────○     labels: those of what is kept, whenever they were given

Equal are predictions, and a day's figures in a cut of whole days, where days wait for their labels' promise, or where the
pictures that closed the last day are kept as well. Not promised: findings and absent cameras at a cut's beginning, whose days
before are gone; figures of the days outside, of which a little may be there; frames that the whole left out for coming later
than `monitor.passage_timeout` allows, or than `monitor.lateness` where what closed the day is not kept.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from producers.recordings.container import Entry
from producers.recordings.entries import Reader, reader_of
from producers.recordings.index import Chosen, Index, this_program
from producers.recordings.recorder import without_picture
from producers.recordings.recording import BY_CAMERA, Recording, Selection
from producers.recordings.rows import ROWS, Key, Row, at_us, fields_of, rows_of, with_rows
from producers.recordings.writing import RecordingWriter
from schemas.errors import ConfigurationError, DecodingError
from schemas.ids import parse_id
from schemas.topics import LABELS, OBSERVATIONS

PASSAGE_US: Final = 3_600_000_000
"No vehicle passes for longer: what lies further from a border has no part on its other side."
EVERY: Final = 500
"Entries between two words of progress."
_OF_A_LABEL: Final = ("camera_id", "frame_id", "passage_id", "label", "labelled_at", "complete_until")

Progress = Callable[[str, int, int], None]
"Told what is done, how many entries of it, and how many there are."


def silent(what: str, done: int, total: int) -> None:
    """Progress that nobody wants."""


def cut(
    recording: Recording,
    folder: Path,
    chosen: Chosen,
    topics: frozenset[str] | None = None,
    progress: Progress = silent,
    closing_us: tuple[int, ...] = (),
) -> Index:
    """Write what is chosen of a recording into a folder of its own; of all its topics, or of some.

    Entries stay what they were: offsets, times, keys, headers, bytes. A batch that lies across a border is cut between its
    rows. Bytes that could not be read are kept with what lies before them in their partition; records without event time
    are all kept. Of each camera the first picture at or after each of `closing_us`, microseconds since 1970, is kept too:
    it closes the span's last day as it did in the whole. Memory: the passages within an hour of a border, and the runs of
    frames that there are.

    Raises:
        ConfigurationError: a camera or topic is not in the recording; names those that are.
        RecordingError: the recording is damaged, or the folder is not empty or cannot be written.

    """
    readers = {name: reader_of(name, topic) for name, topic in recording.index.topics.items()}
    _require_topics(recording, topics)
    wanted = recording.index.topics.keys() if topics is None else topics
    seen = _Look(recording, readers, chosen, needs_things=LABELS.name in wanted).run(progress)
    _require_cameras(recording, chosen, seen.cameras)
    with _begun(recording, folder, chosen, [name for name in recording.index.topics if name in wanted]) as writer:
        _copy(recording, writer, _Cut(readers, chosen, seen, closing_us), progress)
        writer.seal(complete=recording.index.complete)
    return writer.index


def _require_topics(recording: Recording, topics: frozenset[str] | None) -> None:
    there = recording.index.topics
    if missing := sorted((topics or frozenset()) - there.keys()):
        raise ConfigurationError(
            "--topic",
            [f"{recording.where} holds no {name!r}; it holds {', '.join(there) or 'no topics'}" for name in missing],
        )


def _require_cameras(recording: Recording, chosen: Chosen, there: set[str]) -> None:
    if missing := sorted(set(chosen.cameras or ()) - there):
        known = ", ".join(sorted(there)) or "none"
        raise ConfigurationError(
            "--camera", [f"no camera {name!r} is in {recording.where}; there are: {known}" for name in missing]
        )


def _begun(recording: Recording, folder: Path, chosen: Chosen, topics: list[str]) -> RecordingWriter:
    index = recording.index
    writer = RecordingWriter.begin(
        folder,
        origin=f"cut of {index.id}: {index.origin}",
        made_by=this_program(),
        partitions={name: index.topics[name].partitions for name in topics},
        chosen=_narrowed(index.chosen, chosen),
    )
    for name in topics:
        for schema in index.topics[name].schemas:
            writer.schema_number(name, schema)
    for gap in index.gaps:
        if gap.topic in topics:
            writer.gap(gap.topic, gap.partition, gap.first, gap.last)
    return writer


def _narrowed(whole: Chosen, part: Chosen) -> Chosen:
    """What is chosen by both."""
    cameras = [set(chosen.cameras) for chosen in (whole, part) if chosen.cameras is not None]
    return Chosen(
        cameras=tuple(sorted(set.intersection(*cameras))) if cameras else None,
        from_us=max((us for us in (whole.from_us, part.from_us) if us is not None), default=None),
        to_us=min((us for us in (whole.to_us, part.to_us) if us is not None), default=None),
        pictures=whole.pictures and part.pictures,
    )


def _copy(recording: Recording, writer: RecordingWriter, part: "_Cut", progress: Progress) -> None:
    done, total = 0, records_of(recording, writer.index.topics.keys())
    for topic, partition in chains_of(recording, writer.index.topics.keys()):
        entries = counted(entries_of(recording, topic, partition), "Cutting", done, total, progress)
        for entry in part.kept(topic, entries):
            writer.write(topic, partition, entry)
        done += sum(segment.records for segment in recording.chain(topic, partition))


def chains_of(recording: Recording, topics: Any) -> list[tuple[str, int]]:
    """The topics and partitions that hold entries, sorted."""
    return sorted({segment.chain for segment in recording.index.segments if segment.topic in topics})


def records_of(recording: Recording, topics: Any) -> int:
    """How many entries some topics hold."""
    return sum(segment.records for segment in recording.index.segments if segment.topic in topics)


def entries_of(recording: Recording, topic: str, partition: int) -> Iterator[Entry]:
    """The entries of a partition, by offset; raises RecordingError where it is damaged."""
    for segment in recording.chain(topic, partition):
        yield from recording.segment(segment)


def counted(entries: Iterator[Entry], what: str, done: int, total: int, progress: Progress) -> Iterator[Entry]:
    """Entries, with a word of progress now and then."""
    for number, entry in enumerate(entries, done + 1):
        if not number % EVERY or number == total:
            progress(what, number, total)
        yield entry


@dataclass(frozen=True)
class _Span:
    """From when to when, microseconds since 1970; None for open."""

    from_us: int | None
    to_us: int | None

    def has(self, us: int) -> bool:
        return (self.from_us is None or us >= self.from_us) and (self.to_us is None or us < self.to_us)

    def borders_near(self, first_us: int, last_us: int) -> list[int]:
        """The borders that a vehicle may be across which was seen between two times."""
        return [us for us in self._borders if us - PASSAGE_US <= last_us and first_us <= us + PASSAGE_US]

    @cached_property
    def _borders(self) -> list[int]:
        return [us for us in (self.from_us, self.to_us) if us is not None]


class Sequences:
    """Frames by camera and epoch, as runs of sequences: what follows one another costs nothing."""

    def __init__(self) -> None:
        self._runs: dict[tuple[str, str], list[list[int]]] = {}

    def add(self, key: Key) -> None:
        """Know a frame."""
        runs, n = self._runs.setdefault(key[:2], []), key.sequence
        i = bisect_right(runs, n, key=_first_of)
        if i and n <= runs[i - 1][1] + 1:
            runs[i - 1][1] = max(n, runs[i - 1][1])
        else:
            runs.insert(i, [n, n])
            i += 1
        if i < len(runs) and runs[i][0] <= runs[i - 1][1] + 1:
            runs[i - 1][1] = runs.pop(i)[1]

    def __contains__(self, key: Key) -> bool:
        """Whether a frame is known."""
        runs = self._runs.get(key[:2], [])
        i = bisect_right(runs, key.sequence, key=_first_of)
        return i > 0 and key.sequence <= runs[i - 1][1]


def _first_of(run: list[int]) -> int:
    return run[0]


@dataclass(slots=True)
class _Seen:
    """What the first pass knows of a recording."""

    cameras: set[str] = field(default_factory=set)
    "Those that are in it."
    across: frozenset[Key] = frozenset()
    "Passages with frames on both sides of a border."
    things: Sequences = field(default_factory=Sequences)
    "Frames that are in the recording, and passages by their first."
    kept: Sequences = field(default_factory=Sequences)
    "Those of them that are in the cut."


@dataclass(slots=True)
class _Sides:
    """A passage near a border."""

    before: bool = False
    after: bool = False
    frames: set[Key] = field(default_factory=set)

    def add(self, row: Row, *, is_before: bool) -> None:
        self.before, self.after = self.before or is_before, self.after or not is_before
        self.frames.add(row.frame)


class _Look:
    """The first pass: which passages are across a border, and which frames and passages are kept."""

    def __init__(self, recording: Recording, readers: Mapping[str, Reader], chosen: Chosen, needs_things: bool) -> None:
        self._recording, self._readers, self._needs_things = recording, readers, needs_things
        self._span = _Span(chosen.from_us, chosen.to_us)
        self._selection = _selection(chosen)
        self._by_name = chosen.cameras is not None
        self._near: dict[tuple[int, Key], _Sides] = {}
        self._seen = _Seen()

    def run(self, progress: Progress) -> _Seen:
        topics = [name for name in self._readers if name in ROWS or (self._by_name and name in BY_CAMERA)]
        done, total = 0, records_of(self._recording, topics)
        for topic, partition in chains_of(self._recording, topics):
            entries = entries_of(self._recording, topic, partition)
            for entry in counted(entries, "Looking", done, total, progress):
                self._entry(topic, entry)
            done += sum(segment.records for segment in self._recording.chain(topic, partition))
        return self._closed()

    def _entry(self, topic: str, entry: Entry) -> None:
        if entry.key is not None and self._by_name:
            self._seen.cameras.add(entry.key.decode(errors="replace"))
        if topic not in ROWS or entry.first_us is None or entry.last_us is None:
            return
        near = self._span.borders_near(entry.first_us, entry.last_us)
        if (near or self._needs_things) and self._selection.wants(topic, entry):
            for row in rows_of(entry, self._readers[topic]):
                self._row(row, near)

    def _row(self, row: Row, near: list[int]) -> None:
        if self._needs_things:
            self._know(row, self._seen.things)
            if self._span.has(row.at_us):
                self._know(row, self._seen.kept)
        if row.passage is None:
            return
        for border in near:
            if abs(row.at_us - border) <= PASSAGE_US:
                sides = self._near.setdefault((border, row.passage), _Sides())
                sides.add(row, is_before=row.at_us < border)

    def _know(self, row: Row, things: Sequences) -> None:
        things.add(row.frame)
        if row.passage is not None:
            things.add(row.passage)

    def _closed(self) -> _Seen:
        """The passages that are across a border; all their frames are kept."""
        across = {passage: sides for (_, passage), sides in self._near.items() if sides.before and sides.after}
        for passage, sides in across.items():
            for frame in (passage, *sides.frames):
                self._seen.kept.add(frame)
        self._seen.across = frozenset(across)
        return self._seen


def _selection(chosen: Chosen) -> Selection:
    return Selection(cameras=None if chosen.cameras is None else frozenset(chosen.cameras))


class _Cut:
    """The second pass: what is kept of each partition."""

    def __init__(self, readers: Mapping[str, Reader], chosen: Chosen, seen: _Seen, closing_us: tuple[int, ...]) -> None:
        self._readers, self._seen, self._pictures = readers, seen, chosen.pictures
        self._schemas = {name: dict(enumerate(reader.schemas)) for name, reader in readers.items()}
        self._span = _Span(chosen.from_us, chosen.to_us)
        self._selection = _selection(chosen)
        self._promised: dict[str, int] = {}
        self._closing_us, self._closed = closing_us, set[tuple[str, str, int]]()

    def kept(self, topic: str, entries: Iterator[Entry]) -> Iterator[Entry]:
        """What is kept of a partition; what has no event time stays with what lies before it."""
        is_kept = True
        for entry in entries:
            if self._selection.wants(topic, entry):
                part = self._part(topic, entry, is_kept)
                is_kept = part is not None
                shown = part and self._shown(topic, part)
                if shown is not None:
                    yield shown

    def _part(self, topic: str, entry: Entry, is_kept: bool) -> Entry | None:
        """What is kept of an entry; `is_kept` whether anything was of the one before it."""
        if entry.first_us is None:
            return entry if is_kept else None
        if topic in ROWS:
            return self._pictured(topic, entry)
        has = self._has_label(entry) if topic == LABELS.name else self._span.has(entry.first_us)
        return entry if has else None

    def _shown(self, topic: str, entry: Entry) -> Entry | None:
        """An entry with its picture, where pictures are wanted; None for one whose picture cannot be taken out."""
        return entry if self._pictures else without_picture(entry, self._readers[topic].topic, self._schemas[topic])

    def _pictured(self, topic: str, entry: Entry) -> Entry | None:
        """An entry of a topic of pictures, with the rows that are kept."""
        first_us, last_us = entry.first_us or 0, entry.last_us or 0
        if self._span.has(first_us) and self._span.has(last_us):
            return entry
        if not self._reaches(first_us, last_us) and not self._may_close(topic, entry.key, last_us):
            return None
        wanted = [self._closes(topic, row) or self._has_row(row) for row in rows_of(entry, self._readers[topic])]
        if not any(wanted) or all(wanted):
            return entry if any(wanted) else None
        return with_rows(entry, self._schemas[OBSERVATIONS.name][entry.schema], wanted)

    def _reaches(self, first_us: int, last_us: int) -> bool:
        """Whether something between two times, which are not both in the span, may be kept."""
        from_us, to_us = self._span.from_us, self._span.to_us
        across = (from_us is None or last_us >= from_us) and (to_us is None or first_us < to_us)
        return across or (bool(self._seen.across) and bool(self._span.borders_near(first_us, last_us)))

    def _has_row(self, row: Row) -> bool:
        return self._span.has(row.at_us) or row.passage in self._seen.across

    def _may_close(self, topic: str, key: bytes | None, last_us: int) -> bool:
        camera_id = (key or b"").decode(errors="replace")
        return any(last_us >= us and (topic, camera_id, us) not in self._closed for us in self._closing_us)

    def _closes(self, topic: str, row: Row) -> bool:
        """Whether a picture is its camera's first that is so late."""
        places = {(topic, row.frame.camera_id, us) for us in self._closing_us if row.at_us >= us}
        is_first = not places <= self._closed
        self._closed |= places
        return is_first

    # Labels

    def _has_label(self, entry: Entry) -> bool:
        plain = fields_of(entry, self._readers[LABELS.name], _OF_A_LABEL)
        promises = self._has_promise(plain["camera_id"], at_us(plain["complete_until"]))
        only_promises = plain["label"] is None and plain["complete_until"] is not None
        return promises or (not only_promises and self._has_thing(plain, entry.first_us or 0))

    def _has_thing(self, plain: Mapping[str, Any], labelled_us: int) -> bool:
        """Whether what is labelled is in the cut; what was never seen counts when its label was given."""
        with suppress(DecodingError):
            found = parse_id(plain["passage_id"] or plain["frame_id"] or "")
            thing = Key(found.camera_id, found.epoch, found.sequence)
            if thing in self._seen.things:
                return thing in self._seen.kept
        return self._span.has(labelled_us)

    def _has_promise(self, camera_id: str, until_us: int | None) -> bool:
        """Whether a promise is for the span, or is the first that reaches beyond its end: a day waits for that."""
        if until_us is None:
            return False
        before_us = self._promised.get(camera_id, -1)
        self._promised[camera_id] = max(before_us, until_us)
        from_us, to_us = self._span.from_us, self._span.to_us
        return (from_us is None or until_us >= from_us) and (to_us is None or min(until_us, before_us) < to_us)
