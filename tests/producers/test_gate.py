"""The gate sees drawn vehicles pass at any size and rate, and sends few pictures of each."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pytest

from producers.gate import GateSettings, MotionGate, Sighting
from producers.source import Picture
from producers.zones import zone_from_text
from schemas.errors import ConfigurationError

START = datetime(2026, 5, 1, 12, tzinfo=UTC)
ZONES = tuple(
    zone_from_text(f"lane-{n}: {n * 0.25},0.1 {n * 0.25 + 0.25},0.1 {n * 0.25 + 0.25},0.95 {n * 0.25},0.95")
    for n in (1, 2)
)


def road(
    width: int, height: int, fps: float, starts_s: Sequence[tuple[float, int]], until_s: float
) -> Iterator[Picture]:
    """Yield pictures of a noisy grey road on which light boxes drive down a lane in two seconds."""
    rng = np.random.default_rng(7)
    for index in range(int(until_s * fps)):
        image = np.full((height, width, 3), 90, np.uint8)
        for start_s, lane in starts_s:
            y, x = (index / fps - start_s) / 2, lane * 0.25 + 0.125
            corners = [(int((x + dx) * width), int((y + dy) * height)) for dx, dy in ((-0.07, -0.2), (0.07, 0))]
            cv2.rectangle(image, corners[0], corners[1], (60, 60, 210 - 40 * lane), -1)
        noise = rng.integers(-4, 5, image.shape)
        yield Picture(START + timedelta(seconds=index / fps), (image + noise).astype(np.uint8), index)


def watch(pictures: Iterator[Picture], size: tuple[int, int]) -> list[Sighting]:
    gate = MotionGate(ZONES, *size)
    return [sighting for picture in pictures for sighting in gate.look(picture)]


@pytest.mark.parametrize(("size", "fps"), [((640, 360), 25), ((320, 180), 10), ((1280, 720), 5)])
def test_passes_do_not_depend_on_size_or_rate(size: tuple[int, int], fps: float) -> None:
    """One set of zones in fractions finds the same vehicles with any camera."""
    seen = watch(road(*size, fps, [(3, 1), (5, 2), (6, 1)], 9), size)
    assert [sighting.zone_id for sighting in seen if sighting.crossed_now] == ["lane-1", "lane-2", "lane-1"]


def test_crossings_have_the_time_of_the_lower_edge() -> None:
    """The lower edge of a box that starts at 3 s is at 0.525 of the height 1.05 s later."""
    (crossed,) = [s for s in watch(road(640, 360, 10, [(3, 1)], 7), (640, 360)) if s.crossed_now]
    assert crossed.crossed_at is not None
    assert (crossed.crossed_at - START).total_seconds() == pytest.approx(4.05, abs=0.1)


def test_few_pictures_of_a_vehicle_are_sent_and_the_crossing_is_among_them() -> None:
    """A fast camera does not flood the topic."""
    seen = watch(road(640, 360, 25, [(3, 1)], 7), (640, 360))
    assert 3 <= len(seen) <= GateSettings().most_pictures
    assert [s.first for s in seen] == [True] + [False] * (len(seen) - 1)
    assert [s.crossed_at is not None for s in seen] == sorted(s.crossed_at is not None for s in seen)


def test_boxes_lie_around_the_vehicle() -> None:
    """The crop holds the whole vehicle and little else."""
    (crossed,) = [s for s in watch(road(640, 360, 10, [(3, 1)], 7), (640, 360)) if s.crossed_now]
    x, _, width, height = crossed.box
    assert (x, width, height) == pytest.approx((0.305 * 640, 0.14 * 640, 0.2 * 360), abs=8)


def test_an_empty_road_sends_nothing() -> None:
    """Noise is no traffic."""
    assert watch(road(640, 360, 10, [], 5), (640, 360)) == []


def test_a_change_of_light_over_a_pause_is_no_traffic() -> None:
    """Cameras that are read only while something moves see day turn to night from one picture to the next."""
    gate = MotionGate(ZONES, 640, 360)
    day = list(road(640, 360, 6, [(3, 1)], 6))
    night = [Picture(p.captured_at + timedelta(hours=9), p.image // 3, p.index + 36) for p in day]
    seen = [[s.zone_id for p in part for s in gate.look(p) if s.crossed_now] for part in (day, night)]
    assert seen == [["lane-1"], ["lane-1"]]


def test_zones_that_do_not_fit_the_picture_are_refused_with_all_faults() -> None:
    """A camera with wrong zones does not start."""
    zones = [zone_from_text("a: 10,10 900,10 900,300"), zone_from_text("a: 10,10 90,10 90,300")]
    with pytest.raises(ConfigurationError) as caught:
        MotionGate(zones, 640, 360)
    assert len(caught.value.faults) >= 2
