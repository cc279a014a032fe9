"""How far a group has come, as somebody outside of it sees it."""

from datetime import UTC, datetime

import pytest
from confluent_kafka import Producer

from runtime.clients import Reader, Writer, client_properties
from runtime.groups import GroupWatch
from runtime.settings import KafkaSettings
from schemas.codec import Codec
from schemas.errors import TopicError
from schemas.records import Label
from schemas.topics import LABELS

pytestmark = pytest.mark.integration

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LABEL = Label("l", "gate", None, "gate:e:p1", "car", "test", 1.0, NOON, None)


def test_a_group_is_behind_until_it_has_committed_everything(kafka: KafkaSettings) -> None:
    topic = kafka.names.of(LABELS)
    with Writer(kafka, Codec()) as writer:
        for _ in range(3):
            writer.send(LABELS, "gate", LABEL)
    with GroupWatch(kafka, "g") as watch, Reader(kafka, [topic], "g") as reader:
        assert watch.behind([topic]) == {topic: 3}
        records = [reader.read(1, 10.0)[0] for _ in range(3)]
        reader.commit(records[1])
        assert watch.behind([topic]) == {topic: 1}
        reader.commit(records[2])
        assert watch.behind([topic]) == {}


def test_a_reader_that_rests_loses_neither_its_place_nor_its_group(kafka: KafkaSettings) -> None:
    """Longer than the group waits for one that does not poll; nothing is read meanwhile, and nothing twice."""
    impatient = kafka.model_copy(update={"properties": {"max.poll.interval.ms": "10000"}})
    topic = kafka.names.of(LABELS)
    with Writer(kafka, Codec()) as writer:
        for _ in range(3):
            writer.send(LABELS, "gate", LABEL)
    with Reader(impatient, [topic], "g") as reader:
        first = reader.read(1, 10.0)[0]
        for _ in range(12):
            reader.rest(1.0)
        assert (topic, first.partition) in reader.assigned
        reader.commit(first)
        rest = reader.read(2, 10.0)
        rest += reader.read(2, 1.0) if len(rest) < 2 else []
        assert [record.offset for record in rest] == [first.offset + 1, first.offset + 2]


def test_markers_of_transactions_and_what_was_taken_back_are_no_records(kafka: KafkaSettings) -> None:
    topic = kafka.names.of(LABELS)
    producer = Producer({**client_properties(kafka), "transactional.id": kafka.topic_prefix})
    producer.init_transactions(30)
    for end in (producer.abort_transaction, producer.commit_transaction, producer.abort_transaction):
        producer.begin_transaction()
        producer.produce(topic, Codec().encode(LABEL), "gate")
        producer.flush(10)
        end(10)
    with GroupWatch(kafka, "g") as watch, Reader(kafka, [topic], "g") as reader:
        assert watch.behind([topic])[topic] > 1
        reader.commit(reader.read(1, 10.0)[0])
        assert watch.behind([topic]) == {}


def test_a_topic_that_is_not_there_is_named(kafka: KafkaSettings) -> None:
    with GroupWatch(kafka, "g") as watch, pytest.raises(TopicError, match="nowhere"):
        watch.behind(["nowhere"])
