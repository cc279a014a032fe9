"""What moves before the background: a mask of moving things, with their shadows taken away."""

import itertools
import math
from datetime import datetime

import cv2
import numpy as np
from numpy.typing import NDArray

from producers.source import Image

Mask = NDArray[np.uint8]
"""uint8, H×W, 255 where something moves, else 0."""

MEMORY_S = 30.0
"""A thing that stands still for about this long becomes background."""

LONGEST_STEP_S = 1.0
"""A gap between pictures counts as no more: after an hour's silence one picture must not become the background."""

FLOODED = 0.7
"""When more than this part of the watched area changes at once, the light or the camera changed, not the traffic."""

HOLE = 0.05
"""Gaps in a vehicle that are closed, in lane widths."""

GLASS, DENSE_WIDTH, DENSE = 0.25, 0.4, 0.7

_MOVING = 255


class Foreground:
    """Background subtraction that learns by event time, not by picture count.

    A mixture of Gaussians for each pixel (Zivkovic and van der Heijden 2006, OpenCV's MOG2) with its shadow test
    (Prati et al. 2003). When nearly everything changes at once it starts anew.
    """

    def __init__(self, watched: Mask, lane_px: NDArray[np.float32]) -> None:
        """`watched` is 255 where vehicles are looked for; `lane_px` is how wide a lane is there (float32, H×W)."""
        self._watched = watched
        self._watched_px = max(1, cv2.countNonZero(watched))
        self._model = cv2.createBackgroundSubtractorMOG2(history=500, varThreshold=14, detectShadows=True)
        self._model.setBackgroundRatio(0.7)
        self._model.setShadowThreshold(0.65)
        self._bands = _bands(lane_px)
        self._seen = 0
        self._last: datetime | None = None

    def mask(self, image: Image, at: datetime) -> Mask:
        """Return what moves in a picture (uint8, H×W×3, BGR) taken at `at`; nothing while the view is still new."""
        labels = self._model.apply(image, learningRate=self._rate(at)).astype(np.uint8, copy=False)
        labels[self._watched == 0] = 0
        self._seen += 1
        if cv2.countNonZero(labels) > FLOODED * self._watched_px:
            self._seen = 1
            return np.zeros_like(self._watched)
        return self._without_shadows(labels)

    def _rate(self, at: datetime) -> float:
        step_s = (at - self._last).total_seconds() if self._last else 0.0
        self._last = at
        steady = 1 - math.exp(-min(max(step_s, 0.0), LONGEST_STEP_S) / MEMORY_S)
        return max(steady, 1 / (self._seen + 1))

    def _without_shadows(self, labels: NDArray[np.uint8]) -> Mask:
        """Keep what moves, and of the shadows only what is enclosed by it: dark cars look like shadows inside."""
        moving = np.where(labels == _MOVING, _MOVING, 0).astype(np.uint8)
        sure = cv2.morphologyEx(moving, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8)).astype(np.uint8, copy=False)
        for top, bottom, lane in self._bands:
            sure[top:bottom] = _filled(sure[top:bottom], labels[top:bottom], lane)
        outlines, _ = cv2.findContours(sure, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        return cv2.drawContours(np.zeros_like(sure), outlines, -1, _MOVING, cv2.FILLED).astype(np.uint8)


def _filled(sure: Mask, labels: NDArray[np.uint8], lane_px: float) -> Mask:
    """Close small gaps, and those shadow-like ones (windscreens, grilles) that lie between moving rows, full of it."""
    between = cv2.morphologyEx(sure, cv2.MORPH_CLOSE, np.ones((_odd(GLASS * lane_px), 1), np.uint8))
    dense = cv2.blur((labels > 0).astype(np.uint8) * 255, (_odd(DENSE_WIDTH * lane_px), 1))
    glass = (between > 0) & (labels > 0) & (dense > DENSE * 255)
    together = np.where(glass, _MOVING, sure).astype(np.uint8)
    return cv2.morphologyEx(together, cv2.MORPH_CLOSE, _disc(HOLE * lane_px)).astype(np.uint8)


def _bands(lane_px: NDArray[np.float32]) -> list[tuple[int, int, float]]:
    """Return strips of rows with a lane's width there: what is far away is small and stands close."""
    rows = np.median(lane_px, axis=1)
    steps = np.round(np.log2(np.maximum(rows, 1)) * 1.5).astype(int)
    edges = [0, *(np.flatnonzero(np.diff(steps)) + 1).tolist(), len(rows)]
    return [(top, bottom, float(rows[top:bottom].mean())) for top, bottom in itertools.pairwise(edges)]


def _odd(size_px: float) -> int:
    return max(1, round((size_px - 1) / 2) * 2 + 1)


def _disc(size_px: float) -> NDArray[np.uint8]:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_odd(size_px), _odd(size_px))).astype(np.uint8)
