"""Entries as they lie in the registry: JSON of bounded size, each naming the checksum of the one before. Pure.

    00000001.json ◄─SHA-256─ 00000002.json ◄─SHA-256─ 00000003.json …

A gap, a torn file and a changed past are all found on the way.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC
from functools import cache
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter, ValidationError

from models.faults import in_words
from models.registry.history import Entry, Step
from schemas.errors import ModelRegistryError

LIMIT: Final = 64 * 1024
"The largest entry, bytes."


@dataclass(frozen=True, slots=True)
class Link:
    """An entry, and what the next one has to name."""

    entry: Entry
    "The entry."
    sha256: str
    "Of its bytes."


@dataclass(frozen=True, slots=True)
class _Document:
    """What an entry's file says."""

    format: Literal[1]
    "Of this file."
    number: Annotated[int, Field(ge=1)]
    "As in the entry."
    previous: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]
    "As in the entry."
    token: Annotated[str, Field(max_length=64)]
    "Drawn by the writer: by it he knows his own entry from another's, when the answer to his request was lost."
    step: Step
    "As in the entry."


def file_name(number: int) -> str:
    """Return the name of an entry's file."""
    return f"{number:08d}.json"


def number_of(name: str) -> int | None:
    """Return the number of an entry's file; None where the name is not of one."""
    digits = name.removesuffix(".json")
    return int(digits) if digits.isdecimal() and name == file_name(int(digits)) else None


def encode(last: Link | None, step: Step, token: str) -> tuple[Link, bytes]:
    """Return the entry that follows the last one, and its file's content.

    Raises ModelRegistryError for what would not be read again: too long a reason, figures that are no numbers, a time
    without its zone.
    """
    number, previous = place_after(last)
    document = _Document(1, number, previous, token, _in_utc(step))
    raw = _documents().dump_json(document, indent=1, exclude_none=True, warnings=False) + b"\n"
    return _read_back(raw, step), raw


def decode(raw: bytes, last: Link | None, where: str) -> Link:
    """Return the entry that a file holds, as the one that follows the last; raises ModelRegistryError naming `where`."""
    if len(raw) > LIMIT:
        raise ModelRegistryError(f"{where}: {len(raw)} bytes, and an entry has at most {LIMIT}")
    try:
        document = _documents().validate_json(raw)
    except ValidationError as error:
        raise ModelRegistryError(f"{where}: {in_words(error)}{REPAIR}") from error
    _check_place(document, last, where)
    return _link(document, raw)


def place_after(last: Link | None) -> tuple[int, str]:
    """Return the number of the entry that follows the last one, and the checksum that it names."""
    return (last.entry.number + 1, last.sha256) if last else (1, "")


REPAIR: Final = (
    ": the entry is torn, was changed, or is of a newer version of Roadwatch;"
    " put this file back from a backup: nothing is recorded or served by it until then"
)


def _in_utc(step: Step) -> Step:
    """A time without its zone stays so, and is refused when the entry is read back."""
    return step if step.at.tzinfo is None else replace(step, at=step.at.astimezone(UTC))


def _read_back(raw: bytes, step: Step) -> Link:
    where = f"{step.version} is not {step.action}"
    try:
        document = _documents().validate_json(raw)
    except ValidationError as error:
        raise ModelRegistryError(f"{where}: {in_words(error)}") from error
    if len(raw) > LIMIT:
        raise ModelRegistryError(f"{where}: {len(raw)} bytes, and an entry has at most {LIMIT}")
    return _link(document, raw)


def _link(document: _Document, raw: bytes) -> Link:
    entry = Entry(document.number, document.previous, document.step)
    return Link(entry, hashlib.sha256(raw).hexdigest())


def _check_place(document: _Document, last: Link | None, where: str) -> None:
    number, sha256 = place_after(last)
    if document.number != number:
        raise ModelRegistryError(f"{where}: says that it is entry {document.number}, not {number}{REPAIR}")
    if document.previous != sha256:
        raise ModelRegistryError(
            f"{where}: entry {number - 1 or 'none'} before it has SHA-256 {sha256 or 'of nothing'}, and it follows"
            f" {document.previous or 'none'}: one of the two was changed; put both back from a backup"
        )


@cache
def _documents() -> TypeAdapter[_Document]:
    return TypeAdapter(_Document)
