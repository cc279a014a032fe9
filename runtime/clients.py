"""Kafka clients: what is common to all of them, a writer and a reader.

settings ──► properties ──► Writer   bounded, idempotent, keyed by us
                        └─► Reader   read committed, offsets committed by hand
"""

import contextlib
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any, Self

import structlog
from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, ClusterMetadata

from runtime.properties import SILENT, properties_of
from runtime.settings import KafkaSettings
from schemas.codec import Codec
from schemas.errors import BrokerError, BrokerUnavailableError, RecordTooLargeError
from schemas.records import Record
from schemas.topics import Topic

log = structlog.get_logger(__name__)

SEND_TIMEOUT_S = 120.0
"How long an absent broker is waited for before a record is given up with an error."
PARTITIONER = "murmur2_random"
"Java's, and so everybody's: a camera's labels from another client lie in the same partition as its frames."

_HOW_LONG = re.compile(r" \(after \d+ms in state .*\)$")
"What librdkafka says behind a reason."

Headers = list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Received:
    """A record as Kafka gave it."""

    topic: str
    "Topic."
    partition: int
    "Partition."
    offset: int
    "Offset."
    key: bytes | None
    "Key; None when it has none."
    value: bytes
    "Bytes; empty for a tombstone."
    headers: Headers
    "In order; names may repeat."
    timestamp_ms: int
    "When it was sent, wall clock, milliseconds since 1970."

    def header(self, name: str) -> bytes | None:
        """The last header of that name; None when there is none."""
        return next((value for key, value in reversed(self.headers) if key == name), None)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to be sent."""

    topic: str
    "Topic, with its prefix."
    key: bytes | None
    "Key."
    value: bytes
    "Bytes."
    headers: Headers
    "In order."
    partition: int | None = None
    "Partition; None: by its key."


def client_properties(settings: KafkaSettings) -> dict[str, Any]:
    """The librdkafka properties that every client shares; the user's own win.

    Raises:
        ConfigurationError: names every one of the user's that cannot be read or that librdkafka refuses.

    """
    own = properties_of(settings)
    # The error callback only reports: librdkafka reconnects by itself. log_level 3 leaves errors; each is said once by us.
    return {
        "bootstrap.servers": settings.bootstrap_servers,
        "log_level": 3,
        "logger": SILENT,
        "error_cb": _ConnectionLog().on_error,
        "reconnect.backoff.max.ms": 2000,
        **own,
    }


class _ConnectionLog:
    """Says that the broker is gone once, not at every try."""

    def __init__(self) -> None:
        self._said: dict[int, float] = {}

    def on_error(self, error: KafkaError) -> None:
        """Log an error of librdkafka, each kind at most every half minute."""
        now = time.monotonic()
        if now - self._said.get(error.code(), -60.0) >= 30.0:
            self._said[error.code()] = now
            log.warning("kafka connection trouble", code=error.name(), message=error.str())


class Admin:
    """An admin client, which knows why it reaches nobody: what librdkafka raises says only that it does not."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._servers = settings.bootstrap_servers
        self._trouble = _Trouble()  # knows nothing of the client, which thus goes when we do
        properties = client_properties(settings) | {"error_cb": self._trouble.on_error}
        self.client = AdminClient(properties)
        "Confluent's own."

    def metadata(self, timeout_s: float) -> ClusterMetadata:
        """What the cluster says of itself and its topics; raises BrokerUnavailableError, with the reason."""
        try:
            return self.client.list_topics(timeout=timeout_s)
        except KafkaException as error:
            self.client.poll(0)  # only now are the reasons handed over
            raise as_broker_error(error, self._servers, self._trouble.reason) from error


class _Trouble:
    """Keeps why a client reaches nobody."""

    reason = ""
    "As librdkafka said it last, or more of it before; empty where it said nothing."

    def on_error(self, error: KafkaError) -> None:
        """Hear of an error of librdkafka."""
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            return
        said = _HOW_LONG.sub("", error.str())
        reason = said.partition("/bootstrap: ")[2] or said
        self.reason = self.reason if reason in self.reason else reason


