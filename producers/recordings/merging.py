"""Merging: several recordings of one cluster's streams into one.

    frames/3 of A ──4──5──6──7──────────┐
    frames/3 of B ────────6──7──8──9────┼──► 4 5 6 7 8 9     by offset; what lies at the same place is the same record
    labels/3 of B ──1──2────────────────┴──► 1 2

A batch that was cut between its rows in several of them gets its rows back.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import reduce
from heapq import merge as merged
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from producers.recordings.container import UNREAD, Entry
from producers.recordings.cutting import EVERY, Progress, chains_of, entries_of, records_of, silent
from producers.recordings.entries import reader_of
from producers.recordings.index import Chosen, Gap, Index, this_program
from producers.recordings.recording import Recording
from producers.recordings.rows import united
from producers.recordings.writing import RecordingWriter
from schemas.codec import Schema
from schemas.errors import RecordingError
from schemas.topics import FRAMES, OBSERVATIONS


def merge(recordings: Sequence[Recording], folder: Path, progress: Progress = silent) -> Index:
    """Write all that is in some recordings into a folder of its own; entries at the same place that are equal are one.

    merge(cut(a, b), cut(b, c)) is cut(a, c), entry for entry. Memory: a block of each recording.

    Raises:
        RecordingError: entries at the same place differ, or topics have different numbers of partitions: the recordings
            are of different streams; names the place and both recordings. Or one of them is damaged, or the folder is
            not empty or cannot be written.

    """
    _require_partitions(recordings)
    with _begun(recordings, folder) as writer:
        _Merger(recordings, writer).run(progress)
        writer.seal(complete=all(recording.index.complete for recording in recordings))
    return writer.index


def _require_partitions(recordings: Sequence[Recording]) -> None:
    found: dict[str, tuple[int, str]] = {}
    for recording in recordings:
        for name, topic in recording.index.topics.items():
            count, where = found.setdefault(name, (topic.partitions, recording.where))
            if count != topic.partitions:
                raise RecordingError(
                    f"{name}: {where} has {count} partitions, {recording.where} has {topic.partitions}: they are of"
                    f" different streams; {_HINT}"
                )


_HINT = "replay them into one cluster, and record that"


def _begun(recordings: Sequence[Recording], folder: Path) -> RecordingWriter:
    indexes = [recording.index for recording in recordings]
    origins = ", ".join(dict.fromkeys(index.origin for index in indexes))
    return RecordingWriter.begin(
        folder,
        origin=f"merger of {', '.join(index.id for index in indexes)}: {origins}",
        made_by=this_program(),
        partitions={name: topic.partitions for index in indexes for name, topic in index.topics.items()},
        chosen=reduce(_widened, (index.chosen for index in indexes)),
    )


def _widened(one: Chosen, other: Chosen) -> Chosen:
    """What is chosen by either, and what lies between them."""
    cameras = {*(one.cameras or ()), *(other.cameras or ())}
    return Chosen(
        cameras=None if one.cameras is None or other.cameras is None else tuple(sorted(cameras)),
        from_us=None if one.from_us is None or other.from_us is None else min(one.from_us, other.from_us),
        to_us=None if one.to_us is None or other.to_us is None else max(one.to_us, other.to_us),
        pictures=one.pictures or other.pictures,
    )


class _Found(NamedTuple):
    """An entry with its new schema number, and where it was found."""

    offset: int
    "Where it lies."
    number: int
    "Of its recording among those that are merged."
    entry: Entry
    "The entry."


class _Merger:
    """One run over all partitions."""

    def __init__(self, recordings: Sequence[Recording], writer: RecordingWriter) -> None:
        self._recordings, self._writer = recordings, writer
        self._schemas: dict[str, dict[int, Schema]] = {name: {} for name in writer.index.topics}
        self._numbers = [self._numbered(recording) for recording in recordings]
        self._done = 0
        self._total = sum(records_of(recording, writer.index.topics) for recording in recordings)

    def _numbered(self, recording: Recording) -> dict[str, list[int]]:
        """A recording's schemas by their new numbers."""
        return {name: list(self._renumbered(name, recording)) for name in recording.index.topics}

    def _renumbered(self, name: str, recording: Recording) -> Iterator[int]:
        topic = recording.index.topics[name]
        for plain, schema in zip(topic.schemas, reader_of(name, topic).schemas, strict=True):
            number = self._writer.schema_number(name, plain)
            self._schemas[name][number] = schema
            yield number

    def run(self, progress: Progress) -> None:
        """Merge one partition after the other."""
        topics = self._writer.index.topics
        for topic, partition in sorted({chain for one in self._recordings for chain in chains_of(one, topics)}):
            self._chain(topic, partition, progress)
        self._gaps()

    def _chain(self, topic: str, partition: int, progress: Progress) -> None:
        sources = [
            self._found(number, topic, partition, progress)
            for number, recording in enumerate(self._recordings)
            if topic in recording.index.topics
        ]
        for _, found in groupby(merged(*sources), key=attrgetter("offset")):
            self._writer.write(topic, partition, self._one(topic, partition, list(found)))

    def _found(self, number: int, topic: str, partition: int, progress: Progress) -> Iterator[_Found]:
        numbers = self._numbers[number][topic]
        entries = entries_of(self._recordings[number], topic, partition)
        for entry in self._counted(entries, progress):
            schema = entry.schema if entry.schema == UNREAD else numbers[entry.schema]
            yield _Found(entry.offset, number, entry if schema == entry.schema else replace(entry, schema=schema))

    def _counted(self, entries: Iterator[Entry], progress: Progress) -> Iterator[Entry]:
        for entry in entries:
            self._done += 1
            if not self._done % EVERY or self._done == self._total:
                progress("Merging", self._done, self._total)
            yield entry

    def _one(self, topic: str, partition: int, found: list[_Found]) -> Entry:
        """The record that all recordings hold there."""
        first, *others = found
        entry = first.entry
        for other in others:
            both = entry if entry == other.entry else self._united(topic, entry, other.entry)
            if both is None:
                raise self._conflict(f"{topic}/{partition} at offset {first.offset}", topic, first, other)
            entry = both
        return entry

    def _united(self, topic: str, one: Entry, other: Entry) -> Entry | None:
        if topic != OBSERVATIONS.name or not one.schema == other.schema != UNREAD:
            return None
        return united(one, other, self._schemas[topic][one.schema])

    def _conflict(self, place: str, topic: str, one: _Found, other: _Found) -> RecordingError:
        recordings = [self._recordings[found.number] for found in (one, other)]
        names = f"{recordings[0].where} and {recordings[1].where}"
        if topic == FRAMES.name and len({recording.index.chosen.pictures for recording in recordings}) > 1:
            return RecordingError(
                f"{place}: of {names} one is with pictures, the other without; first cut the one: --no-pictures"
            )
        return RecordingError(f"{place}: {names} hold different records: they are of different streams; {_HINT}")

    def _gaps(self) -> None:
        """Note what was gone for all of them."""
        for gap in dict.fromkeys(_as_tuple(gap) for one in self._recordings for gap in one.index.gaps):
            if not any(self._fills(recording, *gap) for recording in self._recordings):
                self._writer.gap(*gap)

    def _fills(self, recording: Recording, topic: str, partition: int, first: int, last: int) -> bool:
        """Whether a recording holds something of a gap."""
        chain = recording.chain(topic, partition)
        return any(segment.first_offset <= last and first <= segment.last_offset for segment in chain) and any(
            first <= entry.offset <= last for entry in entries_of(recording, topic, partition)
        )


def _as_tuple(gap: Gap) -> tuple[str, int, int, int]:
    return gap.topic, gap.partition, gap.first, gap.last
