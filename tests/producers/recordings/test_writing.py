"""Recordings are written so that a kill, a full disk or a second writer costs no entry that was told of."""

import os
import random
import resource
import signal
import subprocess
import sys
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from producers.recordings import writing
from producers.recordings.container import MOST_ENTRY
from producers.recordings.index import NAME
from producers.recordings.recording import open_recording
from producers.recordings.verifying import verify
from producers.recordings.writing import RecordingWriter, pack
from schemas.codec import schema_of
from schemas.errors import RecordingError
from schemas.records import Frame, Prediction
from tests.support.entries import Kept, a_recording, an_entry, begun, kept, write


def test_what_is_written_is_read(tmp_path: Path) -> None:
    found = kept(a_recording(tmp_path / "day", segments=3, entries=30))
    assert found == {(t, p): [an_entry(n) for n in range(90)] for t in ("frames", "labels") for p in (0, 1)}
    assert verify(tmp_path / "day").sound


def test_a_recording_begins_in_a_folder_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(RecordingError, match="not empty"):
        begun(tmp_path)


def test_two_writers_cannot_have_one_recording(tmp_path: Path) -> None:
    with begun(tmp_path / "day"), pytest.raises(RecordingError, match="somebody is writing it"):
        RecordingWriter.resume(tmp_path / "day")
    RecordingWriter.resume(tmp_path / "day").close()


def test_a_recording_ended_in_order_is_complete_until_it_is_gone_on_with(tmp_path: Path) -> None:
    with begun(tmp_path / "day") as writer:
        write(writer, 3)
        writer.seal(complete=True)
    assert open_recording(tmp_path / "day").index.complete
    with RecordingWriter.resume(tmp_path / "day") as writer:
        write(writer, 3)
    assert not open_recording(tmp_path / "day").index.complete
    assert len(kept(tmp_path / "day")["labels", 1]) == 6


def test_offsets_ascend(tmp_path: Path) -> None:
    with begun(tmp_path / "day") as writer:
        writer.write("labels", 0, an_entry(5))
        with pytest.raises(RecordingError, match="offset 5 comes after 5"):
            writer.write("labels", 0, an_entry(5))


def test_an_entry_that_is_refused_leaves_no_empty_segment(tmp_path: Path) -> None:
    with begun(tmp_path / "day") as writer, pytest.raises(RecordingError, match="an entry may have"):
        writer.write("labels", 0, an_entry(0, size=MOST_ENTRY))
    assert verify(tmp_path / "day").found == ()


def test_a_schema_that_is_new_begins_a_segment_whose_head_names_it(tmp_path: Path) -> None:
    with begun(tmp_path / "day") as writer:
        writer.write("labels", 0, an_entry(0))
        number = writer.schema_number("labels", schema_of(Prediction))
        writer.write("labels", 0, an_entry(1, schema=number))
        writer.write("labels", 0, an_entry(2))
        with pytest.raises(RecordingError, match="no schema has the number 7"):
            writer.write("labels", 1, an_entry(1, schema=7))
    index = open_recording(tmp_path / "day").index
    assert [segment.records for segment in index.segments if segment.topic == "labels"] == [1, 2]
    assert [schema["name"] for schema in index.topics["labels"].schemas] == ["roadwatch.Label", "roadwatch.Prediction"]


def test_a_schema_keeps_its_number_when_the_recording_is_gone_on_with(tmp_path: Path) -> None:
    with begun(tmp_path / "day") as writer:
        writer.schema_number("frames", schema_of(Prediction))
    with RecordingWriter.resume(tmp_path / "day") as writer:
        assert [writer.schema_number("frames", schema_of(kind)) for kind in (Prediction, Frame, Frame)] == [1, 0, 0]


def test_large_segments_are_sealed_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "SEGMENT", 200_000)
    with begun(tmp_path / "day") as writer:
        for offset in range(150):
            writer.write("frames", 0, an_entry(offset, size=5000))
        assert len(writer.index.segments) >= 3
    assert [entry.offset for entry in kept(tmp_path / "day")["frames", 0]] == list(range(150))


