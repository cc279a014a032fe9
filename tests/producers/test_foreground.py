"""What moves is told from shadow, from haze, from noise and from a change of light."""

from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pytest

from producers.foreground import Foreground, Mask
from producers.source import Image

START = datetime(2026, 5, 1, 12, tzinfo=UTC)
LANE_PX = np.full((90, 160), 40, np.float32)
CAR = np.s_[40:65, 60:90]


def road(seed: int, grey: int = 110) -> Image:
    """A road with the same grain in every picture, and noise of the given seed."""
    grain = np.random.default_rng(1).integers(-8, 9, (90, 160, 1))
    noise = np.random.default_rng(seed).integers(-2, 3, (90, 160, 3))
    return (grey + grain + noise).astype(np.uint8)


def last_mask(*pictures: Image, step_s: float = 0.2) -> Mask:
    """The mask of the last picture, after ten of the empty road."""
    foreground = Foreground(LANE_PX)
    shown = [*(road(seed) for seed in range(10)), *pictures]
    return [foreground.mask(image, START + timedelta(seconds=n * step_s)) for n, image in enumerate(shown)][-1]


def test_noise_is_nothing() -> None:
    """An empty road moves nothing."""
    assert not last_mask(road(50)).any()


@pytest.mark.parametrize("grey", [200, 95])
def test_a_vehicle_is_filled_also_when_it_hardly_differs(grey: int) -> None:
    """A bright car on a clear day, and a dull one in haze."""
    picture = road(50)
    picture[CAR] = grey
    assert cv2.countNonZero(last_mask(picture)[CAR]) > 0.9 * 25 * 30


def test_a_shadow_beside_a_vehicle_is_left_out() -> None:
    """Road that is darker by half, with its grain, belongs to nobody."""
    picture = road(50)
    picture[45:65, 90:120] //= 2
    picture[CAR] = (30, 30, 200)
    mask = last_mask(picture)
    assert (mask[CAR] > 0).mean() > 0.9
    assert (mask[48:62, 100:116] > 0).mean() < 0.1


def test_a_brighter_picture_is_no_traffic() -> None:
    """The camera's exposure changes everything at once."""
    assert not last_mask(road(50, grey=135)).any()
