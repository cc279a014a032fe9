"""Kafka's clients say why they reach nobody, and which properties are none; no broker is needed for that."""

import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.clients import Admin, client_properties
from runtime.properties import missing_files, refused
from runtime.settings import KafkaSettings
from schemas.errors import BrokerUnavailableError, ConfigurationError

HALF_A_SECOND = 0.5


def _hang_up(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        connection.recv(65_536)
        connection.close()


@pytest.fixture
def plain_server() -> Iterator[str]:
    """An address where somebody answers who speaks no TLS."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_hang_up, args=(listener,), daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def _told(kafka: KafkaSettings) -> str:
    with pytest.raises(BrokerUnavailableError) as refusal:
        Admin(kafka).metadata(HALF_A_SECOND)
    return str(refusal.value)


def test_a_dead_port_a_wrong_name_and_another_protocol_are_told_apart(plain_server: str) -> None:
    """What librdkafka raises is one text for all three."""
    assert "Connect to ipv4#127.0.0.1:1 failed: Connection refused)" in _told(
        KafkaSettings(bootstrap_servers="127.0.0.1:1")
    )
    assert "Failed to resolve 'nobody.invalid:9092'" in _told(KafkaSettings(bootstrap_servers="nobody.invalid:9092"))
    secured = KafkaSettings(bootstrap_servers=plain_server, properties={"security.protocol": "SSL"})
    assert re.search("SSL handshake failed|SSL connection closed by peer", _told(secured))


def test_every_property_that_there_is_not_is_refused_before_anything_connects() -> None:
    kafka = KafkaSettings(properties={"bogus": "1", "linger.ms": "abc", "error_cb": "x", "client.id": "mine"})
    with pytest.raises(ConfigurationError) as refusal:
        client_properties(kafka)
    assert [fault.split(":")[0] for fault in refusal.value.faults] == ["bogus", "error_cb", "linger.ms"]
    assert "No such configuration property: \"bogus\" (seen: '1')" in str(refusal.value)


def test_properties_that_do_not_go_together_are_refused() -> None:
    (fault,) = refused(KafkaSettings(properties={"security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512"}))
    assert "sasl.username and sasl.password must be set" in fault


def test_the_value_of_a_secret_is_not_said() -> None:
    (fault,) = refused(KafkaSettings(properties={"sasl.pasword.secret": "hunter2"}))
    assert "hunter2" not in fault


def test_a_propertys_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The others are checked nonetheless."""
    kafka = KafkaSettings(properties={"sasl.password": f"file:{tmp_path / 'none'}", "bogus": "1"})
    (missing,), (fault,) = missing_files(kafka), refused(kafka)
    assert missing.startswith(f"sasl.password: {tmp_path / 'none'}: the secret cannot be read")
    assert fault.startswith("bogus: ")
    with pytest.raises(ConfigurationError, match="the secret cannot be read"):
        client_properties(kafka)
