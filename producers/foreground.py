"""What moves before the background: a mask of moving things, with their shadows and lights on the road taken away.

picture ─► relit background ─► distance ─► sure and weak pixels ─► things ─► without shadow and beam ─► mask
                 ▲                                                   │
                 └────────── follows slowly, hardly under things ◄───┘
"""

import itertools
from datetime import datetime

import cv2
import numpy as np
from numpy.typing import NDArray

from producers.scale import bands, disc
from producers.source import Image

Mask = NDArray[np.uint8]
"""uint8, H×W, 255 where something moves, else 0."""

Floats = NDArray[np.float32]

FIRST_PICTURES = 9
"""The first background is the median of this many pictures: what drives covers a place in fewer than half of them."""

FEWEST = 3
"""Of so few pictures there is a median that leaves a moving thing out: before that nothing is told."""

PAUSE_S = 20.0
"""After a longer gap the light may be another: if much has changed, the background is begun anew."""

CHANGED, FLOODED = 0.25, 0.6
"""Part of the view that differs when it is another light: in the first picture after a gap, and at any time."""

SETTLE_S, CREEP = 10.0, 0.5
"""The background follows small differences within SETTLE_S, large ones by CREEP grey levels a second only.

So a vehicle must stand for minutes to vanish, and dense traffic does not colour the road. The whole view's light
is followed at once.
"""

SPREAD_S = 10.0
"""Within this time the usual difference of a place is known: noise, leaves, drops on the lens."""

WEAK, SURE = (2.0, 2.5), (4.0, 5.0)
"""Thresholds: so many times the place's usual difference, plus so many grey levels (rounding, compression).

A thing is what is weak and hangs together with something sure (hysteresis, Canny 1986).
"""

HALO = 0.45
"""What differs less than this part of the mean around it is a vehicle's halo: reflections, ringing of compression."""

SHADE, SHINE = (0.3, 0.7), (1.2, 12.0)
"""Brightness of a road in shadow and in a headlight's beam, in parts of its usual one.

Weaker shadows do no harm, and dark vehicles in haze look like them.
"""

BRIGHT = 40
"""Grey level of a road on which shadows can be told, and below which headlights are on."""

TINT = 0.35
"""A beam's colour may differ so much from the dark road's, in parts of its brightness."""

BODY = 0.15
"""A thing is its vehicle and its shadow if at least this part of it cannot be shadow; else it is a dark vehicle."""

GAP = 0.25
"""What looks like shadow in gaps of a vehicle not wider than this belongs to it, in lane widths."""

RIM = 0.13
"""A shadow's soft edge, which does not look like road, is not wider than this, in lane widths."""

HOLE = (0.2, 1.0)
"""Holes up to this part of a square as wide as the lane are filled, more where they look like shadow than like road.

Larger ones are road between two vehicles.
"""

_MOVING = 255


