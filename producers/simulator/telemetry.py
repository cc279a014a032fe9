"""What the camera's device measures: its warmth, the air's pressure, and the magnetic field that iron disturbs."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from producers.simulator.truth import TruePassage

BASELINE_UT = (18.0, 4.0, -43.0)  # about the earth's field in middle Europe
BUMP_UT = {"car": 4.0, "truck": 15.0}
BUMP_S = 0.9  # half the time for which a vehicle is felt
HEAT_C = 38.0  # what a device running hot adds at full intensity


@dataclass(frozen=True, slots=True)
class DeviceReading:
    """The device's sensors at one time."""

    # Of the device in degrees Celsius.
    temperature_c: float
    # Of the air in hPa.
    pressure_hpa: float
    # Magnetic field across the road, along it and upwards, in microtesla.
    magnetometer_ut: tuple[float, float, float]


def reading_at(when: datetime, seed: int, hot: float, nearby: Iterable[TruePassage]) -> DeviceReading:
    """The reading at a time; `nearby` are the passages around it, `hot` the level of that condition."""
    rng = np.random.default_rng([seed, 23, int(when.timestamp() * 1000)])
    jitter = rng.normal(size=5)
    days = when.timestamp() / 86400
    day = math.sin((days % 1 - 0.375) * 2 * math.pi)
    weather = math.sin(days * 0.9 + seed % 7) + 0.5 * math.sin(days * 2.3 + seed % 5)
    return DeviceReading(
        temperature_c=round(27.0 + 7.0 * day + 1.5 * weather + HEAT_C * hot + 0.15 * float(jitter[0]), 2),
        pressure_hpa=round(1012.0 + 6.0 * weather + 0.08 * float(jitter[1]), 2),
        magnetometer_ut=_field(when, nearby, jitter[2:]),
    )


def _field(when: datetime, nearby: Iterable[TruePassage], jitter: np.ndarray) -> tuple[float, float, float]:
    x, y, z = (base + 0.12 * float(noise) for base, noise in zip(BASELINE_UT, jitter, strict=True))
    for passage in nearby:
        away = (when - passage.crossed_at).total_seconds() / BUMP_S
        bump = BUMP_UT[passage.label] * math.exp(-(away**2))
        x, y, z = x + 0.3 * bump, y - bump * away * 0.6, z - bump
    return round(x, 3), round(y, 3), round(z, 3)
