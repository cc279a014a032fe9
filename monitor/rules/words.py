"""What a broken rule says: one line, a few sentences, and what to do, from templates and what was seen."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from monitor.rules.measures import Measure, Subject, Unit
from monitor.rules.rule import Rule
from monitor.rules.seeing import Seen, Spot
from schemas.records import CameraScores, DayReport, Finding

ACTIONS: Final[Mapping[Subject, tuple[str, ...]]] = {
    "accuracy": (
        "Look at frames of {worst} from {day}: is the picture veiled, dark, bumped or dirty?",
        "If the picture is bad, clean or realign the camera; if the weather is, expect it to pass and watch the next"
        " day.",
        "If the picture is good, check that the labels are right, then label more frames and retrain the model.",
    ),
    "slice": (
        "Look at labelled frames with {slice} from {day}: what do the wrong ones have in common?",
        "Label more vehicles with {slice}, and retrain the model with them.",
        "If it is an hour or the light, look whether the camera can be helped: exposure, a lamp, a hood.",
    ),
    "labels": (
        "Ask whoever labels, or look at the device that does: does it still send, and of the right camera?",
        "Compare the ids of labels with those of predictions: a label that matches nothing is counted, and not used.",
        "Until labels come again, watch the estimated accuracy and the signals of the pictures.",
    ),
    "confidence": (
        "Look at the reliability diagram in the report of {day}: where is the model too sure of itself?",
        "Label a sample of {day}, and do not rely on the estimated accuracy until labels bear it out.",
        "Retrain the model with the newest labels; its confidences are calibrated anew with it.",
    ),
    "picture": (
        "Look at the newest frames of {worst}: is the picture veiled, dark, bumped or dirty?",
        "Clean, realign or repair the camera if the picture is at fault.",
        "Label a sample of frames from {day}, so that the day's accuracy tells whether the model still copes.",
    ),
    "latency": (
        "Look at the latency by stage in the report of {day}: a long queue asks for more processors, a long inference"
        " for a smaller model.",
        "Run 'roadwatch ledger': are frames waiting?",
    ),
}
"What to do, first things first, by what has to be looked at."

MOVED: Final = "{where}{What} {moved} to {seen} {span}, {beyond} {limit}{in_a_row}"
WORSE: Final = "{where}{What} {moved} to {seen} {span}, from {usual}{in_a_row}"
SURE: Final = "{where}{What} is {beyond} {limit} beyond doubt: {seen} {span}"
SURELY_WORSE: Final = "{where}{What} is worse than in {reference} beyond doubt: {seen} {span}, {usual} then"

SHARE: Final = (
    "{Span}, {right} of {samples} {counts}{at} {befell}: {seen}, where at {bound} {limit} is asked for. So many samples"
    " put the true {what} between {low} and {high} (95 % confidence)."
)
PLAIN: Final = "{Span}, {what}{at} was {seen}, over {samples} {counts}; at {bound} {limit} is asked for."
COUNT: Final = "{Span}, there were {seen} {what}{at}, {samples} in the days before; at {bound} {limit} is asked for."
BESIDE: Final = "In {reference} it was {usual}, over {usual_samples}."
ANYTIME: Final = "The days were weighed together: while all is as asked for, at most {alpha} of all spans of 90 days raise such an alarm."

WEIGHED: Final = " (as many of a plain sample would tell as much: labels stand for different numbers of vehicles)"

NAMED: Final = 5
"Cameras and findings that are named at most."

WORDS: Final = (
    *("where", "at", "camera", "slice", "day", "span", "Span", "since", "window", "for_days", "in_a_row"),
    *("what", "What", "counts", "befell", "moved", "beyond", "bound", "value", "threshold", "seen", "limit"),
    *("samples", "right", "low", "high", "alpha", "reference", "usual", "usual_samples"),
    *("worst", "cameras", "findings"),
)
"What a template may name."
NUMBERS: Final = ("window", "for_days", "samples", "right")
"Those that are whole numbers."
FIGURES: Final = ("value", "threshold")
"Those that are fractions; all others are text."


def unknown_words(template: str) -> str:
    """Why a template cannot be filled; empty where it can."""
    sample: dict[str, Any] = {**dict.fromkeys(WORDS, ""), **dict.fromkeys(NUMBERS, 1), **dict.fromkeys(FIGURES, 0.5)}
    try:
        template.format(**sample)
    except KeyError as error:
        return f"there is no {error.args[0]!r}"
    except (ValueError, IndexError, AttributeError, TypeError) as error:
        return f"is no template: {error}"
    return ""


def title_of(rule: Rule, words: Mapping[str, Any]) -> str:
    """One line: what and where."""
    return (rule.title or _title(rule)).format(**words)


def summary_of(rule: Rule, words: Mapping[str, Any]) -> str:
    """What happened, in a few sentences."""
    return " ".join(filter(None, (part.format(**words) for part in _summary(rule)))).strip()


def actions_of(rule: Rule, words: Mapping[str, Any]) -> tuple[str, ...]:
    """What to do, first things first."""
    return tuple(action.format(**words) for action in ACTIONS[rule.measure.subject])


def words_of(rule: Rule, spot: Spot, seen: Seen, report: DayReport) -> dict[str, Any]:
    """What templates may name."""
    cameras = concerned(spot, report)
    found = {**_of_place(spot, cameras), **_of_days(rule, seen, report.day), **_of_figure(rule, seen)}
    found["What"] = found["what"] if found["where"] else _capital(found["what"])
    return found | {"findings": _findings(report, cameras) if spot.slice is None else ""}


def concerned(spot: Spot, report: DayReport) -> tuple[CameraScores, ...]:
    """The cameras that a rule was broken at."""
    return tuple(camera for camera in report.cameras if spot.camera_id in (None, camera.camera_id))


def harmful(cameras: Iterable[CameraScores], since: datetime) -> list[Finding]:
    """Each camera's first harmful finding of each signal that was found since then, earliest first."""
    first: dict[tuple[str, str], Finding] = {}
    for camera in cameras:
        for finding in camera.findings:
            if finding.worse and finding.found_at >= since:
                first.setdefault((camera.camera_id, finding.signal), finding)
    return sorted(first.values(), key=lambda finding: (finding.since, finding.camera_id, finding.signal))


