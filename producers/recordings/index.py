"""The index of a recording, `recording.json`: what is in it, in which segments, and how far it has come."""

import hashlib
import json
from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from runtime.settings import faults_of
from schemas.errors import RecordingError

NAME: Final = "recording.json"
FORMAT: Final = "roadwatch-recording"
VERSION: Final = 1
MOST_BYTES: Final = 64 * 1024 * 1024
"A larger index was not written by us."


class Part(BaseModel):
    """A piece of the index."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Segment(Part):
    """One file of entries."""

    file: str = Field(pattern=r"^[a-z-]+/\d+-\d+\.avro$")
    "Within the recording: `frames/3-0001.avro`."
    topic: str
    "Its topic's name in the topic table."
    partition: int = Field(ge=0)
    "Its partition."
    records: int = Field(ge=1)
    "Entries."
    first_offset: int
    "Of its first entry."
    last_offset: int
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


class Gap(Part):
    """Offsets that were gone when the recording came to them: their retention had passed."""

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
    topics: dict[str, RecordedTopic]
    "By name in the topic table."
    segments: tuple[Segment, ...] = ()
    "Sealed segments, each chain in order."
    gaps: tuple[Gap, ...] = ()
    "What was gone."
    complete: bool = False
    "Whether it was ended in order; a recording that is still made, or was killed, is not."

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        if self.version > VERSION:
            raise ValueError(f"version {self.version} of the format is newer than {VERSION}, which this program reads")
        if strangers := {segment.topic for segment in self.segments} - self.topics.keys():
            raise ValueError(f"segments of {', '.join(sorted(strangers))}, which is not among its topics")
        return self

    def encoded(self) -> bytes:
        """As JSON with its own checksum."""
        plain = self.model_dump(mode="json")
        return json.dumps({**plain, "sha256": _digest(plain)}, indent=1, ensure_ascii=False).encode() + b"\n"


def decoded(data: bytes, where: str) -> Index:
    """An index from its bytes.

    Raises:
        RecordingError: no index, torn, changed since it was written, or of a newer version; says which.

    """
    try:
        plain = json.loads(data)
    except ValueError as error:
        raise RecordingError(f"{where}: torn or no recording's index: {error}") from error
    if not isinstance(plain, dict) or plain.get("format") != FORMAT:
        raise RecordingError(f"{where}: JSON, but no recording's index")
    told = plain.pop("sha256", None)
    try:
        index = Index.model_validate(plain)
    except ValidationError as error:
        raise RecordingError(f"{where}: {'; '.join(faults_of(error))}") from error
    if told != _digest(plain):
        raise RecordingError(f"{where}: was changed after it was written: its checksum is not that of its content")
    return index


def _digest(plain: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
