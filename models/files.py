"""Where files lie for good: a folder, or an object store. Both create a file once, whole or not at all."""

import errno
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import IO, Any, Final, Protocol

import fsspec
from fsspec.asyn import AsyncFileSystem
from fsspec.spec import AbstractFileSystem

from runtime.settings import value_of
from schemas.errors import RoadwatchError

DEFAULTS: Final[dict[str, dict[str, Any]]] = {
    # s3fs tries five times by itself: with botocore's retries and timeouts besides, a silent address holds its caller up
    # for minutes.
    "s3": {"config_kwargs": {"connect_timeout": 5, "read_timeout": 15, "retries": {"total_max_attempts": 1}}},
}
"Options where the settings give none, by protocol."


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose files they are: what errors call it, and which settings they name."""

    name: str
    "`registry`."
    setting: str
    "Names the address: `models.registry`."
    options: str
    "Names the address's options: `models.options`."
    error: type[RoadwatchError]
    "What is raised."

    @contextmanager
    def told(self, where: str) -> Iterator[None]:
        """Turn whatever a file system raises into the owner's error, which says where and what to do."""
        try:
            yield
        except self.error:
            raise
        except Exception as error:  # every store has errors of its own, and they share no class
            raise self.error(f"{where}: {self._reason(error)}") from error

    def _reason(self, error: Exception) -> str:
        text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        advice = next((said for kind, said in ADVICE.items() if _is(error, kind)), "check {setting} in the settings")
        advice = advice.format(name=self.name, setting=self.setting, options=self.options)
        return f"{text or type(error).__name__}: {advice}"


class Files(Protocol):
    """Files by names such as `history/00000001.json`. Whatever goes wrong is the owner's error."""

    def names(self, folder: str) -> list[str]:
        """Return what is in a folder; empty where it is not there."""
        ...

    def read(self, name: str, limit: int) -> bytes | None:
        """Return a file, at most `limit` bytes of it and one more; None where it is not there."""
        ...

    def read_all(self, names: Sequence[str], limit: int) -> list[bytes | None]:
        """Return several files, as `read` does."""
        ...

    def create(self, name: str, content: bytes) -> bool:
        """Make a file that was not there, for good; False where somebody else was first."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Make or replace a file, for good."""
        ...

    def remove(self, folder: str) -> None:
        """Remove a folder and what is in it."""
        ...


def options_of(address: str, given: Mapping[str, str]) -> dict[str, Any]:
    """Return what the address's file system is told, as the settings give it; raises ConfigurationError for a secret's file."""
    protocol = address.partition("://")[0]
    return {**DEFAULTS.get(protocol, {}), **{name: _option(value) for name, value in given.items()}}


def _option(value: str) -> Any:
    """Return a file's content, what JSON says of `true`, `false` and `{…}`, or else the value itself."""
    if value in ("true", "false") or value.startswith("{"):
        with suppress(ValueError):
            return json.loads(value)
    return value_of(value)


def open_files(address: str, options: dict[str, Any], owner: Owner) -> Files:
    """Return the files under an fsspec address; nothing is looked at yet. Raises the owner's error for no address."""
    with owner.told(address):
        filesystem, path = fsspec.core.url_to_fs(address, **options)
    if "file" in _protocols(filesystem):
        return Folder(Path(path), owner)
    return ObjectStore(address, filesystem, path.rstrip("/"), owner)


def _is(error: Exception, kind: type[Exception] | int) -> bool:
    return getattr(error, "errno", None) == kind if isinstance(kind, int) else isinstance(error, kind)


ADVICE: dict[type[Exception] | int, str] = {
    errno.EROFS: "the {name} is read-only here; it can be read, and written elsewhere",
    errno.ENOSPC: "nothing was recorded; make room first",
    errno.ENOTSUP: "the {name} needs hard links; use a folder on another file system, or an object store",
    errno.EPERM: "the {name} needs hard links and write access; use a folder of another file system, or an object store",
    PermissionError: "the {name} may not be read or written by this user; check its permissions or {options}",
    ImportError: "install what this address needs, for s3:// pip install 'roadwatch[s3]'",
    NotADirectoryError: "{setting} names a file, and must name a folder",
    TimeoutError: "the {name} does not answer; check {setting} and the network",
}
"What to do about an error, by its number or class, for any owner; the first that fits."


