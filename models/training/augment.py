"""Copies of pictures as other cameras, weather and worse pictures would give them: what training sees besides.

    picture ─► place (flip, window, turn) ─► light (gamma, tint, fog, night) ─► dirt ─► lens (blur) ─► sensor, JPEG

Each change is drawn with a chance of its own, its strength too. After Hendrycks and Dietterich (2019) for what goes
wrong with pictures; the strengths lie on both sides of what road cameras show.
"""

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.preprocessing import Image

Rng = np.random.Generator
Change = Callable[[Image, Rng], Image]

LONGEST_SIDES: Final = (20.0, 80.0)
"The range that a shrunk copy's longest side is drawn from, pixels, evenly on a logarithmic scale."


def copy_of(image: Image, number: int, copy: int, seed: int) -> Image:
    """Return copy `copy` of picture `number`, which depends on these and the seed alone; copy 0 is the picture."""
    return image if copy == 0 else augmented(image, np.random.default_rng([seed, number, copy]))


def augmented(image: Image, rng: Rng) -> Image:
    """Return a changed copy; uint8, H×W×3, BGR, of another size as a rule."""
    for chance, change in CHANGES:
        if rng.random() < chance:
            image = change(image, rng)
    return image


def shrunk(image: Image, longest_side: float) -> Image:
    """Return the picture with its longest side at most this many pixels, and never less than 2 to a side."""
    scale = longest_side / max(image.shape[:2])
    if scale >= 1:
        return image
    height, width = (max(2, round(side * scale)) for side in image.shape[:2])
    return _image(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA))


def _flip(image: Image, _rng: Rng) -> Image:
    return np.ascontiguousarray(image[:, ::-1])


def _window(image: Image, rng: Rng) -> Image:
    """Shift, tighten or loosen the crop: each side by up to 15 % of it; what lies outside is mirrored."""
    height, width = image.shape[:2]
    sides = rng.uniform(-0.15, 0.15, 4) * [height, height, width, width]
    top, bottom, left, right = (round(float(side)) for side in sides)
    inner = image[max(0, -top) : height - max(0, -bottom), max(0, -left) : width - max(0, -right)]
    above, below, before, after = (max(0, side) for side in (top, bottom, left, right))
    return _image(cv2.copyMakeBorder(inner, above, below, before, after, cv2.BORDER_REFLECT_101))


def _turn(image: Image, rng: Rng) -> Image:
    """Rotate by up to 8 degrees and shear by up to 0.12, around the middle."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), float(rng.uniform(-8, 8)), 1)
    shear = float(rng.uniform(-0.12, 0.12))
    matrix[0] += [0, shear, -shear * height / 2]
    return _image(cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101))


def _shrink(image: Image, rng: Rng) -> Image:
    low, high = np.log(LONGEST_SIDES)
    return shrunk(image, float(np.exp(rng.uniform(low, high))))


def _gamma(image: Image, rng: Rng) -> Image:
    ramp = np.linspace(0, 1, 256) ** np.exp(rng.uniform(-0.7, 0.7))
    return _image(cv2.LUT(image, _pixels(255 * ramp)))


def _contrast(image: Image, rng: Rng) -> Image:
    gain = float(np.exp(rng.uniform(-0.9, 0.5)))
    return _pixels((image.astype(np.float32) - image.mean()) * gain + image.mean() + rng.uniform(-30, 30))


def _tint(image: Image, rng: Rng) -> Image:
    """Change saturation, and the gain of each colour by up to a fifth."""
    grey = image.mean(axis=2, keepdims=True)
    gains = rng.uniform(0.8, 1.2, 3)
    return _pixels((grey + (image - grey) * rng.uniform(0.2, 1.6)) * gains)


def _grey(image: Image, _rng: Rng) -> Image:
    return _image(cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR))


def _fog(image: Image, rng: Rng) -> Image:
    """Blend towards a light grey, thicker in places."""
    height, width = image.shape[:2]
    patches = cv2.resize(rng.uniform(-0.2, 0.2, (4, 4)).astype(np.float32), (width, height))
    share = np.clip(rng.uniform(0.25, 0.75) + patches, 0, 0.9)[..., None]
    return _pixels(image * (1 - share) + rng.uniform(150, 235) * share)


def _night(image: Image, rng: Rng) -> Image:
    """Take most of the light, and give the sensor's noise."""
    return _noise(_pixels(image * rng.uniform(0.15, 0.6)), rng)