def received(message: Message) -> Received:
    """Our own view of a librdkafka message."""
    return Received(
        topic=str(message.topic()),
        partition=int(message.partition() or 0),
        offset=int(message.offset() or 0),
        key=_as_bytes(message.key()),
        value=_as_bytes(message.value()) or b"",
        headers=[(str(name), _as_bytes(value) or b"") for name, value in list(message.headers() or [])],
        timestamp_ms=message.timestamp()[1],
    )


def _as_bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def is_got_over(error: KafkaError) -> bool:
    """Whether a consumer goes on by itself after such an event, when the broker is back."""
    return bool(error.retriable()) or error.code() == KafkaError._ALL_BROKERS_DOWN


def as_broker_error(error: KafkaException, servers: str, reason: str = "") -> BrokerError:
    """Our error for one of librdkafka's; `reason` says more of why nobody answers than it does."""
    cause: KafkaError = error.args[0]
    unreachable = {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE, KafkaError._TIMED_OUT}
    if cause.code() in unreachable:
        return BrokerUnavailableError(
            f"no Kafka broker answers at {servers} ({reason or cause.str()}); check"
            " kafka.bootstrap_servers and kafka.properties, or start one with 'roadwatch broker'"
        )
    return BrokerError(f"Kafka at {servers} refused: {cause.str()}")


class Writer:
    """Sends records; a full queue is waited for, records that cannot be delivered raise at the next call.

    One writer is used by one thread. `stop`, once set, ends all waiting.
    """

    def __init__(self, settings: KafkaSettings, codec: Codec, *, linger_ms: int = 5, stop: Event | None = None) -> None:
        self._settings = settings
        self._codec = codec
        self._stop = stop or Event()
        self._failures: list[KafkaError] = []
        self._producer = Producer(
            {
                **client_properties(settings),
                "enable.idempotence": True,
                "partitioner": PARTITIONER,
                "linger.ms": linger_ms,
                "message.max.bytes": 16 * 1024 * 1024,  # the topic's own limit is checked before sending
                "queue.buffering.max.kbytes": 65536,
                "message.timeout.ms": int(SEND_TIMEOUT_S * 1000),
            }
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, topic: Topic, key: str, record: Record, headers: Headers | None = None) -> None:
        """Put a record on its topic.

        Raises:
            RecordTooLargeError: over the topic's limit; nothing was sent.
            BrokerUnavailableError: the queue stayed full, or an earlier record could not be delivered.

        """
        value = self._codec.encode(record)
        check_size(topic, value, key)
        self.send_bytes(Outgoing(self._settings.names.of(topic), key.encode(), value, headers or []))

    def send_bytes(self, outgoing: Outgoing) -> None:
        """Put bytes on a topic; raises as `send` does."""
        self._raise_failure()
        produce(self._producer, outgoing, self._on_delivery, self._stop)
        self._producer.poll(0)

    def flush(self, timeout_s: float = SEND_TIMEOUT_S) -> None:
        """Wait until the broker has acknowledged everything.

        Raises:
            BrokerUnavailableError: it did not within the timeout, or refused a record.

        """
        left = self._producer.flush(timeout_s)
        self._raise_failure()
        if left:
            servers = self._settings.bootstrap_servers
            raise BrokerUnavailableError(f"{left} records are not acknowledged after {timeout_s:.0f} s by {servers}")

    def close(self, timeout_s: float = 5.0) -> None:
        """Send what is queued, as far as the broker takes it, and say what is left."""
        left = self._producer.flush(timeout_s)
        if left:
            log.error("records lost at close", records=left, servers=self._settings.bootstrap_servers)

    def _on_delivery(self, error: KafkaError | None, _message: Message) -> None:
        if error:
            self._failures.append(error)

    def _raise_failure(self) -> None:
        if self._failures:
            failures, self._failures = self._failures, []
            first = as_broker_error(KafkaException(failures[0]), self._settings.bootstrap_servers)
            raise type(first)(f"{len(failures)} records were not delivered: {first}") from first


