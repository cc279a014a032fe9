"""Digests on their way out: one mail for each cut, whatever the server says meanwhile."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from monitor.digester import Digester
from monitor.digests import Logged
from monitor.errands import Courier, Desk, Mailer, MemoryDeliveries, Outcome, Surroundings
from monitor.smtp import MemoryTransport
from monitor.subscriptions import Subscriber
from schemas.errors import BrokerUnavailableError, MailDeferredError, MailError
from schemas.records import Alert, Delivery
from tests.support.alerts import alert

SENDER, ANNE, BEN = "roadwatch@example.com", "anne@example.com", "ben@example.com"
SEVEN = datetime(2026, 11, 24, 7, tzinfo=UTC)
DAY = timedelta(days=1)
DAILY = Subscriber(ANNE, "info", frozenset(), digest="daily")


@dataclass(slots=True)
class Office:
    """A mailer and a digester with their doubles around them."""

    subscribers: tuple[Subscriber, ...] = (DAILY,)
    transport: MemoryTransport = field(default_factory=MemoryTransport)
    deliveries: MemoryDeliveries = field(default_factory=MemoryDeliveries)
    log: list[Logged] = field(default_factory=list)
    now: datetime = SEVEN
    outcomes: list[Outcome] = field(default_factory=list)
    looks: int = 0
    digester: Digester = field(init=False)
    mailer: Mailer = field(init=False)

    def __post_init__(self) -> None:
        self.open()

    def open(self) -> None:
        """Begin anew, as after a restart: only the topic, the deliveries and the sent mails are left."""
        around = Surroundings(lambda: self.now, self.monotonic, lambda: 1.0, self.outcomes.append)
        desk = Desk(SENDER, self.subscribers, "UTC")
        courier = Courier(SENDER, self.transport, self.deliveries, around)
        self.digester = Digester(desk, courier, self.deliveries, self.look, around)
        self.mailer = Mailer(desk, courier, self.deliveries, around)

    def monotonic(self) -> float:
        """Seconds since seven."""
        return (self.now - SEVEN).total_seconds()

    def look(self) -> list[Logged]:
        """Read the alerts' topic."""
        self.looks += 1
        return self.log

    def logs(self, at: datetime, *alerts: Alert) -> None:
        """Put alerts on the topic."""
        self.log += [Logged(one, at) for one in alerts]

    def serve(self, at: datetime) -> None:
        """Look at the digests at a time."""
        self.now = at
        self.digester.serve()

    @property
    def subjects(self) -> list[str]:
        """What the digests so far are about."""
        return [str(mail["Subject"]) for _, mail in self.transport.mails]


@pytest.fixture
def office() -> Office:
    made = Office()
    made.logs(SEVEN - DAY / 2, alert(alert_id="a", title="Fog at gate"), alert(alert_id="b", severity="warning"))
    return made


def test_a_day_of_alerts_is_one_mail(office: Office) -> None:
    """Looked at again and again, it is sent once and the topic is read once."""
    for minutes in range(10):
        office.serve(SEVEN + timedelta(minutes=minutes))
    assert office.subjects == ["[Roadwatch] 2 new alerts: Fog at gate"]
    assert office.looks == 1


def test_its_alerts_and_the_digest_itself_are_on_record(office: Office) -> None:
    """The digest last, all with the Message-ID of the mail."""
    office.serve(SEVEN)
    before, *alerts, digest = office.deliveries.records.values()
    assert (before.delivery_id, before.message_id) == (f"digest:2026-11-23|daily|{ANNE}", "")
    assert digest.delivery_id == f"digest:2026-11-24|daily|{ANNE}"
    assert [delivery.alert_id for delivery in alerts] == ["a", "b"]
    assert {d.message_id for d in [*alerts, digest]} == {str(office.transport.mails[0][1]["Message-ID"])}


def test_after_a_restart_nothing_is_told_again(office: Office) -> None:
    office.serve(SEVEN)
    office.open()
    office.serve(SEVEN + DAY / 2)
    assert len(office.subjects) == 1


def test_a_day_without_news_is_no_mail_but_on_record(office: Office) -> None:
    """What is still open is nothing new; after a restart the day is known to be done."""
    office.serve(SEVEN)
    office.serve(SEVEN + DAY)
    assert len(office.subjects) == 1
    assert office.deliveries.records[f"digest:2026-11-25|daily|{ANNE}"].message_id == ""


def test_the_next_digest_tells_what_is_over_and_what_is_still_open(office: Office) -> None:
    office.serve(SEVEN)
    office.logs(SEVEN + DAY / 2, alert(alert_id="a", title="Fog at gate", state="resolved"), alert(alert_id="c"))
    office.serve(SEVEN + DAY)
    assert office.subjects[1].startswith("[Roadwatch] 1 new alert, 1 over, 1 still open: ")


