"""Steps in a model's life told on the models topic, so that processors look at once and not at their next poll."""

import getpass
import os
import platform
import socket
from typing import Final

import structlog

from models.registry.history import Entry
from runtime.settings import KafkaSettings, Settings
from schemas.errors import BrokerError, BrokerUnavailableError, RegistryError, TopicError
from schemas.records import ModelEvent

log = structlog.get_logger(__name__)

PATIENCE_S: Final = 3.0
"How long Kafka is waited for: what is recorded is recorded, and processors look by themselves."


def announce(settings: Settings, entry: Entry) -> bool:
    """Put an entry of the history on the models topic; False where Kafka does not take it."""
    try:
        _require_answer(settings.kafka)
        _send(settings.kafka, model_event(entry))
    except (BrokerError, RegistryError) as error:
        log.debug("the step was not announced", version=entry.step.version, error=str(error))
        return False
    return True


def model_event(entry: Entry) -> ModelEvent:
    """Return the record that tells of an entry."""
    step = entry.step
    return ModelEvent(step.action, step.version, step.alias, step.at, step.by, step.reason)


def whoami() -> str:
    """Return `user@host`."""
    return f"{login()}@{platform.node() or 'unknown'}"[:200]


def login() -> str:
    """Return the user's name; his number where he has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's user may be in no password file
        return f"uid{os.getuid()}"


def _send(kafka: KafkaSettings, event: ModelEvent) -> None:
    from runtime.admin import TopicAdmin
    from runtime.clients import Writer
    from runtime.registry import open_codec
    from schemas.topics import MODELS

    topic = kafka.names.of(MODELS)
    if topic not in TopicAdmin(kafka).existing():
        raise TopicError(f"{topic} does not exist; run 'roadwatch topics create'")
    with Writer(kafka, open_codec(kafka)) as writer:
        writer.send(MODELS, f"{event.version}|{event.kind}", event)
        writer.flush(PATIENCE_S)


def _require_answer(kafka: KafkaSettings) -> None:
    """Knock first: librdkafka would wait for an absent broker for as long as it may."""
    servers = [server.rpartition("://")[2].strip() for server in kafka.bootstrap_servers.split(",")]
    if not any(_answers(server) for server in servers):
        raise BrokerUnavailableError(
            f"no Kafka broker answers at {kafka.bootstrap_servers}; check kafka.bootstrap_servers"
        )


def _answers(server: str) -> bool:
    host, _, port = server.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), PATIENCE_S):
            return True
    except (OSError, ValueError):
        return False
