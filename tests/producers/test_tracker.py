"""Blobs become vehicles, and each vehicle crosses its line once."""

from datetime import UTC, datetime, timedelta

import pytest

from producers.blobs import Blob
from producers.tracker import Track, Tracker, crossing
from producers.zones import Zone

START = datetime(2026, 5, 1, tzinfo=UTC)
LANES = tuple(
    Zone(
        f"lane-{n + 1}",
        ((n * 50, 0), (n * 50 + 50, 0), (n * 50 + 50, 300), (n * 50, 300)),
        ((n * 50, 150), (n * 50 + 50, 150)),
    )
    for n in range(2)
)


def blob(x: float, y: float) -> Blob:
    return Blob((x - 12, y - 30, 24, 30), (x, y), int(x // 50), 50)


def follow(pictures: list[list[Blob]], step_s: float = 0.2) -> list[Track]:
    """Return the tracks that crossed, in order."""
    tracker, crossed = Tracker(LANES), []
    for index, found in enumerate(pictures):
        tracks, _ = tracker.update(found, START + timedelta(seconds=index * step_s))
        crossed += [track for track in tracks if track.crossed_now]
    return crossed


def test_the_time_of_a_crossing_lies_between_the_two_sightings() -> None:
    """Slow cameras still give exact times."""
    (track,) = follow([[blob(25, 100)], [blob(25, 120)], [blob(25, 140)], [blob(25, 160)]])
    assert track.crossed_at == START + timedelta(seconds=0.5)


def test_two_vehicles_side_by_side_cross_their_own_lines() -> None:
    """Neighbours are not taken for one another."""
    crossed = follow([[blob(25, y), blob(75, y + 8)] for y in range(100, 200, 15)])
    assert sorted(LANES[track.zone].id for track in crossed) == ["lane-1", "lane-2"]


def test_a_vehicle_that_waits_on_the_line_is_counted_once() -> None:
    """Trembling boxes do not multiply traffic."""
    assert len(follow([[blob(25, y)] for y in (110, 130, 148, 152, 149, 151, 148, 160, 180)])) == 1


def test_a_vehicle_that_was_hidden_while_it_crossed_is_found_behind_the_line() -> None:
    """A car that comes out from behind a lorry just past the line has passed, if its speed says so."""
    (track,) = follow([[], [blob(25, 160)], [blob(25, 180)]])
    assert track.crossed_at == START + timedelta(seconds=0.1)


def test_a_piece_that_follows_too_close_is_no_second_vehicle() -> None:
    """A load that crosses 0.2 s after its cab belongs to it."""
    assert len(follow([[blob(25, y), blob(30, y - 25)] for y in range(90, 250, 25)])) == 1


def test_a_long_pause_ends_every_track() -> None:
    """Vehicles of before a gap are not joined to those after it."""
    tracker = Tracker(LANES)
    tracker.update([blob(25, 140)], START)
    tracks, ended = tracker.update([blob(25, 160)], START + timedelta(hours=2))
    assert [track.number for track in ended] == [1]
    assert [track.number for track in tracks] == [2]


@pytest.mark.parametrize(("start", "end", "expected"), [((25, 140), (25, 160), 0), ((75, 160), (75, 140), 1)])
def test_lines_are_crossed_in_both_directions(
    start: tuple[float, float], end: tuple[float, float], expected: int
) -> None:
    """Traffic that comes and traffic that goes both pass."""
    found = crossing(LANES, start, end)
    assert found is not None
    assert found[0] == expected


def test_a_way_beside_the_line_crosses_nothing() -> None:
    """The line ends where it was drawn, give or take half its length."""
    assert crossing(LANES[:1], (140, 140), (140, 160)) is None
