"""Figures as a page shows them: rounded for people, in rows beside what was wanted, and beside another version's."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from models.qualification.checks import Answer, PartJudgement, matches
from models.qualification.figures import Figure, Measured, Part, figure
from models.qualification.report import figure_names

NOTHING: Final = "–"
CONFUSION: Final = "confusion.*.*"
"Shown as a matrix."

DECIMALS: Final = (
    ("*_ms", 1),
    ("*_per_second", 1),
    ("frames_per_second.*", 0),
    ("memory_mb.*", 0),
    ("memory_mb_a_worker.*", 0),
    (CONFUSION, 0),
    ("crashed", 0),
    ("lost", 0),
    ("predicted", 0),
    ("dead_letter", 0),
    ("speedup.*", 2),
    ("mean_corruption", 2),
    ("corruption.*", 2),
    ("colour_order", 2),
    ("largest_difference.*", 5),
    ("brier", 4),
    ("log_loss", 4),
    ("calibration_error", 4),
    ("calibration_error.*", 4),
    ("*", 3),
    ("*.*", 3),
    ("*.*.*", 3),
)
"How many to show, by what a figure is called; the first that fits."

LESS_IS_BETTER: Final = (
    "calibration_error",
    "calibration_error.*",
    "brier",
    "log_loss",
    "abstained",
    "crashed",
    "lost",
    "*_ms",
    "largest_difference.*",
    "mean_corruption",
    "corruption.*",
    "memory_mb.*",
    "memory_mb_a_worker.*",
)
NEITHER: Final = ("predicted", "dead_letter", "offered_per_second", "colour_order")
"More of it is neither better nor worse."


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One check, to show."""

    figure: str
    "Its figure."
    seen: str
    "The figure's value."
    interval: str
    "Its ends."
    n: str
    "Of how many."
    champion: str
    "The champion's value."
    wanted: str
    "What was wanted."
    answer: Answer
    "Whether it is met."
    why: str
    "If not by the number."


@dataclass(frozen=True, slots=True)
class Cell:
    """One version's value of a figure."""

    value: str
    "Rounded."
    interval: str
    "Its ends; empty: none."
    n: str
    "Of how many; empty: does not apply."
    difference: str = ""
    "From the first version's; empty: this is the first, or one is missing."
    tells: str = ""
    "`better` or `worse` where the intervals lie apart; empty: it may be chance, or has no direction."
    missed: bool = False
    "Whether a threshold on it is missed."


@dataclass(frozen=True, slots=True)
class FigureRow:
    """One figure of all versions."""

    name: str
    "The figure's."
    cells: tuple[Cell, ...]
    "A version each."
    named: bool
    "Whether a threshold names it."


@dataclass(frozen=True, slots=True)
class Confusion:
    """What was said of what."""

    said: tuple[str, ...]
    "The columns' classes."
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    "A true class, and how often each was said of it."


def confusion(measured: Measured | None) -> Confusion | None:
    """Return the confusion matrix; None: there is none."""
    found = [each for each in measured.figures if matches(CONFUSION, each.name)] if measured else []
    if not found:
        return None
    cells = {tuple(each.name.split(".")[1:]): number(each.name, each.value) for each in found}
    truths, said = (tuple(dict.fromkeys(cell[axis] for cell in cells)) for axis in (0, 1))
    rows = ((truth, tuple(cells.get((truth, name), "") for name in said)) for truth in truths)
    return Confusion(said, tuple(rows))


def check_rows(judged: PartJudgement, ours: Measured | None, champions: Measured | None) -> list[CheckRow]:
    """Return a part's checks, the missed ones first."""
    rows = []
    for check in sorted(judged.checks, key=lambda check: check.answer != "missed"):
        found = _figure(ours, check.figure)
        rows.append(
            CheckRow(
                figure=check.figure,
                seen=number(check.figure, found.value if found else None),
                interval=interval(found),
                n=f"{found.n:,}" if found and found.n is not None else "",
                champion=number(check.figure, getattr(_figure(champions, check.figure), "value", None)),
                wanted=check.wanted,
                answer=check.answer,
                why=check.why,
            )
        )
    return rows


