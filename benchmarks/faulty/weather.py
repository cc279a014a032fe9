"""Ordinary weather, drawn by day: a night each night, clouds, a shower every third day, mist on some mornings."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import numpy as np

DUSK, NIGHT_HOURS = 20.5, 9.0
"When night begins, hours after midnight, and how long it is."
MIST_SHARE = 0.35
"Of mornings."


def weather(seed: int, day: datetime) -> tuple[str, ...]:
    """The conditions of a day that begins at `day`, those that reach over from the day before with it."""
    yesterday = day - timedelta(days=1)
    return (*(line for line in _drawn(seed, yesterday) if _ends_after(line, day)), *_drawn(seed, day))


def condition(kind: str, start: datetime, end: datetime, intensity: float, ramp_minutes: float | None = None) -> str:
    """A line as the simulator reads it, times to the minute."""
    ramp = "" if ramp_minutes is None else f"~{ramp_minutes:.0f}m"
    return f"{kind}@{start:%Y-%m-%dT%H:%M}/{end:%Y-%m-%dT%H:%M}={intensity:.2f}{ramp}"


def touches(line: str, day: datetime) -> bool:
    """Whether a condition with an end lasts at some time of the day."""
    start = datetime.fromisoformat(line.partition("@")[2].partition("/")[0]).replace(tzinfo=day.tzinfo)
    return start < day + timedelta(days=1) and _ends_after(line, day)


def _ends_after(line: str, when: datetime) -> bool:
    end = line.partition("/")[2].partition("=")[0]
    return datetime.fromisoformat(end).replace(tzinfo=when.tzinfo) > when


def _drawn(seed: int, day: datetime) -> Iterator[str]:
    rng = np.random.default_rng([seed, 41, day.toordinal()])
    yield _spell("night", day, DUSK, NIGHT_HOURS, 0.9, 40)
    for start in rng.uniform([4, 9, 14], [8, 13, 18]):
        yield _spell("clouds", day, start, rng.uniform(1, 5), rng.uniform(0.1, 0.8), rng.uniform(20, 60))
    if (day.toordinal() + seed) % 3 == 0:
        start, hours, level = rng.uniform(5, 19), rng.uniform(1, 3), rng.uniform(0.1, 0.35)
        yield _spell("rain", day, start, hours, level, rng.uniform(10, 20))
    if rng.random() < MIST_SHARE:
        start, hours, level = rng.uniform(3.5, 5.5), rng.uniform(2.5, 4), rng.uniform(0.1, 0.2)
        yield _spell("fog", day, start, hours, level, 45)


def _spell(kind: str, day: datetime, start_h: float, hours: float, intensity: float, ramp_minutes: float) -> str:
    start = day + timedelta(hours=start_h)
    return condition(kind, start, start + timedelta(hours=hours), intensity, ramp_minutes)
