"""Curves as coordinates: what the page's SVG macros draw, without any arithmetic in the templates."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from models.qualification.corruptions import CORRUPTIONS
from models.qualification.figures import Curve, Figure, Measured, figure

Scale = Callable[[float], float]
Series = Sequence[tuple[str, Measured | None]]
"Name of the colour, and what was measured: the same part of each version."


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis, or a line across the plot."""

    at: float
    "Coordinate, of x or y as its list says."
    label: str
    "What stands beside it."
    anchor: str = "middle"
    "Which end of the label is there."


@dataclass(frozen=True, slots=True)
class Dot:
    """A point."""

    x: float
    "Coordinate."
    y: float
    "Coordinate."
    r: float
    "Radius."
    colour: str
    "Its series' colour."
    title: str
    "What a pointer over it is told."


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points."""

    points: str
    "For SVG's `points`."
    colour: str
    "Its series' colour, or `ideal`."


@dataclass(frozen=True, slots=True)
class Box:
    """A view box, and the plot in it."""

    width: float
    "Of the view box."
    height: float
    "Of the view box."
    left: float
    "Where the plot begins."
    right: float
    "Where it ends."
    top: float
    "Where it begins."
    bottom: float
    "Where it ends."


@dataclass(frozen=True, slots=True)
class Plot:
    """One chart."""

    title: str
    "What it shows."
    box: Box
    "Where."
    x_ticks: Sequence[Tick]
    "Below."
    y_ticks: Sequence[Tick]
    "At the left, with a line across."
    lines: Sequence[Line] = ()
    "To draw."
    dots: Sequence[Dot] = ()
    "To draw."
    areas: Sequence[Line] = ()
    "To fill."
    rules: Sequence[Tick] = ()
    "Upright lines with their labels at the top."
    x_label: str = ""
    "Below the ticks."


@dataclass(frozen=True, slots=True)
class Whisker:
    """A value and its interval, on a row of a forest plot."""

    x: float
    "Coordinate of the value."
    low: float
    "Of its interval's lower end."
    high: float
    "Of the upper."
    y: float
    "Of the row."
    colour: str
    "Its series' colour."
    title: str
    "What a pointer over it is told."


@dataclass(frozen=True, slots=True)
class Forest:
    """Values of slices with their intervals, a row each."""

    width: float
    "Of its view box."
    height: float
    "Of its view box."
    left: float
    "Where the plot begins."
    rows: tuple[Tick, ...]
    "Names, by y."
    ticks: tuple[Tick, ...]
    "Of the axis, by x."
    whiskers: tuple[Whisker, ...]
    "To draw."


BOX: Final = Box(360, 220, left=44, right=346, top=14, bottom=184)
WIDE: Final = Box(720, 220, left=44, right=706, top=34, bottom=184)
SMALL: Final = Box(168, 104, left=26, right=160, top=8, bottom=88)

QUANTILES: Final = (("p50", "middle"), ("p95", "end"), ("p99", "start"))
"With the end of the label that keeps the last two apart."


def forest(series: Series, names: Sequence[str]) -> Forest | None:
    """Return the shares of that name with their intervals; None where no version has any."""
    found = [(name, [(colour, _share(measured, name)) for colour, measured in series]) for name in names]
    rows = [(name, [(colour, share) for colour, share in row if share]) for name, row in found]
    rows = [row for row in rows if row[1]]
    if not rows:
        return None
    lowest = min(share.low or 0 for _, row in rows for _, share in row)
    left, width, step = 200.0, 930.0, 21.0
    low = math.floor(lowest * 20) / 20
    scale = _linear(low, 1, left, width - 16)
    height = step * len(rows) + 24
    return Forest(
        width,
        height,
        left,
        rows=tuple(Tick(_middle(number, step), name) for number, (name, _) in enumerate(rows)),
        ticks=tuple(Tick(scale(value), f"{value:.2f}") for value in _steps(low, 1, 5)),
        whiskers=tuple(_whiskers(rows, scale, step)),
    )


def reliability(series: Series) -> Plot | None:
    """Return accuracy over confidence, dots as large as the share of pictures, with the diagonal of the honest."""
    curves = [(colour, _curve(m, "reliability"), _curve(m, "confidence")) for colour, m in series]
    if not any(curve for _, curve, _ in curves):
        return None
    values = [value for _, curve, _ in curves for point in curve for value in point]
    low = min(0.9, math.floor(min(values) * 10) / 10)
    across, up = _axes(BOX, (low, 1), (low, 1))
    marks = _steps(low, 1, 5)
    return Plot(
        "Accuracy by confidence",
        BOX,
        x_ticks=[Tick(across(value), f"{value:.1f}") for value in marks],
        y_ticks=[Tick(up(value), f"{value:.1f}") for value in marks],
        lines=[Line(_points([(low, low), (1, 1)], across, up), "ideal")]
        + [Line(_points(curve, across, up), colour) for colour, curve, _ in curves],
        dots=[
            Dot(across(x), up(y), 2.5 + 9 * share**0.5, colour, f"said {x:.2f}, right {y:.2f}, {share:.0%} of pictures")
            for colour, curve, shares in curves
            for (x, y), (_, share) in zip(curve, shares, strict=False)
        ],
        x_label="confidence",
    )


def corruption_panels(series: Series) -> list[tuple[str, Plot]]:
    """Return for each corruption, by name, a small plot of accuracy over severity, all on one scale."""
    found = {name: [(colour, _named(m, name)) for colour, m in series] for name in CORRUPTIONS}
    kept = {name: [pair for pair in pairs if pair[1]] for name, pairs in found.items()}
    lowest = min((y for pairs in kept.values() for _, curve in pairs for _, y in curve), default=1.0)
    low = min(0.9, math.floor(lowest * 10) / 10)
    return [(name.replace("_", " "), _panel(name, pairs, low)) for name, pairs in kept.items() if pairs]


def latency(series: Series) -> Plot | None:
    """Return the distribution of latencies on a logarithmic axis, with a candidate's quantiles upright."""
    curves = [(colour, _curve(measured, "latency")) for colour, measured in series]
    points = [point for _, curve in curves for point in curve]
    if not points:
        return None
    low, high = min(x for x, _ in points) / 1.15, max(x for x, _ in points) * 1.15
    across = _logarithmic(low, high, WIDE.left, WIDE.right)
    up = _linear(0, max(y for _, y in points), WIDE.bottom, WIDE.top)
    ends = [(colour, [(curve[0][0], 0.0), *curve, (curve[-1][0], 0.0)]) for colour, curve in curves if curve]
    colour, first = series[0]
    return Plot(
        "Latency, capture to prediction",
        WIDE,
        x_ticks=[Tick(across(value), f"{value:g}") for value in _decades(low, high)],
        y_ticks=[],
        areas=[Line(_points(curve, across, up), colour) for colour, curve in ends],
        lines=[Line(_points(curve, across, up), colour) for colour, curve in ends],
        rules=_quantiles(first, across) if first and colour != "base" else [],
        x_label="milliseconds",
    )


