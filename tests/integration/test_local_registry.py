"""The local Schema Registry: a real one, for Confluent's client."""

from collections.abc import Iterator

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from runtime.local_registry import LocalRegistry

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def registry() -> Iterator[LocalRegistry]:
    """One registry for these tests."""
    with LocalRegistry() as running:
        yield running


@pytest.fixture
def client(registry: LocalRegistry) -> Iterator[SchemaRegistryClient]:
    """Confluent's client for it."""
    with SchemaRegistryClient({"url": registry.url}) as connected:
        yield connected


def lane(*fields: str) -> Schema:
    """Give a record schema with these fields, each of them required."""
    listed = ",".join(f'{{"name": "{field}", "type": "int"}}' for field in fields)
    return Schema(f'{{"type": "record", "name": "Lane", "fields": [{listed}]}}', "AVRO")


def test_a_registered_schema_is_found_by_its_id(client: SchemaRegistryClient) -> None:
    """What a writer registers, a reader gets."""
    schema_id = client.register_schema("lanes-value", lane("number"))
    assert "number" in (client.get_schema(schema_id).schema_str or "")


def test_an_incompatible_schema_is_refused(client: SchemaRegistryClient) -> None:
    """BACKWARD: a new required field would lock out what is written already."""
    client.set_compatibility(subject_name="zones-value", level="BACKWARD")
    client.register_schema("zones-value", lane("number"))
    with pytest.raises(SchemaRegistryError) as caught:
        client.register_schema("zones-value", lane("number", "width"))
    assert caught.value.http_status_code == 409


def test_it_has_no_address_once_stopped() -> None:
    """The address is known only while something answers there."""
    with pytest.raises(RuntimeError, match="before it is started"):
        _ = LocalRegistry().url
