"""Frames' pictures: decoded within limits, and measured without knowing what they show."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from models.preprocessing import Image
from schemas.errors import PictureError
from schemas.records import Statistics

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


def examine(jpeg: bytes, *, max_pixels: int = MAX_PIXELS) -> tuple[Image, Statistics]:
    """Return the decoded picture and its statistics, with the size that it has in the JPEG; raises PictureError."""
    header = _header(jpeg, max_pixels)
    image = _decode(jpeg, header)
    return image, _statistics(image, header.width, header.height)


def decode(jpeg: bytes, *, max_pixels: int = MAX_PIXELS) -> Image:
    """Return the picture, uint8 H×W×3 BGR, a large one at a fraction of its size; its header is read first.

    Raises PictureError, its reason one of `empty`, `too_many_bytes`, `not_jpeg`, `truncated`, `too_many_pixels`,
    `undecodable`.
    """
    return _decode(jpeg, _header(jpeg, max_pixels))


def statistics(image: Image) -> Statistics:
    """Return brightness, contrast and sharpness of a picture, uint8 H×W×3 BGR.

    Sharpness is the variance of the Laplacian (Pech-Pacheco et al., 2000) at 128×128.
    """
    return _statistics(image, image.shape[1], image.shape[0])


def _statistics(image: Image, width: int, height: int) -> Statistics:
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    mean, deviation = cv2.meanStdDev(grey)
    small = cv2.resize(grey, SHARPNESS_SIZE, interpolation=cv2.INTER_AREA)
    _, edges = cv2.meanStdDev(cv2.Laplacian(small, cv2.CV_16S))
    return Statistics(
        brightness=float(mean[0, 0]),
        contrast=float(deviation[0, 0]),
        sharpness=float(edges[0, 0]) ** 2,
        width=width,
        height=height,
    )


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
