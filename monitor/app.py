"""The Faust app: topics, tables, and an agent for each topic that is read.

observations ┐
labels       ├─► cameras (table) ─► passages, alerts, camera-days
telemetry    ┘ (counted)
camera-days  ──► merger (table)  ─► reports, alerts
"""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from yarl import URL

from monitor.cameras import Policy
from monitor.counters import CAMERA_STATES
from monitor.folding import Outcome, Position, take_label, take_observations
from monitor.merging import take_camera_day
from monitor.published import Published
from monitor.rules import day_rules
from monitor.security import credentials
from monitor.shell import Clock, Intake, Outbox, wall_clock
from monitor.transport import CommittedApp
from monitor.windows import Calendar
from runtime.clients import client_properties
from runtime.settings import MonitorSettings, Settings
from schemas.codec import Codec
from schemas.records import CameraDay, Label, Observations, Telemetry
from schemas.topics import CAMERA_DAYS, LABELS, OBSERVATIONS, TELEMETRY, Topic

# After a kill the group waits this long before the partitions are given to somebody else: the least that brokers
# allow unless told otherwise.
SESSION_TIMEOUT_S = 6.0


def policy(settings: MonitorSettings) -> Policy:
    """When passages and days are over."""
    return Policy(
        calendar=Calendar(settings.timezone),
        lateness=settings.lateness,
        label_patience=settings.label_patience,
        passage_timeout=settings.passage_timeout,
        max_skew=settings.max_skew,
    )


def monitor_app(settings: Settings, codec: Codec, clock: Clock = wall_clock) -> CommittedApp:
    """The app, ready to be started.

    Raises:
        ConfigurationError: a Kafka property that Faust's client cannot honour.

    """
    app = _bare_app(settings)
    names = settings.kafka.names
    outbox = Outbox(app, names, codec)
    cameras = _table(app, "cameras", settings.kafka.camera_partitions)
    merger = _table(app, "merger", 1)
    rules = policy(settings.monitor)
    lock = asyncio.Lock()

    def fold_observations(data: bytes, values: Mapping[str, bytes], position: Position) -> Outcome:
        return take_observations(rules, values, codec.decode(data, Observations), position, clock())

    def fold_label(data: bytes, values: Mapping[str, bytes], position: Position) -> Outcome:
        return take_label(rules, values, codec.decode(data, Label), position)

    def fold_telemetry(data: bytes, _values: Mapping[str, bytes], _position: Position) -> Outcome:
        CAMERA_STATES.labels(codec.decode(data, Telemetry).state).inc()
        return Outcome()

    table = day_rules(settings.monitor.min_accuracy, settings.monitor.min_labels)

    def fold_camera_day(data: bytes, values: Mapping[str, bytes], position: Position) -> Outcome:
        return take_camera_day(table, codec, values, codec.decode(data, CameraDay), position)

    _agent(app, settings, Intake(OBSERVATIONS, cameras, fold_observations, outbox, lock), OBSERVATIONS)
    _agent(app, settings, Intake(LABELS, cameras, fold_label, outbox, lock), LABELS)
    _agent(app, settings, Intake(TELEMETRY, cameras, fold_telemetry, outbox, lock), TELEMETRY)
    published = Published(settings.kafka, codec)
    app.on_partitions_assigned.connect(published.forget, weak=False)
    days = Intake(CAMERA_DAYS, merger, fold_camera_day, outbox, asyncio.Lock())
    _agent(app, settings, days, CAMERA_DAYS, published.is_new)
    return app


def _agent(app: CommittedApp, settings: Settings, intake: Intake, topic: Topic, sending: Any = None) -> None:
    """Read a topic into its intake. One at a time: with more, an offset could be committed past an unfinished record."""

    async def take_in(stream: Any) -> None:
        async for event in stream.events():
            await intake.take(event, sending)

    source = app.topic(
        settings.kafka.names.of(topic), key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"
    )
    app.agent(source, name=f"monitor.{topic.name}", concurrency=1)(take_in)


def _table(app: CommittedApp, name: str, partitions: int) -> Any:
    """A table of bytes, whose changelog has as many partitions as the topics that feed it."""
    return app.Table(name, key_type=bytes, value_type=bytes, partitions=partitions)


def _bare_app(settings: Settings) -> CommittedApp:
    shared = {
        name: value for name, value in client_properties(settings.kafka).items() if name in settings.kafka.properties
    }
    return CommittedApp(
        settings.monitor.group,
        broker=[URL(f"kafka://{server.strip()}") for server in settings.kafka.bootstrap_servers.split(",")],
        broker_credentials=credentials(shared),
        broker_max_poll_records=1000,
        broker_session_timeout=SESSION_TIMEOUT_S,
        broker_heartbeat_interval=2.0,
        broker_rebalance_timeout=10.0,
        broker_commit_interval=1.0,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=8 * 1024 * 1024,
        producer_linger=0.005,
        producer_max_request_size=8 * 1024 * 1024,
        producer_acks=-1,
        processing_guarantee="at_least_once",
        stream_recovery_delay=0.0,
        stream_wait_empty=False,
        table_standby_replicas=0,
        topic_replication_factor=settings.kafka.replication_factor,
        topic_disable_leader=True,
        store="memory://",
        datadir=str(data_folder(settings.monitor, os.environ)),
        web_enabled=False,
        worker_redirect_stdouts=False,
        autodiscover=False,
        logging_config=None,
    )


def data_folder(settings: MonitorSettings, environment: Mapping[str, str]) -> Path:
    """Where Faust may keep files."""
    if settings.data_folder:
        return settings.data_folder
    base = environment.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "roadwatch" / "monitor" / settings.group
