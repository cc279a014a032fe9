"""Trucks: box, curtain side, tipper, tanker, flatbed and articulated ones; and a farm tractor with its trailer."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from producers.simulator.cars import GLASS_COLOUR, GLASS_TOP, LAMP, PLATE, TAIL, TRIM
from producers.simulator.shapes import (
    GLASS,
    HEADLIGHT,
    PAINT,
    TAILLIGHT,
    Builder,
    Colour,
    Mesh,
    Point3,
    Station,
    box,
    cylinder,
    hull,
    wheel,
)

CAB_COLOURS: dict[str, Colour] = {
    "white": (0.82, 0.83, 0.83),
    "red": (0.10, 0.09, 0.58),
    "blue": (0.50, 0.24, 0.10),
    "yellow": (0.08, 0.62, 0.80),
    "green": (0.20, 0.40, 0.16),
    "orange": (0.07, 0.33, 0.78),
    "grey": (0.40, 0.40, 0.40),
    "light green": (0.45, 0.70, 0.52),
}
CAB_SHARES = (38, 14, 12, 10, 8, 6, 8, 4)
LOAD_COLOURS: tuple[Colour, ...] = (
    (0.84, 0.84, 0.83),
    (0.84, 0.84, 0.83),
    (0.58, 0.58, 0.56),
    (0.10, 0.10, 0.52),
    (0.48, 0.26, 0.11),
    (0.20, 0.34, 0.18),
    (0.32, 0.35, 0.36),
    (0.13, 0.40, 0.68),
)
STEEL: Colour = (0.56, 0.56, 0.55)
CHASSIS: Colour = (0.09, 0.09, 0.09)
EARTH: Colour = (0.22, 0.33, 0.42)
WOOD: Colour = (0.28, 0.44, 0.58)


@dataclass(frozen=True, slots=True)
class Cab:
    """A cab's measures in metres."""

    length: float
    width: float
    height: float
    # Height of the cab's floor edge above the road.
    floor: float
    wheel: float


HEAVY = Cab(2.1, 2.46, 3.0, 0.32, 0.50)
LIGHT = Cab(1.7, 2.0, 2.25, 0.28, 0.38)

Loader = Callable[[Builder, Cab, float, Colour, np.random.Generator], None]


def truck_mesh(kind: str, colour: Colour, rng: np.random.Generator) -> Mesh:
    """A truck of that kind in that cab colour, its measures and load varied."""
    build = Builder()
    if kind == NEW_KIND:
        _tractor(build, colour)
        return build.mesh()
    heavy = kind in ALWAYS_HEAVY or rng.random() < 0.55
    cab = _varied(HEAVY if heavy else LIGHT, rng)
    length = _load_length(kind, heavy, rng)
    _cab(build, cab, colour, rng)
    _chassis(build, cab, length, kind)
    LOADS[kind](build, cab, length, colour, rng)
    return build.mesh()


def _varied(cab: Cab, rng: np.random.Generator) -> Cab:
    length, width, height = rng.uniform([0.94, 0.97, 0.94], [1.06, 1.02, 1.10])
    return Cab(cab.length * length, cab.width * width, cab.height * height, cab.floor, cab.wheel)


def _load_length(kind: str, heavy: bool, rng: np.random.Generator) -> float:
    low, high = (9.5, 12.5) if kind == "articulated" else (4.8, 7.0) if heavy else (3.2, 4.4)
    return float(rng.uniform(low, high))


def _quad(y: float, x: tuple[float, float], z: tuple[float, float]) -> list[Point3]:
    return [(x[0], y, z[0]), (x[1], y, z[0]), (x[1], y, z[1]), (x[0], y, z[1])]


def _cab(build: Builder, cab: Cab, colour: Colour, rng: np.random.Generator) -> None:
    half, top, belt = cab.width / 2, cab.height, cab.floor + (cab.height - cab.floor) * 0.46
    stations = [
        Station(0.0, cab.floor, belt, belt + 0.02, half * 0.97, half * 0.97, half * 0.96),
        Station(-0.10, cab.floor, belt, top * 0.94, half, half, half * 0.92),
        Station(-0.45, cab.floor, belt, top, half, half, half * 0.93),
        Station(-cab.length, cab.floor, belt, top * 0.985, half, half, half * 0.93),
    ]
    hull(build, stations, colour)
    _windscreen(build, half, belt, top)
    _cab_front(build, cab, belt, colour, rng)
    for side in (-1, 1):
        _cab_side(build, side, cab, belt)
    wheels_at = min(cab.length * 0.62, 1.35)
    for side in (-1, 1):
        wheel(build, side * (half + 0.01), -wheels_at, cab.wheel, side)


