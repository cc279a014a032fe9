"""Telemetry, pacing and training crops."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from producers.simulator import Condition, PacedSource, SimulatorSource, training_crops

DAY = datetime(2026, 3, 2, tzinfo=UTC)


def camera(*conditions: Condition) -> SimulatorSource:
    return SimulatorSource(view="gate", seed=2, start=DAY, days=1, passages_per_day=10, conditions=conditions)


def test_readings_stay_in_their_ranges_and_repeat() -> None:
    """A day's readings are what such a device gives, and the same again."""
    times = [DAY + timedelta(minutes=7 * k) for k in range(200)]
    readings = [camera().telemetry_at(when) for when in times[:3]]
    assert readings == [camera().telemetry_at(when) for when in times[:3]]
    one = camera()
    for reading in map(one.telemetry_at, times):
        assert 10 < reading.temperature_c < 45
        assert 990 < reading.pressure_hpa < 1035
        assert all(abs(axis) < 80 for axis in reading.magnetometer_ut)


def test_a_vehicle_bends_the_field_and_a_truck_more() -> None:
    """Iron shows at the crossing and is forgotten a little later."""
    device = camera()
    felt: dict[str, list[float]] = {"car": [], "truck": []}
    for passage in device.passages(DAY, DAY + timedelta(days=1)):
        at, after = (device.telemetry_at(passage.crossed_at + timedelta(seconds=s)) for s in (0, 60))
        felt[passage.label].append(after.magnetometer_ut[2] - at.magnetometer_ut[2])
    assert min(felt["car"]) > 2
    assert np.mean(felt["truck"]) > 2 * np.mean(felt["car"])


def test_a_hot_device_says_so() -> None:
    """Its temperature rises by tens of degrees."""
    hot = camera(Condition("hot", DAY, ramp=timedelta()))
    noon = DAY + timedelta(hours=12)
    assert hot.telemetry_at(noon).temperature_c > camera().telemetry_at(noon).temperature_c + 30


class Clock:
    """A clock that moves only by sleeping."""

    now = 100.0

    def read(self) -> float:
        """Seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Moves the clock on."""
        self.now += seconds


def test_pacing_follows_event_time() -> None:
    """At 3600 times the speed an hour takes a second."""
    clock = Clock()
    paced = PacedSource(camera(), 3600, clock.read, clock.sleep)
    for picture in iter(paced.read, None):
        assert clock.now - 100 == pytest.approx((picture.captured_at - DAY).total_seconds() / 3600)


def test_without_a_speed_nobody_waits() -> None:
    """None: as fast as can be."""
    clock = Clock()
    paced = PacedSource(camera(), None, clock.read, clock.sleep)
    assert paced.read() is not None
    assert clock.now == 100
    paced.close()
    assert paced.read() is None


def test_a_pace_must_be_positive() -> None:
    """The message says what may stand there."""
    with pytest.raises(ValueError, match="speed_up 0"):
        PacedSource(camera(), 0)


def test_training_crops_repeat_and_are_labelled() -> None:
    """Equal seeds give equal crops of both labels, none too large."""
    ours, theirs = list(training_crops(4, 24)), list(training_crops(4, 24))
    assert all(np.array_equal(a[0], b[0]) and a[1:] == b[1:] for a, b in zip(ours, theirs, strict=True))
    assert {label for _, label, _ in ours} == {"car", "truck"}
    assert all(crop.dtype == np.uint8 and 20 <= max(crop.shape[:2]) <= 128 for crop, _, _ in ours)