def shown(value: float, unit: Unit, digits: int = 1) -> str:
    """A figure with its unit."""
    match unit:
        case "%":
            return f"{value:.{digits}%}"
        case "points":
            return f"{100 * value:+.{digits}f} points"
        case "ms":
            return f"{value:,.0f} ms"
        case "deviations":
            return f"{value:.{digits}f} standard deviations"
        case "":
            return f"{value:.4g}"


def limit_of(value: float, unit: Unit) -> str:
    """A threshold with its unit, with no more digits than it has."""
    return f"{round(100 * value, 1):g}%" if unit == "%" else shown(value, unit)


def reference_in_words(rule: Rule) -> str:
    """What a rule compares with, after `in`; empty for a threshold."""
    beside = rule.beside
    if beside is None:
        return ""
    if beside.kind == "qualification":
        return "the model's qualification"
    return f"the first {beside.days} days" if beside.kind == "first_days" else f"the {beside.days} days before"


def _title(rule: Rule) -> str:
    if rule.bound == "anytime":
        return SURELY_WORSE if rule.reference else SURE
    return WORSE if rule.reference else MOVED


def _summary(rule: Rule) -> tuple[str, ...]:
    if rule.summary is not None:
        return (rule.summary,)
    measure = rule.measure
    first = SHARE if measure.befell else COUNT if measure.sums == "count" else PLAIN
    return (
        first,
        BESIDE if rule.reference else "",
        ANYTIME if rule.bound == "anytime" else "",
        "{cameras}" if rule.place == "all" and measure.subject == "accuracy" else "",
        "{findings}",
    )


