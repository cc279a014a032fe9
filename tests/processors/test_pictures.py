"""Pictures are decoded within limits, refused by reason, and measured."""

import contextlib

import cv2
import numpy as np
import pytest

from models.preprocessing import Image
from processors.pictures import MAX_BYTES, decode, examine, statistics
from schemas.errors import PictureError


def jpeg(image: Image, *options: int) -> bytes:
    """Return the picture's JPEG."""
    return bytes(cv2.imencode(".jpg", image, options)[1].tobytes())


def noise(height: int, width: int) -> Image:
    """Return the same noise each time."""
    return np.random.default_rng(5).integers(0, 256, (height, width, 3), np.uint8)


SMALL = jpeg(noise(40, 60))


@pytest.mark.parametrize("shape", [(1, 1), (8, 13), (40, 60), (255, 700)])
def test_a_crop_keeps_its_size(shape: tuple[int, int]) -> None:
    """Pictures that are not large are decoded in full."""
    assert decode(jpeg(noise(*shape))).shape == (*shape, 3)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((540, 960), (270, 480)), ((1080, 1920), (270, 480)), ((2160, 3840), (270, 480)), ((300, 4000), (300, 4000))],
)
def test_a_large_picture_is_decoded_at_a_fraction(shape: tuple[int, int], expected: tuple[int, int]) -> None:
    """Its shorter side stays at least 256 pixels; statistics tell the size in the JPEG."""
    image, found = examine(jpeg(np.full((*shape, 3), 90, np.uint8)))
    assert image.shape[:2] == expected
    assert (found.height, found.width) == shape


def test_colours_come_as_bgr() -> None:
    """A blue picture has its values in the first channel."""
    blue = np.full((16, 16, 3), (250, 0, 0), np.uint8)
    assert decode(jpeg(blue))[8, 8].argmax() == 0


@pytest.mark.parametrize("option", [cv2.IMWRITE_JPEG_PROGRESSIVE, cv2.IMWRITE_JPEG_OPTIMIZE])
def test_other_kinds_of_jpeg_are_read(option: int) -> None:
    """Progressive and optimised files have other segments, and the same size."""
    assert decode(jpeg(noise(40, 60), option, 1)).shape == (40, 60, 3)


def test_bytes_after_the_end_are_allowed() -> None:
    """Some cameras pad their pictures."""
    assert decode(SMALL + bytes(32)).shape == (40, 60, 3)


def without_size(data: bytes) -> bytes:
    """Return the JPEG with its frame header made an application segment."""
    at = data.index(b"\xff\xc0")
    return data[: at + 1] + b"\xe1" + data[at + 2 :]


REFUSED = {
    "no bytes": (b"", "empty", "no bytes"),
    "text": (b"not a picture", "not_jpeg", "begins with 6e 6f 74 20"),
    "png": (cv2.imencode(".png", noise(4, 4))[1].tobytes(), "not_jpeg", "begins with 89"),
    "two bytes": (b"\xff\xd8", "truncated", "ends at byte 2"),
    "cut in the header": (SMALL[:30], "truncated", "before its pixels"),
    "cut in the pixels": (SMALL[:-40], "truncated", "without its end marker"),
    "rubbish between segments": (b"\xff\xd8\x00\x01\x02", "undecodable", "0x00 at byte 2"),
    "no size": (without_size(SMALL), "undecodable", "does not say its size"),
    "too many bytes": (SMALL + bytes(MAX_BYTES), "too_many_bytes", f"{MAX_BYTES} are allowed"),
}


