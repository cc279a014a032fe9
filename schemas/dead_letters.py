"""Headers of a dead letter, named as Kafka Streams names them (KIP-1034); key and bytes stay the original's."""

from collections.abc import Iterable

from schemas.errors import DecodingError
from schemas.records import DeadLetter

HEADERS = {
    "error": "__streams.errors.exception",
    "message": "__streams.errors.message",
    "topic": "__streams.errors.topic",
    "partition": "__streams.errors.partition",
    "offset": "__streams.errors.offset",
    "stage": "roadwatch.errors.stage",
}
"Header name of each field of DeadLetter."

LONGEST_MESSAGE = 2000
"Characters of an error's message that travel."


def dead_letter_headers(letter: DeadLetter) -> list[tuple[str, bytes]]:
    """A dead letter's headers, UTF-8."""
    return [(name, str(getattr(letter, field))[:LONGEST_MESSAGE].encode()) for field, name in HEADERS.items()]


def read_dead_letter(headers: Iterable[tuple[str, bytes]]) -> DeadLetter:
    """What a dead letter's headers say.

    Raises:
        DecodingError: a header is missing, or a number is none.

    """
    values = {name: value.decode(errors="replace") for name, value in headers}
    try:
        texts = {field: values[name] for field, name in HEADERS.items()}
        return DeadLetter(
            error=texts["error"],
            message=texts["message"],
            topic=texts["topic"],
            partition=int(texts["partition"]),
            offset=int(texts["offset"]),
            stage=texts["stage"],
        )
    except (KeyError, ValueError) as error:
        raise DecodingError(f"these are no dead letter's headers: {error!r}") from error
