"""What a camera usually shows is learnt by the time of day, and kept in few bytes."""

import json
import random

import pytest

from monitor.usual import HOUR_US, Habit, Hours, Nothing, Scene, Shifts, Usual

DAY_US = 24 * HOUR_US
HABITS: list[type[Habit]] = [Hours, Shifts, Nothing]


def day_of_hours(habit: Habit, day: int, level: float, step_us: int = HOUR_US // 6) -> None:
    """Learn a day on which each hour is one higher than the one before, and swings by a half."""
    for at_us in range(day * DAY_US, (day + 1) * DAY_US, step_us):
        swing = 0.5 if at_us // step_us % 2 else -0.5
        habit.learn(at_us, level + at_us // HOUR_US % 24 + swing)


def sketch(shift: int = 0, light: float = 1.0, veil: int = 0) -> bytes:
    """A scene of 16 × 9 cells, from a little to the right, in other light, behind a veil."""
    rng = random.Random(2)
    rows = [[rng.randrange(200) for _ in range(20)] for _ in range(9)]
    return bytes(min(255, int(luma * light) + veil) for row in rows for luma in row[shift : shift + 16])


@pytest.mark.parametrize("kind", HABITS)
def test_a_restored_habit_continues_identically(kind: type[Habit]) -> None:
    """Taken down to JSON after every value."""
    rng, steady, restored = random.Random(1), kind(), kind()
    for i in range(1000):
        at_us, value = i * HOUR_US // 3, rng.gauss(3, 1)
        restored = kind.restore(json.loads(json.dumps(restored.snapshot())))
        assert restored.at(at_us) == steady.at(at_us)
        restored.learn(at_us, value)
        steady.learn(at_us, value)
    assert restored.snapshot() == steady.snapshot()


def test_an_hour_is_known_from_the_day_before() -> None:
    """With how much it varies."""
    hours = Hours()
    day_of_hours(hours, 0, 10.0)
    assert hours.at(DAY_US + 7 * HOUR_US) == Usual(17.0, 0.5)
    assert Hours().at(0) is None


def test_a_newer_day_weighs_three_tenths() -> None:
    """What it differs by counts as spread."""
    hours = Hours()
    for day, level in enumerate((10.0, 14.0)):
        day_of_hours(hours, day, level)
    usual = hours.at(2 * DAY_US + 7 * HOUR_US)
    assert usual
    assert usual.level == pytest.approx(17 + 0.3 * 4)
    assert usual.spread == pytest.approx((0.7 * 0.5**2 + 0.3 * (4**2 + 0.5**2)) ** 0.5, abs=1e-3)


@pytest.mark.parametrize("kind", [Hours, Shifts])
def test_what_is_dropped_was_never_learnt(kind: type[Habit]) -> None:
    """The hour that is under way is forgotten."""
    habit, other = kind(), kind()
    for each in (habit, other):
        day_of_hours(each, 0, 10.0)
    habit.learn(DAY_US, 500.0)
    habit.drop()
    for each in (habit, other):
        day_of_hours(each, 1, 10.0)
    assert habit.at(2 * DAY_US) == other.at(2 * DAY_US)


def test_shifts_are_learnt_from_days_and_hardly_from_single_vehicles() -> None:
    """Nights with a fifth less than days become usual; one odd vehicle does not."""
    shifts = Shifts()
    shifts.learn(0, 0.0)
    shifts.learn(4 * HOUR_US, 1.0)
    assert shifts.at(DAY_US) == Usual(0.0, 0.0)
    for i in range(20 * 240):
        at_us = DAY_US + i * HOUR_US // 10
        shifts.learn(at_us, 0.7 if at_us // HOUR_US % 24 < 4 else 0.9)
    assert shifts.at(30 * DAY_US).level - shifts.at(30 * DAY_US + 12 * HOUR_US).level == pytest.approx(-0.2, abs=0.02)


@pytest.mark.parametrize("after", [sketch(light=0.7), sketch(light=0.5, veil=120), sketch()])
def test_other_light_is_the_same_scene(after: bytes) -> None:
    """Darker, or behind a veil."""
    scene = Scene()
    scene.learn(0, sketch())
    assert max(scene.distances(DAY_US, after)) == pytest.approx(0, abs=0.02)


def test_a_shifted_view_is_another_scene() -> None:
    """By a sixteenth is enough; what shows nothing resembles nothing."""
    scene = Scene()
    scene.learn(0, sketch())
    assert max(scene.distances(DAY_US, sketch(1))) > 1
    assert max(scene.distances(DAY_US, bytes(144))) == 1.0


def test_nothing_is_compared_with_a_scene_of_less_than_a_day() -> None:
    """By night it would not know the day."""
    scene = Scene()
    assert scene.distances(0, sketch()) == ()
    scene.learn(0, sketch())
    assert scene.distances(DAY_US - 1, sketch(1)) == ()


def test_what_hides_a_corner_is_seen() -> None:
    """Also where the sky beside it shows nothing at all."""
    plain = bytes(100 if at % 16 > 11 else luma for at, luma in enumerate(sketch()))
    hidden = bytes(60 if at // 16 > 4 and at % 16 < 5 else luma for at, luma in enumerate(plain))
    scene = Scene()
    scene.learn(0, plain)
    assert max(scene.distances(DAY_US, plain)) == pytest.approx(0, abs=0.01)
    assert max(scene.distances(DAY_US, hidden)) > 0.5


def test_the_usual_scene_follows_slowly() -> None:
    """Another view is unlike for a day, and alike after four: pictures come each ten minutes."""
    scene = Scene()
    for number in range(400 + 4 * 144):
        scene.learn(number, sketch(2 if number >= 400 else 0))
        if number == 400 + 144:
            assert max(scene.distances(DAY_US, sketch(2))) > 0.4
    assert max(scene.distances(DAY_US, sketch(2))) == pytest.approx(0, abs=0.04)


def test_a_restored_scene_continues_identically() -> None:
    """To the last step, in few bytes."""
    scene, restored = Scene(), Scene()
    for at_us, shift in enumerate((0, 1, 0, 2, 3, 0)):
        restored = Scene.restore(json.loads(json.dumps(restored.snapshot())))
        scene.learn(at_us, sketch(shift))
        restored.learn(at_us, sketch(shift))
    assert restored.snapshot() == scene.snapshot()
    assert len(json.dumps(scene.snapshot())) < 400


def test_an_hour_that_is_strange_for_a_week_is_usual_from_then_on() -> None:
    """Until then nothing is learnt of it, and an ordinary day between begins the count anew."""
    hours = Hours()
    for day in range(20):
        strange = day > 0 and day != 5
        for number in range(6):
            hours.learn(day * DAY_US + number, 20.0 if strange else 10.0, strange=strange)
        hours.learn(day * DAY_US + HOUR_US, 1.0)
        level = hours.at(0).level  # type: ignore[union-attr]
        assert level == (10.0 if day < 12 else 20.0)
