"""Channels: alerts and digests by Apprise, to a service that takes them, fails, or says nothing."""

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from io import StringIO
from pathlib import Path

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from monitor.channels import ChannelTransport, Routes, open_channels
from monitor.digester import Digester
from monitor.digests import Logged
from monitor.errands import Courier, Desk, Mailer, MemoryDeliveries, Outcome, Surroundings
from monitor.mail import delivery_id, message_id
from monitor.policies import subscribers_of
from monitor.smtp import MemoryTransport
from monitor.subscriptions import Subscriber
from runtime.settings import Channel, MailSettings, Subscription
from schemas.errors import ConfigurationError, MailDeferredError, MailError
from schemas.records import Alert
from tests.support.alerts import alert
from tests.support.services import Service, webhook

# Apprise loads all its services at once, and one of them a module that Python gives up.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

SENDER, ANNE, OPS = "roadwatch@example.com", "anne@example.com", "channel:ops"
SEVEN = datetime(2026, 11, 24, 7, tzinfo=UTC)
HOUR_S = 3600.0
SECRETS = ("rob0t", "hunter2", "T0KEN", "h1dden")
JPEG = b"\xff\xd8\xff picture"


def settings(port: int, timeout_s: float = 5.0) -> MailSettings:
    """A channel whose URL is secret from end to end."""
    url = f"json://rob0t:hunter2@127.0.0.1:{port}/T0KEN?+X-Key=h1dden"
    return MailSettings(channels=(Channel(name="ops", url=SecretStr(url)),), timeout_s=timeout_s)


@dataclass(slots=True)
class Office:
    """A mailer with a channel, whose service listens on a port."""

    port: int
    service: Service
    timeout_s: float = 5.0
    subscribers: tuple[Subscriber, ...] = (Subscriber(OPS, "info", frozenset()),)
    transport: MemoryTransport = field(default_factory=MemoryTransport)
    deliveries: MemoryDeliveries = field(default_factory=MemoryDeliveries)
    log: list[Logged] = field(default_factory=list)
    now_s: float = 0.0
    looks: int = 0
    outcomes: list[Outcome] = field(default_factory=list)
    mailer: Mailer = field(init=False)
    digester: Digester = field(init=False)

    def __post_init__(self) -> None:
        self.open()

    def open(self) -> None:
        """Begin anew, as after a restart."""
        mail = settings(self.port, timeout_s=self.timeout_s)
        routes = Routes(self.transport, ChannelTransport(open_channels(mail), mail.timeout_s))
        around = Surroundings(self.clock, lambda: self.now_s, lambda: 1.0, self.outcomes.append, self.look)
        courier = Courier(SENDER, routes, self.deliveries, around)
        desk = Desk(SENDER, self.subscribers, "UTC")
        self.mailer = Mailer(desk, courier, self.deliveries, around)
        self.digester = Digester(desk, courier, self.deliveries, lambda: self.log, around)

    def clock(self) -> datetime:
        """So many seconds after seven."""
        return SEVEN + timedelta(seconds=self.now_s)

    def look(self, _: Alert) -> list[tuple[str, bytes]]:
        """Find a picture."""
        self.looks += 1
        return [("gate:1", JPEG)]


@pytest.fixture
def office() -> Iterator[Office]:
    service = Service()
    with webhook(service) as port:
        yield Office(port, service)


def test_a_channel_is_told_the_subject_and_the_text(office: Office) -> None:
    """And the delivery is on record under the channel's name."""
    office.mailer.serve(office.mailer.errands([alert()]))
    (told,) = office.service.told
    assert told["title"] == "[Roadwatch] critical: Accuracy fell to 42 % on gate-north"
    assert "Clean or realign the camera." in told["message"]
    assert "<td" not in told["message"]
    (record,) = office.deliveries.records.values()
    assert (record.delivery_id, record.message_id) == (delivery_id(alert(), OPS), message_id(alert(), SENDER, OPS))


def test_after_a_restart_a_channel_is_told_nothing_again(office: Office) -> None:
    office.mailer.serve(office.mailer.errands([alert()]))
    office.open()
    office.mailer.serve(office.mailer.errands([alert()]))
    assert (len(office.service.told), office.outcomes) == (1, ["delivered", "known"])


