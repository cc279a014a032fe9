"""The Schema Registry: our schemas registered under TopicNameStrategy, foreign ids resolved."""

import json
from contextlib import closing
from typing import cast

from confluent_kafka.schema_registry import Schema as RegistrySchema
from confluent_kafka.schema_registry import SchemaRegistryClient, topic_subject_name_strategy
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext
from fastavro import parse_schema
from httpx2 import TransportError  # what Confluent's client is built on, and lets through

from runtime.settings import KafkaSettings, RegistrySettings, read_secret
from schemas.codec import Codec, Schema, schema_text
from schemas.errors import RegistryError, RegistryUnavailableError, UnknownSchemaError
from schemas.records import Record
from schemas.topics import TABLE, Topic

COMPATIBILITY = "BACKWARD"


def open_codec(settings: KafkaSettings) -> Codec:
    """The codec of this cluster: with a registry configured, our schemas are registered there first.

    Raises:
        RegistryUnavailableError: the registry does not answer.
        RegistryError: it refuses a schema as incompatible.

    """
    if settings.schema_registry is None:
        return Codec()
    try:
        return _registered(settings, settings.schema_registry)
    except TransportError as error:
        raise _unreachable(settings.schema_registry, error) from error


def _registered(settings: KafkaSettings, registry: RegistrySettings) -> Codec:
    with registry_client(registry) as client:
        ids = {topic.record: _register(client, subject_of(settings, topic), topic.record) for topic in TABLE}
    return Codec(ids, _Resolver(registry))


def registry_client(settings: RegistrySettings) -> closing[SchemaRegistryClient]:
    """A client for as long as a `with` lasts: it is needed at the start, and once for each foreign id."""
    properties = {"url": settings.url, "timeout": 10, "max.retries": 2}
    if settings.username:
        password = read_secret(settings.password_file) if settings.password_file else ""
        properties["basic.auth.user.info"] = f"{settings.username}:{password}"
    return closing(SchemaRegistryClient(properties))


def subject_of(settings: KafkaSettings, topic: Topic) -> str:
    """A topic's subject, by TopicNameStrategy: `roadwatch.frames-value`."""
    context = SerializationContext(settings.names.of(topic), MessageField.VALUE)
    return str(topic_subject_name_strategy(context, None))


def _register(client: SchemaRegistryClient, subject: str, record_type: type[Record]) -> int:
    try:
        client.set_compatibility(subject, COMPATIBILITY)
        return client.register_schema(subject, RegistrySchema(schema_text(record_type), "AVRO"))
    except SchemaRegistryError as error:
        raise RegistryError(
            f"{subject}: the Schema Registry refused the schema of {record_type.__name__} ({error.error_message});"
            f" it must stay {COMPATIBILITY} compatible with the versions there"
        ) from error


def _unreachable(settings: RegistrySettings, error: TransportError) -> RegistryUnavailableError:
    return RegistryUnavailableError(
        f"no Schema Registry answers at {settings.url} ({error}); check kafka.schema_registry.url"
    )


class _Resolver:
    """Looks up a writer's schema by its id, each once."""

    def __init__(self, settings: RegistrySettings) -> None:
        self._settings = settings
        self._known: dict[int, Schema] = {}

    def __call__(self, schema_id: int) -> Schema:
        if schema_id not in self._known:
            self._known[schema_id] = self._look_up(schema_id)
        return self._known[schema_id]

    def _look_up(self, schema_id: int) -> Schema:
        try:
            with registry_client(self._settings) as client:
                text = client.get_schema(schema_id).schema_str
        except TransportError as error:
            raise _unreachable(self._settings, error) from error
        except SchemaRegistryError as error:
            raise UnknownSchemaError(f"schema id {schema_id}: the registry does not give it ({error})") from error
        return cast("Schema", parse_schema(json.loads(text or "null")))
