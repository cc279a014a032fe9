"""A local inbox: an SMTP server on this machine that keeps each mail as a file, for the demo and for trying things out.

It listens on 127.0.0.1, asks for no login and sends nothing on.
"""

import asyncio
import email.policy
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Self
from uuid import uuid4

import structlog
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from schemas.errors import ConfigurationError

log = structlog.get_logger(__name__)

HOST = "127.0.0.1"
LARGEST_MAIL = 5 * 1024 * 1024
"Bytes; a mail about an alert has some 40 kB."


@dataclass(frozen=True, slots=True)
class KeptMail:
    """A mail in the inbox."""

    path: Path
    "Its .eml file, which any mail program opens."
    sender: str
    "The From header."
    recipient: str
    "The To header."
    subject: str
    "The Subject header."
    date: str
    "The Date header."
    message_id: str
    "The Message-ID header: a mail that was sent twice has the same one."
    text: str
    "The text part; empty when there is none."
    html: str
    "The HTML part; empty when there is none."


class Inbox:
    """Takes mails for as long as it is started; also a context manager.

    Args:
        folder: Where mails are kept; made when it does not exist.
        port: Where it listens; 0 for any free port.
        on_mail: Called with each mail once it is on disk, in the server's thread.

    """

    def __init__(self, folder: Path, port: int = 0, on_mail: Callable[[KeptMail], None] | None = None) -> None:
        self._folder = folder
        self._wanted_port = port
        self._on_mail = on_mail
        self._controller: Controller | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """Where it listens, while it is started; the wanted port otherwise."""
        return self._controller.port if self._controller else self._wanted_port

    def start(self) -> None:
        """Listen.

        Raises:
            ConfigurationError: the port is taken, or the folder cannot be written.

        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            why = f"the folder cannot be made: {error.strerror}; name another one"
            raise ConfigurationError(f"inbox {self._folder}", [why]) from error
        try:
            listener = socket.create_server((HOST, self._wanted_port))
        except OSError as error:
            raise ConfigurationError(f"inbox {self._folder}", [f"port {self._wanted_port}: {error}"]) from error
        self._controller = _Server(_Keeper(self._folder, self._on_mail), listener)
        self._controller.start()
        log.info("inbox is open", port=self.port, folder=str(self._folder))

    def stop(self) -> None:
        """Stop listening; a second call does nothing."""
        if self._controller:
            self._controller.stop(no_assert=True)
            self._controller = None


class _Server(Controller):
    """Serves a socket that is bound already: a taken port shows before any thread runs, and 0 gives a known one."""

    def __init__(self, keeper: "_Keeper", listener: socket.socket) -> None:
        host, port = listener.getsockname()
        super().__init__(keeper, host, port, data_size_limit=LARGEST_MAIL, server_hostname="localhost")
        self._listener = listener

    def _create_server(self) -> Awaitable[asyncio.AbstractServer]:
        return self.loop.create_server(self._factory_invoker, sock=self._listener)


class _Keeper:
    """Writes each mail to a file."""

    def __init__(self, folder: Path, on_mail: Callable[[KeptMail], None] | None) -> None:
        self._folder = folder
        self._on_mail = on_mail

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's name
        """Keep a mail; the reply that the sender gets."""
        content = envelope.content if isinstance(envelope.content, bytes) else str(envelope.content).encode()
        try:
            path = await asyncio.to_thread(keep, self._folder, content, datetime.now(UTC))
        except OSError as error:
            log.error("mail not kept", folder=str(self._folder), error=str(error))  # noqa: TRY400  # the reason suffices
            return "452 The folder cannot be written"
        if self._on_mail:
            # Not called here: what a callback raises is no reason to refuse a mail that is on disk.
            asyncio.get_running_loop().call_soon(self._on_mail, _parse(path, content))
        return "250 Kept"


def keep(folder: Path, content: bytes, at: datetime) -> Path:
    """Write a mail to a file whose name sorts by time; a reader sees it whole or not at all."""
    name = f"{at:%Y-%m-%dT%H-%M-%S.%f}Z-{uuid4().hex[:6]}"
    unfinished, path = folder / f".{name}.part", folder / f"{name}.eml"
    unfinished.write_bytes(content)
    return unfinished.replace(path)


def read_mails(folder: Path) -> Iterator[KeptMail]:
    """The mails that a folder keeps, the oldest first; none when the folder does not exist."""
    for path in sorted(folder.glob("*.eml")):
        with suppress(FileNotFoundError):  # somebody tidied up meanwhile
            yield _parse(path, path.read_bytes())


def _parse(path: Path, content: bytes) -> KeptMail:
    mail = BytesParser(policy=email.policy.default).parsebytes(content)
    return KeptMail(
        path=path,
        sender=str(mail["From"] or ""),
        recipient=str(mail["To"] or ""),
        subject=str(mail["Subject"] or ""),
        date=str(mail["Date"] or ""),
        message_id=str(mail["Message-ID"] or ""),
        text=_body(mail, "plain"),
        html=_body(mail, "html"),
    )


def _body(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    with suppress(LookupError):  # a charset that Python does not know
        return str(part.get_content()) if part else ""
    return ""
