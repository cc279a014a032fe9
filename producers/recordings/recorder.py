"""Records of topics, as they lie on Kafka or as they come, into a recording.

    positions of the recording ─► SpanReader ─► entry ─► chosen? ─► RecordingWriter
               ▲                                  no: passed over         │
               └──────────────── after an outage, a kill, a pause ────────┘

What the recording holds says where it goes on, so that nothing is doubled or lost, whatever breaks.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from pathlib import Path
from threading import Event
from typing import Any, Final

import structlog
from fastavro import schemaless_reader, schemaless_writer

from producers.recordings.container import UNREAD, Entry
from producers.recordings.entries import TOPICS, entry_of
from producers.recordings.index import NAME, Chosen, Index, this_program
from producers.recordings.recording import Selection, open_recording
from producers.recordings.writing import RecordingWriter
from runtime.clients import Received
from runtime.offsets import Place
from runtime.registry import open_codec
from runtime.sessions import run_sessions
from runtime.settings import KafkaSettings
from runtime.spans import SpanReader, cluster_of, partitions_of
from schemas.codec import Codec, Schema
from schemas.errors import ConfigurationError, RecordingError, TopicError
from schemas.records import Frame
from schemas.topics import TABLE, Topic

log = structlog.get_logger(__name__)

INTERNAL: Final = frozenset({"shadow-predictions", "camera-days", "deliveries"})
"What services write for themselves: recorded only where named."
USUAL: Final = tuple(topic.name for topic in TABLE if topic.name not in INTERNAL)
"What is recorded where no topic is named: all that a replay or a backtest asks for."
FLUSH_S: Final = 1.0
"How often what was written is handed to the operating system: what a kill may cost."
LOOK_S: Final = 60.0
"How often a recording that follows looks whether partitions were added."


@dataclass(frozen=True, slots=True)
class Ending:
    """When a recording ends."""

    follow: bool = False
    "Go on with what comes; otherwise end at what is there at the start."
    until: datetime | None = None
    "Where followed: end with what is there at this time, wall clock; None when told to stop."


@dataclass(frozen=True, slots=True)
class Tally:
    """What one run has done so far."""

    kept: Mapping[str, int]
    "Records kept, by topic."
    size: Mapping[str, int]
    "Bytes of their values, by topic."
    passed_over: Mapping[str, int]
    "Records that were seen and not chosen, by topic."
    unread: Mapping[str, int]
    "Records kept as they are, for they cannot be read here, by topic; tombstones are not counted."
    complete: bool
    "Whether the recording came to its end."


def record(
    settings: KafkaSettings,
    folder: Path,
    topics: Sequence[str],
    chosen: Chosen,
    ending: Ending,
    stop: Event,
    *,
    more: bool = False,
    progress: Callable[[Tally], None] = lambda _: None,
) -> Tally:
    """Record topics, named as in the topic table, into a folder; a recording that is there is gone on with.

    `more` goes on with one that is complete, too. `progress` is called every second. Outages of the broker are waited
    for; where `stop` is set, what was written is sealed.

    Raises:
        TopicError: names the topics that do not exist.
        BrokerUnavailableError: nobody answers at the start.
        ConfigurationError: the recording in the folder is complete, or is of something else; names what differs.
        RecordingError: the folder cannot be written; what is there is kept, and the same call goes on with it.

    """
    codec = open_codec(settings)
    partitions = _partitions(settings, topics)
    writer = _opened(folder, _Asked(_origin(settings), partitions, chosen), more=more)
    recorder = _Recorder(settings, writer, codec, ending)
    with writer:
        run_sessions(lambda: recorder.session(stop, progress), stop)
        writer.seal(complete=recorder.complete(stop))
    return recorder.tally(stop)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is to be recorded."""

    origin: str
    partitions: Mapping[str, int]
    chosen: Chosen


def _origin(settings: KafkaSettings) -> str:
    """Offsets mean something on one cluster alone."""
    return f"{settings.topic_prefix or 'topics without prefix'} on cluster {cluster_of(settings)}"


def _partitions(settings: KafkaSettings, topics: Sequence[str]) -> dict[str, int]:
    names = {name: settings.names.of(TOPICS[name]) for name in topics}
    counts = partitions_of(settings, names.values())
    return {name: counts[names[name]] for name in topics}


