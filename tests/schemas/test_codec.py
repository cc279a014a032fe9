"""What is written is read; what is foreign is said so."""

import struct
from dataclasses import fields, replace
from typing import Any

import pytest
from fastavro import parse_schema

from schemas.codec import Codec, fingerprint_of, schema_of
from schemas.errors import DecodingError, UnknownSchemaError
from schemas.observations import pack
from schemas.records import (
    Alert,
    Box,
    CameraDay,
    DayReport,
    DeadLetter,
    Delivery,
    Frame,
    Label,
    ModelEvent,
    Observations,
    Passage,
    Prediction,
    Record,
    Telemetry,
)
from tests.support.records import a_frame, a_label, a_prediction, an_alert

RECORDS: tuple[Record, ...] = (
    a_frame(box=Box(1, 2, 3, 4), picture=b"\xff\xd8"),
    a_frame(box=None, zone_id=None, passage_id=None, kind="heartbeat"),
    a_prediction(),
    a_prediction(label=None, kind="end"),
    a_label(),
    an_alert(),
    *pack([a_prediction(0), a_prediction(1, "truck")], ("car", "truck")),
)

EVERY_TYPE = (
    Alert,
    CameraDay,
    DayReport,
    DeadLetter,
    Delivery,
    Frame,
    Label,
    ModelEvent,
    Observations,
    Passage,
    Prediction,
    Telemetry,
)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_what_is_written_is_read(record: Record) -> None:
    codec = Codec()
    assert codec.decode(codec.encode(record), type(record)) == record


@pytest.mark.parametrize("record_type", EVERY_TYPE, ids=lambda kind: kind.__name__)
def test_dataclass_and_schema_have_the_same_fields(record_type: type[Record]) -> None:
    """The `.avsc` and the dataclass cannot drift apart."""
    in_schema = [field["name"] for field in schema_of(record_type)["fields"]]
    assert in_schema == [field.name for field in fields(record_type)]  # type: ignore[arg-type]


@pytest.mark.parametrize("record_type", EVERY_TYPE, ids=lambda kind: kind.__name__)
def test_every_field_is_explained(record_type: type[Record]) -> None:
    assert all(field.get("doc") for field in schema_of(record_type)["fields"])


def test_a_single_object_names_its_schema() -> None:
    """C3 01, then the CRC-64-AVRO of the schema."""
    assert Codec().encode(a_label())[:10] == b"\xc3\x01" + fingerprint_of(Label)


def test_with_ids_the_framing_is_confluents() -> None:
    assert Codec({Label: 7}).encode(a_label())[:5] == b"\x00\x00\x00\x00\x07"


def test_a_reader_takes_both_framings() -> None:
    reader = Codec(resolve=lambda _: schema_of(Label))
    for writer in (Codec(), Codec({Label: 7})):
        assert reader.decode(writer.encode(a_label()), Label) == a_label()


def test_an_older_writers_record_is_read_with_defaults() -> None:
    """BACKWARD: what the older schema lacks takes its default."""
    older = _without(schema_of(Label), "complete_until")
    value = b"\x00" + struct.pack(">I", 3) + _body(older, a_label())
    assert Codec(resolve=lambda _: older).decode(value, Label) == replace(a_label(), complete_until=None)


def test_a_future_schema_is_named() -> None:
    value = b"\xc3\x01" + b"\x01" * 8 + b"whatever"
    with pytest.raises(UnknownSchemaError, match="0101010101010101"):
        Codec().decode(value, Label)


def test_an_id_without_a_registry_says_which_setting_is_missing() -> None:
    with pytest.raises(UnknownSchemaError, match=r"kafka\.schema_registry\.url"):
        Codec().decode(Codec({Label: 7}).encode(a_label()), Label)


@pytest.mark.parametrize("value", [b"", b"\x00", b"\xc3\x01\x00", b"{}", Codec().encode(a_label())[:-3]])
def test_torn_or_foreign_bytes_are_refused(value: bytes) -> None:
    with pytest.raises(DecodingError):
        Codec().decode(value, Label)


def _without(schema: dict[str, Any], name: str) -> dict[str, Any]:
    kept = [field for field in schema["fields"] if field["name"] != name]
    older: dict[str, Any] = parse_schema({"type": "record", "name": schema["name"], "fields": kept})
    return older


def _body(schema: dict[str, Any], label: Label) -> bytes:
    from io import BytesIO

    from fastavro import schemaless_writer

    out = BytesIO()
    schemaless_writer(out, schema, {field["name"]: getattr(label, field["name"]) for field in schema["fields"]})
    return out.getvalue()
