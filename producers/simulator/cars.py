"""Passenger cars: hatchback, saloon, estate and SUV, each a little different."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from producers.simulator.shapes import (
    GLASS,
    HEADLIGHT,
    TAILLIGHT,
    Builder,
    Colour,
    Mesh,
    Point3,
    Station,
    box,
    hull,
    wheel,
)

GLASS_COLOUR: Colour = (0.13, 0.12, 0.10)
GLASS_TOP: Colour = (0.30, 0.28, 0.25)
TRIM: Colour = (0.06, 0.06, 0.06)
LAMP: Colour = (0.80, 0.80, 0.76)
TAIL: Colour = (0.08, 0.07, 0.55)
PLATE: Colour = (0.78, 0.80, 0.80)

PAINTS: dict[str, Colour] = {
    "white": (0.86, 0.87, 0.87),
    "silver": (0.62, 0.61, 0.59),
    "grey": (0.34, 0.33, 0.32),
    "black": (0.08, 0.075, 0.07),
    "red": (0.10, 0.09, 0.60),
    "dark red": (0.09, 0.06, 0.34),
    "blue": (0.52, 0.25, 0.10),
    "light blue": (0.72, 0.55, 0.28),
    "navy": (0.24, 0.13, 0.08),
    "green": (0.22, 0.34, 0.12),
    "beige": (0.50, 0.62, 0.68),
    "brown": (0.13, 0.19, 0.28),
    "orange": (0.06, 0.36, 0.82),
    "yellow": (0.10, 0.70, 0.84),
}
# How often each paint is seen, in the order of PAINTS: the road is mostly white, grey and black.
PAINT_SHARES = (22, 18, 14, 15, 8, 3, 6, 3, 4, 2, 2, 1, 1, 1)


@dataclass(frozen=True, slots=True)
class CarShape:
    """Proportions of a kind of car; lengths in metres, places as a share of the length from the front."""

    length: float
    width: float
    height: float
    # Height of the belt line: where paint ends and windows begin.
    belt: float
    # Windscreen foot, roof front, roof rear and rear window foot.
    cabin: tuple[float, float, float, float]
    # Height of the boot lid, at most the belt.
    boot: float
    # Wheel radius.
    wheel: float = 0.31
    # Roof rails are fitted.
    rails: bool = False


CARS = {
    "hatchback": CarShape(4.0, 1.74, 1.48, 0.93, (0.24, 0.44, 0.86, 0.985), 0.93),
    "saloon": CarShape(4.6, 1.80, 1.44, 0.91, (0.27, 0.44, 0.72, 0.86), 0.95),
    "estate": CarShape(4.65, 1.81, 1.48, 0.92, (0.26, 0.43, 0.90, 0.985), 0.92, rails=True),
    "suv": CarShape(4.5, 1.86, 1.70, 1.05, (0.25, 0.42, 0.88, 0.985), 1.05, wheel=0.36, rails=True),
}


def car_mesh(kind: str, paint: Colour, rng: np.random.Generator) -> Mesh:
    """A car of that kind, its measures varied by up to 5 %."""
    return car_body(CARS[kind], paint, rng).mesh()


def car_body(kind: CarShape, paint: Colour, rng: np.random.Generator) -> Builder:
    """A car's body, windows and wheels, its measures varied by up to 5 %; more may be built on it."""
    shape = _varied(kind, rng)
    build = Builder()
    _body(build, shape, paint)
    _face(build, shape, paint, rng)
    _back(build, shape)
    _cabin(build, shape, paint)
    for share in (0.185, 0.795):
        for side in (-1, 1):
            wheel(build, side * (shape.width / 2 + 0.005), -share * shape.length, shape.wheel, side)
    _doors(build, shape, paint)
    return build


def _varied(shape: CarShape, rng: np.random.Generator) -> CarShape:
    length, width, height = rng.uniform(0.95, 1.05, 3)
    return CarShape(
        shape.length * length,
        shape.width * (1 + (width - 1) * 0.6),
        shape.height * height,
        shape.belt * height,
        shape.cabin,
        shape.boot * height,
        shape.wheel,
        shape.rails and bool(rng.random() < 0.6),
    )


