"""From a crop of any size to the model's input, the same in training and in service."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"uint8, H×W×3, BGR."

Fit = Literal["stretch", "letterbox"]
"How a crop becomes a square: pulled to it, or set into grey bars with its own proportions."

GREY = 127
"What bars are made of: the network's zero."


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """What the model wants to be given."""

    size: int
    "Height and width of its input, pixels."
    fit: Fit
    "How a crop becomes a square."

    def __post_init__(self) -> None:
        if not 8 <= self.size <= 1024:
            raise ValueError(f"size is {self.size}: the model's input has 8 to 1024 pixels a side")
        if self.fit not in get_args(Fit):
            raise ValueError(f"fit is {self.fit!r}: one of {', '.join(get_args(Fit))}")


def prepare(images: Sequence[Image], wanted: Preprocessing) -> Image:
    """Return the pictures as one batch, uint8 N×size×size×3 BGR."""
    batch = np.empty((len(images), wanted.size, wanted.size, 3), np.uint8)
    for image, slot in zip(images, batch, strict=True):
        if wanted.fit == "stretch":
            _resize(image, slot)
        else:
            _letterbox(image, slot)
    return batch


def _resize(image: Image, slot: Image) -> None:
    shrinks = image.shape[0] > slot.shape[0] and image.shape[1] > slot.shape[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    slot[:] = cv2.resize(image, (slot.shape[1], slot.shape[0]), interpolation=interpolation)


def _letterbox(image: Image, slot: Image) -> None:
    scale = slot.shape[0] / max(image.shape[:2])
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    top, left = (slot.shape[0] - height) // 2, (slot.shape[1] - width) // 2
    slot[:] = GREY
    _resize(image, slot[top : top + height, left : left + width])
