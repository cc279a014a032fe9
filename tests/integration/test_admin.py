"""Topics as the table says, on a real Kafka."""

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from runtime.admin import TopicAdmin
from runtime.clients import Writer
from runtime.settings import KafkaSettings
from runtime.spans import read_all
from schemas.codec import Codec
from schemas.errors import BrokerUnavailableError, RecordTooLargeError, TopicError
from schemas.topics import FRAMES
from tests.support.records import a_frame
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration


def test_created_topics_are_as_the_table_says(kafka: KafkaSettings) -> None:
    assert TopicAdmin(kafka).faults() == []


def test_creating_again_changes_nothing(kafka: KafkaSettings) -> None:
    assert TopicAdmin(kafka).create() == []


def test_a_topic_that_lacks_partitions_is_named(kafka: KafkaSettings) -> None:
    more = kafka.model_copy(update={"camera_partitions": 6})
    with pytest.raises(TopicError, match=rf"{kafka.topic_prefix}\.frames: 4 partitions, the table says 6"):
        TopicAdmin(more).require()


def test_missing_topics_are_named_with_the_command_that_makes_them(kafka: KafkaSettings) -> None:
    elsewhere = kafka.model_copy(update={"topic_prefix": "nowhere"})
    with pytest.raises(TopicError, match=r"nowhere\.frames does not exist; run 'roadwatch topics create'"):
        TopicAdmin(elsewhere).require()


def test_another_configuration_is_named(kafka: KafkaSettings) -> None:
    client = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    change = ConfigEntry("retention.ms", "1000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, kafka.names.of(FRAMES), incremental_configs=[change])
    client.incremental_alter_configs([resource])[resource].result(10)
    admin = TopicAdmin(kafka)
    assert eventually(lambda: any("retention.ms is 1000" in fault for fault in admin.faults()))


def test_a_wrong_address_is_said(kafka: KafkaSettings) -> None:
    lost = kafka.model_copy(update={"bootstrap_servers": "127.0.0.1:1"})
    with pytest.raises(BrokerUnavailableError, match=r"127\.0\.0\.1:1.*kafka\.bootstrap_servers"):
        TopicAdmin(lost).existing()


def test_a_frame_over_the_limit_is_refused_before_it_is_sent(kafka: KafkaSettings) -> None:
    with Writer(kafka, Codec()) as writer, pytest.raises(RecordTooLargeError, match="takes 2097152"):
        writer.send(FRAMES, "gate", a_frame(picture=b"\xff" * 2_100_000))


def test_the_largest_frame_is_taken(kafka: KafkaSettings) -> None:
    """What passes our own check, the broker takes."""
    with Writer(kafka, Codec()) as writer:
        writer.send(FRAMES, "gate", a_frame(picture=b"\xff" * (2_097_152 - 1024)))
    assert len(list(read_all(kafka, kafka.names.of(FRAMES)))) == 1
