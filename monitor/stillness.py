"""When nothing comes of any camera: what no stream can tell, and only a clock does.

    newest observations  ─┬──┬───┬──┐                          ┌──┬──►
                          │  │   │  └── silence_after ──► open │ └► resolved
    looks at the clock   ─·──·───·──·───·───·───·───·───·───·──·──·──·──►

Its alert is no part of a replay: it is about now, not about the stream. Cameras whose source has ended are not waited for.
What counts is when observations were logged on the cluster, not of when they tell: a replay of last year is no silence.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from monitor.alerting.apart import Apart
from monitor.alerting.entries import Entry
from monitor.causes import listed, span_of
from monitor.windows import Calendar
from schemas.records import Alert

RULE: Final = "all-silent"
HOUR: Final = timedelta(hours=1)
ACTIONS: Final = (
    "Run 'roadwatch health' where cameras and processors run, and look at their logs: is one of them down?",
    "Is the network to the cameras there, and the broker's disk not full?",
    "If the cameras are switched off on purpose at times, set monitor.silence_after to more than that, or to zero.",
)


@dataclass(frozen=True, slots=True)
class Look:
    """What is seen at one time."""

    at: datetime
    "The time, by the wall clock."
    newest: datetime | None
    "When the newest observations were logged, of all partitions; None where there are none."
    cameras: tuple[str, ...]
    "Cameras of which more is to come."


class Stillness:
    """Is asked now and then, and remembers what it saw first.

    Who finds old observations at its first look was itself away, and cannot tell a silence from a night's rest: it waits
    for something to come. And cameras have as long as ever to come after a start.
    """

    def __init__(self, after: timedelta, calendar: Calendar) -> None:
        """`after` of nothing it tells; never where that is zero."""
        self._after, self._calendar = after, calendar
        self._first: Look | None = None

    @property
    def is_on(self) -> bool:
        """Whether it ever tells."""
        return bool(self._after)

    def forget(self) -> None:
        """Somebody else looks from now on."""
        self._first = None

    def take(self, look: Look, told: Apart) -> bool:
        """Note among what is told that it is still, or still no longer; whether there was anything to note."""
        first = self._first = self._first or look
        entry = next(told.live(RULE), None)
        if entry:
            return self._end(look, told, entry)
        if look.newest is None or not self._is_still(first, look, look.newest):
            return False
        told.open(self._alert(look.newest, look.cameras))
        return True

    def _is_still(self, first: Look, look: Look, newest: datetime) -> bool:
        if not (self._after and look.cameras):
            return False
        has_come = newest != first.newest or first.at - newest < self._after
        return has_come and look.at - max(newest, first.at) >= self._after

    def _end(self, look: Look, told: Apart, entry: Entry) -> bool:
        since = entry.alert.since
        why, at = self._why_over(look, since)
        if why:
            entry.alert = replace(entry.alert, value=(at - since) / HOUR)
            told.end(entry, at, self._calendar.day_of(at), f"{why} {_sentence(since, entry.alert.cameras)}")
        return bool(why)

    def _why_over(self, look: Look, since: datetime) -> tuple[str, datetime]:
        """Why a silence is over, and when that was; an empty word while it lasts."""
        if look.newest and look.newest > since:
            return f"Pictures come again, seen {span_of(look.newest - since)} after the last.", look.newest
        if not self._after:
            return "It is not watched any more: monitor.silence_after is zero.", look.at
        if not look.cameras:
            return "No more pictures are to come.", look.at
        return "", look.at

    def _alert(self, since: datetime, cameras: tuple[str, ...]) -> Alert:
        hours = self._after / HOUR
        return Alert(
            alert_id=f"{RULE}:{since:%Y%m%dT%H%M%SZ}",
            rule=RULE,
            state="open",
            severity="critical",
            camera_id=None,
            day=self._calendar.day_of(since),
            since=since,
            raised_at=since + self._after,
            title="No pictures have come of any camera",
            summary=f"{_sentence(since, cameras)} Nothing is counted, and nothing is watched, until they are back.",
            metric="hours without pictures",
            value=hours,
            threshold=hours,
            samples=0,
            actions=ACTIONS,
            report=None,
            cameras=cameras,
        )


def _sentence(since: datetime, cameras: tuple[str, ...]) -> str:
    return f"Since {since:%Y-%m-%d %H:%M} UTC no picture was classified. Cameras that were sending: {listed(cameras)}."
