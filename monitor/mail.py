"""A mail for one recipient, about an alert or several: its headers, its text and HTML parts, and the names of its deliveries."""

import hashlib
import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from monitor.mail_figures import Picture, letter_of, one_line
from monitor.mail_html import html_of
from monitor.mail_text import subject_of, text_of
from monitor.subscriptions import RANKS, channel_of
from schemas.records import Alert, Delivery, Severity
from schemas.times import MICROSECOND

ID_HEADER = "X-Roadwatch-Alert-Id"
SEVERITY_HEADER = "X-Roadwatch-Severity"
PICTURES_SHOWN, LARGEST_PICTURE = 3, 60_000
"Pictures in a mail, and bytes of each."
JPEG = b"\xff\xd8\xff"
"How a JPEG begins."
NO_MAIL = ""
"The Message-ID on record where no mail went out: there was nothing to tell, or it was refused."


def compose(
    alert: Alert,
    sender: str,
    recipient: str,
    *,
    at: datetime,
    timezone: str,
    pictures: Sequence[tuple[str, bytes]] = (),
    reminder: int = 0,
    waited: timedelta | None = None,
) -> EmailMessage:
    """The mail that tells a recipient of an alert.

    Args:
        alert: What happened.
        sender: The From address, with or without a name.
        recipient: The To address.
        at: The mail's Date.
        timezone: IANA name; for alerts that carry no report.
        pictures: Frame ids and JPEGs that show it; what is too large, too many or no JPEG is left out.
        reminder: Counts the mails that say the alert is still open; 0 for the first.
        waited: How long nobody has acknowledged it; None where that is not why it is told.

    """
    shown = [(name, jpeg) for name, jpeg in pictures if fits(jpeg)][:PICTURES_SHOWN]
    named = [Picture(one_line(name), _cid(name, sender)) for name, _ in shown]
    letter = letter_of(alert, timezone, named, reminder, waited)
    mail = begin(sender, recipient, at)
    mail["Subject"] = subject_of(alert, reminder, waited)
    _add_thread(mail, alert, sender, recipient, reminder)
    mail[ID_HEADER] = letter.alert_id
    mail[SEVERITY_HEADER] = alert.severity
    fill(mail, text_of(letter), html_of(letter))
    _add_pictures(mail, shown, sender)
    return mail


def begin(sender: str, recipient: str, at: datetime) -> EmailMessage:
    """A mail without subject and parts; one to a channel names nobody, for there is no such address."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = _address(sender, "Roadwatch")
    if channel_of(recipient) is None:
        mail["To"] = _address(recipient, "")
    mail["Date"] = format_datetime(at)
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office replies, please
    return mail


def fill(mail: EmailMessage, text: str, html: str) -> None:
    """Give a mail its two parts."""
    # Quoted-printable, for base64 would hide the mail from people who look at the file, and displeases spam filters.
    mail.set_content(text, cte="quoted-printable")
    mail.add_alternative(html, subtype="html", cte="quoted-printable")


def fits(jpeg: bytes) -> bool:
    """Whether a picture may stand in a mail: a JPEG, and not too large."""
    return jpeg.startswith(JPEG) and len(jpeg) <= LARGEST_PICTURE


def _add_pictures(mail: EmailMessage, pictures: Sequence[tuple[str, bytes]], sender: str) -> None:
    """Pictures go beside the HTML part, which shows them: multipart/related (RFC 2387), Content-ID (RFC 2392)."""
    html = mail.get_body(("html",))
    if html is None:
        return
    for number, (name, jpeg) in enumerate(pictures, 1):
        cid = f"<{_cid(name, sender)}>"
        html.add_related(jpeg, "image", "jpeg", cid=cid, filename=f"picture-{number}.jpg", disposition="inline")


def _cid(frame_id: str, sender: str) -> str:
    return f"{hashlib.sha256(frame_id.encode()).hexdigest()[:24]}@{_domain(sender)}"


def reminder_of(alert: Alert, days: int, timezone: str) -> int:
    """How many reminders of an open alert have become due on the day that it tells of; none when `days` is 0.

    An alert that stays open is sent again with its newest day, so the days since it was raised can be counted. A
    report's alert is raised when its day ends, which is the next day's first instant.
    """
    if alert.state != "open" or days <= 0:
        return 0
    try:
        raised = (alert.raised_at - MICROSECOND).astimezone(ZoneInfo(timezone)).date()
        return max((date.fromisoformat(alert.day) - raised).days, 0) // days
    except (ValueError, ZoneInfoNotFoundError):  # a day or a zone of another machine
        return 0


def delivery_id(alert: Alert, recipient: str, reminder: int = 0) -> str:
    """The key under which the delivery of an alert in its state, or of a reminder, to a recipient is recorded."""
    return f"{alert.alert_id}|{told_of(alert, reminder)}|{recipient}"


def digested_id(alert: Alert, recipient: str, reminder: int = 0, severity: Severity | None = None) -> str:
    """The same where a digest told it: it says how severe the alert was, for what became worse since is still news."""
    return f"{alert.alert_id}|{told_of(alert, reminder)}/{severity or alert.severity}|{recipient}"


def ids_told(alert: Alert, recipient: str, reminder: int = 0) -> set[str]:
    """Every delivery after which the alert, as severe as it is, is no news to a recipient."""
    known = (severity for severity in RANKS if RANKS[severity] >= RANKS[alert.severity])
    digested = {digested_id(alert, recipient, reminder, severity) for severity in known}
    return {delivery_id(alert, recipient, reminder), *digested}


def tells_open(delivery: Delivery) -> bool:
    """Whether somebody was told that the alert is open: by a mail, a reminder, or a digest."""
    told = delivery.delivery_id.removeprefix(f"{delivery.alert_id}|").partition("|")[0]
    return delivery.message_id != NO_MAIL and re.split("[#/]", told)[0] == "open"


def message_id(alert: Alert, sender: str, recipient: str, told: str | None = None) -> str:
    """The Message-ID of the mail about an alert; `told` is another state, or a reminder such as `open#2`.

    It depends on nothing else: a mail that is sent twice is recognised as the same one.
    """
    return message_id_of(sender, alert.alert_id, told or alert.state, recipient)


def message_id_of(sender: str, *names: str) -> str:
    """A Message-ID that depends on the names alone, and on the sender's domain."""
    named = "\x00".join(names)
    return f"<{hashlib.sha256(named.encode()).hexdigest()[:40]}@{_domain(sender)}>"


def told_of(alert: Alert, reminder: int = 0) -> str:
    """What a mail tells of an alert: its state, and which reminder it is: `open`, `open#2`."""
    return f"{alert.state}#{reminder}" if reminder else alert.state


def _add_thread(mail: EmailMessage, alert: Alert, sender: str, recipient: str, reminder: int) -> None:
    mail["Message-ID"] = message_id(alert, sender, recipient, told_of(alert, reminder))
    if alert.state != "open" or reminder:
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
