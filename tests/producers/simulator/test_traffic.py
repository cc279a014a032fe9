"""Who drives by, when, and what is told of it."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from producers.simulator import VIEWS, Condition, SimulatorSource
from producers.simulator.traffic import Traffic, day_schedule
from producers.simulator.views import view_named

DAY = datetime(2026, 3, 2, tzinfo=UTC)
NEXT_DAY = DAY + timedelta(days=1)


def source(**changed: object) -> SimulatorSource:
    settings: dict[str, object] = {"seed": 5, "start": DAY, "days": 2, "passages_per_day": 60}
    return SimulatorSource(view="overpass", **{**settings, **changed})  # type: ignore[arg-type]


def test_a_day_has_the_passages_asked_for() -> None:
    """The cap holds for each day."""
    assert len(source().passages(DAY, NEXT_DAY)) == 60


def test_the_schedule_does_not_depend_on_what_was_asked_before() -> None:
    """The second day is the same, whether or not the first was looked at."""
    asked = source()
    asked.passages(DAY, NEXT_DAY)
    second = (NEXT_DAY, NEXT_DAY + timedelta(days=1))
    assert asked.passages(*second) == source().passages(*second)


def test_another_seed_gives_another_day() -> None:
    """Seeds tell days apart."""
    assert source().passages(DAY, NEXT_DAY) != source(seed=6).passages(DAY, NEXT_DAY)


def test_the_share_of_trucks_is_kept() -> None:
    """About two in five are trucks by default."""
    passages = source(passages_per_day=800).passages(DAY, NEXT_DAY)
    trucks = sum(passage.label == "truck" for passage in passages)
    assert trucks / len(passages) == pytest.approx(0.4, abs=0.06)


def test_the_rush_hour_is_busier_than_the_night() -> None:
    """Traffic follows the hours of the day."""
    hours = [passage.crossed_at.hour for passage in source(passages_per_day=800).passages(DAY, NEXT_DAY)]
    assert hours.count(8) > 5 * hours.count(3)


@pytest.mark.parametrize("name", VIEWS)
def test_vehicles_of_a_lane_never_touch(name: str) -> None:
    """Whoever follows stays behind, from the far end of the view to the near one."""
    view = view_named(name)
    trips = day_schedule(view, Traffic(passages_per_day=800), 1, DAY, ())
    for lane in view.lanes:
        own = [trip for trip in trips if trip.lane == lane]
        for ahead, behind in pairwise(own):
            meets = max(behind.passage.enters_at, ahead.passage.enters_at)
            for when in (meets, ahead.passage.leaves_at):
                gap = (ahead.placed_at(when).y_m - behind.placed_at(when).y_m) * lane.heading
                assert gap > ahead.vehicle.mesh.size[0], (ahead.passage, behind.passage)


def test_a_new_kind_drives_only_while_its_condition_lasts() -> None:
    """Tractors come with the condition, as trucks, and with nothing else."""
    condition = Condition("new_kind", NEXT_DAY, intensity=1.0)
    mixed = source(conditions=(condition,))
    before = {passage.kind for passage in mixed.passages(DAY, NEXT_DAY)}
    after = mixed.passages(NEXT_DAY, NEXT_DAY + timedelta(days=1))
    assert "tractor" not in before
    assert {passage.kind for passage in after if passage.label == "truck"} == {"tractor"}


def test_passages_cross_within_their_stay() -> None:
    """Each enters, crosses and leaves, in that order, within its day."""
    for passage in source().passages(DAY, NEXT_DAY):
        assert DAY < passage.enters_at < passage.crossed_at < passage.leaves_at < NEXT_DAY
