"""Read, work, write: exactly once, by Kafka's transactions.

    read a batch ─► work on it ─► begin ─► produce ─► offsets ─► commit ─┐
         ▲                          │ refused: abort, seek back          │
         └──────────────────────────┴────────────────────────────────────┘

Results and the positions behind them are committed together (KIP-98, KIP-447). Nothing is open while records are
read, so that a rebalance, which happens only then, never meets an unfinished transaction.
"""

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Event, Timer
from typing import Literal

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from runtime.clients import PARTITIONER, Outgoing, Received, client_properties, produce, received, sound, take
from runtime.sessions import run_sessions
from runtime.settings import KafkaSettings
from schemas.errors import BrokerUnavailableError

log = structlog.get_logger(__name__)

Work = Callable[[list[Received]], Iterable[Outgoing]]
STEP_TIMEOUT_S = 10.0
"A step of a transaction that takes longer ends the session: the next one finishes or undoes what is unfinished."
LAST_RESORT_S = 60.0
"A transaction that hangs beyond all timeouts ends the process, so that whoever supervises it starts another."
JOIN_S = 15.0
"How long a loop that begins at a topic's end waits for its partitions; a worker more than there are gets none."
TRANSACTION_TIMEOUT_MS = 10_000
"After a kill, readers of committed records wait at most this long for what the dead left open."


@dataclass(frozen=True, slots=True)
class LoopOptions:
    """How a loop reads."""

    group: str
    "The consumer group."
    instance: str
    "Names this worker within the group, for good: its restart ends what it left open and needs no rebalance."
    batch: int
    "Most records a transaction."
    poll_s: float = 0.5
    "How long an idle loop waits for a record before it looks whether to stop."
    begin: Literal["beginning", "end"] = "beginning"
    "Where of the topic a group begins that has read nothing yet."


class ExactlyOnceLoop:
    """Runs `work` over the batches of a topic until told to stop."""

    def __init__(self, settings: KafkaSettings, topic: str, options: LoopOptions, work: Work) -> None:
        self._settings = settings
        self._topic = topic
        self._options = options
        self._work = work
        # Set when no broker answers any more. librdkafka reconnects, but a transaction that a producer begins after its
        # broker was restarted may wait for its coordinator without end (seen with 2.16 against Kafka 4.4).
        self._lost = Event()

    def run(self, stop: Event, alive: Callable[[], None] = lambda: None) -> None:
        """Work until `stop` is set; `alive` is called at every turn.

        A broken connection, to Kafka or to the registry, is taken up again with backoff. Other errors of `work` are
        not caught.
        """
        run_sessions(lambda: self._run_session(stop, alive), stop)

    def _run_session(self, stop: Event, alive: Callable[[], None]) -> None:
        self._lost.clear()
        if self._options.begin == "end":
            self._begin_at_the_end(stop)
        consumer, producer = self._consumer(), self._producer()
        try:
            producer.init_transactions(STEP_TIMEOUT_S)
            consumer.subscribe([self._topic])
            while not stop.is_set():
                self._turn(consumer, producer)
                alive()
        finally:
            consumer.close()

    def _turn(self, consumer: Consumer, producer: Producer) -> None:
        if self._lost.is_set():
            raise BrokerUnavailableError(f"the connection to {self._settings.bootstrap_servers} was lost")
        messages = sound(take(consumer, self._options.batch, self._options.poll_s))
        if messages:
            outgoing = list(self._work([received(message) for message in messages]))
            self._commit(consumer, producer, messages, outgoing)

    def _commit(
        self, consumer: Consumer, producer: Producer, messages: list[Message], outgoing: list[Outgoing]
    ) -> None:
        hung = Timer(LAST_RESORT_S, _end_process)
        hung.start()
        try:
            producer.begin_transaction()
            for record in outgoing:
                produce(producer, record)
            group = consumer.consumer_group_metadata()
            producer.send_offsets_to_transaction(_positions(messages), group, STEP_TIMEOUT_S)
            producer.commit_transaction(STEP_TIMEOUT_S)
        except KafkaException as error:
            cause: KafkaError = error.args[0]
            if not cause.txn_requires_abort():
                raise
            log.warning("transaction aborted, the batch is done again", records=len(messages), error=cause.str())
            producer.abort_transaction(STEP_TIMEOUT_S)
            _seek_back(consumer, messages)
        finally:
            hung.cancel()

    def _begin_at_the_end(self, stop: Event) -> None:
        """Commit the ends of those partitions that the group has no position in."""
        consumer = self._consumer()
        try:
            consumer.subscribe([self._topic])
            deadline = time.monotonic() + JOIN_S
            while not (consumer.assignment() or stop.is_set() or time.monotonic() > deadline):
                consumer.poll(0.1)  # what it may bring is read again from the committed position
            if consumer.assignment():
                _commit_ends(consumer)
        finally:
            consumer.close()

    def _on_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._lost.set()

    def _consumer(self) -> Consumer:
        return Consumer(
            {
                **client_properties(self._settings),
                "error_cb": self._on_error,
                "group.id": self._options.group,
                "group.instance.id": f"{self._options.group}-{self._options.instance}",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "session.timeout.ms": 10_000,
                "queued.max.messages.kbytes": 32_768,
                "fetch.queue.backoff.ms": 20,
            }
        )

    def _producer(self) -> Producer:
        # The backoff: a transaction begun right after a commit is often told to wait, 100 ms unless said otherwise.
        return Producer(
            {
                **client_properties(self._settings),
                "transactional.id": f"{self._options.group}-{self._options.instance}",
                "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
                "partitioner": PARTITIONER,
                "retry.backoff.ms": 5,
                "retry.backoff.max.ms": 20,
                "linger.ms": 0,
                "message.max.bytes": 16 * 1024 * 1024,
            }
        )


def _commit_ends(consumer: Consumer) -> None:
    fresh = [at for at in consumer.committed(consumer.assignment(), STEP_TIMEOUT_S) if at.offset < 0]
    for at in fresh:
        at.offset = consumer.get_watermark_offsets(at, STEP_TIMEOUT_S)[1]
    if fresh:
        consumer.commit(offsets=fresh, asynchronous=False)


def _end_process() -> None:
    """Nothing is lost by an end at any moment; a process that hangs in librdkafka is of no use to anybody."""
    log.error("a transaction hangs, the process ends", after_s=LAST_RESORT_S)
    os._exit(1)


def _positions(messages: list[Message]) -> list[TopicPartition]:
    after: dict[tuple[str, int], int] = {}
    for message in messages:
        after[str(message.topic()), int(message.partition() or 0)] = int(message.offset() or 0) + 1
    return [TopicPartition(topic, partition, offset) for (topic, partition), offset in after.items()]


def _seek_back(consumer: Consumer, messages: list[Message]) -> None:
    first: dict[tuple[str, int], int] = {}
    for message in messages:
        first.setdefault((str(message.topic()), int(message.partition() or 0)), int(message.offset() or 0))
    for (topic, partition), offset in first.items():
        consumer.seek(TopicPartition(topic, partition, offset))
