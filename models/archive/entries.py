"""Files of the archive as they lie there: JSON of bounded size, read as strictly as it was written. Pure.

examples/<id>.json         an example; for each picture the name of its file, and its checksum
requests/<request>.json    what was asked for
words/<checksum>.json      what sources said, up to a thousand words; the name is the content's checksum
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Final, Literal, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from models.archive.examples import Example, ExampleFrame, GivenLabel, Request
from models.archive.names import DAY, PICTURE, picture_name, sha256_of
from models.faults import in_words
from schemas.errors import ArchiveError

INDEX_LIMIT: Final = 256 * 1024
"The largest file of an example, bytes."
REQUEST_LIMIT: Final = 8 * 1024 * 1024
"The largest request: some forty thousand examples."
WORDS_LIMIT: Final = 1024 * 1024
"The largest file of words."
POSITIONS_LIMIT: Final = 64 * 1024
"The largest file of positions."
WORDS: Final = 1000
"To a file, at most."
REPAIR: Final = ": it is torn, was changed, or is of a newer version of Roadwatch; put it back from a backup"

T = TypeVar("T")
Adapter = Callable[[], TypeAdapter[T]]
"Gives what reads and writes a kind of file; made when it is first needed."

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


@dataclass(frozen=True, slots=True)
class Index:
    """What an example's file says."""

    format: Literal[1]
    "Of this file."
    example: Example
    "The example; the names of their files stand for its pictures."
    sha256: tuple[Sha256, ...]
    "Of each picture, in order."


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a request's file says."""

    format: Literal[1]
    "Of this file."
    request: Request
    "The request."


@dataclass(frozen=True, slots=True)
class _Words:
    """What a file of words says."""

    format: Literal[1]
    "Of this file."
    labels: Annotated[tuple[GivenLabel, ...], Field(max_length=WORDS)]
    "The words."


@dataclass(frozen=True, slots=True)
class _Positions:
    """What a file of positions says."""

    format: Literal[1]
    "Of this file."
    positions: Annotated[dict[str, Annotated[int, Field(ge=0)]], Field(max_length=1000)]
    "The offset that comes next, by partition."


def index_of(example: Example) -> Index:
    """Return what is written of an example, its frames without pictures left out."""
    if not DAY.fullmatch(example.day):
        raise ArchiveError(f"{example.example_id} is not kept: {example.day!r} is no day, such as '2026-11-23'")
    frames = [frame for frame in example.frames if frame.picture]
    sha256 = tuple(sha256_of(frame.picture) for frame in frames)
    named = tuple(_named(example, frame, checksum) for frame, checksum in zip(frames, sha256, strict=True))
    return Index(1, replace(example, at=_utc(example.at), frames=named), sha256)


def _named(example: Example, frame: ExampleFrame, sha256: str) -> ExampleFrame:
    """The frame, the name of its file in the place of the picture."""
    name = picture_name(example.day, example.camera_id, frame.frame_id, sha256)
    return replace(frame, captured_at=_utc(frame.captured_at), picture=name.encode())


def encode_index(index: Index) -> bytes:
    """Return the file of an example; raises ArchiveError for what would not be read again."""
    return _written(_indices, index, INDEX_LIMIT, f"{index.example.example_id} is not kept")


def decode_index(raw: bytes, where: str) -> Index:
    """Return what an example's file says; raises ArchiveError naming `where`."""
    index = _read(_indices, raw, INDEX_LIMIT, where)
    if faults := "; ".join(_index_faults(index)):
        raise ArchiveError(f"{where}: {faults}{REPAIR}")
    return index


def _index_faults(index: Index) -> Iterator[str]:
    if len(index.sha256) != len(index.example.frames):
        yield f"{len(index.example.frames)} pictures and {len(index.sha256)} checksums"
    for frame in index.example.frames:
        if not PICTURE.fullmatch(frame.picture.decode()):
            yield f"{frame.picture.decode()!r} is no picture's name"


def encode_request(request: Request) -> bytes:
    """Return the file of a request; raises ArchiveError for what would not be read again."""
    asked = _Asked(1, replace(request, asked_at=_utc(request.asked_at)))
    return _written(_requests, asked, REQUEST_LIMIT, f"{request.request_id} is not asked for")


