"""The Faust app: topics, tables, and an agent for each topic that is read.

observations ┐
labels       ├─► cameras (table) ─► passages, alerts, camera-days
telemetry    ┘ (counted)
camera-days  ─┐
models        ├► merger (table)  ─► reports, alerts
the clock    ─┘
"""

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from faust import Table
from yarl import URL

from monitor.cameras import Policy
from monitor.counters import CAMERA_STATES
from monitor.devices import take_telemetry
from monitor.folding import take_label, take_observations
from monitor.lookout import Lookout
from monitor.merging import take_action, take_camera_day, take_model_event, take_settled
from monitor.outcomes import Outcome, Position
from monitor.policies import policy, rules_of
from monitor.progress import Watch
from monitor.published import Published
from monitor.security import credentials
from monitor.settling import Reading, Settler
from monitor.shell import Intake, Outbox, is_left, leave
from monitor.stillness import Stillness
from monitor.stores import FileTable, TableFileError
from monitor.transport import CommittedApp, OnePartition
from runtime.clients import client_properties
from runtime.settings import MonitorSettings, Settings
from schemas.codec import Codec
from schemas.errors import RecordError
from schemas.records import AlertAction, CameraDay, Label, ModelEvent, Observations, Telemetry
from schemas.topics import ALERT_ACTIONS, CAMERA_DAYS, LABELS, MODELS, OBSERVATIONS, TELEMETRY, WantedTopic

log = structlog.get_logger(__name__)

# A machine under load may hold a process back for seconds: that is no death.
SESSION_TIMEOUT_S = 15.0

# After a kill the restarted monitor asks for its partitions at once, and the group waits this long for the dead one,
# whose session may last longer.
REBALANCE_TIMEOUT_S = 4.0

# Longer than a broker's restart. A write that is not taken by then ends the service, which reads again from what was
# committed.
REQUEST_TIMEOUT_S = 60.0


# Beyond four fifths of its buffer Faust stops to read a partition, but hands out what it has read. While an agent
# waits for another's records that must fit in, or the other's could not pass.
POLL_RECORDS = 200

Take = Callable[[Any], Awaitable[None]]

CAMERAS, MERGER = "cameras", "merger"
"The tables."


@dataclass(frozen=True, slots=True)
class Folds:
    """What a record's bytes do, topic by topic."""

    codec: Codec
    "Reads them."
    policy: Policy
    "When passages and days are over."

    def observations(self, data: bytes, values: Mapping[str, bytes], position: Position) -> Outcome:
        """Fold a batch of predictions."""
        return take_observations(self.policy, values, self.codec.decode(data, Observations), position)

    def label(self, data: bytes, values: Mapping[str, bytes], position: Position) -> Outcome:
        """Fold a label."""
        return take_label(self.policy, values, self.codec.decode(data, Label), position)

    def telemetry(self, data: bytes, values: Mapping[str, bytes], position: Position) -> Outcome:
        """Fold what a device says of itself."""
        telemetry = self.codec.decode(data, Telemetry)
        CAMERA_STATES.labels(telemetry.state).inc()
        return take_telemetry(self.policy, values, telemetry, position)

    def camera_day(self, data: bytes, values: Mapping[str, bytes], position: Position) -> Outcome:
        """Fold one camera's day."""
        return take_camera_day(values, self.codec, self.codec.decode(data, CameraDay), position)

    def action(self, data: bytes, values: Mapping[str, bytes], position: Position) -> Outcome:
        """Fold what somebody says of an alert."""
        return take_action(values, self.codec.decode(data, AlertAction), position)

    def model_event(self, data: bytes, values: Mapping[str, bytes], position: Position) -> Outcome:
        """Fold a step in a model's life; the topic has no dead letters: what cannot be read is said, and counted."""
        try:
            event = self.codec.decode(data, ModelEvent)
        except RecordError as error:
            log.warning("model event is unreadable", offset=position.offset, why=str(error))
            return Outcome(counts=Counter(unreadable_model_events=1))
        return take_model_event(self.policy.calendar, values, event, position)


def monitor_app(settings: Settings, codec: Codec) -> CommittedApp:
    """The app, ready to be started.

    Raises:
        ConfigurationError: a Kafka property that Faust's client cannot honour.

    """
    app = _bare_app(settings)
    app.watch = Watch()
    app.outbox = outbox = Outbox(app, settings.kafka.names, codec, app.watch)
    folds = Folds(codec, policy(settings.monitor))
    table, lock = _table(app, CAMERAS, settings.kafka.camera_partitions, FileTable), asyncio.Lock()
    reading = Reading(app, settings.kafka)

    def moves() -> int:
        return app.reading.moves

    _agent(app, settings, Intake(OBSERVATIONS, table, folds.observations, outbox, lock, moves, reading.labels_before))
    _agent(app, settings, Intake(LABELS, table, folds.label, outbox, lock, moves))
    _agent(app, settings, Intake(TELEMETRY, table, folds.telemetry, outbox, lock, moves))

    published = Published(settings.kafka, codec)
    app.on_partitions_assigned.connect(published.forget, weak=False)
    app.on_partitions_assigned.connect(_say_assigned, weak=False)
    app.on_rebalance_complete.connect(_say_restored, weak=False)
    merger, lock = _table(app, MERGER, 1, OnePartition), asyncio.Lock()
    merge = partial(take_settled, rules_of(settings.monitor), codec)
    settler = Settler(merger, merge, outbox, lock, reading, published.is_new)
    _agent(app, settings, Intake(CAMERA_DAYS, merger, folds.camera_day, outbox, lock, moves), settler.take)
    _agent(app, settings, Intake(ALERT_ACTIONS, merger, folds.action, outbox, lock, moves))
    _agent(app, settings, Intake(MODELS, merger, folds.model_event, outbox, lock, moves))
    stillness = Stillness(settings.monitor.silence_after, folds.policy.calendar)
    app.look = Lookout(app, merger, outbox, lock, settings.kafka, stillness).look
    return app


