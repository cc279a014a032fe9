"""A recording as the records that a backtest needs, in the order in which they were logged.

frames, observations or predictions, labels, telemetry, reports, alerts ─► Item, Item, …
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from heapq import merge
from typing import Final

from producers.recordings.container import UNREAD, Entry
from producers.recordings.entries import Reader, reader_of
from producers.recordings.recording import Located, Recording, Selection
from runtime.clients import Received
from schemas.codec import Codec
from schemas.errors import RecordError, RecordingError
from schemas.records import Frame, Record
from schemas.topics import ALERT_ACTIONS, ALERTS, FRAMES, LABELS, OBSERVATIONS, PREDICTIONS, REPORTS, TELEMETRY

LIVE: Final = (REPORTS.name, ALERTS.name, ALERT_ACTIONS.name)
"What the live run said, and what people said of it."


@dataclass(frozen=True, slots=True)
class Item:
    """One record of the recording."""

    topic: str
    "Its topic's name in the topic table."
    logged_ms: int
    "When it was first logged, milliseconds since 1970."
    record: Record | Received
    "What it holds; of a frame its bytes."


@dataclass(frozen=True, slots=True)
class Plan:
    """What of a recording is read."""

    frames: bool
    "Whether pictures are classified anew."
    told: str | None
    "The topic of the recorded predictions: `observations`, or else `predictions`; None: there are none."
    selection: Selection
    "Which cameras, and of pictures which span."

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that are read."""
        told = () if self.told is None else (self.told,)
        return (*((FRAMES.name,) if self.frames else ()), *told, LABELS.name, TELEMETRY.name, *self.live)

    @property
    def live(self) -> tuple[str, ...]:
        """The topics of the live run's answers: of all cameras and all days, or there is nothing to compare them with."""
        return LIVE if self.selection.is_whole else ()


def plan_of(recording: Recording, selection: Selection, *, classify: bool, recorded: bool) -> Plan:
    """What is to be read; `classify`: pictures are needed, `recorded`: recorded predictions are.

    Raises:
        RecordingError: the recording lacks what is needed; says what would help.

    """
    held = {segment.topic for segment in recording.index.segments}
    told = next((topic.name for topic in (OBSERVATIONS, PREDICTIONS) if topic.name in held), None)
    if classify:
        _require_pictures(recording, held)
    if recorded and told is None:
        raise RecordingError(
            f"{recording.where}: holds no observations and no predictions; name a model with --model, which classifies"
            " its pictures"
        )
    return Plan(classify, told, selection)


def items(recording: Recording, plan: Plan, counts: Counter[str]) -> Iterator[Item]:
    """The records, in the order in which they were logged; what cannot be read is counted and passed over.

    Raises:
        RecordingError: a segment is missing, torn, or was changed.

    """
    readers = readers_of(recording)
    for located in _entries(recording, plan):
        entry, reader = located.entry, readers[located.topic]
        if not entry.body:
            continue
        try:
            held = frame_bytes(located, reader) if located.topic == FRAMES.name else reader.record(entry)
        except RecordError:
            counts[f"unreadable {located.topic}"] += 1
        else:
            yield Item(located.topic, entry.logged_ms, held)


def readers_of(recording: Recording) -> Mapping[str, Reader]:
    """What reads each recorded topic."""
    return {name: reader_of(name, topic) for name, topic in recording.index.topics.items()}


def total(recording: Recording, plan: Plan) -> int:
    """How many records are looked at, all cameras and spans together."""
    return sum(segment.records for segment in recording.index.segments if segment.topic in plan.topics)


def frame_bytes(located: Located, reader: Reader) -> Received:
    """A frame as the processor receives it."""
    entry = located.entry
    return Received(
        topic=located.topic,
        partition=located.partition,
        offset=entry.offset,
        key=entry.key,
        value=_framed(entry, reader),
        headers=[],
        timestamp_ms=entry.logged_ms,
    )


def _framed(entry: Entry, reader: Reader) -> bytes:
    if entry.schema == UNREAD:
        return entry.body
    return Codec().joined(reader.body(entry), Frame)


def _entries(recording: Recording, plan: Plan) -> Iterator[Located]:
    """Labels have no end: they are given after what they are for, and count as long as its day is open."""
    within = replace(plan.selection, topics=frozenset(plan.topics) - {LABELS.name, *plan.live})
    labels = replace(plan.selection, topics=frozenset({LABELS.name}), to_us=None)
    live = Selection(topics=frozenset(plan.live))
    return merge(*(recording.entries(selection) for selection in (within, labels, live)))


def _require_pictures(recording: Recording, held: set[str]) -> None:
    if FRAMES.name not in held:
        raise RecordingError(f"{recording.where}: holds no frames; a model has nothing to look at. Leave --model out")
    if not recording.index.chosen.pictures:
        raise RecordingError(
            f"{recording.where}: its frames were recorded without their pictures; a model has nothing to look at."
            " Leave --model out, or record with pictures"
        )
