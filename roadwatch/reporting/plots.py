"""Reports as plots: coordinates that the macros of models.qualification draw. Pure."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import Final

from models.qualification.charts import Box, Dot, Line, Plot, Tick
from roadwatch.reporting.figures import Share, percent, points
from roadwatch.reporting.ranges import DayLine
from roadwatch.reporting.strips import FEW, marks, share_axis
from schemas.records import EstimatedAccuracy, Reliability, SliceScores

OURS: Final = "one"
"The colour of what labels say."
ESTIMATED: Final = "two"
"Of what confidences say."
BAD: Final = "worse"
"Of what is surely worse than the rest."
TREND: Final = Box(992, 210, left=48, right=984, top=12, bottom=180)
NARROW: Final = Box(368, 210, left=44, right=360, top=12, bottom=180)
"Of the same on a phone."
HOURS: Final = Box(992, 220, left=48, right=984, top=12, bottom=196)
SQUARE: Final = Box(470, 330, left=48, right=460, top=12, bottom=294)
BARS: Final = 28.0
"The height of the largest bar below the hours."

Scale = Callable[[float], float]


def trend(lines: Sequence[DayLine], box: Box = TREND) -> Plot | None:
    """Accuracy over days, in order, with its intervals, the estimate beside it; None where one day alone has either."""
    known = [line for line in lines if line.accuracy or line.estimate]
    if len(known) < 2:
        return None
    first, last = (date.fromisoformat(line.day) for line in (known[0], known[-1]))
    low = _lowest(known)
    across = linear(first.toordinal(), last.toordinal(), box.left + 16, box.right - 16)
    up = linear(low, 1.0, box.bottom, box.top)
    return Plot(
        "Accuracy over the days",
        box,
        x_ticks=_day_ticks(first, last, across, most=int(box.width // 68)),
        y_ticks=[Tick(up(value), percent(value, 0)) for value in marks(low, 1.0, 4)],
        areas=list(_bands(known, across, up)),
        lines=list(_trend_lines(known, across, up, low)),
        dots=list(_trend_dots(known, across, up)),
    )


def reliability(reported: Sequence[Reliability]) -> Plot | None:
    """Share that is right over confidence, dots as large as the share of vehicles, with the diagonal of the honest."""
    rows = [row for row in reported if row.n]
    if not rows:
        return None
    low = max(0.0, min(0.8, math.floor(min(min(row.confidence, row.accuracy) for row in rows) * 10) / 10))
    across, up = linear(low, 1, SQUARE.left, SQUARE.right), linear(low, 1, SQUARE.bottom, SQUARE.top)
    total = sum(row.n for row in rows)
    return Plot(
        "Confidence and truth",
        SQUARE,
        x_ticks=[Tick(across(value), percent(value, 0)) for value in marks(low, 1, 4)],
        y_ticks=[Tick(up(value), percent(value, 0)) for value in marks(low, 1, 4)],
        lines=[
            Line(path([(low, low), (1, 1)], across, up), "ideal"),
            Line(path([(row.confidence, row.accuracy) for row in rows], across, up), OURS),
        ],
        dots=[
            Dot(across(row.confidence), up(row.accuracy), 2.5 + 9 * (row.n / total) ** 0.5, OURS, _of_reliability(row))
            for row in rows
        ],
        x_label="how sure the model was",
    )


def hours(rows: Sequence[SliceScores], all_of_day: float | None) -> Plot | None:
    """Accuracy by hour with its intervals, and below how many vehicles are labelled; None without labels."""
    known = [(int(row.value), row) for row in rows if row.accuracy is not None and row.value.isdigit()]
    if not known:
        return None
    across = linear(0, 24, HOURS.left, HOURS.right)
    low = share_axis([(row.accuracy or 0, row.low, row.labelled) for _, row in known], all_of_day).low
    up = linear(low, 1.0, HOURS.bottom - BARS - 8, HOURS.top)
    most = max(row.labelled for _, row in known)
    level = [] if all_of_day is None else [Line(path([(0, all_of_day), (24, all_of_day)], across, up), "ideal")]
    return Plot(
        "Accuracy by hour",
        HOURS,
        x_ticks=[Tick(across(hour), f"{hour:02}") for hour in range(0, 25, 3)],
        y_ticks=[Tick(up(value), percent(value, 0)) for value in marks(low, 1.0, 4)],
        areas=[Line(_bar(across(h), across(h + 1), BARS * row.labelled / most), "base") for h, row in known],
        lines=level + [upright(across(h + 0.5), up(max(row.low, low)), up(row.high), _colour(row)) for h, row in known],
        dots=[Dot(across(h + 0.5), up(row.accuracy or 0), 3.6, _colour(row), of_slice(row)) for h, row in known],
    )


def of_slice(row: SliceScores) -> str:
    """A slice in words."""
    if row.accuracy is None:
        return f"{row.value}: no labels"
    told = f"{row.value}: {percent(row.accuracy)} ({row.low * 100:.1f} to {row.high * 100:.1f}) of {row.labelled}"
    return told if row.gap is None else f"{told}; {points(row.gap)} to the rest"


def of_share(share: Share) -> str:
    """A share in words."""
    return f"{percent(share.value)} ({share.bounds}) of {share.n}"


def linear(low: float, high: float, start: float, end: float) -> Scale:
    """A scale from values to coordinates."""
    return lambda value: start + (value - low) / ((high - low) or 1) * (end - start)


def path(dots: Iterable[tuple[float, float]], across: Scale, up: Scale) -> str:
    """Points for SVG."""
    return " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in dots)


def _lowest(lines: Sequence[DayLine]) -> float:
    measured = [found.low if found.n >= FEW else found.value for line in lines if (found := line.accuracy)]
    estimates = [line.estimate.low for line in lines if line.estimate]
    return max(0.0, math.floor(min([*measured, *estimates, 0.9]) * 20) / 20)


def _day_ticks(first: date, last: date, across: Scale, most: int) -> list[Tick]:
    span = (last - first).days
    step = next((step for step in (1, 2, 7, 14, 28) if span / step <= most), 56)
    days = (first + timedelta(days=n) for n in range(span % step, span + 1, step))
    return [Tick(across(day.toordinal()), f"{day:%d %b}") for day in days]


def _x(line: DayLine) -> int:
    return date.fromisoformat(line.day).toordinal()


def _bands(lines: Sequence[DayLine], across: Scale, up: Scale) -> Iterator[Line]:
    """The estimates' intervals, of days in a row as one area."""
    runs: dict[int, list[tuple[int, EstimatedAccuracy]]] = {}
    told = [(_x(line), line.estimate) for line in lines if line.estimate]
    for place, (x, estimate) in enumerate(told):
        runs.setdefault(x - place, []).append((x, estimate))
    for run in runs.values():
        ends = [(x, each.high) for x, each in run] + [(x, each.low) for x, each in reversed(run)]
        yield Line(path(ends, across, up), ESTIMATED)