class Folder:
    """A folder on a disk, perhaps a shared one. Files are written under another name, and appear when they are safe."""

    def __init__(self, root: Path, owner: Owner) -> None:
        """Take a folder that may not be there yet."""
        self._root = root
        self._told = owner.told
        self._swept: set[Path] = set()

    def names(self, folder: str) -> list[str]:
        """List."""
        with self._told(str(self._root / folder)):
            try:
                return [path.name for path in (self._root / folder).iterdir()]
            except FileNotFoundError:
                return []

    def read(self, name: str, limit: int) -> bytes | None:
        """Read."""
        with self._told(str(self._root / name)):
            try:
                with (self._root / name).open("rb") as file:
                    return file.read(limit + 1)
            except FileNotFoundError:
                return None

    def read_all(self, names: Sequence[str], limit: int) -> list[bytes | None]:
        """Read several."""
        return [self.read(name, limit) for name in names]

    def create(self, name: str, content: bytes) -> bool:
        """Link the finished file to its name, which only one can."""
        path = self._root / name
        with self._told(str(path)), self._draft(path, content) as draft:
            try:
                os.link(draft, path)
            except FileExistsError:
                return path.samefile(draft)  # over NFS a request whose answer was lost is made again
            _sync(path.parent)
        return True

    def write(self, name: str, content: bytes) -> None:
        """Rename the finished file over its name."""
        path = self._root / name
        with self._told(str(path)), self._draft(path, content) as draft:
            draft.rename(path)
            _sync(path.parent)

    def remove(self, folder: str) -> None:
        """Remove."""
        with self._told(str(self._root / folder)), suppress(FileNotFoundError):
            shutil.rmtree(self._root / folder)

    @contextmanager
    def _draft(self, path: Path, content: bytes) -> Iterator[Path]:
        """A file beside `path` that holds the content, on the disk itself; removed afterwards, where it is still there."""
        _make(path.parent)
        with _own_draft(path) as (draft, file):
            self._sweep_once(path.parent, draft)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            yield draft

    def _sweep_once(self, folder: Path, own: Path) -> None:
        """Whoever writes a thousand files to a folder need not look through it a thousand times."""
        if folder not in self._swept:
            _sweep(folder, own)
            self._swept.add(folder)


@contextmanager
def _own_draft(path: Path) -> Iterator[tuple[Path, IO[bytes]]]:
    """A new file with a lock on it: whoever finds a draft that nobody has locked knows that its writer is dead."""
    while True:
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
        with draft.open("xb") as file:
            _lock(file, wait=True)
            if os.fstat(file.fileno()).st_nlink == 0:
                continue  # a sweeper came between the file and its lock
            try:
                yield draft, file
            finally:
                draft.unlink(missing_ok=True)
            return


def _sweep(folder: Path, own: Path) -> None:
    """Remove the drafts of writers that were killed."""
    for draft in set(folder.glob(".*.tmp")) - {own}:
        with suppress(OSError), draft.open("rb") as file:
            if _lock(file, wait=False):
                draft.unlink()


def _lock(file: IO[bytes], *, wait: bool) -> bool:
    """Lock a file until it is closed. Where locks are not to be had, drafts of the dead stay."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def _make(folder: Path) -> None:
    """Make a folder and those above it, so that they are there after a power loss too."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        _sync(path.parent)


