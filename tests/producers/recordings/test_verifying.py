"""Verifying says what is wrong and where; salvage keeps what is whole and says what is not."""

import json
import shutil
from pathlib import Path

import pytest

from producers.recordings import recording as recording_module
from producers.recordings.index import NAME, decoded
from producers.recordings.recording import open_recording
from producers.recordings.verifying import Found, Verification, salvage, verify
from producers.recordings.writing import RecordingWriter, pack
from schemas.errors import RecordingError
from tests.support.entries import a_recording, an_entry, begun, kept, write

MIDDLE = "labels/1-0001.avro"


@pytest.fixture
def day(tmp_path: Path) -> Path:
    """Three segments of 30 entries to each of four chains."""
    return a_recording(tmp_path / "day", segments=3)


def _at_fault(found: Verification) -> list[Found]:
    return [one for one in found.found if one.state != "ok"]


def _flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_a_sound_recording(day: Path) -> None:
    found = verify(open_recording(day))
    assert found.sound
    assert found.records == 4 * 90
    assert [one.file for one in found.found][:4] == [
        "frames/0-0000.avro",
        "frames/0-0001.avro",
        "frames/0-0002.avro",
        "frames/1-0000.avro",
    ]


def test_progress_is_told(day: Path) -> None:
    told: list[tuple[int, int]] = []
    verify(day, lambda done, total: told.append((done, total)))
    assert told == [(done, 12) for done in range(13)]


def test_a_missing_segment(day: Path, tmp_path: Path) -> None:
    (day / MIDDLE).unlink()
    (fault,) = _at_fault(verify(day))
    assert (fault.state, fault.lost, fault.lost_offsets) == ("missing", 30, (30, 59))
    with pytest.raises(RecordingError, match=f"{MIDDLE}: missing; what is whole can be kept"):
        kept(day)
    done = salvage(day, tmp_path / "kept", made_by="test")
    assert (done.records, done.lost) == (330, 30)
    assert [entry.offset for entry in kept(tmp_path / "kept")["labels", 1]] == [*range(30), *range(60, 90)]
    assert [(g.topic, g.partition, g.first, g.last) for g in open_recording(tmp_path / "kept").index.gaps] == [
        ("labels", 1, 30, 59)
    ]


def test_a_torn_segment(day: Path, tmp_path: Path) -> None:
    data = (day / MIDDLE).read_bytes()
    (day / MIDDLE).write_bytes(data[:-100])
    (fault,) = _at_fault(verify(day))
    assert (fault.state, fault.records, fault.lost) == ("torn", 28, 2)
    assert fault.fault.endswith(f"{MIDDLE}: torn at byte {len(data) - 100} of {len(data)}")
    salvage(day, tmp_path / "kept", made_by="test")
    assert [entry.offset for entry in kept(tmp_path / "kept")["labels", 1]] == [*range(58), *range(60, 90)]


def test_a_changed_segment_is_kept_up_to_the_piece_that_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the pieces' checksums a changed picture would pass: nothing else in an Avro file tells."""
    for module in (recording_module, __import__("producers.recordings.verifying", fromlist=["PIECE"])):
        monkeypatch.setattr(module, "PIECE", 20_000)
    day = a_recording(tmp_path / "day", segments=1, entries=0)
    with RecordingWriter.resume(day) as writer:
        for offset in range(30):
            writer.write("frames", 0, an_entry(offset, size=5000))
            writer.flush()
    _flip(day / "frames" / "0-0000.avro", 70_000)
    (fault,) = _at_fault(verify(day))
    assert fault.state == "changed"
    assert fault.records == 10
    salvage(day, tmp_path / "kept", made_by="test")
    assert kept(tmp_path / "kept")["frames", 0] == [an_entry(offset, size=5000) for offset in range(10)]


def _rewritten(day: Path, **changes: object) -> None:
    """The index with other content, and a checksum to match: by somebody who knows how."""
    index = decoded((day / NAME).read_bytes(), "it")
    (day / NAME).write_bytes(index.model_copy(update=changes).encoded())


def test_a_segment_whose_entries_are_not_what_the_index_says(day: Path) -> None:
    first, *rest = open_recording(day).index.segments
    _rewritten(day, segments=(first.model_copy(update={"records": 31, "first_ms": 0}), *rest))
    (fault,) = _at_fault(verify(day))
    assert fault.state == "wrong"
    assert "records is 30, the index says 31; first_ms" in fault.fault
    with pytest.raises(RecordingError, match="30 entries to offset 29, where the index says 31"):
        kept(day)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"file": "../../etc/passwd"}, "pattern"),
        ({"file": "labels/1-0000.avro"}, "no file of frames, partition 0"),
        ({"first_offset": 50}, "before it begins"),
        ({"last_offset": 31}, "which its chain had already"),
        ({"file": "frames/0-0001.avro"}, "named twice"),
        ({"records": 0}, "1 or more"),
        ({"topic": "elsewhere", "file": "elsewhere/0-0000.avro"}, "not among its topics"),
    ],
)
def test_an_index_that_no_writer_of_ours_writes_is_refused(day: Path, changes: dict[str, object], says: str) -> None:
    first, *rest = open_recording(day).index.segments
    _rewritten(day, segments=(first.model_copy(update=changes), *rest))
    with pytest.raises(RecordingError, match=says):
        open_recording(day)


