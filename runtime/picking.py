"""Single records read from where they lie, many of them, without what lies between.

    wanted   ·  ·          ·             ·      offsets of a partition, rising
    read     ────seek─────►──seek───────►─      what is near is read through, the rest is leapt over

Partitions are read beside each other. What was deleted, or never was, is passed.
"""

import time
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from typing import Final, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from runtime.clients import Received, as_broker_error, client_properties, is_got_over, received
from runtime.offsets import Offsets, Place
from runtime.settings import KafkaSettings
from schemas.errors import BrokerUnavailableError

NEAR: Final = 32
"Offsets that are read through: a leap costs a request. Measured on frames of 15 KB: 180 of 60,000 in 0.2 s, 3,000 in 1.1 s."
FETCH: Final = 256 * 1024
"Bytes asked for of a partition at once; a larger record comes nevertheless."
QUEUED_KIB: Final = 8 * 1024
"What waits to be read, in all partitions together."
PATIENCE_S: Final = 20.0
"So long nothing may come before it is an error."


def read_picked(settings: KafkaSettings, wanted: Iterable[tuple[Place, int]]) -> Iterator[Received]:
    """The records at these places and offsets that are there, in the order of offsets within a partition.

    Raises:
        BrokerUnavailableError: nobody answers.
        BrokerError: the broker refuses, for example because a topic does not exist.

    """
    offsets: dict[Place, set[int]] = defaultdict(set)
    for place, offset in wanted:
        offsets[place].add(offset)
    there = _there(settings, offsets)
    if there:
        with _Picker(settings, there) as picker:
            yield from picker.read()


def _there(settings: KafkaSettings, wanted: dict[Place, set[int]]) -> dict[Place, deque[int]]:
    """The offsets that lie between the first and the last record that there is."""
    if not wanted:
        return {}
    asked = Offsets(settings)
    first, end = asked.first(wanted), asked.committed_ends(wanted)
    kept = {
        place: deque(sorted(o for o in offsets if first[place] <= o < end[place])) for place, offsets in wanted.items()
    }
    return {place: offsets for place, offsets in kept.items() if offsets}


class _Picker:
    """Reads the wanted offsets of each partition."""

    def __init__(self, settings: KafkaSettings, wanted: dict[Place, deque[int]]) -> None:
        self._settings = settings
        self._wanted = wanted
        self._consumer = Consumer(
            {
                **client_properties(settings),
                "group.id": "roadwatch-picker",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",  # what is deleted meanwhile is passed
                "check.crcs": True,
                "queued.max.messages.kbytes": QUEUED_KIB,
                "max.partition.fetch.bytes": FETCH,
                "fetch.max.bytes": FETCH * 4,
                "fetch.wait.max.ms": 10,
                "fetch.queue.backoff.ms": 5,
            }
        )

    def __enter__(self) -> Self:
        self._consumer.assign([TopicPartition(*place, offsets[0]) for place, offsets in self._wanted.items()])
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def read(self) -> Iterator[Received]:
        """Give what is there; ends when every wanted offset was read or passed."""
        heard = time.monotonic()
        while self._wanted:
            message = self._consumer.poll(0.5)
            if message is None:
                self._check_patience(heard)
                continue
            heard = time.monotonic()
            yield from self._taken(message)

    def _check_patience(self, heard: float) -> None:
        if time.monotonic() - heard > PATIENCE_S:
            places = ", ".join(f"{topic}/{partition}" for topic, partition in self._wanted)
            raise BrokerUnavailableError(f"{places}: nothing came within {PATIENCE_S:.0f} s; try again")

    def _taken(self, message: Message) -> Iterator[Received]:
        place, offset = (str(message.topic()), int(message.partition() or 0)), int(message.offset() or 0)
        if (error := message.error()) is not None:
            self._take_event(place, offset, error)
            return
        wanted = self._wanted.get(place)
        if wanted and self._passed(wanted, offset):
            yield received(message)
        if wanted is not None:
            self._go_on(place, wanted, offset + 1)

    def _passed(self, wanted: deque[int], offset: int) -> bool:
        """Forget the offsets up to this one; whether it is one of them."""
        last = None
        while wanted and wanted[0] <= offset:
            last = wanted.popleft()
        return last == offset

    def _go_on(self, place: Place, wanted: deque[int], position: int) -> None:
        if not wanted:
            self._end(place)
        elif wanted[0] - position > NEAR:
            self._consumer.seek(TopicPartition(*place, wanted[0]))

    def _end(self, place: Place) -> None:
        del self._wanted[place]
        self._consumer.pause([TopicPartition(*place)])

    def _take_event(self, place: Place, offset: int, error: KafkaError) -> None:
        """An end is where control records and aborted ones are passed too; other events are got over or raise."""
        if error.code() == KafkaError._PARTITION_EOF:
            wanted = self._wanted.get(place, deque())
            self._passed(wanted, offset - 1)
            if place in self._wanted and not wanted:
                self._end(place)
        elif not is_got_over(error):
            raise as_broker_error(KafkaException(error), self._settings.bootstrap_servers)
