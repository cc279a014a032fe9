"""The ledger keeps what was asked and every word that was given, whoever writes at once, and whatever befalls them."""

import multiprocessing
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta, timezone
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from models.archive.examples import GivenLabel
from models.archive.ledger import Ledger
from models.archive.opening import OWNER, open_archive
from models.archive.truths import truths_of
from models.files import Files, open_files
from runtime.settings import ArchiveSettings
from schemas.errors import ArchiveError
from tests.support.examples import MORNING, FullStore, Killed, Stopping, a_request, a_word

pytestmark = pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")  # JAX, where a test before has loaded it
FORK = multiprocessing.get_context("fork")
fsspec.register_implementation("full", FullStore, clobber=True)


@pytest.fixture(params=["folder", "object store"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Files]:
    """Both kinds of places."""
    address = str(tmp_path / "archive") if request.param == "folder" else "memory://archive"
    yield open_files(address, {}, OWNER)
    MemoryFileSystem.store.clear()


def opened(folder: Path) -> Ledger:
    return open_archive(ArchiveSettings(address=str(folder)))[1]


def words(count: int, first: int = 0) -> list[GivenLabel]:
    return [a_word(f"gate:e:p{n}") for n in range(first, first + count)]


def test_a_request_is_asked_once(files: Files) -> None:
    """Asked again later, by another, it is the same; nothing is written."""
    ledger, request = Ledger(files, "here"), a_request("gate:e:p1", "gate:e:p2")
    assert ledger.ask(request)
    assert not ledger.ask(request)
    assert not ledger.ask(replace(request, asked_at=MORNING + timedelta(days=1), by="bob@host"))
    assert Ledger(files, "here").requests() == (request,)


def test_requests_come_in_the_order_asked(files: Files) -> None:
    ledger = Ledger(files, "here")
    late, early = a_request(request_id="a", asked_at=MORNING + timedelta(days=1)), a_request(request_id="b")
    assert ledger.ask(late)
    assert ledger.requests() == (late,)
    Ledger(files, "here").ask(early)
    assert ledger.requests() == (early, late)


def test_the_same_words_twice_count_once(files: Files) -> None:
    ledger = Ledger(files, "here")
    assert ledger.add([*words(3), *words(3)]) == 3
    assert ledger.add(words(5)) == 2
    assert Ledger(files, "here").add(words(5)) == 0
    assert ledger.labels() == Ledger(files, "here").labels() == tuple(words(5))


def test_a_time_in_another_zone_is_the_same_word(files: Files) -> None:
    ledger = Ledger(files, "here")
    ledger.add([a_word()])
    elsewhere = a_word().labelled_at.astimezone(timezone(timedelta(hours=2)))
    assert ledger.add([a_word(labelled_at=elsewhere)]) == 0


def test_another_word_of_the_same_source_is_a_word_of_its_own(files: Files) -> None:
    ledger = Ledger(files, "here")
    later = a_word().labelled_at + timedelta(hours=1)
    said = [a_word(), a_word(label="car", labelled_at=later), a_word(label=None, source="csv"), a_word(weight=2.0)]
    assert ledger.add(said) == 4
    assert set(ledger.labels()) == set(said)


def test_nothing_new_writes_nothing(files: Files) -> None:
    ledger = Ledger(files, "here")
    assert (ledger.add([]), ledger.add(words(1)), ledger.add(words(1))) == (0, 1, 0)
    assert len(files.names("words")) == 1


@pytest.mark.parametrize("writes", range(4))
def test_killed_at_any_write_no_word_is_half_and_the_next_run_completes_it(files: Files, writes: int) -> None:
    """Two files of words, and a request."""
    stopping = Ledger(Stopping(files, writes), "here")
    try:
        stopping.add(words(1500))
        stopping.ask(a_request("gate:e:p1"))
    except Killed:
        assert writes < 3
    ledger = Ledger(files, "here")
    assert len(ledger.labels()) == (0, 1000, 1500, 1500)[writes]
    assert ledger.add(words(1500)) == (1500, 500, 0, 0)[writes]
    assert ledger.ask(a_request("gate:e:p1")) == (writes < 3)
    assert len(ledger.labels()) == 1500


def _say(folder: Path, first: int) -> None:
    ledger = opened(folder)
    for start in range(first, first + 100, 5):
        ledger.add(words(5, start))
    ledger.ask(a_request(request_id=f"of-{first}"))


def test_two_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    """Half of what they say is the same."""
    writers = [FORK.Process(target=_say, args=(tmp_path, first)) for first in (0, 50)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    ledger = opened(tmp_path)
    assert set(ledger.labels()) == set(words(150))
    assert {request.request_id for request in ledger.requests()} == {"of-0", "of-50"}


def test_a_full_disk_says_so_and_the_words_are_recorded_when_there_is_room() -> None:
    MemoryFileSystem.store.clear()
    FullStore.room = 1
    _, ledger = open_archive(ArchiveSettings(address="full://ledger"))
    with pytest.raises(ArchiveError, match=r"make room first \(1 files of words were recorded before it, and stay\)"):
        ledger.add(words(1500))
    with pytest.raises(ArchiveError, match="No space left on device: nothing was recorded; make room first"):
        ledger.ask(a_request())
    assert (len(ledger.labels()), ledger.requests()) == (1000, ())
    FullStore.room = 10
    assert (ledger.add(words(1500)), ledger.ask(a_request())) == (500, True)


FAULTY = {
    "torn words": ("words", lambda raw: raw[:50], "its content has SHA-256"),
    "changed words": ("words", lambda raw: raw.replace(b"truck", b"car"), "its words are not counted without"),
    "torn request": ("requests", lambda raw: raw[:50], "Invalid JSON"),
    "another request": ("requests", lambda raw: raw.replace(b"1a2b3c4d", b"9z9z9z9z"), "it was changed"),
    "large request": ("requests", lambda raw: raw + b" " * (9 << 20), "at most 8388608 are read"),
    "odd request": ("requests", lambda raw: raw.replace(b'"random"', b'"because"'), "request.asked.0.why"),
}


@pytest.mark.parametrize("fault", FAULTY)
def test_a_damaged_file_is_named(tmp_path: Path, fault: str) -> None:
    folder, change, said = FAULTY[fault]
    opened(tmp_path).add(words(1))
    opened(tmp_path).ask(a_request("gate:e:p1"))
    (file,) = (tmp_path / folder).iterdir()
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(ArchiveError, match=said) as raised:
        opened(tmp_path).labels() if folder == "words" else opened(tmp_path).requests()
    assert file.name in str(raised.value)


def test_what_others_leave_in_the_folders_is_not_read(tmp_path: Path) -> None:
    opened(tmp_path).add(words(1))
    (tmp_path / "words" / "README.txt").write_text("mine")
    (tmp_path / "words" / ".x.json.0.tmp").write_text("a draft")
    assert opened(tmp_path).labels() == tuple(words(1))


def test_what_would_not_be_read_again_is_not_recorded(files: Files) -> None:
    ledger = Ledger(files, "here")
    for word, said in ((a_word(weight=float("inf")), "weight"), (a_word("x" * 2_000_000), "at most 1048576")):
        with pytest.raises(ArchiveError, match=said):
            ledger.add([word])
    assert ledger.labels() == ()


def test_long_ids_make_smaller_files(files: Files) -> None:
    ledger = Ledger(files, "here")
    long = [a_word(f"{'x' * 2000}:e:p{n}") for n in range(1000)]
    assert ledger.add(long) == 1000
    assert len(files.names("words")) == 4
    assert set(ledger.labels()) == set(long)


def test_where_a_reader_was_is_remembered(files: Files) -> None:
    ledger = Ledger(files, "here")
    assert ledger.positions("cluster/labels") == {}
    ledger.remember("cluster/labels", {"0": 4, "3": 7})
    ledger.remember("cluster/labels", {"0": 5, "3": 7})
    assert Ledger(files, "here").positions("cluster/labels") == {"0": 5, "3": 7}


def test_a_torn_position_says_that_it_may_be_removed(tmp_path: Path) -> None:
    opened(tmp_path).remember("labels", {"0": 4})
    (tmp_path / "positions" / "labels.json").write_bytes(b"{")
    with pytest.raises(ArchiveError, match="remove it, and what it is about is read again"):
        opened(tmp_path).positions("labels")


def test_of_each_source_the_newest_word_holds_and_the_weightiest_class_wins() -> None:
    """As drawn in models.archive.truths."""
    later = a_word().labelled_at + timedelta(hours=1)
    said = [
        a_word(label="truck", labelled_at=later, weight=5.0),
        a_word(label="car"),
        a_word(label="car", source="loop"),
        a_word(label="car", source="csv"),
        a_word(label=None, source="csv", labelled_at=later),
    ]
    found = truths_of(said, {"loop": 0.5})
    (truth,) = found.truths.values()
    assert (truth.label, truth.weight, truth.given_at, truth.sources) == ("truck", 5.0, later, ("ann",))
    assert (found.contradicted, found.withdrawn) == ((), ())


def test_sources_that_agree_are_named_and_the_weight_is_the_requests() -> None:
    said = [a_word(source="loop"), a_word(weight=7.5), a_word(label="car", source="bob")]
    (truth,) = truths_of(said, {}).truths.values()
    assert (truth.label, truth.weight, truth.sources) == ("truck", 7.5, ("ann", "loop"))


def test_a_tie_is_no_truth_and_a_word_taken_back_is_none() -> None:
    said = [a_word(), a_word(label="car", source="bob"), a_word("gate:e:p1", None), a_word("gate:e:p2")]
    found = truths_of(said, {})
    assert found.contradicted == (a_word().example_id,)
    assert found.withdrawn == ("gate:e:p1",)
    assert list(found.truths) == ["gate:e:p2"]


def test_the_order_of_words_makes_no_difference() -> None:
    said = [a_word(label=label, source=source) for source in "abc" for label in ("car", "truck", None)]
    assert truths_of(said, {"a": 2.0}) == truths_of(reversed(said), {"a": 2.0})
