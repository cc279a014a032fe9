"""A mail about an alert, for one recipient: its headers, its text and HTML parts, and the names of its deliveries."""

import hashlib
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from monitor.mail_figures import letter_of, one_line
from monitor.mail_html import html_of
from monitor.mail_text import subject_of, text_of
from schemas.records import Alert, AlertState

ID_HEADER = "X-Roadwatch-Alert-Id"
SEVERITY_HEADER = "X-Roadwatch-Severity"


def compose(alert: Alert, sender: str, recipient: str, *, at: datetime, timezone: str) -> EmailMessage:
    """The mail that tells a recipient of an alert.

    Args:
        alert: What happened.
        sender: The From address, with or without a name.
        recipient: The To address.
        at: The mail's Date.
        timezone: IANA name; for alerts that carry no report.

    """
    letter = letter_of(alert, timezone)
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = subject_of(alert)
    mail["From"] = _address(sender, "Roadwatch")
    mail["To"] = _address(recipient, "")
    mail["Date"] = format_datetime(at)
    _add_thread(mail, alert, sender, recipient)
    mail[ID_HEADER] = letter.alert_id
    mail[SEVERITY_HEADER] = alert.severity
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office replies, please
    # Quoted-printable, for base64 would hide the mail from people who look at the file, and displeases spam filters.
    mail.set_content(text_of(letter), cte="quoted-printable")
    mail.add_alternative(html_of(letter), subtype="html", cte="quoted-printable")
    return mail


def delivery_id(alert: Alert, recipient: str) -> str:
    """The key under which the delivery of an alert in its state to a recipient is recorded."""
    return f"{alert.alert_id}|{alert.state}|{recipient}"


def message_id(alert: Alert, sender: str, recipient: str, state: AlertState | None = None) -> str:
    """The Message-ID of the mail about an alert; of its mail in another `state` when one is given.

    It depends on nothing else: a mail that is sent twice is recognised as the same one.
    """
    named = "\x00".join((alert.alert_id, state or alert.state, recipient))
    return f"<{hashlib.sha256(named.encode()).hexdigest()[:40]}@{_domain(sender)}>"


def _add_thread(mail: EmailMessage, alert: Alert, sender: str, recipient: str) -> None:
    mail["Message-ID"] = message_id(alert, sender, recipient)
    if alert.state == "resolved":
        opened = message_id(alert, sender, recipient, "open")
        mail["In-Reply-To"] = opened
        mail["References"] = opened


def bare_address(text: str) -> str:
    """The address in `Name <address>`; the text itself when there is none to be found."""
    return parseaddr(one_line(text))[1] or one_line(text)


def _address(text: str, default_name: str) -> Address:
    name = parseaddr(one_line(text))[0] or default_name
    local, _, domain = bare_address(text).rpartition("@")
    return Address(name, local or domain, domain if local else "")


def _domain(sender: str) -> str:
    domain = bare_address(sender).rpartition("@")[2]
    return domain if domain.isascii() and domain else "localhost"
