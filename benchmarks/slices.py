"""How many of the slices found are false, and how soon true ones are found: `python -m benchmarks.slices`.

Each line is 1,000 simulated months: 200 slices of 30 days, accuracy moving from day to day for all of them alike. Each
slice has so many labels a day; some are 15 points worse than the others, from a day on. Where slices overlap, half of
them are unions of two neighbours.

What could be hoped for: a test that looks once, after 100 labels, and spends on one of 200 slices all of its part of
alpha (Bonferroni), finds 54 % of those at 70 instead of 85 %, and 70 % of those at 75 instead of 90 %.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.options import json_file
from monitor.metrics import wilson
from monitor.statistics.discoveries import AT_ONCE, BETS, Counts, Plan, Search

RUNS: Final = 1000
SLICES: Final = 200
GAP: Final = 0.15
"How much worse the worse ones are."
SWAY: Final = 0.03
"How far a day's accuracy, the same for all slices, lies from the usual at most."
MARKS: Final = (50, 100, 150, 200, 300)
"Labels of a worse slice after which it is asked whether it was found."
PLAN: Final = Plan(SLICES)

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of month."""

    accuracy: float
    "Of slices that are not worse, on the usual day."
    worse: int = 0
    "Slices that are worse."
    since: int = 0
    "The day from which on they are, from 0."
    labels: int = 10
    "Of each slice a day."
    overlapping: bool = False
    "Whether half of the slices are unions of two neighbours."


@dataclass(frozen=True, slots=True)
class Result:
    """What was found in the months of a case."""

    case: Case
    "The case."
    runs: int
    "Months."
    any_false: int
    "Months in which any slice was found that is not worse."
    false_share: float
    "The mean share of false ones among those found in the whole month; 0 where none was found."
    found: tuple[float, ...]
    "The share of the worse slices found by the day on which they had so many labels since they are worse: MARKS."


def cases() -> Iterator[Case]:
    """Months without worse slices, then with one, five and twenty, and some that become worse later."""
    for accuracy in (0.85, 0.90):
        for overlapping in (False, True):
            yield Case(accuracy, overlapping=overlapping)
    for accuracy in (0.85, 0.90):
        for worse in (1, 5, 20):
            yield Case(accuracy, worse)
        yield Case(accuracy, 5, since=10)
        yield Case(accuracy, 5, labels=100)
    yield Case(0.90, 20, overlapping=True)


def simulate(case: Case, runs: int, rng: np.random.Generator) -> Result:
    """Run the months of one case."""
    right, n = _months(case, runs, rng)
    found = found_days(right, n)
    worse = _worse(case)
    false = (found[:, ~worse] < PLAN.horizon).sum(axis=1)
    true = (found[:, worse] < PLAN.horizon).sum(axis=1)
    return Result(
        case=case,
        runs=runs,
        any_false=int((false > 0).sum()),
        false_share=float(np.mean(false / np.maximum(1, false + true))),
        found=tuple(_by(found[:, worse], case, mark) for mark in MARKS if case.worse),
    )


def found_days(right: Ints, n: Ints) -> Ints:
    """The day on which each slice is found, 30 where it is not; counts are runs × days × (slices, and all labels)."""
    runs, days, slices = right.shape[0], right.shape[1], right.shape[2] - 1
    wealth, found = np.full((len(BETS), runs, slices), -np.inf), np.full((runs, slices), days)
    parts = np.log([part for _, part in BETS])[:, None, None]
    for day in range(days):
        wealth = np.logaddexp(wealth, _log_part(day)) + _log_ratios(right[:, day], n[:, day])
        owned = np.logaddexp.reduce([*(parts + wealth), np.full((runs, slices), _log_idle(day))], axis=0)
        found[_discovered(owned, found < day)] = day
    return found


def table(results: list[Result]) -> Table:
    """A line for each case."""
    shown = Table(title=f"{RUNS} months of {SLICES} slices, alpha {PLAN.alpha:.0%}, worse by {GAP * 100:.0f} points")
    names = ("accuracy", "worse", "from day", "labels a day", "overlap", "any false", "95 %", "false share")
    for name in (*names, *(f"by {mark}" for mark in MARKS)):
        shown.add_column(name, justify="right")
    for result in results:
        shown.add_row(*_line(result))
    return shown


