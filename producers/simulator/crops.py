"""Labelled pictures of single vehicles for training, cut from clear-day pictures of all views."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from producers.simulator.conditions import Levels
from producers.simulator.drawing import Placed
from producers.simulator.fleet import CAR, TRUCK, vehicle_of
from producers.simulator.light import Light
from producers.simulator.studio import Box, Studio
from producers.simulator.views import VIEWS, View

Image = NDArray[np.uint8]
Crop = tuple[Image, str, str]

MARGIN = 0.06  # of the box's size on each side, as in the road-vehicles data set
SMALLEST_PX = 30.0  # a box's longer side; smaller ones are not worth a verdict
CROPS_PER_PICTURE = 3


def training_crops(
    seed: int,
    count: int,
    longest_side: int | None = 128,
    views: Sequence[View] = tuple(VIEWS.values()),
    truck_share: float = 0.5,
) -> Iterator[Crop]:
    """Yields `count` of (crop, label, kind): uint8, HxWx3, BGR; "car" or "truck"; "saloon", "tipper", ...

    Crops keep their proportions; those larger than `longest_side` pixels are scaled down to it (None: never).
    The margin around the true box varies between 2 and 10 %. Equal arguments give equal crops.
    """
    rng = np.random.default_rng([seed, 31])
    studios = [Studio(view) for view in views]
    left = count
    while left > 0:
        crops = _one_picture(studios[int(rng.integers(len(studios)))], rng, truck_share)
        for crop, label, kind in crops[:left]:
            yield _at_most(crop, longest_side), label, kind
        left -= len(crops)


def _one_picture(studio: Studio, rng: np.random.Generator, truck_share: float) -> list[Crop]:
    """A picture with a vehicle in some of its lanes, far enough apart not to hide each other."""
    light = _clear_light(rng)
    view = studio.view
    placed, labels = [], []
    lanes = rng.permutation(len(view.lanes))[: 1 + int(rng.integers(min(CROPS_PER_PICTURE, len(view.lanes))))]
    for lane in (view.lanes[int(k)] for k in lanes):
        vehicle = vehicle_of(TRUCK if rng.random() < truck_share else CAR, int(rng.integers(1 << 40)))
        y = view.line_y_m + float(rng.triangular(-3.0, 2.0, 24.0))
        x = lane.x_m + float(rng.normal(0, 0.2))
        placed.append(Placed(vehicle.mesh, x, y, lane.heading))
        labels.append((vehicle.label, vehicle.kind))
    picture = studio.picture(placed, light, int(rng.integers(1 << 40)))
    boxes = [studio.box(vehicle, light) for vehicle in placed]
    return [
        (_cut(picture, box, rng), *name)
        for k, (box, name) in enumerate(zip(boxes, labels, strict=True))
        if box is not None and _worth(box) and not _overlaps(box, boxes[:k] + boxes[k + 1 :])
    ]


def _clear_light(rng: np.random.Generator) -> Light:
    return Light(Levels(), float(rng.integers(37, 49)) / 48, float(rng.integers(0, 9)) / 32)


def _worth(box: Box) -> bool:
    return max(box[2] - box[0], box[3] - box[1]) >= SMALLEST_PX


def _overlaps(box: Box, others: list[Box | None]) -> bool:
    """True when another box covers more than a tenth of this one."""
    area = (box[2] - box[0]) * (box[3] - box[1])
    for other in others:
        if other is None:
            continue
        wide = min(box[2], other[2]) - max(box[0], other[0])
        high = min(box[3], other[3]) - max(box[1], other[1])
        if wide > 0 and high > 0 and wide * high > 0.1 * area:
            return True
    return False


def _cut(picture: Image, box: Box, rng: np.random.Generator) -> Image:
    margins = MARGIN + rng.uniform(-0.04, 0.04, 4)
    width, height = box[2] - box[0], box[3] - box[1]
    x0, y0 = max(0.0, box[0] - margins[0] * width), max(0.0, box[1] - margins[1] * height)
    x1, y1 = box[2] + margins[2] * width, box[3] + margins[3] * height
    return picture[round(y0) : round(y1), round(x0) : round(x1)].copy()


def _at_most(crop: Image, longest_side: int | None) -> Image:
    longest = max(crop.shape[:2])
    if longest_side is None or longest <= longest_side:
        return crop
    share = longest_side / longest
    return cv2.resize(crop, None, fx=share, fy=share, interpolation=cv2.INTER_AREA).astype(np.uint8)
