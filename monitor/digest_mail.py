"""A digest as a mail: its subject, its text and its HTML part.

Digest ─► Overview ─┬─► text/plain
                    └─► text/html
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from html import escape
from textwrap import wrap
from typing import Final
from zoneinfo import ZoneInfo

from monitor.alerting.entries import INCIDENT
from monitor.causes import CAUSES, UNKNOWN, words_of
from monitor.digests import Digest, Section, name_of
from monitor.mail import ID_HEADER, SEVERITY_HEADER, begin, fill, message_id_of
from monitor.mail_figures import LONGEST_SUBJECT, Tone, moment, named, one_line, tone_of
from monitor.mail_html import INK, LINE, MUTED, banner, ending, heading, muted, opening, page, part, pill
from monitor.mail_text import RULE
from monitor.subscriptions import RANKS
from schemas.records import Alert

LISTED: Final[dict[Section, int]] = {"new": 50, "over": 20, "still": 20}
"Alerts of each part that are listed: mail clients cut what is over 100 KB."
HEADINGS: Final[dict[Section, str]] = {"new": "New", "over": "Over", "still": "Still open"}
LONGEST_SUMMARY: Final = 200
"Characters of an alert's summary."
TEXT_WIDTH: Final = 72
INDENT: Final = " " * 10


@dataclass(frozen=True, slots=True)
class Entry:
    """An alert in a digest."""

    tone: Tone
    "Its severity, or that it is over."
    title: str
    "One line: what and where."
    facts: str
    "`gate-north · since 23 Nov 2026, 05:06 CET · likely cause: fog`."
    summary: str
    "What happened, in a line; empty for what was told before."


@dataclass(frozen=True, slots=True)
class Part:
    """Alerts under one heading."""

    heading: str
    "What they have in common."
    entries: tuple[Entry, ...]
    "Those that are listed."
    left_out: str
    "How many are not, and where to see them; empty where all are."


@dataclass(frozen=True, slots=True)
class Overview:
    """A digest in words."""

    tone: Tone
    "That of the worst alert of which it tells."
    pace: str
    "`daily`."
    title: str
    "`3 new alerts, 1 over, 2 still open`."
    first: str
    "The title of what comes first."
    until: str
    "When it ends, for people."
    parts: tuple[Part, ...]
    "Those that are not empty."


def compose_digest(digest: Digest, sender: str, *, at: datetime, timezone: str) -> EmailMessage:
    """The mail that tells a digest; one that is sent twice has the same Message-ID.

    Args:
        digest: What it tells: something.
        sender: The From address, with or without a name.
        at: The mail's Date.
        timezone: IANA name.

    """
    overview = overview_of(digest, timezone)
    mail = begin(sender, digest.post.recipient, at)
    mail["Subject"] = subject_of(overview)
    mail["Message-ID"] = digest_message_id(digest, sender)
    mail[ID_HEADER] = name_of(digest.cut.day)
    mail[SEVERITY_HEADER] = max((alert.severity for alert in _told(digest)), key=RANKS.__getitem__)
    fill(mail, text_of(overview), html_of(overview))
    return mail


def digest_message_id(digest: Digest, sender: str) -> str:
    """The Message-ID of a digest: of its day, its pace and its recipient."""
    return message_id_of(sender, name_of(digest.cut.day), digest.post.pace, digest.post.recipient)


def overview_of(digest: Digest, timezone: str) -> Overview:
    """A digest in words, its times in a time zone (IANA name)."""
    zone, told = ZoneInfo(timezone), _told(digest)
    sections: tuple[tuple[Section, Sequence[Alert]], ...] = (
        ("new", digest.new),
        ("over", digest.over),
        ("still", digest.still),
    )
    return Overview(
        tone=tone_of(told[0]),
        pace=digest.post.pace,
        title=_counts(digest),
        first=one_line(told[0].title),
        until=moment(digest.cut.at, zone),
        parts=tuple(_part_of(section, alerts, zone) for section, alerts in sections if alerts),
    )


def _told(digest: Digest) -> tuple[Alert, ...]:
    return digest.new + digest.over + digest.still


def _counts(digest: Digest) -> str:
    """`3 new alerts, 1 over, 2 still open`: the noun stands with the first of them."""
    counted = [(len(digest.new), "new"), (len(digest.over), "over"), (len(digest.still), "still open")]
    (count, word), *rest = [(count, word) for count, word in counted if count]
    noun = "alert" if count == 1 else "alerts"
    first = f"{count} new {noun}" if word == "new" else f"{count} {noun} {word}"
    return ", ".join([first, *(f"{count} {word}" for count, word in rest)])


def _part_of(section: Section, alerts: Sequence[Alert], zone: ZoneInfo) -> Part:
    listed, command = LISTED[section], "roadwatch alerts list" + (" --all" if section == "over" else "")
    more = len(alerts) - listed
    entries = tuple(_entry(alert, section, zone) for alert in alerts[:listed])
    return Part(HEADINGS[section], entries, f"and {more:,} more: {command}" if more > 0 else "")


def _entry(alert: Alert, section: Section, zone: ZoneInfo) -> Entry:
    facts = " · ".join(fact for fact in (_where(alert), _when(alert, zone), _cause(alert), _hand(alert)) if fact)
    facts = f"S{facts[1:]}" if facts.startswith("since ") else facts
    summary = "" if section == "still" else _cut(one_line(alert.summary), LONGEST_SUMMARY)
    return Entry(tone_of(alert), one_line(alert.title), facts, summary)


def _where(alert: Alert) -> str:
    """The cameras; nothing where the title begins with the only one."""
    if alert.camera_id and alert.title.startswith(f"{alert.camera_id}: ") and len(alert.cameras) < 2:
        return ""
    return named(alert.cameras or (alert.camera_id or "All cameras",))


def _when(alert: Alert, zone: ZoneInfo) -> str:
    since = f"since {moment(alert.since, zone)}"
    if alert.state != "resolved" or alert.changed_at is None:
        return since
    return f"{since}, over {moment(alert.changed_at, zone)}"


def _cause(alert: Alert) -> str:
    """The likely cause where the title does not name it."""
    known = CAUSES.get(alert.cause)
    if known is None or alert.cause == UNKNOWN or alert.rule == INCIDENT:
        return ""
    return f"likely cause: {known.title.format(signal=words_of(alert.metric))}"


def _hand(alert: Alert) -> str:
    if alert.state == "open" or not alert.by:
        return ""
    return f"{alert.state} by {one_line(alert.by)}"


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def subject_of(overview: Overview) -> str:
    """The subject: `[Roadwatch] 3 new alerts, 1 over: Accuracy fell to 42 % on gate-north`."""
    return _cut(f"[Roadwatch] {overview.title}: {overview.first}", LONGEST_SUBJECT)


def text_of(overview: Overview) -> str:
    """The text part: what the HTML part says, in plain lines."""
    lines = [overview.title, "", _lead(overview), ""]
    lines += [line for part in overview.parts for line in _text_part(part)]
    return "\n".join([*lines, RULE, *wrap(_ending(overview), TEXT_WIDTH), ""])


def _lead(overview: Overview) -> str:
    return f"The {overview.pace} digest of alerts, up to {overview.until}."


def _ending(overview: Overview) -> str:
    return (
        f"You get this {overview.pace} digest because of a subscription; subscriptions are under mail.subscriptions in"
        " Roadwatch’s settings."
    )


def _text_part(part: Part) -> Iterator[str]:
    yield from (part.heading, "")
    for entry in part.entries:
        yield from _text_entry(entry)
    if part.left_out:
        yield from (f"  {part.left_out}", "")


def _text_entry(entry: Entry) -> Iterator[str]:
    yield f"{entry.tone.upper():<10}{entry.title}"
    for text in (entry.facts, entry.summary):
        yield from wrap(text, TEXT_WIDTH, initial_indent=INDENT, subsequent_indent=INDENT, break_long_words=False)
    yield ""


def html_of(overview: Overview) -> str:
    """The whole HTML document; every word that came from outside is escaped."""
    parts = [banner(overview.tone, f"{overview.pace.capitalize()} digest"), opening(overview.title, [_lead(overview)])]
    parts += [_html_part(part) for part in overview.parts]
    return page(
        overview.title, overview.tone, f"{overview.first}. {_lead(overview)}", [*parts, ending(_ending(overview))]
    )


def _html_part(shown: Part) -> str:
    table = '<table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="border-collapse:collapse">'
    entries = "".join(map(_html_entry, shown.entries))
    return part(f"{heading(shown.heading)}{table}{entries}</table>{muted(shown.left_out) if shown.left_out else ''}")


def _html_entry(entry: Entry) -> str:
    """One below the other, for a column beside the title would leave a telephone no room for it."""
    title = f"margin:4px 0 2px;font-size:15px;line-height:21px;font-weight:600;color:{INK}"
    facts = f"font-size:13px;line-height:19px;color:{MUTED}"
    summary = f'<div class="ink" style="padding-top:4px;font-size:14px;line-height:21px;color:{INK}">{escape(entry.summary)}</div>'
    return f"""<tr><td class="line" style="padding:12px 0;border-top:1px solid {LINE};word-break:break-word">\
{pill(entry.tone, entry.tone.capitalize(), 11)}<div class="ink" style="{title}">{escape(entry.title)}</div>\
<div class="muted" style="{facts}">{escape(entry.facts)}</div>{summary if entry.summary else ""}</td></tr>"""
