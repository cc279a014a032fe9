"""Nothing of any camera is told by the clock."""

from datetime import UTC, datetime, timedelta

import pytest

from monitor.stillness import Stillness
from monitor.windows import Calendar
from schemas.observations import pack
from tests.monitor.world import CLASSES, START, end, heartbeat

HOUR = timedelta(hours=1)
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        """What it shows."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def hear(stillness: Stillness, camera: str, last: bool = False) -> None:
    """One picture of a camera, or its end."""
    (batch,) = pack([end(camera, 1, START) if last else heartbeat(camera, 0, START)], CLASSES)
    stillness.hear(batch)


def test_an_hour_of_nothing_is_told_once_and_its_end_too(clock: Clock) -> None:
    stillness = Stillness(HOUR, Calendar("UTC"), clock)
    hear(stillness, "north")
    clock.now += 59 * HOUR / 60
    assert stillness.look() is None
    clock.now += HOUR / 60
    opened = stillness.look()
    assert opened
    assert (opened.state, opened.severity, opened.since, opened.cameras) == ("open", "critical", NOON, ("north",))
    assert stillness.look() is None
    hear(stillness, "north")
    over = stillness.look()
    assert over
    assert (over.alert_id, over.state) == (opened.alert_id, "resolved")


def test_sources_that_have_ended_are_not_waited_for(clock: Clock) -> None:
    stillness = Stillness(HOUR, Calendar("UTC"), clock)
    hear(stillness, "north")
    hear(stillness, "north", last=True)
    clock.now += 5 * HOUR
    assert stillness.look() is None


@pytest.mark.parametrize("after", [timedelta(0), HOUR])
def test_before_the_first_picture_there_is_nothing_to_miss(clock: Clock, after: timedelta) -> None:
    """Nor where nobody wants to be told."""
    stillness = Stillness(after, Calendar("UTC"), clock)
    if not after:
        hear(stillness, "north")
    clock.now += 50 * HOUR
    assert stillness.look() is None
