"""Channels other than mail, told by Apprise: chats, telephones, webhooks.

    mail ─┬─ to an address    ─► SMTP
          └─ to channel:NAME  ─► Apprise ─► the mail's subject and text, without pictures

Apprise says that a service did not take something, and not whether it ever will: every failure is a MailDeferredError.
A channel's URL holds secrets. It is read once, and neither logged nor part of an error.
"""

import logging
import re
from collections.abc import Iterable, Mapping
from email.message import EmailMessage
from typing import TYPE_CHECKING, Final

from monitor.smtp import Transport
from monitor.subscriptions import channel_of
from runtime.settings import Channel, MailSettings, read_secret
from schemas.errors import ConfigurationError, MailDeferredError, MailError

if TYPE_CHECKING:
    from apprise import Apprise

TALKATIVE: Final = ("apprise", "urllib3", "requests_oauthlib", "oauthlib")
"Loggers that would write URLs, paths or tokens at some level."
STATUS: Final = re.compile(r"\berror=(\d{3})\b")
"How Apprise names the status of an HTTP answer."
STEPS: Final = 3
"A service's whole time in timeouts: to connect, to answer, and some for more than one request."


class ChannelTransport:
    """Hands mails over to channels, as their subject and text."""

    def __init__(self, services: Mapping[str, "Apprise"], timeout_s: float) -> None:
        """`services`: by channel's name, one service each."""
        self._services = services
        self._timeout_s = timeout_s

    def send(self, mail: EmailMessage, sender: str, recipient: str) -> None:  # the seam's signature
        """Tell the channel; see `Transport.send`."""
        name = channel_of(recipient) or recipient
        if name not in self._services:
            raise MailError(f"{name!r} is no channel; mail.channels has {', '.join(self._services) or 'none'}")
        told = self._services[name].notify(
            body=_text(mail), title=str(mail["Subject"]), body_format="text", timeout=STEPS * self._timeout_s
        )
        if not told:
            reason = _reason(entry.message for entry in told.logs())
            raise MailDeferredError(f"channel {name!r}: its service did not take the message{reason}")


class Routes:
    """Takes what is for a channel there, and all else to the mail server."""

    def __init__(self, mails: Transport, channels: Transport) -> None:
        self._mails = mails
        self._channels = channels

    def send(self, mail: EmailMessage, sender: str, recipient: str) -> None:
        """Hand the mail over; see `Transport.send`."""
        transport = self._mails if channel_of(recipient) is None else self._channels
        transport.send(mail, sender, recipient)


def open_channels(mail: MailSettings) -> dict[str, "Apprise"]:
    """The services behind the channels, by name; nothing is sent.

    Raises ConfigurationError naming every channel whose URL cannot be read, and no URL; or that Apprise is not installed.
    """
    if not mail.channels:
        return {}
    _require_apprise()
    for name in TALKATIVE:
        logging.getLogger(name).propagate = False
        logging.getLogger(name).addHandler(logging.NullHandler())
    services, faults = dict[str, "Apprise"](), list[str]()
    for channel in mail.channels:
        try:
            services[channel.name] = _service(channel, mail.timeout_s)
        except ConfigurationError as error:
            faults += error.faults
    if faults:
        raise ConfigurationError("mail.channels", faults)
    return services


def _require_apprise() -> None:
    try:
        import apprise  # noqa: F401  # an extra
    except ImportError as error:
        raise ConfigurationError(
            "mail.channels", ["Apprise is not installed: pip install 'roadwatch[channels]'"]
        ) from error


def _service(channel: Channel, timeout_s: float) -> "Apprise":
    from apprise import Apprise, AppriseAsset, OverflowMode

    url = _url(channel)
    service = Apprise.instantiate(url, asset=AppriseAsset(app_id="Roadwatch", secure_logging=True))
    if service is None:
        raise ConfigurationError(
            "mail.channels",
            [f"channel {channel.name!r}: Apprise cannot read its URL, such as 'slack://…' or 'json://…'"],
        )
    service.socket_connect_timeout = service.socket_read_timeout = timeout_s
    if "overflow=" not in url:  # services refuse what is too long for them; what matters stands first
        service.overflow_mode = OverflowMode.TRUNCATE
    one = Apprise()
    one.add(service)
    return one


def _url(channel: Channel) -> str:
    if channel.url is not None:
        return channel.url.get_secret_value().strip()
    if channel.url_file is None:
        raise ConfigurationError("mail.channels", [f"channel {channel.name!r} has neither url nor url_file"])
    try:
        return read_secret(channel.url_file).strip()
    except (ConfigurationError, UnicodeDecodeError) as error:
        words = error.faults[0] if isinstance(error, ConfigurationError) else "it is no text"
        raise ConfigurationError("mail.channels", [f"channel {channel.name!r}: {channel.url_file}: {words}"]) from None


def _text(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    return "\n".join(str(part.get_content()).splitlines()) if part else ""


def _reason(lines: Iterable[str]) -> str:
    """The status that it answered, if it did: more of what Apprise says may be secret."""
    found = [match[1] for line in lines if (match := STATUS.search(line))]
    return f", it answered {found[-1]}" if found else ""