def test_a_newer_recording_is_refused_and_not_salvaged(day: Path, tmp_path: Path) -> None:
    _rewritten(day, version=2)
    for work in (verify, lambda path: salvage(path, tmp_path / "kept", made_by="test")):
        with pytest.raises(
            RecordingError, match="version 2 of the format; this program reads up to 1: update roadwatch"
        ):
            work(day)


@pytest.mark.parametrize("index", [None, b"", b"{", b'{"format": "roadwatch-recording"}', b"[" * 100_000, b"\xff\x00"])
def test_an_index_that_is_lost_is_made_again_from_the_segments(day: Path, tmp_path: Path, index: bytes | None) -> None:
    before = open_recording(day).index
    (day / NAME).unlink() if index is None else (day / NAME).write_bytes(index)
    expected = {(t, p): [an_entry(n) for n in range(90)] for t in ("frames", "labels") for p in (0, 1)}
    assert not verify(day).sound
    assert {found.state for found in verify(day).found} == {"unsealed"}
    done = salvage(day, tmp_path / "kept", made_by="test")
    assert (done.records, bool(done.index)) == (360, True)
    assert kept(tmp_path / "kept") == expected
    assert open_recording(tmp_path / "kept").index.topics["frames"].schemas == before.topics["frames"].schemas


def test_what_a_kill_left_unsealed_is_found_and_kept(tmp_path: Path) -> None:
    writer = begun(tmp_path / "day")
    write(writer, 14)
    writer.close()
    found = verify(tmp_path / "day")
    assert not found.sound
    assert {(one.state, one.records) for one in found.found} == {("unsealed", 14)}
    assert salvage(tmp_path / "day", tmp_path / "kept", made_by="test").records == 56
    assert verify(tmp_path / "kept").sound


def test_a_tear_that_no_index_tells_of_is_a_gap(day: Path, tmp_path: Path) -> None:
    (day / NAME).unlink()
    (day / MIDDLE).write_bytes((day / MIDDLE).read_bytes()[:-100])
    salvage(day, tmp_path / "kept", made_by="test")
    (gap,) = open_recording(tmp_path / "kept").index.gaps
    assert (gap.topic, gap.partition, gap.first, gap.last) == ("labels", 1, 58, 59)


def test_strange_files_do_no_harm(day: Path, tmp_path: Path) -> None:
    (day / "NOTES.txt").write_text("a dry day")
    (day / "labels" / "1-0009.avro").write_bytes(b"Obj\x01")
    a_recording(tmp_path / "other", segments=1)
    shutil.copy(tmp_path / "other" / "labels" / "1-0000.avro", day / "labels" / "1-0010.avro")
    assert verify(day).sound
    assert [one.file for one in _at_fault(verify(day))] == ["NOTES.txt", "labels/1-0009.avro", "labels/1-0010.avro"]
    assert salvage(day, tmp_path / "kept", made_by="test").records == 360


def test_a_link_that_leads_out_is_not_followed(day: Path, tmp_path: Path) -> None:
    shutil.move(day / MIDDLE, tmp_path / "outside.avro")
    (day / MIDDLE).symlink_to(tmp_path / "outside.avro")
    (fault,) = _at_fault(verify(day))
    assert "a link that leads out of the recording" in fault.fault
    assert fault.records == 0


def test_a_salvaged_recording_can_be_gone_on_with_where_the_old_one_broke_off(day: Path, tmp_path: Path) -> None:
    with RecordingWriter.resume(day) as writer:
        writer.pass_over("labels", 0, 200)
        writer.pass_over("labels", 1, 200)
    (day / "labels" / "1-0002.avro").unlink()
    salvage(day, tmp_path / "kept", made_by="test")
    index = open_recording(tmp_path / "kept").index
    assert index.topics["labels"].positions == {0: 200, 1: 60}
    assert index.gaps == ()
    assert not index.complete


def test_a_whole_recording_salvaged_is_the_same(day: Path, tmp_path: Path) -> None:
    salvage(day, tmp_path / "kept", made_by="test")
    assert kept(tmp_path / "kept") == kept(day)
    assert open_recording(tmp_path / "kept").index.complete


@pytest.mark.parametrize("path", ["nowhere", "empty", "other.zip"])
def test_what_is_no_recording_is_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "other.zip").write_bytes(b"PK\x05\x06 what is this")
    with pytest.raises(RecordingError, match=path):
        salvage(tmp_path / path, tmp_path / "kept", made_by="test")
    assert not (tmp_path / "kept").exists()
    with pytest.raises(RecordingError, match=path):
        open_recording(tmp_path / path)


def test_a_zip_without_its_list_is_salvaged(day: Path, tmp_path: Path) -> None:
    pack(day, tmp_path / "day.zip")
    data = (tmp_path / "day.zip").read_bytes()
    (tmp_path / "day.zip").write_bytes(data[: data.index(b"PK\x01\x02")])
    found = verify(tmp_path / "day.zip")
    assert "torn, or no zip file" in found.index
    assert {one.state for one in found.found} == {"ok"}
    assert salvage(tmp_path / "day.zip", tmp_path / "kept", made_by="test").lost == 0
    assert kept(tmp_path / "kept") == kept(day)


def test_the_index_is_plain_json(day: Path) -> None:
    plain = json.loads((day / NAME).read_text())
    assert plain["format"] == "roadwatch-recording"
    assert not any(name.startswith("__") for schema in plain["topics"]["frames"]["schemas"] for name in schema)