def _opened(folder: Path, asked: _Asked, *, more: bool) -> RecordingWriter:
    if not (folder / NAME).exists():
        return RecordingWriter.begin(
            folder, origin=asked.origin, made_by=this_program(), partitions=asked.partitions, chosen=asked.chosen
        )
    index = open_recording(folder).index
    if faults := differences(index, asked.origin, asked.partitions, asked.chosen):
        raise ConfigurationError(str(folder), faults)
    if index.complete and not more:
        raise ConfigurationError(str(folder), ["is complete; choose another folder, or go on with it: --more"])
    return RecordingWriter.resume(folder)


def differences(index: Index, origin: str, partitions: Mapping[str, int], chosen: Chosen) -> list[str]:
    """What a recording that is there was asked for otherwise, a line each; empty where it can be gone on with."""
    recorded = {name: topic.partitions for name, topic in index.topics.items()}
    compared = (
        ("origin", index.origin, origin),
        ("topics", ", ".join(sorted(recorded)), ", ".join(sorted(partitions))),
        ("cameras", _listed(index.chosen.cameras), _listed(chosen.cameras)),
        ("from", _moment(index.chosen.from_us), _moment(chosen.from_us)),
        ("to", _moment(index.chosen.to_us), _moment(chosen.to_us)),
        ("pictures", index.chosen.pictures, chosen.pictures),
        *((f"partitions of {name}", count, partitions.get(name, count)) for name, count in recorded.items()),
    )
    return [
        f"{what}: the recording there has {there}, and {wanted} is asked for; choose another folder, or ask for the same"
        for what, there, wanted in compared
        if there != wanted
    ]


def _listed(cameras: Sequence[str] | None) -> str:
    return "all" if cameras is None else ", ".join(sorted(cameras))


def _moment(since_us: int | None) -> str:
    return "any time" if since_us is None else datetime.fromtimestamp(since_us / 1e6, UTC).isoformat()


@dataclass(slots=True)
class _Counts:
    """By topic; see Tally."""

    kept: Counter[str] = field(default_factory=Counter)
    size: Counter[str] = field(default_factory=Counter)
    passed_over: Counter[str] = field(default_factory=Counter)
    unread: Counter[str] = field(default_factory=Counter)

    def told(self, *, complete: bool) -> Tally:
        return Tally(dict(self.kept), dict(self.size), dict(self.passed_over), dict(self.unread), complete)


