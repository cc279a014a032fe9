"""What was found at cameras, held together until a cause can be named, and followed until it is over.

finding ─┬─ of a camera with an open incident ──► joins it
         └─ of another ─► held for a while, with what follows ─► diagnosed ─┬─ shared cause, open elsewhere ─► joins
                                                                            ├─ resolved within a day ──► opens again
                                                                            └─ an alert of its own
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, Self

from monitor.alerting.entries import INCIDENT, Entry
from monitor.alerting.pace import PATIENCE_US, Clock, Pace
from monitor.alerting.versions import Versions
from monitor.alerting.wording import begun, described, over, severity_of, spread
from monitor.causes import CAUSES, MODEL, UNKNOWN, Context, Diagnosis, diagnose, group_of
from monitor.findings import camera_of, finding_of, plain_finding
from monitor.subscriptions import RANKS
from monitor.windows import Calendar, span_us
from schemas.records import Alert, CameraDay, Finding
from schemas.times import from_us, to_us

UNMISTAKABLE: Final = frozenset({"frozen", "black", "blown-out", "moved", "size", "stalled", "clock"})
"Signals whose cause needs no more evidence: they are told at once."
FINDINGS_KEPT = 24
"Of an incident; of more, the first and the newest."
ASIDE_KEPT = 8
"Harmless findings of a camera that may be evidence for what follows."
KNOWN = timedelta(days=7)
"Findings that were made longer ago and are not known are old news: late labels bring the days of old again."


@dataclass(slots=True)
class Incidents:
    """Those that are held, and what is known of findings; the open ones are among the book's entries."""

    held: dict[str, list[Finding]] = field(default_factory=dict)
    "By camera: what waits for a cause."
    aside: dict[str, list[Finding]] = field(default_factory=dict)
    "By camera: what harms nothing."
    known: dict[str, int] = field(default_factory=dict)
    "Findings that were taken in, by id, and when they were found, µs."
    versions: Versions = field(default_factory=Versions)
    "Models that served."

    def forget(self, clock: Clock) -> None:
        """Forget what is old by its camera's time; what would be known is refused for its age."""
        most_us = span_us(KNOWN) + PATIENCE_US

        def is_fresh(camera_id: str, at_us: int) -> bool:
            return clock.now_us(camera_id) - at_us <= most_us

        self.known = {name: at_us for name, at_us in self.known.items() if is_fresh(camera_of(name), at_us)}
        fresh = {
            camera: [f for f in found if is_fresh(camera, to_us(f.found_at))] for camera, found in self.aside.items()
        }
        self.aside = {camera: found for camera, found in fresh.items() if found}

    def snapshot(self) -> dict[str, Any]:
        """The whole state, as JSON."""
        held, aside = (_plain(part) for part in (self.held, self.aside))
        return {"held": held, "aside": aside, "known": self.known, "versions": self.versions.snapshot()}

    @classmethod
    def restore(cls, plain: dict[str, Any]) -> Self:
        """Continue from a snapshot."""
        held, aside = (_restored(plain[part]) for part in ("held", "aside"))
        return cls(held, aside, dict(plain["known"]), Versions.restore(plain["versions"]))


def _plain(findings: Mapping[str, list[Finding]]) -> dict[str, Any]:
    return {camera: [*map(plain_finding, found)] for camera, found in findings.items()}


def _restored(plain: Mapping[str, Any]) -> dict[str, list[Finding]]:
    return {camera: [*map(finding_of, found)] for camera, found in plain.items()}


