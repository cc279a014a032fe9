"""When nothing comes of any camera: what no stream can tell, and only a clock does.

    pictures  ─┬──┬───┬──┐                          ┌──┬──►
               │  │   │  └── silence_after ──► open │ └► resolved

Its alert is no part of a replay: it is about now, not about the stream. Cameras whose source has ended are not waited for.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from monitor.windows import Calendar
from schemas.records import Alert, Observations

RULE = "all-silent"
ACTIONS = (
    "Run 'roadwatch health' where cameras and processors run, and look at their logs: is one of them down?",
    "Is the network to the cameras there, and the broker's disk not full?",
    "If the cameras are switched off on purpose at times, set monitor.silence_after to more than that, or to zero.",
)


class Stillness:
    """Hears of every batch of predictions, and is asked now and then."""

    def __init__(self, after: timedelta, calendar: Calendar, now: Callable[[], datetime] | None = None) -> None:
        """`after` of nothing it tells; never where that is zero."""
        self._after, self._calendar = after, calendar
        self._now = now or (lambda: datetime.now(UTC))
        self._heard_at: datetime | None = None
        self._running: set[str] = set()
        self._told: Alert | None = None

    def hear(self, batch: Observations) -> None:
        """Pictures of a camera were classified."""
        self._heard_at = self._now()
        if "end" in batch.kinds:
            self._running.discard(batch.camera_id)
        else:
            self._running.add(batch.camera_id)

    def look(self) -> Alert | None:
        """What is to be told now, once each time that it begins and ends."""
        if self._heard_at is None or not self._after:
            return None
        still = bool(self._running) and self._now() - self._heard_at >= self._after
        if still and self._told is None:
            self._told = self._alert(self._heard_at)
            return self._told
        if self._told and not still:
            over, self._told = replace(self._told, state="resolved", changed_at=self._heard_at), None
            return over
        return None

    def _alert(self, since: datetime) -> Alert:
        hours = self._after / timedelta(hours=1)
        cameras = tuple(sorted(self._running))
        return Alert(
            alert_id=f"{RULE}:{since:%Y-%m-%dT%H:%M}Z",
            rule=RULE,
            state="open",
            severity="critical",
            camera_id=None,
            day=self._calendar.day_of(since),
            since=since,
            raised_at=since + self._after,
            title="No pictures have come of any camera",
            summary=f"The last one was classified at {since:%Y-%m-%d %H:%M} UTC; {len(cameras)} cameras were sending."
            " Nothing is counted, and nothing is watched, until they are back.",
            metric="hours without pictures",
            value=hours,
            threshold=hours,
            samples=0,
            actions=ACTIONS,
            report=None,
            cameras=cameras,
        )
