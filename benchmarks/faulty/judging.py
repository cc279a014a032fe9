"""What the monitor makes of a stream: which alerts it raises, how late, and what it names as their cause."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from benchmarks.faulty.cases import KINDS, START, Case, quiet_stream
from benchmarks.faulty.shelf import Logged, Shelf
from monitor.offline import OfflineMonitor
from monitor.policies import policy, rules_of
from runtime.settings import MonitorSettings
from schemas.records import Alert, Label, Observations, Record

SETTINGS = MonitorSettings(label_patience=timedelta(hours=12), min_labels=20)
"A day waits for its labels; 24 vehicles a day are too few for the default's 50."
SETTLE_EVERY = timedelta(minutes=30)
"Event time between two looks at what is due."
IN_TIME = timedelta(days=1)
"A fault that is noticed later was not."


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one fault."""

    kind: str
    "The fault."
    camera: str
    "Where."
    severity: str
    "How bad."
    truth: str
    "Its true cause."
    caught: bool
    "Whether an alert about its camera was raised within a day."
    delay_h: float | None
    "Event time from its beginning to the first alert; None without one."
    cause: str
    "What the first alert names; empty without one."
    mails: int
    "Alerts of the fault that are mailed, about this camera or all."
    strays: int
    "Mails about nothing: before the fault, or about the other camera alone."

    @property
    def right(self) -> bool:
        """Whether the cause was right the first time."""
        return self.cause == self.truth


def judged(case: Case, shelf: Shelf) -> Verdict:
    """Run the monitor over a case."""
    heard = heard_alerts(case.stream(shelf))
    own = [alert for at, alert in heard if _is_of(case, at, alert)]
    first = min(own, key=lambda alert: alert.raised_at, default=None)
    delay = max(first.raised_at - case.spell.start, timedelta(0)) if first else None
    return Verdict(
        kind=case.kind,
        camera=case.camera.id,
        severity=case.severity,
        truth=case.cause,
        caught=delay is not None and delay <= IN_TIME,
        delay_h=None if delay is None else delay / timedelta(hours=1),
        cause=first.cause if first else "",
        mails=len(mailed(own)),
        strays=len(mailed(alert for _, alert in heard)) - len(mailed(own)),
    )


def quiet_mails(shelf: Shelf) -> list[Alert]:
    """What is mailed about days on which nothing happened."""
    return mailed(alert for _, alert in heard_alerts(quiet_stream(shelf)))


def heard_alerts(stream: Iterable[Logged]) -> list[tuple[datetime, Alert]]:
    """Every alert as people heard of it first, in order, and when by the log.

    That is when it was raised, or when it became bad enough for a mail.
    """
    heard: dict[str, tuple[datetime, Alert]] = {}
    for at, record in _records(stream):
        if isinstance(record, Alert) and record.state == "open":
            _, known = heard.setdefault(record.alert_id, (at, record))
            if known.severity == "info" != record.severity:
                heard[record.alert_id] = at, record
    return list(heard.values())


def mailed(alerts: Iterable[Alert]) -> list[Alert]:
    """Those that a subscription with the default severity mails."""
    return [alert for alert in alerts if alert.severity != "info"]


def _is_of(case: Case, at: datetime, alert: Alert) -> bool:
    """Whether an alert may tell of the fault, by when it was heard of and by its cameras.

    By the log, because a camera whose clock was set back is found out at a time before that.
    """
    about = alert.cameras or (alert.camera_id or case.camera.id,)
    concerned = KINDS[case.kind].everywhere or case.camera.id in about
    return concerned and at >= case.spell.start


def _records(stream: Iterable[Logged]) -> Iterator[tuple[datetime, Record]]:
    """What the monitor says, and when by the log."""
    monitor = OfflineMonitor(policy(SETTINGS), rules_of(SETTINGS))
    now = due = START
    for logged in stream:
        now = logged.at
        said = _taken(monitor, logged)
        if now >= due:
            due = now + SETTLE_EVERY
            said += monitor.settle()
        yield from ((now, record) for record in said)
    yield from ((now, record) for record in monitor.finish())


def _taken(monitor: OfflineMonitor, logged: Logged) -> list[Record]:
    record = logged.record
    if isinstance(record, Observations):
        return monitor.observations(record, logged.at)
    if isinstance(record, Label):
        return monitor.label(record, logged.at)
    return monitor.telemetry(record, logged.at)
