"""A table's values in files: memory stays as it is, however much a day holds.

    changelog ─► restored ─┐
    folds ───► written ────┴─► a file without a name, one for each partition

    partition   assigned ────► restored ─────────► taken away ──► the next rebalance, or the process's end
    its file    made anew      whole: records see it               gone

Files run ahead of the changelog, and the changelog is the truth: so each assignment of a partition begins with a file of
its own, restored from the changelog as memory would be, and no run knows another's files. A record sees its partition's
file whole, or is not folded: into an empty one, it would begin its camera anew, and write that down for good.
"""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkstemp
from typing import Any, Final, TypeVar

from faust import Table
from faust.stores import memory
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


class StateMovedError(RoadwatchError):
    """The state of a record's partition was taken away or is not restored yet; the record comes again."""


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
        try:
            file = sqlite3.connect(name, isolation_level=None)
            for pragma in PRAGMAS:
                file.execute(f"PRAGMA {pragma}")
            file.execute(SCHEMA)
        finally:
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


class TableFiles(MutableMapping[bytes, bytes]):
    """The files of a table's partitions. As a mapping, the values of the partition that the record at hand is of."""

    def __init__(self, folder: Path) -> None:
        """Files are made in a folder."""
        self._folder = folder
        self._files: dict[int, TableFile] = {}
        self._whole: set[int] = set()

    def has(self, partition: int) -> bool:
        """Whether a partition has a file, whole or not."""
        return partition in self._files

    def of(self, partition: int) -> TableFile:
        """A partition's file, made where there is none, to be restored into."""
        if partition not in self._files:
            self._files[partition] = TableFile(self._folder)
        return self._files[partition]

    def complete(self, partition: int) -> None:
        """Know that all was restored: records may see it."""
        self.of(partition)
        self._whole.add(partition)

    def keep(self, partitions: set[int]) -> None:
        """Give the files of all others back."""
        for partition in self._files.keys() - partitions:
            self._files.pop(partition).close()
        self._whole &= partitions

    @property
    def _here(self) -> TableFile:
        event = current_event()
        if event is None:
            raise LookupError("no record is at hand that would say which partition is meant")
        if event.message.partition not in self._whole:
            raise StateMovedError(f"the state of partition {event.message.partition} is not here, or not restored yet")
        return self._files[event.message.partition]

    def __getitem__(self, key: bytes) -> bytes:
        value = self._here.get(key)
        if value is None:
            raise KeyError(key)
        return value

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._change(lambda file: file.put(key, value))

    def __delitem__(self, key: bytes) -> None:
        self._change(lambda file: file.delete(key))

    def _change(self, work: Callable[[TableFile], None]) -> None:
        """Where it fails, the changelog has what the file has not: no other record may see any of it."""
        try:
            work(self._here)
        except TableFileError:
            self._whole.clear()
            raise

    def __iter__(self) -> Iterator[bytes]:
        return (key for file in self._files.values() for key in file)

    def __len__(self) -> int:
        return sum(len(file) for file in self._files.values())


class FileStore(memory.Store[bytes, bytes]):
    """Such files as a Faust table knows its store.

    They are not given back when it stops: Faust stops its tables before its agents, which may have a record in hand.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.data = self._files = TableFiles(Path(self.app.conf.datadir))

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Forget what others change, and what is left of what comes anew.

        What is taken away now goes the next time: a record may still be in hand that was read before.
        """
        kept = (assigned - newly_assigned) | revoked
        self._files.keep({tp.partition for tp in kept if tp.topic in self.table.changelog_topic.topics})

    def persisted_offset(self, tp: TP) -> int | None:
        """After which offset a changelog has to be read: its beginning for a new file, else what Faust has read."""
        return None if self._files.has(tp.partition) else -1

    def apply_changelog_batch(self, batch: Iterable[EventT[Any]], to_key: Any, to_value: Any) -> None:
        """Restore values; of a key's the last holds."""
        changes: dict[int, dict[Any, Any]] = {}
        for message in (event.message for event in batch):
            changes.setdefault(message.partition, {})[message.key] = message.value
        with self._ending():
            for partition, values in changes.items():
                self._files.of(partition).put_all(values)

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        """Let records see what is restored; nothing where not all could be kept."""
        with self._ending():
            for tp in active_tps if self._app.fault is None else ():
                self._files.complete(tp.partition)

    @contextmanager
    def _ending(self) -> Iterator[None]:
        """Faust would go on without what cannot be kept: let the app end."""
        try:
            yield
        except TableFileError as error:
            self._app.fault = error

    @property
    def _app(self) -> Any:
        return self.app


class FileTable(Table[bytes, bytes]):
    """A Faust table whose values lie in files."""

    def _new_store(self) -> FileStore:
        return FileStore("file:", self.app, self, loop=self.loop)
