"""Delivery over SMTP against real servers: encrypted or not, refusing, silent, gone."""

import ssl
from email import message_from_bytes
from email.message import EmailMessage

import pytest

from monitor.mail import compose
from monitor.smtp import SmtpServer, SmtpTransport
from schemas.errors import MailDeferredError, MailError
from tests.support.alerts import NOON, alert
from tests.support.smtp_servers import (
    HOST,
    Script,
    certificate,
    login_of,
    silent_server,
    smtp_server,
    unused_port,
)

SENDER, TEAM = "roadwatch@example.com", "team@example.com"


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def mail() -> EmailMessage:
    return compose(alert(), SENDER, TEAM, at=NOON, timezone="UTC")


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's context and that of a client who trusts it."""
    return certificate(tmp_path_factory.mktemp("tls"))


def test_a_plain_server_gets_the_mail_whole(script: Script, mail: EmailMessage) -> None:
    """Envelope and content arrive as they were written."""
    with smtp_server(script) as port:
        SmtpTransport(SmtpServer(HOST, port)).send(mail, SENDER, TEAM)
    (taken,) = script.mails
    assert (taken.mail_from, taken.rcpt_tos) == (SENDER, [TEAM])
    sent = message_from_bytes(taken.original_content or b"", policy=mail.policy)
    assert sent["Message-ID"] == mail["Message-ID"]
    assert _lines(sent) == _lines(mail)


def test_starttls_with_login(script: Script, mail: EmailMessage, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """The connection is encrypted before the password is sent."""
    with smtp_server(script, tls_context=tls[0], require_starttls=True, **login_of("rw", "s3cret")) as port:
        SmtpTransport(SmtpServer(HOST, port, "starttls", "rw", "s3cret"), tls[1]).send(mail, SENDER, TEAM)
    assert len(script.mails) == 1


def test_tls_from_the_first_byte(
    script: Script, mail: EmailMessage, tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    """Port 465's way."""
    with smtp_server(script, ssl_context=tls[0]) as port:
        SmtpTransport(SmtpServer(HOST, port, "tls"), tls[1]).send(mail, SENDER, TEAM)
    assert len(script.mails) == 1


def test_an_untrusted_certificate_defers(
    script: Script, mail: EmailMessage, tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    """Nothing is sent to a server that cannot prove who it is; mails wait until that is mended."""
    with (
        smtp_server(script, tls_context=tls[0]) as port,
        pytest.raises(MailDeferredError, match="no trusted encryption"),
    ):
        SmtpTransport(SmtpServer(HOST, port, "starttls")).send(mail, SENDER, TEAM)
    assert script.mails == []


def test_a_server_without_starttls_defers(script: Script, mail: EmailMessage) -> None:
    """What should be encrypted is not sent in the clear."""
    with smtp_server(script) as port, pytest.raises(MailDeferredError, match=r"mail\.security"):
        SmtpTransport(SmtpServer(HOST, port, "starttls")).send(mail, SENDER, TEAM)


def test_a_wrong_password_defers_and_is_not_told(
    script: Script, mail: EmailMessage, tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    """The message names the settings to look at, never the password."""
    with smtp_server(script, tls_context=tls[0], **login_of("rw", "s3cret")) as port:
        server = SmtpServer(HOST, port, "starttls", "rw", "wr0ng")
        with pytest.raises(MailDeferredError, match=r"mail\.password_file") as raised:
            SmtpTransport(server, tls[1]).send(mail, SENDER, TEAM)
    assert "wr0ng" not in str(raised.value)
    assert "wr0ng" not in repr(server)


def test_4xx_defers_and_the_next_try_succeeds(script: Script, mail: EmailMessage) -> None:
    """Greylisting: not now, but later."""
    script.to_recipients.append("451 Try again later")
    with smtp_server(script) as port:
        transport = SmtpTransport(SmtpServer(HOST, port))
        with pytest.raises(MailDeferredError, match="451 Try again later"):
            transport.send(mail, SENDER, TEAM)
        transport.send(mail, SENDER, TEAM)
    assert len(script.mails) == 1


@pytest.mark.parametrize("step", ["to_recipients", "to_data"])
def test_5xx_is_final(script: Script, mail: EmailMessage, step: str) -> None:
    """A refusal says who refused, whom, and why."""
    getattr(script, step).append("550 No such user here")
    with smtp_server(script) as port, pytest.raises(MailError, match=r"team@example\.com.*550 No such user") as raised:
        SmtpTransport(SmtpServer(HOST, port)).send(mail, SENDER, TEAM)
    assert not raised.value.retriable


def test_an_over_large_mail_is_final(script: Script, mail: EmailMessage) -> None:
    """A server's limit is a refusal of this mail, not a reason to try forever."""
    with smtp_server(script, data_size_limit=100) as port, pytest.raises(MailError) as raised:
        SmtpTransport(SmtpServer(HOST, port)).send(mail, SENDER, TEAM)
    assert not raised.value.retriable


def test_a_silent_server_defers(mail: EmailMessage) -> None:
    """Nobody waits for ever."""
    with silent_server() as port, pytest.raises(MailDeferredError, match="timed out"):
        SmtpTransport(SmtpServer(HOST, port, timeout_s=0.2)).send(mail, SENDER, TEAM)


def test_an_absent_server_defers(mail: EmailMessage) -> None:
    """The message names the address and the settings to look at."""
    port = unused_port()
    with pytest.raises(MailDeferredError, match=rf"{HOST}:{port}.*mail\.host"):
        SmtpTransport(SmtpServer(HOST, port)).send(mail, SENDER, TEAM)


def test_an_address_that_the_server_cannot_take_is_final(script: Script, mail: EmailMessage) -> None:
    """An address outside ASCII needs SMTPUTF8, which not every server has."""
    with smtp_server(script, enable_SMTPUTF8=False) as port, pytest.raises(MailError) as raised:
        SmtpTransport(SmtpServer(HOST, port)).send(mail, SENDER, "brücke@example.com")
    assert not raised.value.retriable


def _lines(mail: EmailMessage) -> list[list[str]]:
    """The lines of each part."""
    return [part.get_content().splitlines() for part in mail.iter_parts()]
