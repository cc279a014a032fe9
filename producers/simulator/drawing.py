"""Paints vehicles into a picture: faces lit and veiled, shadows on the road, lamps that glare at night."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from producers.simulator.geometry import Camera, Floats, project
from producers.simulator.light import Light, as_bytes, veiled
from producers.simulator.shapes import GLASS, HEADLIGHT, PAINT, TAILLIGHT, Mesh

Image = NDArray[np.uint8]

SKY = np.array([0.80, 0.76, 0.72])
SHADOW = 0.55  # share of the light a full shadow takes


@dataclass(frozen=True, slots=True)
class Placed:
    """A vehicle standing somewhere on the road."""

    # Its faces.
    mesh: Mesh
    # Where the middle of its front edge touches the road, in metres.
    x_m: float
    y_m: float
    # +1 when it drives along Y, -1 when it comes towards the camera.
    heading: int

    def world(self, points: Floats) -> Floats:
        """Points of the vehicle's own axes in the world."""
        turn = np.array([self.heading, self.heading, 1.0])
        return np.asarray(points * turn + (self.x_m, self.y_m, 0.0))


@dataclass(frozen=True, slots=True)
class Stage:
    """What all vehicles of a picture share."""

    # The camera and its axes.
    camera: Camera
    axes: Floats
    # Unit vector to the sun.
    sun: Floats
    # The light.
    light: Light
    # Metres from one street lamp to the next.
    lamp_spacing_m: float


def box_of(placed: Placed, stage: Stage) -> tuple[float, float, float, float] | None:
    """Left, top, right, bottom of the vehicle in pixels, clipped to the picture; None when outside."""
    pixels, depth = project(placed.world(placed.mesh.corners), stage.axes, stage.camera)
    if depth.min() < 1.0:
        return None
    limit = (stage.camera.width, stage.camera.height)
    left, top = np.clip(pixels.min(axis=0), 0, limit)
    right, bottom = np.clip(pixels.max(axis=0), 0, limit)
    if right - left < 1 or bottom - top < 1:
        return None
    return float(left), float(top), float(right), float(bottom)


def draw_vehicle(picture: Image, placed: Placed, stage: Stage) -> None:
    """Paints one vehicle with its shadow and lamps into `picture` (uint8, HxWx3, BGR), in place."""
    box = box_of(placed, stage)
    if box is None:
        return
    _draw_shadow(picture, placed, stage)
    _draw_faces(picture, placed, stage, box)
    if stage.light.headlights() > 0:
        _draw_lamps(picture, placed, stage)


def _window(picture: Image, pixels: Floats, margin: int) -> tuple[int, int, int, int] | None:
    """The pixels' bounding window inside the picture: x0, y0, x1, y1."""
    height, width = picture.shape[:2]
    x0, y0 = np.maximum(np.floor(pixels.min(axis=0)).astype(int) - margin, 0)
    x1, y1 = np.minimum(np.ceil(pixels.max(axis=0)).astype(int) + margin, (width, height))
    return (int(x0), int(y0), int(x1), int(y1)) if x1 - x0 > 1 and y1 - y0 > 1 else None


def _draw_shadow(picture: Image, placed: Placed, stage: Stage) -> None:
    sun = float(stage.light.sun().mean() / max(stage.light.daylight, 0.1))
    corners = placed.world(placed.mesh.corners)
    cast = corners - stage.sun * (corners[:, 2] / stage.sun[2])[:, None]
    under = corners * (1.0, 1.0, 0.0)
    for ground, strength, soft in ((cast, SHADOW * sun, 3), (under, 0.62, 7)):
        pixels, depth = project(ground, stage.axes, stage.camera)
        _darken(picture, pixels, strength * _road_share(stage.light, float(depth.mean())), soft)


def _road_share(light: Light, distance_m: float) -> float:
    """How much of what is seen at that distance is the road, not the haze before it: a shadow dims only that."""
    arrives = float(light.arrives(np.array(distance_m)))
    road = arrives * 0.40 * float((light.ambient() + light.sun()).mean() / 2 + light.lamps().mean())
    haze = (1 - arrives) * float(light.haze_colour().mean())
    return road / max(road + haze, 1e-6)


