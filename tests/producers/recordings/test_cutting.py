"""A cut gives, replayed, what the whole gave for its span."""

import random
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from typer.testing import CliRunner

from monitor.cameras import Policy
from monitor.offline import OfflineMonitor
from monitor.rules import shipped_rules
from producers.recordings.container import UNREAD
from producers.recordings.cutting import Sequences, cut
from producers.recordings.entries import TOPICS, entry_of, reader_of
from producers.recordings.index import Chosen
from producers.recordings.recording import open_recording
from producers.recordings.rows import Key
from producers.recordings.writing import RecordingWriter
from roadwatch.cli import app
from runtime.clients import Received
from schemas.codec import Codec
from schemas.errors import ConfigurationError, RecordingError
from schemas.records import CameraDay, Frame, Label, Observations, Prediction, Record
from schemas.times import from_ms
from tests.monitor.world import START, policy
from tests.support.entries import kept
from tests.support.records import NOON, a_frame
from tests.support.replays import entry, recorded
from tests.support.roads import CAMERAS, DAYS, a_long_road, a_moment, a_road, at_us

DAY = timedelta(days=1)
PATIENT = policy(label_patience=DAY)


def _span(begin: datetime | None, end: datetime | None, **changes: object) -> Chosen:
    times = {"from_us": None if begin is None else at_us(begin), "to_us": None if end is None else at_us(end)}
    return Chosen(**(times | changes))  # type: ignore[arg-type]


def _cut(whole: Path, out: Path, chosen: Chosen, topics: frozenset[str] | None = None) -> Path:
    cut(open_recording(whole), out, chosen, topics)
    return out


def _records(path: Path, topic: str) -> list[Record]:
    recording = open_recording(path)
    reader = reader_of(topic, recording.index.topics[topic])
    return [reader.record(one.entry) for one in recording.entries() if _is_read(one.topic, topic, one.entry)]


def _is_read(topic: str, wanted: str, entry: object) -> bool:
    return topic == wanted and getattr(entry, "schema", UNREAD) != UNREAD


