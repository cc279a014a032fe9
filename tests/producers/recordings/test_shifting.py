"""Records moved in time."""

from dataclasses import fields
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from producers.recordings.entries import TOPICS
from producers.recordings.shifting import SHIFTABLE, shifted
from schemas.records import CameraDay, DayReport, Record, Telemetry
from tests.support.records import NOON, a_frame, a_label, a_prediction
from tests.support.replays import a_batch

TELEMETRY = Telemetry("gate", NOON, "running", None, None, (), 1, 1, {}, 0)
RECORDS = [
    a_frame(crossed_at=NOON + timedelta(seconds=3)),
    a_frame(),
    a_prediction(3),
    a_label(complete_until=NOON + timedelta(hours=1)),
    a_label(),
    a_batch(0),
    TELEMETRY,
]


def _times(value: Any) -> list[datetime]:
    """All times in a record, in order."""
    if isinstance(value, datetime):
        return [value]
    if isinstance(value, tuple):
        return [time for item in value for time in _times(item)]
    if hasattr(value, "__dataclass_fields__"):
        return [time for field in fields(value) for time in _times(getattr(value, field.name))]
    return []


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_what_lies_between_times_stays(record: Record) -> None:
    """Every time moves by the same span, to the microsecond."""
    random = Random(7)
    for _ in range(20):
        by = timedelta(microseconds=random.randint(-(10**16), 10**16))
        assert _times(shifted(record, by)) == [time + by for time in _times(record)]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_nothing_but_times_changes(record: Record) -> None:
    """There and back again is where it began; ids stay on the way."""
    moved = shifted(record, timedelta(days=9))
    assert moved != record
    assert shifted(moved, timedelta(days=-9)) == record
    assert all(getattr(moved, name) == getattr(record, name) for name in ("frame_id", "epoch") if hasattr(record, name))


def test_records_that_name_days_are_not_moved() -> None:
    """Their days would not fit their times."""
    assert not {name for name in SHIFTABLE if TOPICS[name].record in (CameraDay, DayReport)}


def test_a_time_beyond_the_calendar_is_refused() -> None:
    with pytest.raises(OverflowError):
        shifted(TELEMETRY, timedelta(days=3_000_000))
