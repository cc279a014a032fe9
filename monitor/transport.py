"""Faust's way to Kafka: reads only what was committed, commits only what is safe, and cannot hang on metadata.

Faust reads uncommitted records unless it runs its own transactions, which are not to be trusted; but observations are
written in transactions, and those that were aborted must not be seen.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar, cast

from faust import App, Table
from faust.exceptions import ConsumerNotStarted, ProducerSendError
from faust.tables.manager import TableManager
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Producer, Transport
from faust.types import TP, FutureMessage

from monitor.progress import Position, Watch
from monitor.shell import Outbox
from monitor.stores import TableFileError

T = TypeVar("T")

GATE_S = 0.01
"How often a record that came too early looks whether the rebalance is over."


class Whereabouts(NamedTuple):
    """How far a partition was read."""

    position: int
    "The next offset to be read."
    handed: int | None
    "The last record handed out; None when there was none since the last seek."


class CommittedThread(AIOKafkaConsumerThread):
    """Makes consumers that skip aborted records, and knows how far they have read."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._handed: dict[TP, int] = {}

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"
        return consumer

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Go back to the committed offsets; where none is committed, to the beginning, not on from where one was."""
        return cast(Mapping[TP, int], await self.call_thread(self._seek_back))

    async def _seek_back(self) -> Mapping[TP, int | None]:
        consumer = self._ensure_consumer()
        committed: dict[TP, int | None] = await consumer.seek_to_committed()
        fresh = [tp for tp, offset in committed.items() if not offset and not self.consumer._is_changelog_tp(tp)]
        if fresh:
            await consumer.seek_to_beginning(*fresh)
        self._handed.clear()
        return committed

    async def _fetch_records(self, *args: Any, **kwargs: Any) -> Any:
        found = await super()._fetch_records(*args, **kwargs)
        self._handed.update({TP(*tp): records[-1].offset for tp, records in found.items()})
        return found

    async def _on_thread(self, work: Coroutine[Any, Any, T]) -> T:
        """Let the thread do something at once; Faust's own queue waits for the fetch that is under way, up to a second."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.thread_loop))

    async def whereabouts(self, tps: Iterable[TP]) -> dict[TP, Whereabouts]:
        """How far partitions were read, of those that this process reads."""
        return await self._on_thread(self._whereabouts(list(tps)))

    async def _whereabouts(self, tps: list[TP]) -> dict[TP, Whereabouts]:
        """On the thread, where no record is between being read and being handed out."""
        assigned = self._ensure_consumer()._subscription.subscription
        mine = assigned.assignment.tps if assigned and assigned.assignment else ()
        states = {tp: assigned.assignment.state_value(tp) for tp in tps if tp in mine}
        return {
            tp: Whereabouts(state.position, self._handed.get(tp))
            for tp, state in states.items()
            if state.has_valid_position
        }

    async def committed(self, tps: Iterable[TP]) -> dict[TP, int]:
        """What the group has committed; 0 where nothing."""
        return await self._on_thread(self._committed(list(tps)))

    async def _committed(self, tps: list[TP]) -> dict[TP, int]:
        consumer = self._ensure_consumer()
        return {tp: await consumer.committed(tp) or 0 for tp in tps}

    def unread(self, among: Iterable[TP] | None = None) -> bool:
        """Whether committed records lie beyond what was read, as of the last answers of the brokers."""
        assigned = self._ensure_consumer()._subscription.subscription
        mine = assigned.assignment.tps if assigned and assigned.assignment else frozenset()
        tps = mine if among is None else mine & set(among)
        states = [assigned.assignment.state_value(tp) for tp in tps if not self.consumer._is_changelog_tp(tp)]
        return any(state.has_valid_position and (state.lso or 0) > state.position for state in states)


class Unchecked(dict[TP, int | None]):
    """Faust's last offsets read, which make it drop what comes again after a seek: never known."""

    def __getitem__(self, tp: TP) -> None:
        return None


