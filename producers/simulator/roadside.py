"""What stands beside the road: trees, guard rails, lamps, houses, a toll canopy, a sign gantry."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from producers.simulator.geometry import Camera, Floats
from producers.simulator.views import View

Colour = tuple[float, float, float]
Point3 = tuple[float, float, float]

STEEL: Colour = (0.62, 0.62, 0.60)
POLE: Colour = (0.45, 0.46, 0.46)


@dataclass(frozen=True, slots=True)
class Canvas:
    """A picture being drawn at a multiple of its size, and the distance of what was drawn."""

    # uint8, HxWx3, BGR.
    picture: NDArray[np.uint8]
    # float32, HxW, metres; negative sign marks what stands upright.
    distances: NDArray[np.float32]
    # The camera it is seen with.
    camera: Camera
    # Multiple of the camera's picture size.
    scale: int

    def face(self, points: list[Point3], colour: Colour) -> None:
        """Fills a flat face; one that reaches behind the camera is left out."""
        pixels, depth = self.camera.project(np.array(points))
        if depth.min() < 1.2:
            return
        corners = (pixels * self.scale * 16).clip(-(1 << 20), 1 << 20).astype(np.int32)
        level = tuple(float(channel * 255) for channel in colour)
        cv2.fillPoly(self.picture, [corners], level, cv2.LINE_AA, 4)
        cv2.fillPoly(self.distances, [corners], -float(depth.mean()), cv2.LINE_8, 4)

    def discs(self, middles: Floats, radii_m: Floats, colours: Floats) -> None:
        """Fills discs that face the camera, in their order."""
        pixels, depth = self.camera.project(middles)
        radii = np.maximum(radii_m * self.camera.focal_px / depth * self.scale, 1)
        spots = (pixels * self.scale).clip(-9999, 9999).astype(int)
        for spot, radius, far, colour in zip(spots.tolist(), radii, depth, colours * 255, strict=True):
            if far < 1.2:
                continue
            cv2.circle(self.picture, spot, int(radius), colour.tolist(), -1, cv2.LINE_AA)
            cv2.circle(self.distances, spot, int(radius), -float(far), -1)

    def covered(self) -> NDArray[np.bool_]:
        """Where something upright stands."""
        return np.asarray(self.distances < 0)


def draw_roadside(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    """Draws the surroundings of the view from far to near."""
    for draw in SURROUNDINGS[view.surroundings]:
        draw(canvas, view, rng)


def _upright(canvas: Canvas, x: float, y: float, width: float, z: tuple[float, float], colour: Colour) -> None:
    half = width / 2
    canvas.face([(x - half, y, z[0]), (x + half, y, z[0]), (x + half, y, z[1]), (x - half, y, z[1])], colour)


def _along(canvas: Canvas, x: float, y: tuple[float, float], z: tuple[float, float], colour: Colour) -> None:
    canvas.face([(x, y[0], z[0]), (x, y[1], z[0]), (x, y[1], z[1]), (x, y[0], z[1])], colour)


def _tree(canvas: Canvas, x: float, y: float, height: float, rng: np.random.Generator) -> None:
    _upright(canvas, x, y, height * 0.05, (0, height * 0.5), (0.12, 0.17, 0.20))
    count = 260
    spread = rng.normal(size=(count, 3)) * (height * 0.17, height * 0.12, height * 0.15)
    middles = np.add(spread, (x, y, height * 0.62))
    middles[:, 2] = np.maximum(middles[:, 2], height * 0.2)
    order = np.argsort(middles[:, 2] - 0.6 * middles[:, 1])
    tone = 0.55 + 0.55 * (middles[order, 2] / height) + rng.normal(size=count) * 0.12
    leaf = np.array([0.10, 0.27, 0.20]) * rng.uniform(0.8, 1.15) + rng.uniform(-0.02, 0.03, 3)
    canvas.discs(middles[order], rng.uniform(0.016, 0.050, count) * height, np.clip(tone[:, None] * leaf, 0, 0.8))


def _trees(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    """A wood on both sides."""
    left, right = view.road_edges()
    for y in np.arange(170.0, 14.0, -4.5):
        for edge, side in ((left, -1), (right, 1)):
            off = 5.0 + float(rng.uniform(0, 9)) + (3 if y < 30 else 0)
            _tree(canvas, edge + side * off, y, float(rng.uniform(5, 10)), rng)


def _far_wood(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    """A row of trees across the end of the road and a few beside it."""
    for x in np.arange(-150.0, 150.0, 7):
        _tree(canvas, x + float(rng.uniform(-3, 3)), 230.0, float(rng.uniform(7, 14)), rng)
    left, right = view.road_edges()
    for y in np.sort(rng.uniform(28, 150, 12))[::-1]:
        edge, side = (left, -1) if rng.random() < 0.5 else (right, 1)
        _tree(canvas, edge + side * float(rng.uniform(7, 22)), float(y), float(rng.uniform(3, 7)), rng)


def _rails(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    """Guard rails on both sides, and in the median."""
    left, right = view.road_edges()
    for x in (left - 0.6, right + 0.6):
        for y in np.arange(160.0, 2.0, -4.0):
            _upright(canvas, x, float(y), 0.12, (0, 0.7), (0.40, 0.40, 0.40))
            _along(canvas, x, (float(y) - 4.0, float(y)), (0.45, 0.62), (0.50, 0.50, 0.49))
            _along(canvas, x, (float(y) - 4.0, float(y)), (0.60, 0.78), STEEL)


def _lamps(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    _, right = view.road_edges()
    for y in (130.0, 104.0, 78.0, 52.0, 26.0):
        _upright(canvas, right + 1.4, y, 0.16, (0, 8.5), POLE)
        canvas.face([(right + 1.4, y, 8.5), (right - 0.6, y, 8.9), (right - 0.6, y, 9.0), (right + 1.4, y, 8.7)], POLE)


def _houses(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    """Two rows of house fronts behind the pavements."""
    left, right = view.road_edges()
    fronts = ((left - 4.5, -1), (right + 4.5, 1))
    y = 130.0
    while y > 6.0:
        depth = float(rng.uniform(9, 16))
        for x, side in fronts:
            if side * (x - view.camera.position[0]) > 0:  # a camera on a house front sees nothing of it
                _house(canvas, x, (y - depth, y), side, rng)
        y -= depth
    for x in np.arange(-60.0, 60.0, 12.0):
        _house_front(canvas, (x, x + 12.0), 150.0, float(rng.uniform(9, 16)), rng)


def _facade_colour(rng: np.random.Generator) -> Colour:
    tones = ((0.62, 0.66, 0.70), (0.50, 0.58, 0.66), (0.40, 0.46, 0.58), (0.66, 0.66, 0.64), (0.46, 0.47, 0.48))
    tone = np.array(tones[int(rng.integers(len(tones)))]) * rng.uniform(0.85, 1.1)
    return float(tone[0]), float(tone[1]), float(tone[2])


def _house(canvas: Canvas, x: float, y: tuple[float, float], side: int, rng: np.random.Generator) -> None:
    height, colour = float(rng.uniform(7, 13)), _facade_colour(rng)
    dim = (colour[0] * 0.7, colour[1] * 0.7, colour[2] * 0.7)
    far = x + side * 9.0
    canvas.face([(x, y[0], 0), (far, y[0], 0), (far, y[0], height), (x, y[0], height)], dim)
    _along(canvas, x, y, (0, height), colour)
    _along(canvas, x, y, (0, 0.7), dim)
    for z in np.arange(1.2, height - 1.5, 2.9):
        for at in np.arange(y[0] + 1.0, y[1] - 1.5, 2.3):
            _along(canvas, x, (float(at), float(at) + 1.2), (float(z), float(z) + 1.5), (0.24, 0.22, 0.20))


def _house_front(canvas: Canvas, x: tuple[float, float], y: float, height: float, rng: np.random.Generator) -> None:
    _upright(canvas, (x[0] + x[1]) / 2, y, x[1] - x[0], (0, height), _facade_colour(rng))
    for z in np.arange(1.5, height - 2, 3.0):
        for at in np.arange(x[0] + 1.5, x[1] - 1, 2.6):
            _upright(canvas, float(at), y, 1.3, (float(z), float(z) + 1.6), (0.26, 0.24, 0.22))


def _street_trees(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    left, right = view.road_edges()
    for y in (74.0, 60.0, 47.0, 35.0, 25.0):
        for edge, side in ((left, -1), (right, 1)):
            _tree(canvas, edge + side * 2.6, y + float(rng.uniform(-2, 2)), float(rng.uniform(3.0, 4.6)), rng)


def _bollards(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    left, right = view.road_edges()
    for y in np.arange(48.0, 6.0, -3.0):
        for x in (left - 0.7, right + 0.7):
            _upright(canvas, x, float(y), 0.14, (0, 0.9), (0.25, 0.25, 0.27))
            _upright(canvas, x, float(y), 0.15, (0.7, 0.82), (0.80, 0.82, 0.84))


def _canopy(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    """The toll plaza's roof at the end of the lanes, a booth beside them, and woods behind."""
    _far_wood(canvas, view, rng)
    y = view.far_y_m + 6.0
    left, right = view.road_edges()
    for x in (left - 9, left - 0.8, right + 0.8, right + 9):
        _upright(canvas, x, y, 0.7, (0, 5.6), (0.55, 0.56, 0.58))
    _upright(canvas, 0.0, y, 110.0, (5.2, 6.9), (0.66, 0.50, 0.30))
    _upright(canvas, 0.0, y - 0.1, 110.0, (5.2, 5.5), (0.85, 0.86, 0.86))
    for lane in view.lanes:
        _upright(canvas, lane.x_m, y - 0.2, 1.1, (5.6, 6.5), (0.25, 0.55, 0.20))
    _booth(canvas, right + 1.2, 24.0)


