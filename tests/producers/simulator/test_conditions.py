"""Conditions: their text, their times and their levels."""

from datetime import UTC, datetime, timedelta

import pytest

from producers.simulator import Condition, parse_condition, parse_conditions
from producers.simulator.conditions import Levels, levels_at
from schemas.errors import ConfigurationError

START = datetime(2026, 3, 3, tzinfo=UTC)


def test_a_full_line_is_read() -> None:
    """Kind, times, intensity and ramp, in UTC."""
    assert parse_condition("fog@2026-03-03T00:00/2026-03-04T00:00=0.8~45m") == Condition(
        "fog", START, START + timedelta(days=1), 0.8, timedelta(minutes=45)
    )


def test_what_is_left_out_has_its_default() -> None:
    """No end: for good; no intensity: full; a hyphen is as good as an underscore."""
    assert parse_condition("new-kind@2026-03-03T02:00+02:00") == Condition("new_kind", START)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("fog", "kind@start"),
        ("snow@2026-03-03T00:00", "'snow' is not known; choose one of night"),
        ("fog@yesterday", "start 'yesterday' is not a time"),
        ("fog@2026-03-03T00:00/soon", "end 'soon' is not a time"),
        ("fog@2026-03-03T00:00/2026-03-02T00:00", "not after its start"),
        ("fog@2026-03-03T00:00=thick", "intensity 'thick' is not a number"),
        ("fog@2026-03-03T00:00=1.5", "intensity 1.5 of fog is outside 0..1"),
        ("fog@2026-03-03T00:00=1~longm", "ramp 'long' is not a number"),
    ],
)
def test_a_wrong_line_says_what_is_wrong(line: str, fault: str) -> None:
    """The message holds the line and its fault."""
    with pytest.raises(ValueError, match=fault) as caught:
        parse_condition(line)
    assert line in str(caught.value)


def test_all_wrong_lines_are_told_at_once() -> None:
    """Two faults, one error."""
    with pytest.raises(ConfigurationError) as caught:
        parse_conditions(["fog", "rain@2026-03-03T00:00", "snow@2026-03-03T00:00"], "cameras.toml")
    assert len(caught.value.faults) == 2
    assert caught.value.where == "cameras.toml"


def test_a_condition_comes_and_goes_over_its_ramp() -> None:
    """Half way up and half way down it is half as bad."""
    fog = Condition("fog", START, START + timedelta(hours=4), 0.8, timedelta(hours=1))
    levels = [fog.level(START + timedelta(minutes=minutes)) for minutes in (-1, 0, 30, 120, 210, 240)]
    assert levels == pytest.approx([0, 0, 0.4, 0.8, 0.4, 0])


def test_the_worst_of_a_kind_counts() -> None:
    """Two fogs do not add up."""
    fogs = [Condition("fog", START, None, level, timedelta()) for level in (0.25, 0.5)]
    assert levels_at(fogs, START) == Levels(fog=0.5)


def test_a_time_without_a_zone_is_refused() -> None:
    """Event time is UTC: a bare time would be a guess."""
    with pytest.raises(ValueError, match="lacks its zone"):
        Condition("fog", START.replace(tzinfo=None))
