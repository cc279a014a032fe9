"""The whole way on a real clip: camera, Kafka, processor and monitor; recorded, and sent the same way again."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from roadwatch.commands.passes import frames_per_second, rows
from roadwatch.demo.run import LocalRun, RunOptions
from roadwatch.demo.scenario import write_video
from schemas.codec import Codec
from schemas.records import Passage
from schemas.topics import PASSAGES
from tests.support.passes import LANES, ClipScore, Pass, read_passes, score
from tests.support.rounds import Round, await_records, new_round, replay, run, serving

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

ZONES = [lane.partition(":")[0] for lane in LANES]


@pytest.fixture(scope="module")
def clip(shared_data: Path) -> Path:
    return shared_data / "traffic-video" / "tollroad-day.mp4"


@pytest.fixture(scope="module")
def live(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRun]:
    """The clip, run to its end; the broker still runs."""
    folder = tmp_path_factory.mktemp("clip")
    write = partial(write_video, folder, str(clip), LANES, None)
    with LocalRun(RunOptions(folder, write), lambda _done, _total: None) as running:
        for _ in running.follow():
            pass
        yield running


@pytest.fixture(scope="module")
def found(clip: Path, live: LocalRun) -> list[Pass]:
    return rows(live.state.passages, ZONES, frames_per_second(clip))


@pytest.fixture(scope="module")
def scored(clip: Path, found: list[Pass]) -> ClipScore:
    return score(read_passes(clip.with_name("tollroad-day-passes.csv")), found)


@pytest.fixture(scope="module")
def again(live: LocalRun, tmp_path_factory: pytest.TempPathFactory) -> Round:
    """The clip's frames, recorded and replayed twenty times faster through a processor and a monitor of their own."""
    folder = tmp_path_factory.mktemp("again")
    settings_file = live.logs.parent / "roadwatch.toml"
    run(settings_file, "record", str(folder / "recording"))
    at = new_round("again", folder, live.settings.kafka.bootstrap_servers, {"timezone": "UTC"})
    with serving(at, ["processor", "monitor"]) as services:
        replay(at, folder / "recording", "--speed", "20", supervisor=services)
        await_records(at, PASSAGES, len(live.state.passages), services)
    return at


def test_vehicles_are_found_and_none_invented(scored: ClipScore) -> None:
    assert scored.found >= 60
    assert scored.extra <= 6


def test_cars_and_trucks_are_told_apart(scored: ClipScore) -> None:
    assert scored.right >= 0.95 * scored.found


def test_a_replay_finds_the_same_vehicles(live: LocalRun, again: Round) -> None:
    """Each with the same verdict, times and votes."""
    replayed = [Codec().decode(value, Passage) for value in again.records(PASSAGES)]
    assert sorted(replayed, key=lambda p: p.passage_id) == sorted(live.state.passages, key=lambda p: p.passage_id)
