"""A recorded stream read as one backlog gives the reports and alerts, to the byte, that it gave as it happened."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.offline import OfflineMonitor
from runtime.clients import Outgoing, Writer
from runtime.offsets import Offsets
from runtime.settings import Settings
from runtime.spans import read_all
from schemas.codec import Codec
from schemas.errors import BrokerError
from schemas.records import Label, Record
from schemas.replayed import logged_at_header
from schemas.topics import ALERTS, LABELS, OBSERVATIONS, PASSAGES, REPORTS, Topic
from tests.monitor.recorded import Logged, corrections, fed, live, offline, recorded, told
from tests.monitor.world import milliseconds, policy

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
PATIENCE = {"patient": timedelta(days=2), "hasty": timedelta(hours=2), "without patience": timedelta(0)}


@contextmanager
def monitor(settings: Settings, patience: timedelta) -> Iterator[None]:
    """A monitor in a process of its own, killed at the end."""
    environment = os.environ | {
        "ROADWATCH_KAFKA__BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers,
        "ROADWATCH_KAFKA__TOPIC_PREFIX": settings.kafka.topic_prefix,
        "ROADWATCH_MONITOR__GROUP": settings.monitor.group,
        "ROADWATCH_MONITOR__DATA_FOLDER": str(settings.monitor.data_folder),
        "ROADWATCH_MONITOR__MIN_ACCURACY": "0.9",
        "ROADWATCH_MONITOR__MIN_LABELS": "10",
        "ROADWATCH_MONITOR__LABEL_PATIENCE": f"PT{patience.total_seconds():.0f}S",
    }
    process = subprocess.Popen([sys.executable, "-m", "tests.monitor.process"], cwd=ROOT, env=environment)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def replay(settings: Settings, stream: list[Logged]) -> None:
    """Send all of it at once, as a replay does."""
    with Writer(settings.kafka, Codec()) as writer:
        for logged in stream:
            topic = LABELS if isinstance(logged.record, Label) else OBSERVATIONS
            headers = [logged_at_header(milliseconds(logged.at))]
            writer.send(topic, logged.record.camera_id, logged.record, headers)
        writer.flush()


def sent(settings: Settings, topic: Topic) -> list[Record]:
    """What is on a topic."""
    records = read_all(settings.kafka, settings.kafka.names.of(topic))
    return [Codec().decode(record.value, topic.record) for record in records]


def as_it_happened(live_monitor: OfflineMonitor, stream: list[Logged]) -> dict[str, bytes]:
    """What a monitor told that kept up."""
    found = [record for logged in stream for record in (*fed(live_monitor, logged), *live_monitor.settle())]
    return told(found)


def wait_for(settings: Settings, topic: Topic, least: int, timeout_s: float = 120) -> None:
    """Until so many records are on a topic."""
    deadline = time.monotonic() + timeout_s
    while len(sent(settings, topic)) < least:
        assert time.monotonic() < deadline, f"{topic.name} has no {least} records after {timeout_s:.0f} s"
        time.sleep(0.3)


def told_on_topics(settings: Settings) -> dict[str, bytes]:
    """Reports and alerts; each revision is there once."""
    reports = sent(settings, REPORTS)
    assert len(told(reports)) == len(reports)
    return told([*reports, *sent(settings, ALERTS)])


def revisions(expected: dict[str, bytes]) -> int:
    """How many reports there are to be."""
    return sum("revision" in key for key in expected)


@pytest.mark.parametrize("name", PATIENCE)
def test_a_backlog_tells_what_was_told_live(settings: Settings, name: str) -> None:
    """Three days of four cameras on several partitions; killed in the middle."""
    stream = live(corrections(chain) for chain in recorded(5, promises=name == "patient"))
    expected = as_it_happened(offline(policy(label_patience=PATIENCE[name])), stream)
    replay(settings, stream)
    with monitor(settings, PATIENCE[name]):
        wait_for(settings, PASSAGES, 100)
    with monitor(settings, PATIENCE[name]):
        wait_for(settings, REPORTS, revisions(expected))
        time.sleep(2)
    assert told_on_topics(settings) == expected


def test_two_monitors_tell_what_one_told_live(settings: Settings) -> None:
    """The stream comes while they run; one of them is killed in the middle, and the other takes over."""
    stream = live(corrections(chain) for chain in recorded(3))
    expected = as_it_happened(offline(policy(label_patience=PATIENCE["patient"])), stream)
    with monitor(settings, PATIENCE["patient"]):
        with monitor(settings, PATIENCE["patient"]):
            replay(settings, stream)
            wait_for(settings, PASSAGES, 100)
        wait_for(settings, REPORTS, revisions(expected))
        time.sleep(2)
    assert told_on_topics(settings) == expected


def test_the_ends_of_partitions_are_told(settings: Settings) -> None:
    """The offset after the last record; 0 where there was none."""
    name = settings.kafka.names.of(PASSAGES)
    with Writer(settings.kafka, Codec()) as writer:
        writer.send_bytes(Outgoing(settings.kafka.names.of(REPORTS), b"day", b"report", []))
    found = Offsets(settings.kafka).ends([(name, 0), (settings.kafka.names.of(REPORTS), 0)])
    assert found == {(name, 0): 0, (settings.kafka.names.of(REPORTS), 0): 1}


def test_the_ends_of_an_absent_topic_are_refused(settings: Settings) -> None:
    with pytest.raises(BrokerError, match="refused"):
        Offsets(settings.kafka).ends([("nowhere", 0)])