def figure_rows(measured: Sequence[Measured | None], judged: Sequence[PartJudgement]) -> list[FigureRow]:
    """Return all figures but the confusion matrix, a column a version; differences are from the first.

    `judged` are the verdicts on the first versions, or on all.
    """
    names = [name for name in figure_names(measured) if not matches(CONFUSION, name)]
    return [_figure_row(name, measured, judged) for name in names]


def _figure_row(name: str, measured: Sequence[Measured | None], judged: Sequence[PartJudgement]) -> FigureRow:
    found = [_figure(each, name) for each in measured]
    missed = [name in {check.figure for check in each.missed} for each in judged]
    missed += [False] * (len(found) - len(missed))
    firsts = [None, *found[:1] * (len(found) - 1)]
    cells = tuple(_cell(name, *each) for each in zip(found, firsts, missed, strict=True))
    return FigureRow(name, cells, any(check.figure == name for each in judged for check in each.checks))


def number(name: str, value: float | None) -> str:
    """Return a figure's value, rounded as its name wants."""
    if value is None:
        return NOTHING
    decimals = next((count for pattern, count in DECIMALS if matches(pattern, name)), 3)
    return f"{value:,.{decimals}f}".replace("-", "−")


def interval(found: Figure | None) -> str:
    """Return an interval's ends; empty where there is none."""
    if found is None or found.low is None or found.high is None:
        return ""
    return f"{number(found.name, found.low)} to {number(found.name, found.high)}"


def headline(part: Part, measured: Measured | None) -> tuple[str, str]:
    """Return the number that stands for a part, and what it is."""
    if measured is None:
        return NOTHING, "not run"
    name, words = HEADLINES[part]
    if part == "consistency":
        shares = [f for f in measured.figures if f.low is not None and f.value is not None and f.name != "colour_order"]
        lowest = min(shares, key=lambda f: f.value or 0, default=None)
        return (number("", lowest.value), f"lowest agreement: {lowest.name}") if lowest else (NOTHING, words)
    found = figure(measured, name)
    return number(name, found.value if found else None), words


HEADLINES: Final[dict[Part, tuple[str, str]]] = {
    "accuracy": ("accuracy", "of held-out pictures right"),
    "errors": ("as_wanted", "of hard pictures as wanted"),
    "consistency": ("", "lowest agreement"),
    "latency": ("p99_ms", "ms; 99 of 100 frames are faster"),
    "robustness": ("accuracy.corrupted", "of corrupted pictures right"),
    "scalability": ("frames_per_second.1", "frames per second, one worker"),
}


def _figure(measured: Measured | None, name: str) -> Figure | None:
    return figure(measured, name) if measured else None


def _cell(name: str, ours: Figure | None, first: Figure | None, missed: bool) -> Cell:
    if ours is None or ours.value is None:
        return Cell(NOTHING, "", "", missed=missed)
    n = "" if ours.n is None else f"{ours.n:,}"
    value = number(name, ours.value)
    if first is None or first.value is None:
        return Cell(value, interval(ours), n, missed=missed)
    difference = ours.value - first.value
    shown = number(name, abs(difference))
    sign = "+" if difference > 0 else "−"
    nil = float(shown.replace(",", "")) == 0
    return Cell(
        value, interval(ours), n, "0" if nil else sign + shown, "" if nil else _tells(name, ours, first), missed
    )


def _tells(name: str, ours: Figure, first: Figure) -> str:
    """Say whether the difference is more than chance: whether the intervals lie apart."""
    if any(matches(pattern, name) for pattern in NEITHER):
        return ""
    ours_low, ours_high = ours.low, ours.high
    if ours_low is None or ours_high is None or first.low is None or first.high is None:
        return ""
    if ours_low <= first.high and first.low <= ours_high:
        return ""
    more = (ours.value or 0) > (first.value or 0)
    return "worse" if more is any(matches(pattern, name) for pattern in LESS_IS_BETTER) else "better"
