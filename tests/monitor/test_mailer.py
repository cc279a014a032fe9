"""Errands: one mail for each alert, state and recipient, whatever the server says meanwhile."""

from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from monitor.errands import Desk, Mailer, MemoryDeliveries, Outcome, Surroundings, backoff_s
from monitor.mail import message_id
from monitor.smtp import MemoryTransport
from monitor.subscriptions import Subscriber
from schemas.errors import BrokerUnavailableError, MailDeferredError, MailError
from schemas.records import Delivery
from tests.support.alerts import NOON, alert

SENDER, ANNE, BEN = "roadwatch@example.com", "anne@example.com", "ben@example.com"


@dataclass(slots=True)
class Office:
    """A mailer with its doubles around it."""

    transport: MemoryTransport = field(default_factory=MemoryTransport)
    deliveries: MemoryDeliveries = field(default_factory=MemoryDeliveries)
    now_s: float = 0.0
    outcomes: list[Outcome] = field(default_factory=list)
    mailer: Mailer = field(init=False)

    def __post_init__(self) -> None:
        self.open()

    def open(self) -> None:
        """Begin anew, as after a restart: only the deliveries and the sent mails are left."""
        desk = Desk(SENDER, tuple(Subscriber(name, "info", frozenset()) for name in (ANNE, BEN)), "UTC")
        around = Surroundings(lambda: NOON, lambda: self.now_s, lambda: 1.0, self.outcomes.append)
        self.mailer = Mailer(desk, self.transport, self.deliveries, around)

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


class BrokenOnce(MemoryDeliveries):
    """A record whose first write fails."""

    def __init__(self) -> None:
        super().__init__()
        self.broken = True

    def record(self, delivery: Delivery) -> None:
        """Fail once."""
        if self.broken:
            self.broken = False
            raise BrokerUnavailableError("nobody answers")
        super().record(delivery)
