"""How bright, how hazy and how noisy a picture is, by time of day and by what befalls the camera.

Haze follows Koschmieder's law: of a thing's light exp(-density * distance) arrives, the rest is the haze's own.
"""

import math
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from producers.simulator.conditions import Levels
from producers.simulator.geometry import Floats

DAY_STEPS = 96  # daylight moves in steps of about 1 %: too small for a motion gate to see


@dataclass(frozen=True, slots=True)
class Light:
    """What lights and veils the scene; equal lights give equal pictures."""

    # What befalls the camera.
    levels: Levels
    # Strength of daylight, 0..1, from the time of day.
    daylight: float
    # How far the light is towards its morning or evening warmth, 0..1.
    warmth: float

    def ambient(self) -> Floats:
        """Light from the whole sky, BGR."""
        dark = self.levels.night
        day = self.daylight * (1 - 0.30 * self.levels.rain) * (1 - 0.08 * self.levels.clouds)
        sky = np.array([1.04, 1.0, 0.97])
        moon = np.array([0.105, 0.085, 0.070])
        return np.asarray(day * (1 - dark) ** 1.5 * sky + dark * moon)

    def sun(self) -> Floats:
        """Light straight from the sun, BGR."""
        levels = self.levels
        clear = (1 - levels.night) ** 2 * (1 - 0.9 * levels.fog) * (1 - 0.92 * min(1.0, 2 * levels.rain))
        clear *= 1 - 0.6 * levels.clouds
        warm = np.array([0.96 - 0.20 * self.warmth, 1.0 - 0.05 * self.warmth, 1.02])
        return np.asarray(self.daylight * clear * warm)

    def lamps(self) -> Floats:
        """Light of the street lamps where it is brightest, BGR."""
        return np.asarray(self.levels.night**1.5 * np.array([0.20, 0.33, 0.44]))

    def headlights(self) -> float:
        """How strongly headlights show, 0..1: by day they are off."""
        return max(self.levels.night, 0.55 * self.levels.fog, 0.35 * self.levels.rain)

    def haze_density(self) -> float:
        """Extinction in 1/m; at full fog about 37 m of sight, on a clear day some kilometres."""
        fog, rain = self.levels.fog, self.levels.rain
        return 0.0006 + 0.105 * math.pow(fog, 1.6) + 0.012 * math.pow(rain, 1.5)

    def haze_colour(self) -> Floats:
        """The haze's own light, BGR 0..1."""
        grey = np.array([0.72, 0.71, 0.69]) * (1 - 0.22 * self.levels.rain)
        glow = np.array([0.10, 0.12, 0.14])
        return np.asarray(self.daylight * (1 - self.levels.night) ** 1.5 * grey + self.levels.night * glow)

    def arrives(self, distance_m: NDArray[np.floating]) -> Floats:
        """Share of the light that arrives from that distance."""
        return np.asarray(np.exp(-self.haze_density() * distance_m))

    def noise_sigma(self) -> float:
        """Standard deviation of the sensor's noise in grey levels."""
        levels = self.levels
        return 1.6 + 5.5 * levels.night + 22.0 * levels.noise + 5.0 * levels.hot + 1.5 * levels.rain + levels.fog


def light_at(when: datetime, levels: Levels) -> Light:
    """The light at a time of the day (UTC), under these levels.

    The place lies far north in summer: its clear nights are pale, and darkness is a condition of its own.
    The camera's own exposure takes out most of what the day changes; a tenth of it is left.
    """
    hour = when.hour + when.minute / 60 + when.second / 3600
    height = 0.5 - 0.5 * np.cos((hour - 1.0) / 24 * 2 * np.pi)
    daylight = round((0.93 + 0.07 * height) * DAY_STEPS) / DAY_STEPS
    warmth = round(max(0.0, 0.5 - height) * 16) / 32
    return Light(levels, float(daylight), float(warmth))


def veiled(colours: Floats, distances: Floats, light: Light) -> Floats:
    """Colours (n, 3) as they arrive through the haze from distances (n,)."""
    arrives = light.arrives(distances)[:, None]
    return np.asarray(colours * arrives + light.haze_colour() * (1 - arrives))


def as_bytes(colours: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Colours of 0..1 as uint8, clipped."""
    return np.asarray(np.clip(colours * 255 + 0.5, 0, 255), dtype=np.uint8)
