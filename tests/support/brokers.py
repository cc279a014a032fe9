"""A real Kafka for the tests: the local broker, or a container where an engine is asked for."""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runtime.broker import LocalBroker

KAFKA_IMAGE = "apache/kafka:4.4.0"


@dataclass(frozen=True, slots=True)
class TestBroker:
    """A running Kafka."""

    __test__ = False

    bootstrap_servers: str
    "`host:port`."


@contextmanager
def start_broker(folder: Path, environment: Mapping[str, str]) -> Iterator[TestBroker]:
    """A broker for as long as the context lasts."""
    start = _in_container() if environment.get("ROADWATCH_TEST_BROKER") == "docker" else _local(folder)
    with start as running:
        yield running


@contextmanager
def _local(folder: Path) -> Iterator[TestBroker]:
    with LocalBroker(folder, environment=os.environ) as broker:
        yield TestBroker(broker.bootstrap_servers)


@contextmanager
def _in_container() -> Iterator[TestBroker]:
    """Testcontainers' own KafkaContainer wants Confluent's image: a plain container with its port chosen first."""
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy

    port = _free_port()
    container = (
        DockerContainer(KAFKA_IMAGE)
        .with_bind_ports(port, port)
        .with_env("KAFKA_LISTENERS", f"PLAINTEXT://:{port},CONTROLLER://:9093")
        .with_env("KAFKA_ADVERTISED_LISTENERS", f"PLAINTEXT://127.0.0.1:{port}")
        .with_env("KAFKA_NODE_ID", "1")
        .with_env("KAFKA_PROCESS_ROLES", "broker,controller")
        .with_env("KAFKA_CONTROLLER_LISTENER_NAMES", "CONTROLLER")
        .with_env("KAFKA_CONTROLLER_QUORUM_VOTERS", "1@localhost:9093")
        .with_env("KAFKA_LISTENER_SECURITY_PROTOCOL_MAP", "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT")
        .with_env("KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR", "1")
        .with_env("KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR", "1")
        .with_env("KAFKA_TRANSACTION_STATE_LOG_MIN_ISR", "1")
        .with_env("KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", "0")
    )
    with container.waiting_for(LogMessageWaitStrategy("Kafka Server started").with_startup_timeout(60)):
        yield TestBroker(f"127.0.0.1:{port}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
