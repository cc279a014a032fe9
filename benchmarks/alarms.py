"""How often the alarms on accuracy are false, and how soon they are right: `python -m benchmarks.alarms`.

Each line is 2,000 simulated cameras that label 50 vehicles a day, watched for 90 days after three weeks of the same. A
line of steady accuracy counts those with any alarm in the 90 days; one of a fall, on a day drawn between the 10th and
the 80th, those alarmed within so many days of it, the day of the fall included. Beside each stands the point rule that
it replaces: `the day's accuracy is below 60 %, with 50 labels or more`.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.options import json_file
from monitor.metrics import wilson
from monitor.statistics.intervals import lower_bound
from monitor.statistics.sequences import ALPHA, HORIZON, ODDS, REFERENCE, STARTS, TOLERANCE, under

STREAMS: Final = 2000
LABELS: Final = 50
"A day."
BEFORE: Final = STARTS - 1
"Days before the 90, which their first starts look back on."
FLOOR: Final = 0.60
"That of the rule `below`, and of the point rule."
FALLS: Final = (10, 80)
"The first and the last of the 90 days on which accuracy may fall."
CHUNK: Final = 250
"Streams simulated at once: 50 MB."
SAMPLE: Final = 5
"Streams of each chunk on which the benchmark's evidence is compared with the monitor's."

Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Case:
    """One rule on one kind of stream."""

    accuracy: float
    "At first."
    fallen: float | None = None
    "From the day of the fall on; None: steady."
    within: int = 0
    "Days in which the fall is to be found."
    reference_n: int = 0
    "Labels of the reference of the rule `worse`, drawn at the first accuracy; 0: the rule is `below`."

    @property
    def name(self) -> str:
        """What is watched."""
        rule = f"worse than {self.reference_n} labels" if self.reference_n else f"below {FLOOR:.0%}"
        course = f"{self.accuracy:.2f}" if self.fallen is None else f"{self.accuracy:.2f} to {self.fallen:.2f}"
        return f"{rule}, {course}"


@dataclass(frozen=True, slots=True)
class Result:
    """In how many streams of a case which alarm fired."""

    case: Case
    "The case."
    streams: int
    "All of them."
    at_days: int
    "The rule, looked at when a day closes."
    at_labels: int
    "The rule, looked at after every label."
    point: int
    "The point rule, when a day closes."


def cases() -> Iterator[Case]:
    """Steady streams, then falls."""
    for accuracy in (0.85, 0.65, FLOOR + TOLERANCE, FLOOR):
        yield Case(accuracy)
    for labels in (841, 7 * LABELS):
        yield Case(0.85, reference_n=labels)
    yield Case(0.85, 0.40, within=3)
    yield Case(0.85, 0.50, within=14)
    for labels in (841, 7 * LABELS):
        yield Case(0.85, 0.55, within=2, reference_n=labels)
        yield Case(0.85, 0.70, within=7, reference_n=labels)


def simulate(case: Case, streams: int, rng: np.random.Generator) -> Result:
    """Run the streams of one case."""
    parts = [_fired(case, min(CHUNK, streams - done), rng) for done in range(0, streams, CHUNK)]
    at_days, at_labels, point = np.sum(parts, axis=0).tolist()
    return Result(case, streams, at_days, at_labels, point)


def log_evidence(right: Truths, floors: Floats) -> Floats:
    """`sequences.under` after every label: streams × days × labels, for a floor of each stream."""
    n = np.arange(1, right.shape[2] + 1)
    within = np.cumsum(right, axis=2)
    total = np.zeros(right.shape)
    for odds, part in ODDS:
        mean = np.log1p(floors * np.expm1(-odds))[:, None, None]
        ratios = -odds * within - n * mean
        total += part * _wealth_by_morning(ratios[:, :, -1])[:, :, None] * np.exp(ratios)
    return np.asarray(np.log(total) - np.log(HORIZON + STARTS - 1), np.float64)


def table(results: list[Result]) -> Table:
    """A line for each case."""
    shown = Table(title=f"Alarms in {STREAMS} streams of {HORIZON} days, {LABELS} labels a day, alpha {ALPHA:.0%}")
    for name in ("rule, accuracy", "counted", "day by day", "95 %", "label by label", "95 %", "point rule"):
        shown.add_column(name, justify="left" if name == "rule, accuracy" else "right")
    for result in results:
        shown.add_row(*_line(result))
    return shown


def _line(result: Result) -> tuple[str, ...]:
    case, streams = result.case, result.streams
    return (
        case.name,
        f"found in {case.within} days" if case.within else "false in 90 days",
        f"{result.at_days / streams:.1%}",
        _interval(result.at_days, streams),
        f"{result.at_labels / streams:.1%}",
        _interval(result.at_labels, streams),
        f"{result.point / streams:.1%}",
    )


def _interval(part: int, whole: int) -> str:
    low, high = wilson(part, whole)
    return f"{low:.1%} to {high:.1%}"


def _fired(case: Case, streams: int, rng: np.random.Generator) -> tuple[int, ...]:
    """In how many streams each alarm fired among the days that count."""
    counted, right = _streams(case, streams, rng)
    floors, enough = _floors(case, streams, rng)
    evidence = log_evidence(right, floors)
    _check(evidence, right, floors)
    fires = evidence >= enough
    point = right.sum(axis=2) < FLOOR * LABELS
    return tuple(int((days & counted).any(axis=1).sum()) for days in (fires[:, :, -1], fires.any(axis=2), point))


def _streams(case: Case, streams: int, rng: np.random.Generator) -> tuple[Truths, Truths]:
    """Which days count, and whether each label is right."""
    days = np.arange(BEFORE + HORIZON)
    falls = BEFORE + rng.integers(FALLS[0], FALLS[1] + 1, size=(streams, 1))
    fallen = (days >= falls) & (case.fallen is not None)
    accuracies = np.where(fallen, case.fallen or 0.0, case.accuracy)
    counted = (days < falls + case.within) & fallen if case.within else np.tile(days >= BEFORE, (streams, 1))
    return counted, rng.random((streams, len(days), LABELS)) < accuracies[:, :, None]


def _floors(case: Case, streams: int, rng: np.random.Generator) -> tuple[Floats, float]:
    """The accuracy bet against in each stream, and what suffices: as `sequences.below` and `worse` have them."""
    if not case.reference_n:
        return np.full(streams, FLOOR + TOLERANCE), float(-np.log(ALPHA))
    drawn = rng.binomial(case.reference_n, case.accuracy, size=streams).tolist()
    floors = [lower_bound(right, case.reference_n, ALPHA * REFERENCE) for right in drawn]
    return np.array(floors), float(-np.log(ALPHA * (1 - REFERENCE)))


def _wealth_by_morning(ratios: Floats) -> Floats:
    """What the players of the last starts own when a day begins, its own start included, from log ratios of days."""
    wealth, since = np.ones_like(ratios), np.zeros_like(ratios)
    for back in range(1, STARTS):
        since[:, back:] += ratios[:, :-back]
        since[:, back - 1] = -np.inf
        wealth += np.exp(since)
    return wealth


def _check(evidence: Floats, right: Truths, floors: Floats) -> None:
    """The monitor says the same of these streams, at the end and in the middle of a day."""
    for k in range(min(SAMPLE, len(right))):
        day, labels = 7 * (k + 1), 10 * (k + 1)
        days = _counts(right[k, :day]) + _counts(right[k, day : day + 1, :labels])
        assert np.isclose(under(days, floors[k]).log_e, evidence[k, day, labels - 1])


def _counts(right: NDArray[Any]) -> list[tuple[int, int]]:
    return [(int(day.sum()), len(day)) for day in right]


def main() -> None:
    """Simulate and print; also as JSON into the file named first."""
    file = json_file("alarms", __doc__)
    rng = np.random.default_rng(6)
    results = [simulate(case, STREAMS, rng) for case in cases()]
    Console().print(table(results))
    if file:
        file.write_text(json.dumps([asdict(result) for result in results], indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
