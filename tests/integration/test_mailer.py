"""Alerts to inboxes, on a real Kafka and real SMTP servers."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from pydantic import SecretStr

from monitor.inbox import Inbox, KeptMail, read_mails
from monitor.mail import delivery_id
from runtime.clients import Outgoing, Reader, Writer
from runtime.settings import Channel, KafkaSettings, Settings, Subscription
from runtime.spans import read_all
from schemas.codec import Codec
from schemas.dead_letters import read_dead_letter
from schemas.records import Alert, AlertAction, Delivery
from schemas.topics import ALERT_ACTIONS, ALERTS, DELIVERIES
from tests.support.alerts import alert
from tests.support.mailers import ANNE, BEN, delivered, has, mailing, with_mail
from tests.support.services import Service, webhook
from tests.support.smtp_servers import Script, smtp_server, unused_port
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration
CODEC = Codec()
# What a service is when it runs by itself, so that it can be killed.
SERVICE = """
import os, threading
from runtime.settings import load_settings
from monitor.mailer import run_mailer
run_mailer(load_settings(None, os.environ), threading.Event(), "1")
"""


def send(kafka: KafkaSettings, *alerts: Alert) -> None:
    with Writer(kafka, CODEC) as writer:
        for one in alerts:
            writer.send(ALERTS, one.alert_id, one)


def some_alerts(count: int) -> list[Alert]:
    return [alert(alert_id=f"rule:cam-{n}:2026-11-23", title=f"Alert {n}") for n in range(count)]


@contextmanager
def mailer_process(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    environment = {
        **os.environ,
        "ROADWATCH_KAFKA__BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers,
        "ROADWATCH_KAFKA__TOPIC_PREFIX": settings.kafka.topic_prefix,
        "ROADWATCH_MAIL__GROUP": settings.mail.group,
        "ROADWATCH_MAIL__PORT": str(settings.mail.port),
    }
    with subprocess.Popen([sys.executable, "-c", SERVICE], env=environment, cwd=Path(__file__).parents[2]) as process:
        try:
            yield process
        finally:
            process.kill()


def deferred() -> float:
    """Tries that this process has counted as deferred."""
    return REGISTRY.get_sample_value("roadwatch_mails_total", {"outcome": "deferred"}) or 0.0


def unread(settings: Settings) -> list[str]:
    """The alerts that the mailer's group has not committed."""
    with Reader(settings.kafka, [settings.kafka.names.of(ALERTS)], settings.mail.group, instance="1") as reader:
        return [CODEC.decode(record.value, Alert).alert_id for record in reader.read(10, 5)]


def subjects(folder: Path) -> list[str]:
    return [mail.subject for mail in read_mails(folder)]


def test_an_alert_becomes_a_mail_for_each_subscriber(settings: Settings, tmp_path: Path) -> None:
    """Mailed, recorded and committed; told anew or after a restart nothing is mailed again."""
    with Inbox(tmp_path / "inbox") as inbox:
        settings = with_mail(settings, inbox.port, ANNE, BEN)
        send(settings.kafka, alert(), alert(), alert(summary="It goes on."))
        with mailing(settings):
            assert eventually(has(tmp_path / "inbox", 2))
        send(settings.kafka, alert(), alert(alert_id="last"))
        with mailing(settings):
            assert eventually(has(tmp_path / "inbox", 4))
    expected = [(one, name) for one in (alert(), alert(alert_id="last")) for name in (ANNE, BEN)]
    assert delivered(settings) == {delivery_id(one, name) for one, name in expected}
    assert len(subjects(tmp_path / "inbox")) == 4
    assert unread(settings) == []


def test_what_is_over_is_mailed_to_those_who_asked_for_it(settings: Settings, tmp_path: Path) -> None:
    """Nobody is told that somebody is at it."""
    life = [alert(), alert(state="acknowledged"), alert(state="resolved"), alert(alert_id="last")]
    with Inbox(tmp_path / "inbox") as inbox:
        settings = with_mail(settings, inbox.port, ANNE, BEN, resolved=True)
        send(settings.kafka, *life)
        with mailing(settings):
            assert eventually(has(tmp_path / "inbox", 5))
    to_anne, to_ben = ([delivery_id(one, name) for one in life] for name in (ANNE, BEN))
    assert delivered(settings) == {to_anne[0], *to_anne[2:], to_ben[0], to_ben[3]}


def test_a_server_that_comes_back_gets_what_waited(settings: Settings, tmp_path: Path) -> None:
    """Tries are counted meanwhile, and nothing is committed."""
    port = unused_port()
    settings = with_mail(settings, port)
    before = deferred()
    send(settings.kafka, *some_alerts(3))
    with mailing(settings):
        assert eventually(lambda: deferred() >= before + 2)
        with Inbox(tmp_path / "inbox", port):
            assert eventually(has(tmp_path / "inbox", 3))
    assert subjects(tmp_path / "inbox") == [f"[Roadwatch] critical: Alert {n}" for n in range(3)]


