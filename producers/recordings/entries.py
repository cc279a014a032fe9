"""Between records on Kafka and entries of a recording.

Received ─► framing off, event time read ─► Entry ─► framing on, old schemas resolved ─► Outgoing
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from io import BytesIO
from typing import Any, Final, cast

from fastavro import parse_schema, schemaless_reader, schemaless_writer

from producers.recordings.container import UNREAD, Entry
from producers.recordings.index import RecordedTopic
from runtime.clients import Outgoing, Received
from schemas.codec import Codec, Schema, schema_of
from schemas.errors import DecodingError, RecordError, RecordingError, UnknownSchemaError
from schemas.records import (
    Alert,
    CameraDay,
    DayReport,
    Frame,
    Label,
    Observations,
    Passage,
    Prediction,
    Record,
    Telemetry,
)
from schemas.replayed import LOGGED_AT, logged_at_header, logged_ms
from schemas.times import to_us
from schemas.topics import TABLE, Topic

TIMES: Final[dict[type[Record], str]] = {
    Frame: "captured_at",
    Prediction: "captured_at",
    Observations: "captured_at",
    Passage: "crossed_at",
    Label: "labelled_at",
    Telemetry: "measured_at",
    CameraDay: "starts_at",
    DayReport: "starts_at",
    Alert: "raised_at",
}
"The field that says when what a record tells of happened; a column in a batch. What is not listed has wall clock alone."

TOPICS: Final = {topic.name: topic for topic in TABLE}
SchemaNumber = Callable[[Schema], int]


def entry_of(received: Received, topic: Topic, codec: Codec, number: SchemaNumber) -> Entry:
    """The entry for a record as Kafka gave it; `number` gives a writer's schema its number in the index.

    Bytes that are no record of the topic are kept as they are. A replayed record is kept as its original was logged.

    Raises:
        RegistryUnavailableError: the registry that knows the writer's schema cannot be asked.

    """
    try:
        schema, body = codec.split(received.value, topic.record) if received.value else (None, b"")
        first_us, last_us = _event_time(body, schema, topic.record) if schema else (None, None)
    except RecordError:
        schema, body, first_us, last_us = None, received.value, None, None
    return Entry(
        offset=received.offset,
        logged_ms=logged_ms(received.timestamp_ms, received.headers),
        first_us=first_us,
        last_us=last_us,
        key=received.key,
        headers=tuple(header for header in received.headers if header[0] != LOGGED_AT),
        schema=UNREAD if schema is None else number(schema),
        body=body,
    )


def _event_time(body: bytes, writer: Schema, record_type: type[Record]) -> tuple[int | None, int | None]:
    """The first and last event time in a body, of which nothing else is decoded."""
    name = TIMES.get(record_type)
    if name is None:
        return None, None
    try:
        found: Any = schemaless_reader(BytesIO(body), writer, _time_alone(record_type.__name__))
    except Exception as error:
        raise DecodingError(f"{record_type.__name__}: {len(body)} bytes do not decode: {error!r}") from error
    value = found[name]
    times: list[datetime] = value if isinstance(value, list) else [value]
    return (to_us(min(times)), to_us(max(times))) if times else (None, None)


@cache
def _time_alone(record: str) -> Schema:
    """A record's schema with its time alone: Avro skips the other fields."""
    record_type, name = next((kind, name) for kind, name in TIMES.items() if kind.__name__ == record)
    schema = schema_of(record_type)
    fields = [field for field in schema["fields"] if field["name"] == name]
    return cast("Schema", parse_schema({"type": "record", "name": schema["name"], "fields": fields}))


@dataclass(frozen=True, slots=True)
class Reader:
    """Gives back the records of one recorded topic."""

    topic: Topic
    "Whose records they are."
    schemas: tuple[Schema, ...]
    "What they were written with, parsed; this program's own where they are equal."

    def body(self, entry: Entry) -> bytes:
        """An entry's body as this program's own schema writes it.

        Raises:
            UnknownSchemaError: written with a schema that ours cannot resolve; names the topic and the offset.
            DecodingError: the entry is unread: no record of its topic.
            RecordingError: no schema has its number.

        """
        writer = self._writer(entry)
        return entry.body if writer is schema_of(self.topic.record) else self._resolved(entry, writer)

    def record(self, entry: Entry, codec: Codec = Codec()) -> Record:  # noqa: B008  # it is frozen
        """An entry as a record.

        Raises:
            DecodingError: the entry is unread: no record of its topic.
            UnknownSchemaError: as `body`.

        """
        if entry.schema == UNREAD or not entry.body:
            raise DecodingError(f"{self.topic.name} at offset {entry.offset}: no {self.topic.record.__name__}")
        framed = Codec().joined(self.body(entry), self.topic.record)
        return codec.decode(framed, self.topic.record)

    def _writer(self, entry: Entry) -> Schema:
        if entry.schema == UNREAD:
            raise DecodingError(f"{self.topic.name} at offset {entry.offset}: no {self.topic.record.__name__}")
        if not 0 <= entry.schema < len(self.schemas):
            raise RecordingError(f"{self.topic.name} at offset {entry.offset}: no schema has the number {entry.schema}")
        return self.schemas[entry.schema]

    def _resolved(self, entry: Entry, writer: Schema) -> bytes:
        ours, out = schema_of(self.topic.record), BytesIO()
        try:
            plain: Any = schemaless_reader(BytesIO(entry.body), writer, ours)
            schemaless_writer(out, ours, plain)
        except Exception as error:
            raise UnknownSchemaError(
                f"{self.topic.name} at offset {entry.offset}: written with a schema that this program cannot resolve to its"
                f" own {self.topic.record.__name__}: {error!r}"
            ) from error
        return out.getvalue()


def reader_of(name: str, recorded: RecordedTopic) -> Reader:
    """What reads the records of a recorded topic.

    Raises:
        RecordingError: no topic of that name is known, or a schema in the index is none.

    """
    if name not in TOPICS:
        raise RecordingError(
            f"a topic {name!r} is recorded, which this program does not know; there are {', '.join(TOPICS)}"
        )
    try:
        return Reader(TOPICS[name], tuple(_parsed(schema, TOPICS[name].record) for schema in recorded.schemas))
    except Exception as error:
        raise RecordingError(f"{name}: the index holds a schema that is none: {error!r}") from error


def _parsed(schema: Schema, record_type: type[Record]) -> Schema:
    """Schemas are compared here once, and told by their identity for each record."""
    found, ours = cast("Schema", parse_schema(schema)), schema_of(record_type)
    return ours if found == ours else found


def outgoing_of(entry: Entry, reader: Reader, target: str, codec: Codec) -> Outgoing:
    """An entry as a record for a target topic: its key, its headers and when it was first logged, framed anew.

    What was unread goes out as it came.
    """
    headers = [*entry.headers, logged_at_header(entry.logged_ms)]
    value = (
        entry.body
        if entry.schema == UNREAD or not entry.body
        else codec.joined(reader.body(entry), reader.topic.record)
    )
    return Outgoing(target, entry.key, value, headers)