class _Recorder:
    """One run, over all its sessions with the broker."""

    def __init__(self, settings: KafkaSettings, writer: RecordingWriter, codec: Codec, ending: Ending) -> None:
        self._settings = settings
        self._writer = writer
        self._codec = codec
        self._ending = ending
        self._chosen = writer.index.chosen
        self._selection = selection_of(self._chosen)
        self._topics = {settings.names.of(TOPICS[name]): TOPICS[name] for name in writer.index.topics}
        self._schemas: dict[str, dict[int, Schema]] = {name: {} for name in writer.index.topics}
        self._ends: dict[Place, int] | None = None
        self._reached = False
        self._counts = _Counts()
        self._flushed = self._looked = time.monotonic()

    def complete(self, stop: Event) -> bool:
        """Whether everything that was asked for is kept; a recording that only follows is when it is told to stop."""
        return self._reached or (self._ending.follow and self._ending.until is None and stop.is_set())

    def tally(self, stop: Event) -> Tally:
        """What was done so far."""
        return self._counts.told(complete=self.complete(stop))

    def session(self, stop: Event, progress: Callable[[Tally], None]) -> None:
        """Read from where the recording is, until told to stop or the end is reached."""
        self._require_partitions()
        with self._reader() as reader:
            self._note_missing(reader)
            self._set_ends(reader)
            while not stop.is_set() and not self._is_done(reader):
                self._turn(reader, stop, progress)
            self._flush(reader)

    def _require_partitions(self) -> None:
        """Records of a key lie in another partition once there are more: no recording goes across that."""
        self._looked = time.monotonic()
        recorded = {name: topic.partitions for name, topic in self._writer.index.topics.items()}
        try:
            found = _partitions(self._settings, list(recorded))
        except TopicError as error:
            raise RecordingError(f"a topic was deleted while it was recorded: {error}") from error
        changed = [
            f"{name} had {recorded[name]}, now {count}" for name, count in found.items() if count != recorded[name]
        ]
        if changed:
            raise RecordingError(f"partitions were added while they were recorded: {'; '.join(changed)}; record anew")

    def _reader(self) -> SpanReader:
        try:
            return SpanReader(self._settings, self._positions())
        except TopicError as error:
            raise RecordingError(f"{error}; begin another recording") from error

    def _positions(self) -> dict[Place, int | None]:
        return {
            (full, partition): self._writer.position(topic.name, partition)
            for full, topic in self._topics.items()
            for partition in range(self._writer.index.topics[topic.name].partitions)
        }

    def _note_missing(self, reader: SpanReader) -> None:
        for missing in reader.missing:
            full, partition = missing.place
            name = self._topics[full].name
            log.warning("records are gone", topic=full, partition=partition, first=missing.first, last=missing.last)
            self._writer.gap(name, partition, missing.first, missing.last)

    def _set_ends(self, reader: SpanReader) -> None:
        """The ends stay those that were first seen, whatever breaks meanwhile."""
        if self._ends is None and is_time(self._ending, datetime.now(UTC)):
            self._ends = reader.ends()
        if self._ends is not None:
            reader.stop_at(self._ends)

    def _is_done(self, reader: SpanReader) -> bool:
        self._reached = self._ends is not None and not reader.left
        return self._reached

    def _turn(self, reader: SpanReader, stop: Event, progress: Callable[[Tally], None]) -> None:
        received = reader.read()
        if received is not None:
            self._keep(received)
        if time.monotonic() - self._flushed >= FLUSH_S:
            self._flush(reader)
            self._look(reader)
            progress(self.tally(stop))

    def _look(self, reader: SpanReader) -> None:
        """Whether it is time to end, or partitions were added."""
        if self._ends is None:
            self._set_ends(reader)
        if time.monotonic() - self._looked >= LOOK_S:
            self._require_partitions()

    def _keep(self, received: Received) -> None:
        topic = self._topics[received.topic]
        entry = entry_of(received, topic, self._codec, partial(self._number, topic.name))
        kept = self._as_chosen(topic, entry)
        if kept is None:
            self._counts.passed_over[topic.name] += 1
            return
        self._writer.write(topic.name, received.partition, kept)
        self._counts.kept[topic.name] += 1
        self._counts.size[topic.name] += len(received.value)
        if entry.schema == UNREAD and entry.body:
            self._counts.unread[topic.name] += 1

    def _as_chosen(self, topic: Topic, entry: Entry) -> Entry | None:
        if not self._selection.wants(topic.name, entry):
            return None
        return entry if self._chosen.pictures else without_picture(entry, topic, self._schemas[topic.name])

    def _number(self, name: str, schema: Schema) -> int:
        number = self._writer.schema_number(name, schema)
        self._schemas[name][number] = schema
        return number

    def _flush(self, reader: SpanReader) -> None:
        for (full, partition), position in reader.positions.items():
            self._writer.pass_over(self._topics[full].name, partition, position)
        self._writer.flush()
        self._flushed = time.monotonic()


def is_time(ending: Ending, now: datetime) -> bool:
    """Whether what is there now is the end."""
    return not ending.follow or (ending.until is not None and now >= ending.until)


def selection_of(chosen: Chosen) -> Selection:
    """What is chosen, as a question to each entry."""
    cameras = None if chosen.cameras is None else frozenset(chosen.cameras)
    return Selection(cameras=cameras, from_us=chosen.from_us, to_us=chosen.to_us)


def without_picture(entry: Entry, topic: Topic, schemas: Mapping[int, Schema]) -> Entry | None:
    """An entry whose frame has no picture; None where a frame cannot be read, and so its picture not be taken out."""
    if topic.record is not Frame or not entry.body:
        return entry
    if entry.schema == UNREAD:
        return None
    writer, out = schemas[entry.schema], BytesIO()
    try:
        plain: Any = schemaless_reader(BytesIO(entry.body), writer, None)
        schemaless_writer(out, writer, {**plain, "picture": b""})
    except Exception:  # noqa: BLE001  # fastavro raises what it likes
        return None
    return replace(entry, body=out.getvalue())
