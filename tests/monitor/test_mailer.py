"""Errands: one mail for each alert, state and recipient, whatever the server says meanwhile."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from monitor.errands import Courier, Desk, Mailer, MemoryDeliveries, Outcome, Surroundings, backoff_s
from monitor.mail import message_id
from monitor.smtp import MemoryTransport
from monitor.subscriptions import Subscriber
from schemas.errors import BrokerUnavailableError, MailDeferredError, MailError
from schemas.records import Alert
from tests.support.alerts import NOON, alert
from tests.support.mailers import BrokenOnce

SENDER, ANNE, BEN = "roadwatch@example.com", "anne@example.com", "ben@example.com"


@dataclass(slots=True)
class Office:
    """A mailer with its doubles around it."""

    transport: MemoryTransport = field(default_factory=MemoryTransport)
    deliveries: MemoryDeliveries = field(default_factory=MemoryDeliveries)
    now_s: float = 0.0
    outcomes: list[Outcome] = field(default_factory=list)
    reminder_days: int = 7
    broken: bool = False
    looks: int = 0
    mailer: Mailer = field(init=False)

    def __post_init__(self) -> None:
        self.open()

    def open(self) -> None:
        """Begin anew, as after a restart: only the deliveries and the sent mails are left."""
        subscribers = tuple(Subscriber(name, "info", frozenset(), resolved=True) for name in (ANNE, BEN))
        around = Surroundings(lambda: NOON, lambda: self.now_s, lambda: 1.0, self.outcomes.append, self.look)
        desk = Desk(SENDER, subscribers, "UTC", self.reminder_days)
        courier = Courier(SENDER, self.transport, self.deliveries, around)
        self.mailer = Mailer(desk, courier, self.deliveries, around)

    def look(self, found: Alert) -> list[tuple[str, bytes]]:
        """Find pictures, unless that is broken."""
        self.looks += 1
        if self.broken:
            raise BrokerUnavailableError("nobody answers")
        return [(f"{found.camera_id}:1", b"\xff\xd8\xff picture")]

    @property
    def served(self) -> list[str]:
        """Recipients of the mails so far."""
        return [recipient for recipient, _ in self.transport.mails]


@pytest.fixture
def office() -> Office:
    return Office()


def test_each_recipient_gets_one_mail(office: Office) -> None:
    """And each delivery is recorded with its Message-ID."""
    (errand,) = office.mailer.errands([alert()])
    office.mailer.serve([errand])
    office.mailer.serve([errand])
    assert office.served == [ANNE, BEN]
    recorded = {delivery.recipient: delivery.message_id for delivery in office.deliveries.records.values()}
    assert recorded == {name: message_id(alert(), SENDER, name) for name in (ANNE, BEN)}


def test_after_a_restart_nothing_is_mailed_again(office: Office) -> None:
    """What the record knows is skipped, and counted as known."""
    office.mailer.serve(office.mailer.errands([alert()]))
    office.open()
    office.mailer.serve(office.mailer.errands([alert()]))
    assert office.served == [ANNE, BEN]
    assert office.outcomes == ["delivered", "delivered", "known", "known"]


def test_the_same_alert_twice_in_one_batch_is_mailed_once(office: Office) -> None:
    """A doubled record on the topic is no doubled mail."""
    errands = office.mailer.errands([alert(), alert()])
    office.mailer.serve(errands)
    assert office.served == [ANNE, BEN]
    assert [errand.waiting for errand in errands] == [[], []]


def test_resolved_is_a_mail_of_its_own(office: Office) -> None:
    """One mail for each state."""
    office.mailer.serve(office.mailer.errands([alert(), alert(state="resolved")]))
    assert office.served == [ANNE, BEN, ANNE, BEN]


def later(days: int) -> Alert:
    """The alert after some days, as it is sent again while it stays open."""
    return alert(day=f"2026-11-{23 + days}", raised_at=datetime(2026, 11, 24, tzinfo=UTC))


def test_what_stays_open_is_mailed_again_only_as_a_reminder(office: Office) -> None:
    """Once a week, however often it is sent."""
    for day in range(7):
        office.mailer.serve(office.mailer.errands([later(days=day)]))
    assert office.served == [ANNE, BEN]
    for _ in range(3):
        office.mailer.serve(office.mailer.errands([later(days=7)]))
    assert office.served == [ANNE, BEN, ANNE, BEN]
    reminder = office.transport.mails[-1][1]
    assert str(reminder["Subject"]).startswith("[Roadwatch] still critical: ")
    assert reminder["In-Reply-To"] == office.transport.mails[1][1]["Message-ID"]


def test_nobody_is_reminded_who_does_not_ask_for_it() -> None:
    office = Office(reminder_days=0)
    office.mailer.serve(office.mailer.errands([later(days=0), later(days=6), later(days=7)]))
    assert office.served == [ANNE, BEN]


def test_what_somebody_is_at_is_no_reminder(office: Office) -> None:
    """Acknowledged alerts are not mailed."""
    office.mailer.serve(office.mailer.errands([later(days=0), replace(later(days=7), state="acknowledged")]))
    assert office.served == [ANNE, BEN]


def test_an_alert_that_became_worse_is_mailed_to_whoever_was_not_told(office: Office) -> None:
    """Those who were told of the warning have that mail."""
    patient = Subscriber(BEN, "critical", frozenset())
    desk = Desk(SENDER, (Subscriber(ANNE, "warning", frozenset()), patient), "UTC")
    around = Surroundings(lambda: NOON, lambda: 0.0, lambda: 1.0)
    mailer = Mailer(desk, Courier(SENDER, office.transport, office.deliveries, around), office.deliveries, around)
    mailer.serve(mailer.errands([alert(severity="warning")]))
    mailer.serve(mailer.errands([alert(severity="critical")]))
    assert office.served == [ANNE, BEN]


def test_pictures_are_looked_for_once_and_shown_to_each(office: Office) -> None:
    office.mailer.serve(office.mailer.errands([alert()]))
    assert office.looks == 1
    for _, mail in office.transport.mails:
        assert [part.get_content_type() for part in mail.walk()].count("image/jpeg") == 1


def test_a_mail_goes_without_pictures_when_they_cannot_be_found(office: Office) -> None:
    """Kafka may be away; the mail server is not."""
    office.broken = True
    office.mailer.serve(office.mailer.errands([alert()]))
    assert office.served == [ANNE, BEN]


def test_nothing_is_looked_for_that_nobody_gets(office: Office) -> None:
    """What was delivered before costs no look."""
    office.mailer.serve(office.mailer.errands([alert()]))
    office.mailer.serve(office.mailer.errands([alert()]))
    assert office.looks == 1


def test_a_refused_recipient_does_not_keep_the_others_waiting(office: Office) -> None:
    """The refusal is there for the dead letters, once."""
    office.transport.refusals[ANNE] = MailError("550 no such user")
    (errand,) = office.mailer.errands([alert()])
    office.mailer.serve([errand])
    office.mailer.serve([errand])
    assert office.served == [BEN]
    assert [refusal.recipient for refusal in errand.refusals] == [ANNE]
    assert errand.waiting == []


def test_a_deferred_mail_is_tried_again_when_its_time_has_come(office: Office) -> None:
    """Not before, and not only once."""
    office.transport.refusals[ANNE] = MailDeferredError("451 later")
    (errand,) = office.mailer.errands([alert()])
    for office.now_s in (0.0, 0.5, 1.0, 2.5):  # waits of 1 and 2 s
        office.mailer.serve([errand])
    assert office.outcomes == ["deferred", "delivered", "deferred"]
    del office.transport.refusals[ANNE]
    office.now_s = 3.0
    office.mailer.serve([errand])
    assert office.served == [BEN, ANNE]


def test_a_deferred_recipient_gets_later_alerts_in_order(office: Office) -> None:
    """Resolved does not overtake open; other recipients have both at once."""
    office.transport.refusals[ANNE] = MailDeferredError("452 mailbox full")
    errands = office.mailer.errands([alert(), alert(state="resolved")])
    office.mailer.serve(errands)
    assert office.served == [BEN, BEN]
    office.transport.refusals.clear()
    office.now_s = 60.0
    office.mailer.serve(errands)
    assert [str(mail["Subject"])[:20] for to, mail in office.transport.mails if to == ANNE] == [
        "[Roadwatch] critical",
        "[Roadwatch] resolved",
    ]


def test_the_log_tells_of_trouble_once_and_of_its_end(office: Office) -> None:
    """A night without a mail server is two lines, and one more for each new reason."""
    office.transport.refusals[ANNE] = MailDeferredError("connection refused")
    errands = office.mailer.errands([alert()])
    with capture_logs() as lines:
        for office.now_s in range(0, 1000, 100):
            office.mailer.serve(errands)
        office.transport.refusals.clear()
        office.now_s = 2000
        office.mailer.serve(errands)
    told = [line["event"] for line in lines if line["recipient"] == ANNE]
    assert told == ["mail deferred, tried again until it is taken", "mails are delivered again", "mail delivered"]
    assert office.outcomes.count("deferred") == 10


def test_a_stop_is_heeded_between_two_mails(office: Office) -> None:
    """SIGTERM does not wait for a hundred recipients."""
    office.mailer.serve(office.mailer.errands([alert()]), lambda: not office.served)
    assert office.served == [ANNE]


def test_a_delivery_that_could_not_be_recorded_is_recorded_later() -> None:
    """While the broker is away a mail that was taken is not sent again."""
    office = Office(deliveries=BrokenOnce())
    (errand,) = office.mailer.errands([alert()])
    with pytest.raises(BrokerUnavailableError):
        office.mailer.serve([errand])
    office.mailer.serve(office.mailer.errands([alert()]))
    assert office.served == [ANNE, BEN]
    assert len(office.deliveries.records) == 2


@pytest.mark.parametrize(("tries", "random", "wait_s"), [(1, 1, 1), (1, 0, 0.5), (2, 1, 2), (7, 1, 60), (9999, 0, 30)])
def test_waits_double_up_to_a_minute(tries: int, random: float, wait_s: float) -> None:
    """Half of each wait is left to chance, so that several mailers spread."""
    assert backoff_s(tries, random) == wait_s
