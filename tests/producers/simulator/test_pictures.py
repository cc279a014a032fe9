"""The simulated camera's pictures, and the truth told of them."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from producers.simulator import VIEWS, Condition, SimulatorSource, TruePassage
from producers.source import Picture

DAY = datetime(2026, 3, 2, tzinfo=UTC)
NOON = DAY + timedelta(hours=12)


def source(view: str = "gate", *conditions: Condition, passages_per_day: int = 8) -> SimulatorSource:
    return SimulatorSource(
        view=view, seed=3, start=DAY, days=1, passages_per_day=passages_per_day, conditions=conditions
    )


def all_pictures(camera: SimulatorSource) -> list[Picture]:
    return list(iter(camera.read, None))


def alone(camera: SimulatorSource) -> list[TruePassage]:
    """Passages during which nobody else is in view."""
    passages = camera.passages(DAY, DAY + timedelta(days=1))
    return [p for p in passages if len(camera.truth_at(p.crossed_at)) == 1]


def test_equal_settings_give_equal_bytes() -> None:
    """Two cameras of one seed see the same, picture for picture."""
    for ours, theirs in zip(all_pictures(source()), all_pictures(source()), strict=True):
        assert ours.captured_at == theirs.captured_at
        assert np.array_equal(ours.image, theirs.image)


def test_a_picture_does_not_depend_on_those_before_it() -> None:
    """Asked for alone, the hundredth picture is the one that was read."""
    read = all_pictures(source())[100]
    assert np.array_equal(source().picture_at(read.captured_at).image, read.image)


def test_pictures_are_bgr_bytes_and_counted() -> None:
    """uint8, 360x640x3, numbered from 0."""
    pictures = all_pictures(source(passages_per_day=2))
    assert [picture.index for picture in pictures] == list(range(len(pictures)))
    assert {(picture.image.shape, picture.image.dtype.name) for picture in pictures} == {((360, 640, 3), "uint8")}


def test_nothing_passes_between_two_pictures() -> None:
    """While something is in view, pictures follow each other at the asked pace."""
    camera = source()
    times = [picture.captured_at for picture in all_pictures(camera)]
    for passage in camera.passages(DAY, DAY + timedelta(days=1)):
        seen = [when for when in times if passage.enters_at <= when <= passage.leaves_at]
        assert seen[0] - passage.enters_at <= timedelta(seconds=1 / 6)
        assert all(later - sooner <= timedelta(seconds=1 / 6) for sooner, later in pairwise(seen))


def test_the_empty_road_is_skipped_but_shown_before_a_vehicle_comes() -> None:
    """A day with one vehicle needs few pictures, three of them of the empty road right before it."""
    camera = source(passages_per_day=1)
    (passage,) = camera.passages(DAY, DAY + timedelta(days=1))
    times = [picture.captured_at for picture in all_pictures(camera)]
    just_before = [when for when in times if timedelta() < passage.enters_at - when < timedelta(seconds=1)]
    assert len(just_before) >= 3
    assert len(times) < 144 + 6 * 20


def test_times_only_go_forward() -> None:
    """No two pictures carry the same time."""
    times = [picture.captured_at for picture in all_pictures(source(passages_per_day=30))]
    assert all(sooner < later for sooner, later in pairwise(times))


@pytest.mark.parametrize("view", VIEWS)
def test_boxes_hold_the_vehicle(view: str) -> None:
    """What differs from the empty road lies in the box, but for shadow and noise; and the box is full."""
    camera, empty = source(view), source(view, passages_per_day=0)
    for passage in alone(camera)[:4]:
        (vehicle,) = camera.truth_at(passage.crossed_at)
        left, top, width, height = (round(edge) for edge in vehicle.box)
        road = empty.picture_at(passage.crossed_at).image.astype(int)
        differs = np.abs(camera.picture_at(passage.crossed_at).image - road).max(axis=2) > 24
        inside = differs[top : top + height, left : left + width]
        assert inside.mean() > 0.35, passage
        assert differs[: max(0, top - 3)].sum() < 60, passage


@pytest.mark.parametrize("view", VIEWS)
def test_vehicles_meet_the_line_when_the_truth_says(view: str) -> None:
    """At its crossing a vehicle's lower edge lies by its zone's line, or as far above as its bumper hangs."""
    camera = source(view, passages_per_day=40)
    lines = {zone: line for zone, _, line in camera.zones()}
    for passage in alone(camera):
        (vehicle,) = camera.truth_at(passage.crossed_at)
        lower_edge = vehicle.box[1] + vehicle.box[3]
        heights = [y for _, y in lines[passage.lane]]
        assert min(heights) - 12 < lower_edge < max(heights) + 6, passage


def test_boxes_grow_as_a_vehicle_approaches() -> None:
    """Perspective holds: nearer is larger."""
    camera = source("overpass")
    passage = alone(camera)[0]
    sizes = []
    for seconds in (-1.5, -1.0, -0.5, 0.0):
        ((box),) = [v.box for v in camera.truth_at(passage.crossed_at + timedelta(seconds=seconds))]
        sizes.append(box[2] * box[3])
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("view", VIEWS)
def test_zones_lie_in_the_picture_and_hold_their_line(view: str) -> None:
    """One zone a lane, its line between its far and near end."""
    zones = source(view).zones()
    assert len(zones) == len(VIEWS[view].lanes)
    for _, area, line in zones:
        assert all(0 <= x < 640 and 0 <= y < 360 for x, y in (*area, *line))
        assert min(y for _, y in area) < min(y for _, y in line)


def contrast(camera: SimulatorSource, when: datetime) -> float:
    return float(camera.picture_at(when).image.std())


def test_fog_takes_contrast_and_goes_again() -> None:
    """Within its time the picture is flat; before and after, it is as if nothing had been."""
    fog = Condition("fog", NOON, NOON + timedelta(hours=2), 0.8, ramp=timedelta())
    foggy, clear = source("gate", fog), source()
    assert contrast(foggy, NOON) < 0.5 * contrast(clear, NOON)
    for outside in (NOON - timedelta(seconds=1), NOON + timedelta(hours=2)):
        assert np.array_equal(foggy.picture_at(outside).image, clear.picture_at(outside).image)


@pytest.mark.parametrize(
    "kind", ["night", "clouds", "rain", "bump", "dirt", "leaf", "blur", "dim", "blown", "black", "noise", "hot"]
)
def test_each_condition_changes_the_picture_from_its_start(kind: str) -> None:
    """Switched on at noon, seen from noon."""
    camera, clear = source("gate", Condition(kind, NOON, ramp=timedelta())), source()
    before = NOON - timedelta(seconds=1)
    assert np.array_equal(camera.picture_at(before).image, clear.picture_at(before).image)
    assert not np.array_equal(camera.picture_at(NOON).image, clear.picture_at(NOON).image)


def test_night_is_dark() -> None:
    """A full night has less than a third of the day's light."""
    camera = source("highway", Condition("night", NOON, ramp=timedelta()))
    assert camera.picture_at(NOON).image.mean() < 0.33 * source("highway").picture_at(NOON).image.mean()


