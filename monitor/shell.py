"""Between Faust and the pure core: one record in, its outputs acknowledged, then its state written.

Outputs go first, so that a kill loses none; the record then comes again and says the same once more. State is written
in one go, without a pause in which another record could come between. All values of a table lie in one changelog
partition, in the order written, and a camera's own value, which knows the offset, is the last: what a kill tears apart
is at most the record at hand, which comes again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from aiokafka.errors import KafkaError

from monitor.counters import DEAD_LETTERS, EVENTS, RECORDS, SENT
from monitor.outcomes import Outcome, Position
from monitor.progress import Watch
from monitor.stores import StateMovedError, TableFileError
from schemas.codec import Codec
from schemas.dead_letters import dead_letter_headers
from schemas.errors import DecodingError, RegistryUnavailableError, RoadwatchError
from schemas.records import Alert, CameraDay, DayReport, DeadLetter, Passage, Record
from schemas.replayed import logged_at_header, logged_ms
from schemas.topics import ALERTS, CAMERA_DAYS, PASSAGES, REPORTS, Names, Topic

log = structlog.get_logger(__name__)

T = TypeVar("T")

IsNew = Callable[[Record], Awaitable[bool]]
Fold = Callable[[bytes, Mapping[str, bytes], Position], Outcome]
"What a record's bytes do, given the table's values."

Moves = Callable[[], int]
"How often partitions have moved; whatever was read before comes again."

IsSettled = Callable[[Any], Awaitable[bool]]
"""Waits until what was logged before a message has been taken in; false when the message will come again."""

RETRY_S = 1.0
"Pause before an output that the broker did not take is tried again."


def position_of(topic: Topic, message: Any, labels_read: bool = False) -> Position:
    """Where a message was read, and when it was first logged."""
    headers = message.headers or []
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return Position(topic.name, message.offset, logged_ms(round((message.timestamp or 0) * 1000), pairs), labels_read)


class TableValues(Mapping[str, bytes]):
    """A Faust table of bytes as a mapping of strings to bytes."""

    def __init__(self, table: Any) -> None:
        self._table = table

    def __getitem__(self, key: str) -> bytes:
        return bytes(self._table[key.encode()])

    def __iter__(self) -> Iterator[str]:
        return (key.decode() for key in self._table)

    def __len__(self) -> int:
        return len(self._table)

    def write(self, writes: Mapping[str, bytes | None]) -> None:
        """Set values, or delete where None stands."""
        for key, value in writes.items():
            if value is None:
                self._table.pop(key.encode(), None)
            else:
                self._table[key.encode()] = value


@dataclass(frozen=True, slots=True)
class Address:
    """Where an output goes."""

    topic: Topic
    "Its topic."
    key: str
    "Its key."


@dataclass(frozen=True, slots=True)
class Parcel:
    """Bytes on their way."""

    topic: str
    "Topic, with its prefix."
    partition: int
    "Partition."
    key: bytes | None
    "Key."
    value: bytes | None
    "Bytes."
    headers: list[tuple[str, bytes]]
    "In order."


def address_of(record: Record) -> Address:
    """An output's topic and key, as the topic table says."""
    match record:
        case Passage():
            return Address(PASSAGES, record.camera_id)
        case CameraDay():
            return Address(CAMERA_DAYS, "|".join((record.camera_id, record.day, record.part, str(record.revision))))
        case DayReport():
            return Address(REPORTS, record.day)
        case Alert():
            return Address(ALERTS, record.alert_id)
        case _:
            raise TypeError(f"the monitor sends no {type(record).__name__}")


class Outbox:
    """Sends what follows from a record, and does not give up."""

    def __init__(self, app: Any, names: Names, codec: Codec, watch: Watch) -> None:
        self._app, self._names, self._codec, self._watch = app, names, codec, watch
        self._handing_over = asyncio.Lock()

    async def send(self, outcome: Outcome, partition: int) -> None:
        """Send outputs in their order; returns when the broker has them all."""
        await self.put_outputs(outcome, await self.patiently(lambda: [*self.parcels(outcome, partition)]))

    async def put_outputs(self, outcome: Outcome, parcels: list[Parcel]) -> None:
        """Send outputs that are packed already, likewise."""
        await self.put(parcels)
        for record in outcome.outputs:
            SENT.labels(type(record).__name__).inc()

    def parcels(self, outcome: Outcome, partition: int) -> Iterator[Parcel]:
        """Pack outputs, in their order."""
        for place, record in enumerate(outcome.outputs):
            parcel = self._parcel(record, partition)
            if place in outcome.logged_ms:
                parcel.headers.append(logged_at_header(outcome.logged_ms[place]))
            yield parcel

    def _parcel(self, record: Record, partition: int) -> Parcel:
        to = address_of(record)
        # A camera's records share a partition number on every topic, whichever partitioner chose it.
        target = partition if to.topic.by_camera else 0
        return Parcel(self._names.of(to.topic), target, to.key.encode(), self._codec.encode(record), [])

    async def patiently(self, work: Callable[[], T]) -> T:
        """Do what needs the Schema Registry, as often as it takes for the registry to answer."""
        away = False
        while True:
            try:
                result = work()
            except RegistryUnavailableError as error:
                if not away:
                    log.warning("the Schema Registry does not answer, waiting for it", error=str(error))
                away = True
                self._watch.step()
                await asyncio.sleep(RETRY_S)
            else:
                if away:
                    log.info("the Schema Registry answers again")
                return result

    async def dead_letter(self, topic: Topic, message: Any, error: Exception) -> None:
        """Put a record aside, with its key, bytes and headers, and why."""
        letter = DeadLetter(
            type(error).__name__, str(error), message.topic, message.partition, message.offset, "monitor"
        )
        headers = [*(message.headers or []), *dead_letter_headers(letter)]
        name = self._names.dead_letters_of(topic)
        await self.put([Parcel(name, message.partition, message.key, message.value, headers)])
        DEAD_LETTERS.labels(topic.name, letter.error).inc()

    async def put(self, parcels: list[Parcel]) -> None:
        """Send bytes until the broker has them all."""
        while parcels := await self._refused(parcels):
            await asyncio.sleep(RETRY_S)

    async def _refused(self, parcels: list[Parcel]) -> list[Parcel]:
        """Send each in turn, then wait for all: one round trip for many. Those that the broker did not take come back."""
        results = await asyncio.gather(*(self._sent(parcel) for parcel in parcels), return_exceptions=True)
        return [parcel for parcel, result in zip(parcels, results, strict=True) if _is_refusal(parcel, result)]

    async def _sent(self, parcel: Parcel) -> None:
        async with self._handing_over:  # one that waits for its topic, or for room, would be overtaken
            answer = await self._app.producer.send(
                parcel.topic, parcel.key, parcel.value, parcel.partition, None, parcel.headers
            )
        await answer