def test_pictures_go_by_mail_alone(office: Office) -> None:
    """They are looked for where somebody gets them."""
    office.mailer.serve(office.mailer.errands([alert()]))
    assert (office.looks, office.service.told[0]["attachments"]) == (0, [])
    office.subscribers += (Subscriber(ANNE, "info", frozenset()),)
    office.open()
    office.mailer.serve(office.mailer.errands([alert(alert_id="b")]))
    ((recipient, mail),) = office.transport.mails
    assert (recipient, office.looks) == (ANNE, 1)
    assert "image/jpeg" in [part.get_content_type() for part in mail.walk()]


def test_a_service_that_fails_is_tried_again_until_it_is_well(office: Office) -> None:
    """The log says what it answered."""
    office.service.status = 500
    errands = office.mailer.errands([alert()])
    with capture_logs() as lines:
        office.mailer.serve(errands)
    assert lines[0]["error"] == "channel 'ops': its service did not take the message, it answered 500"
    office.mailer.serve(errands)
    office.service.status = 200
    office.now_s = 1.0
    office.mailer.serve(errands)
    assert (len(office.service.told), office.service.tries, office.outcomes) == (1, 2, ["deferred", "delivered"])


def test_after_a_day_of_trying_a_channel_is_given_up(office: Office) -> None:
    """The alert goes to the dead letters; who gets it by mail has it, and a newer alert has a day of its own."""
    office.service.status = 404
    errands = office.mailer.errands([alert()])
    for office.now_s in (0.0, 12 * HOUR_S, 23.9 * HOUR_S):
        office.mailer.serve(errands)
    assert errands[0].waiting == [OPS]
    errands += office.mailer.errands([alert(alert_id="b")])
    office.now_s = 24 * HOUR_S
    office.mailer.serve(errands)
    (refusal,) = errands[0].refusals
    assert str(refusal.error).endswith("it answered 404; given up after a day")
    assert (errands[0].waiting, errands[1].waiting) == ([], [OPS])


def test_a_mail_is_tried_for_ever(office: Office) -> None:
    """A mail server says when it is no use."""
    office.subscribers = (Subscriber(ANNE, "info", frozenset()),)
    office.open()
    office.transport.refusals[ANNE] = MailDeferredError("no answer")
    errands = office.mailer.errands([alert()])
    for office.now_s in (0.0, 99 * HOUR_S):
        office.mailer.serve(errands)
    assert errands[0].waiting == [ANNE]


def test_a_service_that_does_not_answer_is_not_waited_for(office: Office) -> None:
    """Longer than the setting says."""
    office.service.silent = threading.Event()
    office.timeout_s = 0.1
    office.open()
    (errand,) = office.mailer.errands([alert()])
    office.mailer.serve([errand])
    assert (errand.waiting, office.outcomes) == ([OPS], ["deferred"])
    office.service.silent.set()


def test_a_digest_goes_to_a_channel_too(office: Office) -> None:
    office.subscribers = (Subscriber(OPS, "info", frozenset(), digest="daily"),)
    office.log = [Logged(alert(alert_id=name), SEVEN - timedelta(hours=1)) for name in "ab"]
    office.open()
    office.digester.serve()
    (told,) = office.service.told
    assert told["title"].startswith("[Roadwatch] 2 new alerts: ")
    assert f"digest:2026-11-24|daily|{OPS}" in office.deliveries.records


def test_a_digest_is_given_up_after_a_day_and_its_alerts_are_in_the_next(office: Office) -> None:
    """A weekly one would else be tried for a week."""
    office.subscribers = (Subscriber(OPS, "info", frozenset(), digest="weekly"),)
    office.log = [Logged(alert(), SEVEN - timedelta(days=2))]
    office.service.status = 500
    office.open()
    for office.now_s in (0.0, 24 * HOUR_S):
        office.digester.serve()
    assert office.outcomes == ["deferred", "deferred", "refused"]
    office.service.status = 200
    office.now_s = 7 * 24 * HOUR_S
    office.digester.serve()
    assert [told["title"].partition(":")[0] for told in office.service.told] == ["[Roadwatch] 1 new alert"]


