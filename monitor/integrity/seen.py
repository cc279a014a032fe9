"""A frame as it is checked, and which of its figures cannot be."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from schemas.records import FrameKind

COLUMNS, ROWS = 16, 9
CELLS: Final = COLUMNS * ROWS
"Of a sketch."
WHOLE: Final[frozenset[FrameKind]] = frozenset({"heartbeat", "sample"})
"Kinds of frames that are pictures of their own; an end repeats the last one."


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame as it is checked."""

    frame_id: str
    "The frame."
    kind: FrameKind
    "Its kind."
    epoch: str
    "The run of frames."
    sequence: int
    "Its number in it."
    at_us: int
    "When it was taken, microseconds since 1970."
    brightness: float
    "Mean luma, 0 to 255."
    contrast: float
    "Standard deviation of luma, 0 to 127.5."
    sharpness: float
    "Variance of the Laplacian."
    noise: float
    "Standard deviation of the grain."
    sketch: bytes
    "16 × 9 luma of whole pictures; empty for crops, and where an older processor did not draw one."
    width: int
    "Pixels."
    height: int
    "Pixels."
    label: str | None
    "The predicted class; None for what is not classified, and where the model abstains."
    probabilities: Mapping[str, float]
    "By class; empty for what is not classified."
    model_version: str
    "The bundle that served."


SUM_TOLERANCE = 0.01
"Probabilities travel as 32-bit floats, and are rounded to five digits."


def fault_of(frame: Seen) -> str:
    """Which figure of a frame cannot be; empty where all can. Comparisons with NaN are false."""
    if not (0 <= frame.brightness <= 255 and 0 <= frame.contrast <= 128):
        return f"brightness {frame.brightness:.4g} or contrast {frame.contrast:.4g} is outside 0 to 255, or 0 to 128"
    if not (0 <= frame.sharpness < math.inf and 0 <= frame.noise < math.inf):
        return f"sharpness {frame.sharpness:.4g} or noise {frame.noise:.4g} is no number of 0 or more"
    if frame.width <= 0 or frame.height <= 0 or len(frame.sketch) not in (0, CELLS):
        return f"a picture of {frame.width}×{frame.height} with a sketch of {len(frame.sketch)} bytes"
    values = frame.probabilities.values()
    if values and not (abs(sum(values) - 1) <= SUM_TOLERANCE and min(values) >= -SUM_TOLERANCE):
        return f"probabilities that sum to {sum(values):.4g}, the least {min(values):.4g}"
    return ""
