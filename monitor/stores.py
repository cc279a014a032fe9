"""A table's values in files: memory stays as it is, however much a day holds.

    changelog ── a partition is assigned ──► restored ─┐
    folds ─────────────────────────────────► written ──┴─► a file without a name ──► gone: with its process, or after
                                                                                     its partition was taken away

Files run ahead of the changelog, and the changelog is the truth: so each assignment of a partition begins with a file of
its own, restored from the changelog as memory would be, and no run knows another's files.
"""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import mkstemp
from typing import Any, Final, NoReturn, TypeVar

from faust import Table
from faust.stores.base import SerializedStore
from faust.streams import current_event
from faust.types import TP, EventT

from schemas.errors import RoadwatchError

T = TypeVar("T")

PRAGMAS: Final = (
    "page_size = 8192",  # most values have some 4 KiB
    "cache_size = -512",  # KiB; a chunk is written again at once or not at all: more saves nothing
    "journal_mode = memory",  # a write that fails leaves what was there
    "synchronous = off",  # nothing has to outlive the process
    "locking_mode = exclusive",
)
SCHEMA: Final = "CREATE TABLE held (name BLOB PRIMARY KEY, value BLOB)"
GET: Final = "SELECT value FROM held WHERE name = ?"
PUT: Final = "INSERT INTO held VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"
DELETE: Final = "DELETE FROM held WHERE name = ?"
NAMES: Final = "SELECT name FROM held"
COUNT: Final = "SELECT count(*) FROM held"


class TableFileError(RoadwatchError):
    """The file of a table cannot be made, read or written."""


class TableFile:
    """Values by key, in a file of this process alone.

    Its name goes as soon as it is open: no other process finds it, and however this one ends, the disk has its room back.
    Everything raises TableFileError where the disk fails or is full.
    """

    def __init__(self, folder: Path) -> None:
        """Make the file in a folder, which is made as well."""
        self._folder = folder
        self._file = self._safely(self._opened)

    def _opened(self) -> sqlite3.Connection:
        self._folder.mkdir(parents=True, exist_ok=True)
        handle, name = mkstemp(".table", dir=self._folder)
        os.close(handle)
        file = sqlite3.connect(name, isolation_level=None)
        for pragma in PRAGMAS:
            file.execute(f"PRAGMA {pragma}")
        file.execute(SCHEMA)
        Path(name).unlink()
        return file

    def _safely(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except (OSError, sqlite3.Error) as error:
            raise TableFileError(
                f"the cameras' state cannot be kept in {self._folder}: {error}; make room there, or name another folder in"
                " monitor.data_folder. Nothing is lost: the state is restored from its changelog"
            ) from error

    def _run(self, sql: str, *values: bytes) -> list[tuple[Any, ...]]:
        return self._safely(lambda: self._file.execute(sql, values).fetchall())

    def get(self, key: bytes) -> bytes | None:
        """A value; None where there is none."""
        return next((value for (value,) in self._run(GET, key)), None)

    def put(self, key: bytes, value: bytes) -> None:
        """Set a value."""
        self._run(PUT, key, value)

    def delete(self, key: bytes) -> None:
        """Delete a value, if there is one."""
        self._run(DELETE, key)

    def put_all(self, values: Mapping[bytes, bytes | None]) -> None:
        """Set many values in one go, or delete where None stands."""
        self._run("BEGIN")
        for key, value in values.items():
            self.delete(key) if value is None else self.put(key, value)
        self._run("COMMIT")

    def __iter__(self) -> Iterator[bytes]:
        return iter([key for (key,) in self._run(NAMES)])

    def __len__(self) -> int:
        ((count,),) = self._run(COUNT)
        return int(count)

    def close(self) -> None:
        """Give the room back."""
        self._file.close()


class FileStore(SerializedStore[bytes, bytes]):
    """Such files, one for each partition, as a Faust table knows its store.

    Values are those of the partition of the record at hand.
    """

    def __post_init__(self) -> None:
        self._files: dict[int, TableFile] = {}

    async def on_stop(self) -> None:
        """Give all files back."""
        self._forget(list(self._files))

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Forget what others change, and what is left of what comes anew.

        What is taken away now goes the next time: a record may still be in hand that was read before.
        """
        known = {tp.partition for tp in (assigned - newly_assigned) | revoked if tp.topic in self._changelog}
        self._forget(self._files.keys() - known)

    def _forget(self, partitions: Iterable[int]) -> None:
        for file in [self._files.pop(partition) for partition in partitions]:
            file.close()

    @property
    def _changelog(self) -> Iterable[str]:
        return self.table.changelog_topic.topics

    def persisted_offset(self, tp: TP) -> int | None:
        """After which offset a changelog has to be read: its beginning for a new file, else what Faust has read."""
        return None if tp.partition in self._files else -1

    def apply_changelog_batch(self, batch: Iterable[EventT[Any]], to_key: Any, to_value: Any) -> None:
        """Restore values; of a key's the last holds. Faust would go on without those that cannot be kept: better to stop."""
        changes: dict[int, dict[Any, Any]] = {}
        for message in (event.message for event in batch):
            changes.setdefault(message.partition, {})[message.key] = message.value
        try:
            for partition, values in changes.items():
                self._of(partition).put_all(values)
        except TableFileError as error:
            self.add_future(self.app.crash(error))
            raise

    def _of(self, partition: int) -> TableFile:
        if partition not in self._files:
            self._files[partition] = TableFile(Path(self.app.conf.datadir))
        return self._files[partition]

    @property
    def _here(self) -> TableFile:
        event = current_event()
        if event is None:
            raise LookupError("no record is at hand that would say which partition is meant")
        return self._of(event.message.partition)

    def _get(self, key: bytes) -> bytes | None:
        return self._here.get(key)

    def _set(self, key: bytes, value: bytes | None) -> None:
        self._here.put(key, value or b"")

    def _del(self, key: bytes) -> None:
        self._here.delete(key)

    def _contains(self, key: bytes) -> bool:
        return self._here.get(key) is not None

    def _size(self) -> int:
        return sum(len(file) for file in self._files.values())

    def _iterkeys(self) -> Iterator[bytes]:
        yield from (key for file in self._files.values() for key in file)

    def _itervalues(self) -> Iterator[bytes | None]:
        yield from (value for _, value in self._iteritems())

    def _iteritems(self) -> Iterator[tuple[bytes, bytes]]:
        for file in self._files.values():
            yield from ((key, file.get(key) or b"") for key in file)

    def _clear(self) -> NoReturn:
        raise NotImplementedError("a table is not cleared")

    def reset_state(self) -> None:
        """Nothing is kept that could be reset."""

    async def backup_partition(self, tp: Any, flush: bool = True, purge: bool = False, keep: int = 1) -> NoReturn:
        """The changelog is the backup."""
        raise NotImplementedError("the changelog is the backup")

    def restore_backup(self, tp: Any, latest: bool = True, backup_id: int = 0) -> NoReturn:
        """The changelog is the backup."""
        raise NotImplementedError("the changelog is the backup")


RAW: Final[dict[str, Any]] = {
    "key_type": bytes,
    "key_serializer": "raw",
    "value_type": bytes,
    "value_serializer": "raw",
}
"Keys and values are bytes, and stay as they are."


class FileTable(Table[bytes, bytes]):
    """A Faust table whose values lie in a file."""

    def _new_store(self) -> FileStore:
        return FileStore("file:", self.app, self, loop=self.loop, **RAW)