async def _say_assigned(_app: Any, /, *assigned: Any, **_: Any) -> None:
    partitions = Counter(tp.topic for tps in assigned for tp in tps)
    log.info("partitions assigned", partitions=dict(sorted(partitions.items())))


async def _say_restored(app: Any, /, *_: Any, **__: Any) -> None:
    log.info("state restored", values={table.name: len(table) for table in app.tables.values()})


def _agent(app: CommittedApp, settings: Settings, intake: Intake, *more: Take) -> None:
    """Read a topic into its intake. One at a time: with more, an offset could be committed past an unfinished record."""

    async def take_in(stream: Any) -> None:
        async for event in stream.events():
            await _take_or_leave(app, (intake.take, *more), event)

    name = settings.kafka.names.of(intake.topic)
    source = app.topic(name, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
    app.agent(source, name=f"monitor.{intake.topic.name}", concurrency=1)(take_in)


async def _take_or_leave(app: CommittedApp, takes: tuple[Take, ...], event: Any) -> None:
    """A record that is in hand when the monitor stops comes again; Faust would acknowledge it, and commit that."""
    try:
        await _take_or_crash(app, takes, event)
    except asyncio.CancelledError:
        leave(event.message)
        raise


async def _take_or_crash(app: CommittedApp, takes: tuple[Take, ...], event: Any) -> None:
    """Faust forgets a record that an exception lets go of: better to stop, and have it come again after a restart."""
    try:
        for take in takes:
            if not is_left(event.message):
                await take(event)
        app.watch.step()
    except TableFileError as error:
        app.fault = error
        await asyncio.Event().wait()  # until the app is stopped
    except Exception as error:
        at = event.message
        log.exception("monitor stops at a record", topic=at.topic, partition=at.partition, offset=at.offset)
        await app.crash(error)
        await asyncio.Event().wait()  # until the app is stopped


def changelogs(settings: Settings) -> list[WantedTopic]:
    """The topics that keep the tables' values.

    They are made beforehand: Faust makes them itself, but goes on before the cluster knows of them.
    """
    config = {"cleanup.policy": "compact", "max.message.bytes": str(8 * 1024 * 1024)}
    partitions = {CAMERAS: settings.kafka.camera_partitions, MERGER: 1}
    return [
        WantedTopic(f"{settings.monitor.group}-{table}-changelog", count, config) for table, count in partitions.items()
    ]


def _table(app: CommittedApp, name: str, partitions: int, kind: type[Table[bytes, bytes]]) -> Any:
    """A table of bytes, whose changelog has as many partitions as the topics that feed it."""
    beacon = app.tables.beacon
    return app.tables.add(kind(app, name=name, beacon=beacon, key_type=bytes, value_type=bytes, partitions=partitions))


def _bare_app(settings: Settings) -> CommittedApp:
    shared = {
        name: value for name, value in client_properties(settings.kafka).items() if name in settings.kafka.properties
    }
    return CommittedApp(
        settings.monitor.group,
        broker=[URL(f"kafka://{server.strip()}") for server in settings.kafka.bootstrap_servers.split(",")],
        broker_credentials=credentials(shared),
        broker_max_poll_records=POLL_RECORDS,
        stream_buffer_maxsize=max(4096, 5 * POLL_RECORDS * (settings.kafka.camera_partitions + 1)),
        broker_session_timeout=SESSION_TIMEOUT_S,
        broker_heartbeat_interval=2.0,
        broker_rebalance_timeout=REBALANCE_TIMEOUT_S,
        broker_commit_interval=1.0,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=8 * 1024 * 1024,
        producer_linger=0.005,
        producer_max_request_size=8 * 1024 * 1024,
        producer_acks=-1,
        producer_request_timeout=REQUEST_TIMEOUT_S,
        processing_guarantee="at_least_once",
        stream_recovery_delay=0.0,
        stream_wait_empty=False,
        table_standby_replicas=0,
        topic_replication_factor=settings.kafka.replication_factor,
        topic_disable_leader=True,
        store="memory://",  # the merger's, which is small; the cameras' is in monitor.stores
        datadir=str(data_folder(settings.monitor, os.environ)),
        web_enabled=False,
        worker_redirect_stdouts=False,
        autodiscover=False,
        logging_config=None,
    )


def data_folder(settings: MonitorSettings, environment: Mapping[str, str]) -> Path:
    """Where the cameras' table has its files."""
    if settings.data_folder:
        return settings.data_folder
    base = environment.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "roadwatch" / "monitor" / settings.group
