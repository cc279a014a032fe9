"""Records of a stream in files, one for each camera's day: what takes long to make is made once.

text's length, text │ kind, logged_ms, length, record as on the wire │ …
"""

import hashlib
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from schemas.codec import Codec, fingerprint_of
from schemas.records import Label, Observations, Telemetry
from schemas.times import EPOCH, MILLISECOND, from_ms

Kept = Observations | Label | Telemetry
KINDS: tuple[type[Kept], ...] = (Observations, Label, Telemetry)
HEAD, ENTRY = struct.Struct("<I"), struct.Struct("<BqI")
CODEC = Codec()


@dataclass(frozen=True, slots=True)
class Logged:
    """A record and when it was logged."""

    at: datetime
    "When."
    record: Kept
    "The record."


@dataclass(frozen=True, slots=True)
class Shelf:
    """A folder of such files, named after the text that tells how they were made."""

    folder: Path
    "The folder."

    def has(self, text: str) -> bool:
        """Whether it was made."""
        return self._path(text).exists()

    def put(self, text: str, records: Sequence[Logged]) -> None:
        """Keep records; whole or not at all."""
        path = self._path(text)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        unfinished.write_bytes(b"".join([HEAD.pack(len(text.encode())), text.encode(), *map(_entry, records)]))
        unfinished.replace(path)

    def get(self, text: str) -> list[Logged]:
        """Kept records, in their order."""
        data = self._path(text).read_bytes()
        return list(_entries(data, HEAD.size + HEAD.unpack_from(data)[0]))

    def _path(self, text: str) -> Path:
        """Records of another schema have another name."""
        schemas = "".join(fingerprint_of(kind).hex() for kind in KINDS)
        return self.folder / f"{hashlib.sha256((text + schemas).encode()).hexdigest()[:24]}.day"


def _entry(logged: Logged) -> bytes:
    value = CODEC.encode(logged.record)
    head = ENTRY.pack(KINDS.index(type(logged.record)), (logged.at - EPOCH) // MILLISECOND, len(value))
    return head + value


def _entries(data: bytes, at: int) -> Iterator[Logged]:
    while at < len(data):
        kind, logged_ms, length = ENTRY.unpack_from(data, at)
        at += ENTRY.size
        yield Logged(from_ms(logged_ms), CODEC.decode(data[at : at + length], KINDS[kind]))
        at += length