def _occlude(image: Image, rng: Rng) -> Image:
    """Cover one to three rectangles, up to 40 % of a side each, with one colour or noise."""
    image = image.copy()
    height, width = image.shape[:2]
    for _ in range(rng.integers(1, 4)):
        tall, wide = np.maximum(1, rng.uniform(0.08, 0.4, 2) * [height, width]).astype(int)
        top, left = rng.integers(0, height - tall + 1), rng.integers(0, width - wide + 1)
        part = image[top : top + tall, left : left + wide]
        part[:] = rng.integers(0, 256, part.shape if rng.random() < 0.3 else 3)
    return image


def _dirt(image: Image, rng: Rng) -> Image:
    """Darken round blotches, as a lens that nobody cleaned."""
    height, width = image.shape[:2]
    veil = np.zeros((height, width), np.float32)
    for _ in range(rng.integers(2, 9)):
        centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        cv2.circle(veil, centre, max(1, int(rng.uniform(0.03, 0.16) * width)), float(rng.uniform(0.4, 1)), -1)
    soft = np.asarray(cv2.GaussianBlur(veil, (0, 0), max(0.5, width / 40)))[..., None]
    return _pixels(image * (1 - soft) + rng.uniform(20, 110) * soft)


def _rain(image: Image, rng: Rng) -> Image:
    """Draw light streaks, all of one slant."""
    height, width = image.shape[:2]
    drops = (rng.random((height, width)) < rng.uniform(0.005, 0.03)).astype(np.float32) * 255
    kernel = _line(max(3, height // 8), float(rng.uniform(70, 110)))
    streaks = np.asarray(cv2.filter2D(drops, -1, kernel * 2))[..., None]
    return _pixels(image * 0.9 + streaks)


def _blur(image: Image, rng: Rng) -> Image:
    return _image(cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.005, 0.035)) * max(image.shape[:2]) + 0.2))


def _motion(image: Image, rng: Rng) -> Image:
    """Smear along one direction, by up to 15 % of the longest side."""
    length = max(2, int(rng.uniform(0.03, 0.15) * max(image.shape[:2])))
    return _image(cv2.filter2D(image, -1, _line(length, float(rng.uniform(0, 180)))))


def _noise(image: Image, rng: Rng) -> Image:
    return _pixels(image + rng.normal(0, rng.uniform(2, 18), image.shape))


def _jpeg(image: Image, rng: Rng) -> Image:
    raw = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(8, 70))])[1]
    return np.asarray(cv2.imdecode(raw, cv2.IMREAD_COLOR), np.uint8)


CHANGES: Final[tuple[tuple[float, Change], ...]] = (
    (0.5, _flip),
    (0.7, _window),
    (0.3, _turn),
    (0.3, _gamma),
    (0.3, _contrast),
    (0.3, _tint),
    (0.15, _grey),
    (0.12, _fog),
    (0.12, _night),
    (0.2, _occlude),
    (0.08, _dirt),
    (0.06, _rain),
    (0.3, _shrink),
    (0.15, _blur),
    (0.12, _motion),
    (0.15, _noise),
    (0.3, _jpeg),
)
"Each change with its chance, in the order in which light, lens and sensor would make it."


def _line(length: int, degrees: float) -> cv2.typing.MatLike:
    """Return a kernel that averages along a line."""
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1
    middle = ((length - 1) / 2, (length - 1) / 2)
    kernel = np.asarray(cv2.warpAffine(kernel, cv2.getRotationMatrix2D(middle, degrees, 1), (length, length)))
    return kernel / max(float(kernel.sum()), 1e-6)


def _pixels(values: NDArray[np.floating]) -> Image:
    return np.asarray(np.clip(values, 0, 255), np.uint8)


def _image(values: cv2.typing.MatLike) -> Image:
    return np.asarray(values, np.uint8)
