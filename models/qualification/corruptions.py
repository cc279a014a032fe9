"""What weather, light, lens, sensor and coding do to pictures, in five severities; after Hendrycks & Dietterich (2019).

Benchmarking Neural Network Robustness to Common Corruptions and Perturbations, ICLR 2019. Theirs are for pictures of
224 pixels: lengths are shares of the crop's longest side here, and noise is weaker, as crops are half as large. Snow,
fog and blurs are theirs in kind; rain, dark, glare, occlusion, dirt and shift are what road cameras see besides.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.preprocessing import Image

Pixels = NDArray[np.float32]
"H×W×3 or H×W, 0 to 1."
Rng = np.random.Generator

SEVERITIES: Final = (1, 2, 3, 4, 5)


@dataclass(frozen=True, slots=True)
class Corruption:
    """One way in which pictures go wrong."""

    strengths: tuple[float, float, float, float, float]
    "For severities 1 to 5, in the unit of `apply`."
    apply: Callable[[Pixels, float, Rng], Pixels]
    "Takes the picture, a strength and what is drawn by chance."


def corrupt(image: Image, corruption: str, severity: int, seed: int = 0) -> Image:
    """Return a corrupted copy (uint8, H×W×3, BGR, the same size); the same for the same arguments.

    Raises KeyError for a corruption that is not in CORRUPTIONS, IndexError for a severity above 5.
    """
    chosen = CORRUPTIONS[corruption]
    rng = np.random.Generator(np.random.PCG64([seed, list(CORRUPTIONS).index(corruption), severity]))
    pixels = np.asarray(image, np.float32) / np.float32(255)
    changed = chosen.apply(pixels, chosen.strengths[severity - 1], rng)
    return np.asarray(np.clip(changed * 255 + 0.5, 0, 255), np.uint8)


def sheet(image: Image, severities: tuple[int, ...] = (1, 3, 5), side: int = 96) -> Image:
    """Return one picture, uint8 BGR, of a crop under every corruption: blocks of three to a row, a column a severity."""
    square = np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    blocks = [_block(square, name, severities) for name in CORRUPTIONS]
    blank = np.full_like(blocks[0], 255)
    blocks += [blank] * (-len(blocks) % BLOCKS_A_ROW)
    rows = [np.hstack(blocks[start : start + BLOCKS_A_ROW]) for start in range(0, len(blocks), BLOCKS_A_ROW)]
    return np.vstack(rows)


BLOCKS_A_ROW: Final = 3
CAPTION: Final = 18
"Height of a block's name, pixels."
GAP: Final = 8
"Between blocks, pixels."


def _block(square: Image, corruption: str, severities: tuple[int, ...]) -> Image:
    pictures = np.hstack([corrupt(square, corruption, severity) for severity in severities])
    framed = cv2.copyMakeBorder(pictures, CAPTION, GAP, 0, GAP, cv2.BORDER_CONSTANT, value=(255, 255, 255))
    name, grey = corruption.replace("_", " "), (60, 60, 60)
    return np.asarray(
        cv2.putText(framed, name, (1, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.42, grey, 1, cv2.LINE_AA), np.uint8
    )


def _gaussian_noise(pixels: Pixels, strength: float, rng: Rng) -> Pixels:
    """Noise of the electronics; `strength` is its standard deviation."""
    return pixels + strength * rng.standard_normal(pixels.shape, np.float32)


def _shot_noise(pixels: Pixels, strength: float, rng: Rng) -> Pixels:
    """Noise of the light itself; `strength` is how many photons make white."""
    return np.asarray(rng.poisson(pixels * strength) / strength, np.float32)


def _impulse_noise(pixels: Pixels, strength: float, rng: Rng) -> Pixels:
    """Salt and pepper; `strength` is the share of values hit."""
    drawn = rng.random(pixels.shape, np.float32)
    return np.where(drawn < strength / 2, np.float32(0), np.where(drawn > 1 - strength / 2, np.float32(1), pixels))


def _defocus_blur(pixels: Pixels, strength: float, _rng: Rng) -> Pixels:
    """A lens out of focus: a disc; `strength` is its radius."""
    radius = max(0.6, strength * _longest(pixels))
    reach = int(np.ceil(radius)) + 1
    across, down = np.meshgrid(*[np.arange(-reach, reach + 1)] * 2)
    disc = np.clip(radius + 0.5 - np.hypot(across, down), 0, 1).astype(np.float32)
    return _filtered(pixels, disc)


def _motion_blur(pixels: Pixels, strength: float, rng: Rng) -> Pixels:
    """A vehicle too fast for the shutter; `strength` is how far it gets."""
    return _filtered(pixels, _line(strength * _longest(pixels), rng.uniform(-30, 30)))


def _fog(pixels: Pixels, strength: float, rng: Rng) -> Pixels:
    """Light scattered into the way, thicker in places; `strength` is the share that is fog."""
    share = np.clip(strength * (0.7 + 0.6 * _clouds(pixels, rng)), 0, 1)[..., None]
    return np.asarray(pixels * (1 - share) + 0.85 * share, np.float32)


def _rain(pixels: Pixels, strength: float, rng: Rng) -> Pixels:
    """Streaks of one slant, under a dull sky; `strength` is how many drops a pixel."""
    drops = _sparks(pixels, strength, rng)
    streaks = _filtered(drops, _line(0.14 * _longest(pixels), rng.uniform(70, 110))) * (0.09 * _longest(pixels))
    return np.asarray(pixels * 0.85 + 0.5 * np.minimum(streaks, 1)[..., None], np.float32)


def _snow(pixels: Pixels, strength: float, rng: Rng) -> Pixels:
    """Flakes, and everything whiter; `strength` is how many flakes a pixel."""
    flakes = cv2.GaussianBlur(_sparks(pixels, strength, rng), (0, 0), 0.009 * _longest(pixels))
    fallen = _filtered(np.asarray(flakes, np.float32), _line(0.04 * _longest(pixels), rng.uniform(45, 135)))
    whiter = np.maximum(pixels, _grey(pixels)[..., None] * 0.7 + 0.35)
    share = min(0.6, 25 * strength)
    return np.asarray(pixels * (1 - share) + whiter * share + np.minimum(14 * fallen, 0.8)[..., None], np.float32)


def _dark(pixels: Pixels, strength: float, rng: Rng) -> Pixels:
    """Dusk and night: `strength` is the share of light left; the sensor's noise stays."""
    dim = pixels * np.float32(strength)
    deviation = np.sqrt(dim / 220 + 0.012**2)  # of 220 photons to white, and of the electronics
    return np.asarray(dim + deviation * rng.standard_normal(pixels.shape, np.float32), np.float32)