def check_size(topic: Topic, value: bytes, key: str) -> None:
    """Refuse a record that is over its topic's limit.

    Raises:
        RecordTooLargeError: names the sizes.

    """
    # Kafka counts the record batch: key, headers and about a hundred bytes of its own come on top of the value.
    size = len(value) + len(key) + 512
    if size > topic.max_message_bytes:
        raise RecordTooLargeError(
            f"a {topic.record.__name__} of {key} has {size} bytes, and {topic.name} takes {topic.max_message_bytes};"
            " lower the camera's jpeg_quality or picture size"
        )


def produce(producer: Producer, outgoing: Outgoing, on_delivery: Any = None, stop: Event | None = None) -> None:
    """Queue a record, waiting for room.

    Raises:
        BrokerUnavailableError: there was none in time, or `stop` was set meanwhile.

    """
    deadline = time.monotonic() + SEND_TIMEOUT_S
    partition = -1 if outgoing.partition is None else outgoing.partition  # -1 is librdkafka's for: by its key
    while True:
        with contextlib.suppress(BufferError):
            sent = outgoing.topic, outgoing.value, outgoing.key, partition
            producer.produce(*sent, headers=list(outgoing.headers), on_delivery=on_delivery)
            return
        if time.monotonic() > deadline or (stop and stop.is_set()):
            raise BrokerUnavailableError("the producer's queue stayed full: the broker takes no records")
        producer.poll(0.1)


class Reader:
    """Reads topics in order and commits when told to; what aborted transactions left behind is not seen."""

    def __init__(
        self,
        settings: KafkaSettings,
        topics: Sequence[str],
        group: str,
        *,
        instance: str | None = None,
    ) -> None:
        """`instance` names this member for good, so that its restart needs no rebalance."""
        self._settings = settings
        self._consumer = Consumer(
            {
                **client_properties(settings),
                "group.id": group,
                **({"group.instance.id": f"{group}-{instance}"} if instance else {}),
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "session.timeout.ms": 10_000,
                "fetch.queue.backoff.ms": 20,
            }
        )
        self._consumer.subscribe(list(topics))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, most: int = 1, timeout_s: float = 0.5) -> list[Received]:
        """Up to `most` records; empty when none came in time.

        Raises:
            BrokerError: the broker refuses, for example because a topic does not exist.

        """
        try:
            return [received(message) for message in sound(take(self._consumer, most, timeout_s))]
        except KafkaException as error:
            raise as_broker_error(error, self._settings.bootstrap_servers) from error

    def rest(self, timeout_s: float) -> None:
        """Read nothing for so long, and stay in the group: who does not poll for five minutes is taken for dead.

        Raises:
            BrokerError: the broker refuses.

        """
        try:
            self._consumer.pause(self._consumer.assignment())
            for early in sound(self._consumer.consume(1, timeout_s)):  # of a partition that came meanwhile
                self._consumer.seek(TopicPartition(early.topic() or "", early.partition() or 0, early.offset() or 0))
            self._consumer.resume(self._consumer.assignment())
        except KafkaException as error:
            raise as_broker_error(error, self._settings.bootstrap_servers) from error

    @property
    def assigned(self) -> set[tuple[str, int]]:
        """The topics and partitions that are read here, and by no other member of the group; empty before the first read."""
        return {(place.topic, place.partition) for place in self._consumer.assignment()}

    def commit(self, record: Received) -> None:
        """Say that this record and all before it in its partition are done."""
        after = TopicPartition(record.topic, record.partition, record.offset + 1)
        try:
            self._consumer.commit(offsets=[after], asynchronous=False)
        except KafkaException as error:
            raise as_broker_error(error, self._settings.bootstrap_servers) from error

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()


def take(consumer: Consumer, most: int, timeout_s: float, linger_s: float = 0.005) -> list[Message]:
    """The first message that comes within the timeout, and whatever else is there already.

    consume(n, timeout) alone would wait the full timeout for the n-th.
    """
    first = consumer.consume(1, timeout_s)
    if not first or most == 1:
        return list(first)
    return [*first, *consumer.consume(most - 1, linger_s)]


def sound(messages: Iterable[Message]) -> list[Message]:
    """The messages that hold a record; an event that librdkafka does not get over raises KafkaException."""
    kept = []
    for message in messages:
        error = message.error()
        if error is None:
            kept.append(message)
        elif not is_got_over(error):
            raise KafkaException(error)
    return kept
