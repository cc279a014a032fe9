"""Sent exactly once, from a sequence that can be had again: the records, and how much of it is done, in one transaction.

    begin ─► produce … ─► position ─► commit        a kill, an outage: whoever goes on asks for the position

The records carry no mark. The position is committed as an offset of a consumer group that nobody is a member of, for
Kafka takes such an offset into a transaction (KIP-98, TxnOffsetCommit with generation -1).
"""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Event, Thread
from typing import Final, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from runtime.clients import PARTITIONER, Outgoing, as_broker_error, client_properties, produce
from runtime.settings import KafkaSettings
from runtime.transactions import STEP_TIMEOUT_S, TRANSACTION_TIMEOUT_MS
from schemas.errors import BrokerError, BrokerUnavailableError, RoadwatchError, SupersededError

LIMIT_S: Final = 40.0
"""A transaction takes no longer, or it hangs: librdkafka's own timeouts are not kept where a broker is restarted in the
midst of one (seen with 2.16 against Kafka 4.4)."""
GRACE_S: Final = 2.0
"How long a transaction may still go on once no broker answers."

_REFUSALS: Final = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.INVALID_MSG,
        KafkaError.INVALID_RECORD,
        KafkaError.INVALID_TIMESTAMP,
        KafkaError.POLICY_VIOLATION,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        KafkaError._AUTHENTICATION,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
    }
)
"What waiting does not mend; all else is taken for an outage."
_LEFT: Final[Counter[str]] = Counter()
"By name, steps of this process that were left to their threads: once more each may take the name over."
_FENCED: Final = frozenset({KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH})


@dataclass(frozen=True, slots=True)
class Position:
    """How far a writer has come."""

    done: int
    "How many of its sequence are done."
    note: str
    "What it wanted to remember, such as by how much it shifts."


