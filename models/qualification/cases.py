"""Pictures that are hard to take, as bytes a camera might send, each with what may become of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from models.preprocessing import Image
from models.qualification.figures import Outcome
from models.selftest import selftest_pictures

PREDICTED: Final[tuple[Outcome, ...]] = ("predicted",)
REFUSED: Final[tuple[Outcome, ...]] = ("dead_letter",)
EITHER: Final[tuple[Outcome, ...]] = ("predicted", "dead_letter")
"Bytes that one decoder mends and another refuses: either is an answer."

BASELINE: Final = b"\xff\xc0"
"Marker of the segment that says a picture's size (ITU T.81, table B.1)."
END: Final = b"\xff\xd9"


@dataclass(frozen=True, slots=True)
class ErrorCase:
    """A picture that is hard to take."""

    name: str
    "What is wrong with it; no two cases share a name."
    jpeg: bytes
    "What is sent in a frame's place of the picture; below 1.5 MB each."
    wanted: tuple[Outcome, ...]
    "What may become of it."


def error_cases(sample: Image | None = None) -> tuple[ErrorCase, ...]:
    """Return the cases, made from a crop (uint8 H×W×3 BGR; None: a made one); always the same for the same crop.

    What is wanted is what `processors.pictures` promises: bytes that are no JPEG, or one cut short, or one that claims
    more than 40 million pixels, are dead letters; any other picture is predicted, however little it shows.
    """
    image = selftest_pictures()[3] if sample is None else sample
    return tuple(
        ErrorCase(name, jpeg, wanted)
        for cases in (_broken(_jpeg(image)), _sizes(image), _plain(), _coded(image))
        for name, jpeg, wanted in cases
    )


Case = tuple[str, bytes, tuple[Outcome, ...]]


def _broken(jpeg: bytes) -> Iterator[Case]:
    """Yield bytes that are no whole JPEG."""
    frame, scan = jpeg.index(BASELINE), jpeg.index(b"\xff\xda")
    yield "empty", b"", REFUSED
    yield "one byte", jpeg[:1], REFUSED
    yield "cut after its start marker", jpeg[:2], REFUSED
    yield "cut within its size", jpeg[: frame + 6], REFUSED
    yield "cut before its pixels", jpeg[:scan], REFUSED
    yield "cut halfway through its pixels", jpeg[: (scan + len(jpeg)) // 2], REFUSED
    yield "cut before its end marker", jpeg[:-2], REFUSED
    yield "pixels cut out, end marker kept", jpeg[: (scan + len(jpeg)) // 2] + END, EITHER
    yield "header overwritten", jpeg[:2] + bytes(16) + jpeg[18:], REFUSED
    yield "bytes of its pixels overwritten", _overwritten(jpeg, scan + 16), EITHER
    yield "noise behind a start marker", jpeg[:2] + _noise_bytes(4096), REFUSED
    yield "text", b"not a picture\n", REFUSED
    yield "zeros", bytes(4096), REFUSED


def _sizes(image: Image) -> Iterator[Case]:
    """Yield the smallest and the largest."""
    small = _jpeg(image)
    yield "1×1 pixel", _jpeg(image[:1, :1]), PREDICTED
    yield "4×3 pixels", _jpeg(image[:3, :4]), PREDICTED
    yield "one row of 600 pixels", _jpeg(_resized(image, 600, 1)), PREDICTED
    yield "one column of 600 pixels", _jpeg(_resized(image, 1, 600)), PREDICTED
    yield "4000×3000 pixels", _jpeg(_resized(image, 4000, 3000), 60), PREDICTED
    yield "header claims 30000×30000 pixels", _claiming(small, 30_000, 30_000), REFUSED
    yield "header claims 0×0 pixels", _claiming(small, 0, 0), REFUSED


def _plain() -> Iterator[Case]:
    """Yield pictures that show nothing."""
    for name, level in (("all black", 0), ("all grey", 127), ("all white", 255)):
        yield name, _jpeg(np.full((96, 128, 3), level, np.uint8)), PREDICTED
    noise = np.random.Generator(np.random.PCG64(1)).integers(0, 256, (96, 128, 3), np.uint8)
    yield "noise alone", _jpeg(noise), PREDICTED


def _coded(image: Image) -> Iterator[Case]:
    """Yield pictures that are coded otherwise than most."""
    jpeg = _jpeg(image)
    yield "greyscale JPEG", _jpeg(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)), PREDICTED
    yield "progressive JPEG", _jpeg(image, 90, cv2.IMWRITE_JPEG_PROGRESSIVE, 1), PREDICTED
    yield "JPEG with restart markers", _jpeg(image, 90, cv2.IMWRITE_JPEG_RST_INTERVAL, 4), PREDICTED
    yield "CMYK JPEG", _cmyk(_jpeg(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))), EITHER
    yield "turned by its EXIF orientation", _turned(jpeg), PREDICTED
    yield "junk behind its end", jpeg + _noise_bytes(2048), PREDICTED
    yield "quality 1", _jpeg(image, 1), PREDICTED
    yield "PNG", cv2.imencode(".png", image)[1].tobytes(), REFUSED
    yield "WebP", cv2.imencode(".webp", image)[1].tobytes(), REFUSED


def _jpeg(image: cv2.typing.MatLike, quality: int = 90, *options: int) -> bytes:
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality, *options])[1].tobytes()


def _resized(image: Image, width: int, height: int) -> Image:
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _claiming(jpeg: bytes, width: int, height: int) -> bytes:
    """Write another size into the frame header: length, precision, height, width."""
    at = jpeg.index(BASELINE) + 5
    return jpeg[:at] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + jpeg[at + 4 :]


def _overwritten(jpeg: bytes, start: int) -> bytes:
    """Overwrite every 16th byte of the pixels; never with FF, which would begin a marker."""
    damaged = bytearray(jpeg)
    for at in range(start, len(jpeg) - 2, 16):
        damaged[at] = at * 7 % 255
    return bytes(damaged)


def _noise_bytes(count: int) -> bytes:
    return np.random.Generator(np.random.PCG64(2)).bytes(count)


def _turned(jpeg: bytes) -> bytes:
    """Add an EXIF segment that asks to turn the picture by 90° (orientation 6)."""
    entry = b"\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00"
    exif = b"Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\x00\x01" + entry + bytes(4)
    return jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:]


def _cmyk(grey: bytes) -> bytes:
    """Make four inks of a greyscale JPEG: its one scan four times, a component each (ITU T.81, B.2.2 and B.2.3)."""
    frame, scan = grey.index(BASELINE), grey.index(b"\xff\xda")
    length = int.from_bytes(grey[frame + 2 : frame + 4], "big")
    size = grey[frame + 4 : frame + 9]
    inks = b"".join(bytes([ink, 0x11, 0]) for ink in range(1, 5))
    header = BASELINE + (8 + len(inks)).to_bytes(2, "big") + size + bytes([4]) + inks
    pixels = grey[scan + 10 : -2]
    scans = b"".join(b"\xff\xda\x00\x08\x01" + bytes([ink]) + b"\x00\x00\x3f\x00" + pixels for ink in range(1, 5))
    return grey[:frame] + header + grey[frame + 2 + length : scan] + scans + END