def scaling(series: Series, chart: str, ideal: bool) -> Plot | None:
    """Return frames per second, or memory, over workers; with the line of a perfect speedup where asked for."""
    curves = [(colour, curve) for colour, m in series if (curve := _curve(m, chart))]
    if not curves:
        return None
    xs = sorted({x for _, curve in curves for x, _ in curve})
    high = max(y for _, curve in curves for _, y in curve) * 1.15 or 1.0
    across, up = _axes(BOX, (0, max(xs) * 1.08), (0, high))
    return Plot(
        chart.capitalize(),
        BOX,
        x_ticks=[Tick(across(value), f"{value:g}") for value in xs],
        y_ticks=[Tick(up(value), f"{value:g}") for value in _steps(0, high, 4)],
        lines=[Line(_points(_perfect(curves[0][1][0], max(xs), high), across, up), "ideal")] * ideal
        + [Line(_points(curve, across, up), colour) for colour, curve in curves],
        dots=[Dot(across(a), up(b), 4, colour, f"{a:g}: {b:.0f}") for colour, curve in curves for a, b in curve],
        x_label="workers, a partition each",
    )


def _perfect(first: tuple[float, float], far: float, high: float) -> list[tuple[float, float]]:
    """Return the line through the first point on which twice the workers do twice as much, as far as the plot goes."""
    slope = first[1] / first[0]
    reach = min(far, high / slope) if slope else far
    return [(0, 0), (reach, slope * reach)]


