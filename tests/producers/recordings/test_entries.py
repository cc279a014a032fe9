"""Between Kafka's records and entries: nothing but the framing changes."""

import json
from typing import Any, cast

import pytest
from fastavro import parse_schema

from producers.recordings.container import UNREAD
from producers.recordings.entries import TIMES, Reader, entry_of, outgoing_of, reader_of
from producers.recordings.index import RecordedTopic
from runtime.clients import Received
from schemas.codec import Codec, Schema, schema_of, schema_text
from schemas.errors import DecodingError, RecordingError, RegistryUnavailableError, UnknownSchemaError
from schemas.observations import pack
from schemas.records import Label, Record
from schemas.replayed import LOGGED_AT
from schemas.times import to_us
from schemas.topics import FRAMES, LABELS, OBSERVATIONS, TABLE, Topic
from tests.support.records import NOON, a_frame, a_label, a_prediction

LOGGED_MS = 1_772_452_800_000
TRACED = ("traceparent", b"00-1")


def _received(value: bytes, headers: list[tuple[str, bytes]] | None = None) -> Received:
    return Received("roadwatch.labels", 2, 7, b"gate", value, headers or [TRACED], LOGGED_MS)


def _reader(*schemas: Schema, topic: Topic = LABELS) -> Reader:
    plain = json.loads(json.dumps([{k: v for k, v in schema.items() if k[:2] != "__"} for schema in schemas]))
    return reader_of(topic.name, RecordedTopic(partitions=1, schemas=tuple(plain)))


def _older(record_type: type[Record], missing: str) -> Schema:
    """The schema without one of its fields."""
    schema = json.loads(schema_text(record_type))
    schema["fields"] = [field for field in schema["fields"] if field["name"] != missing]
    return cast("Schema", parse_schema(schema))


def test_a_record_comes_back_as_it_was() -> None:
    received = _received(Codec().encode(a_label()))
    entry = entry_of(received, LABELS, Codec(), lambda _: 0)
    assert (entry.offset, entry.logged_ms, entry.first_us, entry.last_us) == (7, LOGGED_MS, to_us(NOON), to_us(NOON))
    out = outgoing_of(entry, _reader(schema_of(Label)), "there", Codec())
    assert (out.topic, out.key, out.value) == ("there", received.key, received.value)
    assert out.headers == [TRACED, (LOGGED_AT, str(LOGGED_MS).encode())]


def test_a_replayed_record_is_kept_as_its_original_was_logged() -> None:
    """Recorded, replayed, recorded again: the same entry."""
    first = entry_of(_received(Codec().encode(a_label())), LABELS, Codec(), lambda _: 0)
    sent = outgoing_of(first, _reader(schema_of(Label)), "there", Codec())
    again = Received("there", 2, 7, sent.key, sent.value, sent.headers, LOGGED_MS + 10**9)
    assert entry_of(again, LABELS, Codec(), lambda _: 0) == first


@pytest.mark.parametrize(
    "value", [b"", b"no label", b"\xc3\x01foreign.", Codec().encode(a_label())[:-30], b"\x00\x00\x00\x00\x07x"]
)
def test_what_is_no_record_is_kept_as_it_is(value: bytes) -> None:
    entry = entry_of(_received(value), LABELS, Codec(), lambda _: 0)
    assert (entry.schema, entry.body, entry.first_us) == (UNREAD, value, None)
    assert outgoing_of(entry, _reader(), "there", Codec()).value == value
    with pytest.raises(DecodingError, match="labels at offset 7: no Label"):
        _reader().record(entry)


def test_a_batch_spans_its_first_and_last_event() -> None:
    batch = next(iter(pack([a_prediction(n) for n in (3, 9, 5)], ("car", "truck"))))
    entry = entry_of(_received(Codec().encode(batch)), OBSERVATIONS, Codec(), lambda _: 0)
    assert (entry.first_us, entry.last_us) == (to_us(NOON) + 3_000_000, to_us(NOON) + 9_000_000)


@pytest.mark.parametrize(
    "topic", [topic for topic in TABLE if topic.record in TIMES], ids=lambda topic: str(topic.name)
)
def test_what_says_the_event_time_is_never_none(topic: Topic) -> None:
    field = next(field for field in schema_of(topic.record)["fields"] if field["name"] == TIMES[topic.record])
    kind: Any = field["type"]
    assert kind.get("items", kind)["logicalType"] == "timestamp-micros"


def test_an_older_schema_is_resolved() -> None:
    """What a registry's id named is kept with its own schema, and goes out with ours."""
    older = _older(Label, "complete_until")
    body = Codec().encode(a_label())[10:-1]
    codec = Codec(resolve=lambda _: older)
    entry = entry_of(_received(b"\x00\x00\x00\x00\x07" + body), LABELS, codec, lambda _: 1)
    assert (entry.schema, entry.body, entry.first_us) == (1, body, to_us(NOON))
    reader = _reader(schema_of(Label), older)
    assert reader.record(entry) == a_label()
    assert outgoing_of(entry, reader, "there", Codec()).value == Codec().encode(a_label())


def test_a_schema_that_cannot_be_resolved_is_said() -> None:
    foreign = {"type": "record", "name": "Label", "namespace": "roadwatch", "fields": [{"name": "x", "type": "int"}]}
    entry = entry_of(_received(Codec().encode(a_label())), LABELS, Codec(), lambda _: 0)
    with pytest.raises(UnknownSchemaError, match="labels at offset 7: written with a schema that"):
        _reader(foreign).body(entry)


def test_a_registry_that_does_not_answer_is_no_fault_of_the_record() -> None:
    def nobody(_: int) -> Schema:
        raise RegistryUnavailableError("nobody")

    with pytest.raises(RegistryUnavailableError):
        entry_of(_received(b"\x00\x00\x00\x00\x07x"), LABELS, Codec(resolve=nobody), lambda _: 0)


@pytest.mark.parametrize(
    ("name", "schemas", "said"),
    [("ticks-of-tomorrow", (), "does not know"), ("labels", ({"type": "no such"},), "a schema that is none")],
)
def test_a_strange_topic_or_schema_is_refused(name: str, schemas: tuple[Schema, ...], said: str) -> None:
    with pytest.raises(RecordingError, match=said):
        reader_of(name, RecordedTopic(partitions=1, schemas=schemas))


def test_an_entry_of_a_schema_that_is_not_there_is_refused() -> None:
    entry = entry_of(_received(Codec().encode(a_frame())), FRAMES, Codec(), lambda _: 3)
    with pytest.raises(RecordingError, match="no schema has the number 3"):
        _reader(topic=FRAMES).body(entry)