def test_the_index_does_not_say_that_more_was_kept_than_is_sealed(tmp_path: Path) -> None:
    with begun(tmp_path / "day") as writer:
        write(writer, 5)
        writer.gap("labels", 1, 5, 6)
        assert open_recording(tmp_path / "day").index.topics["labels"].positions == {}
        writer.seal()
        assert open_recording(tmp_path / "day").index.topics["labels"].positions == {0: 5, 1: 5}


def test_a_gap_that_is_met_again_is_one_gap(tmp_path: Path) -> None:
    with begun(tmp_path / "day") as writer:
        writer.gap("labels", 1, 5, 6)
        writer.gap("labels", 1, 5, 8)
    assert [(gap.first, gap.last) for gap in open_recording(tmp_path / "day").index.gaps] == [(5, 8)]


def _killed(folder: Path) -> Kept:
    """A recording of one sealed segment to a chain, and one more that a kill left unsealed; what was flushed of it."""
    with_sealed = begun(folder)
    write(with_sealed, 20)
    with_sealed.seal()
    write(with_sealed, 20, flush_every=5)
    with_sealed.close()
    return {(t, p): [an_entry(n) for n in range(40)] for t in ("frames", "labels") for p in (0, 1)}


def test_what_a_kill_left_is_sealed_and_gone_on_with(tmp_path: Path) -> None:
    expected = _killed(tmp_path / "day")
    (tmp_path / "day" / f"{NAME}.new").write_bytes(b"{")
    with RecordingWriter.resume(tmp_path / "day") as writer:
        assert {writer.position(*chain) for chain in expected} == {40}
        write(writer, 1)
    assert kept(tmp_path / "day") == {chain: [*entries, an_entry(40)] for chain, entries in expected.items()}
    assert [s.file for s in open_recording(tmp_path / "day").chain("labels", 1)][-1] == "labels/1-0002.avro"
    assert verify(tmp_path / "day").sound


def test_a_kill_at_any_byte_costs_only_what_was_not_flushed(tmp_path: Path) -> None:
    rng = random.Random(7)
    for number in range(15):
        folder = tmp_path / str(number)
        expected = _killed(folder)
        torn = folder / "labels" / "1-0001.avro"
        os.truncate(torn, rng.randrange(torn.stat().st_size))
        with RecordingWriter.resume(folder) as writer:
            position = writer.position("labels", 1) or 0
            assert position % 5 == 0
            assert 20 <= position < 40
            for offset in range(position, 45):
                writer.write("labels", 1, an_entry(offset))
        assert kept(folder) == {**expected, ("labels", 1): [an_entry(n) for n in range(45)]}
        assert verify(folder).sound


