"""Strips: in a table, each row has a value with its interval on an axis that all rows share. Pure.

gate-north   ·      ├────●────┤    ·        72.4 %     Places are percent of a strip's width: it is as wide as its
gate-south   ·            ·    ├─●─┤        97.5 %     column, and what it draws is not stretched.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from models.qualification.charts import Tick
from roadwatch.reporting.figures import percent

COLOURS: Final = ("one", "two", "three", "base")
"Of classes, the most frequent first; the last is for all others."
FEW: Final = 20
"Labelled vehicles below which an interval does not stretch the axis."


@dataclass(frozen=True, slots=True)
class Strip:
    """A value and its interval on its row's axis."""

    at: float
    "Of the value, percent of the width."
    low: float
    "Of the interval's lower end."
    high: float
    "Of its upper end."
    colour: str
    "Its series' colour."
    title: str
    "What a pointer over it is told."


@dataclass(frozen=True, slots=True)
class Axis:
    """What the strips of a table share."""

    low: float
    "At the left."
    high: float
    "At the right."
    ticks: tuple[Tick, ...] = ()
    "Marks with their labels, by percent of the width."
    rule: float | None = None
    "What all are compared with, percent of the width; None: nothing."

    def at(self, value: float) -> float:
        """A value's place, percent of the width; what lies outside is at the end."""
        return min(max((value - self.low) / ((self.high - self.low) or 1) * 100, 0.0), 100.0)

    def strip(self, value: float, low: float, high: float, colour: str, title: str) -> Strip:
        """A row's strip."""
        return Strip(self.at(value), self.at(low), self.at(high), colour, title)


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar."""

    start: float
    "Where it begins, percent of the width."
    width: float
    "How wide it is."
    colour: str
    "Its class's."
    title: str
    "What a pointer over it is told."


def share_axis(shares: Iterable[tuple[float, float, int]], rule: float | None) -> Axis:
    """An axis of shares up to 1; `shares` are value, lower end and number, `rule` what all are compared with."""
    known = [low if n >= FEW else value for value, low, n in shares]
    low = max(0.0, math.floor(min([*known, rule or 1.0, 0.9]) * 20 - 0.1) / 20)
    axis = Axis(low, 1.0)
    ticks = tuple(Tick(axis.at(value), percent(value, 0)) for value in marks(low, 1.0, 3))
    return Axis(low, 1.0, ticks, None if rule is None else axis.at(rule))


def day_axis(starts_at: datetime, ends_at: datetime, zone: ZoneInfo) -> Axis:
    """A day from its first instant to the next one's, with every sixth hour of its zone."""
    axis = Axis(starts_at.timestamp(), ends_at.timestamp())
    hours = (starts_at + timedelta(hours=n) for n in range(round((ends_at - starts_at) / timedelta(hours=1))))
    local = [hour.astimezone(zone) for hour in hours]
    ticks = tuple(Tick(axis.at(at.timestamp()), f"{at:%H:%M}") for at in local if at.hour % 6 == 0)
    return Axis(axis.low, axis.high, (*ticks, Tick(100.0, "24:00")))


def value_axis(values: Iterable[float]) -> Axis:
    """An axis that holds all of these values."""
    known = list(values)
    return Axis(min(known, default=0.0), max(known, default=1.0))


def effect_axis(effects: Iterable[float]) -> Axis:
    """An axis of differences in standard deviations, with the reference in its middle."""
    reach = max([1.0, *(abs(effect) for effect in effects)])
    return Axis(-reach, reach, rule=50.0)


def latency_axis(values_ms: Iterable[float]) -> Axis:
    """A logarithmic axis of milliseconds; values are given to it as logarithms."""
    known = [max(value, 0.01) for value in values_ms] or [1.0]
    low, high = math.floor(math.log10(min(known))), math.ceil(math.log10(max(known) * 1.001))
    axis = Axis(float(low), float(high))
    return Axis(axis.low, axis.high, tuple(Tick(axis.at(power), f"{10.0**power:g}") for power in range(low, high + 1)))


def colours_of(counts: Mapping[str, float]) -> dict[str, str]:
    """A colour for each class, the most frequent first."""
    ordered = sorted(counts, key=lambda name: (-counts[name], name))
    return {name: COLOURS[min(place, len(COLOURS) - 1)] for place, name in enumerate(ordered)}


def segments(shares: Mapping[str, float], colours: Mapping[str, str]) -> tuple[Segment, ...]:
    """Shares of one side by side, in the colours' order."""
    found, start = [], 0.0
    for name, colour in colours.items():
        width = shares.get(name, 0.0) * 100
        found.append(Segment(start, width, colour, f"{name}: {percent(shares.get(name, 0.0))}"))
        start += width
    return tuple(segment for segment in found if segment.width)


def marks(low: float, high: float, about: int) -> list[float]:
    """Round numbers from low to high, about so many."""
    steps = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5)
    step = next((step for step in steps if (high - low) / step <= about * 1.4), 0.5)
    first = math.ceil(low / step - 1e-9)
    return [round(number * step, 10) for number in range(first, math.floor(high / step + 1e-9) + 1)]