def _body(build: Builder, shape: CarShape, paint: Colour) -> None:
    half, belt, length = shape.width / 2, shape.belt, shape.length
    nose = belt * 0.78
    outline = (
        (0.0, 0.30, nose * 0.86, 0.80),
        (0.025, 0.24, nose * 0.97, 0.92),
        (0.10, 0.22, nose * 1.06, 0.985),
        (0.20, 0.22, belt * 0.97, 1.0),
        (shape.cabin[0] + 0.06, 0.22, belt, 1.0),
        (0.72, 0.22, belt, 1.0),
        (0.90, 0.24, (belt + shape.boot) / 2, 0.985),
        (0.975, 0.26, shape.boot, 0.93),
        (1.0, 0.34, shape.boot * 0.93, 0.86),
    )
    stations = [
        Station(-at * length, low, top * 0.72, top, half * wide * 0.96, half * wide, half * wide * 0.93)
        for at, low, top, wide in outline
    ]
    hull(build, stations, paint)


def _doors(build: Builder, shape: CarShape, paint: Colour) -> None:
    """Door seams and a sill on both sides."""
    half, length, belt = shape.width / 2 + 0.004, shape.length, shape.belt
    shade = (paint[0] * 0.5, paint[1] * 0.5, paint[2] * 0.5)
    build.part(1, (0.0, -length / 2, belt / 2))
    for side in (-1, 1):
        x = side * half
        for share in (0.33, 0.53, 0.72):
            y = -share * length
            build.face([(x, y, 0.3), (x, y - 0.025, 0.3), (x, y - 0.025, belt * 0.95), (x, y, belt * 0.95)], shade)
        y0, y1 = -0.27 * length, -0.70 * length
        build.face([(x, y0, 0.22), (x, y1, 0.22), (x, y1, 0.33), (x, y0, 0.33)], TRIM)


def _quad(y: float, x: tuple[float, float], z: tuple[float, float]) -> list[Point3]:
    return [(x[0], y, z[0]), (x[1], y, z[0]), (x[1], y, z[1]), (x[0], y, z[1])]


def _face(build: Builder, shape: CarShape, paint: Colour, rng: np.random.Generator) -> None:
    half, top = shape.width / 2, shape.belt * 0.70
    y = 0.012
    lamp_low = top * float(rng.uniform(0.76, 0.86))
    grille = tuple(channel * 0.35 for channel in paint) if rng.random() < 0.3 else TRIM
    build.face(_quad(y, (-half * 0.74, half * 0.74), (0.30, 0.40)), TRIM)
    build.face(_quad(y, (-half * 0.42, half * 0.42), (lamp_low * 0.97, top * 0.96)), grille)  # type: ignore[arg-type]
    build.face(_quad(y, (-0.26, 0.26), (0.43, 0.53)), PLATE)
    for side in (-1, 1):
        inner, outer = side * half * 0.48, side * half * 0.80
        build.face(_quad(y, (inner, outer), (lamp_low, top)), LAMP, HEADLIGHT)
        swept = [
            (outer, y, lamp_low + 0.02),
            (side * half * 0.93, -0.03 * shape.length, lamp_low + 0.05),
            (side * half * 0.93, -0.03 * shape.length, top),
            (outer, y, top),
        ]
        build.face(swept, LAMP, HEADLIGHT)


def _back(build: Builder, shape: CarShape) -> None:
    half, y, top = shape.width / 2, -shape.length - 0.012, shape.boot * 0.9
    build.face(_quad(y, (-half * 0.78, half * 0.78), (0.34, 0.44)), TRIM)
    build.face(_quad(y, (-0.27, 0.27), (0.50, 0.61)), PLATE)
    for side in (-1, 1):
        build.face(_quad(y, (side * half * 0.50, side * half * 0.86), (top * 0.76, top)), TAIL, TAILLIGHT)


def _cabin(build: Builder, shape: CarShape, paint: Colour) -> None:
    half, length, belt, roof = shape.width / 2, shape.length, shape.belt, shape.height
    foot, front, rear, back = (-share * length for share in shape.cabin)
    low, high = half * 0.93, half * 0.70
    build.part(2, (0.0, (front + rear) / 2, belt))
    base = (low, belt - 0.01)
    crown = (high, roof - 0.03)
    _pane(build, (foot, *base), (front, *crown), paint, (0.93, 0.95))
    _pane(build, (back, *base), (rear, *crown), paint, (0.88, 0.90))
    for side in (-1, 1):
        _side_windows(build, side, (foot, front, rear, back), base, crown, paint)
    _roof(build, (front, rear), high, roof, paint)
    for side in (-1, 1):
        _mirror(build, side, half, foot, belt, paint)
    if shape.rails:
        for side in (-1, 1):
            x = side * high * 0.94
            box(build, (x - 0.02, rear, roof), (x + 0.02, front, roof + 0.05), TRIM, 3)


