"""A table's files: what is written is read, no run sees another's, and a disk that fails stops the monitor."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faust.streams import _current_event
from faust.types import TP

from monitor.app import CAMERAS, monitor_app
from monitor.outcomes import Outcome
from monitor.progress import Watch
from monitor.shell import Fold, Intake, Outbox, is_left
from monitor.stores import FileStore, StateMovedError, TableFile, TableFileError
from monitor.transport import CommittedApp
from runtime.settings import MonitorSettings, Settings
from schemas.codec import Codec
from schemas.topics import OBSERVATIONS, Names


@pytest.fixture
def file(tmp_path: Path) -> Iterator[TableFile]:
    """An empty one."""
    file = TableFile(tmp_path / "state")
    yield file
    file.close()


def test_values_are_set_changed_and_deleted(file: TableFile) -> None:
    """Large ones, empty ones, and what was never there."""
    file.put(b"north", b"x" * 100_000)
    file.put(b"south", b"")
    file.put(b"north", b"short")
    file.delete(b"nobody")
    assert (file.get(b"north"), file.get(b"south"), file.get(b"nobody"), [*file]) == (
        b"short",
        b"",
        None,
        [b"north", b"south"],
    )
    file.delete(b"north")
    assert (file.get(b"north"), len(file)) == (None, 1)


def test_many_values_are_set_in_one_go(file: TableFile) -> None:
    """Those without a value go."""
    file.put(b"old", b"1")
    file.put_all({b"a": b"1", b"old": None, b"b": b"2"})
    assert {key: file.get(key) for key in file} == {b"a": b"1", b"b": b"2"}


def test_nobody_finds_the_file(tmp_path: Path) -> None:
    """Its folder is empty while it is used: nothing to share, nothing left by a kill."""
    one, other = TableFile(tmp_path), TableFile(tmp_path)
    one.put(b"north", b"1")
    assert ([*tmp_path.iterdir()], other.get(b"north")) == ([], None)
    one.close()
    other.close()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(TableFileError, match=r"state cannot be kept in .*state: .*monitor\.data_folder"):
        TableFile(tmp_path / "state")


def fill(file: TableFile) -> None:
    """Let its disk be full after a page or two."""
    file._run("PRAGMA max_page_count = 4")


def test_a_full_disk_leaves_what_was_there(file: TableFile) -> None:
    file.put(b"north", b"before")
    fill(file)
    with pytest.raises(TableFileError, match="full"):
        file.put(b"north", b"x" * 100_000)
    assert file.get(b"north") == b"before"


# As Faust's store


@pytest.fixture
def app(tmp_path: Path) -> CommittedApp:
    """An app that is not started."""
    return monitor_app(Settings(monitor=MonitorSettings(data_folder=tmp_path)), Codec())


@pytest.fixture
async def store(app: CommittedApp) -> Any:
    """Its cameras' store."""
    store = app.tables[CAMERAS].data
    yield store
    store._files.keep(set())


@contextmanager
def record_of(partition: int) -> Iterator[None]:
    """A record of a partition is at hand."""
    event = SimpleNamespace(message=SimpleNamespace(partition=partition))
    before = _current_event.set(lambda: event)  # type: ignore[arg-type]
    yield
    _current_event.reset(before)


def changes(*values: tuple[int, bytes, bytes | None]) -> list[Any]:
    """Records of the changelog: partition, key, value."""
    return [SimpleNamespace(message=SimpleNamespace(partition=p, key=key, value=value)) for p, key, value in values]


async def restore(store: FileStore, *values: tuple[int, bytes, bytes | None]) -> None:
    """Apply records of the changelog, and let records see their partitions."""
    store.apply_changelog_batch(changes(*values), None, None)
    await store.on_recovery_completed(tps(store, *(partition for partition, *_ in values)), set())


def seen(store: FileStore, partition: int) -> dict[bytes, bytes | None]:
    """What a record of a partition sees of two keys."""
    with record_of(partition):
        return {key: store.get(key) for key in (b"north", b"south") if key in store}


def tps(store: FileStore, *partitions: int) -> set[TP]:
    """Partitions of its changelog."""
    return {TP(store.table.changelog_topic.get_topic_name(), partition) for partition in partitions}


async def taken(fold: Fold) -> tuple[dict[bytes, bytes], Any]:
    """The table and the record after an intake folded it so."""
    table: dict[bytes, bytes] = {}
    outbox = Outbox(SimpleNamespace(producer=None), Names(""), Codec(), Watch())
    intake = Intake(OBSERVATIONS, table, fold, outbox, asyncio.Lock(), lambda: 0)
    message = SimpleNamespace(topic="observations", partition=0, offset=7, timestamp=1.0, value=b"", headers=[])
    await intake.take(SimpleNamespace(message=message))
    return table, message


async def test_the_last_record_of_a_key_is_restored(store: FileStore) -> None:
    """Deleted and set again, and set and deleted."""
    await restore(store, (0, b"north", None), (0, b"north", b""), (0, b"south", b"1"), (0, b"south", None))
    assert seen(store, 0) == {b"north": b""}


