"""From a mask of moving things to single vehicles, each with the place where it stands on the road."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from producers.foreground import Mask
from producers.zones import Point, Zone, chord

Box = tuple[float, float, float, float]
"""x, y, width, height: left, top and size."""

SMALLEST = 0.06
"""A vehicle's moving part covers at least this part of a square as wide as its lane; less is noise or a bird."""

OWN_LANE = 0.3
"""A vehicle fills at least this part of its lane's width; a lorry astride two lanes (0.7 lanes wide) reaches it in none."""


STEP = 0.15
"""A vehicle's lower edge has no step higher than this, in lane widths, from one column to the next."""

KNOWN_APART = 0.6
"""Two known vehicles in one thing are parted when their feet lie this far from each other, in lane widths."""


@dataclass(frozen=True, slots=True)
class Blob:
    """One moving thing in one picture, in the mask's pixels."""

    box: Box  # around its moving pixels
    foot: tuple[float, float]  # middle of its lower edge: where it stands on the road
    zone: int  # index of the zone under its lower edge
    lane_px: float  # the zone's width there: the measure of everything near it


class Road:
    """The zones drawn into a grid of the mask's size: which zone a pixel belongs to and how wide the zone is there."""

    def __init__(self, zones: Sequence[Zone], width: int, height: int) -> None:
        """`zones` are in pixels of this grid."""
        self.zones = tuple(zones)
        self.labels = np.full((height, width), -1, np.int16)
        self.widths = np.zeros((height, width), np.float32)
        for index, zone in enumerate(zones):
            self._draw(index, zone)
        self.lane_px = self._everywhere()

    def _draw(self, index: int, zone: Zone) -> None:
        inside = np.zeros(self.labels.shape, np.uint8)
        cv2.fillPoly(inside, [np.round(zone.area).astype(np.int32)], 1)
        mine = (inside == 1) & (self.labels < 0)
        self.labels[mine] = index
        self.widths[mine] = _width_table(zone, self.labels.shape)[mine]

    def _everywhere(self) -> NDArray[np.float32]:
        """Return a lane's width at every pixel: beside the zones that of the nearest one."""
        _, nearest = cv2.distanceTransformWithLabels(
            (self.labels < 0).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
        )
        table = np.zeros(int(nearest.max()) + 1, np.float32)
        table[nearest[self.labels >= 0]] = self.widths[self.labels >= 0]
        everywhere: NDArray[np.float32] = table[nearest]
        return everywhere


