"""Gives a source's pictures no sooner than their event time says, sped up as wanted."""

import time
from collections.abc import Callable
from datetime import datetime

from producers.source import Picture, Source


class PacedSource:
    """A source whose event time runs `speed_up` times as fast as the clock; None: as fast as can be.

    The clock starts with the first picture. A reader that falls behind is not waited for.
    """

    def __init__(
        self,
        source: Source,
        speed_up: float | None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`clock` and `sleep` are in seconds. Raises ValueError when `speed_up` is not positive."""
        if speed_up is not None and speed_up <= 0:
            raise ValueError(f"speed_up {speed_up} must be above 0 (3600: an hour a second), or None")
        self._source, self._speed_up = source, speed_up
        self._clock, self._sleep = clock, sleep
        self._began: tuple[float, datetime] | None = None

    def read(self) -> Picture | None:
        """The next picture, when its time has come; None after the last."""
        picture = self._source.read()
        if picture is not None and self._speed_up is not None:
            self._wait_for(picture.captured_at, self._speed_up)
        return picture

    def close(self) -> None:
        """Closes the source."""
        self._source.close()

    def _wait_for(self, captured_at: datetime, speed_up: float) -> None:
        if self._began is None:
            self._began = self._clock(), captured_at
        started, first = self._began
        due = started + (captured_at - first).total_seconds() / speed_up
        if (ahead := due - self._clock()) > 0:
            self._sleep(ahead)