def test_a_kill_before_the_record_sends_it_once_more_under_the_same_id(office: Office) -> None:
    """As any mail."""
    office.serve(SEVEN)
    office.deliveries.records.clear()
    office.open()
    office.serve(SEVEN + timedelta(minutes=1))
    assert len({str(mail["Message-ID"]) for _, mail in office.transport.mails}) == 1
    assert len(office.subjects) == 2


def test_what_a_broken_log_did_not_take_is_recorded_later_and_not_sent_again(office: Office) -> None:
    office.deliveries = Breaking(after=2)
    office.open()
    with pytest.raises(BrokerUnavailableError):
        office.serve(SEVEN)
    office.digester.forget()
    office.serve(SEVEN + timedelta(minutes=1))
    assert len(office.subjects) == 1
    assert len(office.deliveries.records) == 4


def test_a_deferred_digest_is_tried_until_it_is_taken(office: Office) -> None:
    """With the backoff of any mail, and without reading the topic again."""
    office.transport.refusals[ANNE] = MailDeferredError("451 later")
    for seconds in (0.0, 0.5, 1.0, 2.5):  # waits of 1 and 2 s
        office.serve(SEVEN + timedelta(seconds=seconds))
    assert (office.outcomes, office.looks) == (["deferred", "deferred"], 1)
    office.transport.refusals.clear()
    office.serve(SEVEN + timedelta(seconds=3))
    assert len(office.subjects) == 1


def test_a_server_that_is_away_for_days_gets_one_digest_of_them(office: Office) -> None:
    """Also when it was the first, and when the mailer was restarted meanwhile."""
    office.transport.refusals[ANNE] = MailDeferredError("no answer")
    office.serve(SEVEN)
    office.logs(SEVEN + DAY / 2, alert(alert_id="c"))
    office.serve(SEVEN + DAY)
    office.open()
    office.transport.refusals.clear()
    office.serve(SEVEN + DAY * 2)
    assert [subject.partition(":")[0] for subject in office.subjects] == ["[Roadwatch] 3 new alerts"]


def test_a_refused_digest_is_told_of_in_the_log_and_its_alerts_in_the_next(office: Office) -> None:
    """It is not tried again, and other recipients have theirs."""
    office.subscribers = (DAILY, replace(DAILY, address=BEN))
    office.open()
    office.transport.refusals[ANNE] = MailError("550 no such user")
    with capture_logs() as lines:
        office.serve(SEVEN)
        office.serve(SEVEN + timedelta(minutes=1))
    (line,) = [line for line in lines if line["log_level"] == "error"]
    assert (line["recipient"], line["alerts"], line["error"]) == (ANNE, 2, "550 no such user")
    assert [recipient for recipient, _ in office.transport.mails] == [BEN]
    assert office.outcomes == ["refused", "delivered"]
    office.transport.refusals.clear()
    office.serve(SEVEN + DAY)
    assert office.subjects[1].startswith("[Roadwatch] 2 new alerts: ")


def test_what_a_digest_told_is_not_mailed_to_a_later_subscription_at_once(office: Office) -> None:
    office.serve(SEVEN)
    office.subscribers = (Subscriber(ANNE, "info", frozenset()),)
    office.open()
    office.mailer.serve(office.mailer.errands([alert(alert_id="a"), alert(alert_id="c")]))
    assert len(office.subjects) == 2
    assert office.outcomes == ["delivered", "known", "delivered"]


def test_what_became_worse_since_its_digest_is_mailed_at_once(office: Office) -> None:
    """Whoever wants critical alerts at once was told of a warning alone."""
    office.subscribers = (DAILY, Subscriber(ANNE, "critical", frozenset()))
    office.open()
    office.serve(SEVEN)
    assert office.subjects[0].startswith("[Roadwatch] 1 new alert: ")  # b, for a is told at once
    office.mailer.serve(office.mailer.errands([alert(alert_id="b", severity="critical")]))
    assert office.subjects[1].startswith("[Roadwatch] critical: ")


def test_nothing_is_read_where_nobody_has_a_digest(office: Office) -> None:
    office.subscribers = (Subscriber(ANNE, "info", frozenset()),)
    office.open()
    office.serve(SEVEN)
    assert office.looks == 0


def test_a_stop_is_heeded_between_two_digests(office: Office) -> None:
    office.subscribers = (DAILY, replace(DAILY, address=BEN))
    office.open()
    office.digester.serve(lambda: not office.subjects)
    assert len(office.subjects) == 1


class Breaking(MemoryDeliveries):
    """A record of which one write fails, after some."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after

    def record(self, delivery: Delivery) -> None:
        """Fail once."""
        self.left -= 1
        if self.left == -1:
            raise BrokerUnavailableError("nobody answers")
        super().record(delivery)
