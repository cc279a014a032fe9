"""The whole way on a real clip: camera, Kafka, processor and monitor, by the command that a person would type."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.passes import LANES, ClipScore, read_passes, score

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]


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