class Following:
    """One piece of news on its way into the incidents."""

    def __init__(self, incidents: Incidents, entries: list[Entry], clock: Clock, pace: Pace) -> None:
        self._incidents, self._entries, self._clock, self._pace = incidents, entries, clock, pace
        self._calendar = Calendar(clock.timezone)

    def take(self, camera_day: CameraDay, told_us: int) -> None:
        """Take a camera's findings in; `told_us` is up to when the camera is known."""
        self._incidents.versions.see(camera_day.model_versions, told_us)
        for finding in camera_day.findings:
            self._note(finding, told_us)

    # Findings

    def _note(self, finding: Finding, told_us: int) -> None:
        holder = next((e for e in self._entries if e.is_live and finding.finding_id in e.lasting), None)
        if holder:
            self._follow(holder, finding, told_us)
        elif not self._replace_held(finding) and self._is_news(finding):
            self._incidents.known[finding.finding_id] = to_us(finding.found_at)
            self._sort_in(finding, told_us)

    def _is_news(self, finding: Finding) -> bool:
        age_us = self._clock.now_us(finding.camera_id) - to_us(finding.found_at)
        return finding.finding_id not in self._incidents.known and age_us < span_us(KNOWN)

    def _replace_held(self, finding: Finding) -> bool:
        """A finding that is held may be over meanwhile; once over, it stays so."""
        held = self._incidents.held.get(finding.camera_id, [])
        for i, known in enumerate(held):
            if known.finding_id == finding.finding_id:
                held[i] = known if known.until else finding
                return True
        return False

    def _follow(self, entry: Entry, finding: Finding, told_us: int) -> None:
        """What is known and lasts was told of again, or is over."""
        entry.lasting[finding.finding_id] = max(entry.lasting[finding.finding_id], told_us)
        if finding.until is not None:
            self._end(entry, finding.finding_id, to_us(finding.until))

    def _end(self, entry: Entry, finding_id: str, at_us: int) -> None:
        entry.lasting.pop(finding_id)
        entry.over_us = max(entry.over_us, at_us)
        ended = (self._ended(finding, finding_id, at_us) for finding in entry.alert.findings)
        entry.alert = replace(entry.alert, findings=tuple(ended))

    @staticmethod
    def _ended(finding: Finding, finding_id: str, at_us: int) -> Finding:
        return replace(finding, until=from_us(at_us)) if finding.finding_id == finding_id else finding

    def _sort_in(self, finding: Finding, told_us: int) -> None:
        camera_id = finding.camera_id
        entry = self._live(camera_id)
        if camera_id in self._incidents.held:
            self._incidents.held[camera_id].append(finding)
        elif entry and not self._is_apart(entry, finding):
            self._join(entry, [finding], told_us)
        elif finding.worse:
            self._incidents.held[camera_id] = [finding]
        else:
            beside = self._incidents.aside.setdefault(camera_id, [])
            self._incidents.aside[camera_id] = [*beside, finding][-ASIDE_KEPT:]

    def _live(self, camera_id: str) -> Entry | None:
        """The newest open incident of a camera."""
        return next(
            (entry for entry in reversed(self._entries) if self._is_of(entry, camera_id) and entry.is_live), None
        )

    @staticmethod
    def _is_of(entry: Entry, camera_id: str) -> bool:
        return entry.is_incident and camera_id in entry.alert.cameras

    def _is_apart(self, entry: Entry, finding: Finding) -> bool:
        """Whether a finding is another fault: much later than all of the incident, and worse or unmistakable."""
        newest = max(known.since for known in entry.alert.findings)
        follows = finding.signal in CAUSES[entry.alert.cause].explains
        if follows or not finding.worse or finding.since - newest <= self._pace.together:
            return False
        cause = diagnose([finding], self._context(finding.camera_id, finding.since)).cause
        severity = severity_of(CAUSES[cause], [finding])
        unlike = cause != entry.alert.cause and (_is_plain(finding) or self._is_of_another_kind(entry, finding))
        return unlike or RANKS[severity] > RANKS[entry.alert.severity]

    @staticmethod
    def _is_of_another_kind(entry: Entry, finding: Finding) -> bool:
        """Whether it is about what nothing of the incident is about; what the model says may follow from anything."""
        return finding.signal not in MODEL and group_of(finding) not in map(group_of, entry.alert.findings)

    # What is due

    def open(self) -> None:
        """Open what was held long enough."""
        for camera_id in sorted(self._incidents.held):
            if self._clock.now_us(camera_id) >= self._due_us(self._incidents.held[camera_id]):
                self._open(camera_id, self._incidents.held.pop(camera_id))

    def settle(self) -> None:
        """Resolve what is over."""
        for entry in self._entries:
            if entry.is_incident and entry.is_live:
                self._settle(entry)

    def _due_us(self, held: Iterable[Finding]) -> int:
        return min(to_us(finding.found_at) + self._hold_us(finding) for finding in held if finding.worse)

    def _hold_us(self, finding: Finding) -> int:
        return 0 if _is_plain(finding) else span_us(self._pace.hold)

    def _open(self, camera_id: str, held: list[Finding]) -> None:
        since, told_us = begun(held), self._clock.now_us(camera_id)
        beside = self._incidents.aside.pop(camera_id, [])
        near = [finding for finding in beside if abs(finding.since - since) <= self._pace.together]
        findings = _ordered([*held, *near])
        diagnosis = diagnose(findings, self._context(camera_id, since))
        entry = self._shared(diagnosis.cause, since) or self._former(camera_id, diagnosis.cause, since)
        if entry:
            self._join(entry, findings, told_us)
        else:
            self._entries.append(self._begun(camera_id, findings, diagnosis, told_us))

    def _shared(self, cause: str, since: datetime) -> Entry | None:
        """An open incident of the same cause that began at about the same time at some camera."""
        if not CAUSES[cause].shared:
            return None
        alike = (e for e in self._entries if e.is_incident and e.is_live and e.alert.cause == cause)
        span = timedelta(hours=CAUSES[cause].shared)
        return next((entry for entry in alike if self._is_within(span, entry, since)), None)

    @staticmethod
    def _is_within(span: timedelta, entry: Entry, since: datetime) -> bool:
        return any(abs(finding.since - since) <= span for finding in entry.alert.findings)

    def _former(self, camera_id: str, cause: str, since: datetime) -> Entry | None:
        """The camera's incident of the same cause that was over not long ago."""
        for entry in reversed(self._entries):
            fits = self._is_of(entry, camera_id) and entry.alert.cause == cause
            if fits and to_us(since) - entry.over_us <= span_us(self._pace.reopen):
                return entry
        return None

    def _begun(self, camera_id: str, findings: list[Finding], diagnosis: Diagnosis, told_us: int) -> Entry:
        since = begun(findings)
        day = self._calendar.day_of(since)
        identity = f"{INCIDENT}:{camera_id}:{to_us(since)}"
        words: dict[str, Any] = {"title": "", "summary": "", "metric": "", "value": 0.0, "threshold": 0.0, "samples": 0}
        bare = Alert(
            identity,
            INCIDENT,
            "open",
            "info",
            camera_id,
            day,
            since,
            from_us(told_us),
            **words,
            actions=(),
            report=None,
        )
        alert = replace(bare, cameras=(camera_id,))
        entry = Entry(described(alert, diagnosis, findings, self._clock.timezone), day)
        self._hold_on(entry, findings, told_us)
        return entry

    def _join(self, entry: Entry, findings: list[Finding], told_us: int) -> None:
        """More of the same fault: a further camera is told at once, further findings when something is told anyway."""
        if not entry.is_live:
            entry.reopen(from_us(told_us))
        self._hold_on(entry, findings, told_us)
        cameras = tuple(sorted({*entry.alert.cameras, *(finding.camera_id for finding in findings)}))
        grown = cameras != entry.alert.cameras
        together = _ordered([*entry.alert.findings, *findings])
        entry.renew(self._reworded(replace(entry.alert, cameras=cameras, findings=tuple(together))))
        if grown:
            entry.tell("now")

    def _reworded(self, alert: Alert) -> Alert:
        """One camera's incident is explained anew by all that was found; of several, the cause stays."""
        timezone = self._clock.timezone
        if len(alert.cameras) > 1:
            return spread(alert, timezone)
        context = self._context(alert.cameras[0], alert.since)
        diagnosis = diagnose(alert.findings, context)
        if self._keeps_its_cause(alert, diagnosis.cause, context.at):
            diagnosis = diagnose(alert.findings, context, alert.cause)
        return described(alert, diagnosis, alert.findings, timezone)

    def _keeps_its_cause(self, alert: Alert, cause: str, at: datetime) -> bool:
        """Whether people were mailed another one hours ago, and this is no worse: what comes later misleads."""
        is_worse = RANKS[severity_of(CAUSES[cause], alert.findings)] > RANKS[alert.severity]
        is_told = alert.severity != "info" and alert.cause != UNKNOWN and at - alert.raised_at > self._pace.together
        return is_told and cause != alert.cause and not is_worse

    @staticmethod
    def _hold_on(entry: Entry, findings: Iterable[Finding], told_us: int) -> None:
        for finding in findings:
            if finding.worse and finding.until is None:
                entry.lasting[finding.finding_id] = told_us
            elif finding.worse and finding.until is not None:
                entry.over_us = max(entry.over_us, to_us(finding.until))

    def _context(self, camera_id: str, since: datetime) -> Context:
        version, began = self._incidents.versions.newest
        return Context(
            at=from_us(self._clock.now_us(camera_id)),
            timezone=self._clock.timezone,
            model_version=version,
            model_since=began,
            cameras=len(self._clock.seen),
            alike=tuple(sorted(self._alike(since) - {camera_id})),
        )

    def _alike(self, since: datetime) -> set[str]:
        """Cameras at which the model's answers changed at about a time."""
        held = (finding for found in self._incidents.held.values() for finding in found)
        told = (finding for entry in self._entries if entry.is_incident for finding in entry.alert.findings)
        near = (
            finding for part in (held, told) for finding in part if abs(finding.since - since) <= self._pace.together
        )
        return {finding.camera_id for finding in near if finding.signal in MODEL}

    # What is over

    def _settle(self, entry: Entry) -> None:
        unheard = [name for name, told_us in entry.lasting.items() if self._is_unheard(name, told_us)]
        for finding_id in unheard:
            self._end(entry, finding_id, entry.lasting[finding_id])
        quiet_us = entry.over_us + span_us(self._pace.quiet)
        now_us = min(self._clock.now_us(camera_id) for camera_id in entry.alert.cameras)
        if not entry.lasting and now_us >= quiet_us:
            self._resolve(entry, now_us, unheard=bool(unheard))

    def _is_unheard(self, finding_id: str, told_us: int) -> bool:
        return self._clock.now_us(camera_of(finding_id)) - told_us > span_us(self._pace.unheard)

    def _resolve(self, entry: Entry, now_us: int, *, unheard: bool) -> None:
        end = from_us(entry.over_us)
        summary = over(entry.alert, end, self._clock.timezone, unheard=unheard)
        entry.resolve(from_us(now_us), self._calendar.day_of(end), summary)


def _is_plain(finding: Finding) -> bool:
    """Whether nobody has to gather evidence: a device that says of itself that it has no pictures is believed."""
    return finding.signal in UNMISTAKABLE or (finding.signal == "silent" and finding.until is None)


def _ordered(findings: Iterable[Finding]) -> list[Finding]:
    """Each once, in the order of time; of too many the first and the newest."""
    found = {finding.finding_id: finding for finding in findings}
    ordered = sorted(found.values(), key=lambda finding: (finding.since, finding.finding_id))
    half = FINDINGS_KEPT // 2
    return ordered if len(ordered) <= FINDINGS_KEPT else [*ordered[:half], *ordered[-half:]]
