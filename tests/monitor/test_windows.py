"""Days begin and end where the time zone says."""

from datetime import UTC, datetime, timedelta

import pytest

from monitor.windows import Calendar, day_after, day_before
from schemas.times import from_us, to_us


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-28", 24), ("2026-03-29", 23), ("2026-10-25", 25), ("2026-12-31", 24)]
)
def test_a_day_is_as_long_as_its_clocks_say(day: str, hours: int) -> None:
    """Berlin loses an hour in March and gains one in October."""
    starts_at, ends_at = Calendar("Europe/Berlin").bounds(day)
    assert ends_at - starts_at == timedelta(hours=hours)


def test_a_time_belongs_to_the_day_it_lies_in() -> None:
    """The first instant is in, the next day's is not."""
    calendar = Calendar("Europe/Berlin")
    starts_at, ends_at = calendar.bounds("2026-10-25")
    assert calendar.day_of(starts_at) == calendar.day_of(ends_at - timedelta(microseconds=1)) == "2026-10-25"
    assert calendar.day_of(ends_at) == "2026-10-26"


def test_microseconds_are_exact() -> None:
    """No float comes near a time."""
    at = datetime(2026, 11, 23, 5, 6, 7, 123457, UTC)
    assert from_us(to_us(at)) == at


def test_days_follow_each_other() -> None:
    """Over months and years."""
    assert day_after("2026-02-28") == "2026-03-01"
    assert day_before("2027-01-01") == "2026-12-31"
