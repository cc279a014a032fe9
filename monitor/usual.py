"""What a camera usually shows: the part of its signals that the time of day explains, learnt from earlier days.

Hours     level and spread of each hour, for whole pictures: dusk is no drift, and an hour that varies proves less
Shifts    how each hour differs from the whole day, for vehicles, of which an hour may see two
Scene     the layout of light and dark in the whole picture

All are learnt in event-time order and kept as whole numbers: a snapshot is short, and restores exactly.
"""

import base64
import math
import struct
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple, Protocol, Self

from monitor.spans import DAY_US, HOUR_US

WEIGHT = 0.3
"Of the newest day in what is usual."
STRANGE_DAYS = 7
"What an hour has shown on so many days in a row is usual, however strange."
FINE = 1000
"Levels are kept in thousandths."


class Usual(NamedTuple):
    """What is usual at some time of the day."""

    level: float
    "The usual value."
    spread: float
    "Standard deviation of values around it; 0 where nothing is known of that."


class Habit(Protocol):
    """What a signal usually is at each time of the day."""

    def at(self, at_us: int) -> Usual | None:
        """What is usual at that time; None when it is not known yet."""

    def learn(self, at_us: int, value: float, *, strange: bool = False) -> None:
        """Count a value in, later than those before; it shows in what is usual from a later day on.

        Of strange values little or nothing is learnt; between them and others lies a `drop`.
        """

    def drop(self) -> None:
        """Forget the hour that is under way: it was no usual one."""

    def snapshot(self) -> list[Any]:
        """The whole state, as JSON."""

    @classmethod
    def restore(cls, plain: Sequence[Any]) -> Self:
        """Continue from a snapshot."""


@dataclass(slots=True)
class _Span:
    """The values of one hour so far."""

    number: int = -1
    "Which hour, counted from 1970; -1 before the first."
    count: int = 0
    "Values."
    total: float = 0.0
    "Their sum."
    squares: float = 0.0
    "Sum of their squares."
    strange: bool = False
    "Whether they are known not to be usual."

    def add(self, value: float) -> None:
        self.count, self.total, self.squares = self.count + 1, self.total + value, self.squares + value * value

    @property
    def mean(self) -> float:
        return self.total / self.count

    def distance(self, level: float) -> float:
        """Root of the mean square distance of the values from a level."""
        square = self.squares / self.count - 2 * level * self.mean + level * level
        return math.sqrt(max(square, 0.0))


_span_parts = attrgetter(*_Span.__slots__)


class _ByHour(ABC):
    """Learns an hour when it is over."""

    def __init__(self) -> None:
        self._span = _Span()

    def learn(self, at_us: int, value: float, *, strange: bool = False) -> None:
        """See Habit."""
        number = at_us // HOUR_US
        if number != self._span.number:
            self._close()
            self._span = _Span(number, strange=strange)
        self._span.add(value)

    def drop(self) -> None:
        """See Habit."""
        self._span = _Span()

    @abstractmethod
    def _close(self) -> None:
        """Let the hour that is over show in what is usual; it may hold nothing."""


class Hours(_ByHour):
    """The usual level and spread of each hour of the day (UTC), from the days before."""

    def __init__(self) -> None:
        super().__init__()
        self._levels: list[int | None] = [None] * 24
        self._spreads = [0] * 24
        self._strange: dict[str, int] = {}

    def at(self, at_us: int) -> Usual | None:
        """See Habit."""
        hour = at_us // HOUR_US % 24
        level = self._levels[hour]
        return None if level is None else Usual(level / FINE, self._spreads[hour] / FINE)

    def _close(self) -> None:
        span, hour = self._span, self._span.number % 24
        if not span.count or self._is_passing(str(hour)):
            return
        known = None if span.strange else self.at(span.number * HOUR_US)
        level, spread = _moved(known, span) if known else Usual(span.mean, span.distance(span.mean))
        self._levels[hour], self._spreads[hour] = round(level * FINE), round(spread * FINE)

    def _is_passing(self, hour: str) -> bool:
        """Whether the hour is strange, and has not been so for long."""
        days = self._strange.pop(hour, 0) + 1
        if not self._span.strange or days == STRANGE_DAYS:
            return False
        self._strange[hour] = days
        return True

    def snapshot(self) -> list[Any]:
        """See Habit."""
        return [self._levels, self._spreads, self._strange, *_span_parts(self._span)]

    @classmethod
    def restore(cls, plain: Sequence[Any]) -> Self:
        """See Habit."""
        levels, spreads, strange, *span = plain
        hours = cls()
        hours._levels, hours._spreads, hours._strange = [*levels], [*spreads], dict(strange)
        hours._span = _Span(*span)
        return hours


def _moved(known: Usual, span: _Span) -> Usual:
    """What is usual after one more day."""
    distance = span.distance(known.level)
    square = (1 - WEIGHT) * known.spread * known.spread + WEIGHT * distance * distance
    return Usual(known.level + WEIGHT * (span.mean - known.level), math.sqrt(square))


