"""Real SMTP servers for the tests: their replies are chosen, their certificates made on the spot."""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

HOST = "127.0.0.1"


@dataclass(slots=True)
class Script:
    """How a server answers, and what it was given."""

    to_recipients: list[str] = field(default_factory=list)
    "Replies to RCPT, used up one by one; 250 afterwards."
    to_data: list[str] = field(default_factory=list)
    "Replies to DATA, likewise."
    mails: list[Envelope] = field(default_factory=list)
    "What was taken."

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take a recipient, or say what was laid ready."""
        reply = self.to_recipients.pop(0) if self.to_recipients else "250 OK"
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  # likewise
        """Take a mail, or say what was laid ready."""
        reply = self.to_data.pop(0) if self.to_data else "250 OK"
        if reply.startswith("250"):
            self.mails.append(envelope)
        return reply


@contextmanager
def smtp_server(script: Script, *, port: int = 0, **options: Any) -> Iterator[int]:
    """A server at a free port, which is given; `options` are aiosmtpd's."""
    server = _Server(script, socket.create_server((HOST, port)), **options)
    server.start()
    try:
        yield server.port
    finally:
        server.stop()


class _Server(Controller):
    """Serves a socket that is bound already."""

    def __init__(self, script: Script, listener: socket.socket, **options: Any) -> None:
        host, port = listener.getsockname()
        super().__init__(script, host, port, server_hostname="localhost", **options)
        self._listener = listener

    def _create_server(self) -> Awaitable[asyncio.AbstractServer]:
        return self.loop.create_server(self._factory_invoker, sock=self._listener, ssl=self.ssl_context)


def login_of(username: str, password: str) -> dict[str, Any]:
    """The options of a server that asks for this login."""

    def check(_server: object, _session: object, _envelope: object, _mechanism: str, given: object) -> AuthResult:
        expected = LoginPassword(username.encode(), password.encode())
        return AuthResult(success=given == expected, handled=False)

    return {"authenticator": check, "auth_required": True}


@contextmanager
def silent_server() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server((HOST, 0)) as listener:
        yield int(listener.getsockname()[1])


def unused_port() -> int:
    """A port at which nobody listens."""
    with socket.create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])


def certificate(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The contexts of a server on 127.0.0.1 with a certificate of its own, and of a client that trusts it alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.test")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return _contexts(folder / "server.pem", key, signed)


def _contexts(
    file: Path, key: ec.EllipticCurvePrivateKey, signed: x509.Certificate
) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(private + signed.public_bytes(pem))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cadata=signed.public_bytes(pem).decode())
