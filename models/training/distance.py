"""Copies of pictures as a camera further away would give them: what keeps the model right on small crops."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import cv2
import numpy as np

from models.preprocessing import Image
from models.training.data import LabelledPicture

LONGEST_SIDES: Final = (20.0, 80.0)
"The range that a copy's longest side is drawn from, pixels, evenly on a logarithmic scale."


def distant_copies(pictures: Sequence[LabelledPicture], seed: int) -> list[LabelledPicture]:
    """Return a copy of each picture, at most as large as a drawn side; smaller pictures come back as they are."""
    low, high = np.log(LONGEST_SIDES)
    sides = np.exp(np.random.default_rng(seed).uniform(low, high, len(pictures)))
    return [replace(picture, image=shrunk(picture.image, side)) for picture, side in zip(pictures, sides, strict=True)]


def shrunk(image: Image, longest_side: float) -> Image:
    """Return the picture with its longest side at most this many pixels, and never less than 2 to a side."""
    scale = longest_side / max(image.shape[:2])
    if scale >= 1:
        return image
    height, width = (max(2, round(side * scale)) for side in image.shape[:2])
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