class CommittedConsumer(Consumer):
    """Faust's consumer on such a thread, with its own account of what may be committed.

    Faust's account takes a record that follows a gap for done as soon as it is read, and then commits one gap a
    commit; transactions leave a gap after almost every record. And after a rebalance Faust lets records flow while it
    goes back to the committed offsets, then empties its queues once more: some are lost, others overtake.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._positions: defaultdict[TP, Position] = defaultdict(Position)
        self._read_offset = Unchecked()
        self._moving = asyncio.Lock()
        self._seeks = self._seeks_at_fetch = 0
        self._reached: dict[TP, int] = {}
        self.moves = 0
        "Rises whenever partitions were handed out, taken away, or gone back in: what is read then comes again."
        self._deliver, self.callback = self.callback, self._take

    _thread: CommittedThread

    def _new_consumer_thread(self) -> CommittedThread:
        return CommittedThread(self, loop=self.loop, beacon=self.beacon)

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:
        async with self._moving:
            self._seeks_at_fetch = self._seeks
            return await super()._getmany(active_partitions, timeout)

    async def _take(self, message: Any) -> None:
        if self.app.topics.acks_enabled_for(message.topic):
            while self.app.rebalancing:
                await asyncio.sleep(GATE_S)
            if self._seeks_at_fetch != self._seeks:
                return  # read before the seek: comes again
            self._positions[message.tp].take(message.offset)
        await self._deliver(message)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Gaps need no account: what does not exist is never taken."""

    def _new_offset(self, tp: TP) -> int | None:
        position = self._positions[tp]
        for offset in self._acked[tp]:
            position.finish(offset)
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        if position.is_open or tp not in self._reached:
            return position.committable
        return max(self._reached[tp], position.committable or 0)

    async def force_commit(self, *args: Any, **kwargs: Any) -> bool:
        """Commit what is done, and the gaps behind it: others can tell from it that nothing is left to read."""
        stopping = self.app.rebalancing or self.should_stop
        self._reached = {} if stopping else await self._safe_positions()
        return bool(await super().force_commit(*args, **kwargs))

    async def _safe_positions(self) -> dict[TP, int]:
        """Offsets below which every record has been taken."""
        mine = [tp for tp in self.assignment() if self.app.topics.acks_enabled_for(tp.topic)]
        where = await self._thread.whereabouts(mine)
        return {tp: at.position for tp, at in where.items() if at.position and self._positions[tp].has_taken(at.handed)}

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        known = self._acked.keys() | self._reached.keys()
        return (tp for tp in known if topics is None or tp in topics or tp.topic in topics)

    async def has_folded(self, ends: Mapping[TP, int]) -> bool:
        """Whether the group has folded every record before these offsets; what comes after them may be in hand."""
        where = await self._thread.whereabouts(ends)
        others = ends.keys() - where.keys()
        reached = {tp: self._done_until(tp, at) for tp, at in where.items()}
        in_hand = {tp for tp, at in where.items() if reached[tp] < at.position}
        reached |= await self._thread.committed(others) if others else {}
        late = {tp for tp, end in ends.items() if reached[tp] < end}
        if late and not late & in_hand and not self._thread.unread(late):
            # Not ours to go on: another member is at it, or a transaction is open.
            cast(CommittedApp, self.app).watch.step()
        return not late

    def _done_until(self, tp: TP, at: Whereabouts) -> int:
        position = self._positions[tp]
        for offset in self._acked[tp]:
            position.finish(offset)
        return position.done_until(at.position, at.handed)

    async def perform_seek(self) -> None:
        """Go back to the committed offsets; what was taken since comes again."""
        async with self._moving:
            self._seeks += 1
            self.moves += 1
            self._positions.clear()
            self._reached = {}
            await super().perform_seek()

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Forget what others will take."""
        self.moves += 1
        self._reached = {}
        for tp in revoked:
            self._positions.pop(tp, None)
        await super().on_partitions_revoked(revoked)

    async def _handle_attached(self, commit_offsets: Mapping[TP, int]) -> None:
        """Before offsets are committed, the state that follows from their records has to be on its changelog.

        Raises:
            ProducerSendError: it cannot be; nothing is committed, and the app ends.

        """
        await self.app.producer.flush()

    async def verify_all_partitions_active(self) -> None:
        """Nothing: Watch sees a stream that stands still.

        Faust's own check only logs, and it reads the state of the thread from outside: it ends the app when it comes
        upon a partition between its assignment and its first position.
        """

    def verify_recovery_event_path(self, now: float, tp: TP) -> None:
        """Nothing, for the same reasons."""

    def is_behind(self) -> bool:
        """Whether records wait to be folded."""
        return any(position.is_open for position in self._positions.values()) or self._thread.unread()


class SureProducer(Producer):
    """Faust's producer, which knows its topics for good and knows what is under way."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._under_way: set[FutureMessage] = set()
        self._lost: BaseException | None = None

    async def send(self, topic: str, *args: Any, **kwargs: Any) -> Any:
        """Schedule a record.

        aiokafka learns of all topics as long as it tracks none; the first unknown topic makes it track that one alone,
        and a record that waits for another topic then waits for ever. So a topic is tracked before its first record.
        """
        client = self._ensure_producer().client
        if topic not in client._topics:
            await client.add_topic(topic)
        return await super().send(topic, *args, **kwargs)

    def send_soon(self, fut: FutureMessage) -> None:
        """Schedule a table's write."""
        self._under_way.add(fut)
        fut.add_done_callback(self._arrived)
        super().send_soon(fut)

    def _arrived(self, fut: FutureMessage) -> None:
        self._under_way.discard(fut)
        if not fut.cancelled() and (error := fut.exception()):
            self._lost = error

    async def flush(self) -> None:
        """Wait for the writes that are under way now; Faust's own waits for a pause in them, or a tenth of a second.

        Raises:
            ProducerSendError: a write was not taken by the broker.

        """
        if self._under_way:
            await asyncio.wait(list(self._under_way))
        if self._lost:
            raise ProducerSendError(f"a table's write was not taken: {self._lost!r}") from self._lost


class OnePartition(Table[bytes, bytes]):
    """A table of one partition: it may be written beside the records, which elsewhere say where a value belongs."""

    def partition_for_key(self, key: Any) -> int:
        """The only one."""
        return 0


class CommittedTransport(Transport):
    """Faust's transport with such a consumer and producer."""

    Consumer = CommittedConsumer
    Producer = SureProducer


class CommittedApp(App):
    """A Faust app on such a transport."""

    watch: Watch
    "Is told of every record folded."
    look: Callable[[], Awaitable[None]]
    "Looks for what no record tells; to be called now and then."
    outbox: Outbox
    "Sends what follows."
    fault: TableFileError | None = None
    "Why it has to end; None while it need not."

    def _new_transport(self) -> CommittedTransport:
        return CommittedTransport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> CommittedTransport:
        return CommittedTransport(self.conf.broker_producer, self)

    @property
    def reading(self) -> CommittedConsumer:
        """The consumer."""
        return cast(CommittedConsumer, self.consumer)

    def idle_s(self, now: float) -> float:
        """Seconds in which nothing was folded or restored although there was something to read."""
        recovery = cast(TableManager, self.tables).recovery
        return self.watch.look(now, self._is_behind(), sum(filter(None, recovery.active_offsets.values())))

    def _is_behind(self) -> bool:
        try:
            return self.rebalancing or self.reading.is_behind()
        except ConsumerNotStarted:
            return False