def _darken(picture: Image, pixels: Floats, strength: float, soft: int) -> None:
    window = _window(picture, pixels, soft)
    if window is None or strength < 0.02:
        return
    x0, y0, x1, y1 = window
    hull = cv2.convexHull(((pixels - (x0, y0)) * 16).astype(np.int32))
    mask = np.full((y1 - y0, x1 - x0), 255, np.uint8)
    cv2.fillConvexPoly(mask, hull, int(255 * (1 - strength)), cv2.LINE_AA, 4)
    softened = cv2.blur(mask, (soft, soft))
    patch = picture[y0:y1, x0:x1]
    cv2.multiply(patch, cv2.merge([softened] * 3), patch, 1 / 255)


def _draw_faces(picture: Image, placed: Placed, stage: Stage, box: tuple[float, float, float, float]) -> None:
    mesh = placed.mesh
    visible, colours = shaded_faces(placed, stage)
    pixels, _ = project(placed.world(mesh.corners), stage.axes, stage.camera)
    window = _window(picture, pixels, 1)
    if window is None:
        return
    x0, y0, x1, y1 = window
    scale = _supersampling(max(box[2] - box[0], box[3] - box[1]))
    patch = cv2.resize(picture[y0:y1, x0:x1], None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    fine = np.round((pixels - (x0, y0)) * scale - 0.5).astype(np.int32)
    starts = mesh.starts
    for face, colour in zip(visible.tolist(), colours.tolist(), strict=True):
        cv2.fillConvexPoly(patch, fine[starts[face] : starts[face + 1]], colour)
    size = (x1 - x0, y1 - y0)
    cv2.resize(patch, size, dst=picture[y0:y1, x0:x1], interpolation=cv2.INTER_AREA)


def _supersampling(size_px: float) -> int:
    return 4 if size_px < 50 else 3 if size_px < 130 else 2


def shaded_faces(placed: Placed, stage: Stage) -> tuple[NDArray[np.int64], Floats]:
    """Faces turned to the camera from back to front, and their BGR colours of 0..255."""
    mesh, turn = placed.mesh, np.array([placed.heading, placed.heading, 1.0])
    normals, middles = mesh.normals * turn, placed.world(mesh.middles)
    away = np.asarray(stage.camera.position) - middles
    distances = np.linalg.norm(away, axis=1)
    facing = (normals * away).sum(axis=1) / distances
    parts = np.linalg.norm(placed.world(mesh.part_middles) - stage.camera.position, axis=1)
    order = np.lexsort((-parts, mesh.layers))
    order = order[facing[order] > 0]
    lit = _lit(mesh, normals, facing, stage, placed)[order]
    return order, as_bytes(veiled(lit, distances[order], stage.light)).astype(np.float64)


def _lit(mesh: Mesh, normals: Floats, facing: Floats, stage: Stage, placed: Placed) -> Floats:
    light = stage.light
    sunny = np.maximum(0.0, normals @ stage.sun)[:, None]
    open_sky = (0.62 + 0.38 * normals[:, 2])[:, None]
    lamp = lamp_light(placed.x_m, placed.y_m, stage.lamp_spacing_m) * light.lamps()
    ambient = light.ambient()
    glow = ambient * 0.64 * open_sky + light.sun() * 0.68 * sunny + lamp * open_sky
    colours: Floats = mesh.colours * glow
    gloss = np.select([mesh.materials == GLASS, mesh.materials == PAINT], [0.30, 0.10], 0.0)
    mirrored = gloss * (0.35 + 0.65 * (1 - facing) ** 2) * np.maximum(0.15, normals[:, 2] + 0.35)
    colours = colours + mirrored[:, None] * SKY * ambient
    on = light.headlights()
    colours[mesh.materials == HEADLIGHT] += on * np.array([0.85, 0.95, 1.0])
    colours[mesh.materials == TAILLIGHT] += on * np.array([0.02, 0.04, 0.55])
    return colours


def lamp_light(x_m: NDArray[np.floating] | float, y_m: NDArray[np.floating] | float, spacing_m: float) -> Floats:
    """Share of street-lamp light on the road: one lamp each `spacing_m`, 5 m to the right of the axis."""
    along = (np.asarray(y_m) + spacing_m / 2) % spacing_m - spacing_m / 2
    return np.asarray(np.exp(-((along / 9.0) ** 2) - ((np.asarray(x_m) - 5.0) / 9.0) ** 2))


def _draw_lamps(picture: Image, placed: Placed, stage: Stage) -> None:
    mesh, on = placed.mesh, stage.light.headlights()
    turned = np.asarray(stage.camera.position) - placed.world(mesh.middles)
    towards = (mesh.normals[:, 1] * placed.heading * turned[:, 1]) > 0
    for material, colour, reach in ((HEADLIGHT, (0.82, 0.95, 1.0), 1.5), (TAILLIGHT, (0.05, 0.06, 0.6), 0.7)):
        faces = np.flatnonzero((mesh.materials == material) & towards)
        if len(faces) == 0:
            continue
        middles = mesh.middles[faces]
        _draw_glare(picture, placed.world(middles), colour, reach, on, stage)
    if placed.heading < 0 and stage.light.levels.night > 0:
        _draw_beam(picture, placed, stage)


def _draw_glare(
    picture: Image, lamps: Floats, colour: tuple[float, float, float], reach: float, on: float, stage: Stage
) -> None:
    pixels, depth = project(lamps, stage.axes, stage.camera)
    arrives = stage.light.arrives(depth) ** 0.5
    for (x, y), distance, share in zip(pixels, depth, arrives, strict=True):
        radius = reach * (0.45 + 0.55 * on) * stage.camera.focal_px / distance**0.85 * 0.5
        strength = round(255 * on * float(share) * 0.85)
        _add(picture, _glow(int(np.clip(radius, 4, 90)), strength, colour), round(x), round(y))


@lru_cache(maxsize=512)
def _glow(radius: int, strength: int, colour: tuple[float, float, float]) -> Image:
    """A round glow with a bright core, uint8, (2 radius + 1) squared, BGR."""
    across = np.arange(-radius, radius + 1) / radius
    distance = np.hypot(across[:, None], across[None, :])
    core = np.exp(-((distance / 0.13) ** 2)) + 0.35 * np.exp(-((distance / 0.38) ** 2))
    fading = np.clip(core, 0, 1) * (1 - np.clip(distance, 0, 1)) * strength
    return np.asarray(fading[..., None] * np.array(colour), dtype=np.uint8)


def _add(picture: Image, sprite: Image, x: int, y: int) -> None:
    """Adds a sprite centred at (x, y), clipped to the picture."""
    radius = sprite.shape[0] // 2
    height, width = picture.shape[:2]
    x0, y0, x1, y1 = max(0, x - radius), max(0, y - radius), min(width, x + radius + 1), min(height, y + radius + 1)
    if x0 >= x1 or y0 >= y1:
        return
    part = sprite[y0 - y + radius : y1 - y + radius, x0 - x + radius : x1 - x + radius]
    patch = picture[y0:y1, x0:x1]
    cv2.add(patch, part, patch)


def _draw_beam(picture: Image, placed: Placed, stage: Stage) -> None:
    """The headlights' pool of light on the road ahead."""
    reach = np.array([[-0.8, 0.4, 0], [0.8, 0.4, 0], [1.9, 5, 0], [0.9, 8, 0], [-0.9, 8, 0], [-1.9, 5, 0]])
    pixels, depth = project(placed.world(reach), stage.axes, stage.camera)
    window = _window(picture, pixels, 20)
    if window is None or depth.min() < 1.5:
        return
    x0, y0, x1, y1 = window
    mask = np.zeros((y1 - y0, x1 - x0, 3), np.uint8)
    level = 46 * stage.light.levels.night * float(stage.light.arrives(depth).mean())
    cv2.fillConvexPoly(
        mask, ((pixels - (x0, y0)) * 16).astype(np.int32), (level * 0.7, level * 0.92, level), cv2.LINE_AA, 4
    )
    patch = picture[y0:y1, x0:x1]
    cv2.add(patch, cv2.blur(cv2.blur(mask, (21, 21)), (15, 15)), patch)