class Shifts(_ByHour):
    """By how much each hour of the day (UTC) is above the whole: by nothing, until days have shown it."""

    # The belief that an hour is like the others is worth so many of its values.
    FEW = 10
    # Weight of a strange day.
    LITTLE = 0.08

    def __init__(self) -> None:
        super().__init__()
        self._mean: int | None = None
        self._shifts = [0] * 24

    def at(self, at_us: int) -> Usual:
        """See Habit."""
        return Usual(self._shifts[at_us // HOUR_US % 24] / FINE, 0.0)

    def _close(self) -> None:
        span = self._span
        if not span.count:
            return
        weight = (self.LITTLE if span.strange else WEIGHT) * span.count / (span.count + self.FEW)
        mean = span.mean if self._mean is None else self._mean / FINE
        hour, shift = span.number % 24, self._shifts[span.number % 24] / FINE
        self._shifts[hour] = round((shift + weight * (span.mean - mean - shift)) * FINE)
        self._mean = round((mean + weight * (span.mean - mean)) * FINE)

    def snapshot(self) -> list[Any]:
        """See Habit."""
        return [self._mean, self._shifts, *_span_parts(self._span)]

    @classmethod
    def restore(cls, plain: Sequence[Any]) -> Self:
        """See Habit."""
        mean, shifts, *span = plain
        habit = cls()
        habit._mean, habit._shifts, habit._span = mean, [*shifts], _Span(*span)
        return habit


class Nothing:
    """No habit at all: of what is seen only now and then."""

    def at(self, at_us: int) -> Usual:
        """See Habit."""
        return Usual(0.0, 0.0)

    def learn(self, at_us: int, value: float, *, strange: bool = False) -> None:
        """See Habit."""

    def drop(self) -> None:
        """See Habit."""

    def snapshot(self) -> list[Any]:
        """See Habit."""
        return []

    @classmethod
    def restore(cls, plain: Sequence[Any]) -> Self:
        """See Habit."""
        return cls()


class Scene:
    """The layout of the whole picture, as the last days showed it.

    What is compared are the steps of luma from each cell of a sketch to its right neighbour: haze grows with distance,
    which is height in a road's picture, and lifts a row alike. They are compared in six parts, and the part that is
    least alike counts, so that what hides a corner is seen as well as what moves all.

          ├─ 5 ─┼─ 5 ─┼─ 5 ─┤  steps
        4 │     │     │     │
        1 │ · · both · · ·  │
        4 │     │     │     │  rows
    """

    COLUMNS, ROWS = 16, 9
    SIZE = COLUMNS * ROWS
    STEPS = COLUMNS - 1
    PARTS = tuple(
        tuple(row * 15 + step for row in range(top, top + 5) for step in range(left, left + 5))
        for top in (0, 4)
        for left in (0, 5, 10)
    )
    # Two days of pictures, one each ten minutes: nights and days both have their part.
    MEMORY = 288
    # Of a part's steps together, in grey levels: what is shorter is grain, and a black picture resembles nothing.
    SHORTEST = 8.0
    # Of the usual steps' square: a part that has less of it, such as the sky, has no layout to compare.
    LEAST = 0.03
    _SCALE = 32767
    _LAYOUT = f"<{ROWS * STEPS}h"

    def __init__(self) -> None:
        self._since_us, self._count = -1, 0
        self._usual = [0] * (self.ROWS * self.STEPS)

    def distances(self, at_us: int, sketch: bytes) -> tuple[float, ...]:
        """How unlike the usual layout each part of a sketch is: 0 for alike, 1 for unlike, 2 for opposite.

        Without parts that have no layout; empty on the first day.
        """
        if not self._count or at_us - self._since_us < DAY_US:
            return ()
        square, steps = sum(step * step for step in self._usual), _steps(sketch)
        parts = (self._part(part, steps, square) for part in self.PARTS)
        return tuple(distance for distance in parts if distance is not None)

    def _part(self, part: tuple[int, ...], steps: Sequence[int], square: int) -> float | None:
        usual = sum(self._usual[i] * self._usual[i] for i in part)
        if usual <= self.LEAST * square:
            return None
        length = max(math.sqrt(sum(steps[i] * steps[i] for i in part)), self.SHORTEST)
        return 1 - sum(self._usual[i] * steps[i] for i in part) / length / math.sqrt(usual)

    def learn(self, at_us: int, sketch: bytes) -> None:
        """Count a sketch in, 16 columns × 9 rows of luma, row by row."""
        self._since_us = at_us if not self._count else self._since_us
        self._count = min(self._count + 1, self.MEMORY)
        steps = _steps(sketch)
        scale = self._SCALE / max(math.sqrt(sum(step * step for step in steps)), self.SHORTEST)
        self._usual = [
            usual + round((step * scale - usual) / self._count) for usual, step in zip(self._usual, steps, strict=True)
        ]

    def snapshot(self) -> list[Any]:
        """The whole state, as JSON."""
        usual = struct.pack(self._LAYOUT, *self._usual)
        return [self._since_us, self._count, base64.b64encode(usual).decode()]

    @classmethod
    def restore(cls, plain: Sequence[Any]) -> Self:
        """Continue from a snapshot."""
        scene = cls()
        scene._since_us, scene._count, usual = plain
        scene._usual = [*struct.unpack(cls._LAYOUT, base64.b64decode(usual))]
        return scene


def _steps(sketch: bytes) -> list[int]:
    """From each cell to its right neighbour."""
    return [sketch[i + 1] - sketch[i] for i in range(len(sketch) - 1) if (i + 1) % Scene.COLUMNS]