def _trend_lines(lines: Sequence[DayLine], across: Scale, up: Scale, low: float) -> Iterator[Line]:
    yield Line(path([(_x(line), line.estimate.accuracy) for line in lines if line.estimate], across, up), ESTIMATED)
    yield Line(path([(_x(line), line.accuracy.value) for line in lines if line.accuracy], across, up), OURS)
    for line in lines:
        if share := line.accuracy:
            yield upright(across(_x(line)), up(max(share.low, low)), up(share.high), OURS)


def _trend_dots(lines: Sequence[DayLine], across: Scale, up: Scale) -> Iterator[Dot]:
    for line in lines:
        if told := line.estimate:
            title = f"{line.day}: estimated {percent(told.accuracy)}{', not to be believed' if told.breaks else ''}"
            yield Dot(across(_x(line)), up(told.accuracy), 2.6, ESTIMATED, title)
        if share := line.accuracy:
            yield Dot(across(_x(line)), up(share.value), 3.6, OURS, f"{line.day}: {of_share(share)}")


def _of_reliability(row: Reliability) -> str:
    return f"{percent(row.confidence)} sure, {percent(row.accuracy)} right, {row.n} vehicles"


def _colour(row: SliceScores) -> str:
    return BAD if row.discovered else OURS


def upright(x: float, low: float, high: float, colour: str) -> Line:
    """A line from one height to another."""
    return Line(f"{x:.1f},{low:.1f} {x:.1f},{high:.1f}", colour)


def _bar(left: float, right: float, height: float) -> str:
    base = HOURS.bottom
    corners = ((left + 2, base), (left + 2, base - height), (right - 2, base - height), (right - 2, base))
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
