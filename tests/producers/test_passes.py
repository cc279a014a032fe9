"""On a real motorway the gate finds the vehicles that a person counted."""

import io
from datetime import UTC, datetime
from pathlib import Path

import pytest

from producers.passes import Pass, find_passes, write_passes
from producers.sources import VideoSource
from producers.zones import zone_from_text

LANES = tuple(
    zone_from_text(text)
    for text in (
        "lane-1: 438,190 460,190 522,270 655,430 508,430 461,270 / 461,270 522,270",
        "lane-2: 460,190 484,190 586,270 801,430 655,430 522,270 / 522,270 586,270",
        "lane-3: 484,190 526,190 680,270 960,400 960,430 801,430 586,270 / 586,270 680,270",
    )
)
"""The three lanes that come towards the camera, drawn by hand, their lines at half the picture's height."""

TOLERANCE = 5
"""Frames, one second of the clip: how exactly the list by hand is known, and a little more."""


def matches(truth: list[tuple[int, int, str]], found: list[Pass]) -> dict[int, int]:
    """Return which found pass is which true one, nearest pairs first; a neighbouring lane will do."""
    pairs = sorted(
        (abs(one.zone + 1 - lane), abs(one.frame - frame), t, f)
        for t, (frame, lane, _) in enumerate(truth)
        for f, one in enumerate(found)
        if abs(one.frame - frame) <= TOLERANCE and abs(one.zone + 1 - lane) <= 1
    )
    chosen: dict[int, int] = {}
    for _, _, t, f in pairs:
        if t not in chosen and f not in chosen.values():
            chosen[t] = f
    return chosen


def read_truth(path: Path) -> list[tuple[int, int, str]]:
    rows = [line.split(",") for line in path.read_text().splitlines()[1:]]
    return [(int(frame), int(lane), kind) for frame, _, lane, kind in rows]


@pytest.fixture(scope="module")
def found(shared_data: Path) -> list[Pass]:
    """What the gate finds in 74 seconds at 5 pictures a second."""
    clip = shared_data / "traffic-video" / "tollroad-day.mp4"
    return find_passes(VideoSource(clip, started_at=datetime(2021, 11, 15, tzinfo=UTC)), LANES)


def test_nearly_all_vehicles_are_found_and_hardly_any_invented(found: list[Pass], shared_data: Path) -> None:
    """At least 60 of the 66 cars and lorries, no more than 6 that nobody made."""
    truth = read_truth(shared_data / "traffic-video" / "tollroad-day-passes.csv")
    chosen = matches(truth, found)
    counted = sum(truth[index][2] != "other" for index in chosen)
    assert (counted >= 60, len(found) - len(chosen) <= 6) == (True, True), (counted, len(found) - len(chosen))


def test_every_pass_has_a_picture_to_classify(found: list[Pass]) -> None:
    """A vehicle that counts can be named."""
    assert all(0 < len(one.crops) <= 8 and min(crop.size for crop in one.crops) for one in found)


def test_passes_are_written_with_the_vote_of_their_pictures(found: list[Pass]) -> None:
    """The table has one row for each vehicle."""
    out = io.StringIO()
    write_passes(found, lambda crops: ["truck" if crop.shape[0] > 90 else "car" for crop in crops], out)
    assert out.getvalue().splitlines()[0] == "frame,lane,class"
    assert len(out.getvalue().splitlines()) == len(found) + 1
