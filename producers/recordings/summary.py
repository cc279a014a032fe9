"""What a recording holds, from its index alone."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from producers.recordings.entries import TOPICS, reader_of
from producers.recordings.index import Gap, RecordedTopic, Segment
from producers.recordings.recording import Recording
from producers.recordings.segments import is_segment
from schemas.codec import schema_of
from schemas.errors import RecordingError

Written = Literal["as ours", "otherwise", "unknown"]


@dataclass(frozen=True, slots=True)
class TopicSummary:
    """One topic of a recording."""

    topic: str
    "Its name in the topic table."
    records: int
    "Entries that are sealed."
    partitions: int
    "How many it had."
    bytes: int
    "Of its segments."
    logged_ms: tuple[int, int] | None
    "When its first and its last were logged, milliseconds since 1970; None without entries."
    event_us: tuple[int, int] | None
    "The first and last event time, microseconds since 1970; None where entries have none."
    schemas: tuple[Written, ...]
    "What its records were written with: as this program writes them, otherwise, or nothing that is a schema."
    gaps: tuple[Gap, ...]
    "Offsets that are missing."


@dataclass(frozen=True, slots=True)
class Summary:
    """A recording."""

    topics: tuple[TopicSummary, ...]
    "In the index's order."
    unsealed: tuple[str, ...]
    "Segments that the index does not name: still written, or left behind by a kill."

    @property
    def records(self) -> int:
        """Entries that are sealed."""
        return sum(topic.records for topic in self.topics)

    @property
    def bytes(self) -> int:
        """Of all segments."""
        return sum(topic.bytes for topic in self.topics)


def summary_of(recording: Recording) -> Summary:
    """What a recording holds; reads no segment."""
    return Summary(tuple(_topic(recording, name) for name in recording.index.topics), unsealed_of(recording))


def unsealed_of(recording: Recording) -> tuple[str, ...]:
    """Segments that the index does not name: still written, or left behind by a kill."""
    named = {segment.file for segment in recording.index.segments}
    return tuple(name for name in recording.files.names() if is_segment(name) and name not in named)


def _topic(recording: Recording, name: str) -> TopicSummary:
    index = recording.index
    recorded, segments = index.topics[name], [segment for segment in index.segments if segment.topic == name]
    return TopicSummary(
        topic=name,
        records=sum(segment.records for segment in segments),
        partitions=recorded.partitions,
        bytes=sum(segment.size for segment in segments),
        logged_ms=_span((segment.first_ms, segment.last_ms) for segment in segments),
        event_us=_span(span for segment in segments if (span := _event_span(segment))),
        schemas=tuple(_written(name, recorded, number) for number in range(len(recorded.schemas))),
        gaps=tuple(gap for gap in index.gaps if gap.topic == name),
    )


def _event_span(segment: Segment) -> tuple[int, int] | None:
    if segment.first_us is None or segment.last_us is None:
        return None
    return segment.first_us, segment.last_us


def _span(spans: Iterable[tuple[int, int]]) -> tuple[int, int] | None:
    """From the earliest beginning to the latest end."""
    found = list(spans)
    return (min(first for first, _ in found), max(last for _, last in found)) if found else None


def _written(name: str, recorded: RecordedTopic, number: int) -> Written:
    one = recorded.model_copy(update={"schemas": recorded.schemas[number : number + 1]})
    try:
        (schema,) = reader_of(name, one).schemas
    except RecordingError:
        return "unknown"
    return "as ours" if schema == schema_of(TOPICS[name].record) else "otherwise"
