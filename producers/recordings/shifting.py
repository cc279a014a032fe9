"""Records moved in time: every time in them by the same span, so that what lies between them stays.

Ids stay as they are, and with them the names of runs of frames, whatever dates they may hold.
"""

from dataclasses import fields, is_dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final, TypeVar, cast, get_args, get_type_hints

from schemas.topics import FRAMES, LABELS, OBSERVATIONS, PASSAGES, PREDICTIONS, SHADOW_PREDICTIONS, TELEMETRY

T = TypeVar("T")

SHIFTABLE: Final = frozenset(
    topic.name for topic in (FRAMES, PREDICTIONS, SHADOW_PREDICTIONS, OBSERVATIONS, PASSAGES, LABELS, TELEMETRY)
)
"The topics whose records hold event times and no more: those of others name days, or tell of the wall clock."


def shifted(record: T, by: timedelta) -> T:
    """A record with all its times moved, those in tuples and in records within it too.

    Raises:
        OverflowError: a time would leave the years 1 to 9999.

    """
    names = _times_of(cast("type", type(record)))
    return replace(record, **{name: _moved(getattr(record, name), by) for name in names})  # type: ignore[type-var]


def _moved(value: Any, by: timedelta) -> Any:
    if isinstance(value, datetime):
        return value + by
    if isinstance(value, tuple):
        return tuple(_moved(item, by) for item in value)
    return shifted(value, by) if is_dataclass(value) else value


@cache
def _times_of(record_type: type) -> tuple[str, ...]:
    """The fields that hold times, at whatever depth."""
    hints = get_type_hints(record_type)
    return tuple(field.name for field in fields(record_type) if _holds_time(hints[field.name]))


def _holds_time(hint: Any) -> bool:
    if is_dataclass(hint) and isinstance(hint, type):
        return bool(_times_of(hint))
    return hint is datetime or any(_holds_time(part) for part in get_args(hint))
