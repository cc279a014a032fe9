"""Segments within a recording: their names, their heads, and what the index says of each."""

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from producers.recordings.container import Entry, read_about, sound_blocks
from producers.recordings.index import SEGMENT_NAME, Index, Segment, decoded
from producers.recordings.recording import checksums_of
from schemas.errors import RecordingError

HEAD: Final = "roadwatch.index"
"In a segment's metadata, the index as it was when the segment was begun, without what was sealed."

Chain = tuple[str, int]
"A topic's name and a partition."


@dataclass(slots=True)
class Tally:
    """What the index will say of a segment's entries."""

    records: int = 0
    first_offset: int = 0
    last_offset: int = 0
    first_ms: int = 0
    last_ms: int = 0
    first_us: int | None = None
    last_us: int | None = None

    def add(self, entry: Entry) -> None:
        """Count an entry."""
        if not self.records:
            self.first_offset, self.first_ms, self.last_ms = entry.offset, entry.logged_ms, entry.logged_ms
        self.records += 1
        self.last_offset = entry.offset
        self.first_ms, self.last_ms = min(self.first_ms, entry.logged_ms), max(self.last_ms, entry.logged_ms)
        if entry.first_us is not None and entry.last_us is not None:
            self.first_us = entry.first_us if self.first_us is None else min(self.first_us, entry.first_us)
            self.last_us = entry.last_us if self.last_us is None else max(self.last_us, entry.last_us)

    def segment(self, folder: Path, name: str) -> Segment:
        """The index's line for the segment, whose file is whole."""
        topic, partition = chain_of(name)
        path = folder / name
        with path.open("rb") as file:
            sha256, pieces = checksums_of(file)
        return Segment(
            file=name,
            topic=topic,
            partition=partition,
            records=self.records,
            first_offset=self.first_offset,
            last_offset=self.last_offset,
            first_ms=self.first_ms,
            last_ms=self.last_ms,
            first_us=self.first_us,
            last_us=self.last_us,
            size=path.stat().st_size,
            sha256=sha256,
            pieces=pieces,
        )


def chain_of(name: str) -> Chain:
    """The topic and partition of a segment, by its name."""
    topic, rest = name.split("/")
    return topic, int(rest.split("-")[0])


def number_of(name: str) -> int:
    """A segment's number in its chain, by its name."""
    return int(name.rsplit("-", 1)[1].removesuffix(".avro"))


def is_segment(name: str) -> bool:
    """Whether a file is named as a segment is."""
    return bool(re.fullmatch(SEGMENT_NAME, name)) and not re.search(r"/0\d", name)


def place_of(name: str) -> tuple[str, int, int]:
    """Sorts segments by chain, then by number; whatever else there is first."""
    return (*chain_of(name), number_of(name)) if is_segment(name) else ("", 0, 0)


def head_of(file: IO[bytes], where: str) -> Index | None:
    """The head that a segment's metadata holds; None where it is torn or damaged."""
    try:
        return decoded(read_about(file, where).get(HEAD, "").encode(), where)
    except RecordingError:
        return None


def whole_of(path: Path, schemas: int) -> tuple[Tally, int]:
    """What is whole of a segment, and where that ends."""
    tally, end = Tally(), 0
    with path.open("rb") as file, suppress(RecordingError):
        for block in sound_blocks(file, str(path), schemas):
            for entry in block.entries:
                tally.add(entry)
            end = block.end
    return tally, end