def _sync(folder: Path) -> None:
    """Bring a folder's names to the disk, where its file system does so for folders: some shares do not."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


class ObjectStore:
    """Whatever fsspec reaches, as far as it creates an object only where there is none: S3 by a conditional put."""

    def __init__(self, address: str, filesystem: Any, root: str, owner: Owner) -> None:
        """Take a file system and a path on it."""
        self._address = address
        self._filesystem = filesystem
        self._root = root
        self._owner = owner
        self._told = owner.told
        self._exclusive = False

    def names(self, folder: str) -> list[str]:
        """List, past fsspec's cache of listings."""
        path = f"{self._root}/{folder}"
        with self._told(f"{self._address}/{folder}"):
            self._filesystem.invalidate_cache(path)
            try:
                found = self._filesystem.ls(path, detail=False)
            except FileNotFoundError:
                self._check_bucket()
                return []
        return [name.rstrip("/").rpartition("/")[2] for name in found]

    def read(self, name: str, limit: int) -> bytes | None:
        """Read."""
        return self.read_all([name], limit)[0]

    def read_all(self, names: Sequence[str], limit: int) -> list[bytes | None]:
        """Read many at once, where the store can."""
        paths = [f"{self._root}/{name}" for name in names]
        with self._told(self._address):
            found = self._filesystem.cat_ranges(paths, 0, limit + 1, on_error="return")
        return [self._content(name, content) for name, content in zip(names, found, strict=True)]

    def create(self, name: str, content: bytes) -> bool:
        """Put, on condition that nothing is there.

        A request whose answer was lost may have been carried out, and be refused when it is made again: who was first
        is read from the object.
        """
        self._require_exclusive()
        return self._put_new(name, content) or self.read(name, len(content)) == content

    def write(self, name: str, content: bytes) -> None:
        """Put."""
        with self._told(f"{self._address}/{name}"):
            self._filesystem.pipe_file(f"{self._root}/{name}", content)

    def remove(self, folder: str) -> None:
        """Remove what is under a prefix."""
        with self._told(f"{self._address}/{folder}"), suppress(FileNotFoundError):
            self._filesystem.rm(f"{self._root}/{folder}", recursive=True)

    def _content(self, name: str, content: bytes | Exception) -> bytes | None:
        if isinstance(content, FileNotFoundError):
            return None
        if isinstance(content, Exception) and _code(content) == EMPTY:
            return b""
        with self._told(f"{self._address}/{name}"):
            if isinstance(content, Exception):
                raise content
        return content

    def _check_bucket(self) -> None:
        bucket = self._root.split("/", 1)[0]
        if bucket and not self._filesystem.exists(bucket):
            raise self._owner.error(
                f"{self._address}: there is no {bucket}; create it, or correct {self._owner.setting}"
            )

    def _require_exclusive(self) -> None:
        """Try, once, that what is there is not created again: a store that would loses entries."""
        if self._exclusive:
            return
        if not _has_create(self._filesystem) or (self._put_new(PROBE, b"") and self._put_new(PROBE, b"")):
            raise self._owner.error(
                f"{self._address}: this store would create a file that is there already, and two writers overwrite each"
                " other; use a folder, or an object store with conditional puts"
            )
        self._exclusive = True

    def _put_new(self, name: str, content: bytes) -> bool:
        """Put; False where something is there, or is just being put there."""
        try:
            self._filesystem.pipe_file(f"{self._root}/{name}", content, mode="create")
        except Exception as error:
            if self.read(name, len(content)) is None and _code(error) != CONFLICT:
                with self._told(f"{self._address}/{name}"):
                    raise
            return False
        return True


PROBE: Final = "exclusive"
"An empty object, made to see whether it can be made twice."
CONFLICT: Final = "ConditionalRequestConflict"
"S3's answer while another conditional put is under way."
EMPTY: Final = "InvalidRange"
"S3's answer to a range of an empty object."


def _code(error: Exception) -> object:
    """Return S3's code for an error, as s3fs hands it on; None where there is none."""
    response = getattr(error.__cause__, "response", None) or {}
    return response.get("Error", {}).get("Code")


def _has_create(filesystem: Any) -> bool:
    """Whether this file system has a way of its own to create: fsspec's default looks first and then overwrites."""
    kind = type(filesystem)
    if isinstance(filesystem, AsyncFileSystem):
        return "mode" in signature(kind._pipe_file).parameters
    return kind.pipe_file is not AbstractFileSystem.pipe_file


def _protocols(filesystem: Any) -> tuple[str, ...]:
    return (filesystem.protocol,) if isinstance(filesystem.protocol, str) else tuple(filesystem.protocol)
