"""Spans of topics: given partitions read from given offsets on, without a group.

    first there is ──── position ─────────────── end ──── whatever comes
          │   deleted before it was read: missing │
          └───────────────────────────────────────┘ of committed records

Nothing is committed to Kafka: who reads keeps the positions.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import ClusterMetadata

from runtime.clients import Admin, Received, as_broker_error, client_properties, is_got_over, received
from runtime.offsets import Offsets, Place
from runtime.settings import KafkaSettings
from schemas.errors import BrokerUnavailableError, TopicError

TIMEOUT_S: Final = 10.0
PATIENCE_S: Final = 60.0
"So long nothing may come before it is an error."
QUEUED_KIB: Final = 32 * 1024
"What waits to be read, in all partitions together."
FETCH: Final = 4 * 1024 * 1024
"Bytes asked for of a partition at once: two of the largest frames."


@dataclass(frozen=True, slots=True)
class Missing:
    """Offsets that were deleted before they were read."""

    place: Place
    "Where."
    first: int
    "The first that is missing."
    last: int
    "The last that is missing."


def partitions_of(settings: KafkaSettings, topics: Iterable[str]) -> dict[str, int]:
    """How many partitions each of these topics has.

    Raises:
        TopicError: names every topic that does not exist.
        BrokerUnavailableError: nobody answers.

    """
    known = _metadata(settings).topics
    counts = {topic: len(known[topic].partitions) if topic in known else 0 for topic in topics}
    if missing := [topic for topic, count in counts.items() if not count]:
        raise TopicError(
            f"not on the cluster at {settings.bootstrap_servers}: {', '.join(missing)};"
            " run 'roadwatch topics create', check kafka.topic_prefix, or choose other topics"
        )
    return counts


def cluster_of(settings: KafkaSettings) -> str:
    """The id that the cluster was made with; raises BrokerUnavailableError where nobody answers."""
    return str(_metadata(settings).cluster_id)


def _metadata(settings: KafkaSettings) -> ClusterMetadata:
    return Admin(settings).metadata(TIMEOUT_S)


def read_all(settings: KafkaSettings, topic: str, timeout_s: float = 30.0) -> Iterator[Received]:
    """Everything committed that is on a topic now, each partition from its beginning, in its order.

    Raises:
        TopicError: there is no such topic.
        BrokerUnavailableError: nobody answers, or the end was not reached in time.

    """
    places = [(topic, partition) for partition in range(partitions_of(settings, [topic])[topic])]
    with SpanReader(settings, dict.fromkeys(places)) as reader:
        reader.stop_at(reader.ends())
        yield from _until_end(reader, topic, timeout_s)


def logged_since(settings: KafkaSettings, topic: str, at: datetime) -> Iterator[Received]:
    """Everything committed that was logged on a topic at a time or later, up to its end as it is now.

    Raises:
        TopicError: there is no such topic.
        BrokerError: the broker refuses, or nothing comes for a minute.

    """
    places = [(topic, partition) for partition in range(partitions_of(settings, [topic])[topic])]
    starts = {place: start for place, start in Offsets(settings).since(places, at).items() if start is not None}
    if not starts:
        return
    with SpanReader(settings, starts) as reader:
        reader.stop_at(reader.ends())
        yield from reader.rest(topic)


def read_at(
    settings: KafkaSettings, topic: str, partition: int, offset: int, timeout_s: float = 10.0
) -> Received | None:
    """The record at a place; None where there is none, or no such place.

    Raises:
        BrokerUnavailableError: nobody answers.

    """
    place = (topic, partition)
    try:
        if partition >= partitions_of(settings, [topic])[topic]:
            return None
        with SpanReader(settings, {place: offset}) as reader:
            reader.stop_at({place: min(offset + 1, reader.ends()[place])})
            found = list(_until_end(reader, topic, timeout_s))
    except TopicError:
        return None
    return found[0] if found and found[0].offset == offset else None


def _until_end(reader: "SpanReader", topic: str, timeout_s: float) -> Iterator[Received]:
    deadline = time.monotonic() + timeout_s
    while reader.left:
        if time.monotonic() > deadline:
            raise BrokerUnavailableError(f"{topic}: its end was not reached in {timeout_s:.0f} s")
        if record := reader.read():
            yield record


class SpanReader:
    """Reads partitions in order; what aborted transactions left behind is not seen, but passed."""

    def __init__(self, settings: KafkaSettings, starts: Mapping[Place, int | None]) -> None:
        """`starts` are the offsets to begin at; None for the first that there is.

        Raises:
            TopicError: a partition ends before its start: its topic was deleted and made anew.
            BrokerError: the broker refuses, or does not answer.

        """
        self._settings = settings
        self._consumer = Consumer(
            {
                **client_properties(settings),
                "group.id": "roadwatch-reader",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "auto.offset.reset": "error",  # what is deleted while it is read ends the session, the next finds the gap
                "check.crcs": True,
                "queued.max.messages.kbytes": QUEUED_KIB,
                "fetch.max.bytes": 2 * FETCH,
                "max.partition.fetch.bytes": FETCH,
                "fetch.queue.backoff.ms": 20,
            }
        )
        self._offsets = Offsets(settings)
        self._ends: dict[Place, int] = {}
        self.left: set[Place] = set(starts)
        "Partitions that have not come to their end; without ends, all."
        self.missing: list[Missing] = []
        "What was deleted between a start and the first that there is."
        self.positions = self._begin(starts)
        "The offset that comes next, of each partition."
        self._consumer.assign([_at(place, offset) for place, offset in self.positions.items()])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def read(self, timeout_s: float = 0.2) -> Received | None:
        """The next record of any partition; None when there is none just now. One at a time, so that memory stays flat.

        Raises:
            BrokerError: the broker refuses, or has deleted what comes next.

        """
        message = self._consumer.poll(timeout_s)
        if message is None:
            return None
        place = str(message.topic()), int(message.partition() or 0)
        if message.error() is not None:
            self._take_event(place, message)
            return None
        record = received(message)
        if record.offset >= self._ends.get(place, record.offset + 1):
            return None
        self._advance(place, record.offset + 1)
        return record

    def rest(self, what: str) -> Iterator[Received]:
        """What is left up to the ends; raises BrokerUnavailableError about `what` when nothing comes for a minute."""
        heard = time.monotonic()
        while self.left:
            if record := self.read():
                heard = time.monotonic()
                yield record
            elif time.monotonic() - heard > PATIENCE_S:
                raise BrokerUnavailableError(f"{what}: nothing came within {PATIENCE_S:.0f} s; try again")

    def ends(self) -> dict[Place, int]:
        """The offset after the last committed record of each partition, as of now; raises BrokerError."""
        return self._offsets.committed_ends(self.positions)

    def stop_at(self, ends: Mapping[Place, int]) -> None:
        """Read up to these offsets and no further; `left` is empty when all are reached."""
        self._ends = dict(ends)
        self.left = {place for place, position in self.positions.items() if position < ends[place]}
        self._consumer.pause([_at(place) for place in self.positions.keys() - self.left])

    def _begin(self, starts: Mapping[Place, int | None]) -> dict[Place, int]:
        first, end = self._offsets.first(starts), self._offsets.committed_ends(starts)
        return {place: self._begin_at(place, start, first[place], end[place]) for place, start in starts.items()}

    def _begin_at(self, place: Place, start: int | None, first: int, end: int) -> int:
        if start is None:
            return first
        if start > end:
            raise TopicError(
                f"{place[0]}/{place[1]} ends at offset {end}, and offset {start} was to come next: the topic was made anew"
            )
        if start < first:
            self.missing.append(Missing(place, start, first - 1))
        return max(start, first)

    def _take_event(self, place: Place, message: Message) -> None:
        """An end is where control records and aborted ones are passed too; other events are got over or raise."""
        error = message.error()
        if error is None:
            return
        if error.code() == KafkaError._PARTITION_EOF:
            self._advance(place, int(message.offset() or 0))
        elif not is_got_over(error):
            raise as_broker_error(KafkaException(error), self._settings.bootstrap_servers)

    def _advance(self, place: Place, position: int) -> None:
        end = self._ends.get(place)
        self.positions[place] = position if end is None else min(position, end)
        if end is not None and position >= end and place in self.left:
            self.left.remove(place)
            self._consumer.pause([_at(place)])


def _at(place: Place, offset: int = -1001) -> TopicPartition:
    return TopicPartition(place[0], place[1], offset)
