"""What a camera counts, and what it tells of it."""

from datetime import UTC, datetime

from prometheus_client import REGISTRY

from producers.simulator.telemetry import DeviceReading
from producers.telemetry import Meter

AT = datetime(2026, 1, 1, tzinfo=UTC)


def test_telemetry_tells_what_was_counted() -> None:
    meter = Meter("gate")
    meter.picture()
    meter.picture()
    meter.frame()
    meter.dropped("overrun", 3)
    meter.dropped("too-large", 0)
    meter.reconnected()
    record = meter.telemetry("running", AT, None)
    assert (record.pictures, record.frames, record.dropped, record.reconnects) == (2, 1, {"overrun": 3}, 1)


def test_a_device_without_sensors_measures_nothing() -> None:
    record = Meter("gate").telemetry("stalled", AT, None)
    assert (record.state, record.temperature_c, record.pressure_hpa, record.magnetometer_ut) == (
        "stalled",
        None,
        None,
        (),
    )


def test_a_devices_reading_is_told() -> None:
    record = Meter("gate").telemetry("running", AT, DeviceReading(31.5, 1013.0, (1.0, 2.0, 3.0)))
    assert (record.temperature_c, record.pressure_hpa, record.magnetometer_ut) == (31.5, 1013.0, (1.0, 2.0, 3.0))


def test_counts_are_there_for_prometheus_too() -> None:
    """By camera, and drops by reason."""
    Meter("counted").dropped("overrun", 2)
    labels = {"camera": "counted", "reason": "overrun"}
    assert REGISTRY.get_sample_value("roadwatch_camera_dropped_total", labels) == 2
