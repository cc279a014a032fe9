"""Frames: numbered, named, cut and encoded."""

from datetime import UTC, datetime

import cv2
import numpy as np
import pytest

from producers.framing import PASSAGES_KEPT, Framer, narrowed
from producers.source import Picture
from schemas.records import Box, Frame

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
CROPPED = Box(10, 20, 40, 30)


def picture(width: int = 96, height: int = 64) -> Picture:
    """A grey picture."""
    return Picture(AT, np.full((height, width, 3), 120, np.uint8), 0)


def framer() -> Framer:
    """A framer of camera `gate`."""
    return Framer("gate", "e", 90)


def vehicle(by: Framer, track: int, crossed_at: datetime | None = None) -> Frame:
    """A frame of a vehicle."""
    whole = picture()
    return by.vehicle(whole, whole.image[20:50, 10:50], CROPPED, "lane", track, crossed_at)


def size_of(frame: Frame) -> tuple[int, int]:
    """Width and height of the encoded picture."""
    image = cv2.imdecode(np.frombuffer(frame.picture, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image.shape[1], image.shape[0]


def test_frames_count_from_nought_whatever_they_show() -> None:
    by = framer()
    frames = [by.whole(picture(), "heartbeat"), vehicle(by, 1), by.whole(picture(), "end")]
    assert [frame.frame_id for frame in frames] == ["gate:e:0", "gate:e:1", "gate:e:2"]


def test_a_passage_is_named_after_its_first_frame() -> None:
    """Two vehicles side by side keep their passages apart."""
    by = framer()
    frames = [vehicle(by, track) for track in (5, 6, 5, 6)]
    assert [frame.passage_id for frame in frames] == ["gate:e:p0", "gate:e:p1", "gate:e:p0", "gate:e:p1"]


def test_a_vehicles_frame_says_where_and_when() -> None:
    """The crop, its place in the whole picture, and the crossing once it happened."""
    frame = vehicle(framer(), 1, crossed_at=AT)
    assert (frame.kind, frame.zone_id, frame.box, frame.crossed_at) == ("vehicle", "lane", CROPPED, AT)
    assert (frame.source_width, frame.source_height) == (96, 64)
    assert size_of(frame) == (40, 30)


@pytest.mark.parametrize(("kind", "width"), [("heartbeat", 640), ("end", 640), ("sample", 1280)])
def test_signs_of_life_are_small_and_samples_whole(kind: str, width: int) -> None:
    frame = framer().whole(picture(1280, 720), kind)  # type: ignore[arg-type]
    assert size_of(frame)[0] == width
    assert (frame.source_width, frame.source_height) == (1280, 720)


def test_a_small_picture_is_left_as_it_is() -> None:
    image = picture(320, 240).image
    assert narrowed(image, 640) is image


def test_a_long_life_keeps_few_passages_in_mind() -> None:
    by = framer()
    for track in range(PASSAGES_KEPT + 50):
        vehicle(by, track)
    assert len(by._passages) == PASSAGES_KEPT
