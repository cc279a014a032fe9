"""A simulated camera: a source of pictures over some days of event time, and the truth behind them."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from producers.simulator.conditions import Condition, levels_at, shown_at
from producers.simulator.light import light_at
from producers.simulator.studio import Studio
from producers.simulator.telemetry import DeviceReading, reading_at
from producers.simulator.traffic import Traffic, Trip, day_schedule, days_between
from producers.simulator.truth import TruePassage, TrueVehicle
from producers.simulator.views import View, ZoneShape, view_named
from producers.source import Picture

LEAD_PICTURES = 4  # of the empty road before a vehicle appears, so that a gate knows its background
TAIL_PICTURES = 2  # after it has left
IDLE_EVERY = timedelta(minutes=10)
NEARBY = timedelta(seconds=10)
LONGEST_TRIP = timedelta(minutes=1)  # more than any vehicle is in view before or after the line


class SimulatorSource:
    """Pictures of a view from `start` for `days`, at `pictures_per_second` while something is in view.

    Over an empty road it skips ahead, giving one picture each IDLE_EVERY. Everything follows from the
    arguments: the same ones give the same bytes and the same truth, however often and in whatever order
    truth and telemetry are asked for.
    """

    def __init__(
        self,
        view: str | View,
        *,
        seed: int,
        start: datetime,
        days: float,
        passages_per_day: int = 50,
        truck_share: float = 0.4,
        conditions: Sequence[Condition] = (),
        pictures_per_second: float = 6.0,
    ) -> None:
        """`start` is timezone-aware. Raises ValueError when an argument makes no sense."""
        if start.tzinfo is None:
            raise ValueError(f"start {start} lacks its time zone")
        if days <= 0 or pictures_per_second <= 0 or passages_per_day < 0:
            raise ValueError(
                f"days {days} and pictures_per_second {pictures_per_second} must be above 0,"
                f" passages_per_day {passages_per_day} at least 0"
            )
        self.view = view_named(view) if isinstance(view, str) else view
        self.start = start.astimezone(UTC)
        self.end = self.start + timedelta(days=days)
        self._seed, self._conditions = seed, tuple(conditions)
        self._traffic = Traffic(passages_per_day, truck_share)
        self._step = timedelta(seconds=1 / pictures_per_second)
        self._studio = Studio(self.view)
        self._trips_of_day = lru_cache(maxsize=4)(self._draw_day)
        self._times = self._picture_times()
        self._index = 0

    def read(self) -> Picture | None:
        """The next picture, or None after the last one."""
        captured_at = next(self._times, None)
        if captured_at is None:
            return None
        picture = self.picture_at(captured_at, self._index)
        self._index += 1
        return picture

    def close(self) -> None:
        """Ends the pictures; a second call does nothing."""
        self._times = iter(())

    def picture_at(self, when: datetime, index: int = 0) -> Picture:
        """The picture of any time, in view or not."""
        shown = shown_at(self._conditions, when)
        light = light_at(shown, levels_at(self._conditions, shown))
        placed = [trip.placed_at(shown) for trip in self._trips_at(shown)]
        picture_seed = self._seed * 1_000_003 + int(shown.timestamp() * 1_000_000)
        return Picture(when, self._studio.picture(placed, light, picture_seed), index)

    def truth_at(self, captured_at: datetime) -> tuple[TrueVehicle, ...]:
        """Every vehicle that stands in a picture of that time, with its box."""
        shown = shown_at(self._conditions, captured_at)
        light = light_at(shown, levels_at(self._conditions, shown))
        found = []
        for trip in self._trips_at(shown):
            box = self._studio.box(trip.placed_at(shown), light)
            if box is not None:
                left, top, right, bottom = box
                found.append(TrueVehicle(trip.passage, (left, top, right - left, bottom - top)))
        return tuple(found)

    def passages(self, start: datetime, end: datetime) -> tuple[TruePassage, ...]:
        """The passages that cross the line from `start` up to, not with, `end`, in order.

        Those near the source's own start and end are told even where no picture shows them whole.
        """
        return tuple(trip.passage for trip in self._trips_between(start, end))

    def telemetry_at(self, when: datetime) -> DeviceReading:
        """What the device measures at that time."""
        hot = levels_at(self._conditions, when).hot
        return reading_at(when, self._seed, hot, self.passages(when - NEARBY, when + NEARBY))

    def zones(self) -> list[ZoneShape]:
        """(zone id, area polygon, line to cross) per lane, in pixels."""
        return self.view.zones()

    def _draw_day(self, day: datetime) -> tuple[Trip, ...]:
        return day_schedule(self.view, self._traffic, self._seed, day, self._conditions)

    def _trips_at(self, when: datetime) -> list[Trip]:
        trips = self._trips_between(when - LONGEST_TRIP, when + LONGEST_TRIP)
        return [trip for trip in trips if trip.passage.enters_at <= when <= trip.passage.leaves_at]

    def _trips_between(self, start: datetime, end: datetime) -> Iterator[Trip]:
        """Trips that cross the line from `start` up to, not with, `end`."""
        for day in days_between(start, end):
            trips = self._trips_of_day(day)
            first, last = (bisect_left(trips, when, key=_crossing) for when in (start, end))
            yield from trips[first:last]

    def _picture_times(self) -> Iterator[datetime]:
        """Idle pictures at a slow pace, and a steady run of them around each busy spell."""
        now = self.start
        for begins, ends in self._busy_spells():
            while now < begins:
                yield now
                now += IDLE_EVERY
            now = begins
            while now <= ends and now < self.end:
                yield now
                now += self._step
        while now < self.end:
            yield now
            now += IDLE_EVERY

    def _busy_spells(self) -> Iterator[tuple[datetime, datetime]]:
        """When something is in view, with lead and tail; spells that touch are one."""
        lead, tail = self._step * LEAD_PICTURES, self._step * TAIL_PICTURES
        spell: tuple[datetime, datetime] | None = None
        for trip in self._trips_by_entry():
            begins, ends = trip.passage.enters_at - lead, trip.passage.leaves_at + tail
            if spell is not None and begins <= spell[1] + self._step:
                spell = spell[0], max(spell[1], ends)
                continue
            if spell is not None:
                yield spell
            spell = max(begins, self.start), ends
        if spell is not None:
            yield spell

    def _trips_by_entry(self) -> Iterator[Trip]:
        for day in days_between(self.start, self.end):
            trips = sorted(self._trips_of_day(day), key=lambda trip: trip.passage.enters_at)
            yield from (t for t in trips if t.passage.leaves_at > self.start and t.passage.enters_at < self.end)


def _crossing(trip: Trip) -> datetime:
    return trip.passage.crossed_at
