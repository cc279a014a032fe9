"""Rules that are broken for a day or for several: one alert for each episode.

days       1      2      3      4            a revision of 2
verdict    kept   broken broken kept         (late labels) kept
alert             open   told   resolved
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Final, Self

from monitor.alerting.entries import Entry
from monitor.alerting.pace import DAYS_KEPT
from monitor.alerting.wording import explained, worst_frames
from monitor.breaches import Breach, Judgement
from monitor.causes import UNKNOWN
from schemas.records import Alert, DayReport

SHARE: Final = 0.25
"Of the vehicles that were misjudged on a day, an incident that explains it has at least this share at its cameras."


@dataclass(slots=True)
class Episodes:
    """What is known of rules; the broken ones are among the book's entries."""

    kept: dict[str, str] = field(default_factory=dict)
    "By subject (see Breach): the newest day on which the rule was kept."

    def forget(self, day: str) -> None:
        """Forget what was kept long before a day."""
        oldest = (date.fromisoformat(day) - timedelta(days=DAYS_KEPT)).isoformat()
        self.kept = {subject: kept for subject, kept in self.kept.items() if kept >= oldest}

    def snapshot(self) -> dict[str, list[str]]:
        """The whole state, as JSON: the subjects of each day."""
        days: dict[str, list[str]] = {}
        for subject, day in sorted(self.kept.items()):
            days.setdefault(day, []).append(subject)
        return days

    @classmethod
    def restore(cls, plain: Mapping[str, Iterable[str]]) -> Self:
        """Continue from a snapshot."""
        return cls({subject: day for day, subjects in plain.items() for subject in subjects})


class Judging:
    """One judgement on its way into the episodes."""

    def __init__(self, episodes: Episodes, entries: list[Entry], report: DayReport) -> None:
        self._episodes, self._entries, self._report = episodes, entries, report

    def open(self, judgement: Judgement) -> None:
        """Open what is broken."""
        broken = {breach.subject: breach for breach in judgement.breaches}
        self._note_kept(judgement.kept - broken.keys())
        for subject, breach in broken.items():
            self._break(subject, breach)

    def settle(self, judgement: Judgement) -> None:
        """Resolve what is kept, what is broken no more since a revision, and what a later day has made good already."""
        broken = {breach.subject for breach in judgement.breaches}
        for entry in self._of_rules():
            self._weigh(entry, broken)

    def _note_kept(self, subjects: Iterable[str]) -> None:
        kept, day = self._episodes.kept, self._report.day
        kept.update((subject, max(day, kept.get(subject, ""))) for subject in sorted(subjects))

    def _of_rules(self) -> Iterator[Entry]:
        return (entry for entry in self._entries if not entry.is_incident)

    def _break(self, subject: str, breach: Breach) -> None:
        kept = self._episodes.kept
        if kept.get(subject) == breach.day:
            kept.pop(subject)
        entry = self._episode(subject, breach.day)
        if entry is None:
            self._entries.append(self._begun(subject, breach))
        else:
            self._go_on(entry, breach)

    def _episode(self, subject: str, day: str) -> Entry | None:
        """The one that a broken day belongs to: it covers the day, or is open."""
        own = [entry for entry in self._of_rules() if subject_of(entry) == subject]
        covering = (entry for entry in own if entry.first_day <= day <= max(entry.broken, default=entry.first_day))
        return next(covering, None) or next((entry for entry in own if entry.is_live), None)

    def _begun(self, subject: str, breach: Breach) -> Entry:
        return Entry(self._alert(f"{subject}:{breach.day}", breach), breach.day, broken=[breach.day])

    def _go_on(self, entry: Entry, breach: Breach) -> None:
        """Another broken day, or another revision of one: the newest day's figures are told."""
        entry.broken = sorted({*entry.broken, breach.day})[-DAYS_KEPT:]
        if not entry.is_live and self._is_open(entry):
            entry.reopen(self._report.ends_at)
        if entry.is_live and breach.day == entry.broken[-1]:
            entry.renew(_continued(entry.alert, self._alert(entry.alert.alert_id, breach)))
            entry.tell("now")

    def _weigh(self, entry: Entry, broken: Collection[str]) -> None:
        """Whether an episode is over, now that the day was judged."""
        day = self._report.day
        if day in entry.broken and subject_of(entry) not in broken:
            entry.broken.remove(day)
        if entry.is_live and not self._is_open(entry):
            entry.resolve(self._report.ends_at, max(entry.broken, default=entry.first_day), self._over(entry))

    def _is_open(self, entry: Entry) -> bool:
        """Whether the newest day that says anything says that the rule is broken."""
        return bool(entry.broken) and entry.broken[-1] > self._episodes.kept.get(subject_of(entry), "")

    def _over(self, entry: Entry) -> str:
        """The summary of what is over."""
        kept = self._episodes.kept.get(subject_of(entry), "")
        end = (
            f"Kept again on {kept}."
            if kept
            else f"Taken back by revision {self._report.revision} of {self._report.day}."
        )
        return f"{end} {entry.alert.summary}"

    def _alert(self, alert_id: str, breach: Breach) -> Alert:
        alert = Alert(
            alert_id=alert_id,
            rule=breach.rule,
            state="open",
            severity=breach.severity,
            camera_id=breach.camera_id,
            day=breach.day,
            since=breach.since,
            raised_at=self._report.ends_at,
            title=breach.title,
            summary=breach.summary,
            metric=breach.metric,
            value=breach.value,
            threshold=breach.threshold,
            samples=breach.samples,
            actions=breach.actions,
            report=None,
            cameras=tuple(filter(None, (breach.camera_id,))),
            examples=worst_frames(self._report, breach.camera_id),
        )
        incident = explaining(self._entries, self._report, breach.camera_id)
        return explained(alert, incident, self._report.timezone) if incident else alert


def _continued(before: Alert, newest: Alert) -> Alert:
    """The newest day's words and figures, with what was lived through."""
    since = min(before.since, newest.since)
    lived = replace(newest, state=before.state, by=before.by, changed_at=before.changed_at)
    return replace(lived, since=since, raised_at=before.raised_at)


def subject_of(entry: Entry) -> str:
    """The rule, camera and slice that an episode is about: its id but for the day."""
    return entry.alert.alert_id.rpartition(":")[0]


def explaining(entries: Iterable[Entry], report: DayReport, camera_id: str | None) -> Alert | None:
    """The incident of a day that explains best why it went wrong: that at whose cameras most vehicles were misjudged."""
    wrong = {c.camera_id: c.scores.labelled * (1 - (c.scores.accuracy or 0.0)) for c in report.cameras}
    least = SHARE * sum(wrong.values())

    def rank(alert: Alert) -> tuple[bool, float, int]:
        return alert.cause != UNKNOWN, _share(alert, wrong), len(alert.cameras)

    alerts = _standing(entries, report.day, camera_id)
    return max((alert for alert in alerts if camera_id or _share(alert, wrong) >= least), key=rank, default=None)


def _share(alert: Alert, wrong: Mapping[str, float]) -> float:
    return sum(wrong.get(camera, 0.0) for camera in alert.cameras)


def _standing(entries: Iterable[Entry], day: str, camera_id: str | None) -> Iterator[Alert]:
    """Incidents of a camera, or of any, that stood on a day and harm pictures or answers."""
    for entry in entries:
        concerns = camera_id is None or camera_id in entry.alert.cameras
        if entry.is_incident and entry.alert.findings and concerns and entry.stood_on(day):
            yield from () if entry.alert.cause == "device" else (entry.alert,)
