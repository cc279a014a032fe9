"""What of a recording is sent, and where to: decided, and refused, before anything is sent."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import Final, Literal

from fastavro import schemaless_reader, schemaless_writer
from fastavro.read import SchemaResolutionError
from fastavro.utils import generate_many

from producers.recordings.entries import TOPICS, Reader, reader_of
from producers.recordings.index import Index
from producers.recordings.recording import BY_CAMERA, PLACES, Recording, Selection
from producers.recordings.shifting import SHIFTABLE
from schemas.codec import schema_of
from schemas.errors import ConfigurationError, RecordingError, TopicError
from schemas.topics import FRAMES, LABELS, OBSERVATIONS, TELEMETRY, Names

INPUTS: Final = (FRAMES.name, OBSERVATIONS.name, LABELS.name, TELEMETRY.name)
"What a pipeline takes in; of frames and observations one, for a processor makes these of those."


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants of a replay."""

    topics: tuple[str, ...] = ()
    "Names in the topic table; empty for what a pipeline takes in."
    every: bool = False
    "Whether every recorded topic is wanted."
    cameras: frozenset[str] | None = None
    "Of these cameras only; None for all."
    from_us: int | None = None
    "From this event time on, microseconds since 1970."
    to_us: int | None = None
    "Until before this event time."
    shift_to: datetime | Literal["now"] | None = None
    "What the first event time becomes; None: times are kept."
    close: bool = False
    "Whether cameras that did not end are ended."


@dataclass(frozen=True, slots=True)
class Plan:
    """What is sent: with the recording, it says which sequence of records, always the same."""

    selection: Selection
    "Of the recording."
    shift_to: datetime | Literal["now"] | None
    "As wished."
    close: bool
    "As wished."
    readers: Mapping[str, Reader]
    "By topic: of what is sent, in the order of the topic table. Our own schema is the last of each."
    left_out: tuple[str, ...]
    "Recorded topics that are not sent, where nobody named those that are."

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that something is sent to."""
        return tuple(self.readers)

    def name(self, recording: str, prefix: str) -> str:
        """The name that this replay's position is kept under, at whatever speed it goes."""
        plain = [
            recording,
            prefix,
            sorted(self.selection.topics or ()),
            None if self.selection.cameras is None else sorted(self.selection.cameras),
            self.selection.from_us,
            self.selection.to_us,
            self.shift_to.isoformat() if isinstance(self.shift_to, datetime) else self.shift_to,
            self.close,
        ]
        return f"roadwatch-replay-{hashlib.sha256(json.dumps(plain).encode()).hexdigest()[:24]}"


def plan_of(recording: Recording, wish: Wish) -> Plan:
    """What a wish comes to.

    Raises:
        ConfigurationError: it asks for what is not recorded, or cannot be sent; says all that is wrong.
        RecordingError: the recording holds schemas that this program cannot resolve to its own.

    """
    index = recording.index
    chosen = chosen_topics(index, wish)
    if faults := [*_shift_faults(chosen, wish), *_close_faults(chosen, wish)]:
        raise ConfigurationError(recording.where, faults)
    receiving = {*chosen, *([LABELS.name] if wish.close else [])}
    readers = {name: _reader(index, name) for name in sorted(receiving, key=lambda name: PLACES.get(name, len(PLACES)))}
    if unresolvable := [fault for reader in readers.values() for fault in _unresolvable(reader)]:
        raise RecordingError(f"{recording.where}: {'; '.join(unresolvable)}")
    selection = Selection(frozenset(chosen), wish.cameras, wish.from_us, wish.to_us)
    left_out = () if wish.topics else tuple(sorted(_recorded(index) - chosen))
    return Plan(selection, wish.shift_to, wish.close, readers, left_out)


def chosen_topics(index: Index, wish: Wish) -> frozenset[str]:
    """The recorded topics that are sent: those named, all, or what a pipeline takes in.

    Raises:
        ConfigurationError: nothing is left, a named topic is not recorded, or frames are without their pictures.

    """
    there = _recorded(index)
    if faults := [
        f"--topic {name}: not recorded; there are {_listed(there)}" for name in wish.topics if name not in index.topics
    ]:
        raise ConfigurationError("what to replay", faults)
    chosen = frozenset(wish.topics) or (there if wish.every else _inputs(index, there))
    if not chosen:
        raise ConfigurationError(
            "what to replay",
            [f"nothing that a pipeline takes in is recorded, only {_listed(there)}; name it with --topic"],
        )
    if FRAMES.name in chosen and not index.chosen.pictures:
        raise ConfigurationError(
            "what to replay",
            [
                "frames were recorded without their pictures, which no processor can classify; send observations instead, with --topic"
            ],
        )
    return chosen


