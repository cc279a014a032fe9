"""What raises an alert: a table of rules and one short loop, and the words that a person can act on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from monitor.metrics import wilson
from monitor.signals import Found
from schemas.records import Alert, CameraScores, DayReport, Drift, Scores, Severity

Scope = Literal["all", "camera"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A floor under one of a day's figures."""

    name: str
    "What alerts are called after."
    scope: Scope
    "Whether it looks at all cameras together or at each."
    metric: str
    "The field of Scores that must not be below the threshold."
    samples: str
    "The field of Scores that says on how many it rests."
    threshold: float
    "The floor."
    min_samples: int
    "With fewer it says nothing."
    severity: Severity
    "Of its alerts."
    title: str
    "Template; see `_words` for what it may name."
    summary: str
    "Template."
    actions: tuple[str, ...]
    "Templates: what to do, first things first."
    unless: str | None = None
    "A rule whose alert about the same day says it already."


ACCURACY_ACTIONS = (
    "Look at frames of {worst} from {day}: is the picture veiled, dark, bumped or dirty?",
    "If the picture is bad, clean or realign the camera; if the weather is, expect it to pass and watch the next day.",
    "If the picture is good, check that the labels are right, then label more frames and retrain the model.",
)


def day_rules(min_accuracy: float, min_labels: int) -> tuple[Rule, ...]:
    """The rules about a day's report."""
    return (
        Rule(
            name="accuracy",
            scope="all",
            metric="accuracy",
            samples="labelled",
            threshold=min_accuracy,
            min_samples=min_labels,
            severity="critical",
            title="Accuracy fell to {value:.1%} on {day}, below {threshold:.0%}",
            summary="On {day}, {right} of {samples} labelled vehicles were classified rightly: {value:.1%}, where at least"
            " {threshold:.0%} is asked for. So many samples put the true accuracy between {low:.0%} and {high:.0%}"
            " (95 % confidence). {cameras} {drifts}",
            actions=ACCURACY_ACTIONS,
        ),
        Rule(
            name="camera-accuracy",
            scope="camera",
            metric="accuracy",
            samples="labelled",
            threshold=min_accuracy,
            min_samples=min_labels,
            severity="warning",
            title="{camera}: accuracy fell to {value:.1%} on {day}, below {threshold:.0%}",
            summary="On {day}, {right} of {samples} labelled vehicles at {camera} were classified rightly: {value:.1%},"
            " where at least {threshold:.0%} is asked for. So many samples put the true accuracy between {low:.0%} and"
            " {high:.0%} (95 % confidence). {drifts}",
            actions=ACCURACY_ACTIONS,
            unless="accuracy",
        ),
    )


DRIFT_TITLES: Mapping[str, str] = {
    "confidence": "{camera}: the model is less sure of what it sees",
    "brightness": "{camera}: the picture's brightness has changed",
}
DRIFT_SUMMARIES: Mapping[str, str] = {
    "confidence": "Since about {at} the model's mean confidence at {camera} is {after:.2f}; before it was {before:.2f}."
    " The road or the picture has changed in a way that the model was not trained for.",
    "brightness": "Since about {at} the mean brightness at {camera} is {after:.0f} of 255, where {before:.0f} is usual at"
    " this hour. Fog, darkness, dirt or a change of exposure look like this.",
}
DRIFT_ACTIONS = (
    "Look at the newest frames of {camera}.",
    "Clean, realign or repair the camera if the picture is at fault.",
    "Label a sample of frames since {at}, so that the day's accuracy tells whether the model still copes.",
)


def day_alerts(rules: tuple[Rule, ...], report: DayReport) -> Iterator[Alert]:
    """The alerts that a day's report raises."""
    fired: set[str] = set()
    for rule in rules:
        if rule.unless in fired:
            continue
        for subject, scores in _subjects(rule.scope, report):
            if _is_broken(rule, scores):
                fired.add(rule.name)
                yield _day_alert(rule, report, subject, scores)


