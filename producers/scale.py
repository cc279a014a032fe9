"""Lengths in lane widths: what is far away is small in the picture, and stands close."""

import itertools

import cv2
import numpy as np
from numpy.typing import NDArray


def bands(lane_px: NDArray[np.float32]) -> list[tuple[int, int, float]]:
    """Return strips of rows with a lane's width there: what is far away is small and stands close."""
    rows = np.median(lane_px, axis=1)
    steps = np.round(np.log2(np.maximum(rows, 1)) * 1.5).astype(int)
    edges = [0, *(np.flatnonzero(np.diff(steps)) + 1).tolist(), len(rows)]
    return [(top, bottom, float(rows[top:bottom].mean())) for top, bottom in itertools.pairwise(edges)]


def disc(size_px: float) -> NDArray[np.uint8]:
    """Return a round kernel of about this diameter, at least one pixel."""
    odd = max(1, round((size_px - 1) / 2) * 2 + 1)
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (odd, odd)).astype(np.uint8)
