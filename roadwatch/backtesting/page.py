"""A backtest as one HTML page that needs nothing else: no scripts, no fonts, nothing fetched."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import jinja2

from models.qualification import charts
from models.qualification.page import environment
from roadwatch.backtesting.answering import answer, percent, right
from roadwatch.backtesting.comparing import (
    AlertRow,
    Comparison,
    LiveAlerts,
    LiveDay,
    changed_rules,
    interval,
    per_row,
)
from roadwatch.backtesting.differing import Differing
from roadwatch.backtesting.outcome import Ran
from schemas.records import Cell, Scores

COLOURS: Final = ("base", "one", "two", "three")
"Of models, in their order."
NOTHING: Final = "–"
STEP: Final = 21.0
"Height of a row of a forest, in its view box."
SHOWN_DAYS: Final = 31
"Days that are drawn; all are in the table."


@dataclass(frozen=True, slots=True)
class Column:
    """A variant on the page."""

    colour: str
    "Its model's."
    model: str
    "Its model's name."
    rules: str
    "Its rules' name."
    share: str
    "Right verdicts, of the labelled vehicles of all days that any variant gave one on."
    right: int
    "How many those are."
    of: int
    "Of how many."
    accuracy: str
    "Of its own verdicts alone."
    bounds: str
    "Its 95 % interval."
    alerts: int
    "How many it raises."
    silent: int
    "Labelled vehicles that it alone gave no verdict on, for it may abstain."
    best: bool
    "Whether none is right on more vehicles, and some other is on fewer."
    live: str
    "Whether it says what the live run said; empty: nothing to compare with."
    same: bool
    "Whether it does on every day."


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of one variant on one day."""

    text: str
    "As it is shown."
    best: bool
    "Whether it is better than another's, and none is better."


@dataclass(frozen=True, slots=True)
class DayRow:
    """A day in the table."""

    day: str
    "The day."
    lines: tuple[tuple["Column", tuple[Figure, ...]], ...]
    "For each variant: accuracy, F1, flip rate, labelled vehicles, all vehicles, alerts."


@dataclass(frozen=True, slots=True)
class Example:
    """A vehicle on which models differ."""

    vehicle: Differing
    "Which."
    truth: str | None
    "What it is; None: nobody labelled it."
    said: tuple[tuple[str, str, str, bool | None], ...]
    "Colour, model, verdict, and whether it is right."
    jpeg: bytes | None
    "Its picture, where frames are recorded."


@dataclass(frozen=True, slots=True)
class Matrix:
    """What a model said of what."""

    colour: str
    "The model's."
    model: str
    "Its name."
    said: tuple[str, ...]
    "Classes, across."
    rows: tuple[tuple[str, tuple[int, ...]], ...]
    "Classes, down, and counts."


def page(result: Comparison, pictures: Mapping[str, bytes]) -> str:
    """Return the page: who is better and why, then days, alerts, vehicles, the live run, and what was done."""
    columns = [_column(result, ran) for ran in result.ran]
    return (
        _environment()
        .get_template("backtest.html")
        .render(
            result=result,
            answer=list(answer(result)),
            columns=columns,
            models=[{"colour": c, "name": m.name} for c, m in zip(COLOURS, result.outcome.models, strict=False)],
            days=list(_day_rows(result, columns)),
            forest=_forest(result),
            alerts=list(_alerts(result)),
            examples=[_example(result, vehicle, pictures) for vehicle in result.examples],
            matrices=list(_matrices(result)),
            rules=changed_rules(result.outcome.rules),
            live=list(_live(result)),
            live_alerts=[_told_alerts(each) for each in result.live_alerts],
            cost=per_row(result.outcome),
            counts={name: n for name, n in sorted(result.outcome.counts.items()) if n},
        )
    )


def _column(result: Comparison, ran: Ran) -> Column:
    scores, bounds = ran.scores, interval(ran.scores)
    equal, days = result.equal_days(ran.variant.name)
    most = max(other.scores.labelled for other in result.ran)
    return Column(
        colour=_colour(result, ran),
        model=ran.variant.model.name,
        rules=ran.variant.rules.name,
        share=percent(right(scores) / most if most else None),
        right=right(scores),
        of=most,
        accuracy=percent(scores.accuracy),
        bounds=f"{bounds[0] * 100:.1f} to {bounds[1] * 100:.1f}" if bounds else "",
        alerts=len(ran.alerts),
        silent=most - scores.labelled,
        best=_is_best(right(scores), [right(other.scores) for other in result.ran]),
        live=_beside_live(equal, days),
        same=0 < days == equal,
    )


def _colour(result: Comparison, ran: Ran) -> str:
    return COLOURS[[model.name for model in result.outcome.models].index(ran.variant.model.name)]


def _beside_live(equal: int, days: int) -> str:
    if not days:
        return ""
    if equal == days:
        return "equal to live"
    return f"{equal} of {days} days equal to live" if equal else "differs from live"


def _is_best(value: float | None, all_values: Sequence[float | None], *, lowest: bool = False) -> bool:
    known = [each for each in all_values if each is not None]
    if value is None or len(known) < 2 or min(known) == max(known):
        return False
    return value == (min(known) if lowest else max(known))


# Days


