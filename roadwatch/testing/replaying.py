"""A recording through a real Kafka and the services themselves, until everything is folded and reported.

recording ─► topics ─┬─► processor (where frames are sent) ─┬─► monitor ─► reports, alerts, passages ─► Outcome
                     └──────────────────────────────────────┘
"""

import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from producers.recordings.recording import open_recording
from roadwatch.supervisor import Service, Supervisor
from roadwatch.testing.classifying import Model, bundle_folder, is_classified
from roadwatch.testing.clusters import write_settings
from roadwatch.testing.outcome import Outcome
from roadwatch.testing.rules import monitor_settings
from roadwatch.testing.sending import send
from runtime.groups import GroupWatch
from runtime.jvm import tail
from runtime.registry import open_codec
from runtime.settings import KafkaSettings, Settings
from runtime.spans import read_all
from schemas.errors import ConfigurationError, LocalStackError
from schemas.records import Record
from schemas.topics import (
    ALERTS,
    CAMERA_DAYS,
    FRAMES,
    LABELS,
    MODELS,
    OBSERVATIONS,
    PASSAGES,
    PREDICTIONS,
    REPORTS,
    TELEMETRY,
    Topic,
)

LOOK_EVERY_S: Final = 0.25
ANSWERS: Final = (REPORTS, ALERTS, PASSAGES, PREDICTIONS)
FOLDED: Final = (OBSERVATIONS, LABELS, TELEMETRY)
"What the monitor folds by camera."


@dataclass(frozen=True, slots=True)
class Replay:
    """What is asked for; see `ReplayRecording.__call__`."""

    path: Path
    "The recording."
    model: Model
    "Whose predictions; None: the recorded ones where there are any."
    rules: str | Path | None
    "A file with a [monitor] section, [[rules]], or both."
    monitor: Mapping[str, Any]
    "Single settings on top."
    cameras: Collection[str] | None
    "Only these; None: all."
    speed: float | None
    "Times as fast as it was recorded; None: at once."
    timeout_s: float
    "How long the answer may take."


def replay(asked: Replay, cluster: Settings, folder: Path) -> Outcome:
    """Send a recording to a cluster's empty topics, let the services work, and give what came out.

    Raises as `ReplayRecording.__call__`.
    """
    __tracebackhide__ = True
    recording = open_recording(asked.path)
    classify = is_classified(recording, asked.model)
    settings = _settings_for(asked, cluster)
    _require_fresh(settings.kafka)
    with _services(settings, folder, classify=classify) as services:
        watch = _Watch(settings, services, folder / "logs", time.monotonic() + asked.timeout_s, asked.timeout_s)
        topics = _topics(recording.index.topics, classify=classify)
        send(recording, settings.kafka, topics, cameras=asked.cameras, speed=asked.speed, timeout_s=asked.timeout_s)
        watch.until_folded(classify=classify)
    return Outcome.of(_answers(settings))


def _require_fresh(kafka: KafkaSettings) -> None:
    """A monitor takes a record in once: of what is sent again it would say nothing, or something else."""
    names = [kafka.names.of(topic) for topic in (FRAMES, OBSERVATIONS)]
    if used := [name for name in names if next(read_all(kafka, name), None)]:
        raise ConfigurationError("cluster=…", [f"{used[0]} holds records: take a roadwatch_cluster for each replay"])


def _topics(held: Collection[str], *, classify: bool) -> frozenset[str]:
    """What is sent; what was observed then would count beside what is observed now."""
    return frozenset({(FRAMES if classify else OBSERVATIONS).name, LABELS.name, TELEMETRY.name} & set(held))


def _settings_for(asked: Replay, cluster: Settings) -> Settings:
    monitor = monitor_settings(asked.rules, asked.monitor, cluster.monitor)
    processor = cluster.processor
    if asked.model is not None:
        # Found out here, at once, and not by a processor that is started five times.
        processor = processor.model_copy(update={"bundle": bundle_folder(asked.model)})
    return cluster.model_copy(update={"monitor": monitor, "processor": processor})


def _services(settings: Settings, folder: Path, *, classify: bool) -> Supervisor:
    folder.mkdir(parents=True, exist_ok=True)
    processor = [Service("processor", ("process", "--instance", "1"))] if classify else []
    return Supervisor(
        [*processor, Service("monitor", ("monitor",))],
        settings_file=write_settings(settings, folder / "roadwatch.toml"),
        log_folder=folder / "logs",
        environment={name: value for name, value in os.environ.items() if not name.startswith("ROADWATCH_")},
    )


@dataclass(slots=True)
class _Watch:
    """Waits for the services to come to the end of what was sent."""

    settings: Settings
    "The cluster and the groups."
    services: Supervisor
    "Looked after meanwhile."
    logs: Path
    "Their logs."
    deadline: float
    "When it is given up, by the monotonic clock."
    timeout_s: float
    "How long that was from the beginning, for the message."

    def until_folded(self, *, classify: bool) -> None:
        """Wait for one topic after the other: what a service sends, it sends before it says that it is done.

        Raises:
            LocalStackError: it did not come to that in time, or a service does not stay up.

        """
        __tracebackhide__ = True
        if classify:
            self._until_through("processor", self.settings.processor.group, (FRAMES,))
        self._until_through("monitor", self.settings.monitor.group, FOLDED)
        self._until_through("monitor", self.settings.monitor.group, (CAMERA_DAYS, MODELS))

    def _until_through(self, service: str, group: str, topics: Sequence[Topic]) -> None:
        __tracebackhide__ = True
        names = [self.settings.kafka.names.of(topic) for topic in topics]
        with GroupWatch(self.settings.kafka, group) as watch:
            while left := watch.behind(names):
                if time.monotonic() > self.deadline:
                    raise LocalStackError(self._overdue(service, left))
                self.services.check()
                time.sleep(LOOK_EVERY_S)

    def _overdue(self, service: str, left: Mapping[str, int]) -> str:
        waiting = ", ".join(f"{count} records of {topic}" for topic, count in left.items())
        return (
            f"no answer to the recording within {self.timeout_s:.0f} s (timeout_s): the {service} has still {waiting}"
            f" before it\n{tail([self.logs / f'{service}.log'])}"
        )


def _answers(settings: Settings) -> Iterator[Record]:
    codec = open_codec(settings.kafka)
    for topic in ANSWERS:
        for received in read_all(settings.kafka, settings.kafka.names.of(topic)):
            yield codec.decode(received.value, topic.record)
