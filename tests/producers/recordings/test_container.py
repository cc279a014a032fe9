"""Segments: what every Avro tool reads, and a walk that takes no byte on trust."""

import random
import zlib
from io import BytesIO

import fastavro
import pytest

from producers.recordings.container import (
    MOST_BLOCK,
    MOST_ENTRY,
    Codec,
    Entry,
    SegmentWriter,
    read_about,
    read_blocks,
    sound_blocks,
)
from schemas.errors import RecordingError
from tests.support.entries import an_entry

ODD = [
    an_entry(0, key=None, headers=(), first_us=None, last_us=None, body=b""),
    an_entry(1, schema=-1, body=b"no record"),
    an_entry(2, headers=(("a", b"1"), ("a", b""), ("ü", b"\xff"))),
    an_entry(3, size=200_000),
    an_entry(2**40, logged_ms=-1, first_us=-(2**60), last_us=2**60),
]


def a_segment(entries: list[Entry], codec: Codec = "deflate", block: int = 5) -> bytes:
    file = BytesIO()
    writer = SegmentWriter(file, codec, {"roadwatch.topic": "frames"})
    for number, entry in enumerate(entries):
        writer.write(entry)
        if not (number + 1) % block:
            writer.flush()
    writer.flush()
    return file.getvalue()


def read(data: bytes) -> list[Entry]:
    return [entry for block in read_blocks(BytesIO(data), "it") for entry in block.entries]


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_entries_come_back_as_they_were(codec: Codec) -> None:
    entries = [*map(an_entry, range(40)), *[an_entry(100 + entry.offset) for entry in ODD[:3]], *ODD[3:]]
    assert read(a_segment(ODD, codec)) == ODD
    assert read(a_segment(entries, codec)) == entries


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_any_avro_tool_reads_a_segment(codec: Codec) -> None:
    found = fastavro.reader(BytesIO(a_segment(ODD, codec)))
    assert [(one["offset"], one["key"], one["body"]) for one in found] == [(e.offset, e.key, e.body) for e in ODD]
    assert found.metadata["roadwatch.topic"] == "frames"


def test_the_metadata_tells_whoever_meets_a_segment_alone() -> None:
    assert read_about(BytesIO(a_segment([])), "it")["roadwatch.topic"] == "frames"


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_a_segment_cut_at_any_byte_gives_its_whole_blocks_or_says_where_it_is_torn(codec: Codec) -> None:
    data = a_segment([an_entry(number) for number in range(20)], codec)
    ends = {block.end: block.entries[-1].offset for block in read_blocks(BytesIO(data), "it")}
    header = min(ends) - 400
    for size in [*range(0, header, 29), *range(header, len(data))]:
        found, fault = [], ""
        try:
            for block in read_blocks(BytesIO(data[:size]), "it"):
                found.extend(block.entries)
        except RecordingError as error:
            fault = str(error)
        whole = max((last + 1 for end, last in ends.items() if end <= size), default=0)
        assert [entry.offset for entry in found] == list(range(whole))
        assert bool(fault) != (size in ends) or (not whole and not fault)
        assert not fault or "at byte" in fault


def test_a_block_ends_where_it_says() -> None:
    data = a_segment([an_entry(number) for number in range(20)])
    first, *_ = read_blocks(BytesIO(data), "it")
    assert read(data[: first.end]) == first.entries


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_no_flipped_byte_ends_in_anything_but_a_refusal_or_entries(codec: Codec) -> None:
    """Only checksums find every flip; the walk alone may neither crash nor take a size at its word."""
    data, rng = a_segment([an_entry(number) for number in range(20)], codec), random.Random(5)
    for _ in range(300):
        damaged = bytearray(data)
        damaged[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        try:
            read(bytes(damaged))
        except RecordingError as error:
            assert str(error).startswith("it")  # noqa: PT017  # most flips are refused, some change a body


def _block(count: int, packed: bytes, size: int | None = None) -> bytes:
    data = a_segment([], "deflate")
    return data + _long(count) + _long(len(packed) if size is None else size) + packed + data[-16:]


def _long(value: int) -> bytes:
    file = BytesIO()
    fastavro.schemaless_writer(file, {"type": "long"}, value)
    return file.getvalue()


def _deflated(plain: bytes) -> bytes:
    return zlib.compress(plain, 9)[2:-4]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "ends within its header"),
        (b"PK\x03\x04", "does not begin with"),
        (b"Obj\x01" + _long(10**6), "at most 64"),
        (b"Obj\x01" + _long(1) + _long(2**40), "at most"),
        (b"Obj\x01" + b"\xff" * 12, "no end"),
        (_block(1, b"x", size=2**40), "damaged: a block of 1"),
        (_block(1, b"x", size=-4), "damaged: a block of 1"),
        (_block(10**9, b"x"), "damaged: a block of 1000000000"),
        (_block(-1, b"x"), "damaged: a block of -1"),
        (_block(1, b"\xff\xff"), "damaged"),
        (_block(1, _deflated(bytes(MOST_BLOCK + 1))), "unpacks to more"),
        (_block(2, _deflated(bytes(8))), "do not decode"),
        (_block(1, _deflated(bytes(24))), "more in a block"),
    ],
)
def test_no_size_is_taken_at_its_word(data: bytes, says: str) -> None:
    with pytest.raises(RecordingError, match=says):
        read(data)


def test_an_avro_container_of_something_else_is_refused() -> None:
    file = BytesIO()
    fastavro.writer(file, {"type": "record", "name": "Other", "fields": [{"name": "a", "type": "int"}]}, [{"a": 1}])
    with pytest.raises(RecordingError, match="something else"):
        read(file.getvalue())


def test_an_entry_of_many_megabytes_is_refused_before_it_is_written() -> None:
    with pytest.raises(RecordingError, match="an entry may have"):
        SegmentWriter(BytesIO(), "null", {}).write(an_entry(7, size=MOST_ENTRY))


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ([an_entry(3), an_entry(3)], "do not ascend"),
        ([an_entry(4), an_entry(3)], "do not ascend"),
        ([an_entry(1)], "do not ascend"),
        ([an_entry(5, schema=1)], "no|names a schema"),
        ([an_entry(5, schema=-2)], "names a schema"),
    ],
)
def test_entries_that_no_writer_of_ours_writes_are_refused(entries: list[Entry], says: str) -> None:
    with pytest.raises(RecordingError, match=says):
        list(sound_blocks(BytesIO(a_segment(entries)), "it", schemas=1, after=2))
