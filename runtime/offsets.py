"""Where partitions begin and end, asked over a connection of its own: on a reader's, an answer waits for the fetch before."""

import time
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ListOffsetsResultInfo, OffsetSpec

from runtime.clients import as_broker_error, client_properties
from runtime.settings import KafkaSettings
from schemas.times import from_ms, to_us

TIMEOUT_S: Final = 10.0
EARLIEST: Final[OffsetSpec] = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
LATEST: Final[OffsetSpec] = OffsetSpec.latest()  # type: ignore[no-untyped-call]
NEWEST: Final[OffsetSpec] = OffsetSpec.max_timestamp()  # type: ignore[no-untyped-call]
LEADERLESS: Final = frozenset({KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE})
"A partition that was just made, or whose broker was just started, has no leader for a moment."

Place = tuple[str, int]
"A topic's name on the cluster, and a partition of it."


class Offsets:
    """Asks where partitions begin and end.

    Raises:
        BrokerUnavailableError: by any method, when nobody answers.
        BrokerError: the broker refuses, for example because a topic does not exist.

    """

    def __init__(self, settings: KafkaSettings, timeout_s: float = TIMEOUT_S) -> None:
        """`timeout_s` is how long each question waits for an answer."""
        self._settings, self._timeout_s = settings, timeout_s
        self._client = AdminClient(client_properties(settings))
        self._is_connected = False

    def first(self, places: Iterable[Place]) -> dict[Place, int]:
        """The first offset that there is of each."""
        return self._asked(places, EARLIEST, IsolationLevel.READ_COMMITTED)

    def committed_ends(self, places: Iterable[Place]) -> dict[Place, int]:
        """The offset after what readers of committed records may see of each."""
        return self._asked(places, LATEST, IsolationLevel.READ_COMMITTED)

    def ends(self, places: Iterable[Place]) -> dict[Place, int]:
        """The offset after the last record of each, be it of a transaction that is still open."""
        return self._asked(places, LATEST, IsolationLevel.READ_UNCOMMITTED)

    def since(self, places: Iterable[Place], at: datetime) -> dict[Place, int | None]:
        """The first offset of each that was logged at a time or later; None where none was."""
        wanted = OffsetSpec.for_timestamp(to_us(at) // 1000)
        found = self._asked(places, wanted, IsolationLevel.READ_COMMITTED)
        return {place: None if offset < 0 else offset for place, offset in found.items()}

    def newest(self, places: Iterable[Place]) -> datetime | None:
        """When the newest record of all was logged, by its own timestamp; None where there is none.

        The mark at a transaction's end counts as well, also where its records were taken back.
        """
        # Of committed records alone, a partition would have no newest one while a transaction is open.
        found = self._answers(places, NEWEST, IsolationLevel.READ_UNCOMMITTED)
        newest_ms = max((answer.timestamp for answer in found.values()), default=-1)
        return None if newest_ms < 0 else from_ms(newest_ms)

    def _asked(self, places: Iterable[Place], wanted: OffsetSpec, level: IsolationLevel) -> dict[Place, int]:
        return {place: int(answer.offset) for place, answer in self._answers(places, wanted, level).items()}

    def _answers(
        self, places: Iterable[Place], wanted: OffsetSpec, level: IsolationLevel
    ) -> dict[Place, ListOffsetsResultInfo]:
        asked, deadline = [TopicPartition(*place) for place in places], time.monotonic() + self._timeout_s
        while True:
            try:
                return self._answer(asked, wanted, level)
            except KafkaException as error:
                if error.args[0].code() not in LEADERLESS or time.monotonic() > deadline:
                    raise as_broker_error(error, self._settings.bootstrap_servers) from error
            time.sleep(0.1)

    def _answer(
        self, asked: list[TopicPartition], wanted: OffsetSpec, level: IsolationLevel
    ) -> dict[Place, ListOffsetsResultInfo]:
        if not asked:
            return {}
        self._connect()
        futures = self._client.list_offsets(
            dict.fromkeys(asked, wanted), isolation_level=level, request_timeout=self._timeout_s
        )
        return {(str(at.topic), at.partition): found.result() for at, found in futures.items()}

    def _connect(self) -> None:
        """A new client's first question about offsets waits one or three seconds, every fifth time; this one never does."""
        if not self._is_connected:
            self._client.list_topics(timeout=self._timeout_s)
            self._is_connected = True