def drift_alert(camera_id: str, day: str, found: Found) -> Alert:
    """The alert about a drift, raised when it is found."""
    drift = found.drift
    words: dict[str, object] = {"camera": camera_id, "at": f"{drift.detected_at:%Y-%m-%d %H:%M} UTC"}
    words |= {"before": drift.before, "after": drift.after}
    return Alert(
        alert_id=f"drift:{drift.signal}:{camera_id}:{day}",
        rule="drift",
        state="open",
        severity="warning",
        camera_id=camera_id,
        day=day,
        since=drift.detected_at,
        raised_at=drift.detected_at,
        title=DRIFT_TITLES[drift.signal].format(**words),
        summary=DRIFT_SUMMARIES[drift.signal].format(**words),
        metric=drift.signal,
        value=drift.after,
        threshold=drift.before,
        samples=found.values,
        actions=tuple(action.format(**words) for action in DRIFT_ACTIONS),
        report=None,
    )


def _subjects(scope: Scope, report: DayReport) -> Iterator[tuple[CameraScores | None, Scores]]:
    if scope == "all":
        yield None, report.scores
    else:
        yield from ((camera, camera.scores) for camera in report.cameras)


def _is_broken(rule: Rule, scores: Scores) -> bool:
    value, samples = getattr(scores, rule.metric), getattr(scores, rule.samples)
    return value is not None and samples >= rule.min_samples and value < rule.threshold


def _day_alert(rule: Rule, report: DayReport, subject: CameraScores | None, scores: Scores) -> Alert:
    camera_id = subject.camera_id if subject else None
    words = _words(rule, report, subject, scores)
    drifts = _harmful(report.cameras if subject is None else (subject,))
    return Alert(
        alert_id=":".join(filter(None, (rule.name, camera_id, report.day))),
        rule=rule.name,
        state="open",
        severity=rule.severity,
        camera_id=camera_id,
        day=report.day,
        since=min((drift.detected_at for _, drift in drifts), default=report.starts_at),
        raised_at=report.ends_at,
        title=rule.title.format(**words),
        summary=rule.summary.format(**words).strip(),
        metric=rule.metric,
        value=getattr(scores, rule.metric),
        threshold=rule.threshold,
        samples=getattr(scores, rule.samples),
        actions=tuple(action.format(**words) for action in rule.actions),
        report=report,
    )


def _words(rule: Rule, report: DayReport, subject: CameraScores | None, scores: Scores) -> dict[str, object]:
    """What templates may name."""
    value, samples = getattr(scores, rule.metric), getattr(scores, rule.samples)
    right = round(value * samples)
    low, high = wilson(right, samples)
    cameras = report.cameras if subject is None else (subject,)
    ranked = sorted((c for c in cameras if c.scores.labelled), key=lambda c: (c.scores.accuracy or 0.0, c.camera_id))
    return {
        "camera": subject.camera_id if subject else "all cameras",
        "day": report.day,
        "value": value,
        "threshold": rule.threshold,
        "samples": samples,
        "right": right,
        "low": low,
        "high": high,
        "worst": ranked[0].camera_id if ranked else "the cameras",
        "cameras": "Worst first: " + ", ".join(f"{c.camera_id} {c.scores.accuracy:.0%}" for c in ranked[:5]) + ".",
        "drifts": " ".join(_drift_sentence(camera_id, drift) for camera_id, drift in _harmful(cameras)[:5]),
    }


def _harmful(cameras: tuple[CameraScores, ...]) -> list[tuple[str, Drift]]:
    """Each camera's first harmful drift of each signal, earliest first."""
    first: dict[tuple[str, str], Drift] = {}
    for camera in cameras:
        for drift in camera.drifts:
            if drift.worse:
                first.setdefault((camera.camera_id, drift.signal), drift)
    found = [(camera_id, drift) for (camera_id, _), drift in first.items()]
    return sorted(found, key=lambda item: (item[1].detected_at, item[0]))


def _drift_sentence(camera_id: str, drift: Drift) -> str:
    places = 2 if drift.signal == "confidence" else 0
    return (
        f"At {camera_id} {drift.signal} went from {drift.before:.{places}f} to {drift.after:.{places}f}"
        f" about {drift.detected_at:%H:%M} UTC."
    )
