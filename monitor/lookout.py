"""The lookout: looks at the clock, and at when the newest observations were logged, for the alerts that no record makes.

Of all monitors of the group, the one that has the merger looks: it alone has the alerts, and it asks the cluster, so that
it knows of every partition, whoever reads it.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog
from faust.exceptions import ConsumerNotStarted, ProducerSendError
from faust.types import TP

from monitor.merging import take_look
from monitor.shell import Outbox, TableValues
from monitor.stillness import Stillness
from monitor.transport import CommittedApp
from runtime.offsets import Offsets
from runtime.settings import KafkaSettings
from schemas.errors import BrokerError
from schemas.topics import CAMERA_DAYS, OBSERVATIONS

log = structlog.get_logger(__name__)

TIMEOUT_S = 3.0
"A service that is told to stop waits for the question under way."


class Lookout:
    """Looks when asked to, while this monitor has the merger."""

    def __init__(
        self,
        app: CommittedApp,
        table: Any,
        outbox: Outbox,
        lock: asyncio.Lock,
        kafka: KafkaSettings,
        stillness: Stillness,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        """`table` is the merger, and `lock` the table's."""
        self._app, self._values, self._outbox, self._lock = app, TableValues(table), outbox, lock
        self._stillness, self._offsets = stillness, Offsets(kafka, TIMEOUT_S)
        self._observations = [(kafka.names.of(OBSERVATIONS), n) for n in range(kafka.camera_partitions)]
        self._merger = TP(kafka.names.of(CAMERA_DAYS), 0)
        self._now = now or (lambda: datetime.now(UTC))
        self._is_away = False

    async def look(self) -> None:
        """Tell what the last look found, and note what this one does; nothing while the broker does not answer.

        Raises:
            BrokerError: the state was not taken by the broker; whoever goes on has to begin from what it has.

        """
        if self._app.rebalancing:
            return
        if not self._is_here():
            self._stillness.forget()
            return
        moves, at = self._app.reading.moves, self._now()
        try:
            newest = await self._newest()
        except BrokerError as error:
            self._note_silence(error)
        else:
            self._is_away = False
            await self._take(at, newest, moves)

    def _is_here(self) -> bool:
        """Whether this monitor has the merger."""
        try:
            return self._merger in self._app.reading.assignment()
        except ConsumerNotStarted:
            return False

    def _has_moved(self, moves: int) -> bool:
        """Whether the merger may be another's by now, or is not restored."""
        return self._app.rebalancing or self._app.reading.moves != moves

    async def _newest(self) -> datetime | None:
        if not self._stillness.is_on:
            return None
        return await asyncio.to_thread(self._offsets.newest, self._observations)

    def _note_silence(self, error: BrokerError) -> None:
        if not self._is_away:
            log.warning("when the newest observations were logged is not known, asking again", error=str(error))
        self._is_away = True

    async def _take(self, at: datetime, newest: datetime | None, moves: int) -> None:
        async with self._lock:
            if self._has_moved(moves):
                return
            outcome = take_look(self._stillness, self._values, at, newest)
            if outcome.outputs:
                await self._keep()
                await self._outbox.send(outcome, 0)
            if not self._has_moved(moves):
                self._values.write(outcome.writes)

    async def _keep(self) -> None:
        """Before something is told, it is on the changelog that it was found."""
        try:
            await self._app.producer.flush()
        except ProducerSendError as error:
            raise BrokerError(f"what a look has found cannot be kept: {error}") from error
