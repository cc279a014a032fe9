"""What to improve, in sentences: which slice, which corruption, which pictures; made from the figures of refused parts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from models.qualification.checks import Check, PartJudgement, matches
from models.qualification.corruptions import CORRUPTIONS
from models.qualification.figures import Curve, Figure, Measured, Measurements, Outcome, Part, figure, of_part

SLICES: Final = ("accuracy.*", "accuracy.size.*", "accuracy.brightness.*")
FEWEST: Final = 30
"Pictures of a slice that is spoken of."
NAMED: Final = 5
"Pictures, corruptions and cases that are named."
WORSE: Final = 0.1
"Below its accuracy on clean pictures: from this severity on a corruption hurts."


def advise(parts: Sequence[PartJudgement], measurements: Measurements) -> Iterator[str]:
    """Yield what to improve, part by part, for the parts that are not approved."""
    missing = [judged.part for judged in parts if of_part(measurements.candidate, judged.part) is None]
    for judged in parts:
        measured = of_part(measurements.candidate, judged.part)
        if measured is not None and not judged.approved:
            yield from _part(judged, measured)
    if missing:
        yield f"Not run: {', '.join(missing)}. Only a version of which every part was run can be approved."


def _part(judged: PartJudgement, measured: Measured) -> Iterator[str]:
    for fault in judged.faults:
        yield f"{fault.what[:1].upper()}{fault.what[1:]}."
    yield from _missing(judged, measured)
    yield from ADVISERS[judged.part](judged, measured)


def _missing(judged: PartJudgement, measured: Measured) -> Iterator[str]:
    """Yield which thresholds are missed; a part that a fault left without figures misses them all."""
    told = [_told(check) for check in judged.missed if measured.figures]
    more = f", and {len(told) - NAMED} more" if len(told) > NAMED else ""
    if told:
        yield f"{judged.part.capitalize()} misses: {', '.join(told[:NAMED])}{more}."


def _told(check: Check) -> str:
    if check.why:
        return f"{check.figure} ({check.wanted}; {check.why})"
    return f"{check.figure} {_number(check.seen)} ({check.wanted})"


def _accuracy(judged: PartJudgement, measured: Measured) -> Iterator[str]:
    overall = figure(measured, "accuracy")
    if overall is None or overall.value is None:
        return
    yield from _guessing(measured, overall)
    yield from _slices(measured, overall)
    yield from _classes(measured)
    if _missed(judged, "calibration_error") or _missed(judged, "calibration_error.*"):
        yield from _calibration(measured)
    if _missed(judged, "abstained"):
        yield "It abstains too often: lower the familiarity below which it does, or train on such pictures."
    yield from _pictures(measured)


def _guessing(measured: Measured, overall: Figure) -> Iterator[str]:
    """Yield whether it does no better than always saying the commonest class."""
    commonest = max((f.n or 0 for f in _named(measured, "recall.*")), default=0) / (overall.n or 1)
    if overall.low is not None and overall.low <= commonest:
        yield (
            f"Accuracy {_number(overall.value)} is no better than always saying the commonest class"
            f" ({_number(commonest)}): before anything else, look whether labels and pictures belong together,"
            " and whether the classes stand in the model's order."
        )


def _slices(measured: Measured, overall: Figure) -> Iterator[str]:
    """Yield the slices that are surely worse than the whole."""
    for pattern in SLICES:
        each = [f for f in _named(measured, pattern) if (f.n or 0) >= FEWEST and f.value is not None]
        worst = min(each, key=lambda f: f.value or 0, default=None)
        if worst is not None and worst.high is not None and worst.high < (overall.value or 0):
            yield (
                f"Worst slice by {_kind(pattern)}: {worst.name.rpartition('.')[2]}, right in {_number(worst.value)}"
                f" of {worst.n} pictures, {_number(overall.value)} over all: add such pictures to the training data."
            )


def _kind(pattern: str) -> str:
    return {"accuracy.*": "source"}.get(pattern, pattern.split(".")[1])


def _classes(measured: Measured) -> Iterator[str]:
    """Yield the commonest confusion, where one class is surely found less often than the others."""
    recalls = [f for f in _named(measured, "recall.*") if f.value is not None and f.high is not None]
    if len(recalls) < 2:
        return
    worst, best = (choose(recalls, key=lambda f: f.value or 0) for choose in (min, max))
    if (worst.high or 0) >= (best.low or 0):
        return
    label = worst.name.removeprefix("recall.")
    yield (
        f"{label} is missed more often than {best.name.removeprefix('recall.')}: recall {_number(worst.value)} of"
        f" {worst.n} against {_number(best.value)} of {best.n}{_mistaken(measured, label)}."
        " Add such pictures, or weigh the class more."
    )


def _mistaken(measured: Measured, label: str) -> str:
    cells = [f for f in _named(measured, f"confusion.{label}.*") if not f.name.endswith(f".{label}")]
    worst = max(cells, key=lambda f: f.value or 0, default=None)
    return f"; {worst.value:g} were called {worst.name.rpartition('.')[2]}" if worst and worst.value else ""


def _calibration(measured: Measured) -> Iterator[str]:
    reliability, shares = (_curve(measured, chart) for chart in ("reliability", "confidence"))
    if not reliability or not shares:
        return
    gap = sum((said - right) * share for (said, right), (_, share) in zip(reliability, shares, strict=True))
    error = figure(measured, "calibration_error")
    amount = f"calibration error {_number(error.value if error else None)}"
    word = "surer than it is right" if gap > 0 else "less sure than it is right"
    yield f"It is {word} ({amount}): fit its temperature anew on held-back training pictures."


def _pictures(measured: Measured) -> Iterator[str]:
    if measured.mistakes:
        worst = ", ".join(f"{m.picture} ({m.said} at {m.confidence:.2f})" for m in measured.mistakes[:NAMED])
        yield f"Look at its surest mistakes first: {worst}."


def _errors(_judged: PartJudgement, measured: Measured) -> Iterator[str]:
    for trial in measured.trials:
        if trial.outcome in WORDS and trial.outcome not in trial.wanted:
            wanted = " or ".join(WORDS[outcome] for outcome in trial.wanted)
            yield f"The hard picture “{trial.case}” became {WORDS[trial.outcome]}; it should have become {wanted}."


WORDS: Final[Mapping[Outcome, str]] = {"predicted": "a prediction", "dead_letter": "a dead letter"}


def _consistency(judged: PartJudgement, _measured: Measured) -> Iterator[str]:
    if _missed(judged, "colour_order"):
        yield "Swap blue and red where the graph takes its input, or where it is exported."
    for pattern, advice in REPAIRS.items():
        names = [check.figure for check in _missed(judged, pattern) if check.seen is not None]
        if names:
            yield f"{', '.join(names)}: {advice}."


REPAIRS: Final[Mapping[str, str]] = {
    "twice": "the graph holds chance or state; look for dropout left in training mode",
    "runs": "the application gives other answers the second time; look for state in the graph",
    "alone": "an answer depends on the batch that the picture is in; look for batch normalisation in training mode",
    "one_by_one": "an answer depends on the batch that the picture is in; look for batch normalisation in training mode",
    "full_precision": "quantising costs too much; leave the first and last layers in full precision, or calibrate on more",
    "shift.*": "train with crops that are shifted by up to a tenth",
    "jpeg.*": "train with pictures re-encoded at JPEG qualities 30 to 90",
    "flip": "train with mirrored pictures",
}


def _latency(judged: PartJudgement, _measured: Measured) -> Iterator[str]:
    if _missed(judged, "reached_share"):
        yield "It does not keep up: the backlog grows for as long as the load lasts."
    if judged.missed:
        yield "A smaller input, a quantised graph or more processors make it faster; scalability tells the model's own pace."


def _robustness(judged: PartJudgement, measured: Measured) -> Iterator[str]:
    clean = _value(measured, "accuracy.clean") or 0
    curves = sorted((curve for curve in measured.curves if curve.name in CORRUPTIONS), key=_mean)
    worst = [(curve, severity) for curve in curves if (severity := _from(curve, clean)) is not None][:NAMED]
    for curve, severity in worst:
        yield (
            f"{_words(curve.name)} hurts from severity {severity:g} on: accuracy {_number(dict(curve.points)[severity])}"
            f" there, {_number(curve.points[-1][1])} at 5, {_number(clean)} on clean pictures."
        )
    relative = sorted(_named(measured, "corruption.*"), key=lambda f: -(f.value or 0))
    worse = [f for f in relative if f.low is not None and f.low > 1][:NAMED]
    if worse:
        told = ", ".join(
            f"{_words(f.name.removeprefix('corruption.'))} ({f.value:.2f} times its errors)" for f in worse
        )
        yield f"Worse than the champion under: {told}."
    if worst or worse:
        names = [curve.name for curve, _ in worst] or [f.name.removeprefix("corruption.") for f in worse]
        yield f"Train with {', '.join(map(_words, names))}, half as strong to as strong as severity 3."
    elif judged.missed:
        yield "No corruption stands out: it is the accuracy on clean pictures that is low."


def _from(curve: Curve, clean: float) -> float | None:
    """Return the first severity from which on accuracy is a tenth below that on clean pictures."""
    hurt = [severity for severity, accuracy in curve.points if severity and accuracy < clean - WORSE]
    return hurt[0] if hurt else None


def _mean(curve: Curve) -> float:
    return sum(accuracy for _, accuracy in curve.points[1:])


def _scalability(judged: PartJudgement, _measured: Measured) -> Iterator[str]:
    for pattern, advice in COSTS.items():
        if _missed(judged, pattern):
            yield advice


COSTS: Final[Mapping[str, str]] = {
    "frames_per_second.*": "Too few frames per second: take a smaller input, a quantised graph, or a faster machine.",
    "speedup.*": "More workers bring too little: look for fewer cores than workers.",
    "memory_mb*.*": "Too much memory: take a smaller graph, or let a processor classify fewer frames at once.",
}


ADVISERS: Final[Mapping[Part, Callable[[PartJudgement, Measured], Iterator[str]]]] = {
    "accuracy": _accuracy,
    "errors": _errors,
    "consistency": _consistency,
    "latency": _latency,
    "robustness": _robustness,
    "scalability": _scalability,
}


def _missed(judged: PartJudgement, pattern: str) -> list[Check]:
    return [check for check in judged.missed if matches(pattern, check.figure)]


def _named(measured: Measured, pattern: str) -> list[Figure]:
    return [each for each in measured.figures if matches(pattern, each.name)]


def _value(measured: Measured, name: str) -> float | None:
    found = figure(measured, name)
    return found.value if found else None


def _curve(measured: Measured, chart: str) -> tuple[tuple[float, float], ...]:
    return next((curve.points for curve in measured.curves if curve.chart == chart), ())


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3g}"


def _words(name: str) -> str:
    return name.replace("_", " ")
