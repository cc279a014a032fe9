"""From alerts to delivered mails: who still waits for which, and what happens when a server does not take one.

    alert ─► Errand ── each recipient ─┬─ taken ────► recorded as delivered
               ▲                       ├─ refused ──► a refusal, for the dead letters
               └── later, with backoff ┴─ deferred    this recipient waits, the others do not

One mail for each alert, state and recipient, and one for each reminder: what the deliveries know is not sent again. A mail
is recorded after the server took it, so only a kill between the two sends it twice, and then under the same Message-ID.
A channel is tried for a day and then given up, for it never says whether it will ever take what it did not.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from email.message import EmailMessage
from typing import Literal, Protocol

import structlog

from monitor.mail import bare_address, compose, delivery_id, ids_told, message_id, reminder_of, told_of
from monitor.smtp import Transport
from monitor.subscriptions import Subscriber, channel_of, recipients_of
from schemas.errors import MailDeferredError, MailError, RoadwatchError
from schemas.records import Alert, Delivery

log = structlog.get_logger(__name__)

Outcome = Literal["delivered", "deferred", "refused", "known"]
"""Taken by the server; to be tried again; refused for good; not sent, because it was delivered before."""

Pictures = Callable[[Alert], Sequence[tuple[str, bytes]]]
"Finds the pictures that show what an alert is about: frame id and JPEG of each."

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
CHANNEL_PATIENCE_S = 24 * 3600.0
"So long a channel is tried with the same alert."


class Deliveries(Protocol):
    """The record of what was delivered."""

    def delivered(self, ids: Collection[str]) -> set[str]:
        """Those of the deliveries that are on record."""

    def told(self, alerts: Collection[str]) -> list[Delivery]:
        """What is on record of some alerts, by their ids."""

    def record(self, delivery: Delivery) -> None:
        """Put a delivery on record; when this returns, it outlives a crash."""


class MemoryDeliveries:
    """A record that lasts as long as the process. For tests and dry runs."""

    def __init__(self) -> None:
        self.records: dict[str, Delivery] = {}
        "By delivery id."

    def delivered(self, ids: Collection[str]) -> set[str]:
        """Those of the deliveries that are on record."""
        return set(ids) & self.records.keys()

    def told(self, alerts: Collection[str]) -> list[Delivery]:
        """What is on record of some alerts."""
        return [delivery for delivery in self.records.values() if delivery.alert_id in alerts]

    def record(self, delivery: Delivery) -> None:
        """Put a delivery on record."""
        self.records[delivery.delivery_id] = delivery


@dataclass(frozen=True, slots=True)
class Refusal:
    """A mail that will not be delivered."""

    recipient: str
    "To whom."
    error: MailError
    "What the server said."


@dataclass(slots=True)
class Errand:
    """An alert on its way to its recipients."""

    alert: Alert
    "What they are told."
    waiting: list[str]
    "Addresses and channels that are not served yet."
    refusals: list[Refusal] = field(default_factory=list)
    "Recipients given up; whoever takes them to the dead letters empties the list."
    reminder: int = 0
    "Counts the reminders; 0 for the first mail."
    taken_s: float = 0.0
    "When it was taken up, by the monotonic clock."
    pictures: Sequence[tuple[str, bytes]] | None = None
    "Frame ids and JPEGs; None before they were looked for."
    waited: timedelta | None = None
    "How long nobody has acknowledged it; None where that is not why it is told."


@dataclass(frozen=True, slots=True)
class Desk:
    """What mails are written with."""

    sender: str
    "The From address."
    subscribers: tuple[Subscriber, ...]
    "Who gets which alerts."
    timezone: str
    "IANA name, for alerts that carry no report, and for counting days."
    reminder_days: int = 7
    "Days after which whoever was told of an open alert is reminded of it, again and again; 0 for never."
    digest_at: time = time(7)
    "When digests go out, by `timezone`."


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the mailer takes from outside."""

    clock: Callable[[], datetime]
    "The wall clock, UTC."
    monotonic: Callable[[], float]
    "A clock that is never set, seconds."
    random: Callable[[], float]
    "A number from 0 to 1, for the jitter."
    count: Callable[[Outcome], None] = lambda _: None
    "Counts what became of each try."
    pictures: Pictures = lambda _: ()
    "Finds frames that show an alert: their ids and JPEGs. What it raises keeps no mail from going out without them."


