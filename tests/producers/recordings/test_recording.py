"""A recording, opened: its entries in one order, as a folder or as a zip file, and nothing taken on trust."""

import zipfile
from pathlib import Path

import pytest

from producers.recordings.files import open_files
from producers.recordings.index import NAME
from producers.recordings.recording import Located, Selection, open_recording
from producers.recordings.writing import pack
from schemas.errors import RecordingError
from tests.support.entries import NOON_MS, a_recording, an_entry, begun, kept


def _order(path: Path, selection: Selection = Selection()) -> list[tuple[str, int, int]]:  # noqa: B008  # it is frozen
    return [_place(located) for located in open_recording(path).entries(selection)]


def _place(located: Located) -> tuple[str, int, int]:
    return located.topic, located.partition, located.offset


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Four chains whose entries were logged in turn, some in the same millisecond, one late by its own clock."""
    logged = {("labels", 0): [5, 5, 9], ("labels", 1): [1, 5, 7], ("frames", 0): [5, 2, 6], ("frames", 1): [2, 5, 8]}
    with begun(tmp_path / "day") as writer:
        for (topic, partition), times in logged.items():
            for offset, ms in enumerate(times):
                writer.write(topic, partition, an_entry(offset, logged_ms=ms, key=b"gate-%d" % partition))
                writer.seal()
    return tmp_path / "day"


def test_entries_come_in_the_order_in_which_they_were_logged(mixed: Path) -> None:
    """In the same millisecond by topic, partition, offset; within a partition always by offset."""
    assert _order(mixed) == [
        ("labels", 1, 0),
        ("frames", 1, 0),
        ("frames", 0, 0),
        ("frames", 0, 1),
        ("frames", 1, 1),
        ("labels", 0, 0),
        ("labels", 0, 1),
        ("labels", 1, 1),
        ("frames", 0, 2),
        ("labels", 1, 2),
        ("frames", 1, 2),
        ("labels", 0, 2),
    ]


def test_a_zip_file_gives_the_same_order(mixed: Path, tmp_path: Path) -> None:
    pack(mixed, tmp_path / "day.zip")
    assert _order(tmp_path / "day.zip") == _order(mixed)


@pytest.mark.parametrize(
    ("selection", "wanted"),
    [
        (Selection(topics=frozenset({"labels"})), lambda place: place[0] == "labels"),
        (Selection(cameras=frozenset({"gate-1"})), lambda place: place[1] == 1),
        (Selection(from_us=(NOON_MS + 10) * 1000), lambda place: place[2] >= 1),
        (Selection(to_us=(NOON_MS + 20) * 1000), lambda place: place[2] < 2),
        (Selection(topics=frozenset()), lambda _: False),
    ],
)
def test_what_is_wanted_comes_in_the_same_order(mixed: Path, selection: Selection, wanted: object) -> None:
    assert callable(wanted)
    assert _order(mixed, selection) == [place for place in _order(mixed) if wanted(place)]


def test_entries_without_event_time_are_always_wanted(tmp_path: Path) -> None:
    with begun(tmp_path / "day") as writer:
        writer.write("labels", 0, an_entry(0, first_us=None, last_us=None))
    assert len(_order(tmp_path / "day", Selection(from_us=2**60))) == 1


def test_an_empty_recording_has_no_entries(tmp_path: Path) -> None:
    begun(tmp_path / "day").close()
    assert _order(tmp_path / "day") == []


@pytest.fixture
def day(tmp_path: Path) -> Path:
    """One segment to each of four chains."""
    return a_recording(tmp_path / "day", segments=1)


def test_a_zip_of_the_folder_made_by_another_tool_is_read(day: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "day.zip", "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(day.rglob("*")):
            archive.write(path, path.relative_to(day))
    assert kept(tmp_path / "day.zip") == kept(day)


def test_a_packed_zip_is_refused_and_says_what_to_do(day: Path, tmp_path: Path) -> None:
    """It is a window of the file that is read: nothing is unpacked, so nothing can unpack to more than there is."""
    with zipfile.ZipFile(tmp_path / "day.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(day / NAME, NAME)
    with pytest.raises(RecordingError, match=f"'{NAME}' is packed or encrypted: unpack it, and take the folder"):
        open_recording(tmp_path / "day.zip")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_that_holds_a_file_twice_is_refused(day: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "day.zip", "w") as archive:
        for _ in range(2):
            archive.write(day / NAME, NAME)
    with pytest.raises(RecordingError, match="holds a file twice"):
        open_recording(tmp_path / "day.zip")


def test_a_zip_whose_files_overlap_is_refused(day: Path, tmp_path: Path) -> None:
    """Two names for the same bytes: what a zip bomb is made of."""
    with zipfile.ZipFile(tmp_path / "day.zip", "w") as archive:
        archive.write(day / NAME, NAME)
        archive.getinfo(NAME).file_size -= 1
        archive.getinfo(NAME).compress_size -= 1
        archive.write(day / "labels" / "0-0000.avro", "labels/0-0000.avro")
        archive.getinfo("labels/0-0000.avro").header_offset = 0
    with pytest.raises(RecordingError, match="its files overlap"):
        open_recording(tmp_path / "day.zip")


def test_a_link_out_of_the_folder_is_not_followed(day: Path, tmp_path: Path) -> None:
    (day / NAME).rename(tmp_path / "outside.json")
    (day / NAME).symlink_to(tmp_path / "outside.json")
    with pytest.raises(RecordingError, match="a link that leads out of the recording"):
        open_recording(day)


def test_a_link_within_the_folder_is(day: Path) -> None:
    (day / NAME).rename(day / "index.json")
    (day / NAME).symlink_to("index.json")
    assert len(kept(day)) == 4


@pytest.mark.parametrize("name", ["nowhere", "nowhere/day", "\0", "a" * 300])
def test_a_path_where_nothing_is_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecordingError, match=r"no such recording|cannot be read"):
        open_files(tmp_path / name)


def test_a_folder_that_is_none_of_ours_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"it holds no recording\.json"):
        open_recording(tmp_path)


def test_an_index_is_read_as_it_was_written(day: Path) -> None:
    """Also with partitions whose numbers do not sort as text."""
    with begun(day.with_name("wide"), partitions=12) as writer:
        for partition in (2, 10, 11):
            writer.write("labels", partition, an_entry(0))
    index = open_recording(day.with_name("wide")).index
    assert index.topics["labels"].positions == {2: 1, 10: 1, 11: 1}