def grey(camera: SimulatorSource) -> np.ndarray:
    """The picture at noon, luma."""
    return camera.picture_at(NOON).image.mean(axis=2)


def level(kind: str, intensity: float) -> SimulatorSource:
    return source("gate", Condition(kind, NOON, intensity=intensity, ramp=timedelta()))


def test_a_worse_focus_takes_more_of_the_edges() -> None:
    """Differences between neighbours shrink as the blur grows."""
    edges = [np.abs(np.diff(grey(level("blur", blur)))).mean() for blur in (0, 0.25, 0.55, 0.9)]
    assert edges == sorted(edges, reverse=True)
    assert edges[-1] < 0.6 * edges[0]


def test_exposure_moves_the_brightness_either_way() -> None:
    """Dim pictures darken, blown ones end in white."""
    clear = grey(source()).mean()
    assert clear > grey(level("dim", 0.3)).mean() > 2 * grey(level("dim", 0.9)).mean()
    assert np.median(grey(level("blown", 0.9))) > 250


def test_a_black_camera_shows_its_noise_alone() -> None:
    """However little of it there is."""
    assert grey(level("black", 0.1)).max() < 16


def test_a_leaf_hides_a_part_and_leaves_the_rest() -> None:
    """Half the picture is as it was."""
    differs = np.abs(grey(level("leaf", 0.55)) - grey(source())) > 8
    assert 0.1 < differs.mean() < 0.5


def test_clouds_take_the_shadows_and_little_light() -> None:
    """The camera's exposure makes up for most of what the sun gave."""
    assert 0.5 < grey(level("clouds", 1.0)).mean() / grey(source()).mean() < 0.9


def test_a_frozen_camera_repeats_the_picture_of_its_start() -> None:
    """Byte for byte, with the vehicles of that time; afterwards it goes on as if nothing had been."""
    camera = source("gate", Condition("frozen", NOON, NOON + timedelta(hours=1)))
    first = camera.picture_at(NOON).image
    for minutes in (1, 30, 59):
        assert np.array_equal(camera.picture_at(NOON + timedelta(minutes=minutes)).image, first)
        assert camera.truth_at(NOON + timedelta(minutes=minutes)) == camera.truth_at(NOON)
    after = NOON + timedelta(hours=1)
    assert np.array_equal(camera.picture_at(after).image, source().picture_at(after).image)


def test_smaller_pictures_have_smaller_boxes() -> None:
    """At full, half as wide and high; the truth keeps to the pixels."""
    when = alone(source())[0].crossed_at
    camera = source("gate", Condition("small", DAY, ramp=timedelta()))
    assert camera.picture_at(when).image.shape == (180, 320, 3)
    (large,), (small,) = source().truth_at(when), camera.truth_at(when)
    assert small.box == pytest.approx([edge / 2 for edge in large.box])


def test_a_bump_moves_the_boxes_with_the_picture() -> None:
    """The truth follows the knocked camera."""
    bump = Condition("bump", DAY, ramp=timedelta())
    knocked, still = source("overpass", bump), source("overpass")
    when = alone(still)[0].crossed_at
    assert knocked.truth_at(when)[0].box != still.truth_at(when)[0].box


def test_wrong_settings_are_refused_by_name() -> None:
    """The message says what may be chosen."""
    with pytest.raises(ValueError, match="junction"):
        SimulatorSource(view="moon", seed=1, start=DAY, days=1)
    with pytest.raises(ValueError, match="time zone"):
        SimulatorSource(view="gate", seed=1, start=DAY.replace(tzinfo=None), days=1)
    with pytest.raises(ValueError, match="days 0"):
        SimulatorSource(view="gate", seed=1, start=DAY, days=0)


def test_a_closed_camera_gives_nothing_more() -> None:
    """After close, and after a second one, read gives None."""
    camera = source()
    camera.close()
    camera.close()
    assert camera.read() is None
