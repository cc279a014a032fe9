"""Which frames are pushed of each picture: the vehicles that the gate sees, or every n-th whole picture."""

from collections.abc import Sequence
from typing import Protocol

from producers.framing import Framer
from producers.gate import MotionGate, Sighting
from producers.source import Picture
from producers.zones import Zone
from schemas.errors import ConfigurationError
from schemas.records import Box, Frame


class Selection(Protocol):
    """Chooses what is pushed."""

    def frames(self, picture: Picture) -> Sequence[Frame]:
        """The frames to push of a picture; raises ConfigurationError when the zones do not fit its size."""
        ...


class EveryNth:
    """The gate is off: the first picture and every n-th after it, whole."""

    def __init__(self, framer: Framer, every: int) -> None:
        self._framer = framer
        self._every = every
        self._seen = 0

    def frames(self, picture: Picture) -> Sequence[Frame]:
        """The picture, if it is its turn."""
        turn = self._seen % self._every == 0
        self._seen += 1
        return [self._framer.whole(picture, "sample")] if turn else []


class Vehicles:
    """The gate is on: vehicles that pass, cut out of the picture.

    The zones are fitted to the first picture, and anew should the pictures' size change.
    """

    def __init__(self, framer: Framer, zones: Sequence[Zone]) -> None:
        self._framer = framer
        self._zones = tuple(zones)
        self._gate: MotionGate | None = None
        self._size = (0, 0)

    def frames(self, picture: Picture) -> Sequence[Frame]:
        """The vehicles that are worth sending; raises ConfigurationError when the zones do not fit."""
        sightings = self._gate_for(picture).look(picture)
        return [self._frame(picture, sighting) for sighting in sightings]

    def _gate_for(self, picture: Picture) -> MotionGate:
        height, width = picture.image.shape[:2]
        if self._gate is None or self._size != (width, height):
            self._gate, self._size = self._fitted(width, height), (width, height)
            self._framer.forget_passages()
        return self._gate

    def _fitted(self, width: int, height: int) -> MotionGate:
        try:
            return MotionGate(self._zones, width, height)
        except ConfigurationError as error:
            raise ConfigurationError(f"zones on pictures of {width}x{height}", error.faults) from error

    def _frame(self, picture: Picture, sighting: Sighting) -> Frame:
        left, top, right, bottom = sighting.crop
        return self._framer.vehicle(
            picture,
            sighting.cut(picture.image),
            Box(left, top, right - left, bottom - top),
            sighting.zone_id,
            sighting.track,
            sighting.crossed_at,
        )
