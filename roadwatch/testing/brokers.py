"""A broker for a run of tests: one of their own, or the one that is named."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.admin import TopicAdmin
from runtime.broker import LocalBroker
from runtime.settings import KafkaSettings


@contextmanager
def local_broker(folder: Path) -> Iterator[KafkaSettings]:
    """A real Kafka in a folder, for as long as the context lasts.

    Raises:
        LocalStackError: Java or Kafka's jars are not to be had, or it does not come up.

    """
    with LocalBroker(folder) as broker:
        yield KafkaSettings(bootstrap_servers=broker.bootstrap_servers)


def answering(kafka: KafkaSettings) -> KafkaSettings:
    """The settings of a cluster that answers; raises BrokerUnavailableError where nobody does."""
    TopicAdmin(kafka).existing()
    return kafka