Edge = tuple[float, float, float]  # y, half-width, height


def _pane(build: Builder, foot: Edge, crown: Edge, paint: Colour, share: tuple[float, float]) -> None:
    """A wind- or rear screen in its painted frame; the upper half mirrors the sky."""

    def across(at: float, wide: float) -> tuple[Point3, Point3]:
        y, half, z = (a + (b - a) * at for a, b in zip(foot, crown, strict=True))
        return (-half * wide, y, z), (half * wide, y, z)

    bands = ((0.0, 1.0, 1.0, paint), (0.04, 0.5, share[0], GLASS_COLOUR), (0.5, share[1], share[0], GLASS_TOP))
    for low, high, wide, colour in bands:
        left, right = across(low, wide)
        top_left, top_right = across(high, wide)
        build.face([left, right, top_right, top_left], colour, PAINT_OR_GLASS[colour is not paint])


PAINT_OR_GLASS = (1, GLASS)


def _side_windows(
    build: Builder,
    side: int,
    places: tuple[float, float, float, float],
    base: tuple[float, float],
    crown: tuple[float, float],
    paint: Colour,
) -> None:
    foot, front, rear, back = places

    def at(y: float, share: float) -> Point3:
        half = base[0] + (crown[0] - base[0]) * share
        return side * (half + 0.004), y, base[1] + (crown[1] - base[1]) * share

    build.face([at(foot, 0), at(back, 0), at(rear, 1), at(front, 1)], paint, 1)
    for window in _window_outlines(foot, front, rear, back):
        build.face([at(y, share) for y, share in window], GLASS_COLOUR, GLASS)


def _window_outlines(foot: float, front: float, rear: float, back: float) -> Sequence[Sequence[tuple[float, float]]]:
    low, high, pillar = 0.10, 0.86, 0.04
    middle = front + (rear - front) * 0.42
    fore = foot + (front - foot) * low - 0.14, foot + (front - foot) * high - 0.10
    aft = back + (rear - back) * low + 0.22, back + (rear - back) * high + 0.14
    return (
        ((fore[0], low), (middle + pillar, low), (middle + pillar, high), (fore[1], high)),
        ((middle - pillar, low), (aft[0], low), (aft[1], high), (middle - pillar, high)),
    )


def _roof(build: Builder, ends: tuple[float, float], half: float, height: float, paint: Colour) -> None:
    front, rear = ends
    rise, inner = height - 0.03, half * 0.72
    middle = (front + rear) / 2
    build.face([(-half, front, rise), (half, front, rise), (inner, middle, height), (-inner, middle, height)], paint, 1)
    build.face([(-half, rear, rise), (half, rear, rise), (inner, middle, height), (-inner, middle, height)], paint, 1)
    for side in (-1, 1):
        edge = [(side * half, front, rise), (side * half, rear, rise), (side * inner, middle, height)]
        build.face(edge, paint, 1)


def _mirror(build: Builder, side: int, half: float, foot: float, belt: float, paint: Colour) -> None:
    inner, outer = side * half * 0.96, side * (half + 0.16)
    y = foot - 0.18
    box(build, (min(inner, outer), y - 0.1, belt), (max(inner, outer), y, belt + 0.15), paint, 1)


def random_paint(rng: np.random.Generator) -> tuple[str, Colour]:
    """A paint by name and its BGR colour, slightly varied."""
    shares = np.array(PAINT_SHARES) / sum(PAINT_SHARES)
    name = list(PAINTS)[int(rng.choice(len(PAINTS), p=shares))]
    return name, tinted(PAINTS[name], rng)


def tinted(colour: Colour, rng: np.random.Generator) -> Colour:
    """The colour, lighter or darker by up to 15 % and slightly shifted."""
    varied = np.array(colour) * rng.uniform(0.85, 1.12) + rng.uniform(-0.015, 0.015, 3)
    blue, green, red = np.clip(varied, 0.03, 0.92)
    return float(blue), float(green), float(red)