def _windscreen(build: Builder, half: float, belt: float, top: float) -> None:
    def across(share: float, wide: float) -> tuple[Point3, Point3]:
        y, z = 0.02 - 0.10 * share, belt + 0.03 + (top * 0.93 - belt) * share
        return (-half * wide, y, z), (half * wide, y, z)

    for low, high, colour in ((0.0, 0.5, GLASS_COLOUR), (0.5, 0.90, GLASS_TOP)):
        left, right = across(low, 0.92)
        top_left, top_right = across(high, 0.88)
        build.face([left, right, top_right, top_left], colour, GLASS)


def _cab_front(build: Builder, cab: Cab, belt: float, colour: Colour, rng: np.random.Generator) -> None:
    half, floor, y = cab.width / 2, cab.floor, 0.03
    dark = TRIM if rng.random() < 0.6 else (colour[0] * 0.5, colour[1] * 0.5, colour[2] * 0.5)
    lamp = floor + 0.20
    build.face(_quad(y, (-half * 0.96, half * 0.96), (floor + 0.02, lamp + 0.24)), _bumper(colour, rng))
    build.face(_quad(y, (-half * 0.66, half * 0.66), (lamp + 0.30, belt - 0.10)), dark)
    for k in range(2):
        z = lamp + 0.36 + k * (belt - lamp - 0.46) * 0.5
        build.face(_quad(y + 0.01, (-half * 0.62, half * 0.62), (z, z + 0.05)), STEEL)
    build.face(_quad(y + 0.01, (-0.26, 0.26), (lamp - 0.02, lamp + 0.09)), PLATE)
    for side in (-1, 1):
        build.face(_quad(y + 0.01, (side * half * 0.62, side * half * 0.90), (lamp, lamp + 0.18)), LAMP, HEADLIGHT)


def _bumper(colour: Colour, rng: np.random.Generator) -> Colour:
    return colour if rng.random() < 0.4 else (0.20, 0.20, 0.20)


def _cab_side(build: Builder, side: int, cab: Cab, belt: float) -> None:
    x = side * (cab.width / 2 * 0.985 + 0.01)
    high = belt + (cab.height - belt) * 0.66
    back = -cab.length * 0.68
    window = [(x, -0.22, belt + 0.04), (x, back, belt + 0.04), (x, back, high), (x, -0.34, high)]
    build.face(window, GLASS_COLOUR, GLASS)
    mirror = side * (cab.width / 2 + 0.10)
    box(build, (mirror - 0.08, -0.15, belt), (mirror + 0.08, -0.02, belt + 0.6), TRIM, 1)


def _chassis(build: Builder, cab: Cab, length: float, kind: str) -> None:
    half, back = cab.width / 2, -cab.length - 0.1 - length
    box(build, (-half * 0.9, back, 0.42), (half * 0.9, -cab.length, 0.95), CHASSIS, 0)
    for y in _axles(cab, length, kind):
        for side in (-1, 1):
            wheel(build, side * (half + 0.01), y, cab.wheel, side)
    build.part(1, (0.0, back / 2, 0.6))
    for side in (-1, 1):
        lamps = _quad(back - 0.02, (side * half * 0.62, side * half * 0.92), (0.62, 0.80))
        build.face(lamps, TAIL, TAILLIGHT)
    build.face(_quad(back - 0.02, (-0.27, 0.27), (0.58, 0.70)), PLATE)


def _axles(cab: Cab, length: float, kind: str) -> tuple[float, ...]:
    front, pitch = -cab.length - 0.1, cab.wheel * 2.3
    if kind == "articulated":
        return (front - 1.0, front - length + 1.2 + pitch, front - length + 1.2 + 2 * pitch, front - length + 1.2)
    if length > 5.4:
        return (front - length + 1.1 + pitch, front - length + 1.1)
    return (front - length + 1.3,)


def _container(build: Builder, cab: Cab, length: float, colour: Colour, rng: np.random.Generator) -> None:
    half, front = cab.width / 2 * 1.02, -cab.length - 0.15
    top = cab.height * float(rng.uniform(1.02, 1.28))
    back = front - length
    load = LOAD_COLOURS[int(rng.integers(len(LOAD_COLOURS)))] if rng.random() < 0.7 else colour
    box(build, (-half, back, 0.95), (half, front, top), load, 1, PAINT)
    _doors(build, back, half, top, load)
    if rng.random() < 0.6:
        _lettering(build, half, (front, back), top, rng)


def _doors(build: Builder, back: float, half: float, top: float, load: Colour) -> None:
    line = (load[0] * 0.55, load[1] * 0.55, load[2] * 0.55)
    for x in (-half * 0.97, -0.03, half * 0.9):
        build.face(_quad(back - 0.01, (x, x + 0.07), (1.0, top - 0.08)), line)
    for z in (1.0, top - 0.16):
        build.face(_quad(back - 0.01, (-half * 0.97, half * 0.97), (z, z + 0.08)), line)