def test_a_mailer_stops_while_its_server_is_away(settings: Settings) -> None:
    """It does not wait for the next try, and what it could not mail is still to be read."""
    settings = with_mail(settings, unused_port())
    before = deferred()
    send(settings.kafka, alert())
    with mailing(settings):
        assert eventually(lambda: deferred() > before)
    assert unread(settings) == [alert().alert_id]


def test_a_refused_recipient_is_a_dead_letter_and_the_other_has_the_mail(settings: Settings) -> None:
    """The dead letter holds the alert and says who refused whom; its offset is committed."""
    script = Script(to_recipients=["550 No such user"])
    with smtp_server(script) as port:
        settings = with_mail(settings, port, ANNE, BEN)
        send(settings.kafka, alert())
        with mailing(settings):
            assert eventually(lambda: len(delivered(settings)) == 1)
    (letter,) = read_all(settings.kafka, settings.kafka.names.dead_letters_of(ALERTS))
    assert CODEC.decode(letter.value, Alert) == alert()
    reason = read_dead_letter(letter.headers)
    assert (reason.error, reason.stage) == ("MailError", "mailer")
    assert ANNE in reason.message
    assert [envelope.rcpt_tos for envelope in script.mails] == [[BEN]]
    assert unread(settings) == []


def test_an_unreadable_alert_is_a_dead_letter_and_the_next_is_mailed(settings: Settings, tmp_path: Path) -> None:
    """Its bytes are kept as they were."""
    kafka = settings.kafka
    with Inbox(tmp_path / "inbox") as inbox, Writer(kafka, CODEC) as writer:
        writer.send_bytes(Outgoing(kafka.names.of(ALERTS), b"key", b"\xc3\x01junk", []))
        writer.send(ALERTS, "good", alert())
        writer.flush()
        with mailing(with_mail(settings, inbox.port)):
            assert eventually(has(tmp_path / "inbox", 1))
    (letter,) = read_all(kafka, kafka.names.dead_letters_of(ALERTS))
    assert (letter.key, letter.value) == (b"key", b"\xc3\x01junk")
    assert read_dead_letter(letter.headers).error == "DecodingError"


def test_a_killed_mailer_loses_no_alert(settings: Settings, tmp_path: Path) -> None:
    """After kill -9 in the middle each alert is mailed; what is doubled has the same Message-ID."""
    folder = tmp_path / "inbox"
    enough = threading.Event()

    def count(_: KeptMail) -> None:
        if has(folder, 5)():
            enough.set()

    with Inbox(folder, on_mail=count) as inbox:
        settings = with_mail(settings, inbox.port)
        send(settings.kafka, *some_alerts(60))
        with mailer_process(settings) as first:
            assert enough.wait(60)
            first.kill()
        assert len(subjects(folder)) < 60
        with mailer_process(settings):
            assert eventually(lambda: len(delivered(settings)) == 60, 60)
    assert set(subjects(folder)) == {f"[Roadwatch] critical: Alert {n}" for n in range(60)}
    assert len({mail.message_id for mail in read_mails(folder)}) == 60
    assert len(subjects(folder)) <= 61


def with_digest(settings: Settings, port: int) -> Settings:
    """A daily digest for Anne, of what has been sent up to now; Ben gets each alert at once."""
    settings = with_mail(settings, port, ANNE, BEN)
    anne, ben = settings.mail.subscriptions
    wanted = (anne.model_copy(update={"digest": "daily"}), ben)
    changed = {"subscriptions": wanted, "digest_at": datetime.now(UTC).time()}
    return settings.model_copy(update={"mail": settings.mail.model_copy(update=changed)})


def to_anne(folder: Path) -> list[str]:
    return [mail.subject for mail in read_mails(folder) if mail.recipient == ANNE]


def test_a_digest_tells_once_what_was_sent_before_it(settings: Settings, tmp_path: Path) -> None:
    """One mail, and all of it on record: neither a restart nor a later subscription at once tells it again."""
    folder = tmp_path / "inbox"
    alerts = some_alerts(5)
    with Inbox(folder) as inbox:
        send(settings.kafka, *alerts[:3])
        settings = with_digest(settings, inbox.port)
        with mailing(settings):  # for Ben three, for Anne three, the digest, and where the first one begins
            assert eventually(lambda: len(delivered(settings)) == 8)
        with mailing(settings):
            for number in (3, 4):  # once Ben has the second, digests were looked at since the first
                send(settings.kafka, alerts[number])
                assert eventually(has(folder, number + 2))
        assert to_anne(folder) == ["[Roadwatch] 3 new alerts: Alert 0"]
        send(settings.kafka, *alerts)
        with mailing(with_mail(settings, inbox.port)):
            assert eventually(has(folder, 8))
    assert to_anne(folder)[1:] == ["[Roadwatch] critical: Alert 3", "[Roadwatch] critical: Alert 4"]
    assert unread(settings) == []