def test_a_process_that_is_killed_while_it_writes_loses_nothing_that_was_flushed(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib\n"
        "from tests.support.entries import begun, write\n"
        "writer = begun(pathlib.Path(sys.argv[1]))\n"
        "while True:\n"
        "    write(writer, 50, flush_every=50)\n"
        "    print(writer.position('labels', 0), flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "day")], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        told = [int(process.stdout.readline()) for _ in range(5)]
        process.send_signal(signal.SIGKILL)
    with RecordingWriter.resume(tmp_path / "day") as writer:
        assert (writer.position("labels", 0) or 0) >= told[-1]
    for entries in kept(tmp_path / "day").values():
        assert entries == [an_entry(number) for number in range(len(entries))]


def test_a_segment_of_another_recording_is_neither_taken_nor_removed(tmp_path: Path) -> None:
    _killed(tmp_path / "day")
    _killed(tmp_path / "other")
    stranger = tmp_path / "day" / "labels" / "1-0001.avro"
    stranger.write_bytes((tmp_path / "other" / "labels" / "1-0001.avro").read_bytes())
    with pytest.raises(RecordingError, match="of another recording; take it away"):
        RecordingWriter.resume(tmp_path / "day")
    assert stranger.exists()


def test_entries_that_are_kept_already_are_not_kept_twice(tmp_path: Path) -> None:
    folder = a_recording(tmp_path / "day", segments=1)
    (folder / "labels" / "1-0001.avro").write_bytes((folder / "labels" / "1-0000.avro").read_bytes())
    with pytest.raises(RecordingError, match="is kept already; take it away"):
        RecordingWriter.resume(folder)


def test_a_link_out_of_the_recording_is_not_written_through(tmp_path: Path) -> None:
    _killed(tmp_path / "day")
    outside, link = tmp_path / "outside.avro", tmp_path / "day" / "labels" / "1-0001.avro"
    link.rename(outside)
    link.symlink_to(outside)
    before = outside.read_bytes()
    with pytest.raises(RecordingError, match="a link that leads out"):
        RecordingWriter.resume(tmp_path / "day")
    assert outside.read_bytes() == before


def _interrupted(folder: Path) -> None:
    with begun(folder) as writer:
        write(writer, 10)
        raise KeyboardInterrupt


def test_an_exception_seals_what_is_whole(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        _interrupted(tmp_path / "day")
    assert verify(tmp_path / "day").sound
    assert [len(entries) for entries in kept(tmp_path / "day").values()] == [10] * 4


def _write_what_is_no_entry(folder: Path, **changes: Any) -> None:
    with begun(folder) as writer:
        write(writer, 10)
        writer.write("labels", 0, an_entry(10, **changes))


@pytest.mark.parametrize("changes", [{"headers": (("a", 1),)}, {"logged_ms": 2**70}])
def test_half_an_entry_costs_no_other(tmp_path: Path, changes: dict[str, object]) -> None:
    with pytest.raises((TypeError, ValueError, AttributeError, OverflowError)):
        _write_what_is_no_entry(tmp_path / "day", **changes)
    assert verify(tmp_path / "day").sound
    assert [len(entries) for entries in kept(tmp_path / "day").values()] == [10, 10, 7, 10]


def _fill(folder: Path, limit: int, answers: object) -> None:
    """Record where no file may become larger than a limit, as on a disk that is full: in a process of its own."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        with begun(folder) as writer:
            for _ in range(20):
                write(writer, 10, size=500)
                writer.flush()
    except RecordingError as error:
        answers.put(str(error))  # type: ignore[attr-defined]


@pytest.mark.parametrize("limit", [20_000, 24_000, 31_111, 40_000])
def test_a_disk_that_takes_no_more_is_said_and_the_recording_gone_on_with(tmp_path: Path, limit: int) -> None:
    context = get_context("spawn")
    answers = context.Queue()
    process = context.Process(target=_fill, args=(tmp_path / "day", limit, answers))
    process.start()
    assert "cannot be written: File too large; what is sealed is kept" in answers.get(timeout=60)
    process.join()
    with RecordingWriter.resume(tmp_path / "day") as writer:
        write(writer, 5, size=500)
    assert verify(tmp_path / "day").sound
    for entries in kept(tmp_path / "day").values():
        assert entries == [an_entry(number, size=500) for number in range(len(entries))]


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RecordingError, match="cannot be written: Not a directory"):
        begun(tmp_path / "file" / "day")


def test_a_packed_recording_gives_the_same_entries(tmp_path: Path) -> None:
    folder = a_recording(tmp_path / "day")
    pack(folder, tmp_path / "day.zip")
    assert kept(tmp_path / "day.zip") == kept(folder)
    assert verify(tmp_path / "day.zip").sound
    with pytest.raises(RecordingError, match="is there already"):
        pack(folder, tmp_path / "day.zip")
    with pytest.raises(RecordingError, match="unpack it first"):
        RecordingWriter.resume(tmp_path / "day.zip")
