"""Rows: what frames, predictions and batches of observations say of single pictures; batches cut and united by rows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from io import BytesIO
from typing import Any, Final, NamedTuple, cast

from fastavro import parse_schema, schemaless_reader, schemaless_writer

from producers.recordings.container import Entry
from producers.recordings.entries import Reader
from schemas.codec import Schema, schema_of
from schemas.errors import RecordingError
from schemas.ids import parse_id
from schemas.observations import NONE
from schemas.times import to_us
from schemas.topics import FRAMES, OBSERVATIONS, PREDICTIONS, SHADOW_PREDICTIONS

ROWS: Final = frozenset(topic.name for topic in (FRAMES, PREDICTIONS, SHADOW_PREDICTIONS, OBSERVATIONS))
"Topics whose records tell of pictures."
_OF_ONE: Final = ("camera_id", "epoch", "sequence", "captured_at", "passage_id")
_OF_A_BATCH: Final = ("camera_id", "epoch", "sequences", "captured_at", "passage")
_NO_COLUMNS: Final = ("classes", "zones")
"Lists of a batch that do not have a value for each row."


class Key(NamedTuple):
    """Which frame, or which passage by its first frame."""

    camera_id: str
    "The camera."
    epoch: str
    "The run of frames."
    sequence: int
    "The frame's number in it."


class Row(NamedTuple):
    """One picture."""

    frame: Key
    "Which."
    at_us: int
    "When it was taken, microseconds since 1970."
    passage: Key | None
    "The passage that it belongs to; None for whole pictures."


def rows_of(entry: Entry, reader: Reader) -> list[Row]:
    """The pictures that an entry tells of, in its order; raises RecordingError where it does not decode."""
    if reader.topic is OBSERVATIONS:
        return _rows_of_batch(fields_of(entry, reader, _OF_A_BATCH))
    return [_row_of_one(fields_of(entry, reader, _OF_ONE))]


def _row_of_one(plain: Mapping[str, Any]) -> Row:
    camera_id, epoch, sequence, at, passage = (plain[name] for name in _OF_ONE)
    first = None if passage is None else Key(camera_id, epoch, parse_id(passage).sequence)
    return Row(Key(camera_id, epoch, sequence), to_us(at), first)


def _rows_of_batch(plain: Mapping[str, Any]) -> list[Row]:
    camera_id, epoch, *columns = (plain[name] for name in _OF_A_BATCH)
    return [
        Row(Key(camera_id, epoch, sequence), to_us(at), None if first == NONE else Key(camera_id, epoch, first))
        for sequence, at, first in zip(*columns, strict=True)
    ]


def fields_of(entry: Entry, reader: Reader, names: Sequence[str]) -> dict[str, Any]:
    """Some fields of an entry, of which nothing else is decoded; raises RecordingError where they do not decode."""
    try:
        found: Any = schemaless_reader(BytesIO(entry.body), reader.schemas[entry.schema], _alone(reader, names))
    except Exception as error:  # fastavro raises what it likes
        raise RecordingError(f"{reader.topic.name} at offset {entry.offset}: does not decode: {error!r}") from error
    return cast("dict[str, Any]", found)


_parsed: dict[tuple[str, Sequence[str]], Schema] = {}


def _alone(reader: Reader, names: Sequence[str]) -> Schema:
    """A record's schema with some of its fields: Avro skips the others."""
    key = reader.topic.record.__name__, names
    if key not in _parsed:
        schema = schema_of(reader.topic.record)
        fields = [field for field in schema["fields"] if field["name"] in names]
        _parsed[key] = cast("Schema", parse_schema({"type": "record", "name": schema["name"], "fields": fields}))
    return _parsed[key]


def with_rows(entry: Entry, schema: Schema, wanted: Iterable[bool]) -> Entry:
    """A batch with some of its rows, written with the schema that it was written with."""
    batch = _Batch(entry, schema)
    return batch.entry([row for row, is_wanted in zip(batch.rows, wanted, strict=True) if is_wanted])


def united(one: Entry, other: Entry, schema: Schema) -> Entry | None:
    """The batch that two were cut from, as far as they hold it; None where they are of different batches."""
    batches = [_Batch(entry, schema) for entry in (one, other)]
    heads = [replace(entry, first_us=None, last_us=None, body=b"") for entry in (one, other)]
    rows = {batch.offset(row): row for batch in reversed(batches) for row in batch.rows}
    agree = all(rows[batch.offset(row)] == row for batch in batches for row in batch.rows)
    if heads[0] != heads[1] or batches[0].rest != batches[1].rest or not agree:
        return None
    return batches[0].entry([row for _, row in sorted(rows.items())])


_Cells = tuple[tuple[Any, ...], ...]
"A row: of each column what belongs to it."


class _Batch:
    """A batch of observations, taken apart into rows."""

    def __init__(self, entry: Entry, schema: Schema) -> None:
        plain: Any = schemaless_reader(BytesIO(entry.body), schema, None)
        self._entry, self._schema = entry, schema
        self._columns = [field["name"] for field in schema["fields"] if _is_column(field)]
        self.rest = {name: value for name, value in plain.items() if name not in self._columns}
        columns = [_cells(plain[name], len(plain["sequences"])) for name in self._columns]
        self.rows: list[_Cells] = list(zip(*columns, strict=True))
        self.offset = self._cell("offsets")
        self._at = self._cell("captured_at")

    def entry(self, rows: Sequence[_Cells]) -> Entry:
        """Likewise, with other rows."""
        columns = {name: [value for row in rows for value in row[i]] for i, name in enumerate(self._columns)}
        out, times = BytesIO(), [to_us(self._at(row)) for row in rows]
        schemaless_writer(out, self._schema, {**self.rest, **columns})
        return replace(self._entry, first_us=min(times), last_us=max(times), body=out.getvalue())

    def _cell(self, name: str) -> Callable[[_Cells], Any]:
        place = self._columns.index(name)
        return lambda row: row[place][0]


def _is_column(field: Mapping[str, Any]) -> bool:
    kind = field["type"]
    return isinstance(kind, dict) and kind.get("type") == "array" and field["name"] not in _NO_COLUMNS


def _cells(column: Sequence[Any], rows: int) -> list[tuple[Any, ...]]:
    width = len(column) // rows if rows else 0
    return [tuple(column[i * width : (i + 1) * width]) for i in range(rows)]


def at_us(at: datetime | None) -> int | None:
    """Microseconds since 1970; None for no time."""
    return None if at is None else to_us(at)
