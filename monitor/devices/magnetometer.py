"""The magnetic field at a device, which iron and magnets bend and which turns with the device."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from monitor.integrity.troubles import Sign, Verdict, sound_if
from monitor.spans import MINUTE
from monitor.windows import span_us

STRONGEST_UT = 1000.0
"The earth's field has 25 to 65; the usual sensors measure to some thousands."
TURNED_UT, TURNED_AGAIN_UT = 30.0, 20.0
"Away from the usual field: a device that was turned by 40° in 45 µT, or iron beside it. A lorry makes 15 in passing."
STEP_UT, STEP_US = 0.05, span_us(MINUTE)
"What the usual field follows a measurement by, once in so long: the magnet drifts slowly, and lorries leave no trace."


@dataclass(slots=True)
class Magnetometer:
    """What is known of the field."""

    usual: list[float] = field(default_factory=list)
    "Along x, y, z, microtesla; empty before the first."
    moved_us: int = -1
    "When it last followed a measurement."

    def judge(self, now: Sequence[float]) -> Verdict:
        """Whether the field is as usual."""
        strength = round(math.hypot(*now), 2)
        if strength > STRONGEST_UT:
            return Sign(STRONGEST_UT, strength, "no field of this earth: a magnet, or a broken sensor")
        if len(self.usual) != len(now):
            return "unclear"
        off = math.dist(now, self.usual)
        return self._turned(strength, off) if off > TURNED_UT else sound_if(off < TURNED_AGAIN_UT)

    def _turned(self, strength: float, off: float) -> Sign:
        note = f"the field is {off:.0f} µT off the usual one: iron is near, or the device was turned and its camera with it"
        return Sign(round(math.hypot(*self.usual), 2), strength, note)

    def learn(self, at_us: int, now: Sequence[float], is_sound: bool) -> None:
        """Follow a measurement that is sound; with other axes than before it is usual at once."""
        if len(now) != len(self.usual):
            self.usual = [*now]
        elif is_sound and at_us - self.moved_us >= STEP_US:
            self.usual = [round(known + _step(new - known), 3) for known, new in zip(self.usual, now, strict=True)]
            self.moved_us = at_us


def is_possible(now: Sequence[float]) -> bool:
    """Whether it may be a field of this earth."""
    return math.hypot(*now) <= STRONGEST_UT


def _step(off: float) -> float:
    return min(max(off, -STEP_UT), STEP_UT)
