"""From a mask of moving things to single vehicles, each with the place where it stands on the road."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from producers.foreground import Mask
from producers.scale import bands, disc
from producers.zones import Zone, chord

Box = tuple[float, float, float, float]
"""x, y, width, height: left, top and size."""

SMALLEST = 0.06
"""A vehicle's moving part covers at least this part of a square as wide as its lane; less is noise or a bird."""

OWN_LANE = 0.3
"""A vehicle fills at least this part of its lane's width; a lorry astride two lanes (0.7 lanes wide) reaches it in none."""


STEP = 0.15
"""A vehicle's lower edge has no step higher than this, in lane widths, from one column to the next."""

NECK = 0.2
"""Vehicles hang together by no more than this, in lane widths, where they only touch."""

CORE = 0.04
"""What is left of a vehicle without its necks and edges covers at least this part of a square as wide as its lane."""

NARROWS = 0.75
"""One lane width up the picture the lane has at most this part of its width: the camera looks along the road."""

BUMPER, BEHIND = 0.4, 0.55
"""The lowest part of a vehicle (lane widths) shows its width; a roof has more than BEHIND of that, what follows less."""

MOST_BEHIND = 4
"""So many vehicles are told apart in one queue."""

FAR_PX = 10
"""Where a lane is narrower than this nothing is told: a car has six pixels there."""

THIN = 0.2
"""Rows and columns of a thing with less than this part of its usual ones are not taken into its box."""

FILLED = 0.7
"""A known vehicle is in a thing that fills this part of the box where the vehicle is expected."""

OUTSIDE = 0.7
"""What lies farther from a known vehicle's middle than this part of its size (0.5: its edge) is not its own."""


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
        self.lane_areas = 1 / np.maximum(self.lane_px, 1) ** 2
        self.bands = bands(self.lane_px)

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


def blobs(mask: Mask, road: Road, expected: Sequence[Box] = ()) -> list[Blob]:
    """Return the vehicles of a mask that stand in a zone.

    Things that hang together by a neck are parted there; what still hangs together is parted by the lanes in which
    its lower edge stands, and by the boxes in which known vehicles are `expected`.
    """
    labels = _parted(mask, road)
    found: list[Blob] = []
    for left, top, width, height, index in _places(labels):
        part = labels[top : top + height, left : left + width] == index
        found += _vehicles(part, left, top, road, expected)
    return found


