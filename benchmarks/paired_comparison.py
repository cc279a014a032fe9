"""How often the sequential comparison is wrong, and how soon it is right: `python -m benchmarks.paired_comparison`.

Each line is 1,000 simulated comparisons, looked at after every label up to 3,000, beside a McNemar test at 5 % looked
at as often. Errors are independent, or agree as far as a share of what independence would let them differ.
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
from models.comparison import Rule, log_e_better, log_e_not_better
from models.evaluation import wilson_interval

RUNS: Final = 1000
ACCURACIES: Final = (0.85, 0.90, 0.95)
DIFFERENCES: Final = (-0.03, -0.01, 0.0, 0.01, 0.03)
AGREEMENTS: Final = (0.0, 0.5, 0.9)
"0: errors are independent; 1: the better model errs nowhere that the other does not."
MCNEMAR_Z: Final = 1.959964
"Two-sided 5 %: 2.5 % of them for the challenger."
MCNEMAR_FEWEST: Final = 10
"Discordant vehicles before the naive test looks: its normal approximation is worse with fewer."


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of challenger."""

    accuracy: float
    "The champion's."
    difference: float
    "The challenger's accuracy less the champion's."
    agreement: float
    "How much of what independence would let them differ, they agree on."

    @property
    def shares(self) -> tuple[float, float]:
        """The share of vehicles on which the champion alone, and the challenger alone, is right."""
        other = self.accuracy + self.difference
        alone, other_alone = self.accuracy * (1 - other), other * (1 - self.accuracy)
        agreed = self.agreement * min(alone, other_alone)
        return alone - agreed, other_alone - agreed


@dataclass(frozen=True, slots=True)
class Result:
    """What became of the comparisons of one case."""

    case: Case
    "The case."
    runs: int
    "Comparisons."
    discordant: float
    "The share of vehicles on which the models differ."
    promoted: int
    "Comparisons that said promote."
    kept: int
    "Those that said keep on evidence, before labels were used up."
    median_labels: float
    "Labels until promote or keep, median; those used up count in full."
    naive: int
    "Comparisons in which McNemar's test at 5 % would have promoted."


def simulate(case: Case, rule: Rule, runs: int, rng: np.random.Generator) -> Result:
    """Run comparisons of one case."""
    wins, losses = _histories(case, rule.most_labels, runs, rng)
    alike = np.arange(1, rule.most_labels + 1) - wins - losses
    better = _first(log_e_better(wins, losses) >= rule.enough)
    not_better = _first(log_e_not_better(wins, losses, alike, rule.margin) >= rule.enough)
    promoted = better < not_better
    kept = not_better < np.minimum(better, rule.most_labels)
    return Result(
        case=case,
        runs=runs,
        discordant=sum(case.shares),
        promoted=int(promoted.sum()),
        kept=int(kept.sum()),
        median_labels=float(np.median(np.minimum(np.minimum(better, not_better) + 1, rule.most_labels))),
        naive=int((_first(_mcnemar(wins, losses)) < rule.most_labels).sum()),
    )


def cases() -> Iterator[Case]:
    """Worse, equal and better challengers of champions of several accuracies."""
    for difference in DIFFERENCES:
        for accuracy in ACCURACIES:
            for agreement in AGREEMENTS:
                yield Case(accuracy, difference, agreement)


def table(results: list[Result], title: str) -> Table:
    """A line for each case."""
    shown = Table(title=title)
    for name in (
        "difference",
        "champion",
        "errors agree",
        "differ on",
        "promoted",
        "95 %",
        "kept",
        "labels",
        "McNemar",
    ):
        shown.add_column(name, justify="right")
    for result in results:
        shown.add_row(*_line(result))
    return shown


def _line(result: Result) -> tuple[str, ...]:
    case, runs = result.case, result.runs
    low, high = wilson_interval(result.promoted, runs)
    return (
        f"{case.difference * 100:+.0f} points",
        f"{case.accuracy:.2f}",
        f"{case.agreement:.0%}",
        f"{result.discordant:.1%}",
        f"{result.promoted / runs:.1%}",
        f"{low:.1%} to {high:.1%}",
        f"{result.kept / runs:.1%}",
        f"{result.median_labels:.0f}",
        f"{result.naive / runs:.1%}",
    )


def _histories(
    case: Case, labels: int, runs: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Vehicles that the challenger alone, and the champion alone, was right on, after each label: runs × labels."""
    champion, challenger = case.shares
    drawn = rng.random((runs, labels), dtype=np.float32)
    return np.cumsum(drawn > 1 - challenger, axis=1), np.cumsum(drawn < champion, axis=1)


def _first(true: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The first place of each row that is true; the row's length where none is."""
    return np.where(true.any(axis=1), true.argmax(axis=1), true.shape[1])


def _mcnemar(wins: NDArray[np.int64], losses: NDArray[np.int64]) -> NDArray[np.bool_]:
    discordant = wins + losses
    return (discordant >= MCNEMAR_FEWEST) & (wins - losses > MCNEMAR_Z * np.sqrt(discordant))


def main() -> None:
    """Simulate and print; also as JSON into the file named first."""
    file = json_file("paired_comparison", __doc__)
    rule, rng = Rule(), np.random.default_rng(4)
    results = [simulate(case, rule, RUNS, rng) for case in cases()]
    title = f"{RUNS} comparisons a line, alpha {rule.alpha}, margin {rule.margin}, up to {rule.most_labels} labels"
    Console().print(table(results, title))
    if file:
        file.write_text(json.dumps([asdict(result) for result in results], indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
