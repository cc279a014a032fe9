"""Frames' pictures: decoded within limits, and measured without knowing what they show."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.preprocessing import Image
from schemas.errors import PictureError
from schemas.records import Statistics

Grey = NDArray[np.uint8]

START_OF_IMAGE: Final = b"\xff\xd8"
END_OF_IMAGE: Final = b"\xff\xd9"
START_OF_SCAN: Final = 0xDA
STARTS_OF_FRAME: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"Markers of segments that hold the picture's size (ITU T.81, table B.1)."
STANDALONE: Final = frozenset({0x01, *range(0xD0, 0xD8)})
"Markers without a length."

REDUCED: Final = (
    (8, cv2.IMREAD_REDUCED_COLOR_8),
    (4, cv2.IMREAD_REDUCED_COLOR_4),
    (2, cv2.IMREAD_REDUCED_COLOR_2),
)
SHARPNESS_SIZE: Final = (128, 128)
"Sharpness depends on scale: it is measured at one."
SKETCH_SIZE: Final = (16, 9)
"Columns and rows."

GRAIN: Final = np.array([1, -2, 1], np.float32)
"Along rows and columns: leaves of a picture what neither brightness nor its slope explains (Immerkær, 1996)."
GRAIN_GAIN: Final = 6.0
"White noise of standard deviation 1 comes out of it with this one."
GRAIN_SHARE: Final = 0.25
"The quarter of the pixels where least is left shows the grain; leaves, letters and edges are in the rest."
GRAIN_QUANTILE: Final = 0.3186
"Of noise of standard deviation 1, a quarter lies within this distance of 0."


MAX_BYTES: Final = 8 * 1024 * 1024
"Of a JPEG."
MAX_PIXELS: Final = 40_000_000
"Of a decoded picture."
ENOUGH_PIXELS: Final = 256
"A shorter side that suffices: larger pictures are decoded at half, a quarter or an eighth while it stays so."


@dataclass(frozen=True, slots=True)
class _Header:
    """What a JPEG says before its pixels."""

    width: int
    "Pixels."
    height: int
    "Pixels."
    scan_at: int
    "Where the pixels' segment begins, bytes."


def examine(jpeg: bytes, *, whole: bool = False, max_pixels: int = MAX_PIXELS) -> tuple[Image, Statistics]:
    """Return the decoded picture and its statistics, with the size that it has in the JPEG; raises PictureError.

    A `whole` picture, not a crop, is sketched too.
    """
    header = _header(jpeg, max_pixels)
    image = _decode(jpeg, header)
    return image, _statistics(image, header.width, header.height, whole=whole)


def decode(jpeg: bytes, *, max_pixels: int = MAX_PIXELS) -> Image:
    """Return the picture, uint8 H×W×3 BGR, a large one at a fraction of its size; its header is read first.

    Raises PictureError, its reason one of `empty`, `too_many_bytes`, `not_jpeg`, `truncated`, `too_many_pixels`,
    `undecodable`.
    """
    return _decode(jpeg, _header(jpeg, max_pixels))


def statistics(image: Image) -> Statistics:
    """Return brightness, contrast, sharpness and noise of a crop, uint8 H×W×3 BGR.

    Sharpness is the variance of the Laplacian (Pech-Pacheco et al., 2000) at 128×128. Noise is measured at the size
    that was decoded, after Immerkær ("Fast noise variance estimation", 1996) with a quartile instead of the mean:
    texture in real road pictures makes the mean 0.3 to 1.6 grey levels, the quartile 0.2 to 0.5. A JPEG of quality 90
    leaves a grain of 8 grey levels as it is, and of one of 4 less than half.
    """
    return _statistics(image, image.shape[1], image.shape[0], whole=False)


def _statistics(image: Image, width: int, height: int, *, whole: bool) -> Statistics:
    grey: Grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
    mean, deviation = cv2.meanStdDev(grey)
    small = cv2.resize(grey, SHARPNESS_SIZE, interpolation=cv2.INTER_AREA)
    _, edges = cv2.meanStdDev(cv2.Laplacian(small, cv2.CV_16S))
    return Statistics(
        brightness=float(mean[0, 0]),
        contrast=float(deviation[0, 0]),
        sharpness=float(edges[0, 0]) ** 2,
        width=width,
        height=height,
        noise=_noise(grey),
        sketch=cv2.resize(grey, SKETCH_SIZE, interpolation=cv2.INTER_AREA).tobytes() if whole else b"",
    )


def _noise(grey: Grey) -> float:
    """Return the standard deviation of the grain, grey levels; never 0."""
    grain = cv2.convertScaleAbs(cv2.sepFilter2D(grey, cv2.CV_16S, GRAIN, GRAIN))
    counts = cv2.calcHist([grain], [0], None, [256], [0, 256]).ravel().cumsum()
    return _quantile(counts, GRAIN_SHARE) / GRAIN_QUANTILE / GRAIN_GAIN


def _quantile(counts: NDArray[np.float32], share: float) -> float:
    """Return the value that a share of whole numbers does not exceed, from how many there are up to each.

    A whole number stands for all that rounds to it, so that the value moves in finer steps than they do.
    """
    wanted = float(counts[-1]) * share
    at = int(counts.searchsorted(wanted))
    below = float(counts[at - 1]) if at else 0.0
    inside = (wanted - below) / (float(counts[at]) - below)
    return at - 0.5 + inside if at else inside / 2


def _decode(jpeg: bytes, header: _Header) -> Image:
    flag = _reduction(header) | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), flag)
    except cv2.error as error:
        raise PictureError("undecodable", f"JPEG of {len(jpeg)} bytes: {error}") from error
    if image is None:
        raise PictureError("undecodable", f"JPEG of {len(jpeg)} bytes: its header is whole, its pixels are not")
    return np.asarray(image, np.uint8)


def _reduction(header: _Header) -> int:
    shorter = min(header.width, header.height)
    fitting = (flag for factor, flag in REDUCED if shorter // factor >= ENOUGH_PIXELS)
    return next(fitting, cv2.IMREAD_COLOR)


def _header(jpeg: bytes, max_pixels: int) -> _Header:
    if not jpeg:
        raise PictureError("empty", "the picture has no bytes")
    if len(jpeg) > MAX_BYTES:
        raise PictureError("too_many_bytes", f"the picture has {len(jpeg)} bytes, {MAX_BYTES} are allowed")
    header = _walk(jpeg)
    if header.width * header.height > max_pixels:
        size = f"{header.width}×{header.height}"
        raise PictureError("too_many_pixels", f"the picture is {size}: more than {max_pixels} pixels")
    if jpeg.rfind(END_OF_IMAGE, header.scan_at) < 0:
        raise PictureError("truncated", f"a JPEG of {len(jpeg)} bytes without its end marker")
    return header


def _walk(jpeg: bytes) -> _Header:
    """Go from segment to segment until the pixels begin (ITU T.81, annex B)."""
    if not jpeg.startswith(START_OF_IMAGE):
        raise PictureError("not_jpeg", f"the picture begins with {jpeg[:4].hex(' ')}, a JPEG with ff d8")
    at, size = len(START_OF_IMAGE), None
    while True:
        at, marker = _next_marker(jpeg, at)
        if marker in STANDALONE:
            continue
        if marker == START_OF_SCAN:
            break
        if marker in STARTS_OF_FRAME:
            size = _frame_size(jpeg, at)
        at += _number(jpeg, at)
    if size is None or 0 in size:
        raise PictureError("undecodable", "a JPEG that does not say its size before its pixels")
    return _Header(size[0], size[1], at)


def _next_marker(jpeg: bytes, at: int) -> tuple[int, int]:
    """Return where the segment after the marker begins, and the marker; it may be preceded by any number of FF."""
    if at < len(jpeg) and jpeg[at] != 0xFF:
        raise PictureError("undecodable", f"a JPEG with {jpeg[at]:#04x} at byte {at}, where a marker should begin")
    while at < len(jpeg) and jpeg[at] == 0xFF:
        at += 1
    if at >= len(jpeg):
        raise PictureError("truncated", f"a JPEG that ends at byte {at}, before its pixels")
    return at + 1, jpeg[at]


def _frame_size(jpeg: bytes, at: int) -> tuple[int, int]:
    """Return width and height from a frame header: length, precision, height, width."""
    return _number(jpeg, at + 5), _number(jpeg, at + 3)


def _number(jpeg: bytes, at: int) -> int:
    if at + 2 > len(jpeg):
        raise PictureError("truncated", f"a JPEG that ends at byte {len(jpeg)}, before its pixels")
    return int.from_bytes(jpeg[at : at + 2], "big")
