"""The story's days: which cameras film, and what befalls the road. Nothing else is laid down."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from roadwatch.demo.scenario import START, SimulatedCamera

PASSAGES: Final = 26
"Vehicles a camera and day."
OLD: Final = (("toll-gate", "gate", 11), ("junction", "junction", 12), ("street", "street", 15))
"""Cameras that have been there before: id, the simulator's view, and the seed of traffic and noise. No overpass: in fog the
motion gate loses the roofs there, and no label shows a camera what its pictures lack."""
NEW: Final = ("highway", "highway", 14)
"The camera that comes on the second day."
LENGTH: Final = timedelta(days=1)
DARKNESS: Final = 0.7


@dataclass(frozen=True, slots=True)
class StoryDay:
    """One day of the story."""

    at: datetime
    "When it begins, event time, UTC."
    weather: str
    "In words."
    conditions: tuple[tuple[str, float], ...]
    "What befalls every camera all day: the simulator's kind, and how bad it is."
    has_new_camera: bool
    "Whether the new camera films."

    @property
    def name(self) -> str:
        """`2026-03-02`."""
        return f"{self.at:%Y-%m-%d}"

    @property
    def cameras(self) -> tuple[SimulatedCamera, ...]:
        """Those that film."""
        cast = (*OLD, NEW) if self.has_new_camera else OLD
        return tuple(SimulatedCamera(name, view, seed, tuple(self._lines())) for name, view, seed in cast)

    def _lines(self) -> Iterator[str]:
        yield from (f"{kind}@{self.at:%Y-%m-%dT%H:%M}={level:g}~0m" for kind, level in self.conditions)
        for begins in (self.at - timedelta(hours=2), self.at + timedelta(hours=22)):
            yield f"night@{begins:%Y-%m-%dT%H:%M}/{begins + timedelta(hours=6):%Y-%m-%dT%H:%M}={DARKNESS:g}"


CLEAR: Final[tuple[tuple[str, float], ...]] = ()
FOG: Final = (("fog", 0.5), ("pickups", 0.9))
"Fog, and nine in ten trucks are parcel pick-ups: trucks with a car's face, never seen before."


def _day(number: int, weather: str, conditions: tuple[tuple[str, float], ...], *, new: bool) -> StoryDay:
    return StoryDay(START + number * LENGTH, weather, conditions, new)


DAYS: Final = (
    _day(0, "clear, with a night as always", CLEAR, new=False),
    _day(1, "fog; a new camera; parcel pick-ups, a new kind of truck", FOG, new=True),
    _day(2, "the fog stays, and the pick-ups", FOG, new=True),
    _day(3, "the fog stays, and the pick-ups", FOG, new=True),
    _day(4, "clear again", CLEAR, new=True),
)
