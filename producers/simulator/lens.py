"""What the lens and the sensor do to a picture.

rain in the air, drops ─► blur, smears, what hangs before it ─► exposure ─► noise, hot pixels ─► size
"""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from producers.simulator.conditions import Levels
from producers.simulator.geometry import Floats
from producers.simulator.light import Light

Image = NDArray[np.uint8]

BLUR_PX = 4.0  # standard deviation of full defocus, pixels
LEAF_COLOUR = np.array([38.0, 92.0, 66.0])  # BGR by full daylight
TILE_MARGIN = 64  # a noise tile is this much larger than the picture: 64 x 64 ways to lay it


def exposed(picture: Image, light: Light, view_number: int, picture_seed: int) -> Image:
    """The picture as the sensor gives it (uint8, HxWx3, BGR); equal arguments give equal bytes."""
    levels, size = light.levels, (picture.shape[0], picture.shape[1])
    draw = np.random.default_rng(picture_seed)
    picture = _rained(picture, levels, view_number, draw)
    picture = _focused(picture, levels)
    picture = _smeared(picture, levels.dirt, view_number)
    picture = _gained(_covered(picture, light, view_number), levels)
    brighter, darker = _noise_tiles(size, round(light.noise_sigma(), 1))
    y, x = draw.integers(0, TILE_MARGIN, 2).tolist()
    window = np.s_[y : y + size[0], x : x + size[1]]
    cv2.add(picture, brighter[window], picture)
    cv2.subtract(picture, darker[window], picture)
    if levels.hot > 0:
        cv2.max(picture, _hot_pixels(size, levels.hot, view_number), picture)
    return _scaled(picture, scale_of(levels))


def scale_of(levels: Levels) -> float:
    """Size of the pictures beside the view's, 0.5..1."""
    return 1 - 0.5 * levels.small


def _scaled(picture: Image, scale: float) -> Image:
    if scale == 1:
        return picture
    size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _focused(picture: Image, levels: Levels) -> Image:
    """As sharp as a lens in focus makes it, or blurred."""
    kernel, sigma = ((3, 3), 0.7 + 0.5 * levels.fog) if levels.blur <= 0 else ((0, 0), 0.7 + BLUR_PX * levels.blur)
    return cv2.GaussianBlur(picture, kernel, sigma).astype(np.uint8, copy=False)


def _gained(picture: Image, levels: Levels) -> Image:
    """The picture under an exposure that is not the right one."""
    if levels.black > 0:
        return np.zeros_like(picture)
    gain = (1 - 0.8 * levels.dim) * (1 + 3 * levels.blown)
    if gain == 1:
        return picture
    return cv2.convertScaleAbs(picture, alpha=gain, beta=40 * levels.blown).astype(np.uint8, copy=False)


def _covered(picture: Image, light: Light, view_number: int) -> Image:
    """With something out of focus before a part of it."""
    if light.levels.leaf <= 0:
        return picture
    cover = _leaf(picture.shape[:2], light.levels.leaf, view_number)[..., None]
    own = np.clip(light.ambient() + light.sun() * 0.3, 0, 1) * LEAF_COLOUR
    return np.asarray(picture * (1 - cover) + own.astype(np.float32) * cover, dtype=np.uint8)


@lru_cache(maxsize=4)
def _leaf(size: tuple[int, int], leaf: float, view_number: int) -> NDArray[np.float32]:
    """Share of each pixel that it hides, HxW: an ellipse that reaches in from one side, soft at its edge."""
    side = view_number % 2
    height, width = size
    middle = (int(width * side), int(height * 0.45))
    axes = (int(width * 0.75 * leaf), int(height * 0.6 * leaf))
    mask = np.zeros(size, np.float32)
    cv2.ellipse(mask, middle, axes, 25, 0, 360, 1.0, -1)
    return cv2.GaussianBlur(mask, (0, 0), 9).astype(np.float32)


@lru_cache(maxsize=8)
def _noise_tiles(size: tuple[int, int], sigma: float) -> tuple[Image, Image]:
    """Noise to add and noise to take away; grey grain with a little colour, softened as JPEG cameras do."""
    rng = np.random.default_rng(7)
    shape = (size[0] + TILE_MARGIN, size[1] + TILE_MARGIN)
    grey, colour = rng.normal(size=(*shape, 1)), rng.normal(size=(*shape, 3))
    grain = cv2.GaussianBlur((grey * 0.9 + colour * 0.5).astype(np.float32), (3, 3), 0.6)
    grain *= sigma / grain.std()
    brighter = np.clip(grain + 0.5, 0, 255).astype(np.uint8)
    return brighter, np.clip(-grain + 0.5, 0, 255).astype(np.uint8)


