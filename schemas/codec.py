"""Records to bytes and back: Avro, in either of the two framings that readers may meet.

    single object   C3 01 │ CRC-64-AVRO of the schema, 8 bytes little-endian │ body
    Confluent       00    │ schema id in the registry, 4 bytes big-endian    │ body

Without a registry, records are written as single objects (Avro 1.11, "Single object encoding"). With one,
they carry the registry's ids. A reader takes both, and resolves what an older writer wrote to its own schema.
"""

import json
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Any, TypeVar, cast

from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.schema import fingerprint, to_parsing_canonical_form

from schemas.errors import DecodingError, UnknownSchemaError
from schemas.mapping import mapping_of
from schemas.records import Record

R = TypeVar("R", bound=Record)
Schema = dict[str, Any]

SINGLE_OBJECT = b"\xc3\x01"
CONFLUENT = b"\x00"


def schema_text(record_type: type[Record]) -> str:
    """The `.avsc` of a record, as it stands in the repository."""
    return _text(record_type.__name__)


def schema_of(record_type: type[Record]) -> Schema:
    """A record's schema, parsed."""
    return _parsed(record_type.__name__)


def fingerprint_of(record_type: type[Record]) -> bytes:
    """A schema's CRC-64-AVRO fingerprint as single objects carry it: 8 bytes, little-endian."""
    return _fingerprint(record_type.__name__)


def _text(name: str) -> str:
    file = re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()
    return files("schemas").joinpath("avsc", f"{file}.avsc").read_text(encoding="utf-8")


@cache
def _parsed(name: str) -> Schema:
    return cast("Schema", parse_schema(json.loads(_text(name))))


@cache
def _fingerprint(name: str) -> bytes:
    canonical = to_parsing_canonical_form(json.loads(_text(name)))
    return bytes.fromhex(fingerprint(canonical, "CRC-64-AVRO"))


def no_registry(schema_id: int) -> Schema:
    """Resolve nothing: what a reader without a registry does with a registry's id."""
    raise UnknownSchemaError(
        f"schema id {schema_id}: the record carries a Schema Registry's id, and no registry is configured;"
        " set kafka.schema_registry.url"
    )


@dataclass(frozen=True, slots=True)
class Codec:
    """Encodes and decodes records.

    Raises nothing of its own when made; `runtime.registry` makes one that knows a registry.
    """

    writer_ids: Mapping[type[Record], int] = field(default_factory=dict)
    "Ids under which the registry knows our schemas; records of types not listed are written as single objects."
    resolve: Callable[[int], Schema] = no_registry
    "The schema behind a registry's id; raises UnknownSchemaError, and RegistryUnavailableError when it cannot be asked."

    def encode(self, record: Record) -> bytes:
        """A record's bytes, framed."""
        kind = type(record)
        out = BytesIO()
        out.write(self._header(kind))
        schemaless_writer(out, schema_of(kind), mapping_of(kind).to_plain(record))
        return out.getvalue()

    def decode(self, data: bytes, record_type: type[R]) -> R:
        """The record in framed bytes.

        Raises:
            DecodingError: the bytes are no record of this type.
            UnknownSchemaError: the writer's schema is not known here, as when a newer version wrote it.
            RegistryUnavailableError: the registry cannot be asked; the record may be sound.

        """
        body, writer = self._unframe(data, record_type)
        try:
            plain = schemaless_reader(body, writer, schema_of(record_type))
            return cast("R", mapping_of(record_type).from_plain(plain))
        except Exception as error:
            raise DecodingError(f"{record_type.__name__}: {len(data)} bytes do not decode: {error!r}") from error

    def split(self, data: bytes, record_type: type[Record]) -> tuple[Schema, bytes]:
        """The writer's schema and the body of framed bytes; raises as `decode` does, but does not look into the body."""
        body, writer = self._unframe(data, record_type)
        return writer, body.read()

    def joined(self, body: bytes, record_type: type[Record]) -> bytes:
        """A body, written with this package's own schema, framed."""
        return self._header(record_type) + body

    def _header(self, kind: type[Record]) -> bytes:
        if kind in self.writer_ids:
            return CONFLUENT + struct.pack(">I", self.writer_ids[kind])
        return SINGLE_OBJECT + fingerprint_of(kind)

    def _unframe(self, data: bytes, record_type: type[Record]) -> tuple[BytesIO, Schema]:
        if data[:1] == CONFLUENT and len(data) >= 5:
            return BytesIO(data[5:]), self.resolve(struct.unpack(">I", data[1:5])[0])
        if data[:2] == SINGLE_OBJECT and len(data) >= 10:
            return BytesIO(data[10:]), _single_object_schema(data[2:10], record_type)
        raise DecodingError(
            f"{record_type.__name__}: {len(data)} bytes beginning with {data[:2].hex() or 'nothing'} are neither an Avro"
            " single object (c301) nor Confluent framing (00)"
        )


def _single_object_schema(seen: bytes, record_type: type[Record]) -> Schema:
    if seen != fingerprint_of(record_type):
        raise UnknownSchemaError(
            f"{record_type.__name__}: written with schema {seen.hex()}, this reader knows"
            f" {fingerprint_of(record_type).hex()}; upgrade the reader, or use a Schema Registry between versions"
        )
    return schema_of(record_type)