def test_very_long_texts_are_cut_to_what_a_service_takes(office: Office) -> None:
    """What matters stands first."""
    office.mailer.serve(office.mailer.errands([alert(summary="word " * 20_000)]))
    assert len(office.service.told[0]["message"]) <= 32_768


@contextmanager
def all_that_is_logged() -> Iterator[StringIO]:
    """What a service writes at its most talkative: its handler is the root's, as here."""
    root, text = logging.getLogger(), StringIO()
    handler, level = logging.StreamHandler(text), root.level
    root.addHandler(handler)
    root.setLevel(1)
    try:
        yield text
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def test_no_secret_of_a_url_is_said_anywhere(office: Office) -> None:
    """Neither in logs, however much they tell, nor in errors, records or the names of things."""
    errands = office.mailer.errands([alert()])
    with all_that_is_logged() as text, capture_logs() as lines:
        logging.getLogger("test").debug("written")
        office.open()
        for office.service.status, office.now_s in ((500, 0.0), (200, HOUR_S)):
            office.mailer.serve(errands)
        office.service.status = 500
        errands += office.mailer.errands([alert(alert_id="b")])
        for office.now_s in (2 * HOUR_S, 30 * HOUR_S):
            office.mailer.serve(errands)
    mail = settings(office.port)
    services = open_channels(mail)
    said = [text.getvalue(), lines, errands, office.deliveries.records, mail, mail.model_dump_json(), services]
    assert (text.getvalue(), len(errands[1].refusals)) == ("written\n", 1)
    assert not [secret for secret in SECRETS if secret in "".join(map(repr, said))]


def test_every_url_that_cannot_be_read_is_named_by_its_channel(tmp_path: Path) -> None:
    """And not said, for it holds secrets."""
    absent, binary = tmp_path / "absent", tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe hunter2")
    channels = (
        Channel(name="typo", url=SecretStr("slakc://hunter2")),
        Channel(name="absent", url_file=absent),
        Channel(name="binary", url_file=binary),
    )
    with pytest.raises(ConfigurationError) as caught:
        open_channels(MailSettings(channels=channels))
    assert [fault.split(":")[0] for fault in caught.value.faults] == [
        "channel 'typo'",
        "channel 'absent'",
        "channel 'binary'",
    ]
    assert str(absent) in caught.value.faults[1]
    assert "hunter2" not in str(caught.value)


def test_a_url_comes_from_its_file(office: Office, tmp_path: Path) -> None:
    """With the newline that editors leave."""
    file = tmp_path / "url"
    file.write_text(f"json://127.0.0.1:{office.port}\n")
    services = open_channels(MailSettings(channels=(Channel(name="ops", url_file=file),)))
    assert services["ops"].notify(body="well")
    assert office.service.told[0]["message"] == "well"


def test_without_apprise_a_channel_is_a_fault_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing is needed where there is no channel."""
    monkeypatch.setitem(sys.modules, "apprise", None)
    assert open_channels(MailSettings()) == {}
    with pytest.raises(ConfigurationError) as caught:
        open_channels(settings(1))
    assert caught.value.faults == ["Apprise is not installed: pip install 'roadwatch[channels]'"]


def test_a_channel_that_is_none_is_refused_for_good() -> None:
    """It would else be tried for ever."""
    with pytest.raises(MailError, match="'ops' is no channel") as refusal:
        ChannelTransport({}, 1.0).send(EmailMessage(), SENDER, OPS)
    assert not refusal.value.retriable


def test_all_faults_of_subscriptions_are_named_at_once() -> None:
    """Names that two channels have, and channels and causes that there are not."""
    channels = (Channel(name="ops", url_file=Path("a")), Channel(name="ops", url_file=Path("b")))
    wishes = (Subscription(channel="opps"), Subscription(to=ANNE, causes=("frog",)), Subscription(channel="ops"))
    with pytest.raises(ConfigurationError) as caught:
        subscribers_of(MailSettings(channels=channels, subscriptions=wishes))
    assert [fault.split(";")[0] for fault in caught.value.faults] == [
        "two channels are called 'ops'",
        "channel:opps: 'opps' is no channel",
        "anne@example.com: 'frog' is no cause",
    ]
