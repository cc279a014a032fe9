"""The index of a recording, `recording.json`: what is in it, in which segments, and how far it has come."""

import hashlib
import json
from datetime import datetime
from importlib.metadata import version as package_version
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from runtime.faults import faults_of
from schemas.errors import RecordingError

NAME: Final = "recording.json"
FORMAT: Final = "roadwatch-recording"
VERSION: Final = 1
SEGMENT_NAME: Final = r"^([a-z][a-z-]{0,63})/([0-9]{1,9})-([0-9]{1,9})\.avro$"
"A segment's file within its recording: topic, partition, number in its chain."
MOST_BYTES: Final = 64 * 1024 * 1024
"A larger index was not written by us."


class IndexDamagedError(RecordingError):
    """An index that is missing, torn or changed: it can be made again from the segments."""


def this_program() -> str:
    """Name and version of the program, as a recording names its maker."""
    return f"roadwatch {package_version('roadwatch')}"


class Part(BaseModel):
    """A piece of the index."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Segment(Part):
    """One file of entries."""

    file: str = Field(pattern=SEGMENT_NAME)
    "Within the recording: `frames/3-0001.avro`."
    topic: str
    "Its topic's name in the topic table."
    partition: int = Field(ge=0)
    "Its partition."
    records: int = Field(ge=1)
    "Entries."
    first_offset: int = Field(ge=0)
    "Of its first entry."
    last_offset: int = Field(ge=0)
    "Of its last entry."
    first_ms: int
    "The earliest time that an entry was logged, milliseconds since 1970."
    last_ms: int
    "The latest."
    first_us: int | None
    "The earliest event time, microseconds since 1970; None where entries have none."
    last_us: int | None
    "The latest."
    size: int = Field(ge=1)
    "Bytes."
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    "Of the file."
    pieces: str = Field(default="", pattern=r"^([0-9a-f]{8})*$")
    "CRC-32 of each MiB of the file, eight digits each: tells up to where a damaged one is sound."

    @property
    def chain(self) -> tuple[str, int]:
        """Its topic and partition."""
        return self.topic, self.partition

    @model_validator(mode="after")
    def _is_of_its_chain(self) -> Self:
        if not self.file.startswith(f"{self.topic}/{self.partition}-"):
            raise ValueError(f"{self.file} is no file of {self.topic}, partition {self.partition}")
        if self.first_offset > self.last_offset:
            raise ValueError(f"{self.file} ends at offset {self.last_offset}, before it begins")
        return self


class Gap(Part):
    """Offsets that were gone when the recording came to them, their retention had passed; or lost when it was salvaged."""

    topic: str
    "The topic."
    partition: int
    "The partition."
    first: int
    "The first that is missing."
    last: int
    "The last that is missing."


class RecordedTopic(Part):
    """One topic."""

    partitions: int = Field(ge=1)
    "How many it had."
    schemas: tuple[dict[str, Any], ...] = ()
    "What its records were written with: an entry names one by its number here."
    positions: dict[Annotated[int, Field(ge=0)], int] = {}
    "By partition, the offset that comes next: where a recording that was stopped goes on."


class Chosen(Part):
    """What of a stream is kept."""

    cameras: tuple[str, ...] | None = None
    "Of these cameras only; None for all."
    from_us: int | None = None
    "From this event time on, microseconds since 1970; None from the beginning."
    to_us: int | None = None
    "Until before this event time; None to the end."
    pictures: bool = True
    "Whether frames hold their pictures."


class Index(Part):
    """What a recording says of itself."""

    format: Literal["roadwatch-recording"] = FORMAT
    "Tells it from other JSON."
    version: int = VERSION
    "Of the format."
    id: str = Field(min_length=8, max_length=64)
    "Names the recording; a cut or a merger has one of its own."
    made_by: str
    "Program and version."
    created: datetime
    "When it was begun, wall clock."
    origin: str
    "Where its records come from: the topics' prefix, or the recordings that it was made of."
    chosen: Chosen = Chosen()
    "What was kept."
    topics: dict[Annotated[str, Field(pattern=r"^[a-z][a-z-]{0,63}$")], RecordedTopic]
    "By name in the topic table."
    segments: tuple[Segment, ...] = ()
    "Sealed segments, each chain in order."
    gaps: tuple[Gap, ...] = ()
    "What was gone."
    complete: bool = False
    "Whether it was ended in order; a recording that is still made, or was killed, is not."

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        if strangers := {segment.topic for segment in self.segments} - self.topics.keys():
            raise ValueError(f"segments of {', '.join(sorted(strangers))}, which is not among its topics")
        return self

    @model_validator(mode="after")
    def _ascends(self) -> Self:
        last: dict[tuple[str, int], int] = {}
        for segment in self.segments:
            if segment.first_offset <= last.get(segment.chain, -1):
                raise ValueError(f"{segment.file} begins at offset {segment.first_offset}, which its chain had already")
            last[segment.chain] = segment.last_offset
        if len({segment.file for segment in self.segments}) < len(self.segments):
            raise ValueError("a segment is named twice")
        return self

    def head(self, topic: str, schemas: tuple[dict[str, Any], ...]) -> "Index":
        """What stands in each segment of a topic, so that an index that is lost can be made again."""
        topics = {
            name: RecordedTopic(partitions=recorded.partitions, schemas=schemas if name == topic else ())
            for name, recorded in self.topics.items()
        }
        return self.model_copy(update={"topics": topics, "segments": (), "gaps": (), "complete": False})

    def encoded(self) -> bytes:
        """As JSON with its own checksum."""
        plain = self.model_dump(mode="json")
        return json.dumps({**plain, "sha256": _digest(plain)}, indent=1).encode() + b"\n"


def decoded(data: bytes, where: str) -> Index:
    """An index from its bytes.

    Raises:
        IndexDamagedError: no index, torn, or changed since it was written; says which.
        RecordingError: of a newer version, or never sound.

    """
    plain = _plain(data, where)
    if plain.pop("sha256", None) != _digest(plain):
        raise IndexDamagedError(f"{where}: was changed after it was written: its checksum is not that of its content")
    version = plain.get("version")
    if isinstance(version, int) and version > VERSION:
        raise RecordingError(
            f"{where}: version {version} of the format; this program reads up to {VERSION}: update roadwatch"
        )
    try:
        return Index.model_validate(plain)
    except ValidationError as error:
        raise RecordingError(f"{where}: {'; '.join(faults_of(error)[:5])}") from error


def _plain(data: bytes, where: str) -> dict[str, Any]:
    try:
        plain = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise IndexDamagedError(f"{where}: torn or no recording's index: {error}") from error
    if not isinstance(plain, dict) or plain.get("format") != FORMAT:
        raise IndexDamagedError(f"{where}: JSON, but no recording's index")
    return plain


def _digest(plain: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