def _of_place(spot: Spot, cameras: tuple[CameraScores, ...]) -> dict[str, Any]:
    ranked = sorted((c for c in cameras if c.scores.labelled), key=lambda c: (c.scores.accuracy or 0.0, c.camera_id))
    named = spot.slice or spot.camera_id or ""
    return {
        "where": f"{named}: " if named else "",
        "at": f" with {spot.slice}" if spot.slice else f" at {spot.camera_id}" if spot.camera_id else "",
        "camera": spot.camera_id or "all cameras",
        "slice": spot.slice or "",
        "worst": spot.camera_id or (ranked[0].camera_id if ranked else "the cameras"),
        "cameras": _worst_first(ranked[:NAMED]),
    }


def _worst_first(ranked: Iterable[CameraScores]) -> str:
    return "Worst first: " + ", ".join(f"{c.camera_id} {c.scores.accuracy:.0%}" for c in ranked) + "."


def _of_days(rule: Rule, seen: Seen, day: str) -> dict[str, Any]:
    span = f"on {day}" if rule.window == 1 else f"in the {rule.window} days up to {day}"
    if rule.bound == "anytime" and rule.window > 1:
        span = f"on {day}" if seen.since_day == day else f"from {seen.since_day} to {day}"
    return {
        "day": day,
        "span": span,
        "Span": _capital(span),
        "since": seen.since_day,
        "window": rule.window,
        "for_days": rule.for_days,
        "in_a_row": f", {rule.for_days} days in a row" if rule.for_days > 1 else "",
        "reference": reference_in_words(rule),
    }


def _of_figure(rule: Rule, seen: Seen) -> dict[str, Any]:
    measure, now = rule.measure, seen.now
    falls = measure.harm == "below"
    return {
        "what": measure.what,
        "counts": f"{measure.counts}{WEIGHED if now.weighed else ''}",
        "befell": measure.befell,
        "moved": "fell" if falls else "rose",
        "beyond": measure.harm,
        "bound": "least" if falls else "most",
        "value": now.value,
        "threshold": seen.allowed,
        "seen": _apart(now.value, seen.allowed, measure),
        "limit": limit_of(seen.allowed, measure.unit),
        "samples": now.n,
        "right": now.right,
        "low": shown(now.low, measure.unit, 0),
        "high": shown(now.high, measure.unit, 0),
        "alpha": f"{100 * rule.alpha:g} %",
        "usual": shown(seen.usual.value, measure.unit) if seen.usual else "",
        "usual_samples": f"{seen.usual.n} {measure.counts}" if seen.usual else "",
    }


def _apart(value: float, allowed: float, measure: Measure) -> str:
    """With as many digits as keep it apart from what is allowed: 59.96% is not shown as 60.0%."""
    texts = [shown(value, measure.unit, digits) for digits in range(1, 4)]
    return next((text for text in texts if text != shown(allowed, measure.unit, texts.index(text) + 1)), texts[0])


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _findings(report: DayReport, cameras: Iterable[CameraScores]) -> str:
    found = harmful(cameras, report.starts_at)[:NAMED]
    return " ".join(_sentence(finding, report.starts_at) for finding in found)


def _sentence(finding: Finding, starts_at: datetime) -> str:
    at = f"{finding.since:{'%H:%M' if finding.since >= starts_at else '%Y-%m-%d %H:%M'}} UTC"
    if finding.kind != "drift":
        return f"At {finding.camera_id}, {finding.signal} was found about {at}."
    places = 0 if max(abs(finding.before), abs(finding.after)) >= 10 else 2
    before, after = f"{finding.before:.{places}f}", f"{finding.after:.{places}f}"
    return f"At {finding.camera_id} {finding.signal} went from {before} to {after} about {at}."
