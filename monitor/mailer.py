"""The mailer as a service: alerts from Kafka to inboxes.

    alerts ─┬► backlog of errands ─► mails ─► deliveries ─► offsets committed
            │      └─ unreadable, or refused for a recipient ─► alerts.dlq
            └► read whole when a digest is due, or every five minutes where alerts escalate ─► mails ─► deliveries

An offset is committed once its alert and all before it are done with, so that a killed mailer finds them again.
While a server is away the alerts wait in the backlog, and the consumer goes on polling to keep its partition. Whoever
holds the alerts' partition sends the digests and escalates.
"""

import random
import socket
import ssl
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from threading import Event
from typing import Generic, Protocol, TypeVar

import structlog
from prometheus_client import Counter, Gauge

from monitor.channels import ChannelTransport, Routes, open_channels
from monitor.digester import Digester
from monitor.digests import Logged
from monitor.errands import Courier, Desk, Errand, Mailer, Outcome, Pictures, Surroundings
from monitor.escalation import silences_of
from monitor.escalator import Escalator
from monitor.policies import subscribers_of
from monitor.silences import Silences
from monitor.smtp import SmtpServer, SmtpTransport, Transport
from runtime.admin import TopicAdmin
from runtime.clients import Outgoing, Reader, Received, Writer
from runtime.registry import open_codec
from runtime.service import Pulse
from runtime.sessions import run_sessions
from runtime.settings import KafkaSettings, MailSettings, Settings, read_secret
from runtime.spans import read_all
from schemas.codec import Codec
from schemas.dead_letters import dead_letter_headers
from schemas.errors import ConfigurationError, RecordError, RoadwatchError
from schemas.records import Alert, AlertAction, DeadLetter, Delivery, Record
from schemas.topics import ALERT_ACTIONS, ALERTS, DELIVERIES, Names, Topic

log = structlog.get_logger(__name__)

T = TypeVar("T", bound=Record)

MAILS = Counter("roadwatch_mails_total", "Tries to deliver a mail, by what became of them.", ["outcome"])
WAITING = Gauge("roadwatch_alerts_waiting", "Alerts that some recipient still waits for.")

LONGEST_BACKLOG = 256
"Alerts held at once. At the bound the mailer reads no more; what is not read stays on its topic."
POLL_S = 0.5
LONGEST_ROUND_S = 60.0
"A round of tries gives way to a poll after this time: Kafka takes a consumer that is silent for 300 s for dead."


class Whole(Generic[T]):
    """A topic that is read from its beginning to its end whenever it is asked for."""

    def __init__(self, settings: KafkaSettings, codec: Codec, topic: Topic, kind: type[T]) -> None:
        self._settings = settings
        self._codec = codec
        self._topic = settings.names.of(topic)
        self._kind = kind
        self._said: set[tuple[int, int]] = set()

    def records(self) -> Iterator[Received]:
        """All that is on it now."""
        return read_all(self._settings, self._topic)

    def decoded(self, record: Received) -> T | None:
        """What a record says; None where it cannot be read, which is said once of each."""
        try:
            return self._codec.decode(record.value, self._kind)
        except RecordError as error:
            self._say(record, error)
            return None

    def _say(self, record: Received, error: RecordError) -> None:
        place = record.partition, record.offset
        if place not in self._said:
            self._said.add(place)
            log.warning(
                "a record cannot be read, digests and escalations leave it out",
                topic=self._topic,
                offset=record.offset,
                error=str(error),
            )


class KafkaDeliveries:
    """The record of deliveries, on its compacted topic."""

    def __init__(self, settings: KafkaSettings, writer: Writer, codec: Codec) -> None:
        self._topic = Whole(settings, codec, DELIVERIES, Delivery)
        self._writer = writer

    def delivered(self, ids: Collection[str]) -> set[str]:
        """Those of the deliveries that are on record: the topic is read to its end.

        It is read anew each time because another mailer of the group may have written to it, and because alerts are
        rare and a year of deliveries is a megabyte.
        """
        found: set[str] = set()
        for record in self._topic.records():
            name = (record.key or b"").decode(errors="replace")
            if name in ids:
                (found.add if record.value else found.discard)(name)
        return found

    def told(self, alerts: Collection[str]) -> list[Delivery]:
        """What is on record of some alerts, by their ids: the topic is read as well."""
        found: dict[bytes | None, Delivery] = {}
        for record in self._topic.records():
            found.pop(record.key, None)
            delivery = self._topic.decoded(record) if record.value else None
            if delivery and delivery.alert_id in alerts:
                found[record.key] = delivery
        return list(found.values())

    def record(self, delivery: Delivery) -> None:
        """Write the delivery and wait until the broker has it."""
        self._writer.send(DELIVERIES, delivery.delivery_id, delivery)
        self._writer.flush()


