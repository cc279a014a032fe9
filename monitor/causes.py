"""Which cause explains best what was found at a camera.

findings ─► clues: "contrast ↓", "noise =", "new model" ─► weights of causes.toml, added up ─► Diagnosis
"""

import math
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from operator import attrgetter
from typing import Any, Final
from zoneinfo import ZoneInfo

from schemas.records import Finding, Severity

UNKNOWN: Final = "unknown"
PICTURES: Final = ("brightness", "contrast", "sharpness", "noise", "structure")
MODEL: Final = ("confidence", "flip", "abstention", "class-mix", "errors")
FAULTS: Final = ("frozen", "black", "blown-out", "blurred", "moved", "size")
STREAM: Final = ("gap", "repeat", "disorder", "stalled", "rate")
DEVICE: Final = ("temperature", "pressure", "magnetometer", "stuck", "reconnects", "drops", "silent")
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "pictures": (*PICTURES, *FAULTS),
    "stream": STREAM,
    "device": DEVICE,
    "model": MODEL,
}
"Signals that a clue may name together."
SENSORS: Final = ("temperature", "pressure", "magnetometer")
HINTS: Final = frozenset({*DEVICE, "class-mix", "errors"} - {"silent"})
"Signals that by themselves are no alarm: they harm nothing yet, or are what the rules about accuracy judge."

WORDS: Final[Mapping[str, str]] = {
    "flip": "the share of frames that dissent",
    "abstention": "the share of frames that the model refuses",
    "class-mix": "the mix of classes",
    "errors": "the share of errors",
    "noise": "the picture's grain",
    "structure": "the scene's difference",
    "gap": "missing frames",
    "repeat": "doubled frames",
    "disorder": "frames out of order",
    "stalled": "time without a frame",
    "frozen": "time with the same picture",
    "black": "black pictures",
    "blown-out": "white pictures",
    "moved": "the view's shift",
    "size": "the picture's size",
    "rate": "the frame rate",
    "values": "impossible values",
    "labels": "unknown classes",
    "stuck": "a sensor that is stuck",
    "drops": "dropped pictures",
    "silent": "time without telemetry",
}
"What signals are called where their name does not say it."
SHARES: Final = frozenset({"flip", "abstention", "errors"})
"Signals that read better as percents."

UNITS: Final[Mapping[str, str]] = {"temperature": " °C", "pressure": " hPa", "magnetometer": " µT"}
UNCHANGED: Final[Mapping[str, str]] = {
    "pictures": "Brightness, contrast, sharpness and grain of the pictures are as before.",
    "contrast": "Contrast is as before.",
    "sharpness": "Sharpness is as before.",
    "structure": "The scene itself is as before.",
    "confidence": "The model is as sure as before.",
    "temperature": "The device is no hotter than before.",
}
"What is told when nothing was found of something."

PARTLY: Final = "a part of the picture is as ever"
"Note of a finding of the scene that does not concern all of it."
STRONG = 2.0
"A signal that falls to less than one part in this, or rises to more than this many times, has changed strongly."
SLOW = timedelta(minutes=40)
LASTING = timedelta(hours=12)
"What has lasted this long is no weather, as a rule."
MODEL_BEFORE, MODEL_AFTER = timedelta(hours=2), timedelta(hours=6)
"A change counts as the new model's from so long before it was first seen to serve (it is told of every half hour, and \
a change's beginning is estimated) until so long after; and also where it was found so soon after, on few vehicles: when that began is a guess."
GUESSED, MODEL_GUESS = 50, timedelta(days=1)
"Samples of which that is so, and how much older it may seem."
MANY = 0.5
"Share of the cameras that are many."
EVIDENCE_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Cause:
    """What may be wrong with a camera."""

    name: str
    "`fog`; the key of its table in causes.toml."
    title: str
    "What it is called in alerts; a template that may name `signal`, the one that speaks for it most."
    means: str
    "What it looks like, in a sentence."
    severity: Severity
    "Of its alerts."
    base: float
    "Its weight without any clue."
    clues: Mapping[str, float]
    "What each clue adds to its weight."
    actions: tuple[str, ...]
    "Templates that may name `where` and `since`: what to do, first things first."
    few: int = 0
    "With fewer samples in all its alerts are but hints."
    shared: float = 0
    "Hours within which it comes to several cameras, and is then told once; 0 where it comes to one alone."
    explains: tuple[str, ...] = ()
    "Signals whose changes are no fault of their own while it lasts, however late they come."


