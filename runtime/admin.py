"""Topics on the cluster: created, listed, and checked against the topic table."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import ConfigEntry, ConfigResource, ResourceType
from confluent_kafka.cimpl import NewTopic

from runtime.clients import Admin, as_broker_error
from runtime.settings import KafkaSettings
from schemas.errors import TopicError
from schemas.topics import WantedTopic, wanted_topics

TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class ExistingTopic:
    """A topic as it stands on the cluster."""

    name: str
    "With its prefix."
    partitions: int
    "How many."
    config: dict[str, str]
    "What Kafka says of the properties that the table sets; empty when the topic is not ours."


class TopicAdmin:
    """Creates and looks at topics.

    Raises:
        BrokerUnavailableError: nobody answers, at the first call that needs the cluster.

    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._admin = Admin(settings)
        self._client = self._admin.client

    def wanted(self) -> list[WantedTopic]:
        """What the table asks for."""
        return list(wanted_topics(self._settings.names, self._settings.camera_partitions))

    def existing(self) -> dict[str, ExistingTopic]:
        """Every topic on the cluster, with the configuration of ours."""
        partitions = self._partitions()
        ours = {topic.name: topic.config for topic in self.wanted() if topic.name in partitions}
        configs = self._configs(ours)
        return {name: ExistingTopic(name, count, configs.get(name, {})) for name, count in partitions.items()}

    def create(self, wanted: Iterable[WantedTopic] | None = None) -> list[str]:
        """Create what is missing, of the table or of `wanted`; returns the names of new topics.

        What exists is left as it is. Returns when the broker tells everybody of the new ones.
        """
        existing = self._partitions()
        missing = [topic for topic in wanted or self.wanted() if topic.name not in existing]
        futures = self._client.create_topics([self._new(topic) for topic in missing]) if missing else {}
        for name, future in futures.items():
            self._await_creation(name, future)
        self._await_visibility({topic.name for topic in missing})
        return [topic.name for topic in missing]

    def faults(self) -> list[str]:
        """What differs from the table, a line each; empty when all is as it should be."""
        existing = self.existing()
        return [fault for topic in self.wanted() for fault in _faults(topic, existing.get(topic.name))]

    def require(self) -> None:
        """Check the topics.

        Raises:
            TopicError: names everything that differs and what to do.

        """
        faults = self.faults()
        if faults:
            lines = "\n".join(f"  - {fault}" for fault in faults)
            raise TopicError(f"topics at {self._settings.bootstrap_servers}: {len(faults)} to mend\n{lines}")

    def delete(self, names: Iterable[str]) -> None:
        """Delete topics; none is fine."""
        doomed = list(names)
        if not doomed:
            return
        try:
            for future in self._client.delete_topics(doomed).values():
                future.result(TIMEOUT_S)
        except KafkaException as error:
            raise as_broker_error(error, self._settings.bootstrap_servers) from error

    def _await_visibility(self, names: set[str]) -> None:
        """A broker acknowledges a topic before it tells of it to whoever asks."""
        deadline = time.monotonic() + TIMEOUT_S
        while names - {name for name, partitions in self._partitions().items() if partitions}:
            if time.monotonic() > deadline:
                raise TopicError(f"created, but not to be seen after {TIMEOUT_S:.0f} s: {', '.join(sorted(names))}")
            time.sleep(0.05)

    def _partitions(self) -> dict[str, int]:
        return {name: len(topic.partitions) for name, topic in self._admin.metadata(TIMEOUT_S).topics.items()}

    def _configs(self, wanted: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
        if not wanted:
            return {}
        futures = self._client.describe_configs([ConfigResource(ResourceType.TOPIC, name) for name in wanted])
        found = {resource.name: self._entries(future) for resource, future in futures.items()}
        return {name: _values(entries, wanted[name]) for name, entries in found.items()}

    def _entries(self, future: object) -> dict[str, ConfigEntry]:
        """A topic's configuration; empty for one that was deleted since it was listed."""
        try:
            entries: dict[str, ConfigEntry] = future.result(TIMEOUT_S)  # type: ignore[attr-defined]
        except KafkaException as error:
            if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                return {}
            raise as_broker_error(error, self._settings.bootstrap_servers) from error
        return entries

    def _new(self, topic: WantedTopic) -> NewTopic:
        return NewTopic(
            topic.name,
            num_partitions=topic.partitions,
            replication_factor=self._settings.replication_factor,
            config=topic.config,
        )

    def _await_creation(self, name: str, future: object) -> None:
        try:
            future.result(TIMEOUT_S)  # type: ignore[attr-defined]  # a concurrent.futures.Future, typed as object
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise TopicError(f"topic {name} was not created: {error.args[0].str()}") from error


def _values(entries: dict[str, ConfigEntry], names: Iterable[str]) -> dict[str, str]:
    return {name: str(entries[name].value) for name in names if name in entries}


def _faults(wanted: WantedTopic, existing: ExistingTopic | None) -> list[str]:
    if existing is None:
        return [f"{wanted.name} does not exist; run 'roadwatch topics create'"]
    faults = [
        f"{wanted.name}: {name} is {existing.config.get(name)}, the table says {value}; alter the topic's configuration"
        for name, value in wanted.config.items()
        if existing.config.get(name) != value
    ]
    if existing.partitions != wanted.partitions:
        faults.insert(
            0,
            f"{wanted.name}: {existing.partitions} partitions, the table says {wanted.partitions}; all topics keyed by camera"
            " need the same number: set kafka.camera_partitions to it, or create the topic anew",
        )
    return faults
