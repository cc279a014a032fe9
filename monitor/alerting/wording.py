"""What alerts say: of incidents in full, of broken rules why they may be broken."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from monitor.causes import CAUSES, HINTS, UNKNOWN, Cause, Diagnosis, listed, span_of, words_of
from schemas.records import Alert, CameraScores, DayReport, Finding, Severity

SURE, UNSURE = 0.8, 0.5
"Scores from which a cause is told without a word about its runner-up, and below which the runner-up is told as likely."
ALIKE = "The same was found at"
EXAMPLES = 3
"Frames that are shown."
ACTIONS = 5
"What a person does at most."


def described(alert: Alert, diagnosis: Diagnosis, findings: Sequence[Finding], timezone: str) -> Alert:
    """An alert of its cameras with a cause's words, as its findings tell it."""
    cause, leading, where = CAUSES[diagnosis.cause], diagnosis.leading, listed(alert.cameras)
    since = begun(findings)
    return replace(
        alert,
        severity=severity_of(cause, findings),
        since=since,
        title=f"{where}: {cause.title.format(signal=words_of(leading.signal))}",
        summary=f"{cause.means} It began about {moment(since, timezone)}. {_doubt(diagnosis)}".strip(),
        metric=leading.signal,
        value=leading.after,
        threshold=leading.before,
        samples=leading.samples,
        actions=tuple(action.format(where=where, since=moment(since, timezone)) for action in cause.actions),
        cause=cause.name,
        evidence=diagnosis.evidence,
        findings=tuple(findings),
        examples=_examples([leading, *findings]),
    )


def begun(findings: Iterable[Finding]) -> datetime:
    """When the first of them began that harms; what is harmless may be older and is evidence alone."""
    return min(finding.since for finding in findings if finding.worse)


def severity_of(cause: Cause, findings: Iterable[Finding]) -> Severity:
    """A cause's severity; a hint where nothing harms yet, or little; nothing is critical that is over already."""
    harmful = [finding for finding in findings if finding.worse]
    few = sum(finding.samples for finding in harmful) < cause.few
    if few or all(finding.signal in HINTS for finding in harmful):
        return "info"
    is_over = all(finding.until for finding in harmful)
    return "warning" if is_over and cause.severity == "critical" else cause.severity


def _doubt(diagnosis: Diagnosis) -> str:
    if diagnosis.score >= SURE or UNKNOWN in (diagnosis.cause, diagnosis.runner_up):
        return ""
    likely = "as likely" if diagnosis.score < UNSURE else "less likely"
    return f"It may also be, {likely}: {CAUSES[diagnosis.runner_up].title}."


def _examples(findings: Iterable[Finding]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(finding.example for finding in findings if finding.example))[:EXAMPLES]


def spread(alert: Alert, timezone: str) -> Alert:
    """An incident that has come to more cameras, or has more findings: named after all of them."""
    where, since = listed(alert.cameras), begun(alert.findings)
    cause = CAUSES[alert.cause]
    return replace(
        alert,
        title=f"{where}: {cause.title.format(signal=words_of(alert.metric))}",
        summary=f"{cause.means} It began about {moment(since, timezone)}.",
        actions=tuple(action.format(where=where, since=moment(since, timezone)) for action in cause.actions),
        since=since,
        evidence=_evidence(alert),
        examples=_examples(alert.findings),
    )


def _evidence(alert: Alert) -> tuple[str, ...]:
    """What was said of the first camera, and that others are alike."""
    others = [camera for camera in alert.cameras if camera != alert.camera_id]
    said = [sentence for sentence in alert.evidence if not sentence.startswith(ALIKE)]
    return (*said, f"{ALIKE} {listed(others)}.")


def over(alert: Alert, at: datetime, timezone: str, *, unheard: bool) -> str:
    """The summary of an incident that is over."""
    end = f"Over since {moment(at, timezone)}, after {span_of(max(at - alert.since, timedelta()))}."
    silent = " Nothing was heard of it any more; it is taken to be over." if unheard else ""
    return f"{end}{silent} {alert.summary}"


def explained(alert: Alert, incident: Alert, timezone: str) -> Alert:
    """A broken rule's alert with the incident that lies behind it."""
    cause = CAUSES[incident.cause]
    title = cause.title.format(signal=words_of(incident.metric))
    known = "Found on the day" if cause.name == UNKNOWN else "The likely cause"
    reason = f"{known}: {title} ({listed(incident.cameras)}, since {moment(incident.since, timezone)})."
    return replace(
        alert,
        summary=" ".join(filter(None, (alert.summary, reason, *incident.evidence[:1]))),
        actions=tuple(dict.fromkeys((*incident.actions[:2], *alert.actions)))[:ACTIONS],
        cause=incident.cause,
        evidence=incident.evidence,
        cameras=incident.cameras,
        findings=incident.findings,
        examples=tuple(dict.fromkeys((*alert.examples[:2], *incident.examples)))[:EXAMPLES],
    )


def worst_frames(report: DayReport, camera_id: str | None) -> tuple[str, ...]:
    """Frames of a day that somebody should look at: of a camera, or of the least accurate ones."""
    cameras = [camera for camera in report.cameras if camera_id in (None, camera.camera_id)]
    frames = [frame.frame_id for camera in sorted(cameras, key=_accuracy) for frame in camera.worst[:EXAMPLES]]
    return tuple(frames[:EXAMPLES])


def _accuracy(camera: CameraScores) -> tuple[float, str]:
    accuracy = camera.scores.accuracy
    return 1.0 if accuracy is None else accuracy, camera.camera_id


def moment(at: datetime, timezone: str) -> str:
    """A time for people: `2026-11-23 05:12 CET`."""
    return f"{at.astimezone(ZoneInfo(timezone)):%Y-%m-%d %H:%M %Z}"