@dataclass(frozen=True, slots=True)
class Stall:
    """A recipient whose mails have to wait."""

    tries: int
    "Failed in a row."
    until: float
    "When the next one is due, by the monotonic clock."
    reason: str
    "What was said in the log about it."


class Courier:
    """Hands mails over and puts them on record; holds which recipients have to wait."""

    def __init__(self, sender: str, transport: Transport, deliveries: Deliveries, around: Surroundings) -> None:
        """`sender`: the envelope's, with or without a name."""
        self._sender = bare_address(sender)
        self._transport = transport
        self._deliveries = deliveries
        self._around = around
        self._stalls: dict[str, Stall] = {}
        self._unrecorded: list[Delivery] = []

    def due(self, recipient: str) -> bool:
        """Whether the recipient's next mail may be tried."""
        stall = self._stalls.get(recipient)
        return stall is None or self._around.monotonic() >= stall.until

    def carry(self, mail: EmailMessage, recipient: str, taken_s: float) -> bool:
        """Whether the other side took the mail; if it may do so later, the recipient has to wait.

        Raises MailError where it will not be taken, or a channel has not taken it for a day since `taken_s`.
        """
        try:
            self._transport.send(mail, self._sender, _envelope(recipient))
        except MailDeferredError as error:
            self._stall(recipient, error)
            self._heed_patience(recipient, taken_s, error)
            return False
        except MailError:
            self._stalls.pop(recipient, None)
            raise
        self._around.count("delivered")
        if self._stalls.pop(recipient, None):
            log.info("mails are delivered again", recipient=recipient)
        return True

    def record(self, *deliveries: Delivery) -> None:
        """Put deliveries on record, after those that a broken log did not take."""
        self._unrecorded += deliveries
        self.record_late()

    def record_late(self) -> None:
        """Record what was delivered; what a broken log did not take waits here, or it would be mailed again."""
        while self._unrecorded:
            self._deliveries.record(self._unrecorded[0])
            self._unrecorded.pop(0)

    def _heed_patience(self, recipient: str, taken_s: float, error: MailDeferredError) -> None:
        if channel_of(recipient) and self._around.monotonic() - taken_s >= CHANNEL_PATIENCE_S:
            raise MailError(f"{error}; given up after a day") from error

    def _stall(self, recipient: str, error: MailDeferredError) -> None:
        """Let the recipient wait, longer each time; the log hears of it when the reason changes."""
        before = self._stalls.get(recipient)
        tries = before.tries + 1 if before else 1
        until = self._around.monotonic() + backoff_s(tries, self._around.random())
        self._stalls[recipient] = Stall(tries, until, str(error))
        self._around.count("deferred")
        if before is None or before.reason != str(error):
            log.warning("mail deferred, tried again until it is taken", recipient=recipient, error=str(error))