def decode_request(raw: bytes, where: str) -> Request:
    """Return the request that a file holds; raises ArchiveError naming `where`."""
    return _read(_requests, raw, REQUEST_LIMIT, where).request


def encode_words(labels: Sequence[GivenLabel]) -> list[bytes]:
    """Return the files of words, as many as it takes; raises ArchiveError for what would not be read again."""
    files = [labels[start : start + WORDS] for start in range(0, len(labels), WORDS)]
    return [raw for words in files for raw in _words(words)]


def _words(labels: Sequence[GivenLabel]) -> list[bytes]:
    words = _Words(1, tuple(in_utc(label) for label in labels))
    raw = _dump(_word_files, words)
    if len(raw) > WORDS_LIMIT and len(labels) > 1:
        half = len(labels) // 2
        return _words(labels[:half]) + _words(labels[half:])
    return [_checked(_word_files, words, raw, WORDS_LIMIT, f"{labels[0].example_id} and others are not recorded")]


def decode_words(raw: bytes, name: str, where: str) -> tuple[GivenLabel, ...]:
    """Return the words that a file holds, whose name is their checksum; raises ArchiveError naming `where`."""
    if f"{sha256_of(raw)}.json" != name:
        raise ArchiveError(
            f"{where}: its content has SHA-256 {sha256_of(raw)}{REPAIR}; its words are not counted without"
        )
    return _read(_word_files, raw, WORDS_LIMIT, where).labels


def encode_positions(positions: Mapping[str, int]) -> bytes:
    """Return the file of positions."""
    return _written(_positions, _Positions(1, dict(positions)), POSITIONS_LIMIT, "the positions are not remembered")


def decode_positions(raw: bytes, where: str) -> dict[str, int]:
    """Return the positions that a file holds; raises ArchiveError naming `where`."""
    repair = ": it is torn or was changed; remove it, and what it is about is read again, and counts once"
    return _read(_positions, raw, POSITIONS_LIMIT, where, repair).positions


@contextmanager
def after(count: int, what: str) -> Iterator[None]:
    """Say in an error how much was done before it."""
    try:
        yield
    except ArchiveError as error:
        if not count:
            raise
        raise ArchiveError(f"{error} ({count} {what} before it, and stay)") from error


def in_utc(label: GivenLabel) -> GivenLabel:
    """Return the same word, its time as it is recorded."""
    return replace(label, labelled_at=_utc(label.labelled_at))


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ArchiveError(f"{at.isoformat()} is a time without its zone, and is not recorded")
    return at.astimezone(UTC)


def _written(adapter: Adapter[T], document: T, limit: int, what: str) -> bytes:
    return _checked(adapter, document, _dump(adapter, document), limit, what)


def _dump(adapter: Adapter[T], document: T) -> bytes:
    return adapter().dump_json(document, indent=1, warnings=False) + b"\n"


def _checked(adapter: Adapter[T], document: T, raw: bytes, limit: int, what: str) -> bytes:
    """The content, if it reads as what was written: a figure that is no number would not."""
    if _read(adapter, raw, limit, what, repair="") != document:
        raise ArchiveError(f"{what}: it would not be read as it is written")
    return raw


def _read(adapter: Adapter[T], raw: bytes, limit: int, where: str, repair: str = REPAIR) -> T:
    if len(raw) > limit:
        raise ArchiveError(f"{where}: {len(raw)} bytes or more, and at most {limit} are read")
    try:
        return adapter().validate_json(raw)
    except ValidationError as error:
        raise ArchiveError(f"{where}: {in_words(error)}{repair}") from error


@cache
def _indices() -> TypeAdapter[Index]:
    return TypeAdapter(Index)


@cache
def _requests() -> TypeAdapter[_Asked]:
    return TypeAdapter(_Asked)


@cache
def _word_files() -> TypeAdapter[_Words]:
    return TypeAdapter(_Words)


@cache
def _positions() -> TypeAdapter[_Positions]:
    return TypeAdapter(_Positions)