def _lettering(build: Builder, half: float, ends: tuple[float, float], top: float, rng: np.random.Generator) -> None:
    ink = tuple(float(c) for c in rng.uniform(0.05, 0.7, 3))
    front, back = ends
    low, high = 1.0 + (top - 1.0) * 0.36, 1.0 + (top - 1.0) * float(rng.uniform(0.55, 0.75))
    for side in (-1, 1):
        x = side * (half + 0.01)
        y0, y1 = front + (back - front) * 0.15, front + (back - front) * float(rng.uniform(0.5, 0.85))
        build.face([(x, y0, low), (x, y1, low), (x, y1, high), (x, y0, high)], ink)  # type: ignore[arg-type]


def _curtain(build: Builder, cab: Cab, length: float, colour: Colour, rng: np.random.Generator) -> None:
    """A canvas over hoops: a rounded roof and folds along the side."""
    half, front = cab.width / 2 * 1.02, -cab.length - 0.15
    top, back = cab.height * float(rng.uniform(0.98, 1.2)), -cab.length - 0.15 - length
    cloth = LOAD_COLOURS[int(rng.integers(3, len(LOAD_COLOURS)))]
    stations = [Station(y, 0.95, top * 0.86, top, half, half, half * 0.7) for y in (front, back)]
    hull(build, stations, cloth)
    folds = int(rng.integers(4, 8))
    shade = (cloth[0] * 0.7, cloth[1] * 0.7, cloth[2] * 0.7)
    for k in range(1, folds):
        y = front + (back - front) * k / folds
        for side in (-1, 1):
            x = side * (half + 0.01)
            build.face([(x, y, 1.0), (x, y - 0.08, 1.0), (x, y - 0.08, top * 0.85), (x, y, top * 0.85)], shade)


def _tipper(build: Builder, cab: Cab, length: float, colour: Colour, rng: np.random.Generator) -> None:
    half, front = cab.width / 2, -cab.length - 0.15
    low, top, back = 0.95, float(rng.uniform(1.7, 2.4)), -cab.length - 0.15 - length
    side_colour = colour if rng.random() < 0.6 else STEEL
    _open_box(build, half, (front, back), (low, top), side_colour)
    _ribs(build, half, (front, back), (low, top), side_colour)
    if rng.random() < 0.7:
        _heap(build, half, (front, back), top, EARTH if rng.random() < 0.7 else (0.4, 0.42, 0.42))


def _open_box(
    build: Builder, half: float, ends: tuple[float, float], heights: tuple[float, float], colour: Colour
) -> None:
    (front, back), (low, top) = ends, heights
    inside = (colour[0] * 0.5, colour[1] * 0.5, colour[2] * 0.5)
    build.part(1, (0.0, (front + back) / 2, (low + top) / 2))
    build.face(
        [(-half, front, low + 0.2), (half, front, low + 0.2), (half, back, low + 0.2), (-half, back, low + 0.2)], inside
    )
    for kind, inward in ((inside, True), (colour, False)):
        for side in (-half, half):
            build.face(
                [(side, front, low), (side, back, low), (side, back, top), (side, front, top)], kind, PAINT, inward
            )
        for y in (front, back):
            build.face(_quad(y, (-half, half), (low, top)), kind, PAINT, inward)


def _ribs(build: Builder, half: float, ends: tuple[float, float], heights: tuple[float, float], colour: Colour) -> None:
    (front, back), (low, top) = ends, heights
    shade = (colour[0] * 0.72, colour[1] * 0.72, colour[2] * 0.72)
    for k in range(1, 6):
        y = front + (back - front) * k / 6
        for side in (-1, 1):
            x = side * (half + 0.02)
            build.face([(x, y, low), (x, y - 0.12, low), (x, y - 0.12, top), (x, y, top)], shade)
    for share in (-0.5, 0.0, 0.5):
        build.face(_quad(back - 0.02, (half * share - 0.05, half * share + 0.05), (low, top)), shade)


def _heap(build: Builder, half: float, ends: tuple[float, float], top: float, colour: Colour) -> None:
    front, back = ends
    span = front - back
    ridge = [(-half * 0.2, front - span * 0.3, top + 0.45), (half * 0.2, back + span * 0.3, top + 0.38)]
    rim = top - 0.08
    build.part(2, (0.0, (front + back) / 2, top - 1.0))
    build.face([(-half * 0.95, front, rim), (-half * 0.95, back, rim), ridge[1], ridge[0]], colour)
    build.face([(half * 0.95, front, rim), (half * 0.95, back, rim), ridge[1], ridge[0]], colour)
    build.face([(-half * 0.95, front, rim), (half * 0.95, front, rim), ridge[0]], colour)
    build.face([(-half * 0.95, back, rim), (half * 0.95, back, rim), ridge[1]], colour)