class Mailer:
    """Serves errands."""

    def __init__(self, desk: Desk, courier: Courier, deliveries: Deliveries, around: Surroundings) -> None:
        self._desk = desk
        self._courier = courier
        self._deliveries = deliveries
        self._around = around

    def errands(self, alerts: Sequence[Alert]) -> list[Errand]:
        """An errand for each alert, with the recipients to whom it was not delivered yet."""
        self._courier.record_late()
        errands = [self._errand(alert) for alert in alerts]
        ids = {told for errand in errands for name in errand.waiting for told in self._ids_told(errand, name)}
        known = self._deliveries.delivered(ids) if ids else set()
        for errand in errands:
            self._strike(errand, known)
        return errands

    def serve(self, errands: Iterable[Errand], go_on: Callable[[], bool] = lambda: True) -> None:
        """Try every mail that is due, once, until `go_on` says no. A recipient's mails keep their order."""
        self._courier.record_late()
        done: set[str] = set()
        for errand in errands:
            for recipient in list(errand.waiting):
                if not go_on():
                    return
                if self._courier.due(recipient):
                    self._serve(errand, recipient, done)

    def _errand(self, alert: Alert) -> Errand:
        reminder = reminder_of(alert, self._desk.reminder_days, self._desk.timezone)
        recipients = recipients_of(alert, self._desk.subscribers)
        return Errand(alert, recipients, reminder=reminder, taken_s=self._around.monotonic())

    def _strike(self, errand: Errand, known: set[str]) -> None:
        """Whoever was told already waits no more."""
        for name in list(errand.waiting):
            if not known.isdisjoint(self._ids_told(errand, name)):
                errand.waiting.remove(name)
                self._around.count("known")

    @staticmethod
    def _ids_told(errand: Errand, recipient: str) -> set[str]:
        return ids_told(errand.alert, recipient, errand.reminder)

    @staticmethod
    def _delivery_id(errand: Errand, recipient: str) -> str:
        return delivery_id(errand.alert, recipient, errand.reminder)

    def _serve(self, errand: Errand, recipient: str, done: set[str]) -> None:
        name = self._delivery_id(errand, recipient)
        if name in done:  # the same alert stands twice among the errands
            errand.waiting.remove(recipient)
            self._around.count("known")
            return
        try:
            taken = self._courier.carry(self._mail(errand, recipient), recipient, errand.taken_s)
        except MailError as error:
            self._refuse(errand, recipient, error)
            return
        if taken:
            done.add(name)
            self._deliver(errand, recipient)

    def _mail(self, errand: Errand, recipient: str) -> EmailMessage:
        return compose(
            errand.alert,
            self._desk.sender,
            recipient,
            at=self._around.clock(),
            timezone=self._desk.timezone,
            pictures=self._pictures_for(errand, recipient),
            reminder=errand.reminder,
            waited=errand.waited,
        )

    def _pictures_for(self, errand: Errand, recipient: str) -> Sequence[tuple[str, bytes]]:
        """Channels get words alone: whether a service takes pictures it says by failing, when the words are told."""
        if channel_of(recipient):
            return ()
        if errand.pictures is None:
            errand.pictures = self._pictures(errand.alert)
        return errand.pictures

    def _pictures(self, alert: Alert) -> Sequence[tuple[str, bytes]]:
        try:
            return self._around.pictures(alert)
        except RoadwatchError as error:
            log.warning("mail goes without pictures", alert=alert.alert_id, error=str(error))
            return ()

    def _deliver(self, errand: Errand, recipient: str) -> None:
        alert, told = errand.alert, told_of(errand.alert, errand.reminder)
        errand.waiting.remove(recipient)
        log.info("mail delivered", alert=alert.alert_id, state=told, recipient=recipient)
        message = message_id(alert, self._desk.sender, recipient, told)
        identity = self._delivery_id(errand, recipient), alert.alert_id, recipient, message
        self._courier.record(Delivery(*identity, self._around.clock()))

    def _refuse(self, errand: Errand, recipient: str, error: MailError) -> None:
        errand.waiting.remove(recipient)
        errand.refusals.append(Refusal(recipient, error))
        self._around.count("refused")
        log.error("mail refused for good", alert=errand.alert.alert_id, recipient=recipient, error=str(error))


def _envelope(recipient: str) -> str:
    return recipient if channel_of(recipient) else bare_address(recipient)


def backoff_s(tries: int, random: float) -> float:
    """How long to wait after so many failures in a row: doubling up to a minute, half of it left to chance."""
    longest = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(tries - 1, 30))
    return longest * (0.5 + 0.5 * random)