def _rained(picture: Image, levels: Levels, view_number: int, draw: np.random.Generator) -> Image:
    if levels.rain <= 0:
        return picture
    height, width = picture.shape[:2]
    streaks = _streaks((height, width), levels.rain)
    y, x = draw.integers(0, (height, width)).tolist()
    cv2.add(picture, streaks[y : y + height, x : x + width], picture)
    drops = _drops((height, width), levels.rain, view_number)
    blurred = cv2.blur(picture, (13, 13))
    cv2.copyTo(blurred, drops, picture)
    return picture


@lru_cache(maxsize=4)
def _streaks(size: tuple[int, int], rain: float) -> Image:
    """Falling rain over twice the picture's size, to be laid anywhere."""
    rng = np.random.default_rng(11)
    height, width = size[0] * 2, size[1] * 2
    canvas = np.zeros((height, width), np.uint8)
    for _ in range(int(1500 * rain)):
        x, y = rng.integers(0, width), rng.integers(0, height)
        length = float(rng.uniform(6, 26))
        end = (int(x - 0.16 * length), int(y + length))
        cv2.line(canvas, (int(x), int(y)), end, int(rng.integers(25, 80)), 1, cv2.LINE_AA)
    canvas = cv2.blur(canvas, (2, 3)).astype(np.uint8)
    return cv2.merge([canvas, canvas, canvas]).astype(np.uint8)


@lru_cache(maxsize=8)
def _drops(size: tuple[int, int], rain: float, view_number: int) -> Image:
    """Where drops sit on the lens: 255 there, 0 elsewhere."""
    rng = np.random.default_rng([13, view_number])
    mask = np.zeros(size, np.uint8)
    for _ in range(int(46 * rain)):
        spot = (int(rng.integers(size[1])), int(rng.integers(size[0])))
        radius = int(rng.gamma(2.0, 4.0)) + 3
        cv2.ellipse(mask, spot, (radius, int(radius * 1.25)), 0, 0, 360, 255, -1)
    return mask


def _smeared(picture: Image, dirt: float, view_number: int) -> Image:
    if dirt <= 0:
        return picture
    keep, film, spots = _dirt(picture.shape[:2], dirt, view_number)
    blurred = cv2.blur(picture, (11, 11))
    cv2.copyTo(blurred, spots, picture)
    picture = cv2.multiply(picture, keep, scale=1 / 255).astype(np.uint8, copy=False)
    return cv2.add(picture, film).astype(np.uint8, copy=False)


@lru_cache(maxsize=4)
def _dirt(size: tuple[int, int], dirt: float, view_number: int) -> tuple[Image, Image, Image]:
    """Share of light let through (0..255), the dirt's own light, and where it blurs."""
    cover = _blotches(size, view_number) * dirt
    cover = np.clip(cover, 0, 0.94)
    keep = np.repeat(((1 - cover) * 255).astype(np.uint8)[..., None], 3, axis=2)
    film = (cover[..., None] * np.array([62.0, 74.0, 82.0])).astype(np.uint8)
    spots = np.where(cover > 0.35, 255, 0).astype(np.uint8)
    return np.ascontiguousarray(keep), film, spots


def _blotches(size: tuple[int, int], view_number: int) -> Floats:
    rng = np.random.default_rng([17, view_number])
    total = np.zeros(size)
    for cells, weight in ((4, 0.55), (10, 0.40), (34, 0.25)):
        coarse = rng.normal(size=(cells, int(cells * 1.8))).astype(np.float32)
        total += weight * cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)
    return np.clip(total * 0.75 + 0.62, 0, 1)


@lru_cache(maxsize=4)
def _hot_pixels(size: tuple[int, int], hot: float, view_number: int) -> Image:
    rng = np.random.default_rng([19, view_number])
    count = int(900 * hot)
    picture = np.zeros((*size, 3), np.uint8)
    rows, columns = rng.integers(0, size[0], count), rng.integers(0, size[1], count)
    picture[rows, columns, rng.integers(0, 3, count)] = rng.integers(90, 255, count)
    return picture