class KafkaAlerts:
    """The alerts as they stand on their topic: as often as each has changed, or fewer where Kafka has compacted them."""

    def __init__(self, settings: KafkaSettings, codec: Codec) -> None:
        self._topic = Whole(settings, codec, ALERTS, Alert)

    def logged(self, whole: Collection[str] = ()) -> Iterator[Logged]:
        """Read them from the beginning to the end, without reports and findings, which are large, but for some ids' alerts.

        What cannot be read is left out here; it becomes a dead letter when its turn comes.
        """
        for record in self._topic.records():
            if alert := self._topic.decoded(record):
                at = datetime.fromtimestamp(record.timestamp_ms / 1000, UTC)
                yield Logged(alert if alert.alert_id in whole else replace(alert, report=None, findings=()), at)


class KafkaSilences:
    """What people asked not to be told of, as it stands on the topic of their actions."""

    def __init__(self, settings: KafkaSettings, codec: Codec) -> None:
        self._topic = Whole(settings, codec, ALERT_ACTIONS, AlertAction)

    def asked(self) -> Silences:
        """Read them from the beginning to the end; what cannot be read is the monitor's to dead-letter."""
        actions = (self._topic.decoded(record) for record in self._topic.records())
        return silences_of(action for action in actions if action)


@dataclass(frozen=True, slots=True)
class Held:
    """An alert as it was read, and what is to be done about it."""

    record: Received
    "Where it lies."
    errand: Errand | None
    "None when there is nothing to do: it was unreadable."

    @property
    def done(self) -> bool:
        """Whether nobody waits for it any more."""
        return self.errand is None or not (self.errand.waiting or self.errand.refusals)


class DeadLetters:
    """Takes alerts that cannot be mailed to `alerts.dlq`."""

    def __init__(self, writer: Writer, names: Names) -> None:
        self._writer = writer
        self._names = names

    def add(self, record: Received, error: RoadwatchError) -> None:
        """Send a record there, with the reason in its headers, and wait until the broker has it."""
        log.error(
            "alert sent to dead letters",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            error=str(error),
        )
        letter = DeadLetter(type(error).__name__, str(error), record.topic, record.partition, record.offset, "mailer")
        headers = [*record.headers, *dead_letter_headers(letter)]
        self._writer.send_bytes(Outgoing(self._names.dead_letters_of(ALERTS), record.key, record.value, headers))
        self._writer.flush()


class Round(Protocol):
    """Something that is told from the alerts' whole topic, by the one mailer that holds it."""

    def serve(self, go_on: Callable[[], bool]) -> None:
        """Make what is due, and try each mail that waits, once, until `go_on` says no; raises BrokerError."""

    def forget(self) -> None:
        """Let go of all that is held: another mailer may go on with it."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a mailer does with what it reads."""

    mailer: Mailer
    "Tells each alert at once."
    rounds: tuple[Round, ...]
    "Tell many at a time, and what nobody acknowledges."
    alerts: str
    "The alerts' topic on this cluster."


class Session:
    """One stay in the consumer group."""

    def __init__(self, reader: Reader, work: Work, codec: Codec, dead_letters: DeadLetters) -> None:
        self._reader = reader
        self._mailer = work.mailer
        self._rounds = work.rounds
        self._alerts = work.alerts
        self._codec = codec
        self._dead_letters = dead_letters
        self._backlog: list[Held] = []

    def run(self, stop: Event, alive: Callable[[], None]) -> None:
        """Read, mail and commit until `stop` is set; `alive` is called at every turn.

        Raises:
            BrokerError: the stay is over; what was not committed is read again in the next one.

        """
        self._forget()
        while not stop.is_set():
            alive()
            self._read()
            self._mailer.serve([held.errand for held in self._backlog if held.errand], _while_in_time(stop))
            self._bury_refused()
            self._commit()
            WAITING.set(len(self._backlog))
            self._make_rounds(stop)

    def _make_rounds(self, stop: Event) -> None:
        if (self._alerts, 0) not in self._reader.assigned:  # the topic has one partition
            self._forget()
            return
        for each in self._rounds:
            each.serve(_while_in_time(stop))

    def _forget(self) -> None:
        for each in self._rounds:
            each.forget()

    def _read(self) -> None:
        room = LONGEST_BACKLOG - len(self._backlog)
        if room <= 0:
            self._reader.rest(POLL_S)
            return
        records = self._reader.read(room, POLL_S)
        if records:
            self._hold(records)

    def _hold(self, records: list[Received]) -> None:
        alerts = [self._alert(record) for record in records]
        errands = iter(self._mailer.errands([alert for alert in alerts if alert]))
        pairs = zip(records, alerts, strict=True)
        self._backlog += [Held(record, next(errands) if alert else None) for record, alert in pairs]

    def _alert(self, record: Received) -> Alert | None:
        try:
            return self._codec.decode(record.value, Alert)
        except RecordError as error:
            self._dead_letters.add(record, error)
            return None

    def _bury_refused(self) -> None:
        for held in self._backlog:
            while held.errand and held.errand.refusals:
                self._dead_letters.add(held.record, held.errand.refusals[0].error)
                held.errand.refusals.pop(0)

    def _commit(self) -> None:
        """Commit as far as everything is done with, partition by partition."""
        kept: list[Held] = []
        last: dict[int, Received] = {}
        for held in self._backlog:
            if held.done and all(other.record.partition != held.record.partition for other in kept):
                last[held.record.partition] = held.record
            else:
                kept.append(held)
        for record in last.values():
            self._reader.commit(record)
        self._backlog = kept


