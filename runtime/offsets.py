"""The ends of partitions, asked over a connection of its own: on a reader's, an answer waits for the fetch before it."""

from collections.abc import Iterable

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from runtime.clients import as_broker_error, client_properties
from runtime.settings import KafkaSettings

TIMEOUT_S = 10.0

Place = tuple[str, int]
"Topic, with its prefix, and partition."


class Ends:
    """Asks where partitions end."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._client = AdminClient(client_properties(settings))

    def of(self, places: Iterable[Place]) -> dict[Place, int]:
        """The offset after the last record of each, be it of a transaction that is still open.

        Raises:
            BrokerUnavailableError: nobody answers.
            BrokerError: the broker refuses, for example because a topic does not exist.

        """
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # untyped in confluent-kafka
        asked = {TopicPartition(topic, partition): latest for topic, partition in places}
        try:
            futures = self._client.list_offsets(asked, request_timeout=TIMEOUT_S)
            return {(at.topic, at.partition): int(found.result().offset) for at, found in futures.items()}
        except KafkaException as error:
            raise as_broker_error(error, self._settings.bootstrap_servers) from error
