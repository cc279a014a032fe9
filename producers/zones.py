"""Zones of a camera's picture: where vehicles are looked for, and the line each must cross."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.errors import ConfigurationError

Point = tuple[float, float]
"""x to the right, y downwards; pixels of the picture, or fractions of it (0..1)."""

TOUCH = 0.02
"""How far a line's end may lie outside its area, in parts of the area's longer side: hand-drawn zones are not exact."""


@dataclass(frozen=True, slots=True)
class Zone:
    """One lane, or any part of the road, with the line that counts a vehicle."""

    id: str  # unique in its camera
    area: tuple[Point, ...]  # polygon, at least three corners, in drawing order
    line: tuple[Point, Point]  # a vehicle passes when its lower edge crosses from one side to the other

    @property
    def relative(self) -> bool:
        """Whether the points are fractions of the picture: no value is above 1."""
        return all(value <= 1 for point in (*self.area, *self.line) for value in point)

    def scaled(self, width: int, height: int) -> "Zone":
        """Return the zone in pixels of a picture of this size."""
        if not self.relative:
            return self
        first, second = ((x * width, y * height) for x, y in self.line)
        return Zone(self.id, tuple((x * width, y * height) for x, y in self.area), (first, second))


def middle_across(area: Sequence[Point]) -> tuple[Point, Point]:
    """Return the line through the middle of the area, across its two longest opposite sides.

    For a lane drawn as a quadrilateral this joins the middles of the sides that the traffic does not enter by.
    """
    corners = np.asarray(area, dtype=np.float64)
    sides = np.roll(corners, -1, axis=0) - corners
    lengths = np.hypot(sides[:, 0], sides[:, 1])
    if len(corners) == 4:
        first = 0 if lengths[0] + lengths[2] >= lengths[1] + lengths[3] else 1
        one, other = (corners[i] + sides[i] / 2 for i in (first, first + 2))
        return _point(one), _point(other)
    return _level_chord(corners)


def _level_chord(corners: NDArray[np.float64]) -> tuple[Point, Point]:
    level = float((corners[:, 1].min() + corners[:, 1].max()) / 2)
    low, high = chord(corners, np.array([corners[:, 0].mean(), level]), np.array([1.0, 0.0]))
    centre = float(corners[:, 0].mean())
    return (centre + low, level), (centre + high, level)


def _point(values: NDArray[np.float64]) -> Point:
    return float(values[0]), float(values[1])


def chord(corners: NDArray[np.float64], at: NDArray[np.float64], along: NDArray[np.float64]) -> tuple[float, float]:
    """Return where the straight line through `at`, in direction `along`, enters and leaves a polygon.

    Distances are counted from `at` in lengths of `along`; (0, 0) when the line misses the polygon.
    """
    normal = np.array([-along[1], along[0]])
    heights = (corners - at) @ normal
    following = np.roll(heights, -1)
    cut = (heights < 0) != (following < 0)
    if not cut.any():
        return 0.0, 0.0
    part = heights[cut] / (heights[cut] - following[cut])
    starts, ends = corners[cut], np.roll(corners, -1, axis=0)[cut]
    where = (starts + part[:, None] * (ends - starts) - at) @ along / float(along @ along)
    return float(where.min()), float(where.max())


def zone_from_text(text: str) -> Zone:
    """Read a zone as written on the command line.

    >>> zone_from_text("lane-1: 0.4,0.3 0.6,0.3 0.8,0.9 0.2,0.9 / 0.3,0.6 0.7,0.6").id
    'lane-1'

    Without the part after the slash the line is the area's middle across. Raises ConfigurationError.
    """
    name, colon, rest = text.partition(":")
    if not colon or not name.strip():
        raise _fault(f"zone {text!r}: write NAME: x,y x,y x,y / x,y x,y (the part after / may be left out)")
    area, _, line = rest.partition("/")
    return _zone(
        name.strip(), [_pair(name, word) for word in area.split()], [_pair(name, word) for word in line.split()]
    )


def zone_from_mapping(values: Mapping[str, object]) -> Zone:
    """Read a zone from a configuration table: `id`, `area` (list of [x, y]) and, if wanted, `line` (two of them)."""
    name = str(values.get("id", "")).strip()
    if not name:
        raise _fault(f'zone {dict(values)!r}: it has no id; add id = "lane-1", say')
    if unknown := sorted(set(values) - {"id", "area", "line"}):
        raise _fault(f"zone {name!r}: unknown key {unknown[0]!r}; known are id, area, line")
    return _zone(name, _pairs(name, values.get("area", ())), _pairs(name, values.get("line", ())))


def _fault(message: str) -> ConfigurationError:
    return ConfigurationError("zones", [message])


def _pairs(name: str, values: object) -> list[Point]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise _fault(f"zone {name!r}: {values!r} is not a list of points such as [[120, 80], [340, 80]]")
    return [_numbers(name, tuple(point) if isinstance(point, Iterable) else (point,)) for point in values]


def _pair(name: str, word: str) -> Point:
    return _numbers(name.strip(), tuple(word.split(",")))


def _numbers(name: str, values: tuple[object, ...]) -> Point:
    try:
        x, y = (float(str(value)) for value in values)
    except ValueError as exc:
        raise _fault(f"zone {name!r}: {','.join(map(str, values))!r} is not a point; write x,y as in 120,80") from exc
    return x, y


def _zone(name: str, area: list[Point], line: list[Point]) -> Zone:
    if len(area) < 3:
        raise _fault(f"zone {name!r}: its area has {len(area)} points; draw at least 3 corners")
    if line and len(line) != 2:
        raise _fault(f"zone {name!r}: its line has {len(line)} points; give its 2 ends or none")
    return Zone(name, tuple(area), (line[0], line[1]) if line else middle_across(area))


def check_zones(zones: Sequence[Zone], width: int, height: int) -> list[str]:
    """Return every fault of a camera's zones for pictures of this size; an empty list when all is well."""
    names = [zone.id for zone in zones]
    faults = [
        f"zone {name!r} is there {names.count(name)} times; give each zone an id of its own"
        for name in sorted(set(names))
        if names.count(name) > 1
    ]
    for zone in zones:
        faults += [f"zone {zone.id!r}: {fault}" for fault in _faults(zone.scaled(width, height), width, height)]
    return faults