def _booth(canvas: Canvas, x: float, y: float) -> None:
    wall: Colour = (0.70, 0.72, 0.72)
    _along(canvas, x, (y, y + 3.5), (0, 2.7), wall)
    _upright(canvas, x + 1.1, y, 2.2, (0, 2.7), (0.58, 0.60, 0.60))
    _along(canvas, x, (y + 0.5, y + 3.0), (1.1, 2.1), (0.22, 0.20, 0.18))
    _upright(canvas, x + 1.1, y, 1.5, (1.1, 2.1), (0.26, 0.24, 0.22))
    _upright(canvas, x + 1.0, y - 0.2, 3.0, (2.7, 2.95), (0.15, 0.20, 0.62))


def _gantry(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    """A sign gantry beyond the place where vehicles appear."""
    y = view.far_y_m + 8.0
    left, right = view.road_edges()
    for x in (left - 1.2, right + 1.2):
        _upright(canvas, x, y, 0.5, (0, 8.2), POLE)
    _upright(canvas, (left + right) / 2, y, right - left + 2.4, (7.4, 8.2), POLE)
    for x in (left + 4, right - 4):
        _upright(canvas, x, y - 0.3, 5.2, (6.0, 8.8), (0.48, 0.26, 0.08))
        _upright(canvas, x, y - 0.4, 3.6, (7.6, 7.9), (0.85, 0.85, 0.85))
        _upright(canvas, x, y - 0.4, 2.6, (6.8, 7.1), (0.85, 0.85, 0.85))


Drawer = Callable[[Canvas, View, np.random.Generator], None]

SURROUNDINGS: dict[str, tuple[Drawer, ...]] = {
    "toll": (_canopy, _bollards),
    "town": (_houses, _street_trees, _bollards),
    "forest": (_trees, _rails),
    "fields": (_far_wood, _gantry, _rails, _lamps),
}