def _days(path: Path, rules: Policy = PATIENT) -> dict[tuple[str, str], tuple[CameraDay, CameraDay]]:
    """What the monitor hands in when a day closes, and last of all: with labels late or not, once every camera has ended.

    Findings, which remember days before, are put aside, and how often late labels came: other days' labels are turns.
    """
    monitor, recording, sent = OfflineMonitor(rules, shipped_rules(0.6, 50)), open_recording(path), list[Record]()
    readers = {name: reader_of(name, topic) for name, topic in recording.index.topics.items()}
    for one in recording.entries():
        record = readers[one.topic].record(one.entry) if one.entry.schema != UNREAD else None
        logged_at = from_ms(one.entry.logged_ms)
        if isinstance(record, Observations):
            sent += monitor.observations(record, logged_at)
        elif isinstance(record, Label):
            sent += monitor.label(record, logged_at)
    sent += monitor.finish()
    closed = [replace(day, findings=(), revision=1) for day in sent if isinstance(day, CameraDay) and day.revision]
    first, last = ({(day.camera_id, day.day): day for day in days} for days in (reversed(closed), closed))
    return {key: (first[key], day) for key, day in last.items()}


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days of three cameras."""
    return a_road(tmp_path_factory.mktemp("road") / "whole")


@pytest.mark.parametrize(("first", "days"), [(0, 1), (1, 1), (2, 1), (0, 2), (1, 2)])
def test_days_that_are_cut_out_have_the_figures_of_the_whole(road: Path, tmp_path: Path, first: int, days: int) -> None:
    """Vehicles across midnight, labels that come a day later, and batches across the border included."""
    begin = START + first * DAY
    part = _days(_cut(road, tmp_path / "part", _span(begin, begin + days * DAY)))
    whole = _days(road)
    names = [f"{begin + number * DAY:%Y-%m-%d}" for number in range(days)]
    assert {key: part.get(key) for key in whole if key[1] in names} == {
        key: day for key, day in whole.items() if key[1] in names
    }
    assert len(whole) >= len(CAMERAS) * DAYS


@pytest.mark.parametrize("rules", [policy(), policy(label_patience=timedelta(hours=2))])
@pytest.mark.parametrize("first", [0, 1, 2])
def test_what_closed_a_day_in_the_whole_closes_it_in_the_cut(
    road: Path, tmp_path: Path, rules: Policy, first: int
) -> None:
    """So that labels late there are late here, where days wait for no promise."""
    begin, until = START + first * DAY, START + (first + 1) * DAY
    waits = (rules.lateness, rules.lateness + rules.label_patience)
    cut(open_recording(road), tmp_path / "part", _span(begin, until), closing_us=tuple(at_us(until + w) for w in waits))
    part, whole = _days(tmp_path / "part", rules), _days(road, rules)
    for camera in CAMERAS:
        assert part[camera, f"{begin:%Y-%m-%d}"] == whole[camera, f"{begin:%Y-%m-%d}"]


def test_the_figures_that_are_compared_hold_every_count(road: Path) -> None:
    """Else the test above would say little."""
    tally = _days(road)["east", "2026-03-03"][-1].tally
    assert min(tally.frames, tally.heartbeats, tally.passage_frames, tally.dissenting_frames, tally.labels) > 0
    assert tally.vehicle_cells
    assert tally.frame_cells
    assert tally.unmatched_labels
    assert tally.late_labels


@pytest.mark.parametrize("seed", range(5))
def test_no_vehicle_is_cut_in_two(road: Path, tmp_path: Path, seed: int) -> None:
    """Of each passage all frames are kept, or none; of the rest those of the span."""
    rng = random.Random(seed)
    begin, until = sorted(a_moment(rng) for _ in range(2))
    part = _cut(road, tmp_path / "part", _span(begin, until))
    found = {one.frame_id: one for one in _records(part, "predictions") if isinstance(one, Prediction)}
    whole = [one for one in _records(road, "predictions") if isinstance(one, Prediction)]
    inside = {one.frame_id for one in whole if begin <= one.captured_at < until}
    passages = {one.passage_id for one in whole if one.frame_id in inside} - {None}
    across = {one.frame_id for one in whole if one.passage_id in passages}
    assert inside <= found.keys() <= inside | across
    assert all(one in whole for one in found.values())
    partial = {one.passage_id for one in whole if one.frame_id in across - found.keys()}
    assert not partial


def test_rows_of_a_batch_across_a_border_are_those_of_predictions(road: Path, tmp_path: Path) -> None:
    """What is cut between its rows is still a batch, with its own event times."""
    part = _cut(road, tmp_path / "part", _span(START + timedelta(hours=5, seconds=1), START + timedelta(hours=29)))
    batches = [one for one in _records(part, "observations") if isinstance(one, Observations)]
    rows = sorted((one.camera_id, sequence) for one in batches for sequence in one.sequences)
    predictions = [one for one in _records(part, "predictions") if isinstance(one, Prediction)]
    assert rows == sorted((one.camera_id, one.sequence) for one in predictions)
    entries = [one.entry for one in open_recording(part).entries() if one.topic == "observations"]
    times = [(at_us(min(one.captured_at)), at_us(max(one.captured_at))) for one in batches]
    assert [(one.first_us, one.last_us) for one in entries if one.schema != UNREAD] == times


def test_what_is_not_cut_stays_as_it_was(road: Path, tmp_path: Path) -> None:
    """Offsets, times, keys, headers and bytes."""
    whole, part = kept(road), kept(_cut(road, tmp_path / "part", _span(START + DAY, START + 2 * DAY)))
    for chain, entries in part.items():
        same = [one for one in entries if one in whole[chain]]
        assert len(entries) - len(same) <= (2 * len(CAMERAS) if chain[0] == "observations" else 0)


def test_a_cut_without_borders_is_the_whole(road: Path, tmp_path: Path) -> None:
    """To the entry."""
    assert kept(_cut(road, tmp_path / "part", Chosen())) == kept(road)


def test_cameras_and_topics_can_be_chosen(road: Path, tmp_path: Path) -> None:
    """Nothing else is in the cut, and its index says what was chosen."""
    part = _cut(road, tmp_path / "part", Chosen(cameras=("east",)), frozenset({"labels", "observations"}))
    index = open_recording(part).index
    assert index.chosen.cameras == ("east",)
    assert set(index.topics) == {"labels", "observations"}
    assert {one.entry.key for one in open_recording(part).entries()} == {b"east"}
    assert open_recording(road).index.id in index.origin
    assert index.complete


def test_labels_are_found_for_what_is_kept_though_its_topic_is_not(road: Path, tmp_path: Path) -> None:
    """The labels of a cut do not depend on which other topics are chosen."""
    span = _span(START + DAY, START + 2 * DAY)
    all_topics = kept(_cut(road, tmp_path / "all", span))
    labels = kept(_cut(road, tmp_path / "labels", span, frozenset({"labels"})))
    assert labels == {chain: entries for chain, entries in all_topics.items() if chain[0] == "labels"}


def test_a_span_without_records_gives_a_valid_recording(road: Path, tmp_path: Path) -> None:
    """With what has no event time, and nothing else that could be read."""
    part = _cut(road, tmp_path / "part", _span(START + 99 * DAY, START + 100 * DAY))
    assert {one.topic for one in open_recording(part).entries() if one.entry.schema != UNREAD} == {"models"}


def test_bytes_that_could_not_be_read_stay_with_what_lies_before_them(road: Path, tmp_path: Path) -> None:
    """Nothing else says when they belong."""
    whole, part = kept(road), kept(_cut(road, tmp_path / "part", _span(START + DAY, START + 2 * DAY)))
    for chain, entries in whole.items():
        offsets = {one.offset for one in part[chain]}
        unread = [(before, one) for before, one in pairwise(entries) if one.schema == UNREAD]
        assert all((one.offset in offsets) == (before.offset in offsets) for before, one in unread)


def test_pictures_can_be_left_out(tmp_path: Path) -> None:
    """All else of a frame stays."""
    frame = a_frame(picture=b"jpeg")
    with _begun(tmp_path / "whole") as writer:
        _write_frame(writer, frame)
    [found] = _records(_cut(tmp_path / "whole", tmp_path / "part", Chosen(pictures=False)), "frames")
    assert found == replace(frame, picture=b"")


def _begun(folder: Path) -> RecordingWriter:
    return RecordingWriter.begin(folder, origin="t", made_by="test 1", partitions={"frames": 1}, chosen=Chosen())


def _write_frame(writer: RecordingWriter, frame: Frame) -> None:
    received = Received("frames", 0, 0, b"gate", Codec().encode(frame), [], 0)
    writer.write("frames", 0, entry_of(received, TOPICS["frames"], Codec(), partial(writer.schema_number, "frames")))


def test_who_is_not_in_the_recording_is_named(road: Path, tmp_path: Path) -> None:
    """With those that are; nothing is written."""
    with pytest.raises(ConfigurationError, match=r"'moon'.*east, north, west"):
        _cut(road, tmp_path / "part", Chosen(cameras=("moon", "east")))
    with pytest.raises(ConfigurationError, match="no 'frames'; it holds predictions"):
        _cut(road, tmp_path / "part", Chosen(), frozenset({"frames"}))
    assert not (tmp_path / "part").exists()


def test_a_folder_that_is_not_empty_is_left_alone(road: Path, tmp_path: Path) -> None:
    """Nothing of it is touched."""
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(RecordingError, match="not empty"):
        _cut(road, tmp_path, Chosen())


def test_runs_of_sequences_know_what_was_added() -> None:
    """In any order, and only that."""
    added = random.Random(3).sample(range(300), 200)
    runs = Sequences()
    for number in added:
        runs.add(Key("a", "e", number))
    assert [n for n in range(-1, 302) if Key("a", "e", n) in runs] == sorted(added)
    assert Key("a", "other", added[0]) not in runs


# The command


def _run(*args: object) -> tuple[int, str]:
    found = CliRunner().invoke(app, ["record", *map(str, args)])
    assert found.exception is None or isinstance(found.exception, SystemExit | RecordingError | ConfigurationError)
    return found.exit_code, f"{found.output} {found.exception}"


def test_the_command_cuts_into_a_folder_or_a_zip_that_read_the_same(road: Path, tmp_path: Path) -> None:
    """A day is named by its date."""
    days = ("--from", "2026-03-03", "--to", "2026-03-04T00:00Z")
    assert _run("cut", road, tmp_path / "part", *days)[0] == 0
    code, told = _run("cut", road, tmp_path / "part.zip", *days, "--json")
    assert code == 0
    assert '"empty": false' in told
    assert kept(tmp_path / "part") == kept(tmp_path / "part.zip")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["part", "part.zip"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("nowhere", "out"), "nowhere: no such recording"),
        (("{road}", "out", "--from", "2026-03-04", "--to", "2026-03-03"), "2026-03-03 is not after --from 2026-03-04"),
        (("{road}", "out", "--from", "2026-03-03T12:00"), "no time zone"),
        (("{road}", "{road}"), "not empty"),
        (("{road}", "out", "--camera", "moon"), "no camera 'moon'"),
    ],
)
def test_faults_are_said(
    road: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...], said: str
) -> None:
    """And nothing is left behind."""
    monkeypatch.chdir(tmp_path)
    code, told = _run("cut", *(arg.format(road=road) for arg in args))
    assert code
    assert said in told
    assert not list(tmp_path.iterdir())


def test_an_empty_cut_is_said_and_no_fault(road: Path, tmp_path: Path) -> None:
    """Exit code 0."""
    code, told = _run(
        "cut", road, tmp_path / "out", "--from", "2027-01-01", "--topic", "predictions", "--camera", "west"
    )
    assert code == 0
    assert "is empty" in told


def test_a_cut_of_what_has_no_event_time_alone_is_said(tmp_path: Path) -> None:
    """A model's steps are in every cut, and are nothing of its span."""
    recorded(tmp_path / "models", {("models", 0): [replace(entry(a_frame(0), 0), first_us=None, last_us=None)]})
    code, told = _run("cut", tmp_path / "models", tmp_path / "out", "--from", "2027-01-01")
    assert code == 0
    assert "of the span itself there is nothing" in told