def _faults(zone: Zone, width: int, height: int) -> list[str]:
    if len(zone.area) < 3:
        return [f"its area has {len(zone.area)} points; draw at least 3 corners"]
    return [*_outside(zone, width, height), *_flat(zone), *_line_faults(zone)]


def _outside(zone: Zone, width: int, height: int) -> list[str]:
    return [
        f"point {x:g},{y:g} lies outside the picture of {width}x{height}; x is 0 to {width}, y 0 to {height}"
        for x, y in (*zone.area, *zone.line)
        if not (0 <= x <= width and 0 <= y <= height)
    ]


def _flat(zone: Zone) -> list[str]:
    if polygon_area(zone.area) >= 16:
        return []
    return ["its area is empty or smaller than 4x4 pixels; check the order of its corners"]


def _line_faults(zone: Zone) -> list[str]:
    first, second = np.asarray(zone.line, dtype=np.float64)
    if np.allclose(first, second):
        return [f"its line has no length: both ends are {first[0]:g},{first[1]:g}"]
    if _touches(np.asarray(zone.area, dtype=np.float64), first, second):
        return []
    return [f"its line {first[0]:g},{first[1]:g} to {second[0]:g},{second[1]:g} does not touch its area"]


def _touches(corners: NDArray[np.float64], first: NDArray[np.float64], second: NDArray[np.float64]) -> bool:
    low, high = chord(corners, first, second - first)
    return low != high and low <= 1 + TOUCH and high >= -TOUCH


def polygon_area(points: Sequence[Point]) -> float:
    """Return a polygon's area by the shoelace formula, in square units of its points."""
    x, y = np.asarray(points, dtype=np.float64).T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)
