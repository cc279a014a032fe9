"""How far a consumer group has come."""

from collections.abc import Iterable
from typing import Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from runtime.clients import as_broker_error, client_properties
from runtime.offsets import Offsets
from runtime.settings import KafkaSettings
from schemas.errors import TopicError

TIMEOUT_S = 10.0


class GroupWatch:
    """Asks how many records a group has still before it, without being one of its members.

    Raises:
        BrokerError: by any method, when the cluster does not answer.

    """

    def __init__(self, settings: KafkaSettings, group: str) -> None:
        self._settings = settings
        self._offsets = Offsets(settings)
        self._consumer = Consumer(
            {
                **client_properties(settings),
                "group.id": group,
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 10,  # the answer is what is there now
            }
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def behind(self, topics: Iterable[str]) -> dict[str, int]:
        """By topic, how many offsets lie before the group; a topic that it is through with is left out."""
        try:
            return {topic: behind for topic in topics if (behind := self._behind(topic))}
        except KafkaException as error:
            raise as_broker_error(error, self._settings.bootstrap_servers) from error

    def _behind(self, topic: str) -> int:
        metadata = self._consumer.list_topics(topic, TIMEOUT_S).topics[topic]
        if metadata.error is not None:
            raise TopicError(f"{topic} is not there")
        places = [(topic, partition) for partition in metadata.partitions]
        firsts, ends = self._offsets.first(places), self._offsets.ends(places)
        committed = self._consumer.committed([TopicPartition(*place) for place in places], TIMEOUT_S)
        return sum(self._left(at, firsts[topic, at.partition], ends[topic, at.partition]) for at in committed)

    def _left(self, committed: TopicPartition, first: int, end: int) -> int:
        at = max(first, committed.offset)
        return end - at if end > at and self._holds_records(committed.topic, committed.partition, at) else 0

    def _holds_records(self, topic: str, partition: int, offset: int) -> bool:
        """Whether a record follows: the last offsets may be markers of transactions, which no group ever commits."""
        self._consumer.assign([TopicPartition(topic, partition, offset)])
        found = self._consumer.consume(1, TIMEOUT_S)
        self._consumer.unassign()
        return not any(_is_end(message) for message in found)


def _is_end(message: Message) -> bool:
    error = message.error()
    return error is not None and error.code() == KafkaError._PARTITION_EOF
