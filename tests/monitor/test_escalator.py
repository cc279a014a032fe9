"""Escalations on their way out: one mail for whoever waits, whatever the server says meanwhile."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from structlog.testing import capture_logs

from monitor.digests import Logged
from monitor.errands import CHANNEL_PATIENCE_S, Courier, Desk, Mailer, MemoryDeliveries, Outcome, Surroundings
from monitor.escalator import LOOK_EVERY_S, Escalator
from monitor.mail import NO_MAIL, delivery_id, message_id
from monitor.silences import Silences
from monitor.smtp import MemoryTransport
from monitor.subscriptions import Subscriber
from schemas.errors import BrokerUnavailableError, MailDeferredError, MailError
from schemas.records import Alert, Delivery
from tests.support.alerts import NOON, alert, report
from tests.support.mailers import BrokenOnce

SENDER, TEAM, LEAD, ON_CALL = "roadwatch@example.com", "team@example.com", "lead@example.com", "channel:on-call"
AT_ONCE = Subscriber(TEAM, "info", frozenset())
LATER = Subscriber(LEAD, "info", frozenset(), resolved=True, after_hours=4)
CHAIN = (AT_ONCE, LATER, Subscriber(ON_CALL, "critical", frozenset(), after_hours=12))


@dataclass(slots=True)
class Office:
    """A mailer and an escalator with their doubles around them."""

    subscribers: tuple[Subscriber, ...] = CHAIN
    transport: MemoryTransport = field(default_factory=MemoryTransport)
    deliveries: MemoryDeliveries = field(default_factory=MemoryDeliveries)
    log: list[Logged] = field(default_factory=list)
    now: datetime = NOON
    outcomes: list[Outcome] = field(default_factory=list)
    looks: list[Collection[str]] = field(default_factory=list)
    meanwhile: list[Logged] = field(default_factory=list)
    escalator: Escalator = field(init=False)
    mailer: Mailer = field(init=False)

    def __post_init__(self) -> None:
        self.open()

    def open(self) -> None:
        """Begin anew, as after a restart: only the topics and the sent mails are left."""
        around = Surroundings(lambda: self.now, self.monotonic, lambda: 1.0, self.outcomes.append)
        desk = Desk(SENDER, self.subscribers, "UTC")
        courier = Courier(SENDER, self.transport, self.deliveries, around)
        self.mailer = Mailer(desk, courier, self.deliveries, around)
        self.escalator = Escalator(desk, self.mailer, courier, self.deliveries, self.look, Silences, around)

    def monotonic(self) -> float:
        """Seconds since noon."""
        return (self.now - NOON).total_seconds()

    def look(self, whole: Collection[str]) -> list[Logged]:
        """Read the alerts' topic."""
        self.looks.append(whole)
        self.log += self.meanwhile if whole else []
        return [one if one.alert.alert_id in whole else replace(one, alert=bare(one.alert)) for one in self.log]

    def tell(self, told: Alert) -> None:
        """Put an alert on its topic, and tell those who are told at once."""
        self.log.append(Logged(told, self.now))
        self.mailer.serve(self.mailer.errands([told]))

    def serve(self, hours: float, seconds: float = 0) -> None:
        """Look at a time after noon."""
        self.now = NOON + timedelta(hours=hours, seconds=seconds)
        self.escalator.serve()

    @property
    def served(self) -> list[str]:
        """Recipients of the mails so far."""
        return [recipient for recipient, _ in self.transport.mails]


def bare(one: Alert) -> Alert:
    """As it is read by most looks."""
    return replace(one, report=None, findings=())


@pytest.fixture
def office() -> Office:
    """An office whose team was told of an alert at noon."""
    made = Office()
    made.tell(alert(report=report()))
    return made


def test_a_chain_is_told_step_by_step(office: Office) -> None:
    """Each once, however often it is looked."""
    for quarters in range(60):
        office.serve(quarters / 4)
    assert office.served == [TEAM, LEAD, ON_CALL]


def test_the_mail_says_first_that_nobody_has_acknowledged_it_and_how(office: Office) -> None:
    """And all that an alert's mail says, its day's figures too."""
    office.serve(4.5)
    mail = office.transport.mails[-1][1]
    text = mail.get_body(("plain",))
    assert text is not None
    title, _, first, *rest = str(text.get_content()).splitlines()
    assert str(mail["Subject"]) == "[Roadwatch] unacknowledged critical: Accuracy fell to 42 % on gate-north"
    assert title == "CRITICAL: Accuracy fell to 42 % on gate-north"
    assert first == (
        "Nobody has acknowledged this alert for 4 hours. Whoever takes it on says so by: "
        "roadwatch alerts ack daily-accuracy:gate-north:2026-11-23"
    )
    assert any(line.startswith("The day's figures") for line in rest)


def test_it_is_on_record_as_any_mail_that_tells_of_it(office: Office) -> None:
    """So a later subscription at once tells it no more."""
    office.serve(4)
    recorded = office.deliveries.records[delivery_id(alert(), LEAD)]
    assert recorded.message_id == message_id(alert(), SENDER, LEAD) == office.transport.mails[-1][1]["Message-ID"]
    office.subscribers = (replace(LATER, after_hours=0),)
    office.open()
    office.tell(alert())
    assert office.served == [TEAM, LEAD]


