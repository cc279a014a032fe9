"""The empty road of a view, drawn once: ground, markings, what stands beside it, sky; and how far each pixel is."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from producers.simulator.geometry import Floats, ground_map
from producers.simulator.light import Light, as_bytes
from producers.simulator.roadside import Canvas, draw_roadside
from producers.simulator.views import Lane, View

Image = NDArray[np.uint8]

SCALE = 2  # drawn at twice the size, then averaged
LAMP_SPACING_M = 26.0
SKY_DISTANCE_M = 1200.0
LINE_HALF_M = 0.08
PAVED_M = {"toll": 4.5, "town": 1e4, "forest": 0.0, "fields": 0.0}


@dataclass(frozen=True, slots=True)
class Scene:
    """A view without vehicles, on a clear day."""

    # Colours under full daylight, float32, HxWx3, BGR 0..1.
    colours: NDArray[np.float32]
    # Distance of each pixel in metres, float32, HxW.
    distances: NDArray[np.float32]
    # World X and Y of the ground under each pixel, float32, HxW each.
    ground_x: NDArray[np.float32]
    ground_y: NDArray[np.float32]
    # Share of each pixel that is asphalt, float32, HxW.
    asphalt: NDArray[np.float32]
    # Share of each pixel that is sky, float32, HxW.
    sky: NDArray[np.float32]


@lru_cache(maxsize=12)
def scene_of(view: View) -> Scene:
    """The scene of a view; the same view always gives the same scene."""
    rng = np.random.default_rng(view.number())
    x, y, distance = ground_map(view.camera, SCALE)
    sky = np.isinf(distance)
    texture = _texture(rng)
    colours = _ground(view, x, y, np.minimum(distance, 400), texture)
    colours[sky] = _sky(texture, colours.shape, int(sky.any(axis=1).sum()))[sky]
    canvas = Canvas(as_bytes(colours), np.where(sky, SKY_DISTANCE_M, distance).astype(np.float32), view.camera, SCALE)
    draw_roadside(canvas, view, rng)
    return _reduced(view, canvas, x, y, sky)


def _reduced(view: View, canvas: Canvas, x: Floats, y: Floats, sky: NDArray[np.bool_]) -> Scene:
    left, right = view.road_edges()
    is_road = (x > left) & (x < right) & ~sky & ~canvas.covered()
    return Scene(
        colours=_half(canvas.picture.astype(np.float32) / 255),
        distances=_half(np.abs(canvas.distances)),
        ground_x=_half(x.astype(np.float32)),
        ground_y=_half(y.astype(np.float32)),
        asphalt=_half(is_road.astype(np.float32)),
        sky=_half((sky & ~canvas.covered()).astype(np.float32)),
    )


def _half(array: NDArray[np.floating]) -> NDArray[np.float32]:
    size = (array.shape[1] // SCALE, array.shape[0] // SCALE)
    return cv2.resize(array, size, interpolation=cv2.INTER_AREA).astype(np.float32)


def _texture(rng: np.random.Generator) -> NDArray[np.float32]:
    """Noise of many sizes in a 512x512 tile that joins at its edges, mean 0, deviation 1."""
    total = np.zeros((512, 512))
    for cells in (4, 8, 16, 32, 64, 128, 256, 512):
        coarse = np.pad(rng.normal(size=(cells, cells)), 2, mode="wrap")
        factor = 512 // cells
        smooth = cv2.resize(coarse, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        total += smooth[2 * factor : 2 * factor + 512, 2 * factor : 2 * factor + 512] * cells**-0.45
    return np.asarray((total - total.mean()) / total.std(), dtype=np.float32)


def _sampled(texture: NDArray[np.float32], x: Floats, y: Floats, metres: float) -> Floats:
    """The texture laid on the ground, one tile each `metres`."""
    u = ((x / metres) % 1.0 * 512).astype(np.float32)
    v = ((y / metres) % 1.0 * 512).astype(np.float32)
    return cv2.remap(texture, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP).astype(np.float64)


def _ground(view: View, x: Floats, y: Floats, distance: Floats, texture: NDArray[np.float32]) -> Floats:
    near = np.exp(-distance / 45)
    fine = _sampled(texture, x, y, 7.0) * near
    coarse = _sampled(texture, x + 3, y * 0.6, 53.0)
    colours = _verge(view, x, fine, coarse)
    left, right = view.road_edges()
    kerb = ((x > left - 0.35) & (x <= left)) | ((x < right + 0.35) & (x >= right))
    colours[kerb] = (np.array([0.55, 0.57, 0.58]) * (1 + 0.06 * coarse[..., None]))[kerb]
    road = (x > left) & (x < right)
    grey = view.asphalt * (1 + 0.07 * fine + 0.05 * coarse) - _tyre_tracks(view, x)
    colours[road] = (grey[..., None] * np.array([1.02, 1.0, 0.98]))[road]
    _median(view, colours, x, coarse)
    paint = _markings(view, x, y) * (0.90 + 0.10 * np.clip(coarse, -1, 1))
    return np.asarray(colours * (1 - paint[..., None]) + np.array([0.80, 0.82, 0.82]) * paint[..., None])


def _verge(view: View, x: Floats, fine: Floats, coarse: Floats) -> Floats:
    """Paved beside the road of a town and for some metres beside a toll gate's; else grass, dry in places."""
    grass = np.array([0.14, 0.33, 0.26]) * (1 + 0.12 * coarse + 0.28 * fine)[..., None]
    grass += np.clip(coarse, 0, 2)[..., None] * np.array([0.00, 0.03, 0.05])
    left, right = view.road_edges()
    metres = PAVED_M[view.surroundings]
    paved = (x > left - metres) & (x < right + metres)
    slabs = np.array([0.50, 0.53, 0.55]) * (1 + 0.05 * coarse + 0.05 * fine)[..., None]
    return np.where(paved[..., None], slabs, grass)