def _width_table(zone: Zone, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return for each pixel how wide the zone is there, measured along its line: perspective, as it was drawn."""
    first, second = np.asarray(zone.line, dtype=np.float64)
    along = (second - first) / np.hypot(*(second - first))
    normal = np.array([-along[1], along[0]])
    corners = np.asarray(zone.area, dtype=np.float64)
    heights = np.linspace(*_span((corners - first) @ normal), 32)
    chords = [chord(corners, first + height * normal, along) for height in heights]
    y, x = np.mgrid[: shape[0], : shape[1]]
    away = (x - first[0]) * normal[0] + (y - first[1]) * normal[1]
    widths: NDArray[np.float32] = np.interp(away, heights, [high - low for low, high in chords]).astype(np.float32)
    return widths


def _span(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the range of values less a hundredth at each end, where a pointed zone has no width."""
    low, high = float(values.min()), float(values.max())
    edge = (high - low) / 100
    return low + edge, high - edge


def blobs(mask: Mask, road: Road, expected: Sequence[Point] = ()) -> list[Blob]:
    """Return the vehicles of a mask that stand in a zone.

    Things that touch are one component of the mask; they are parted by the lanes in which their lower edge stands.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    found: list[Blob] = []
    for index in range(1, count):
        left, top, width, height, area = (int(value) for value in stats[index])
        if area >= 9:
            part = labels[top : top + height, left : left + width] == index
            found += _vehicles(part, left, top, road, expected)
    return found


def _vehicles(part: NDArray[np.bool_], left: int, top: int, road: Road, expected: Sequence[Point]) -> list[Blob]:
    bottom = part.shape[0] - 1 - part[::-1].argmax(axis=0)
    columns = np.arange(part.shape[1])
    lanes = road.labels[top + bottom, left + columns]
    widths = road.widths[top + bottom, left + columns]
    made: list[Blob | None] = []
    for stand in _stands(bottom, lanes, widths):
        own = part & stand[None, :]
        made += [_blob(piece, left, top, road) for piece in _one_behind_another(own, left, top, road, expected)]
    return [blob for blob in made if blob]


def _stands(bottom: NDArray[np.intp], lanes: NDArray[np.int16], widths: NDArray[np.float32]) -> list[NDArray[np.bool_]]:
    """Return the columns of each vehicle in a thing: its lower edge runs on without a step, in one lane.

    Columns that are too few for a vehicle go to the nearest one if they are close.
    """
    step = np.abs(np.diff(bottom)) > STEP * np.maximum(np.maximum(widths[1:], widths[:-1]), 1)
    runs = np.concatenate(([0], np.cumsum(step | (np.diff(lanes) != 0))))
    shares = np.bincount(runs, weights=np.where(lanes >= 0, 1 / np.maximum(widths, 1), 0))
    owners = np.flatnonzero(shares >= OWN_LANE)
    if not len(owners):
        owners = np.flatnonzero(shares == shares.max()) if shares.max() > 0 else owners
    columns = np.arange(len(bottom))
    away = [np.abs(columns[:, None] - columns[runs == owner][None, :]).min(axis=1) for owner in owners]
    if not away:
        return []
    nearest = np.argmin(np.stack(away), axis=0)
    reach = [0.3 * float(widths[runs == owner].mean()) for owner in owners]
    return [(nearest == index) & (away[index] <= reach[index]) for index in range(len(owners))]


def _one_behind_another(
    own: NDArray[np.bool_], left: int, top: int, road: Road, expected: Sequence[Point]
) -> list[NDArray[np.bool_]]:
    """Cut a thing under the feet of vehicles that are known to be in it, the farthest first."""
    columns = np.flatnonzero(own.any(axis=0))
    if not len(columns):
        return []
    inside = sorted(
        y for x, y in expected if left + columns[0] <= x <= left + columns[-1] and top <= y <= top + len(own)
    )
    foot_row = min(top + len(own), road.lane_px.shape[0]) - 1
    apart = KNOWN_APART * float(road.lane_px[foot_row, left + int(columns.mean())])
    cuts = [round(y) - top for y, after in itertools.pairwise(inside) if after - y >= apart]
    rows = np.arange(len(own))
    return [
        own & ((rows >= start) & (rows < end))[:, None]
        for start, end in zip([0, *cuts], [*cuts, len(own)], strict=True)
    ]


def _blob(own: NDArray[np.bool_], left: int, top: int, road: Road) -> Blob | None:
    xs, ys = np.flatnonzero(own.any(axis=0)), np.flatnonzero(own.any(axis=1))
    if not len(xs):
        return None
    bottom = own.shape[0] - 1 - own[::-1].argmax(axis=0)[xs]
    foot_y = top + float(np.percentile(bottom, 85)) + 1
    standing = xs[bottom >= np.percentile(bottom, 60)]
    foot_x = left + float(standing.mean())
    row, column = min(int(foot_y) - 1, road.labels.shape[0] - 1), int(foot_x)
    zone = int(road.labels[row, column])
    if zone < 0 or own.sum() < SMALLEST * road.widths[row, column] ** 2:
        return None
    box = (float(left + xs[0]), float(top + ys[0]), float(xs[-1] - xs[0] + 1), float(ys[-1] - ys[0] + 1))
    return Blob(box, (foot_x, foot_y), zone, float(road.widths[row, column]))
