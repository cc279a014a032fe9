"""Monitors in processes of their own, to be killed, and what they have told on their topics."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.settings import Settings
from runtime.spans import read_all
from schemas.codec import Codec
from schemas.records import Alert, Record
from schemas.topics import ALERTS, REPORTS, Topic
from tests.monitor.recorded import told

ROOT = Path(__file__).parents[2]
RULES = ("label_patience", "min_accuracy", "min_labels", "silence_after")
"Settings that its reports and alerts depend on."


def judging(settings: Settings, **rules: object) -> Settings:
    """Settings with other ones of the monitor."""
    return settings.model_copy(update={"monitor": settings.monitor.model_copy(update=rules)})


@contextmanager
def monitor(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """A monitor, killed at the end if it still runs."""
    process = subprocess.Popen([sys.executable, "-m", "tests.monitor.process"], cwd=ROOT, env=_environment(settings))
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _environment(settings: Settings) -> dict[str, str]:
    rules = settings.monitor.model_dump(mode="json", include={*RULES})
    return os.environ | {
        "ROADWATCH_KAFKA__BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers,
        "ROADWATCH_KAFKA__TOPIC_PREFIX": settings.kafka.topic_prefix,
        "ROADWATCH_MONITOR__GROUP": settings.monitor.group,
        "ROADWATCH_MONITOR__DATA_FOLDER": str(settings.monitor.data_folder),
        **{f"ROADWATCH_MONITOR__{name.upper()}": str(value) for name, value in rules.items()},
    }


def sent(settings: Settings, topic: Topic) -> list[Record]:
    """What is on a topic, in order where it has one partition."""
    records = read_all(settings.kafka, settings.kafka.names.of(topic))
    return [Codec().decode(record.value, topic.record) for record in records]


def told_on_topics(settings: Settings) -> dict[str, bytes]:
    """Reports by revision, each of which is there once, and of each alert every record that differs, in order."""
    reports, alerts = sent(settings, REPORTS), sent(settings, ALERTS)
    assert len(told(reports)) == len(reports), "a revision was reported twice"
    assert newest(alerts) == newest(once(alerts)), "what a kill repeated has overtaken what is newer"
    return told([*reports, *alerts])


def once(records: list[Record]) -> list[Record]:
    """Without those that a kill repeated, which are the same to the byte."""
    return [record for i, record in enumerate(records) if record not in records[:i]]


def newest(alerts: list[Record]) -> dict[str, Record]:
    """What is known of each alert at last: what a compacted topic keeps."""
    return {alert.alert_id: alert for alert in alerts if isinstance(alert, Alert)}
