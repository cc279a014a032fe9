"""Between records and the plain values that Avro writes: worked out once for each record type.

What Avro's libraries hand over already fits (str, int, float, bytes, datetime, dict) passes untouched;
only nested records and tuples are rebuilt.
"""

import types
import typing
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

Convert = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Mapping:
    """How one record type becomes a dict and comes back."""

    to_plain: Convert
    "Record to dict."
    from_plain: Convert
    "Dict to record."


_KNOWN: dict[type, Mapping] = {}


def mapping_of(record_type: type) -> Mapping:
    """The mapping of a record's type, from its annotations."""
    if record_type not in _KNOWN:
        hints = typing.get_type_hints(record_type)
        columns = {field.name: _mapping(hints[field.name]) for field in fields(record_type)}
        _KNOWN[record_type] = Mapping(_record_writer(columns), _record_reader(record_type, columns))
    return _KNOWN[record_type]


def _record_writer(columns: dict[str, Mapping | None]) -> Convert:
    steps = [(name, mapping.to_plain if mapping else None) for name, mapping in columns.items()]

    def write(record: object) -> dict[str, Any]:
        values = ((name, getattr(record, name), convert) for name, convert in steps)
        return {name: convert(value) if convert else value for name, value, convert in values}

    return write


def _record_reader(record_type: type, columns: dict[str, Mapping | None]) -> Convert:
    converted = [(name, mapping.from_plain) for name, mapping in columns.items() if mapping]

    def read(plain: dict[str, Any]) -> object:
        return record_type(**{**plain, **{name: convert(plain[name]) for name, convert in converted}})

    return read


def _mapping(hint: Any) -> Mapping | None:
    """None for what needs no conversion."""
    if is_dataclass(hint):
        return mapping_of(typing.cast("type", hint))
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        return _each(_mapping(arguments[0]))
    if origin in (types.UnionType, typing.Union):
        return _optional([_mapping(argument) for argument in arguments if argument is not types.NoneType])
    return None


def _each(item: Mapping | None) -> Mapping:
    if item is None:
        return Mapping(list, tuple)
    return Mapping(
        lambda values: [item.to_plain(v) for v in values], lambda values: tuple(map(item.from_plain, values))
    )


def _optional(alternatives: list[Mapping | None]) -> Mapping | None:
    inner = next((mapping for mapping in alternatives if mapping), None)
    if inner is None:
        return None
    return Mapping(
        lambda value: None if value is None else inner.to_plain(value),
        lambda value: None if value is None else inner.from_plain(value),
    )