def _brightness(pixels: Pixels, strength: float, _rng: Rng) -> Pixels:
    """Overexposed; `strength` is what is added to the value of HSV."""
    hsv = cv2.cvtColor(pixels, cv2.COLOR_BGR2HSV)
    hsv[..., 2] = np.clip(hsv[..., 2] + strength, 0, 1)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR), np.float32)


def _contrast(pixels: Pixels, strength: float, _rng: Rng) -> Pixels:
    """Flat light; `strength` is the share of contrast left."""
    means = pixels.mean(axis=(0, 1), keepdims=True)
    return np.asarray((pixels - means) * strength + means, np.float32)


def _glare(pixels: Pixels, strength: float, rng: Rng) -> Pixels:
    """A low sun or headlights from the upper edge, with a veil over all; `strength` is the light's peak."""
    height, width = pixels.shape[:2]
    across, down = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    far = np.hypot(across - rng.uniform(0.1, 0.9), down - rng.uniform(-0.1, 0.3))
    light = strength * (np.exp(-((far / 0.35) ** 2)) + 0.3)
    return np.asarray(pixels + light[..., None] * np.array([0.75, 0.92, 1.0]), np.float32)


def _jpeg(pixels: Pixels, strength: float, _rng: Rng) -> Pixels:
    """Coded too small; `strength` is JPEG's quality."""
    raw = cv2.imencode(
        ".jpg", np.clip(pixels * 255, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, int(strength)]
    )
    return np.asarray(cv2.imdecode(raw[1], cv2.IMREAD_COLOR), np.float32) / np.float32(255)


def _pixelate(pixels: Pixels, strength: float, _rng: Rng) -> Pixels:
    """Seen from too far; `strength` is the share of the sides' pixels left."""
    height, width = pixels.shape[:2]
    few = (max(2, round(width * strength)), max(2, round(height * strength)))
    small = cv2.resize(pixels, few, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST), np.float32)


def _occlusion(pixels: Pixels, strength: float, rng: Rng) -> Pixels:
    """A pole, a sign or another vehicle before it; `strength` is the share of the picture covered."""
    height, width = pixels.shape[:2]
    slender = float(np.exp(rng.uniform(-0.5, 0.5)))
    tall = min(height, max(1, round(height * strength**0.5 * slender)))
    wide = min(width, max(1, round(width * strength**0.5 / slender)))
    top, left = int(rng.integers(0, height - tall + 1)), int(rng.integers(0, width - wide + 1))
    covered = pixels.copy()
    covered[top : top + tall, left : left + wide] = rng.uniform(0.1, 0.7, 3)
    return covered


