"""The archive gives back what was kept, or says what is wrong; in a folder and in an object store alike."""

import json
import multiprocessing
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from models.archive.archive import PICTURE_LIMIT, Archive
from models.archive.names import LONGEST, id_of, index_name
from models.archive.opening import OWNER, open_archive
from models.files import Files, open_files
from runtime.settings import ArchiveSettings
from schemas.errors import ArchiveError
from tests.support.examples import FullStore, Killed, Stopping, an_example, an_example_frame

pytestmark = pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")  # JAX, where a test before has loaded it
FORK = multiprocessing.get_context("fork")
fsspec.register_implementation("full", FullStore, clobber=True)


@pytest.fixture(params=["folder", "object store"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Files]:
    """Both kinds of places."""
    address = str(tmp_path / "archive") if request.param == "folder" else "memory://archive"
    yield open_files(address, {}, OWNER)
    MemoryFileSystem.store.clear()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a test looks into the files themselves."""
    return tmp_path / "archive"


def opened(folder: Path) -> Archive:
    return open_archive(ArchiveSettings(address=str(folder)))[0]


def kept(archive: Archive, *ids: str) -> list[str]:
    return [example.example_id for example in archive.read(ids)]


def test_what_is_kept_is_given_back_as_it_was_in_the_order_asked(files: Files) -> None:
    archive, examples = Archive(files, "here"), [an_example(n) for n in range(3)]
    assert archive.keep(examples) == 3
    wanted = [examples[2].example_id, "gate:none:p1", examples[0].example_id]
    assert list(Archive(files, "here").read(wanted)) == [examples[2], examples[0]]
    assert archive.ids() == {example.example_id for example in examples}


def test_an_archive_that_nobody_has_written_is_empty(files: Files) -> None:
    archive = Archive(files, "here")
    assert archive.ids() == frozenset()
    assert list(archive.read(["gate:e:p1"])) == []


def test_kept_twice_counts_once(files: Files) -> None:
    archive = Archive(files, "here")
    assert (archive.keep([an_example()]), archive.keep([an_example(), an_example(7)])) == (1, 1)
    archive.keep([an_example(confidence=0.1)])
    assert [example.confidence for example in archive.read([an_example().example_id])] == [0.75]


def test_frames_without_a_picture_are_left_out_and_examples_without_any(files: Files) -> None:
    gone, there = an_example_frame(3, picture=b""), an_example_frame(4)
    archive = Archive(files, "here")
    assert archive.keep([an_example(1, frames=(gone, there)), an_example(2, frames=(gone,))]) == 1
    assert [example.frames for example in archive.read([an_example(1).example_id])] == [(there,)]


IDS = ("gate", "Käse", "..", ".hidden", "a/b\\c", "x" * 300, "日本" * 60, "%7E~", "")


@pytest.mark.parametrize("camera_id", IDS)
def test_whatever_a_camera_is_called_its_files_are_safe(files: Files, folder: Path, camera_id: str) -> None:
    archive = Archive(files, "here")
    example = an_example(1, camera_id, example_id=f"{camera_id}:e:p1")
    archive.keep([example])
    assert archive.ids() == {example.example_id}
    assert list(archive.read([example.example_id])) == [example]
    outside = [path for path in folder.parent.rglob("*") if path.is_file() and folder not in path.parents]
    assert outside == []


def test_pictures_lie_by_day_and_camera_where_anybody_finds_them(folder: Path) -> None:
    opened(folder).keep([an_example()])
    names = sorted(path.name for path in (folder / "pictures" / "2026-11-23" / "gate").iterdir())
    assert [name.split("-")[-2] for name in names] == ["23_0", "23_1"]
    assert (folder / "pictures" / "2026-11-23" / "gate" / names[0]).read_bytes() == an_example().frames[0].picture


def test_names_of_examples_can_be_read_but_for_very_long_ones() -> None:
    assert id_of(index_name("gate:e:p1")) == "gate:e:p1"
    assert id_of(index_name("x" * (LONGEST + 1))) is None
    assert id_of("note.txt") is None


@pytest.mark.parametrize("writes", range(7))
def test_killed_at_any_write_nothing_is_half_and_the_next_run_completes_it(files: Files, writes: int) -> None:
    """Two examples of three files each."""
    examples = [an_example(0), an_example(10)]
    try:
        Archive(Stopping(files, writes), "here").keep(examples)
    except Killed:
        assert writes < 6
    archive = Archive(files, "here")
    assert list(archive.read(each.example_id for each in examples)) == examples[: writes // 3]
    assert archive.keep(examples) == 2 - writes // 3
    assert list(archive.read(each.example_id for each in examples)) == examples


def _keep(folder: Path, first: int) -> None:
    opened(folder).keep(an_example(n) for n in range(first, first + 40))


def test_two_writers_at_once_lose_nothing(folder: Path) -> None:
    """Half of what they keep is the same."""
    writers = [FORK.Process(target=_keep, args=(folder, first)) for first in (0, 20)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    archive, wanted = opened(folder), [an_example(n) for n in range(60)]
    assert list(archive.read(each.example_id for each in wanted)) == wanted
    assert not list(folder.rglob("*.tmp"))


def test_a_full_disk_says_so_and_leaves_nothing_half() -> None:
    MemoryFileSystem.store.clear()
    FullStore.room = 4
    archive, _ = open_archive(ArchiveSettings(address="full://archive"))
    with pytest.raises(ArchiveError, match=r"nothing was recorded; make room first \(1 examples were kept before it"):
        archive.keep([an_example(0), an_example(10)])
    assert archive.ids() == {an_example(0).example_id}
    FullStore.room = 10
    assert archive.keep([an_example(0), an_example(10)]) == 1


FAULTY = {
    "torn": (lambda raw: raw[:100], "Invalid JSON"),
    "another picture": (lambda raw: raw.replace(b"pictures/", b"pictures/../"), "is no picture's name"),
    "newer": (lambda raw: raw.replace(b'"format": 1', b'"format": 2'), "newer version of Roadwatch"),
    "large": (lambda raw: raw + b" " * 300_000, "at most 262144 are read"),
    "another's": (lambda raw: raw.replace(b":p0", b":p9"), "it was changed"),
    "fewer checksums": (lambda raw: json.dumps({**json.loads(raw), "sha256": []}).encode(), "2 pictures and 0"),
}


@pytest.mark.parametrize("fault", FAULTY)
def test_a_damaged_example_is_named_and_the_others_are_given(folder: Path, fault: str) -> None:
    change, said = FAULTY[fault]
    archive = opened(folder)
    archive.keep([an_example(0), an_example(10)])
    file = folder / "examples" / index_name(an_example(0).example_id)
    file.write_bytes(change(file.read_bytes()))
    told: list[str] = []
    wanted = [an_example(0).example_id, an_example(10).example_id]
    assert [each.example_id for each in archive.read(wanted, told.append)] == wanted[1:]
    assert len(told) == 1
    assert said in told[0]
    assert file.name in told[0]
    with pytest.raises(ArchiveError, match="gate"):
        kept(archive, *wanted)


@pytest.mark.parametrize("content", [None, b"", b"something else"])
def test_a_picture_that_is_gone_or_another_is_named(folder: Path, content: bytes | None) -> None:
    archive = opened(folder)
    archive.keep([an_example()])
    picture = next((folder / "pictures").rglob("*.jpg"))
    picture.unlink() if content is None else picture.write_bytes(content)
    with pytest.raises(
        ArchiveError, match=r"\.jpg is (gone|torn or was changed): put it back from a backup, or remove"
    ):
        kept(archive, an_example().example_id)


def test_an_example_whose_file_was_removed_is_kept_anew_and_mends_its_pictures(folder: Path) -> None:
    """As the message advises."""
    archive = opened(folder)
    archive.keep([an_example()])
    next((folder / "pictures").rglob("*.jpg")).write_bytes(b"torn")
    (folder / "examples" / index_name(an_example().example_id)).unlink()
    assert archive.keep([an_example()]) == 1
    assert list(archive.read([an_example().example_id])) == [an_example()]


UNREADABLE = {
    "too large a picture": (
        an_example(frames=(an_example_frame(picture=b"x" * (PICTURE_LIMIT + 1)),)),
        "2097153 bytes",
    ),
    "no number": (an_example(confidence=float("nan")), "confidence"),
    "no zone": (replace(an_example(), at=an_example().at.replace(tzinfo=None)), "without its zone"),
    "no day": (an_example(day="../../etc"), "is no day"),
}


@pytest.mark.parametrize("fault", UNREADABLE)
def test_what_would_not_be_read_again_is_not_kept(files: Files, fault: str) -> None:
    example, said = UNREADABLE[fault]
    archive = Archive(files, "here")
    with pytest.raises(ArchiveError, match=said):
        archive.keep([example])
    assert archive.ids() == frozenset()


def test_errors_name_the_archives_settings(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    archive, _ = open_archive(ArchiveSettings(address=str(tmp_path / "file")))
    with pytest.raises(ArchiveError, match=r"archive\.address names a file, and must name a folder"):
        archive.ids()
    with pytest.raises(ArchiveError, match="Protocol not known"):
        open_archive(ArchiveSettings(address="nonsense://x"))