def _is_refusal(parcel: Parcel, result: BaseException | None) -> bool:
    if result is None:
        return False
    if not isinstance(result, KafkaError):
        raise result
    log.warning("output not taken, trying again", topic=parcel.topic, error=repr(result))
    return True


def leave(message: Any) -> None:
    """Do not acknowledge a message: its partition was taken away or gone back in, and it comes again."""
    message.acked = True  # so Faust does nothing more with it


def is_left(message: Any) -> bool:
    """Whether that was done."""
    return bool(message.acked)


class Intake:
    """Takes the records of one topic into one table."""

    def __init__(
        self,
        topic: Topic,
        table: Any,
        fold: Fold,
        outbox: Outbox,
        lock: asyncio.Lock,
        moves: Moves,
        labels: IsSettled | None = None,
    ) -> None:
        """`lock` is shared by the intakes of a table, so that records are folded one at a time.

        `labels` waits for the labels that were logged before a record; only one that a day's close depends on waits.
        """
        self.topic = topic
        self._values, self._fold = TableValues(table), fold
        self._outbox, self._lock, self._moves, self._labels = outbox, lock, moves, labels

    async def take(self, event: Any) -> None:
        """Fold a record, send what follows, write the state; what cannot be folded is put aside.

        One whose partition moves meanwhile is left, at the latest before its state is written: that may be another's.
        """
        try:
            await self._taken(event.message, self._moves())
        except StateMovedError:
            leave(event.message)
        else:
            RECORDS.labels(self.topic.name).inc()

    async def _taken(self, message: Any, moves: int) -> None:
        if await self._is_taken(message, moves):
            return
        if not (self._labels and await self._labels(message)):
            raise StateMovedError(f"partition {message.partition} moved while a record waited for its labels")
        await self._is_taken(message, moves, labels_read=True)

    async def _is_taken(self, message: Any, moves: int, labels_read: bool = False) -> bool:
        """False where it depends on labels that may not have been read."""
        async with self._lock:
            self._require_unmoved(message, moves)
            outcome, parcels = await self._folded(message, labels_read)
            if outcome.waits and self._labels and not labels_read:
                return False
            await self._report(message, outcome)
            await self._outbox.put_outputs(outcome, parcels)
            self._require_unmoved(message, moves)
            self._values.write(outcome.writes)
        return True

    def _require_unmoved(self, message: Any, moves: int) -> None:
        if self._moves() != moves:
            raise StateMovedError(f"partition {message.partition} moved while a record was in hand")

    async def _folded(self, message: Any, labels_read: bool) -> tuple[Outcome, list[Parcel]]:
        """What follows from a record, and its outputs as they are sent; nothing from what was put aside."""
        try:
            at = position_of(self.topic, message, labels_read)
            return await self._outbox.patiently(lambda: self._packed(message, at))
        except (StateMovedError, TableFileError):
            raise
        except RoadwatchError as error:
            await self._put_aside(message, error)
        except Exception as error:
            log.exception("record not folded", topic=message.topic, partition=message.partition, offset=message.offset)
            await self._put_aside(message, error)
        return Outcome(), []

    def _packed(self, message: Any, at: Position) -> tuple[Outcome, list[Parcel]]:
        outcome = self._fold(message.value or b"", self._values, at)
        return outcome, [*self._outbox.parcels(outcome, message.partition)]

    async def _put_aside(self, message: Any, error: Exception) -> None:
        log.warning(
            "dead letter", topic=message.topic, partition=message.partition, offset=message.offset, why=str(error)
        )
        await self._outbox.dead_letter(self.topic, message, error)

    async def _report(self, message: Any, outcome: Outcome) -> None:
        for event, count in outcome.counts.items():
            EVENTS.labels(event).inc(count)
        if outcome.faults:
            fault = DecodingError(f"{len(outcome.faults)} of its frames left out: {outcome.faults[0]}")
            await self._put_aside(message, fault)
