"""Zones are read from text and tables, and all their faults are named at once."""

import numpy as np
import pytest

from producers.zones import Zone, check_zones, middle_across, zone_from_mapping, zone_from_text
from schemas.errors import ConfigurationError

LANE = ((100.0, 50.0), (140.0, 50.0), (200.0, 250.0), (60.0, 250.0))
LINE = ((80.0, 150.0), (170.0, 150.0))


def test_text_and_table_give_the_same_zone() -> None:
    """A zone on the command line means what it means in a file."""
    written = zone_from_text("lane-1: 100,50 140,50 200,250 60,250 / 80,150 170,150")
    table = {"id": "lane-1", "area": [[100, 50], [140, 50], [200, 250], [60, 250]], "line": [[80, 150], [170, 150]]}
    assert written == zone_from_mapping(table) == Zone("lane-1", LANE, LINE)


def test_a_zone_without_a_line_is_crossed_in_its_middle() -> None:
    """The line left out joins the middles of a lane's long sides."""
    assert zone_from_text("a: 100,50 140,50 200,250 60,250").line == ((170.0, 150.0), (80.0, 150.0))


def test_a_triangle_is_crossed_at_half_its_height() -> None:
    """A shape with no opposite sides gets a level line."""
    line = middle_across([(0, 0), (100, 100), (0, 100)])
    assert np.allclose(line, [(0, 50), (50, 50)])


def test_fractions_become_pixels_of_the_picture() -> None:
    """A zone drawn in fractions fits a camera of any size."""
    zone = zone_from_text("a: 0.25,0.5 0.75,0.5 1,1 0,1").scaled(640, 360)
    assert zone.area[0] == pytest.approx((160, 180))
    assert check_zones([zone], 640, 360) == []


def test_every_fault_is_named_at_once() -> None:
    """Somebody who draws zones mends them in one round."""
    far_line = Zone("b", LANE, ((300.0, 10.0), (310.0, 10.0)))
    outside = Zone("a", (*LANE[:3], (60.0, 999.0)), LINE)
    faults = "\n".join(check_zones([outside, far_line, Zone("a", LANE[:2], LINE)], 320, 300))
    for part in ("'a' is there 2 times", "60,999 lies outside", "does not touch", "2 points"):
        assert part in faults


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("100,50 140,50 200,250", "write NAME"),
        ("a: 100,50 140,50", "at least 3"),
        ("a: 100,50 140 200,250", "'140' is not a point"),
        ("a: 1,1 9,1 9,9 / 1,5", "2 ends"),
    ],
)
def test_wrong_text_says_what_to_write(text: str, part: str) -> None:
    """The message shows the value and the right form."""
    with pytest.raises(ConfigurationError, match=part):
        zone_from_text(text)
