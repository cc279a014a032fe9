"""How warm a device may be, usually is, and just was."""

from dataclasses import dataclass, field
from typing import Final

from monitor.devices.trail import Trail
from monitor.integrity.hourly import Hourly
from monitor.integrity.troubles import Sign, Verdict, sound_if
from monitor.spans import MINUTE
from monitor.windows import span_us

COLDEST_C, HOTTEST_C, INSIDE_C = -30.0, 75.0, 5.0
"What electronics for outdoors are made for; and how far inside of it they are well again."
OFF_K, OFF_AGAIN_K = 15.0, 10.0
"Away from the usual of the hour. Weather moves a day by some kelvins; a fan that stops, by tens."
CHANGE_K, CHANGE_AGAIN_K, CHANGE_US = 10.0, 6.0, span_us(30 * MINUTE)
"Within half an hour: a housing follows the sun more slowly."
REACH_OF_DAY = 6.0
"Kelvins that a day may count for; see Hourly."
KEPT_EVERY: Final = span_us(5 * MINUTE)
"Between two values that are kept of the last half hour."


@dataclass(slots=True)
class Temperature:
    """What is known of a device's temperature."""

    hourly: Hourly = field(default_factory=lambda: Hourly(REACH_OF_DAY))
    "What it usually is."
    trail: Trail = field(default_factory=lambda: Trail(KEPT_EVERY, CHANGE_US))
    "What it was in the last half hour."

    def judge(self, at_us: int, now: float) -> Verdict:
        """Whether the device is as warm as it may be, as it usually is, and as it just was."""
        known, change = self.hourly.at(at_us), self.trail.change(at_us, now)
        usual = now if known is None else round(known[0], 1)
        if sign := _outside(now) or _unusual(now, usual) or self._changed(now, change):
            return sign
        is_inside = COLDEST_C + INSIDE_C <= now <= HOTTEST_C - INSIDE_C
        return sound_if(is_inside and abs(now - usual) < OFF_AGAIN_K and abs(change) < CHANGE_AGAIN_K)

    def _changed(self, now: float, change: float) -> Sign | None:
        if abs(change) <= CHANGE_K:
            return None
        return Sign(round(self.trail.level - change, 2), now, f"{abs(change):.0f} K within half an hour")

    def relearn(self) -> None:
        """Learn anew what is usual."""
        self.hourly = Hourly(REACH_OF_DAY)


def is_possible(now: float) -> bool:
    """Whether electronics for outdoors are made for it."""
    return COLDEST_C <= now <= HOTTEST_C


def _outside(now: float) -> Sign | None:
    if is_possible(now):
        return None
    limit = HOTTEST_C if now > HOTTEST_C else COLDEST_C
    return Sign(limit, now, f"outside {COLDEST_C:.0f} to {HOTTEST_C:.0f} °C")


def _unusual(now: float, usual: float) -> Sign | None:
    if abs(now - usual) <= OFF_K:
        return None
    than = "warmer" if now > usual else "colder"
    return Sign(usual, now, f"{abs(now - usual):.0f} K {than} than usual at this hour")