async def test_partitions_know_nothing_of_each_other(store: FileStore) -> None:
    await restore(store, (0, b"north", b"1"), (1, b"north", b"2"))
    with record_of(1):
        store[b"south"] = b"3"
        del store[b"north"]
    assert (seen(store, 0), seen(store, 1), len(store)) == ({b"north": b"1"}, {b"south": b"3"}, 2)


async def test_without_a_record_nothing_is_known(store: FileStore) -> None:
    with pytest.raises(LookupError, match="no record is at hand"):
        store.get(b"north")


async def test_each_assignment_begins_anew(store: FileStore) -> None:
    """What stays is kept and read on; what was taken away is kept while it may be in hand; what comes is empty."""
    await restore(store, (0, b"north", b"1"), (1, b"north", b"2"))
    await store.on_rebalance(tps(store, 0), tps(store, 1), set())
    assert (seen(store, 0), seen(store, 1)) == ({b"north": b"1"}, {b"north": b"2"})
    assert [store.persisted_offset(tp) for tp in sorted(tps(store, 0, 2))] == [None, -1]
    await store.on_rebalance(tps(store, 0, 1), set(), tps(store, 1))
    assert [store.persisted_offset(tp) for tp in sorted(tps(store, 0, 1))] == [None, -1]
    await store.on_recovery_completed(tps(store, 0, 1), set())
    assert (seen(store, 0), seen(store, 1)) == ({b"north": b"1"}, {})


async def test_what_was_taken_away_is_gone_at_the_next_rebalance(store: FileStore) -> None:
    await restore(store, (0, b"north", b"1"), (1, b"north", b"2"))
    await store.on_rebalance(tps(store, 0), tps(store, 1), set())
    await store.on_rebalance(tps(store, 0), set(), set())
    assert len(store) == 1


async def test_what_is_in_hand_when_the_tables_stop_is_folded_into_its_own_state(store: FileStore) -> None:
    """Faust stops its agents after them: into an empty file, a camera would begin anew, and be written down so."""
    await restore(store, (0, b"north", b"1"))
    await store.stop()
    with record_of(0):
        store[b"south"] = b"2"
    assert seen(store, 0) == {b"north": b"1", b"south": b"2"}


async def test_a_state_that_is_being_restored_is_not_seen(store: FileStore) -> None:
    """Nor one that was never here: neither is an empty one."""
    store.apply_changelog_batch(changes((0, b"north", b"1")), None, None)
    with pytest.raises(StateMovedError, match="partition 0"):
        seen(store, 0)
    with pytest.raises(StateMovedError, match="partition 1"):
        seen(store, 1)
    await store.on_recovery_completed(tps(store, 0, 1), set())
    assert (seen(store, 0), seen(store, 1)) == ({b"north": b"1"}, {})


async def test_what_comes_back_is_not_seen_before_it_is_restored(store: FileStore) -> None:
    await restore(store, (0, b"north", b"1"))
    await store.on_rebalance(set(), tps(store, 0), set())
    await store.on_rebalance(tps(store, 0), set(), tps(store, 0))
    store.apply_changelog_batch(changes((0, b"south", b"2")), None, None)
    with pytest.raises(StateMovedError):
        seen(store, 0)


async def test_a_record_without_its_state_is_left(store: FileStore) -> None:
    """It comes again: it makes no dead letter, and nothing is written."""

    def fold(_data: bytes, _values: object, _at: object) -> Outcome:
        with record_of(3):
            return Outcome(writes={"north": store[b"north"]})

    table, message = await taken(fold)
    assert (table, is_left(message)) == ({}, True)


async def test_a_disk_that_fails_ends_the_monitor(app: CommittedApp, store: FileStore) -> None:
    """Faust would warn, and go on without the values: so what was to be restored is not seen."""
    await restore(store, (0, b"north", b"1"))
    fill(store._files.of(0))
    await restore(store, (0, b"north", b"x" * 100_000), (1, b"north", b"2"))
    assert isinstance(app.fault, TableFileError)
    with pytest.raises(StateMovedError):
        seen(store, 1)


async def test_what_could_not_be_written_is_not_seen_without_it(store: FileStore) -> None:
    """The changelog has it already: a record that is folded without it would put the changelog back."""
    await restore(store, (0, b"north", b"1"))
    fill(store._files.of(0))
    with record_of(0), pytest.raises(TableFileError):
        store[b"north"] = b"x" * 100_000
    with pytest.raises(StateMovedError):
        seen(store, 0)


async def test_a_disk_that_fails_makes_no_dead_letter(store: FileStore) -> None:
    """The record is sound: it is folded once the monitor was started again."""
    await restore(store, (0, b"north", b"1"))
    store._files.of(0).close()

    def fold(_data: bytes, _values: object, _at: object) -> Outcome:
        with record_of(0):
            return Outcome(writes={"north": store[b"north"]})

    with pytest.raises(TableFileError):
        await taken(fold)
