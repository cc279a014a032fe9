"""The whole way on a real clip: camera, Kafka, processor and monitor, by the command that a person would type."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.passes import ClipScore, read_passes, score

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

LANES = (
    "lane-1: 470,190 556,190 658,430 455,430 / 458,270 588,270",
    "lane-2: 556,190 642,190 830,430 658,430 / 588,270 700,270",
    "lane-3: 642,190 745,190 960,330 960,430 830,430 / 700,270 868,270",
)
"""The three lanes of the right carriageway, drawn on the first picture; the line at half its height."""


@pytest.fixture(scope="module")
def found(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> ClipScore:
    clips = shared_data / "traffic-video"
    out = tmp_path_factory.mktemp("passes") / "found.csv"
    zones = [option for lane in LANES for option in ("--zone", lane)]
    command = [sys.executable, "-m", "roadwatch", "passes", str(clips / "tollroad-day.mp4"), *zones, "--out", str(out)]
    subprocess.run(command, cwd=out.parent, env=dict(os.environ), check=True, timeout=300)
    return score(read_passes(clips / "tollroad-day-passes.csv"), read_passes(out))


def test_vehicles_are_found_and_none_invented(found: ClipScore) -> None:
    assert found.found >= 60
    assert found.extra <= 6


def test_cars_and_trucks_are_told_apart(found: ClipScore) -> None:
    assert found.right >= 0.95 * found.found
