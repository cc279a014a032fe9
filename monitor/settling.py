"""Waits until what was logged before has been taken in, by whichever monitor of the group reads it.

    camera-day ─► kept ─► ends of observations and labels ─► folded up to there ─► camera-days up to theirs ─► merged

What a record means may depend on records of other topics and partitions that were logged before it, and in a backlog, or
in a replay, those may be read later. So whoever depends on them asks for the ends of those topics, and waits until the
group has folded everything up to there.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import structlog
from aiokafka.errors import KafkaError
from faust.types import TP

from monitor.counters import EVENTS
from monitor.merging import waiting_until
from monitor.outcomes import Outcome
from monitor.shell import IsNew, Outbox, TableValues, leave
from monitor.transport import CommittedApp
from runtime.offsets import Offsets
from runtime.settings import KafkaSettings
from schemas.errors import BrokerError
from schemas.records import DayReport, Record
from schemas.topics import CAMERA_DAYS, LABELS, OBSERVATIONS, TELEMETRY, Topic

log = structlog.get_logger(__name__)

GRACE_S = 0.5
"How long after a record another may reach the broker that was stamped before it."
LOOK_EVERY_S = 0.03
RETRY_S = 1.0
"Pause before a broker that did not answer is asked again."
ROUND_EVERY_S = 1.0
"As often as this, reports become due although there are always more camera-days to read."

BEFORE = (OBSERVATIONS, LABELS, TELEMETRY)
"What camera-days are made of."

Merge = Callable[[Mapping[str, bytes], int], Outcome]
"What it does that everything logged until a time is known, given the merger's values."


class Reading:
    """How far the group has folded topics."""

    def __init__(self, app: CommittedApp, settings: KafkaSettings) -> None:
        self._app, self._names, self._partitions = app, settings.names, settings.camera_partitions
        self._offsets = Offsets(settings)

    async def labels_before(self, message: Any) -> bool:
        """Wait until the labels that were logged before some observations are folded; false when those come again."""
        moves = self._app.reading.moves
        await self._folded(message, [TP(self._names.of(LABELS), message.partition)], moves)
        return self._app.reading.moves == moves

    async def everything_before(self, message: Any) -> int | None:
        """Wait until all observations, labels and telemetry that were sent before are folded.

        Returns the offset after the last camera-day that follows from them; None when the message comes again.
        """
        moves = self._app.reading.moves
        await self._folded(message, [tp for topic in BEFORE for tp in self._all(topic)], moves)
        end = await self.end_of_camera_days()
        return end if self._app.reading.moves == moves else None

    async def end_of_camera_days(self) -> int:
        """The offset after the last camera-day."""
        (end,) = (await self._ends_of([TP(self._names.of(CAMERA_DAYS), 0)])).values()
        return end

    def _all(self, topic: Topic) -> Iterable[TP]:
        return (TP(self._names.of(topic), partition) for partition in range(self._partitions))

    async def _folded(self, message: Any, tps: list[TP], moves: int) -> None:
        """Wait for what is there now, or until partitions have moved."""
        await _grace(message)
        ends = await self._ends_of(tps)
        while self._app.reading.moves == moves and not await self._has_folded(ends):
            await asyncio.sleep(LOOK_EVERY_S)

    async def _ends_of(self, tps: list[TP]) -> dict[TP, int]:
        while True:
            try:
                found = await asyncio.to_thread(self._offsets.ends, tps)
            except BrokerError as error:
                log.warning("the ends of topics are not known, asking again", error=str(error))
                await asyncio.sleep(RETRY_S)
            else:
                return {TP(*place): end for place, end in found.items()}

    async def _has_folded(self, ends: Mapping[TP, int]) -> bool:
        try:
            return await self._app.reading.has_folded(ends)
        except KafkaError as error:
            log.warning("what was committed is not known, asking again", error=repr(error))
            await asyncio.sleep(RETRY_S)
            return False


async def _grace(message: Any) -> None:
    """By Kafka's own time also for what is replayed: it is about what is under way now."""
    age_s = time.time() - (message.timestamp or 0.0)
    await asyncio.sleep(min(max(GRACE_S - age_s, 0.0), GRACE_S))


class Settled(NamedTuple):
    """What is known once the merger has read so far."""

    until_ms: int
    "Everything that was logged until then."
    end: int
    "The offset after the last camera-day that follows from it."


def _say(record: Record) -> None:
    if isinstance(record, DayReport):
        found = record.scores
        log.info("day reported", day=record.day, revision=record.revision, accuracy=found.accuracy, n=found.labelled)


class Settler:
    """Makes the merger report what is due, after a camera-day was taken in.

    The camera-day is not acknowledged before: after a kill it comes again, and what is due is found again from the
    merger's value alone.
    """

    def __init__(
        self, table: Any, merge: Merge, outbox: Outbox, lock: asyncio.Lock, reading: Reading, is_new: IsNew
    ) -> None:
        """`lock` is the table's. `is_new` holds a report back that was sent before."""
        self._values, self._merge, self._outbox, self._lock = TableValues(table), merge, outbox, lock
        self._reading, self._is_new = reading, is_new
        self._settled: Settled | None = None
        self._end = 0  # of the camera-days, as far as is known
        self._last_round = time.monotonic()

    async def take(self, event: Any) -> None:
        """Report what is due, as far as the topics have settled."""
        message = event.message
        await self._report(message)
        if self._settled or not await self._is_time(message):
            return
        until_ms = waiting_until(self._values)
        if until_ms is None:
            return
        end = await self._reading.everything_before(message)
        if end is None:
            leave(message)
            return
        self._settled = Settled(until_ms, end)
        self._last_round = time.monotonic()
        await self._report(message)

    async def _is_time(self, message: Any) -> bool:
        """Whether nothing more is to be read, or so much that something should be reported meanwhile."""
        if time.monotonic() - self._last_round > ROUND_EVERY_S:
            return True
        if message.offset + 1 >= self._end:
            self._end = await self._reading.end_of_camera_days()
        return bool(message.offset + 1 >= self._end)

    async def _report(self, message: Any) -> None:
        """Merge what is settled, once its last camera-day was read; until then nothing else is settled."""
        settled = self._settled
        if settled is None or message.offset + 1 < settled.end:
            return
        async with self._lock:
            outcome = await self._outbox.patiently(lambda: self._merge(self._values, settled.until_ms))
            outcome.outputs = [record for record in outcome.outputs if await self._is_new(record)]
            await self._outbox.send(outcome, message.partition)
            self._values.write(outcome.writes)
        for name, count in outcome.counts.items():
            EVENTS.labels(name).inc(count)
        for report in outcome.outputs:
            _say(report)
        self._settled = None