@pytest.mark.parametrize(("data", "reason", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_decoded_is_refused(data: bytes, reason: str, message: str) -> None:
    """The reason is a fixed word for counters, the message names what was seen."""
    with pytest.raises(PictureError, match=message) as refusal:
        decode(data)
    assert refusal.value.reason == reason


def test_size_is_looked_at_before_pixels_are_decoded() -> None:
    """A header that claims 65,000 × 65,000 pixels is refused though no such picture could be in these bytes."""
    at = SMALL.index(b"\xff\xc0") + 5
    bomb = SMALL[:at] + (65_000).to_bytes(2, "big") * 2 + SMALL[at + 4 :]
    with pytest.raises(PictureError, match="65000×65000") as refusal:
        decode(bomb)
    assert refusal.value.reason == "too_many_pixels"


def test_the_limit_is_the_callers() -> None:
    """A picture of 2,400 pixels passes at 2,400 and not below."""
    assert decode(SMALL, max_pixels=2400).size == 7200
    with pytest.raises(PictureError, match="more than 2399 pixels"):
        decode(SMALL, max_pixels=2399)


@pytest.mark.parametrize("seed", range(40))
def test_damaged_bytes_never_escape_as_another_error(seed: int) -> None:
    """Bytes overwritten anywhere give a picture or a PictureError."""
    rng = np.random.default_rng(seed)
    data = bytearray(SMALL)
    for at in rng.integers(2, len(data), 12):
        data[at] = rng.integers(256)
    with contextlib.suppress(PictureError):
        assert decode(bytes(data), max_pixels=1_000_000).ndim == 3


def test_a_plain_grey_has_brightness_alone() -> None:
    """No contrast, nothing sharp."""
    found = statistics(np.full((50, 70, 3), 100, np.uint8))
    assert (found.brightness, found.contrast, found.sharpness) == pytest.approx((100, 0, 0))
    assert (found.width, found.height) == (70, 50)


def test_a_half_black_half_white_picture_has_the_largest_contrast() -> None:
    """Half at 0 and half at 255 deviate by 127.5."""
    image = np.zeros((40, 40, 3), np.uint8)
    image[:, 20:] = 255
    assert statistics(image).contrast == pytest.approx(127.5)


def test_blur_lowers_sharpness_and_little_else() -> None:
    """A picture out of focus is as bright as before, and less sharp."""
    sharp = cv2.resize(noise(16, 16), (128, 128), interpolation=cv2.INTER_NEAREST)
    blurred = np.asarray(cv2.GaussianBlur(sharp, (0, 0), 4), np.uint8)
    assert statistics(blurred).sharpness < 0.1 * statistics(sharp).sharpness
    assert statistics(blurred).brightness == pytest.approx(statistics(sharp).brightness, abs=2)


def road(grain: float) -> Image:
    """A bright road with dark posts, as a camera with so much grain gives it."""
    smooth = cv2.GaussianBlur(noise(36, 64), (0, 0), 3)
    posts = np.asarray(cv2.resize(smooth, (640, 360)), np.float32)
    posts[:, ::16] = 0
    grown = posts + np.random.default_rng(1).normal(0, grain, (360, 640, 1))
    return decode(jpeg(np.clip(grown, 0, 255).astype(np.uint8), cv2.IMWRITE_JPEG_QUALITY, 90))


@pytest.mark.parametrize(("grain", "expected"), [(0, 0.1), (4, 1.4), (8, 8.5), (16, 16.5)])
def test_grain_is_told_from_what_the_picture_shows(grain: float, expected: float) -> None:
    """In grey levels; a JPEG of quality 90 swallows the better part of a faint one."""
    assert statistics(road(grain)).noise == pytest.approx(expected, abs=0.5)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (8, 13)])
def test_the_grain_of_the_smallest_crop_is_measured(shape: tuple[int, int]) -> None:
    """It is never 0, which stands for what was not measured."""
    assert 0 < statistics(np.full((*shape, 3), 90, np.uint8)).noise < 0.1


def test_a_whole_picture_is_sketched_row_by_row() -> None:
    """16 columns × 9 rows of luma; crops, which show now this and now that, are not."""
    image = np.zeros((90, 160, 3), np.uint8)
    image[:10, 10:20] = 200
    sketch = examine(jpeg(image), whole=True)[1].sketch
    assert len(sketch) == 144
    assert [at for at, luma in enumerate(sketch) if luma > 150] == [1]
    assert examine(jpeg(image))[1].sketch == b""
