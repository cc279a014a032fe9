"""How patient the alerts are, and what time it is for them.

newest of all cameras  ──┬────┬────┬────┬────┬────┬────┐
north, in step         ──┬────┬────┐   silent, three hours behind the newest at most
south, a week behind   ──┬────┬────┬────┬────┬────┐       its week and three hours behind, when it is silent too
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Self

from monitor.windows import span_us
from schemas.times import from_us

PATIENCE_US: Final = span_us(timedelta(hours=3))
"A camera that says nothing is taken to be no further than this behind the others."
DAYS_KEPT: Final = 40
"Days after which what is over is forgotten; as long as reports may get revisions."
KEPT: Final = timedelta(days=DAYS_KEPT)


@dataclass(frozen=True, slots=True)
class Pace:
    """Spans of event time in an alert's life."""

    hold: timedelta = timedelta(minutes=45)
    "Evidence is gathered for this long before a cause is named and an alert opens."
    together: timedelta = timedelta(hours=3)
    "What begins at several cameras within this span, and has the same cause, is one fault."
    quiet: timedelta = timedelta(hours=2)
    "An alert resolves when all that was found is over for this long."
    reopen: timedelta = timedelta(hours=24)
    "The same again within this span of its end is the same alert."
    unheard: timedelta = timedelta(days=3)
    "What nothing is said of for this long is taken to be over."
    update: timedelta = timedelta(hours=3)
    "An open alert with more findings is sent again, and not sooner."
    renew: timedelta = timedelta(hours=24)
    "An open alert without any is sent again after this span, so that whoever wants reminders has something to count."


@dataclass(slots=True)
class Clock:
    """Event time, camera by camera."""

    seen: dict[str, int] = field(default_factory=dict)
    "The newest time that each camera has told of, microseconds since 1970."
    timezone: str = "UTC"
    "IANA name, of the newest day."
    newest_us: int = 0
    "The newest time of all cameras."
    behind: dict[str, int] = field(default_factory=dict)
    """How far cameras were behind it when they went on last, microseconds, where that is more than the patience: what was
    filmed last week is classified beside what happens now."""

    @property
    def newest(self) -> datetime:
        """Likewise."""
        return from_us(self.newest_us)

    def see(self, camera_id: str, at_us: int) -> None:
        """A camera has told of a time."""
        self.newest_us = max(self.newest_us, at_us)
        if at_us > self.seen.get(camera_id, -1):
            self.seen[camera_id] = at_us
            self.behind.pop(camera_id, None)
            if self.newest_us - at_us > PATIENCE_US:
                self.behind[camera_id] = self.newest_us - at_us

    def now_us(self, camera_id: str) -> int:
        """What time it is at a camera."""
        return max(self.seen.get(camera_id, 0), self.newest_us - PATIENCE_US - self.behind.get(camera_id, 0))

    def forget(self) -> None:
        """Forget cameras that are gone."""
        most_us = span_us(KEPT)
        self.seen = {camera: at_us for camera, at_us in self.seen.items() if self.now_us(camera) - at_us <= most_us}
        self.behind = {camera: behind_us for camera, behind_us in self.behind.items() if camera in self.seen}

    def snapshot(self) -> list[Any]:
        """The whole state, as JSON."""
        return [self.seen, self.timezone, self.newest_us, self.behind]

    @classmethod
    def restore(cls, plain: list[Any]) -> Self:
        """Continue from a snapshot."""
        seen, timezone, newest_us, *more = plain  # states of former versions have no more
        return cls(dict(seen), timezone, newest_us, *map(dict, more))