def _panel(name: str, pairs: Sequence[tuple[str, Sequence[tuple[float, float]]]], low: float) -> Plot:
    across, up = _axes(SMALL, (0, 5), (low, 1))
    return Plot(
        f"Accuracy under {name.replace('_', ' ')}",
        SMALL,
        x_ticks=[Tick(across(value), f"{value}") for value in (0, 1, 3, 5)],
        y_ticks=[Tick(up(value), f"{value:.1f}") for value in (low, 1.0)],
        lines=[Line(_points(curve, across, up), colour) for colour, curve in reversed(pairs)],
        dots=[
            Dot(across(x), up(y), 2, colour, f"severity {x:g}: {y:.3f}")
            for colour, curve in pairs
            if colour != "base"
            for x, y in curve
        ],
    )


def _share(measured: Measured | None, name: str) -> Figure | None:
    found = figure(measured, name) if measured else None
    return found if found and found.value is not None and found.low is not None else None


def _whiskers(rows: Sequence[tuple[str, list[tuple[str, Figure]]]], scale: Scale, step: float) -> Iterator[Whisker]:
    for number, (_, row) in enumerate(rows):
        for place, (colour, share) in enumerate(row):
            y = _middle(number, step) + (place - (len(row) - 1) / 2) * 6
            value, low, high = share.value or 0, share.low or 0, share.high or 0
            title = f"{value:.3f} ({low:.3f} to {high:.3f}) of {share.n}"
            yield Whisker(scale(value), scale(low), scale(high), y, colour, title)


def _middle(number: int, step: float) -> float:
    return number * step + step / 2


def _quantiles(measured: Measured, across: Scale) -> list[Tick]:
    found = [(name, anchor, figure(measured, f"{name}_ms")) for name, anchor in QUANTILES]
    return [
        Tick(across(each.value), f"{name} {each.value:.0f}", anchor)
        for name, anchor, each in found
        if each and each.value
    ]


def _curve(measured: Measured | None, chart: str) -> tuple[tuple[float, float], ...]:
    return _points_of(measured, lambda curve: curve.chart == chart)


def _named(measured: Measured | None, name: str) -> tuple[tuple[float, float], ...]:
    return _points_of(measured, lambda curve: curve.name == name)


def _points_of(measured: Measured | None, wanted: Callable[[Curve], bool]) -> tuple[tuple[float, float], ...]:
    return next((curve.points for curve in measured.curves if wanted(curve)), ()) if measured else ()


def _points(points: Iterable[tuple[float, float]], across: Scale, up: Scale) -> str:
    return " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in points)


def _axes(box: Box, x: tuple[float, float], y: tuple[float, float]) -> tuple[Scale, Scale]:
    return _linear(*x, box.left, box.right), _linear(*y, box.bottom, box.top)


def _linear(low: float, high: float, start: float, end: float) -> Scale:
    return lambda value: start + (value - low) / ((high - low) or 1) * (end - start)


def _logarithmic(low: float, high: float, start: float, end: float) -> Scale:
    scale = _linear(math.log(low), math.log(high), start, end)
    return lambda value: scale(math.log(value))


def _steps(low: float, high: float, about: int) -> list[float]:
    """Return round numbers from low to high, about so many."""
    raw = (high - low) / about
    unit = 10 ** math.floor(math.log10(raw))
    step = next(factor * unit for factor in (1, 2, 2.5, 5, 10) if factor * unit >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(number * step, 10) for number in range(first, math.floor(high / step + 1e-9) + 1)]


def _decades(low: float, high: float) -> list[float]:
    """Return 1, 2, 5, 10, … between low and high."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [factor * 10.0**power for power in powers for factor in (1, 2, 5) if low <= factor * 10.0**power <= high]
