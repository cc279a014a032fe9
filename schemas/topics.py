"""The topic table: what is on each topic, how it is keyed, how long it stays."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from schemas.records import (
    Alert,
    AlertAction,
    CameraDay,
    DayReport,
    Delivery,
    Frame,
    Label,
    ModelEvent,
    Observations,
    Passage,
    Prediction,
    Record,
    Telemetry,
)

KIB = 1024


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic's line in the table."""

    name: str
    "Without the prefix: `frames`."
    record: type[Record]
    "What is on it."
    key: str
    "What its records are keyed by."
    about: str
    "Who writes and who reads it."
    by_camera: bool = True
    "Whether it has as many partitions as there are for cameras; one otherwise."
    retention: timedelta | None = timedelta(days=7)
    "How long records stay; None: for good."
    compacted: bool = False
    "Whether only the newest record of a key stays."
    max_message_kib: int = 1024
    "Largest record, KiB."
    dead_letters: bool = False
    "Whether somebody reads it who may find a record unreadable, so that `<name>.dlq` stands beside it."

    @property
    def max_message_bytes(self) -> int:
        """Largest record, bytes."""
        return self.max_message_kib * KIB


FRAMES = Topic(
    "frames",
    Frame,
    "camera_id",
    "cameras to processors",
    retention=timedelta(days=1),
    max_message_kib=2048,
    dead_letters=True,
)
PREDICTIONS = Topic("predictions", Prediction, "camera_id", "processors to everyone")
SHADOW_PREDICTIONS = Topic("shadow-predictions", Prediction, "camera_id", "the challenger's processors to comparisons")
OBSERVATIONS = Topic(
    "observations", Observations, "camera_id", "processors to the monitor, by batch", dead_letters=True
)
PASSAGES = Topic("passages", Passage, "camera_id", "the monitor to whoever counts vehicles")
LABELS = Topic("labels", Label, "camera_id", "people, loops and files to the monitor", dead_letters=True)
TELEMETRY = Topic("telemetry", Telemetry, "camera_id", "cameras to the monitor", dead_letters=True)
CAMERA_DAYS = Topic(
    "camera-days",
    CameraDay,
    "camera_id|day|part|revision",
    "the monitor to itself: a camera's day, and news of it while it is open",
    by_camera=False,
    retention=None,
    compacted=True,
    dead_letters=True,
)
REPORTS = Topic(
    "reports",
    DayReport,
    "day",
    "the monitor to everyone: the day's report",
    by_camera=False,
    retention=None,
    compacted=True,
    max_message_kib=4096,
)
ALERTS = Topic(
    "alerts",
    Alert,
    "alert_id",
    "the monitor to the mailer and to subscribers: an alert in its newest state",
    by_camera=False,
    retention=timedelta(days=90),
    compacted=True,
    max_message_kib=4096,
    dead_letters=True,
)
ALERT_ACTIONS = Topic(
    "alert-actions",
    AlertAction,
    "target",
    "people to the monitor: alerts acknowledged, and silenced for a while",
    by_camera=False,
    retention=timedelta(days=90),
    dead_letters=True,
)
DELIVERIES = Topic(
    "deliveries",
    Delivery,
    "delivery_id",
    "the mailer to itself: what was mailed",
    by_camera=False,
    retention=timedelta(days=180),
    compacted=True,
)
MODELS = Topic(
    "models",
    ModelEvent,
    "version|kind",
    "the registry and processors to everyone: steps in a model's life",
    by_camera=False,
    retention=None,
    compacted=True,
)

TABLE = (
    FRAMES,
    PREDICTIONS,
    SHADOW_PREDICTIONS,
    OBSERVATIONS,
    PASSAGES,
    LABELS,
    TELEMETRY,
    CAMERA_DAYS,
    REPORTS,
    ALERTS,
    ALERT_ACTIONS,
    DELIVERIES,
    MODELS,
)


@dataclass(frozen=True, slots=True)
class Names:
    """Topic names on one cluster."""

    prefix: str = "roadwatch"
    "Put before each name with a dot; empty for none."

    def of(self, topic: Topic) -> str:
        """A topic's name on the cluster."""
        return f"{self.prefix}.{topic.name}" if self.prefix else topic.name

    def dead_letters_of(self, topic: Topic) -> str:
        """The name of the topic that takes its unreadable records."""
        return f"{self.of(topic)}.dlq"


@dataclass(frozen=True, slots=True)
class WantedTopic:
    """A topic as it should stand on the cluster."""

    name: str
    "With its prefix."
    partitions: int
    "How many."
    config: dict[str, str]
    "Kafka's topic configuration, as far as we set it."


def wanted_topics(names: Names, camera_partitions: int) -> Iterator[WantedTopic]:
    """Every topic that should exist, dead letters with their topics."""
    for topic in TABLE:
        partitions = camera_partitions if topic.by_camera else 1
        yield WantedTopic(names.of(topic), partitions, topic_config(topic))
        if topic.dead_letters:
            yield WantedTopic(names.dead_letters_of(topic), partitions, _dead_letter_config(topic))


def topic_config(topic: Topic) -> dict[str, str]:
    """Kafka's configuration of a topic."""
    retention_ms = -1 if topic.retention is None else int(topic.retention.total_seconds() * 1000)
    policies = {(True, True): "compact", (True, False): "compact,delete"}
    return {
        "cleanup.policy": policies.get((topic.compacted, topic.retention is None), "delete"),
        "retention.ms": str(retention_ms),
        "max.message.bytes": str(topic.max_message_bytes),
    }


def _dead_letter_config(topic: Topic) -> dict[str, str]:
    """Dead letters keep the original's bytes and add headers, so they need a little more room."""
    retention_ms = int(timedelta(days=30).total_seconds() * 1000)
    limit = topic.max_message_bytes + 64 * KIB
    return {"cleanup.policy": "delete", "retention.ms": str(retention_ms), "max.message.bytes": str(limit)}