@pytest.mark.parametrize("command", ["cut", "merge"])
def test_what_is_not_sealed_yet_is_said_to_be_passed_over(tmp_path: Path, command: str) -> None:
    """A recording that is being written has segments that its index does not name."""
    recorded(tmp_path / "live", {("frames", 0): [entry(a_frame(0), 0)]})
    with RecordingWriter.resume(tmp_path / "live") as writer:
        writer.write("frames", 0, entry(a_frame(1), 1))
        writer.flush()
        code, told = _run(command, tmp_path / "live", tmp_path / "out")
    assert code == 0
    assert "passed over, for they are not sealed: 1 segments" in told


@pytest.mark.parametrize("out", ["out", "out.zip"])
def test_a_full_disk_is_said_and_nothing_is_left_behind(road: Path, tmp_path: Path, out: str) -> None:
    """It names what was asked for, and promises nothing: a cut begins anew."""
    command = f"ulimit -f 8; exec {sys.executable} -m roadwatch record cut {road} {tmp_path / out}"
    found = subprocess.run(["/bin/bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert found.returncode == 1
    assert f"error: {tmp_path / out}: cannot be written: File too large\n" in found.stderr
    assert not list(tmp_path.iterdir())


MEASURED = """
import resource, sys
from pathlib import Path
from producers.recordings.cutting import cut
from producers.recordings.index import Chosen
from producers.recordings.recording import open_recording
from producers.recordings.merging import merge
whole, out = Path(sys.argv[1]), Path(sys.argv[2])
middle = int(sys.argv[3])
cut(open_recording(whole), out / "a", Chosen(to_us=middle))
cut(open_recording(whole), out / "b", Chosen(from_us=middle))
merge([open_recording(out / "a"), open_recording(out / "b")], out / "c")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_stays_flat(tmp_path: Path) -> None:
    """Of a recording fifty times as long, cut and merged, little more is held."""
    small, large = (_peak_kib(tmp_path / str(entries), entries) for entries in (2_000, 100_000))
    assert large - small < 30 * 1024


def _peak_kib(folder: Path, entries: int) -> int:
    whole = a_long_road(folder / "whole", entries)
    middle = at_us(NOON + entries // 4 * timedelta(seconds=0.2) - timedelta(seconds=0.5))
    args = [sys.executable, "-c", MEASURED, whole, folder, middle]
    return int(subprocess.run(list(map(str, args)), check=True, capture_output=True, text=True).stdout)