def with_escalation(settings: Settings, port: int) -> Settings:
    """Each alert for Anne at once, and for Ben what she has not acknowledged for four hours, and its end."""
    settings = with_mail(settings, port, ANNE, BEN)
    anne, ben = settings.mail.subscriptions
    later = ben.model_copy(update={"after_hours": 4.0, "resolved": True})
    return settings.model_copy(update={"mail": settings.mail.model_copy(update={"subscriptions": (anne, later)})})


def told_hours_ago(kafka: KafkaSettings, hours: float, *alerts: Alert) -> None:
    """Put on record that Anne was told of alerts."""
    at = datetime.now(UTC) - timedelta(hours=hours)
    with Writer(kafka, CODEC) as writer:
        for one in alerts:
            name = delivery_id(one, ANNE)
            writer.send(DELIVERIES, name, Delivery(name, one.alert_id, ANNE, "<mail>", at))


def test_what_nobody_acknowledged_for_hours_is_escalated_once(settings: Settings, tmp_path: Path) -> None:
    """With its day's figures; not what somebody is at, what is silent, or what was told an hour ago."""
    folder, kafka = tmp_path / "inbox", settings.kafka
    taken, silent, young, forgotten = some_alerts(4)
    silent = replace(silent, rule="noise")
    action = AlertAction("silence", "rule=noise", "anne", datetime.now(UTC), datetime.now(UTC) + timedelta(hours=1), "")
    with Inbox(folder) as inbox, Writer(kafka, CODEC) as writer:
        settings = with_escalation(settings, inbox.port)
        send(kafka, taken, silent, young, replace(taken, state="acknowledged"), forgotten)  # what is told comes last
        for topic in (ALERTS, ALERT_ACTIONS):  # what cannot be read keeps nothing from being told
            writer.send_bytes(Outgoing(kafka.names.of(topic), b"key", b"\xc3\x01junk", []))
        writer.send(ALERT_ACTIONS, action.target, action)
        writer.flush()
        told_hours_ago(kafka, 5, forgotten, taken, silent)
        told_hours_ago(kafka, 1, young)
        with mailing(settings):
            assert eventually(has(folder, 1))
        send(kafka, replace(forgotten, state="resolved"))
        with mailing(settings):  # Ben is told of nothing but the end
            assert eventually(has(folder, 2))
    first, last = read_mails(folder)
    assert (first.recipient, first.subject) == (BEN, "[Roadwatch] unacknowledged critical: Alert 3")
    assert "for 5 hours" in first.text
    assert "The day's figures" in first.text
    assert (last.recipient, last.subject) == (BEN, "[Roadwatch] resolved: Alert 3")
    assert delivery_id(forgotten, BEN) in delivered(settings)


def test_of_several_mailers_one_holds_the_alerts(settings: Settings) -> None:
    """It alone sends digests."""
    topic = settings.kafka.names.of(ALERTS)

    def reader(instance: str) -> Reader:
        return Reader(settings.kafka, [topic], settings.mail.group, instance=instance)

    with reader("1") as first:
        assert first.assigned == set()
        assert eventually(lambda: first.read() == [] and first.assigned == {(topic, 0)})
        with reader("2") as second:
            for _ in range(10):
                assert first.read() + second.read() == []
            assert len(first.assigned | second.assigned) == len(first.assigned) + len(second.assigned) == 1


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # as Apprise loads its services
def test_a_channel_and_a_mailbox_are_told_side_by_side(settings: Settings, tmp_path: Path) -> None:
    """Each has its delivery on record, and after a restart neither is told again."""
    service = Service(status=503)
    with Inbox(tmp_path / "inbox") as inbox, webhook(service) as port:
        settings = with_channel(with_mail(settings, inbox.port), port)
        send(settings.kafka, alert())
        with mailing(settings):
            assert eventually(lambda: service.tries > 0 and len(delivered(settings)) == 1)
            service.status = 200
            assert eventually(lambda: len(delivered(settings)) == 2)
        send(settings.kafka, alert(alert_id="last"))
        with mailing(settings):
            assert eventually(lambda: len(delivered(settings)) == 4)
    assert delivered(settings) == {
        delivery_id(one, name) for one in (alert(), alert(alert_id="last")) for name in (ANNE, "channel:ops")
    }
    assert (len(service.told), len(subjects(tmp_path / "inbox"))) == (2, 2)


def with_channel(settings: Settings, port: int) -> Settings:
    """One more subscription, of a channel that leads to a port."""
    channel = Channel(name="ops", url=SecretStr(f"json://127.0.0.1:{port}"))
    subscriptions = (*settings.mail.subscriptions, Subscription(channel="ops"))
    changed = {"channels": (channel,), "subscriptions": subscriptions}
    return settings.model_copy(update={"mail": settings.mail.model_copy(update=changed)})