def _parted(mask: Mask, road: Road) -> NDArray[np.int32]:
    """Return the number of each pixel's thing, 0 outside: the mask without its necks, each grown back."""
    cores = mask.copy()
    for top, bottom, lane in road.bands:
        cores[top:bottom] = cv2.erode(mask[top:bottom], disc(NECK * lane))
    count, things = cv2.connectedComponents(mask, connectivity=4)
    _, numbers = cv2.connectedComponents(cores, connectivity=4)
    areas = np.bincount(numbers.ravel(), road.lane_areas.ravel())
    areas[0] = 0
    numbers[areas[numbers] < CORE] = 0
    cored = np.zeros(count, np.bool_)
    cored[things[numbers > 0]] = True
    alone = ~cored[things] & (things > 0)
    numbers[alone] = things[alone] + len(areas)
    _, nearest = cv2.distanceTransformWithLabels(
        (numbers == 0).view(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    table = np.zeros(int(nearest.max()) + 1, np.int32)
    table[nearest[numbers > 0]] = numbers[numbers > 0]
    return np.where(mask > 0, table[nearest], 0).astype(np.int32)


def _places(labels: NDArray[np.int32]) -> list[tuple[int, int, int, int, int]]:
    """Return left, top, width, height and number of each thing of nine pixels or more."""
    rows, columns = np.nonzero(labels)
    numbers = labels[rows, columns]
    count = int(numbers.max(initial=0)) + 1
    low, high = np.full((2, count), labels.size), np.full((2, count), -1)
    for axis, values in enumerate((columns, rows)):
        np.minimum.at(low[axis], numbers, values)
        np.maximum.at(high[axis], numbers, values)
    kept = np.flatnonzero(np.bincount(numbers, minlength=count) >= 9)
    sizes = high - low + 1
    return [(int(low[0, n]), int(low[1, n]), int(sizes[0, n]), int(sizes[1, n]), int(n)) for n in kept if n]


def _vehicles(part: NDArray[np.bool_], left: int, top: int, road: Road, expected: Sequence[Box]) -> list[Blob]:
    known = _known(part, [(x - left, y - top, width, height) for x, y, width, height in expected])
    if len(known) > 1:
        pieces = _shared_out(part, known)
    else:
        bottom = part.shape[0] - 1 - part[::-1].argmax(axis=0)
        columns = np.arange(part.shape[1])
        lanes = road.labels[top + bottom, left + columns]
        stands = _stands(bottom, lanes, road.widths[top + bottom, left + columns])
        pieces = [piece for stand in stands for piece in _fronts(part & stand, left, top, road)]
    made = [_blob(piece, left, top, road) for piece in pieces]
    return [blob for blob in made if blob]


def _known(part: NDArray[np.bool_], expected: Sequence[Box]) -> list[Box]:
    """Return the expected boxes that a thing fills, the nearest to the camera first, without repeating one."""
    kept: list[Box] = []
    for box in sorted(expected, key=lambda box: -(box[1] + box[3])):
        x, y, width, height = (round(value) for value in box)
        filled = np.count_nonzero(part[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)])
        if filled >= FILLED * box[2] * box[3] and all(covered(box, other) < FILLED for other in kept):
            kept.append(box)
    return kept


def _shared_out(part: NDArray[np.bool_], known: Sequence[Box]) -> list[NDArray[np.bool_]]:
    """Give each pixel to the expected box that it lies in, the front one first, or else to the nearest in its sizes."""
    y, x = np.mgrid[: part.shape[0], : part.shape[1]]
    away = [
        np.maximum(np.abs(x - left - width / 2) / width, np.abs(y - top - height / 2) / height)
        for left, top, width, height in known
    ]
    order = [np.where(one <= 0.5, index - len(known), one) for index, one in enumerate(away)]
    owner = np.argmin(np.stack(order), axis=0)
    return [part & (owner == index) & (one <= OUTSIDE) for index, one in enumerate(away)]


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


def _fronts(own: NDArray[np.bool_], left: int, top: int, road: Road) -> list[NDArray[np.bool_]]:
    """Cut a thing where it becomes much narrower than the vehicle at its foot: what drives behind looks smaller.

    Only where the road narrows towards the distance: seen from above, vehicles hide nothing of each other.
    """
    pieces = []
    for _ in range(MOST_BEHIND):
        rows = np.flatnonzero(own.any(axis=1))
        if not len(rows):
            break
        cut = _next_behind(own[rows[0] : rows[-1] + 1], left, top + int(rows[0]), road)
        pieces.append(own & (np.arange(len(own)) >= rows[0] + cut)[:, None])
        own = own & ~pieces[-1]
    return pieces


def _next_behind(own: NDArray[np.bool_], left: int, top: int, road: Road) -> int:
    """Return the row at which the next vehicle behind begins; 0 when there is none."""
    foot_row, column = min(top + len(own), len(road.lane_px)) - 1, left + int(own[-1].nonzero()[0].mean())
    lane = float(road.lane_px[foot_row, column])
    if road.lane_px[max(0, foot_row - round(lane)), column] > NARROWS * lane:
        return 0
    low = max(0, len(own) - round(BUMPER * lane))
    standing = own[low:].any(axis=0)
    widths = np.count_nonzero(own[:, standing], axis=1)
    narrow = np.flatnonzero(widths[:low] < BEHIND * _part_of(widths[low:], 0.75))
    return int(narrow[-1]) + 1 if len(narrow) else 0


def _blob(own: NDArray[np.bool_], left: int, top: int, road: Road) -> Blob | None:
    if not own.any():
        return None
    own = own & _thick(own, 0)[None, :] & _thick(own, 1)[:, None]
    xs, ys = np.flatnonzero(own.any(axis=0)), np.flatnonzero(own.any(axis=1))
    if not len(xs):
        return None
    bottom = own.shape[0] - 1 - own[::-1].argmax(axis=0)[xs]
    foot_y = top + _part_of(bottom, 0.85) + 1
    standing = xs[bottom >= _part_of(bottom, 0.6)]
    foot_x = left + float(standing.mean())
    row, column = min(int(foot_y) - 1, road.labels.shape[0] - 1), int(foot_x)
    zone = int(road.labels[row, column])
    if zone < 0 or road.widths[row, column] < FAR_PX or own.sum() < SMALLEST * road.widths[row, column] ** 2:
        return None
    box = (float(left + xs[0]), float(top + ys[0]), float(xs[-1] - xs[0] + 1), float(ys[-1] - ys[0] + 1))
    return Blob(box, (foot_x, foot_y), zone, float(road.widths[row, column]))


def _thick(own: NDArray[np.bool_], axis: int) -> NDArray[np.bool_]:
    """Return the columns (axis 0) or rows (1) that are not much thinner than the others: no halo, no aerial."""
    counts = np.count_nonzero(own, axis=axis)
    thick: NDArray[np.bool_] = counts >= THIN * _part_of(counts[counts > 0], 0.9)
    return thick


def _part_of(values: NDArray[np.intp], part: float) -> float:
    """Return a quantile, the lower of two: ten times as fast as NumPy's own on so few values."""
    return float(np.sort(values)[int(part * (len(values) - 1))])


def covered(inner: Box, outer: Box) -> float:
    """Return which part of `inner` lies in `outer`."""
    width = min(inner[0] + inner[2], outer[0] + outer[2]) - max(inner[0], outer[0])
    height = min(inner[1] + inner[3], outer[1] + outer[3]) - max(inner[1], outer[1])
    return max(width, 0.0) * max(height, 0.0) / (inner[2] * inner[3])