def _line(result: Result) -> tuple[str, ...]:
    case = result.case
    low, high = wilson(result.any_false, result.runs)
    return (
        f"{case.accuracy:.2f}",
        str(case.worse),
        str(case.since),
        str(case.labels),
        "yes" if case.overlapping else "no",
        f"{result.any_false / result.runs:.1%}",
        f"{low:.1%} to {high:.1%}",
        f"{result.false_share:.2%}",
        *(f"{share:.0%}" for share in result.found),
    )


def _months(case: Case, runs: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Right ones and all labels: runs × days × (slices, and all labels)."""
    cells, days = (SLICES // 2 if case.overlapping else SLICES), np.arange(PLAN.horizon)
    usual = case.accuracy + rng.uniform(-SWAY, SWAY, size=(runs, PLAN.horizon, 1))
    fallen = (days[:, None] >= case.since) & (np.arange(cells) < case.worse)
    n = np.full((runs, PLAN.horizon, cells), case.labels)
    right = rng.binomial(n, usual - GAP * fallen)
    return _with_unions(right, case.overlapping), _with_unions(n, case.overlapping)


def _with_unions(counts: Ints, overlapping: bool) -> Ints:
    unions = [counts + np.roll(counts, -1, axis=2)] if overlapping else []
    return np.concatenate([counts, *unions, counts.sum(axis=2, keepdims=True)], axis=2)


def _worse(case: Case) -> NDArray[np.bool_]:
    """Which slices are: a union that holds a worse one is one."""
    cells = np.arange(SLICES // 2 if case.overlapping else SLICES) < case.worse
    return np.concatenate([cells, cells | np.roll(cells, -1)]) if case.overlapping else cells


def _by(found: Ints, case: Case, mark: int) -> float:
    """The share found by the day on which a slice had so many labels since it is worse."""
    return float((found < case.since + -(-mark // case.labels)).mean())


def _log_ratios(right: Ints, n: Ints) -> Floats:
    """The day's log likelihood ratios: odds × runs × slices."""
    both = right[:, -1:] / n[:, -1:]
    return np.array([-odds * right[:, :-1] - n[:, :-1] * np.log1p(both * np.expm1(-odds)) for odds, _ in BETS])


def _log_part(day: int) -> float:
    return float(np.log(AT_ONCE if day == 0 else (1 - AT_ONCE) / (PLAN.horizon - 1)))


def _log_idle(day: int) -> float:
    """What the players of later days still hold."""
    return float(np.log(max(1e-300, (1 - AT_ONCE) * (1 - day / (PLAN.horizon - 1)))))


def _discovered(owned: Floats, before: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """e-BH in each run, those found before being counted."""
    ranked = -np.sort(-np.where(before, -np.inf, owned), axis=1)
    found = before.sum(axis=1, keepdims=True) + np.arange(1, SLICES + 1)
    enough = ranked >= np.log(SLICES / (PLAN.alpha * found))
    least = np.where(enough, ranked, np.inf).min(axis=1, keepdims=True)
    return np.asarray(~before & (owned >= least), np.bool_)


def _check(rng: np.random.Generator) -> None:
    """The monitor finds the same slices on the same days of a month."""
    right, n = _months(Case(0.9, 20), 1, rng)
    search = Search(PLAN)
    for day in range(PLAN.horizon):
        search = search.with_day(_tables(right[0, day].tolist(), n[0, day].tolist()))
    shown = {int(discovery.name): discovery.found for discovery in search.discoveries()}
    assert shown == {k: day for k, day in enumerate(found_days(right, n)[0].tolist()) if day < PLAN.horizon}


def _tables(right: list[int], n: list[int]) -> dict[str, Counts]:
    return {f"{k:03}": Counts(right[k], n[k], right[-1] - right[k], n[-1] - n[k]) for k in range(SLICES)}


def main() -> None:
    """Simulate and print; also as JSON into the file named first."""
    file = json_file("slices", __doc__)
    rng = np.random.default_rng(7)
    _check(rng)
    results = [simulate(case, RUNS, rng) for case in cases()]
    Console().print(table(results))
    if file:
        file.write_text(json.dumps([asdict(result) for result in results], indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
