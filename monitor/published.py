"""Which reports are on their topic already: a merger that was killed between sending and noting does not send twice."""

import asyncio
from typing import Any

import structlog

from runtime.settings import KafkaSettings
from runtime.spans import read_all
from schemas.codec import Codec
from schemas.errors import BrokerError
from schemas.records import DayReport, Record
from schemas.topics import REPORTS

log = structlog.get_logger(__name__)

RETRY_S = 1.0
"Pause before the broker is asked again."


class Published:
    """Remembers the newest revision of each day; reads them anew whenever partitions were handed out."""

    def __init__(self, settings: KafkaSettings, codec: Codec) -> None:
        self._settings, self._codec = settings, codec
        self._revisions: dict[str, int] | None = None

    async def forget(self, *_: Any, **__: Any) -> None:
        """Partitions were handed out: somebody else may have published meanwhile."""
        self._revisions = None

    async def is_new(self, record: Record) -> bool:
        """Whether an output is still to be sent; every one is that is no report."""
        if not isinstance(record, DayReport):
            return True
        if self._revisions is None:
            self._revisions = await self._read_until_answered()
        if record.revision <= self._revisions.get(record.day, 0):
            return False
        self._revisions[record.day] = record.revision
        return True

    async def _read_until_answered(self) -> dict[str, int]:
        while True:
            try:
                return await asyncio.to_thread(self._read)
            except BrokerError as error:
                log.warning("reports not read, trying again", error=str(error))
                await asyncio.sleep(RETRY_S)

    def _read(self) -> dict[str, int]:
        revisions: dict[str, int] = {}
        for received in read_all(self._settings, self._settings.names.of(REPORTS)):
            report = self._codec.decode(received.value, DayReport)
            revisions[report.day] = max(report.revision, revisions.get(report.day, 0))
        return revisions