def _day_rows(result: Comparison, columns: Sequence[Column]) -> Iterator[DayRow]:
    for day in result.days:
        ran = [(column, ran) for column, ran in zip(columns, result.ran, strict=True) if day in ran.reports]
        scores = [each.reports[day].scores for _, each in ran]
        same = len({(each.labelled, each.passages) for each in scores}) == 1
        figures = (
            _figures([each.accuracy for each in scores], same=same),
            _figures([each.f1 for each in scores], same=same),
            _figures([each.flip_rate for each in scores], same=same, lowest=True),
            [Figure(str(each.labelled), best=False) for each in scores],
            [Figure(str(each.passages), best=False) for each in scores],
            [Figure(str(each.alerts_on(day) or NOTHING), best=False) for _, each in ran],
        )
        yield DayRow(day, tuple(zip((column for column, _ in ran), zip(*figures, strict=True), strict=True)))


def _figures(values: Sequence[float | None], *, same: bool, lowest: bool = False) -> list[Figure]:
    """The best one is told apart only where all rest on as many vehicles: who abstains is judged on easier ones."""
    return [Figure(percent(value), same and _is_best(value, values, lowest=lowest)) for value in values]


def _forest(result: Comparison) -> charts.Forest | None:
    """Each model's accuracy on each day, and on all together, with its interval."""
    firsts = result.ran[:: len(result.outcome.rules)]
    rows = [("all days", [ran.scores for ran in firsts])] if len(result.days) > 1 else []
    rows += [(day, [ran.reports[day].scores for ran in firsts if day in ran.reports]) for day in result.days]
    rows = [(name, scores) for name, scores in rows[:SHOWN_DAYS] if any(each.labelled for each in scores)]
    if not rows:
        return None
    lowest = min(bounds[0] for _, scores in rows for each in scores if (bounds := interval(each)))
    low, left, width = math.floor(lowest * 20) / 20, 110.0, 930.0
    span = STEP if len(firsts) < 3 else STEP * 1.5
    return charts.Forest(
        width,
        span * len(rows) + 24,
        left,
        rows=tuple(charts.Tick(span * (number + 0.5), name) for number, (name, _) in enumerate(rows)),
        ticks=tuple(charts.Tick(_x(value, low, left, width), f"{value:.0%}") for value in _marks(low)),
        whiskers=tuple(_whiskers(rows, low, left, width, span)),
    )


def _whiskers(
    rows: Sequence[tuple[str, Sequence[Scores]]], low: float, left: float, width: float, span: float
) -> Iterator[charts.Whisker]:
    for number, (name, scores) in enumerate(rows):
        for place, each in enumerate(scores):
            bounds = interval(each)
            if bounds and each.accuracy is not None:
                y = span * (number + 0.5) + (place - (len(scores) - 1) / 2) * 7
                at, begin, end = (_x(value, low, left, width) for value in (each.accuracy, *bounds))
                yield charts.Whisker(
                    at, begin, end, y, COLOURS[place], f"{name}: {percent(each.accuracy)} of {each.labelled}"
                )


def _x(value: float, low: float, left: float, width: float) -> float:
    return left + (value - low) / (1 - low) * (width - 16 - left)


def _marks(low: float) -> list[float]:
    step = next(step for step in (0.01, 0.02, 0.05, 0.1, 0.2) if (1 - low) / step <= 8 or step == 0.2)
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, round(1 / step) + 1)]


# Alerts, vehicles, the live run


def _alerts(result: Comparison) -> Iterator[tuple[AlertRow, bool]]:
    """Alerts, and whether variants differ on them; those first."""
    rows = [(row, len(set(row.raised_by)) > 1) for row in result.alerts]
    yield from sorted(rows, key=lambda row: not row[1])


def _example(result: Comparison, vehicle: Differing, pictures: Mapping[str, bytes]) -> Example:
    truth = result.truths.get(vehicle.passage_id)
    said = tuple(
        (
            colour,
            model.name,
            "no verdict" if each is None else f"{each.label} {each.confidence:.2f}",
            None if truth is None or each is None else each.label == truth,
        )
        for colour, model, each in zip(COLOURS, result.outcome.models, vehicle.said, strict=False)
    )
    return Example(vehicle, truth, said, pictures.get(vehicle.passage_id))


def _matrices(result: Comparison) -> Iterator[Matrix]:
    for colour, ran in zip(COLOURS, result.ran[:: len(result.outcome.rules)], strict=False):
        cells = ran.scores.confusion
        if cells:
            yield Matrix(colour, ran.variant.model.name, *_table(cells))


def _table(cells: Sequence[Cell]) -> tuple[tuple[str, ...], tuple[tuple[str, tuple[int, ...]], ...]]:
    names = tuple(sorted({cell.truth for cell in cells} | {cell.predicted for cell in cells}))
    counts = {(cell.truth, cell.predicted): cell.count for cell in cells}
    return names, tuple((truth, tuple(counts.get((truth, said), 0) for said in names)) for truth in names)


def _live(result: Comparison) -> Iterator[tuple[str, tuple[LiveDay | None, ...]]]:
    """For each day that the live run reported on, each variant's report beside its own; None where one has none."""
    found = {(day.day, day.variant): day for day in result.live}
    for name in sorted({day.day for day in result.live}):
        yield name, tuple(found.get((name, ran.variant.name)) for ran in result.ran)


def _told_alerts(beside: LiveAlerts) -> tuple[bool, str]:
    """Whether a variant's alerts are the live run's, and in words."""
    if beside.same:
        return True, f"all {beside.equal} equal" if beside.equal else "none, as live"
    told = ((len(beside.only_backtest), "more"), (len(beside.only_live), "fewer"), (len(beside.differ), "other"))
    return False, ", ".join(f"{n} {word}" for n, word in told if n)


@cache
def _environment() -> jinja2.Environment:
    made = environment(Path(__file__).parent)
    made.filters["shown"] = _shown
    return made


def _shown(value: Any) -> str:
    if value is None:
        return NOTHING
    return f"{value:.4g}" if isinstance(value, float) else str(value)
