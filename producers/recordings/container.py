"""Segments: Avro object containers of entries, one chain of them for each topic and partition.

    magic │ schema, codec │ sync ║ count │ size │ entries │ sync ║ count │ size │ entries │ sync ║ …

Written by fastavro, so that every Avro tool reads them. Read by a walk of our own over the blocks, which knows at each
moment how much of the file is whole, and takes no size from a file at its word (Avro 1.11, "Object container files").
"""

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from typing import IO, Any, Final, Literal

from fastavro import parse_schema, schemaless_reader
from fastavro.schema import to_parsing_canonical_form
from fastavro.write import Writer

from schemas.errors import RecordingError

Codec = Literal["null", "deflate"]

BLOCK: Final = 64 * 1024
"Bytes of entries to a block: what a tear may cost, and what a reader holds of each chain."
MOST_ENTRY: Final = 8 * 1024 * 1024
"Bytes of an entry: four times what the largest topic takes."
MOST_BLOCK: Final = 2 * MOST_ENTRY
"A block that says it is larger, or unpacks to more, was not written by us."
MOST_ENTRIES: Final = 64 * 1024
"Likewise one that says it holds more: eight bytes are the least that an entry has."
MOST_HEADER: Final = 4 * 1024 * 1024
"Likewise a header with a larger value."
SYNC: Final = 16
MAGIC: Final = b"Obj\x01"
COMPRESSION: Final = 1
"Deflate's level."

ENTRY: Final[dict[str, Any]] = {
    "type": "record",
    "name": "Entry",
    "namespace": "roadwatch.recording",
    "doc": "One record of a Kafka partition.",
    "fields": [
        {"name": "offset", "type": "long", "doc": "Where it lay."},
        {"name": "logged_ms", "type": "long", "doc": "Kafka's timestamp, milliseconds since 1970."},
        {
            "name": "first_us",
            "type": ["null", "long"],
            "doc": "Event time, microseconds since 1970; of a batch, the first.",
        },
        {"name": "last_us", "type": ["null", "long"], "doc": "Likewise; of a batch, the last."},
        {"name": "key", "type": ["null", "bytes"], "doc": "Its key."},
        {
            "name": "headers",
            "type": {
                "type": "array",
                "items": {
                    "type": "record",
                    "name": "Header",
                    "fields": [{"name": "name", "type": "string"}, {"name": "value", "type": "bytes"}],
                },
            },
            "doc": "In order; names may repeat.",
        },
        {
            "name": "schema",
            "type": "int",
            "doc": "Number of the writer's schema in the index; -1: body is framed and unread.",
        },
        {"name": "body", "type": "bytes", "doc": "Avro, without framing; empty for a tombstone."},
    ],
}
_PARSED: Final = parse_schema(ENTRY)
_CANONICAL: Final = to_parsing_canonical_form(ENTRY)
_BLOCK_OF_ENTRIES: Final = parse_schema({"type": "array", "items": ENTRY})

UNREAD: Final = -1
"Stands for the schema of bytes that are no record of their topic: they are kept as they are."


@dataclass(frozen=True, slots=True)
class Entry:
    """One record as it is kept."""

    offset: int
    "Where it lay in its partition."
    logged_ms: int
    "When it was first logged: Kafka's timestamp, or of a replayed record its original's; milliseconds since 1970."
    first_us: int | None
    "Event time of what it tells of, microseconds since 1970, of a batch the first; None without one."
    last_us: int | None
    "Likewise, of a batch the last."
    key: bytes | None
    "Key."
    headers: tuple[tuple[str, bytes], ...]
    "In order; names may repeat."
    schema: int
    "Number of the writer's schema among its topic's in the index; UNREAD for bytes that are no record of the topic."
    body: bytes
    "Avro without framing; framed where unread; empty for a tombstone."


class SegmentWriter:
    """Writes one segment."""

    def __init__(self, file: IO[bytes], codec: Codec, about: dict[str, str]) -> None:
        """`about` stands in the file's metadata, for whoever meets it alone."""
        self._writer = Writer(file, _PARSED, codec, sync_interval=BLOCK, metadata=about, compression_level=COMPRESSION)

    def write(self, entry: Entry) -> None:
        """Add an entry; raises OSError where the disk takes no more, RecordingError for an entry of many megabytes."""
        if len(entry.body) > MOST_ENTRY // 2:
            raise RecordingError(f"offset {entry.offset}: {len(entry.body)} bytes; an entry may have {MOST_ENTRY // 2}")
        self._writer.write(_plain(entry))

    def flush(self) -> None:
        """End the block, so that a reader finds it whole."""
        self._writer.flush()


@dataclass(frozen=True, slots=True)
class Block:
    """One block, found whole."""

    entries: list[Entry]
    "In order."
    end: int
    "Where it ends in the file: a segment cut here is whole."


def read_blocks(file: IO[bytes], where: str) -> Iterator[Block]:
    """The blocks of a segment, from its beginning, one at a time.

    Raises:
        RecordingError: at the first that is torn or damaged; says at which byte. Those before it are sound.

    """
    header = _header(file, where)
    while True:
        at = file.tell()
        count = _long(file, f"{where} at byte {at}", or_end=True)
        if count is None:
            return
        yield Block(_entries(file, count, header, f"{where} at byte {at}"), file.tell())


def sound_blocks(file: IO[bytes], where: str, schemas: int, after: int = -1) -> Iterator[Block]:
    """Likewise, of a topic with so many schemas and from beyond an offset.

    Raises:
        RecordingError: likewise; or offsets do not ascend, or an entry names a schema that is none.

    """
    at = 0
    for block in read_blocks(file, where):
        if any(one >= next_one for one, next_one in pairwise([after, *(entry.offset for entry in block.entries)])):
            raise RecordingError(f"{where} at byte {at}: damaged: its offsets do not ascend from {after}")
        if not all(UNREAD <= entry.schema < schemas for entry in block.entries):
            raise RecordingError(f"{where} at byte {at}: damaged: an entry names a schema that is not among {schemas}")
        yield block
        after, at = block.entries[-1].offset, block.end