class PositionedWriter:
    """Writes a sequence of records under a name; a context.

    Opened again under its name, here or in another process, it fences whoever held the name before, so that `position`
    is final. One writer is used by one thread.
    """

    def __init__(self, settings: KafkaSettings, name: str, beside: str) -> None:
        """`beside` is an existing topic of the cluster: Kafka keeps an offset only for one; it goes when the topic goes."""
        self._settings = settings
        self._name = name
        self._beside = beside
        self._lost = Event()
        self._refused: list[BrokerError] = []
        self._begun_s = 0.0

    def __enter__(self) -> Self:
        """Take the name over.

        Raises:
            BrokerUnavailableError: nobody answers.
            BrokerError: the broker refuses.

        """
        self._begun_s = time.monotonic()
        self._consumer = Consumer(self._consumer_properties())
        self._producer = Producer(self._producer_properties())
        try:
            with self._converted():
                self._within_limits(lambda: self._producer.init_transactions(STEP_TIMEOUT_S))
        except BaseException:
            self._consumer.close()
            raise
        self._lost.clear()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Undo what is open, unless nobody is there to be told: then it runs out by itself."""
        if kind is not None and not issubclass(kind, BrokerUnavailableError | SupersededError):
            with contextlib.suppress(KafkaException):
                self._producer.abort_transaction(STEP_TIMEOUT_S)
        self._producer.purge()
        self._consumer.close()

    def position(self) -> Position | None:
        """How far the sequence was done; None where it was not begun, or was finished and forgotten."""
        with self._converted():
            [found] = self._consumer.committed([TopicPartition(self._beside, 0)], STEP_TIMEOUT_S)
            if found.error is not None:
                raise KafkaException(found.error)
        return None if found.offset < 0 else Position(found.offset, found.metadata or "")

    def send(self, records: Iterable[Outgoing], position: Position) -> None:
        """Send records, and say that with them so much is done: all of it or nothing.

        Raises:
            BrokerUnavailableError: the broker went away; open the writer anew, and go on from its position.
            BrokerError: it refuses a record.
            SupersededError: another process goes on under this name.

        """
        if self._lost.is_set():
            raise BrokerUnavailableError(f"the connection to {self._settings.bootstrap_servers} was lost")
        with self._converted():
            self._within_limits(lambda: self._transaction(records, position))

    def forget(self) -> None:
        """Forget the position: the sequence is finished, or begins anew."""
        admin = AdminClient(client_properties(self._settings))
        with self._converted():
            for gone in admin.delete_consumer_groups([self._name]).values():
                _await_deletion(gone)

    def _within_limits(self, step: Callable[[], None]) -> None:
        """Run a step of librdkafka's, and leave it to itself where it hangs: whoever opens the writer anew fences it."""
        future: Future[None] = Future()
        Thread(target=_settle, args=(future, step), daemon=True).start()
        deadline = time.monotonic() + LIMIT_S
        while True:
            with contextlib.suppress(TimeoutError):
                return future.result(0.1)
            with contextlib.suppress(KafkaException):
                self._producer.poll(0)
            if self._lost.is_set():
                deadline = min(deadline, time.monotonic() + GRACE_S)
            if time.monotonic() > deadline:
                _LEFT[self._name] += 1
                raise BrokerUnavailableError(f"{self._settings.bootstrap_servers} does not answer, or not to the end")

    def _transaction(self, records: Iterable[Outgoing], position: Position) -> None:
        self._begun_s = time.monotonic()
        self._producer.begin_transaction()
        for record in records:
            produce(self._producer, record, self._on_delivery)
            self._producer.poll(0)
        at = TopicPartition(self._beside, 0, position.done, position.note)
        self._producer.send_offsets_to_transaction([at], self._consumer.consumer_group_metadata(), STEP_TIMEOUT_S)
        self._producer.commit_transaction(STEP_TIMEOUT_S)

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:
        if error and error.code() in _REFUSALS:
            self._refused.append(
                BrokerError(f"{message.topic()}: Kafka refuses a record of key {message.key()!r}: {error.str()}")
            )

    def _on_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._lost.set()

    @contextlib.contextmanager
    def _converted(self) -> Iterator[None]:
        """What librdkafka raises, as what a caller can tell apart."""
        try:
            yield
        except KafkaException as error:
            raise self._as_ours(error) from error

    def _as_ours(self, error: KafkaException) -> RoadwatchError:
        cause: KafkaError = error.args[0]
        with contextlib.suppress(KafkaException):
            self._producer.poll(0)
        if self._refused:
            return self._refused[0]
        if cause.code() in _FENCED and not self._fenced_by_nobody():
            return SupersededError(f"another process has taken this over ({self._name}), and goes on with it")
        ours = as_broker_error(error, self._settings.bootstrap_servers)
        return ours if cause.code() in _REFUSALS else BrokerUnavailableError(str(ours))

    def _fenced_by_nobody(self) -> bool:
        """Whether the broker may have ended the transaction by itself, or one that was left to its thread has come back."""
        left, _LEFT[self._name] = _LEFT[self._name], max(0, _LEFT[self._name] - 1)
        ran_out = time.monotonic() - self._begun_s > TRANSACTION_TIMEOUT_MS / 2000
        return left > 0 or ran_out or self._lost.is_set()

    def _consumer_properties(self) -> dict[str, object]:
        return {
            **client_properties(self._settings),
            "group.id": self._name,
            "enable.auto.commit": False,
            "isolation.level": "read_committed",  # waits for a position whose transaction is being ended
        }

    def _producer_properties(self) -> dict[str, object]:
        # The backoff: a transaction begun right after a commit is often told to wait, 100 ms unless said otherwise.
        return {
            **client_properties(self._settings),
            "error_cb": self._on_error,
            "transactional.id": self._name,
            "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
            "partitioner": PARTITIONER,
            "retry.backoff.ms": 5,
            "retry.backoff.max.ms": 20,
            "linger.ms": 5,
            "message.max.bytes": 16 * 1024 * 1024,
            "queue.buffering.max.kbytes": 65536,
        }


def _settle(future: "Future[None]", step: Callable[[], None]) -> None:
    try:
        step()
    except BaseException as error:  # noqa: BLE001  # raised again by whoever waits
        future.set_exception(error)
    else:
        future.set_result(None)


def _await_deletion(gone: "Future[None]") -> None:
    try:
        gone.result(STEP_TIMEOUT_S)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.GROUP_ID_NOT_FOUND:
            raise
