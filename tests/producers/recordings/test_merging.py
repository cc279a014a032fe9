"""Pieces of a recording, merged, are the recording."""

import random
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest
from typer.testing import CliRunner

from producers.recordings.container import Entry
from producers.recordings.cutting import cut
from producers.recordings.index import Chosen
from producers.recordings.merging import merge
from producers.recordings.recording import open_recording
from producers.recordings.writing import RecordingWriter
from roadwatch.cli import app
from schemas.codec import Schema, schema_of
from schemas.errors import RecordingError
from schemas.records import Frame, Label
from tests.support.entries import a_recording, an_entry, kept
from tests.support.roads import a_moment, a_road, at_us


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days of three cameras."""
    return a_road(tmp_path_factory.mktemp("road") / "whole", seed=1)


def _cut(whole: Path, out: Path, begin: datetime | None, end: datetime | None) -> Path:
    times = {"from_us": None if begin is None else at_us(begin), "to_us": None if end is None else at_us(end)}
    cut(open_recording(whole), out, Chosen(**times))
    return out


def _merged(out: Path, *parts: Path) -> Path:
    merge([open_recording(part) for part in parts], out)
    return out


@pytest.mark.parametrize("seed", range(6))
def test_two_neighbouring_cuts_merged_are_the_cut_of_both_spans(road: Path, tmp_path: Path, seed: int) -> None:
    """merge(cut(a, b), cut(b, c)) is cut(a, c), to the entry."""
    rng = random.Random(seed)
    a, b, c = sorted(a_moment(rng) for _ in range(3))
    parts = _cut(road, tmp_path / "ab", a, b), _cut(road, tmp_path / "bc", b, c)
    rng.shuffle(list(parts))
    both = _merged(tmp_path / "both", *parts)
    assert kept(both) == kept(_cut(road, tmp_path / "ac", a, c))
    chosen = open_recording(both).index.chosen
    assert (chosen.from_us, chosen.to_us) == (at_us(a), at_us(c))


@pytest.mark.parametrize("seed", range(6))
def test_all_pieces_merged_are_the_whole(road: Path, tmp_path: Path, seed: int) -> None:
    """Whatever the borders, and in whatever order they are named."""
    rng = random.Random(seed)
    borders = [None, *sorted(a_moment(rng) for _ in range(rng.randint(1, 5))), None]
    pieces = [_cut(road, tmp_path / f"{i}", *span) for i, span in enumerate(pairwise(borders))]
    rng.shuffle(pieces)
    assert kept(_merged(tmp_path / "all", *pieces)) == kept(road)


@pytest.mark.parametrize("seed", range(4))
def test_overlapping_cuts_merged_have_each_entry_once(road: Path, tmp_path: Path, seed: int) -> None:
    """What lies at the same place is the same."""
    a, b, c, d = sorted(a_moment(random.Random(seed)) for _ in range(4))
    parts = _cut(road, tmp_path / "ac", a, c), _cut(road, tmp_path / "bd", b, d)
    assert kept(_merged(tmp_path / "both", *parts)) == kept(_cut(road, tmp_path / "ad", a, d))


def test_cameras_and_topics_merged_are_the_whole(road: Path, tmp_path: Path) -> None:
    """Each in a recording of its own before."""
    recording, cameras = open_recording(road), ("east", "north", "west")
    for camera in cameras:
        cut(recording, tmp_path / camera, Chosen(cameras=(camera,)), frozenset({"predictions", "labels", "models"}))
    cut(recording, tmp_path / "rest", Chosen(), frozenset({"observations", "telemetry"}))
    both = _merged(tmp_path / "both", *(tmp_path / name for name in (*cameras, "rest")))
    assert kept(both) == kept(road)
    assert open_recording(both).index.chosen == Chosen()


def test_a_recording_merged_with_itself_is_itself(road: Path, tmp_path: Path) -> None:
    """Nothing is doubled."""
    assert kept(_merged(tmp_path / "both", road, road)) == kept(road)


def test_schemas_are_numbered_anew(tmp_path: Path) -> None:
    """Each entry still names the schema that it was written with."""
    older = {**schema_of(Label), "doc": "An older one."}
    _written(tmp_path / "a", [schema_of(Label), older], an_entry(0, schema=0), an_entry(1, schema=1))
    _written(tmp_path / "b", [older], an_entry(1, schema=0), an_entry(2, schema=0))
    both = _merged(tmp_path / "both", tmp_path / "b", tmp_path / "a")
    schemas = open_recording(both).index.topics["labels"].schemas
    found = [schemas[entry.schema]["doc"] == "An older one." for entry in kept(both)["labels", 0]]
    assert found == [False, True, True]


def _written(folder: Path, schemas: list[Schema], *entries: Entry, topic: str = "labels", partitions: int = 1) -> Path:
    with RecordingWriter.begin(
        folder, origin=folder.name, made_by="test 1", partitions={topic: partitions}, chosen=Chosen()
    ) as writer:
        for schema in schemas:
            writer.schema_number(topic, schema)
        for entry in entries:
            writer.write(topic, 0, entry)
        writer.seal(complete=True)
    return folder


def test_different_records_at_one_place_are_refused(tmp_path: Path) -> None:
    """The place and both recordings are named."""
    a = _written(tmp_path / "a", [schema_of(Label)], an_entry(6), an_entry(7))
    b = _written(tmp_path / "b", [schema_of(Label)], an_entry(7, body=b"other"))
    with pytest.raises(RecordingError, match=f"labels/0 at offset 7: {a} and {b} hold different records"):
        _merged(tmp_path / "both", a, b)


def test_batches_of_different_streams_are_not_united(road: Path, tmp_path: Path) -> None:
    """Though they lie at the same place and are of the same camera."""
    other = a_road(tmp_path / "other", seed=2, topics=["observations"])
    with pytest.raises(RecordingError, match=r"observations/\d at offset \d+: .* different records"):
        _merged(tmp_path / "both", road, other)


def test_different_numbers_of_partitions_are_refused(tmp_path: Path) -> None:
    """A key would lie in another partition."""
    a = _written(tmp_path / "a", [schema_of(Label)], partitions=2)
    b = _written(tmp_path / "b", [schema_of(Label)], partitions=3)
    with pytest.raises(RecordingError, match=f"labels: {a} has 2 partitions, {b} has 3"):
        _merged(tmp_path / "both", a, b)


def test_frames_with_and_without_pictures_are_refused(tmp_path: Path) -> None:
    """What to do about it is said."""
    _written(tmp_path / "a", [schema_of(Frame)], an_entry(7), topic="frames")
    entry = an_entry(7, body=b"other")
    with RecordingWriter.begin(
        tmp_path / "b", origin="b", made_by="test 1", partitions={"frames": 1}, chosen=Chosen(pictures=False)
    ) as writer:
        writer.schema_number("frames", schema_of(Frame))
        writer.write("frames", 0, entry)
        writer.seal(complete=True)
    with pytest.raises(RecordingError, match="--no-pictures"):
        _merged(tmp_path / "both", tmp_path / "a", tmp_path / "b")


def test_a_gap_that_another_fills_is_none(tmp_path: Path) -> None:
    """What was gone for all of them is still said."""
    for name, entry in (("a", an_entry(20)), ("b", an_entry(3))):
        _written(tmp_path / name, [schema_of(Label)], entry)
        with RecordingWriter.resume(tmp_path / name) as writer:
            writer.gap("labels", 0, 10, 19)
            if name == "a":
                writer.gap("labels", 0, 0, 5)
            writer.seal(complete=True)
    gaps = open_recording(_merged(tmp_path / "both", tmp_path / "a", tmp_path / "b")).index.gaps
    assert [(gap.first, gap.last) for gap in gaps] == [(10, 19)]


def test_the_merger_is_complete_where_all_are(tmp_path: Path) -> None:
    """One that broke off tells."""
    a, b = a_recording(tmp_path / "a"), a_recording(tmp_path / "b")
    assert open_recording(_merged(tmp_path / "both", a, b)).index.complete
    with RecordingWriter.resume(b):
        pass
    assert not open_recording(_merged(tmp_path / "again", a, b)).index.complete


def test_the_command_merges_into_a_zip(road: Path, tmp_path: Path) -> None:
    """Zips go in, a zip comes out."""
    runner, times = CliRunner(), "2026-03-03T00:00:01Z"
    assert runner.invoke(app, ["record", "cut", str(road), str(tmp_path / "a.zip"), "--to", times]).exit_code == 0
    assert runner.invoke(app, ["record", "cut", str(road), str(tmp_path / "b.zip"), "--from", times]).exit_code == 0
    parts = [str(tmp_path / name) for name in ("a.zip", "b.zip", "c.zip")]
    assert runner.invoke(app, ["record", "merge", *parts]).exit_code == 0
    assert kept(tmp_path / "c.zip") == kept(road)


def test_one_name_is_no_merger(road: Path) -> None:
    """It is said what is missing."""
    found = CliRunner().invoke(app, ["record", "merge", str(road)])
    assert found.exit_code
    assert "only one name" in f"{found.output} {found.exception}"


def test_entries_that_differ_in_a_header_differ(tmp_path: Path) -> None:
    """Equal is equal in all."""
    one = an_entry(7)
    a = _written(tmp_path / "a", [schema_of(Label)], one)
    b = _written(tmp_path / "b", [schema_of(Label)], replace(one, headers=()))
    with pytest.raises(RecordingError, match="different records"):
        _merged(tmp_path / "both", a, b)