def test_after_a_restart_nothing_is_told_again(office: Office) -> None:
    """And what was not told is told then."""
    office.serve(4)
    office.open()
    office.serve(5)
    office.open()
    office.serve(20)
    assert office.served == [TEAM, LEAD, ON_CALL]


def test_it_is_looked_every_five_minutes(office: Office) -> None:
    """The topic is read once more, for the whole of what is told, only where there is something to tell."""
    for seconds in (0, 1, 60, LOOK_EVERY_S - 1):
        office.serve(0, seconds)
    assert office.looks == [()]
    office.serve(0, LOOK_EVERY_S)
    assert office.looks == [(), ()]
    office.serve(4)
    assert office.looks == [(), (), (), {alert().alert_id}]


def test_nothing_is_read_where_nobody_waits() -> None:
    office = Office((AT_ONCE,))
    office.tell(alert())
    office.serve(24)
    assert office.looks == []


def test_a_partition_that_was_away_is_looked_at_at_once(office: Office) -> None:
    """Another mailer may have told what waited here."""
    office.transport.refusals[LEAD] = MailDeferredError("451 later")
    office.serve(4)
    office.escalator.forget()
    office.deliveries.record(Delivery(delivery_id(alert(), LEAD), alert().alert_id, LEAD, "<other>", office.now))
    office.transport.refusals.clear()
    before = len(office.looks)
    office.serve(4, 60)
    assert (office.served, len(office.looks)) == ([TEAM], before + 1)


def test_a_deferred_one_is_tried_until_it_is_taken(office: Office) -> None:
    """With the backoff of any mail, between looks too; it then says how long it has been."""
    office.transport.refusals[LEAD] = MailDeferredError("451 later")
    for seconds in (0.0, 0.5, 1.0, 2.5):  # waits of 1 and 2 s
        office.serve(4, seconds)
    assert office.outcomes == ["delivered", "deferred", "deferred"]
    office.serve(5.5)
    office.transport.refusals.clear()
    office.serve(5.5, 60)
    assert office.served == [TEAM, LEAD]
    assert "for 5 hours" in office.transport.mails[-1][1].as_string()


def test_what_is_acknowledged_while_it_waits_is_told_no_more(office: Office) -> None:
    office.transport.refusals[LEAD] = MailDeferredError("451 later")
    office.serve(4)
    office.tell(alert(state="acknowledged"))
    office.transport.refusals.clear()
    office.serve(4, LOOK_EVERY_S)
    assert office.served == [TEAM]


def test_what_is_acknowledged_while_it_is_looked_at_is_not_told(office: Office) -> None:
    """Between the two readings of the topic."""
    office.meanwhile = [Logged(alert(state="acknowledged"), NOON)]
    office.serve(4)
    assert office.served == [TEAM]


def test_whoever_was_escalated_to_hears_when_it_is_over(office: Office) -> None:
    """Those who were not, or did not ask for it, do not."""
    office.serve(4)
    office.tell(alert(state="resolved"))
    for quarters in range(60):
        office.serve(5 + quarters / 4)
    assert office.served == [TEAM, LEAD, LEAD]
    assert str(office.transport.mails[-1][1]["Subject"]).startswith("[Roadwatch] resolved: ")


def test_a_refused_one_is_told_of_in_the_log_and_never_tried_again(office: Office) -> None:
    """Not after a restart either, nor when the alert is over; the others have theirs."""
    office.transport.refusals[LEAD] = MailError("550 no such user")
    with capture_logs() as lines:
        office.serve(12)
        office.open()
        office.serve(13)
    assert office.outcomes == ["delivered", "refused", "delivered"]
    assert office.served == [TEAM, ON_CALL]
    told = [(line["event"], line["recipient"]) for line in lines if line["log_level"] == "error"]
    assert told == [("mail refused for good", LEAD), ("escalation given up, it is not tried again", LEAD)]
    assert office.deliveries.records[delivery_id(alert(), LEAD)].message_id == NO_MAIL
    office.transport.refusals.clear()
    office.tell(alert(state="resolved"))
    office.serve(14)
    assert office.served == [TEAM, ON_CALL]


def test_a_channel_that_is_away_is_given_up_after_a_day(office: Office) -> None:
    """Looks in between do not give it another."""
    office.transport.refusals[ON_CALL] = MailDeferredError("503")
    for quarters in range(200):
        office.serve(12 + quarters / 4)
    assert office.served == [TEAM, LEAD]
    assert office.outcomes.count("refused") == 1
    assert office.outcomes.count("deferred") == CHANNEL_PATIENCE_S / 900 + 1


def test_what_a_broken_log_did_not_take_is_recorded_later_and_not_sent_again(office: Office) -> None:
    broken = BrokenOnce()
    broken.records.update(office.deliveries.records)
    office.deliveries = broken
    office.open()
    with pytest.raises(BrokerUnavailableError):
        office.serve(4)
    office.escalator.forget()
    office.serve(5)
    assert office.served == [TEAM, LEAD]
    assert len(broken.records) == 2


def test_a_stop_is_heeded_between_two_mails(office: Office) -> None:
    office.now += timedelta(hours=13)
    office.escalator.serve(lambda: len(office.served) < 2)
    assert office.served == [TEAM, LEAD]
