"""What people say of alerts with `roadwatch alerts`, on a real Kafka."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from roadwatch.cli import app
from runtime.clients import Writer
from runtime.settings import Settings
from schemas.codec import Codec
from schemas.records import Alert, AlertAction
from schemas.topics import ALERT_ACTIONS, ALERTS
from tests.support.alerts import alert
from tests.support.monitors import sent

pytestmark = pytest.mark.integration

Run = Callable[..., str]

OPEN, OVER = alert(alert_id="gate"), alert(alert_id="bridge", state="resolved")


@pytest.fixture
def run(settings: Settings) -> Run:
    """Runs `roadwatch alerts` on the test's cluster, where one alert is open and one is over."""
    environment = {
        "ROADWATCH_KAFKA__BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers,
        "ROADWATCH_KAFKA__TOPIC_PREFIX": settings.kafka.topic_prefix,
        "COLUMNS": "160",
    }
    _send(settings, alert(alert_id="bridge"), OPEN, OVER)

    def call(*arguments: str) -> str:
        done = CliRunner().invoke(app, ["alerts", *arguments], env=environment, catch_exceptions=False)
        return done.stdout

    return call


def _send(settings: Settings, *alerts: Alert) -> None:
    with Writer(settings.kafka, Codec()) as writer:
        for each in alerts:
            writer.send(ALERTS, each.alert_id, each)
        writer.flush()


def test_open_alerts_are_read_from_their_topic(run: Run) -> None:
    said = run("list")
    assert "gate" in said
    assert "bridge" not in said
    assert "resolved" in run("list", "--all")


def test_what_somebody_says_reaches_the_monitors_topic(settings: Settings, run: Run) -> None:
    """In the order in which it was said; the topic is the monitor's to read."""
    run("ack", "gate", "--by", "anne", "--reason", "on my way")
    run("silence", "camera=gate", "--for", "12h", "--by", "anne")
    run("unsilence", "camera=gate")
    acknowledged, silenced, ended = (each for each in sent(settings, ALERT_ACTIONS) if isinstance(each, AlertAction))
    assert (acknowledged.kind, acknowledged.target, acknowledged.by) == ("acknowledge", "gate", "anne")
    assert acknowledged.reason == "on my way"
    assert silenced.until is not None
    assert abs(silenced.until - datetime.now(UTC) - timedelta(hours=12)) < timedelta(minutes=5)
    assert (ended.kind, ended.target, ended.until) == ("unsilence", "camera=gate", None)
