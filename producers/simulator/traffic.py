"""Who drives by and when: a day's schedule from a seed, with rush hours, platoons and safe distances.

Each day is drawn by itself, so a schedule does not depend on what was asked for before.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from producers.simulator.conditions import Condition, Levels, levels_at
from producers.simulator.drawing import Placed
from producers.simulator.fleet import CAR, TRUCK, Vehicle, vehicle_of
from producers.simulator.pickups import PICKUP
from producers.simulator.trucks import NEW_KIND
from producers.simulator.truth import TruePassage
from producers.simulator.views import RECEDING, Lane, View

# Vehicles an hour, relative: quiet nights, a morning and an evening peak. Nothing in the first and last hour,
# so that a passage never lies across midnight.
HOURLY = (
    0,
    0.4,
    0.3,
    0.3,
    0.6,
    1.6,
    3.6,
    6.2,
    6.6,
    5.0,
    4.4,
    4.4,
    4.6,
    4.6,
    4.8,
    5.4,
    6.4,
    6.8,
    5.4,
    3.8,
    2.6,
    1.8,
    1.0,
    0,
)
PLATOON_SHARE = 0.15  # of vehicles follow the one before closely
HEADWAY_S = 1.4  # between one's rear and the next one's front in a lane, along the whole view
ABREAST_S = 0.9  # between vehicles of different lanes at the line, in four of five cases
LAST_CROSSING_S = 24 * 3600 - 300.0


@dataclass(frozen=True, slots=True)
class Traffic:
    """How much of what drives."""

    # Passages a day.
    passages_per_day: int = 50
    # Share of trucks, 0..1.
    truck_share: float = 0.4
    # Spread of the speeds as a share of the view's mean speed.
    speed_spread: float = 0.12


@dataclass(frozen=True, slots=True)
class Trip:
    """A passage and what is needed to draw it."""

    # What is told of it.
    passage: TruePassage
    # The vehicle.
    vehicle: Vehicle
    # Its lane.
    lane: Lane
    # How far it keeps from the lane's middle in metres.
    offset_m: float
    # Where its lower edge in the picture meets the line, in metres along the road.
    line_y_m: float

    def placed_at(self, when: datetime) -> Placed:
        """The vehicle where it is at that time."""
        travelled = (when - self.passage.crossed_at).total_seconds() * self.passage.speed_m_s
        ahead = self.vehicle.mesh.size[0] if self.lane.heading == RECEDING else 0.0
        y = self.line_y_m + self.lane.heading * (travelled + ahead)
        return Placed(self.vehicle.mesh, self.lane.x_m + self.offset_m, y, self.lane.heading)


@dataclass(frozen=True, slots=True)
class Draft:
    """A passage before it is made to keep its distance; times in seconds since the day began."""

    # When its lower edge meets the line.
    crosses_s: float
    # Its lane's number, speed in m/s, and vehicle.
    lane: int
    speed_m_s: float
    vehicle: Vehicle

    def front_at(self, y_m: float, view: View) -> float:
        """When its front edge passes a place."""
        return self.crosses_s + self._metres(y_m, view) / self.speed_m_s

    def rear_at(self, y_m: float, view: View) -> float:
        """When its rear edge has passed a place."""
        return self.front_at(y_m, view) + self.vehicle.mesh.size[0] / self.speed_m_s

    def _metres(self, y_m: float, view: View) -> float:
        heading = view.lanes[self.lane].heading
        ahead = self.vehicle.mesh.size[0] if heading == RECEDING else 0.0
        return heading * (y_m - view.line_y_m) - ahead


def day_schedule(
    view: View, traffic: Traffic, seed: int, day: datetime, conditions: tuple[Condition, ...]
) -> tuple[Trip, ...]:
    """All trips of the UTC day that begins at `day`, in the order of their crossings.

    A day too short for its traffic keeps what fits.
    """
    rng = np.random.default_rng([seed, view.number(), day.toordinal()])
    drafts: list[Draft] = []
    for crosses_s in _wishes(traffic.passages_per_day, rng):
        draft = _draft(view, traffic, crosses_s, day, conditions, rng)
        drafts.append(_spaced(draft, drafts[-12:], view, bool(rng.random() < 0.8)))
    kept = sorted((d for d in drafts if d.crosses_s < LAST_CROSSING_S), key=lambda d: d.crosses_s)
    offsets = rng.normal(0, 0.18, len(kept)).tolist()
    return tuple(_trip(view, day, k, draft, offsets[k]) for k, draft in enumerate(kept))


def _wishes(count: int, rng: np.random.Generator) -> list[float]:
    """When vehicles would like to cross, in seconds since the day began, in order."""
    shares = np.cumsum([0.0, *HOURLY]) / sum(HOURLY)
    wishes = np.sort(np.interp(rng.random(count), shares, np.arange(25) * 3600.0))
    follows = rng.random(count) < PLATOON_SHARE
    gaps = rng.uniform(1.5, 5.0, count)
    for k in range(1, count):
        if follows[k]:
            wishes[k] = wishes[k - 1] + gaps[k]
    return [float(wish) for wish in np.sort(wishes)]


def _draft(
    view: View,
    traffic: Traffic,
    crosses_s: float,
    day: datetime,
    conditions: tuple[Condition, ...],
    rng: np.random.Generator,
) -> Draft:
    label = TRUCK if rng.random() < traffic.truck_share else CAR
    number, chance = int(rng.integers(1 << 40)), float(rng.random())
    levels = levels_at(conditions, day + timedelta(seconds=crosses_s))
    vehicle = vehicle_of(label, number, _strange(chance, levels) if label == TRUCK else None)
    slower = 0.88 if label == TRUCK else 1.0
    speed = view.speed_m_s * slower * float(np.clip(rng.normal(1, traffic.speed_spread), 0.7, 1.3))
    return Draft(crosses_s, int(rng.integers(len(view.lanes))), speed, vehicle)


def _strange(chance: float, levels: Levels) -> str | None:
    """The kind of truck that a condition brings; None for an ordinary one."""
    if chance < levels.new_kind:
        return NEW_KIND
    return PICKUP if chance < levels.new_kind + levels.pickups else None


def _spaced(draft: Draft, before: list[Draft], view: View, keeps_apart: bool) -> Draft:
    """The draft, delayed until it keeps its distance from those before it."""
    delay = 0.0
    for other in before:
        delay = max(delay, _needed_delay(draft, other, view, keeps_apart))
    return Draft(draft.crosses_s + delay, draft.lane, draft.speed_m_s, draft.vehicle)


def _needed_delay(draft: Draft, other: Draft, view: View, keeps_apart: bool) -> float:
    if draft.lane != other.lane:
        return other.crosses_s + ABREAST_S - draft.crosses_s if keeps_apart else 0.0
    ends = (view.near_y_m, view.far_y_m)
    return max(other.rear_at(y, view) + HEADWAY_S - draft.front_at(y, view) for y in ends)


def _trip(view: View, day: datetime, number: int, draft: Draft, offset_m: float) -> Trip:
    enters_s, leaves_s = _in_view(draft, view)
    lane, vehicle = view.lanes[draft.lane], draft.vehicle
    passage = TruePassage(
        vehicle_id=f"{day:%Y%m%d}-{number:05d}",
        label=vehicle.label,
        kind=vehicle.kind,
        colour=vehicle.colour,
        lane=lane.name,
        crossed_at=day + timedelta(seconds=round(draft.crosses_s, 3)),
        enters_at=day + timedelta(seconds=round(enters_s, 3)),
        leaves_at=day + timedelta(seconds=round(leaves_s, 3)),
        speed_m_s=draft.speed_m_s,
    )
    return Trip(passage, vehicle, lane, offset_m, view.line_y_m)


def _in_view(draft: Draft, view: View) -> tuple[float, float]:
    if view.lanes[draft.lane].heading == RECEDING:
        return draft.front_at(view.near_y_m, view), draft.rear_at(view.far_y_m, view)
    return draft.front_at(view.far_y_m, view), draft.rear_at(view.near_y_m, view)


def days_between(start: datetime, end: datetime) -> Iterator[datetime]:
    """The beginnings of the UTC days that `start` up to and with `end` touch."""
    day = start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    while day <= end:
        yield day
        day += timedelta(days=1)
