"""What the air's pressure may be, and how it may move."""

from dataclasses import dataclass, field
from typing import Final

from monitor.devices.trail import Trail
from monitor.integrity.troubles import Sign, Verdict, sound_if
from monitor.spans import HOUR_US, MINUTE
from monitor.windows import span_us

LOWEST_HPA, HIGHEST_HPA = 870.0, 1085.0
"The extremes that were ever measured at sea level (870 in a typhoon, 1979; 1085 in Mongolia, 2001)."
JUMP_HPA, JUMP_US = 4.0, HOUR_US
"Between two records that are no further apart: a housing that is opened, or one that was tight."
FALL_HPA, FALL_AGAIN_HPA, FALL_US = 12.0, 8.0, 6 * HOUR_US
"Within six hours: twice of what deepens a storm explosively (24 hPa a day; Sanders and Gyakum, 1980)."
KEPT_EVERY: Final = span_us(30 * MINUTE)
"Between two values that are kept of the last six hours."


@dataclass(slots=True)
class Pressure:
    """What is known of the pressure at a device."""

    trail: Trail = field(default_factory=lambda: Trail(KEPT_EVERY, FALL_US))
    "What it was in the last six hours."
    last_us: int = -1
    "When the newest value came."
    last: float = 0.0
    "The level then."

    def judge(self, at_us: int, value: float) -> Verdict:
        """Whether the air's pressure is one of this earth, and moves as weather does."""
        change, last_us, last = self.trail.change(at_us, value), self.last_us, self.last
        self.last_us, self.last = at_us, self.trail.level
        is_near = last_us >= 0 and at_us - last_us <= JUMP_US
        if sign := _outside(self.last) or (_jump(last_us, last, self.last) if is_near else None):
            return sign
        return self._fall(change) or sound_if(abs(change) < FALL_AGAIN_HPA)

    def _fall(self, change: float) -> Sign | None:
        if abs(change) <= FALL_HPA:
            return None
        note = f"{abs(change):.0f} hPa within six hours: is the housing tight?"
        return Sign(round(self.last - change, 2), self.last, note)


def _outside(now: float) -> Sign | None:
    if LOWEST_HPA <= now <= HIGHEST_HPA:
        return None
    limit = HIGHEST_HPA if now > HIGHEST_HPA else LOWEST_HPA
    return Sign(limit, now, f"outside {LOWEST_HPA:.0f} to {HIGHEST_HPA:.0f} hPa")


def _jump(last_us: int, last: float, now: float) -> Sign | None:
    if abs(now - last) <= JUMP_HPA:
        return None
    note = f"a jump by {abs(now - last):.1f} hPa from one record to the next: was the housing opened?"
    return Sign(last, now, note, since_us=last_us)