def keeping_partitions(
    index: Index, topics: Collection[str], names: Names, counts: Mapping[str, int]
) -> frozenset[str]:
    """Of the topics that are sent to, those whose records go to the partitions that they were recorded in.

    That is where the target has as many. Topics keyed by camera do so together, or all go by key: then too a camera's
    records lie in the same partition of each. `counts` is the target's partitions by topic, as it is called there.

    Raises:
        TopicError: topics do not exist, or those keyed by camera have different numbers of partitions; names all.

    """
    if missing := [name for name in topics if called(name, names) not in counts]:
        raise TopicError(_missing([called(name, names) for name in missing]))
    found = {name: counts[called(name, names)] for name in topics}
    by_camera = {name: count for name, count in found.items() if name in BY_CAMERA}
    if len(set(by_camera.values())) > 1:
        raise TopicError(_uneven({called(name, names): count for name, count in by_camera.items()}))
    same = {name for name, count in found.items() if name not in index.topics or index.topics[name].partitions == count}
    together = by_camera.keys() <= same
    return frozenset(name for name in same if together or name not in BY_CAMERA)


def partitions_to_create(
    index: Index, topics: Collection[str], existing: Mapping[str, int], names: Names
) -> int | None:
    """Partitions for missing topics keyed by camera: as many as those have that exist, else as were recorded.

    None where the recording tells nothing.
    """
    there = [existing[called(name, names)] for name in sorted(BY_CAMERA) if called(name, names) in existing]
    recorded = [index.topics[name].partitions for name in topics if name in BY_CAMERA and name in index.topics]
    return max(there or recorded, default=None)


def called(name: str, names: Names) -> str:
    """What a topic of the table is called on the target."""
    return names.of(TOPICS[name])


def _missing(names: Collection[str]) -> str:
    return (
        f"{len(names)} topics do not exist on the target: {', '.join(names)};"
        " add --create, or run 'roadwatch topics create' with the settings of the services that read them"
    )


def _uneven(counts: Mapping[str, int]) -> str:
    told = ", ".join(f"{name} {count}" for name, count in counts.items())
    return (
        f"topics keyed by camera have different numbers of partitions on the target ({told}), so that a camera's records"
        " would not lie side by side; create them anew, or choose others with --prefix"
    )


def _recorded(index: Index) -> frozenset[str]:
    return frozenset(segment.topic for segment in index.segments)


def _inputs(index: Index, there: frozenset[str]) -> frozenset[str]:
    instead = OBSERVATIONS if FRAMES.name in there and index.chosen.pictures else FRAMES
    return there & frozenset(INPUTS) - {instead.name}


def _shift_faults(chosen: Collection[str], wish: Wish) -> list[str]:
    if wish.shift_to is None:
        return []
    return [
        f"--shift-to: records of {name} name days or wall clock, which are not moved; leave it out, with --topic for the others"
        for name in sorted(chosen)
        if name not in SHIFTABLE
    ]


def _close_faults(chosen: Collection[str], wish: Wish) -> list[str]:
    if not wish.close or {FRAMES.name, OBSERVATIONS.name} & set(chosen):
        return []
    return ["--close: cameras end on frames or observations, and neither is sent"]


def _reader(index: Index, name: str) -> Reader:
    """The reader of a recorded topic, and of what is added to it: that is written with our own schema."""
    found = reader_of(name, index.topics[name]) if name in index.topics else Reader(TOPICS[name], ())
    return Reader(found.topic, (*found.schemas, schema_of(found.topic.record)))


def _unresolvable(reader: Reader) -> list[str]:
    """Which of its schemas cannot be read as ours, tried on values made up for it."""
    return [
        f"{reader.topic.name} was written with a schema that this program cannot resolve to its own {reader.topic.record.__name__}: {fault}"
        for schema in reader.schemas[:-1]
        if (fault := _mismatch(schema, schema_of(reader.topic.record)))
    ]


def _mismatch(writer: dict[str, object], ours: dict[str, object]) -> str | None:
    for value in generate_many(writer, 4):
        out = BytesIO()
        schemaless_writer(out, writer, value)
        out.seek(0)
        try:
            schemaless_reader(out, writer, ours)
        except SchemaResolutionError as error:
            return str(error)
    return None


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "no records at all"
