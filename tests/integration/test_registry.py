"""Confluent framing, registration and compatibility, against a real Schema Registry."""

import json
from collections.abc import Iterator

import pytest
from confluent_kafka.schema_registry import Schema

from runtime.local_registry import LocalRegistry
from runtime.registry import open_codec, registry_client, subject_of
from runtime.settings import KafkaSettings, RegistrySettings
from schemas.codec import Codec, schema_text
from schemas.errors import RegistryError
from schemas.records import Label
from schemas.topics import LABELS, TABLE
from tests.support.records import a_label

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def registry() -> Iterator[RegistrySettings]:
    with LocalRegistry() as running:
        yield RegistrySettings(url=running.url)


@pytest.fixture
def kafka_with_registry(registry: RegistrySettings) -> KafkaSettings:
    return KafkaSettings(schema_registry=registry)


def test_every_topic_is_registered_under_its_own_subject(kafka_with_registry: KafkaSettings) -> None:
    codec = open_codec(kafka_with_registry)
    assert set(codec.writer_ids) == {topic.record for topic in TABLE}
    assert subject_of(kafka_with_registry, LABELS) == "roadwatch.labels-value"


def test_registering_again_gives_the_same_ids(kafka_with_registry: KafkaSettings) -> None:
    assert open_codec(kafka_with_registry).writer_ids == open_codec(kafka_with_registry).writer_ids


def test_a_reader_resolves_the_writers_id(kafka_with_registry: KafkaSettings) -> None:
    """Confluent framing out, and both framings in."""
    codec = open_codec(kafka_with_registry)
    assert codec.encode(a_label())[0] == 0
    assert codec.decode(codec.encode(a_label()), Label) == a_label()
    assert codec.decode(Codec().encode(a_label()), Label) == a_label()


def test_a_newer_writer_with_one_more_field_is_read(kafka_with_registry: KafkaSettings) -> None:
    """A consumer that was not upgraded yet reads what a newer producer writes."""
    codec = open_codec(kafka_with_registry)
    newer = json.loads(schema_text(Label))
    newer["fields"].append({"name": "reviewed", "type": "boolean", "default": False})
    assert kafka_with_registry.schema_registry
    with registry_client(kafka_with_registry.schema_registry) as client:
        schema_id = client.register_schema(subject_of(kafka_with_registry, LABELS), Schema(json.dumps(newer), "AVRO"))
    body = Codec().encode(a_label())[10:] + b"\x01"
    assert codec.decode(b"\x00" + schema_id.to_bytes(4, "big") + body, Label) == a_label()


def test_an_incompatible_schema_is_refused(registry: RegistrySettings) -> None:
    """Somebody else's schema stands under our subject: ours is refused, and the message says which."""
    other = KafkaSettings(schema_registry=registry, topic_prefix="taken")
    foreign = {
        "type": "record",
        "name": "Label",
        "namespace": "roadwatch",
        "fields": [{"name": "label_id", "type": "int"}],
    }
    with registry_client(registry) as client:
        client.register_schema(subject_of(other, LABELS), Schema(json.dumps(foreign), "AVRO"))
    with pytest.raises(RegistryError, match=r"taken\.labels-value.*BACKWARD"):
        open_codec(other)


def test_a_registry_that_does_not_answer_is_named() -> None:
    gone = KafkaSettings(schema_registry=RegistrySettings(url="http://127.0.0.1:1/apis/ccompat/v7"))
    with pytest.raises(RegistryError, match=r"http://127\.0\.0\.1:1.*kafka\.schema_registry\.url"):
        open_codec(gone)