def _dirt(pixels: Pixels, strength: float, rng: Rng) -> Pixels:
    """Drops and dust on the lens, near and so out of focus; `strength` is the share of the picture behind them."""
    veil = cv2.GaussianBlur(_grain(pixels, 9, rng), (0, 0), max(0.5, 0.02 * _longest(pixels)))
    limit = np.quantile(veil, 1 - strength)
    thick = np.clip((veil - limit) / 0.14 + 0.5, 0, 1)[..., None] * 0.9
    return np.asarray(pixels * (1 - thick) + rng.uniform(0.15, 0.4) * thick, np.float32)


def _shift(pixels: Pixels, strength: float, rng: Rng) -> Pixels:
    """A crop that misses the vehicle; `strength` is by what share of its sides."""
    height, width = pixels.shape[:2]
    across, down = rng.choice([-1, 1], 2) * strength
    move = np.array([[1, 0, across * width], [0, 1, down * height]], np.float32)
    return np.asarray(cv2.warpAffine(pixels, move, (width, height), borderMode=cv2.BORDER_REFLECT_101), np.float32)


CORRUPTIONS: Final[Mapping[str, Corruption]] = {
    "gaussian_noise": Corruption((0.04, 0.07, 0.11, 0.16, 0.22), _gaussian_noise),
    "shot_noise": Corruption((120, 60, 25, 12, 6), _shot_noise),
    "impulse_noise": Corruption((0.02, 0.04, 0.07, 0.11, 0.16), _impulse_noise),
    "defocus_blur": Corruption((0.013, 0.018, 0.027, 0.036, 0.045), _defocus_blur),
    "motion_blur": Corruption((0.04, 0.07, 0.11, 0.15, 0.2), _motion_blur),
    "fog": Corruption((0.3, 0.44, 0.56, 0.66, 0.75), _fog),
    "rain": Corruption((0.0008, 0.0018, 0.0035, 0.006, 0.01), _rain),
    "snow": Corruption((0.0015, 0.0035, 0.007, 0.012, 0.018), _snow),
    "dark": Corruption((0.6, 0.42, 0.3, 0.2, 0.13), _dark),
    "brightness": Corruption((0.1, 0.2, 0.3, 0.4, 0.5), _brightness),
    "contrast": Corruption((0.5, 0.36, 0.26, 0.17, 0.1), _contrast),
    "glare": Corruption((0.3, 0.5, 0.7, 0.9, 1.1), _glare),
    "jpeg": Corruption((25, 18, 15, 10, 7), _jpeg),
    "pixelate": Corruption((0.75, 0.6, 0.48, 0.38, 0.3), _pixelate),
    "occlusion": Corruption((0.05, 0.1, 0.18, 0.27, 0.36), _occlusion),
    "dirt": Corruption((0.08, 0.15, 0.24, 0.34, 0.45), _dirt),
    "shift": Corruption((0.05, 0.09, 0.13, 0.18, 0.23), _shift),
}
"By name, in the order to show."


def _longest(pixels: Pixels) -> int:
    return int(max(pixels.shape[:2]))


def _grey(pixels: Pixels) -> Pixels:
    return np.asarray(pixels.mean(axis=2), np.float32)


def _filtered(pixels: Pixels, kernel: Pixels) -> Pixels:
    kernel = kernel / kernel.sum()
    return np.asarray(cv2.filter2D(pixels, -1, kernel, borderType=cv2.BORDER_REFLECT_101), np.float32)


def _line(length: float, degrees: float) -> Pixels:
    """Return a kernel along a line of that length, in pixels."""
    side = max(3, int(np.ceil(length)) | 1)
    canvas = np.zeros((side, side), np.uint8)
    middle, reach = side // 2, length / 2
    step = reach * np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
    ends = [(round(middle + sign * float(step[0])), round(middle + sign * float(step[1]))) for sign in (-1, 1)]
    return np.asarray(cv2.line(canvas, ends[0], ends[1], 255, 1, cv2.LINE_AA), np.float32)


def _sparks(pixels: Pixels, density: float, rng: Rng) -> Pixels:
    return (rng.random(pixels.shape[:2], np.float32) < density).astype(np.float32)


def _clouds(pixels: Pixels, rng: Rng) -> Pixels:
    """Return noise of four octaves, 0 to 1, H×W."""
    layers = sum(_grain(pixels, 2**octave + 1, rng) / 2**octave for octave in range(1, 5))
    total = np.asarray(layers, np.float32)
    return np.asarray((total - total.min()) / max(float(np.ptp(total)), 1e-6), np.float32)


def _grain(pixels: Pixels, cells: int, rng: Rng) -> Pixels:
    """Return noise of so many cells a side, smooth between them, H×W."""
    height, width = pixels.shape[:2]
    coarse = rng.random((cells, cells), np.float32)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