def _tanker(build: Builder, cab: Cab, length: float, colour: Colour, rng: np.random.Generator) -> None:
    front = -cab.length - 0.3
    tank = STEEL if rng.random() < 0.5 else (0.84, 0.84, 0.82) if rng.random() < 0.6 else colour
    radius = cab.width / 2 * 0.98
    cylinder(build, (front, front - length + 0.2), 0.95 + radius * 0.82, (radius, radius * 0.82), tank)
    box(build, (-0.25, front - length * 0.7, 2.5), (0.25, front - length * 0.3, 2.75), CHASSIS, 3)
    for k in (0.25, 0.5, 0.75):
        _band(build, front - (length - 0.2) * k, radius)


def _band(build: Builder, y: float, radius: float) -> None:
    turns = np.linspace(0, np.pi, 8)
    arc = [(radius * 1.01 * np.cos(a), 0.95 + radius * 0.82 + radius * 0.83 * np.sin(a)) for a in turns]
    for (x0, z0), (x1, z1) in pairwise(arc):
        build.face([(x0, y, z0), (x1, y, z1), (x1, y - 0.12, z1), (x0, y - 0.12, z0)], CHASSIS)


def _flatbed(build: Builder, cab: Cab, length: float, colour: Colour, rng: np.random.Generator) -> None:
    half, front = cab.width / 2, -cab.length - 0.15
    back = front - length
    low = 1.0
    box(build, (-half, back, low), (half, front, low + 0.18), WOOD, 1)
    board = colour if rng.random() < 0.5 else STEEL
    _open_box(build, half, (front, back), (low, low + 0.55), board)
    places = np.linspace(front - 0.3, back + 0.3, int(rng.integers(2, 5)) + 1)
    for fore, aft in pairwise(places):
        height, inset = float(rng.uniform(0.4, 1.5)), float(rng.uniform(0.75, 0.92))
        shade = tuple(float(c) for c in np.clip(np.array(WOOD) * rng.uniform(0.5, 1.4, 3), 0, 0.9))
        box(build, (-half * inset, aft + 0.1, low + 0.2), (half * inset, fore - 0.05, low + 0.2 + height), shade, 2)  # type: ignore[arg-type]


def _articulated(build: Builder, cab: Cab, length: float, colour: Colour, rng: np.random.Generator) -> None:
    gap = float(rng.uniform(0.6, 1.0))
    longer = Cab(cab.length + gap, cab.width, max(cab.height, 3.2) * 0.98, cab.floor, cab.wheel)
    bodies = (_container, _container, _curtain, _tanker)
    bodies[int(rng.integers(len(bodies)))](build, longer, length - gap, colour, rng)


LOADS: dict[str, Loader] = {
    "box": _container,
    "curtain": _curtain,
    "tipper": _tipper,
    "tanker": _tanker,
    "flatbed": _flatbed,
    "articulated": _articulated,
}
TRUCKS = tuple(LOADS)
NEW_KIND = "tractor"
ALWAYS_HEAVY = ("articulated", "tanker")


def _tractor(build: Builder, colour: Colour) -> None:
    """A farm tractor with a hay trailer: never drawn unless a condition brings it."""
    box(build, (-0.40, -2.2, 0.75), (0.40, 0.0, 1.55), colour, 1, PAINT)
    build.face(_quad(0.02, (-0.34, 0.34), (0.85, 1.4)), TRIM)
    box(build, (-0.75, -3.6, 1.1), (0.75, -2.1, 1.6), colour, 1, PAINT)
    box(build, (-0.72, -3.55, 1.6), (0.72, -2.15, 2.55), GLASS_COLOUR, 2, GLASS)
    box(build, (-0.80, -3.65, 2.55), (0.80, -2.05, 2.68), colour, 3, PAINT)
    for side in (-1, 1):
        wheel(build, side * 0.85, -0.8, 0.5, side)
        wheel(build, side * 1.1, -2.9, 0.88, side)
    straw: Colour = (0.33, 0.62, 0.74)
    box(build, (-1.2, -9.0, 0.95), (1.2, -4.4, 1.15), STEEL, 1)
    box(build, (-1.15, -8.9, 1.15), (1.15, -4.6, 2.5), straw, 2)
    box(build, (-0.9, -8.5, 2.5), (0.9, -5.0, 3.1), straw, 3)
    for y in (-7.9, -5.6):
        for side in (-1, 1):
            wheel(build, side * 1.2, y, 0.45, side)


def random_cab_colour(rng: np.random.Generator) -> tuple[str, Colour]:
    """A cab colour by name, and in BGR."""
    shares = np.array(CAB_SHARES) / sum(CAB_SHARES)
    name = list(CAB_COLOURS)[int(rng.choice(len(CAB_COLOURS), p=shares))]
    return name, CAB_COLOURS[name]
