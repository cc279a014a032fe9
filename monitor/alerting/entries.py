"""Alerts as the book keeps them, and as plain JSON."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Literal, Self

from monitor.findings import finding_of, plain_finding
from monitor.subscriptions import RANKS
from schemas.records import Alert
from schemas.times import from_us, to_us

INCIDENT: Final = "incident"
"The rule of alerts about what was found at cameras."
News = Literal["", "more", "now"]
"""Nothing that was not sent; more of the same, which may wait; something that is sent at once."""

TIMES: Final = ("since", "raised_at", "changed_at")
TUPLES: Final = ("actions", "evidence", "cameras", "examples")


@dataclass(slots=True)
class Entry:
    """An alert, and what decides about its life."""

    alert: Alert
    "As it is sent, but for the day's report."
    first_day: str
    "The day on which it began."
    last_day: str = ""
    "The day on which it was over; empty while it stands."
    lasting: dict[str, int] = field(default_factory=dict)
    "Of an incident: findings that harm and are not over, and the newest time, µs, at which they were told of."
    over_us: int = 0
    "Of an incident: when the newest of its findings was over."
    broken: list[str] = field(default_factory=list)
    "Of a broken rule: the days, sorted."
    news: News = "now"
    "What was not sent of it."
    sent_us: int = -1
    "When it was sent last, event time; -1 when never."

    @property
    def is_live(self) -> bool:
        """Whether it is open or acknowledged."""
        return self.alert.state != "resolved"

    @property
    def is_incident(self) -> bool:
        """Whether it is about what was found at cameras."""
        return self.alert.rule == INCIDENT

    def stood_on(self, day: str) -> bool:
        """Whether it was open on a day, as far as is known now."""
        return self.first_day <= day and (self.is_live or day <= self.last_day)

    def tell(self, news: News) -> None:
        """Something has changed that is to be sent."""
        self.news = "now" if "now" in (news, self.news) else news

    def renew(self, alert: Alert) -> None:
        """Put other words to it; that it has become worse is told at once, also when somebody is at it already."""
        worse = RANKS[alert.severity] > RANKS[self.alert.severity]
        self.alert = replace(alert, state="open", by="") if worse else alert
        self.tell("now" if worse else "more")

    def resolve(self, at: datetime, day: str, summary: str) -> None:
        """It is over."""
        self.alert = replace(self.alert, state="resolved", changed_at=at, by="", summary=summary)
        self.last_day = day
        self.tell("now")

    def reopen(self, at: datetime) -> None:
        """It is back."""
        self.alert = replace(self.alert, state="open", changed_at=at, by="")
        self.last_day = ""
        self.tell("now")

    def shrink(self) -> None:
        """Keep what a day's report says of it."""
        self.alert = replace(self.alert, summary="", actions=(), evidence=(), findings=(), examples=())

    def snapshot(self) -> dict[str, Any]:
        """The whole state, as JSON."""
        life = [self.first_day, self.last_day, self.lasting, self.over_us, self.broken, self.news, self.sent_us]
        return {"alert": plain_alert(self.alert), "life": life}

    @classmethod
    def restore(cls, plain: dict[str, Any]) -> Self:
        """Continue from a snapshot."""
        first_day, last_day, lasting, over_us, broken, news, sent_us = plain["life"]
        return cls(alert_of(plain["alert"]), first_day, last_day, dict(lasting), over_us, [*broken], news, sent_us)


def plain_alert(alert: Alert) -> dict[str, Any]:
    """An alert without its report; times as microseconds since 1970, and what is empty left out."""
    plain: dict[str, Any] = {
        name: getattr(alert, name) for name in Alert.__slots__ if name not in ("report", "findings")
    }
    plain.update((name, to_us(at)) for name in TIMES if (at := plain[name]) is not None)
    plain.update((name, [*plain[name]]) for name in TUPLES)
    plain["findings"] = [plain_finding(finding) for finding in alert.findings]
    return {name: value for name, value in plain.items() if value not in (None, "", [])}


def alert_of(plain: dict[str, Any]) -> Alert:
    """An alert from its plain values."""
    empty: dict[str, Any] = {"camera_id": None, "title": "", "summary": "", "metric": "", "actions": ()}
    times: dict[str, Any] = {name: from_us(plain[name]) for name in TIMES if name in plain}
    tuples: dict[str, Any] = {name: tuple(plain[name]) for name in TUPLES if name in plain}
    findings = tuple(finding_of(finding) for finding in plain.get("findings", ()))
    return Alert(**{**empty, **plain, **times, **tuples, "findings": findings, "report": None})
