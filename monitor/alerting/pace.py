"""How patient the alerts are, and what time it is for them."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Self

from monitor.windows import span_us
from schemas.times import from_us

PATIENCE_US: Final = span_us(timedelta(hours=3))
"A camera that says nothing is taken to be no further than this behind the others."
DAYS_KEPT: Final = 40
"Days after which what is over is forgotten; as long as reports may get revisions."


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

    @property
    def newest(self) -> datetime:
        """Likewise."""
        return from_us(self.newest_us)

    def see(self, camera_id: str, at_us: int) -> None:
        """A camera has told of a time."""
        self.seen[camera_id] = max(self.seen.get(camera_id, 0), at_us)
        self.newest_us = max(self.newest_us, at_us)

    def now_us(self, camera_id: str) -> int:
        """What time it is at a camera."""
        return max(self.seen.get(camera_id, 0), self.newest_us - PATIENCE_US)

    def forget(self) -> None:
        """Forget cameras that are gone."""
        oldest = self.newest_us - span_us(timedelta(days=DAYS_KEPT))
        self.seen = {camera: at_us for camera, at_us in self.seen.items() if at_us >= oldest}

    def snapshot(self) -> list[Any]:
        """The whole state, as JSON."""
        return [self.seen, self.timezone, self.newest_us]

    @classmethod
    def restore(cls, plain: list[Any]) -> Self:
        """Continue from a snapshot."""
        return cls(dict(plain[0]), plain[1], plain[2])