class Foreground:
    """Background subtraction that learns by event time, not by picture count.

    The background is a running robust mean that starts as a median; thresholds follow each place's usual
    difference. Shadows are told as in Horprasert et al. 1999 and Prati et al. 2003: road of another brightness
    with the same colours and texture.
    """

    def __init__(self, lane_px: Floats) -> None:
        """`lane_px` is how wide a lane is at each place (float32, H×W), in the pixels of the pictures to come."""
        self._lane_areas = (1 / np.maximum(lane_px, 1) ** 2).astype(np.float32)
        self._bands = bands(lane_px)
        self._halo = 2 * round(float(np.median(lane_px)) / 8) + 1
        self._first: list[Image] = []
        self._road = np.zeros((*lane_px.shape, 3), np.float32)
        self._shown = np.zeros((*lane_px.shape, 3), np.uint8)
        self._spread = np.ones(lane_px.shape, np.float32)
        self._last: datetime | None = None

    def mask(self, image: Image, at: datetime) -> Mask:
        """Return what moves in a picture (uint8, H×W×3, BGR) taken at `at`; nothing while the view is still new."""
        step_s = (at - self._last).total_seconds() if self._last else 0.0
        self._last = at
        if len(self._first) < FEWEST:
            self._begin(image)
            return np.zeros(image.shape[:2], np.uint8)
        self._relight(image)
        difference = cv2.blur(_largest(cv2.absdiff(image, self._shown)), (3, 3)).astype(np.uint8, copy=False)
        things, labels = self._things(difference)
        if cv2.countNonZero(things) > (CHANGED if step_s > PAUSE_S else FLOODED) * things.size:
            self._first = []
            self._begin(image)
            return np.zeros_like(things)
        vehicles = self._vehicles(image, things, labels)
        self._learn(image, difference, things, min(step_s, 1.0))
        return vehicles

    def _begin(self, image: Image) -> None:
        self._first.append(image)
        self._road = np.median(np.stack(self._first), axis=0).astype(np.float32)
        self._shown = self._road.astype(np.uint8)
        usual = [float(np.median(_largest(cv2.absdiff(a, b)))) for a, b in itertools.pairwise(self._first)]
        self._spread[:] = np.median(usual) if usual else 1.0

    def _relight(self, image: Image) -> None:
        """Add the change of the whole view's brightness, its median, to the background."""
        step = image[::8, ::8].astype(np.float32) - self._road[::8, ::8]
        change = np.median(step.reshape(-1, 3), axis=0)
        if np.abs(change).max() >= 1:
            self._road = np.clip(self._road + change, 0, 255).astype(np.float32)
            self._shown = self._road.astype(np.uint8)

    def _things(self, difference: NDArray[np.uint8]) -> tuple[Mask, NDArray[np.int32]]:
        """Return where anything differs, and the number of each thing there."""
        weak, sure = (difference > times * self._spread + more for times, more in (WEAK, SURE))
        weak &= difference > HALO * cv2.blur(difference, (self._halo, self._halo))
        count, labels = cv2.connectedComponents(weak.view(np.uint8), connectivity=4, ltype=cv2.CV_32S)
        kept = np.zeros(count, np.uint8)
        kept[labels[sure]] = _MOVING
        kept[0] = 0
        return kept[labels], labels.astype(np.int32, copy=False)

    def _learn(self, image: Image, difference: NDArray[np.uint8], things: Mask, step_s: float) -> None:
        if len(self._first) < FIRST_PICTURES:
            self._begin(image)
            return
        way = (image - self._road) * np.float32(step_s / SETTLE_S)
        self._road += np.clip(way, -CREEP * step_s, CREEP * step_s, out=way)
        self._shown = cv2.convertScaleAbs(self._road).astype(np.uint8, copy=False)
        cv2.accumulateWeighted(difference, self._spread, step_s / SPREAD_S, mask=cv2.bitwise_not(things))

    def _vehicles(self, image: Image, things: Mask, labels: NDArray[np.int32]) -> Mask:
        """Take shadow and shine from the things that are more than that."""
        if not things.any():
            return things
        body = np.where(self._road_like(image), 0, things).astype(np.uint8)
        for top, bottom, lane in self._bands:
            body[top:bottom] = cv2.morphologyEx(body[top:bottom], cv2.MORPH_OPEN, disc(RIM * lane))
        sizes = np.bincount(labels.ravel())
        share = np.bincount(labels[body > 0], minlength=len(sizes)) / sizes
        for top, bottom, lane in self._bands:
            body[top:bottom] = cv2.morphologyEx(body[top:bottom], cv2.MORPH_CLOSE, disc(GAP * lane))
        return _filled(
            np.where((share[labels] < BODY) | (body > 0), things, 0).astype(np.uint8), things, self._lane_areas
        )

    def _road_like(self, image: Image) -> NDArray[np.bool_]:
        here, usual = (cv2.blur(cv2.cvtColor(shown, cv2.COLOR_BGR2GRAY), (5, 5)) for shown in (image, self._shown))
        ratio = cv2.divide(here, usual, dtype=cv2.CV_32F)
        off = _largest(cv2.absdiff(cv2.multiply(self._shown, cv2.merge([ratio] * 3), dtype=cv2.CV_8U), image))
        same = off <= (WEAK[0] * self._spread + WEAK[1]) * np.maximum(ratio, 1)
        alike = off <= np.maximum(TINT * here, WEAK[1])
        shade = (ratio >= SHADE[0]) & (ratio <= SHADE[1]) & (usual >= BRIGHT)
        shine = (ratio >= SHINE[0]) & (ratio <= SHINE[1]) & (usual < BRIGHT)
        like: NDArray[np.bool_] = cv2.blur(((same & shade) | (alike & shine)).view(np.uint8) * 255, (3, 3)) > 0.6 * 255
        return like


def _largest(channels: NDArray[np.integer | np.floating]) -> NDArray[np.uint8]:
    blue, green, red = cv2.split(channels)
    return cv2.max(cv2.max(blue, green), red).astype(np.uint8, copy=False)


def _filled(mask: Mask, things: Mask, lane_areas: Floats) -> Mask:
    """Close the holes that lie within one vehicle: windows, and paint like the road's, in shadow or not."""
    _, labels = cv2.connectedComponents(cv2.bitwise_not(mask), connectivity=4)
    areas = np.bincount(labels.ravel(), lane_areas.ravel())
    shaded = np.bincount(labels[things > 0], lane_areas[things > 0], minlength=len(areas)) > areas / 2
    return np.where(areas[labels] <= np.where(shaded, HOLE[1], HOLE[0])[labels], _MOVING, mask).astype(np.uint8)