@dataclass(frozen=True, slots=True)
class Context:
    """What is known beside the findings."""

    at: datetime
    "Until when the camera is known."
    timezone: str = "UTC"
    "IANA name, for times in sentences."
    model_version: str = ""
    "The model that began to serve last, empty where there was only one."
    model_since: datetime | None = None
    "When it was first seen to serve."
    cameras: int = 1
    "Cameras that are known."
    alike: tuple[str, ...] = ()
    "Other cameras at which the model's answers changed at about the same time, sorted."


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The most likely cause."""

    cause: str
    "The cause."
    score: float
    "Its share of all causes' likelihoods, 0 to 1, as far as the table goes."
    evidence: tuple[str, ...]
    "What speaks for it, a sentence each, the strongest first."
    runner_up: str
    "The next likely cause."
    leading: Finding
    "The finding that speaks for it most."


def _table() -> dict[str, Cause]:
    plain: dict[str, Any] = tomllib.loads(files("monitor").joinpath("causes.toml").read_text(encoding="utf-8"))
    return {name: Cause(name, **{**row, **_lists(row)}) for name, row in plain.items()}


def _lists(row: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(value) for name, value in row.items() if isinstance(value, list)}


CAUSES: Final[Mapping[str, Cause]] = _table()
"In the order of the table, which decides between equals."


def group_of(finding: Finding) -> str:
    """The group of signals that a finding is of; empty for what is of none."""
    return next((name for name, signals in GROUPS.items() if finding.signal in signals), "")


def diagnose(findings: Sequence[Finding], context: Context, told: str | None = None) -> Diagnosis:
    """Which cause explains a camera's findings best; with `told`, how well this one does, and which other is next.

    A naive Bayes of the table's weights: they are set by hand, so the score ranks causes and is no probability.

    Raises:
        ValueError: there are no findings.

    """
    if not findings:
        raise ValueError("nothing was found: there is nothing to explain")
    clues = _clues(findings, context)
    weights = {name: _weight(cause, clues) for name, cause in CAUSES.items()}
    likeliest = sorted(weights, key=lambda name: -weights[name])
    first = told or likeliest[0]
    second = next(name for name in likeliest if name != first)
    telling = _telling(CAUSES[first], clues)
    return Diagnosis(
        cause=first,
        score=round(1 / sum(math.exp(weight - weights[first]) for weight in weights.values()), 3),
        evidence=tuple(dict.fromkeys(filter(None, (clues[clue].sentence for clue in telling))))[:EVIDENCE_SHOWN],
        runner_up=second,
        leading=next((found for clue in telling if (found := clues[clue].finding)), _most_telling(findings)),
    )


@dataclass(frozen=True, slots=True)
class _Clue:
    """Something that speaks for or against causes."""

    sentence: str
    "What it is, with figures; empty for what only strengthens another clue."
    finding: Finding | None = None
    "What it rests on; None for what was not found, and what lies around the findings."


def _weight(cause: Cause, clues: Mapping[str, _Clue]) -> float:
    return cause.base + math.fsum(weight for clue, weight in cause.clues.items() if clue in clues)


def _telling(cause: Cause, clues: Mapping[str, _Clue]) -> list[str]:
    """The clues that speak for a cause, the strongest first; for an unknown one whatever was found."""
    found = [clue for clue, known in clues.items() if known.finding and known.sentence]
    weights = {clue: weight for clue, weight in cause.clues.items() if clue in clues and weight > 0}
    return sorted(weights, key=lambda clue: -weights[clue]) or found


def _clues(findings: Sequence[Finding], context: Context) -> dict[str, _Clue]:
    first: dict[str, Finding] = {}
    for finding in sorted(findings, key=lambda found: (not found.worse, found.since, found.finding_id)):
        first.setdefault(finding.signal, finding)
    clues = dict(clue for finding in first.values() for clue in _found_clues(finding))
    clues.update(_group_clues(first))
    clues.update(_time_clues(findings, context))
    clues.update(_model_clues(findings, context))
    return clues


def _found_clues(finding: Finding) -> Iterator[tuple[str, _Clue]]:
    direction = "↑" if finding.after > finding.before else "↓"
    clue = _Clue(sentence_of(finding), finding)
    yield finding.signal, clue
    yield f"{finding.signal} {direction}", clue
    if finding.until is None:
        yield f"{finding.signal} now", _Clue("", finding)
    if _is_strong(finding):
        yield f"{finding.signal} {direction}{direction}", _Clue("", finding)
    if finding.note == PARTLY:
        yield f"{finding.signal} in part", _Clue("", finding)


def _is_strong(finding: Finding) -> bool:
    if finding.after > finding.before:
        return finding.after > STRONG * max(finding.before, 0.0)
    return finding.before > 0 and finding.after < finding.before / STRONG


def _group_clues(found: Mapping[str, Finding]) -> Iterator[tuple[str, _Clue]]:
    """What was found of groups, and of what nothing was found."""
    for signal in (*PICTURES, *MODEL, *DEVICE):
        if signal not in found:
            yield f"{signal} =", _Clue(UNCHANGED.get(signal, ""))
    for group, signals in GROUPS.items():
        if any(signal in found for signal in signals):
            yield group, _Clue("")
        else:
            yield f"{group} =", _Clue(UNCHANGED.get(group, ""))


def _time_clues(findings: Sequence[Finding], context: Context) -> Iterator[tuple[str, _Clue]]:
    drifts = [finding for finding in findings if finding.signal in PICTURES]
    if not drifts:
        return
    began = [finding.since for finding in drifts]
    spread = max(finding.found_at for finding in drifts) - min(began)
    lasted = max((finding.until or context.at) - finding.since for finding in drifts)
    if spread >= SLOW:
        yield "slow", _Clue(f"It came slowly, over {span_of(spread)}.")
    if lasted >= LASTING:
        yield "lasting", _Clue(f"It has lasted for {span_of(lasted)}.")


def _model_clues(findings: Sequence[Finding], context: Context) -> Iterator[tuple[str, _Clue]]:
    first = min(findings, key=attrgetter("since"))
    if context.model_since and _began_with(first, context.model_since):
        at = _time(context.model_since, context.timezone)
        yield "new model", _Clue(f"The model {context.model_version} began to serve about {at}.")
    else:
        yield "old model", _Clue("")
    if context.cameras > 1 and len(context.alike) + 1 >= max(2, MANY * context.cameras):
        yield "many cameras", _Clue(f"The same began at {listed(context.alike)}.")


def _began_with(first: Finding, model_since: datetime) -> bool:
    after = first.since - model_since
    is_guess = first.samples < GUESSED and timedelta() <= first.found_at - model_since <= MODEL_AFTER
    return -(MODEL_GUESS if is_guess else MODEL_BEFORE) <= after <= MODEL_AFTER


def _most_telling(findings: Iterable[Finding]) -> Finding:
    """The first that harms."""
    return min(findings, key=lambda found: (not found.worse, found.since, found.finding_id))


# Words


def sentence_of(finding: Finding) -> str:
    """What was found, with its figures: `Contrast fell from 41 to 18, by 56%.`."""
    if finding.kind != "drift" and finding.signal not in SENSORS:
        return _note(finding) or f"{_capital(words_of(finding.signal))}: {_change(finding)}."
    verb = "rose" if finding.after > finding.before else "fell"
    values = (level_of(finding.signal, value) for value in (finding.before, finding.after))
    change = f"{_capital(words_of(finding.signal))} {verb} from {' to '.join(values)}{_share(finding)}."
    return " ".join(filter(None, (change, _note(finding))))


def _note(finding: Finding) -> str:
    note = _capital(finding.note.strip())
    return note if not note or note.endswith((".", "!", "?")) else f"{note}."


def _change(finding: Finding) -> str:
    before, after = (level_of(finding.signal, value) for value in (finding.before, finding.after))
    return f"{after}, where {before} is usual"


def _share(finding: Finding) -> str:
    if finding.before <= 0 or finding.signal in SHARES or finding.signal in SENSORS:
        return ""
    share = abs(finding.after / finding.before - 1)
    return f", by {share:.0%}" if share < STRONG else ""


def words_of(signal: str) -> str:
    """A signal in words: `class-mix` is the mix of classes."""
    return WORDS.get(signal, signal.replace("-", " ").replace("_", " "))


def level_of(signal: str, value: float) -> str:
    """A signal's value for people: three digits, or whole percents."""
    if signal in SHARES and math.isfinite(value):
        return f"{value:.0%}"
    number = f"{value:,.0f}" if 100 <= abs(value) < math.inf else f"{value:.3g}"
    return number + UNITS.get(signal, "")


def listed(names: Sequence[str], most: int = 3) -> str:
    """Names in a sentence: `a, b and c`, or `a, b, c and 4 more`."""
    shown = [*names[:most], *([f"{len(names) - most} more"] if len(names) > most else [])]
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1]))) if shown else ""


def span_of(span: timedelta) -> str:
    """A span for people: `45 min`, `14 h`, `3 days`."""
    hours = span / timedelta(hours=1)
    if hours < 2:
        return f"{hours * 60:.0f} min"
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} days"


def _time(at: datetime, timezone: str) -> str:
    return f"{at.astimezone(ZoneInfo(timezone)):%H:%M %Z}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
