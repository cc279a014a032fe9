"""Mails on their way out: by SMTP, or into a list.

    opening the connection fails    ─┐
    the server says 4xx             ─┴─► MailDeferredError   tried again
    the server says 5xx to a mail   ───► MailError           this recipient's mail is given up

A wrong password, a certificate that does not verify or a missing STARTTLS defers: it is about the connection and not
about the mail, and is mended in the settings while the mails wait.
"""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Literal, Protocol

from schemas.errors import MailDeferredError, MailError


class Transport(Protocol):
    """Takes a mail to its recipient."""

    def send(self, mail: EmailMessage, sender: str, recipient: str) -> None:
        """Hand the mail over; when this returns, the other side has taken responsibility for it.

        Args:
            mail: Headers and parts.
            sender: The envelope's sender, a bare address.
            recipient: The envelope's recipient, a bare address.

        Raises:
            MailDeferredError: it may be taken later.
            MailError: it will not be taken.

        """


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where mails are handed over, and how."""

    host: str
    "Its name; certificates are checked against it."
    port: int
    "587 for STARTTLS, 465 for TLS, as a rule."
    security: Literal["none", "starttls", "tls"] = "none"
    "How the connection is encrypted."
    username: str | None = None
    "For the login; None for none."
    password: str = field(default="", repr=False)
    "For the login."
    timeout_s: float = 20.0
    "For each step of a delivery."


class SmtpTransport:
    """Hands mails to a server, each over a connection of its own: alerts are rare, and idle connections die."""

    def __init__(self, server: SmtpServer, tls: ssl.SSLContext | None = None) -> None:
        """`tls`: whom to trust; None for the system's authorities (`SSL_CERT_FILE` names others)."""
        self._server = server
        self._tls = tls

    def send(self, mail: EmailMessage, sender: str, recipient: str) -> None:
        """Hand the mail to the server; see `Transport.send`."""
        with self._connection() as smtp:
            try:
                smtp.send_message(mail, sender, [recipient])
            except smtplib.SMTPRecipientsRefused as error:
                code, said = next(iter(error.recipients.values()))
                raise self._refusal(code, said, recipient) from error
            except smtplib.SMTPResponseException as error:
                raise self._refusal(error.smtp_code, error.smtp_error, recipient) from error
            except smtplib.SMTPNotSupportedError as error:
                raise MailError(f"mail to {recipient}: {self._name} cannot take this address: {error}") from error
            except OSError as error:  # a connection that breaks or falls silent; smtplib's own errors are among them
                raise MailDeferredError(f"mail to {recipient}: {self._name} broke off: {_words(error)}") from error

    @contextmanager
    def _connection(self) -> Iterator[smtplib.SMTP]:
        smtp = self._open()
        try:
            yield smtp
            with suppress(OSError):  # the mail is with the server: how the parting goes changes nothing
                smtp.quit()
        finally:
            smtp.close()

    def _open(self) -> smtplib.SMTP:
        try:
            return self._log_in(self._connect())
        except smtplib.SMTPAuthenticationError as error:
            raise MailDeferredError(
                f"{self._name} refuses the login of {self._server.username!r}: {error.smtp_code} {_said(error.smtp_error)};"
                " check mail.username and mail.password_file"
            ) from error
        except UnicodeError as error:
            raise MailDeferredError(
                f"{self._name}: the login is not ASCII; check mail.username and mail.password_file"
            ) from error
        except ssl.SSLError as error:
            raise MailDeferredError(
                f"{self._name}: no trusted encryption ({_words(error)}); check mail.security, mail.port and the certificate"
            ) from error
        except OSError as error:
            raise MailDeferredError(
                f"no SMTP server to be used at {self._name}: {_words(error)}; check mail.host, mail.port and mail.security"
            ) from error

    def _connect(self) -> smtplib.SMTP:
        server = self._server
        if server.security == "tls":
            return smtplib.SMTP_SSL(server.host, server.port, timeout=server.timeout_s, context=self._context())
        return smtplib.SMTP(server.host, server.port, timeout=server.timeout_s)

    def _log_in(self, smtp: smtplib.SMTP) -> smtplib.SMTP:
        try:
            if self._server.security == "starttls":
                smtp.starttls(context=self._context())
            if self._server.username:
                smtp.login(self._server.username, self._server.password)
        except BaseException:
            smtp.close()
            raise
        return smtp

    def _context(self) -> ssl.SSLContext:
        return self._tls or ssl.create_default_context()

    @property
    def _name(self) -> str:
        return f"{self._server.host}:{self._server.port}"

    def _refusal(self, code: int, said: bytes | str, recipient: str) -> MailError:
        kind = MailDeferredError if 400 <= code < 500 else MailError
        return kind(f"mail to {recipient}: {self._name} said {code} {_said(said)}")


class MemoryTransport:
    """Keeps mails in a list; refuses those to chosen recipients. For tests and dry runs."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, EmailMessage]] = []
        "Recipient and mail, in order."
        self.refusals: dict[str, MailError] = {}
        "What is raised instead of taking a mail, by recipient."

    def send(self, mail: EmailMessage, sender: str, recipient: str) -> None:  # the seam's signature
        """Keep the mail, or raise what is laid ready for its recipient."""
        if recipient in self.refusals:
            raise self.refusals[recipient]
        self.mails.append((recipient, mail))


def _said(reply: bytes | str) -> str:
    text = reply.decode(errors="replace") if isinstance(reply, bytes) else reply
    return " ".join(text.split())[:200]


def _words(error: OSError) -> str:
    return _said(str(error)) or type(error).__name__