def read_about(file: IO[bytes], where: str) -> dict[str, str]:
    """What a segment's metadata says; raises RecordingError where its header is torn, damaged or foreign."""
    return _header(file, where).about


@dataclass(frozen=True, slots=True)
class _Header:
    """A segment's header."""

    codec: str
    "How its blocks are packed."
    sync: bytes
    "What ends each."
    about: dict[str, str]
    "Its metadata."


def _header(file: IO[bytes], where: str) -> _Header:
    begins = file.read(len(MAGIC))
    if begins != MAGIC:
        what = "ends within its header" if MAGIC.startswith(begins) else f"does not begin with {MAGIC!r}"
        raise RecordingError(f"{where} at byte 0: no Avro object container, it {what}")
    about = _metadata(file, where)
    codec = about.get("avro.codec", "null")
    if codec not in ("null", "deflate"):
        raise RecordingError(f"{where}: packed with {codec!r}; recordings are packed with deflate, or not at all")
    if not _is_ours(about.get("avro.schema", "")):
        raise RecordingError(f"{where}: an Avro container of something else than recorded entries")
    return _Header(codec, _bytes(file, SYNC, where), about)


def _is_ours(schema: str) -> bool:
    try:
        return to_parsing_canonical_form(json.loads(schema)) == _CANONICAL
    except Exception:  # noqa: BLE001  # whatever it is, it is not ours
        return False


def _metadata(file: IO[bytes], where: str) -> dict[str, str]:
    """A map as we write it: one piece of few pairs, and its end."""
    found: dict[str, str] = {}
    while count := _size(file, 64, where):
        for _ in range(count):
            name, value = (_bytes(file, _size(file, MOST_HEADER, where), where) for _ in range(2))
            found[name.decode(errors="replace")] = value.decode(errors="replace")
    return found


def _size(file: IO[bytes], most: int, where: str) -> int:
    at = file.tell()
    size = _long(file, f"{where} at byte {at}") or 0
    if not 0 <= size <= most:
        raise RecordingError(f"{where} at byte {at}: damaged: its header says {size} where at most {most} can be")
    return size


def _bytes(file: IO[bytes], size: int, where: str) -> bytes:
    at, found = file.tell(), file.read(size)
    if len(found) < size:
        raise RecordingError(f"{where} at byte {at}: torn within its header")
    return found


def _entries(file: IO[bytes], count: int, header: _Header, where: str) -> list[Entry]:
    size = _long(file, where) or 0
    if not 0 < size <= MOST_BLOCK or not 0 < count <= MOST_ENTRIES:
        raise RecordingError(f"{where}: damaged: a block of {count} entries in {size} bytes")
    packed, mark = file.read(size), file.read(SYNC)
    if len(packed) + len(mark) < size + SYNC:
        raise RecordingError(
            f"{where}: torn: of a block of {size} bytes and its end {len(packed) + len(mark)} are there"
        )
    if mark != header.sync:
        raise RecordingError(f"{where}: damaged: the block's end is not where it says")
    return _decoded(_unpacked(packed, header.codec, where), count, where)


def _unpacked(packed: bytes, codec: str, where: str) -> bytes:
    if codec == "null":
        return packed
    inflater = zlib.decompressobj(-15)
    try:
        plain = inflater.decompress(packed, MOST_BLOCK)
    except zlib.error as error:
        raise RecordingError(f"{where}: damaged: {error}") from error
    if not inflater.eof or len(inflater.unused_data) > 4:  # fastavro leaves some of zlib's checksum behind the data
        raise RecordingError(f"{where}: damaged, or unpacks to more than {MOST_BLOCK} bytes")
    return plain


def _decoded(plain: bytes, count: int, where: str) -> list[Entry]:
    """All entries of a block at once: a block is an array without its count and its end."""
    out = BytesIO(_zigzag(count) + plain + b"\x00")
    try:
        found: Any = schemaless_reader(out, _BLOCK_OF_ENTRIES, None)
    except Exception as error:  # fastavro raises what it likes
        raise RecordingError(f"{where}: damaged: its entries do not decode: {error!r}") from error
    if out.read(1):
        raise RecordingError(f"{where}: damaged: more in a block than its {count} entries")
    return [_entry(plain) for plain in found]


def _plain(entry: Entry) -> dict[str, Any]:
    return {
        "offset": entry.offset,
        "logged_ms": entry.logged_ms,
        "first_us": entry.first_us,
        "last_us": entry.last_us,
        "key": entry.key,
        "headers": [{"name": name, "value": value} for name, value in entry.headers],
        "schema": entry.schema,
        "body": entry.body,
    }


def _entry(plain: dict[str, Any]) -> Entry:
    plain["headers"] = tuple((header["name"], header["value"]) for header in plain["headers"])
    return Entry(**plain)


def _long(file: IO[bytes], where: str, *, or_end: bool = False) -> int | None:
    """A zigzag varint; None at the file's end, where that may be."""
    value = shift = 0
    while byte := file.read(1):
        value |= (byte[0] & 0x7F) << shift
        shift += 7
        if byte[0] < 0x80:
            return (value >> 1) ^ -(value & 1)
        if shift > 63:
            raise RecordingError(f"{where}: damaged: a number has no end")
    if or_end and not shift:
        return None
    raise RecordingError(f"{where}: torn within a number")


def _zigzag(value: int) -> bytes:
    out, rest = bytearray(), value << 1
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([*out, rest])