def _tyre_tracks(view: View, x: Floats) -> Floats:
    """Asphalt is polished where wheels run and stained between them."""
    dark = np.zeros_like(x)
    for lane in view.lanes:
        off = np.abs(x - lane.x_m)
        dark += 0.030 * np.exp(-(((off - 0.8) / 0.28) ** 2)) + 0.022 * np.exp(-((off / 0.35) ** 2))
    return dark


def _median(view: View, colours: Floats, x: Floats, coarse: Floats) -> None:
    if not view.median_m:
        return
    middle = _median_middle(view)
    strip = np.abs(x - middle) < view.median_m / 2
    colours[strip] = (np.array([0.15, 0.32, 0.27]) * (1 + 0.2 * coarse[..., None]))[strip]


def _median_middle(view: View) -> float:
    away = [lane for lane in view.lanes if lane.heading > 0]
    towards = [lane for lane in view.lanes if lane.heading < 0]
    return (away[-1].x_m + away[-1].width_m / 2 + towards[0].x_m - towards[0].width_m / 2) / 2


def _markings(view: View, x: Floats, y: Floats) -> Floats:
    """Share of white paint on the ground, 0 or 1."""
    paint = np.zeros(x.shape, dtype=bool)
    for lane, following in zip((None, *view.lanes), (*view.lanes, None), strict=True):
        paint |= _lane_line(lane, following, x, y)
    if view.stop_line:
        left, right = view.lanes[0], view.lanes[-1]
        across = (x > left.x_m - left.width_m / 2) & (x < right.x_m + right.width_m / 2)
        paint |= across & (y > view.line_y_m) & (y < view.line_y_m + 0.45)
        if view.surroundings == "town":
            bars = (x % 1.0 < 0.5) & (y > view.line_y_m - 5.2) & (y < view.line_y_m - 2.0)
            paint |= across & bars
    return paint.astype(np.float64)


def _lane_line(lane: Lane | None, following: Lane | None, x: Floats, y: Floats) -> NDArray[np.bool_]:
    """The line between two lanes, or at the outer edge where one of them is missing."""
    if lane is None:
        return np.abs(x - _left_of(following)) < LINE_HALF_M
    edge = lane.x_m + lane.width_m / 2
    line = np.abs(x - edge) < LINE_HALF_M
    if following is None:
        return line
    if _left_of(following) - edge > 0.5:
        return line | (np.abs(x - _left_of(following)) < LINE_HALF_M)
    return line & (y % 9.0 < 3.6) if lane.heading == following.heading else line


def _left_of(lane: Lane | None) -> float:
    return lane.x_m - lane.width_m / 2 if lane is not None else 0.0


def _sky(texture: NDArray[np.float32], shape: tuple[int, ...], horizon: int) -> Floats:
    """Clouds over a pale horizon, for the topmost `horizon` rows."""
    rows = np.linspace(0, 1, max(horizon, 1))
    height, width = shape[:2]
    up = np.interp(np.arange(height), np.arange(len(rows)), rows)[:, None]
    v, u = np.mgrid[0:height, 0:width].astype(np.float64)
    clouds = np.clip(_sampled(texture, u, v * 3, width * 1.1) * 0.5 + 0.4, 0, 1)
    blue = np.array([0.82, 0.70, 0.56]) * (1 - up[..., None]) + np.array([0.88, 0.86, 0.83]) * up[..., None]
    return np.asarray(blue + (np.array([0.92, 0.92, 0.92]) - blue) * clouds[..., None] * 0.8)


def lit_scene(scene: Scene, light: Light, lamps: Floats) -> Image:
    """The empty road under a light, uint8, HxWx3, BGR. `lamps` is the share of lamp light per pixel."""
    sun = light.sun() * 0.50
    glow = light.ambient() * 0.64 + sun
    colours = scene.colours * (glow + lamps[..., None] * light.lamps())
    if light.levels.rain > 0:
        colours = _wet(colours, scene, light)
    arrives = light.arrives(scene.distances)[..., None]
    return as_bytes(colours * arrives + light.haze_colour() * (1 - arrives))


def _wet(colours: Floats, scene: Scene, light: Light) -> Floats:
    """A wet road is darker and mirrors what stands beyond it, smeared downwards."""
    rain = min(1.0, 1.6 * light.levels.rain)
    share = (scene.asphalt * rain)[..., None]
    mirrored = cv2.blur(np.ascontiguousarray(colours[::-1]), (5, 61))
    sky = light.ambient() * np.array([0.62, 0.60, 0.58])
    wet = colours * 0.55 + 0.16 * mirrored + 0.12 * sky
    return np.asarray(colours * (1 - share) + wet * share)