def _while_in_time(stop: Event) -> Callable[[], bool]:
    end = time.monotonic() + LONGEST_ROUND_S
    return lambda: not stop.is_set() and time.monotonic() < end


def run_mailer(settings: Settings, stop: Event, instance: str | None = None, pictures: Pictures = lambda _: ()) -> None:
    """Mail alerts until `stop` is set.

    Args:
        settings: The cluster, the SMTP server, the subscriptions.
        stop: Set it to end after the mail at hand.
        instance: Names this mailer within its group for good; None: the host's name. Two mailers of a group never
            share one.
        pictures: Finds the example pictures of an alert, JPEG; none by default.

    Raises:
        BrokerUnavailableError: nobody answers at the start; later on the broker is waited for.
        TopicError: topics are missing or not as the table says.
        ConfigurationError: a secret's file or a channel's URL cannot be read, or a subscription is to what there is not,
            or all wait for somebody to be told first.

    """
    TopicAdmin(settings.kafka).require()
    codec = open_codec(settings.kafka)
    channels = ChannelTransport(open_channels(settings.mail), settings.mail.timeout_s)
    transport = Routes(SmtpTransport(_server(settings.mail), _trust(settings.mail)), channels)
    with Writer(settings.kafka, codec, linger_ms=0) as writer:
        work = _work(settings, transport, KafkaDeliveries(settings.kafka, writer, codec), codec, pictures)
        dead_letters = DeadLetters(writer, settings.kafka.names)

        def session() -> None:
            with Reader(settings.kafka, [work.alerts], settings.mail.group, instance=member) as reader:
                Session(reader, work, codec, dead_letters).run(stop, Pulse(settings.service.heartbeat_file).beat)

        member = instance or socket.gethostname()
        log.info("mailer is ready", server=settings.mail.host, subscriptions=len(settings.mail.subscriptions))
        run_sessions(session, stop)


def _work(
    settings: Settings, transport: Transport, deliveries: KafkaDeliveries, codec: Codec, pictures: Pictures
) -> Work:
    desk, around = _desk(settings), _surroundings(pictures)
    courier = Courier(desk.sender, transport, deliveries, around)
    alerts, silences = KafkaAlerts(settings.kafka, codec), KafkaSilences(settings.kafka, codec)
    mailer = Mailer(desk, courier, deliveries, around)
    rounds = (
        Digester(desk, courier, deliveries, alerts.logged, around),
        Escalator(desk, mailer, courier, deliveries, alerts.logged, silences.asked, around),
    )
    return Work(mailer, rounds, settings.kafka.names.of(ALERTS))


def _server(mail: MailSettings) -> SmtpServer:
    password = read_secret(mail.password_file) if mail.password_file else ""
    if mail.password is not None:
        password = mail.password.get_secret_value()
    return SmtpServer(mail.host, mail.port, mail.security, mail.username, password, mail.timeout_s)


def _trust(mail: MailSettings) -> ssl.SSLContext | None:
    """Whom to trust; None for the system's authorities."""
    if mail.ca_file is None:
        return None
    try:
        return ssl.create_default_context(cafile=str(mail.ca_file))
    except OSError as error:  # ssl's own errors are among them
        raise ConfigurationError("mail.ca_file", [f"{mail.ca_file} cannot be read as certificates: {error}"]) from error


def _desk(settings: Settings) -> Desk:
    mail = settings.mail
    return Desk(mail.sender, subscribers_of(mail), settings.monitor.timezone, mail.reminder_days, mail.digest_at)


def _surroundings(pictures: Pictures) -> Surroundings:
    def count(outcome: Outcome) -> None:
        MAILS.labels(outcome).inc()

    # Not for secrets: it only keeps several mailers from knocking at the same moment.
    return Surroundings(lambda: datetime.now(UTC), time.monotonic, random.random, count, pictures)
