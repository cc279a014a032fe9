"""Vehicles found in the clip, held against the list that was made by hand."""

import csv
from dataclasses import dataclass
from pathlib import Path

LANES = (
    "lane-1: 438,190 461,270 526,490 705,490 522,270 460,190 / 461,270 522,270",
    "lane-2: 460,190 522,270 705,490 882,490 586,270 484,190 / 522,270 586,270",
    "lane-3: 484,190 586,270 882,490 960,490 680,270 526,190 / 586,270 680,270",
)
"""The three lanes that come towards the camera, as long as they are well seen; their lines at half the height."""

TOLERANCE = 5
"""Frames, one second of the clip: how exactly the list by hand is known, and a little more."""

Pass = tuple[int, int, str]
"""Frame, lane and class."""


@dataclass(frozen=True, slots=True)
class ClipScore:
    """What was found, of the cars and trucks; vehicles of other kinds count neither way."""

    found: int
    "Found."
    extra: int
    "Found, and made by nobody."
    right: int
    "Found, and of the right class."


def read_passes(path: Path) -> list[Pass]:
    """The rows of a CSV with the columns frame, lane and class."""
    with path.open(newline="", encoding="utf-8") as file:
        return [(int(row["frame"]), int(row["lane"]), row["class"]) for row in csv.DictReader(file)]


def score(truth: list[Pass], found: list[Pass]) -> ClipScore:
    """Match each found pass with a true one: the nearest pairs first, in its lane or the one beside it."""
    pairs = [(truth[i], found[j]) for i, j in _matched(truth, found).items()]
    counted = [(true, said) for true, said in pairs if true[2] != "other"]
    right = sum(true[2] == said[2] for true, said in counted)
    return ClipScore(found=len(counted), extra=len(found) - len(pairs), right=right)


def _matched(truth: list[Pass], found: list[Pass]) -> dict[int, int]:
    pairs = sorted(
        (abs(said[1] - true[1]), abs(said[0] - true[0]), i, j)
        for i, true in enumerate(truth)
        for j, said in enumerate(found)
        if abs(said[0] - true[0]) <= TOLERANCE and abs(said[1] - true[1]) <= 1
    )
    chosen: dict[int, int] = {}
    for _, _, i, j in pairs:
        if i not in chosen and j not in chosen.values():
            chosen[i] = j
    return chosen
