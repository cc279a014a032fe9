"""The book of alerts: what is open, what was, and what is sent when."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final, Self

from monitor.alerting.apart import Apart
from monitor.alerting.entries import Entry
from monitor.alerting.episodes import Episodes, Judging
from monitor.alerting.incidents import Following, Incidents
from monitor.alerting.pace import KEPT, Clock, Pace
from monitor.breaches import Judgement
from monitor.silences import Silences
from monitor.subscriptions import RANKS
from monitor.windows import Calendar, span_us
from schemas.records import Alert, AlertAction, AlertLine, CameraDay, DayReport
from schemas.times import from_us, to_us

ENTRIES_KEPT: Final = 400
"Alerts at most, open ones among them; of more, those that were over first are forgotten."


@dataclass(slots=True)
class AlertBook:
    """All alerts of all cameras and rules; one book takes all news, in the order of the log.

    What the log's order does not give, a clock's alerts and those about models, it keeps apart.
    """

    pace: Pace = field(default_factory=Pace)
    "How patient it is."
    _clock: Clock = field(default_factory=Clock)
    _entries: list[Entry] = field(default_factory=list)
    _incidents: Incidents = field(default_factory=Incidents)
    _episodes: Episodes = field(default_factory=Episodes)
    _silences: Silences = field(default_factory=Silences)
    apart: Apart = field(default_factory=Apart)
    "Alerts that no record of the stream makes."

    def take(self, camera_day: CameraDay) -> list[Alert]:
        """Take news of a camera or its device in: what is to be sent."""
        told_us = _told_us(camera_day)
        self._clock.timezone = camera_day.timezone
        self._clock.see(camera_day.camera_id, told_us)
        following = Following(self._incidents, self._entries, self._clock, self.pace)
        following.take(camera_day, told_us)
        following.open()
        sent = self._sent()  # what is over already when it opens is told as both
        following.settle()
        sent += self._sent()
        self._forget()
        return sent

    def judge(self, report: DayReport, judgement: Judgement) -> list[Alert]:
        """Take in what the rules say of a day's report: what is to be sent, with the report where it is about its day."""
        self._clock.timezone = report.timezone
        judging = Judging(self._episodes, self._entries, report)
        judging.open(judgement)
        sent = self._sent(report)  # a day that late labels break may be followed by good ones already
        judging.settle(judgement)
        self._episodes.forget(report.day)
        return sent + self._sent(report)

    def act(self, action: AlertAction) -> list[Alert]:
        """Do what a person asks for: what is to be sent.

        Raises:
            ValueError: there is no such alert, or the silence is none; names the value and what is allowed.

        """
        match action.kind:
            case "acknowledge":
                self._acknowledge(action)
            case "silence":
                self._silences.add(action)
            case "unsilence":
                self._silences.remove(action.target)
        return self._sent() + self.due(action.at)

    def due(self, at: datetime) -> list[Alert]:
        """What is to be sent, by the wall clock, of the alerts that are kept apart."""
        return self.apart.due(self._silences, at)

    def lines(self, day: str) -> tuple[AlertLine, ...]:
        """The alerts that stood on a day, for its report: the most severe first.

        None of those that are kept apart: a replay would report them otherwise, or not at all.
        """
        alerts = [entry.alert for entry in self._entries if entry.stood_on(day)]
        alerts.sort(key=lambda alert: (-RANKS[alert.severity], alert.since, alert.alert_id))
        return tuple(AlertLine(alert.alert_id, alert.severity, alert.state, alert.title) for alert in alerts)

    def _acknowledge(self, action: AlertAction) -> None:
        known = [*self._entries, *self.apart.entries]
        entry = next((entry for entry in known if entry.alert.alert_id == action.target), None)
        if entry is None:
            live = ", ".join(entry.alert.alert_id for entry in known if entry.is_live) or "none"
            raise ValueError(f"there is no alert {action.target!r}; open are {live}")
        if entry.alert.state == "open":
            now = action.at if entry in self.apart.entries else self._now(entry)
            at = max(now, entry.alert.raised_at)
            entry.alert = replace(entry.alert, state="acknowledged", changed_at=at, by=action.by)
            entry.tell("now")

    # Sending

    def _sent(self, report: DayReport | None = None) -> list[Alert]:
        """What is due, in the order in which the alerts began; a report goes with what is about its day."""
        due = [entry for entry in self._entries if self._is_due(entry)]
        return [self._send(entry, report) for entry in due]

    def _is_due(self, entry: Entry) -> bool:
        if not entry.is_live:
            return entry.news == "now" and entry.sent_us >= 0
        if entry.alert.state == "open" and self._silences.cover(
            entry.alert, max(self._clock.newest, entry.alert.raised_at)
        ):
            return False
        return entry.news == "now" or (entry.is_incident and self._is_stale(entry))

    def _is_stale(self, entry: Entry) -> bool:
        span = self.pace.update if entry.news else self.pace.renew
        return to_us(self._now(entry)) - entry.sent_us >= span_us(span)

    def _now(self, entry: Entry) -> datetime:
        """What time it is for an alert; not before it was raised."""
        return max(from_us(self._now_us(entry)), entry.alert.raised_at)

    def _now_us(self, entry: Entry) -> int:
        """As far as the newest of its cameras has come, where all of them are far behind."""
        if not entry.is_incident:
            return self._clock.newest_us
        return self._clock.newest_us - min(self._clock.behind.get(camera, 0) for camera in entry.alert.cameras)

    def _send(self, entry: Entry, report: DayReport | None) -> Alert:
        now = self._now(entry)
        entry.news, entry.sent_us = "", to_us(now)
        if entry.is_incident:
            entry.alert = replace(entry.alert, day=entry.last_day or Calendar(self._clock.timezone).day_of(now))
        fits = report is not None and not entry.is_incident and entry.alert.day == report.day
        return replace(entry.alert, report=report) if fits else entry.alert

    # Forgetting

    def _forget(self) -> None:
        day_at = cache(lambda at_us: Calendar(self._clock.timezone).day_of(from_us(max(at_us, 0))))

        def is_over_for(entry: Entry, span: timedelta) -> bool:
            return not entry.is_live and entry.last_day < day_at(self._now_us(entry) - span_us(span))

        fresh = [entry for entry in self._entries if not is_over_for(entry, KEPT)]
        spare = sorted(fresh, key=lambda entry: (entry.is_live, entry.last_day))[: max(len(fresh) - ENTRIES_KEPT, 0)]
        self._entries = [entry for entry in fresh if all(entry is not other for other in spare)]
        for entry in self._entries:
            if entry.alert.summary and is_over_for(entry, 2 * self.pace.reopen):
                entry.shrink()
        self._incidents.forget(self._clock)
        self._silences.forget(self._clock.newest)
        self._clock.forget()

    # The state

    def snapshot(self) -> dict[str, Any]:
        """The whole state, as JSON."""
        return {
            "clock": self._clock.snapshot(),
            "entries": [entry.snapshot() for entry in self._entries],
            "incidents": self._incidents.snapshot(),
            "episodes": self._episodes.snapshot(),
            "silences": self._silences.snapshot(),
            "apart": self.apart.snapshot(),
        }

    @classmethod
    def restore(cls, plain: Mapping[str, Any], pace: Pace | None = None) -> Self:
        """Continue from a snapshot; from an empty one, anew."""
        if not plain:
            return cls(pace or Pace())
        return cls(
            pace or Pace(),
            Clock.restore(plain["clock"]),
            [Entry.restore(entry) for entry in plain["entries"]],
            Incidents.restore(plain["incidents"]),
            Episodes.restore(plain["episodes"]),
            Silences.restore(plain["silences"]),
            Apart.restore(plain.get("apart", ())),  # states of former versions have none
        )


def _told_us(camera_day: CameraDay) -> int:
    """Up to when a camera is known."""
    seen = camera_day.seen_until or (camera_day.ends_at if camera_day.revision else camera_day.starts_at)
    return to_us(seen)
