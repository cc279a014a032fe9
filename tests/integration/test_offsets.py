"""Where partitions end, and when, as the cluster knows it."""

from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import Producer

from runtime.clients import client_properties
from runtime.offsets import Offsets
from runtime.settings import KafkaSettings
from schemas.errors import BrokerUnavailableError
from schemas.times import MILLISECOND, to_us
from schemas.topics import OBSERVATIONS

pytestmark = pytest.mark.integration


@pytest.fixture
def producer(kafka: KafkaSettings) -> Producer:
    """Writes in transactions, as processors do."""
    producer = Producer({**client_properties(kafka), "transactional.id": kafka.topic_prefix, "linger.ms": 0})
    producer.init_transactions(30)
    return producer


def newest(kafka: KafkaSettings) -> datetime | None:
    """Of all partitions of the observations."""
    name = kafka.names.of(OBSERVATIONS)
    return Offsets(kafka).newest([(name, partition) for partition in range(kafka.camera_partitions)])


def log(kafka: KafkaSettings, producer: Producer, partition: int, at: datetime) -> None:
    """Write a record that was stamped at a time."""
    producer.produce(kafka.names.of(OBSERVATIONS), b"", partition=partition, timestamp=to_us(at) // 1000)
    producer.flush(10)


def now() -> datetime:
    """As Kafka stamps it."""
    at = datetime.now(UTC)
    return at - timedelta(microseconds=at.microsecond % 1000)


def test_an_empty_topic_has_no_newest_record(kafka: KafkaSettings) -> None:
    assert newest(kafka) is None


def test_the_newest_record_of_any_partition_counts(kafka: KafkaSettings, producer: Producer) -> None:
    """Also while its transaction is open, and whatever was written after it."""
    producer.begin_transaction()
    at = now()
    for partition, age in ((2, timedelta(hours=2)), (1, timedelta(0)), (1, timedelta(hours=1)), (3, timedelta(1))):
        log(kafka, producer, partition, at - age)
    assert newest(kafka) == at
    producer.abort_transaction(10)


def test_a_transactions_end_counts_as_a_record(kafka: KafkaSettings, producer: Producer) -> None:
    """Its mark has the time at which the broker wrote it."""
    before = now()
    producer.begin_transaction()
    log(kafka, producer, 0, before - timedelta(days=300))
    producer.commit_transaction(10)
    found = newest(kafka)
    assert found
    assert before <= found <= now() + 1000 * MILLISECOND


def test_a_cluster_that_is_away_is_named() -> None:
    with pytest.raises(BrokerUnavailableError, match=r"127\.0\.0\.1:1 "):
        Offsets(KafkaSettings(bootstrap_servers="127.0.0.1:1"), timeout_s=1.0).newest([("observations", 0)])
