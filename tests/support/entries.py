"""Small recordings, so that a test says only what matters to it."""

import random
from pathlib import Path
from typing import Any

from producers.recordings.container import Entry
from producers.recordings.index import Chosen
from producers.recordings.recording import open_recording
from producers.recordings.writing import RecordingWriter
from schemas.codec import schema_of
from schemas.records import Frame, Label

NOON_MS = 1_772_452_800_000
Kept = dict[tuple[str, int], list[Entry]]
"Entries by chain."


def an_entry(offset: int = 0, size: int = 40, **changes: Any) -> Entry:
    """The entry at an offset, one every ten milliseconds from noon; its body is random, and always the same."""
    told = {
        "offset": offset,
        "logged_ms": NOON_MS + 10 * offset,
        "first_us": (NOON_MS + 10 * offset) * 1000,
        "last_us": (NOON_MS + 10 * offset) * 1000,
        "key": b"gate",
        "headers": (("traceparent", b"00-1"),),
        "schema": 0,
        "body": random.Random(offset).randbytes(size),
    }
    return Entry(**{**told, **changes})


def begun(folder: Path, partitions: int = 2) -> RecordingWriter:
    """A recording of frames and labels, begun, with one schema each."""
    counts = {"frames": partitions, "labels": partitions}
    writer = RecordingWriter.begin(folder, origin="test", made_by="test 1", partitions=counts, chosen=Chosen())
    writer.schema_number("frames", schema_of(Frame))
    writer.schema_number("labels", schema_of(Label))
    return writer


def write(writer: RecordingWriter, count: int, *, flush_every: int = 7, **of_entry: Any) -> None:
    """So many entries more for each chain, in blocks of a few."""
    chains = [(topic, partition) for topic in ("frames", "labels") for partition in (0, 1)]
    first = {chain: writer.position(*chain) or 0 for chain in chains}
    for number in range(count):
        for chain in chains:
            writer.write(*chain, an_entry(first[chain] + number, **of_entry))
        if not (number + 1) % flush_every:
            writer.flush()


def a_recording(folder: Path, *, segments: int = 2, entries: int = 30) -> Path:
    """A recording with four chains of so many segments of so many entries."""
    with begun(folder) as writer:
        for _ in range(segments):
            write(writer, entries)
            writer.seal(complete=True)
    return folder


def kept(path: Path) -> Kept:
    """What a recording gives, by chain."""
    found: Kept = {}
    for located in open_recording(path).entries():
        found.setdefault((located.topic, located.partition), []).append(located.entry)
    return found
