"""The sensors of a device, and what each says."""

import math
from collections.abc import Iterator

from schemas.records import Telemetry

TEMPERATURE, PRESSURE, FIELD = "temperature_c", "pressure_hpa", "magnetometer_ut"
"The sensors."


def sensed(telemetry: Telemetry) -> Iterator[tuple[str, float | list[float] | None]]:
    """What each sensor says; None where it says nothing."""
    yield TEMPERATURE, telemetry.temperature_c
    yield PRESSURE, telemetry.pressure_hpa
    yield FIELD, [*telemetry.magnetometer_ut] or None


def level(value: float | list[float]) -> float:
    """A measurement, or the length of a vector."""
    return math.hypot(*value) if isinstance(value, list) else value
