"""When a record was first logged: by Kafka's timestamp, or, of a replayed one, by what its replay says."""

from collections.abc import Iterable
from datetime import datetime

from schemas.times import from_ms

LOGGED_AT = "roadwatch-logged-at"
"Header of replayed records: Kafka's timestamp of the original, milliseconds since 1970, as decimal digits."


def logged_at_header(timestamp_ms: int) -> tuple[str, bytes]:
    """The header that keeps an original's timestamp."""
    return LOGGED_AT, str(timestamp_ms).encode()


def logged_ms(timestamp_ms: int, headers: Iterable[tuple[str, bytes]]) -> int:
    """When a record was first logged, milliseconds since 1970, given Kafka's timestamp and its headers.

    A header that holds no number is passed over: whoever wrote it, the record itself is sound.
    """
    told = [value for name, value in headers if name == LOGGED_AT]
    return int(told[-1]) if told and told[-1].isdigit() and len(told[-1]) <= 14 else timestamp_ms


def logged_at(timestamp_ms: int, headers: Iterable[tuple[str, bytes]]) -> datetime:
    """When a record was first logged, UTC."""
    return from_ms(logged_ms(timestamp_ms, headers))
