"""Where a recording lies: a folder, or a zip file of one, which is read as it is.

A zip's members are stored, not packed: a segment is a window of the file, and stays one where the list at the zip's end
is torn off.
"""

import fcntl
import os
import struct
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader, RawIOBase
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, Final, Protocol

from schemas.errors import RecordingError

_LOCAL: Final = struct.Struct("<4s5H3I2H")
"A zip member's own header: mark, version, flags, method, time, date, CRC-32, packed, plain, name's and extra's sizes."
_MARK: Final = b"PK\x03\x04"
_ENCRYPTED_OR_UNSIZED: Final = 0x1 | 0x8
"Flags of a member that is encrypted, or whose size stands behind it."


class RefusedError(RecordingError):
    """The operating system writes no more; its cause says why."""


class Files(Protocol):
    """The files of a recording."""

    @property
    def where(self) -> str:
        """The recording's path, for messages."""
        ...

    def names(self) -> list[str]:
        """All that is there."""
        ...

    def has(self, name: str) -> bool:
        """Whether a file is there."""
        ...

    def size(self, name: str) -> int:
        """A file's size, bytes; what is there of a torn one."""
        ...

    def open(self, name: str) -> IO[bytes]:
        """A file, to be read; raises RecordingError where it cannot be."""
        ...


class FolderFiles:
    """A recording in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.where = str(folder)

    def names(self) -> list[str]:
        """All that is there."""
        with readable(self.where):
            paths = (path for pattern in ("*", "*/*") for path in self._folder.glob(pattern))
            return sorted(path.relative_to(self._folder).as_posix() for path in paths if path.is_file())

    def has(self, name: str) -> bool:
        """Whether a file is there."""
        with readable(f"{self.where}/{name}"):
            return inside(self._folder, name).is_file()

    def size(self, name: str) -> int:
        """A file's size, bytes."""
        with readable(f"{self.where}/{name}"):
            return inside(self._folder, name).stat().st_size

    def open(self, name: str) -> IO[bytes]:
        """A file, to be read."""
        with readable(f"{self.where}/{name}"):
            return inside(self._folder, name).open("rb")


@dataclass(frozen=True, slots=True)
class Member:
    """A file within a zip file."""

    start: int
    "Where its content begins."
    size: int
    "Bytes of it."


class ZipFiles:
    """A recording in a zip file, whose members are stored as they are."""

    def __init__(self, path: Path, members: Mapping[str, Member]) -> None:
        self.where = str(path)
        self._path = path
        self._members = members

    def names(self) -> list[str]:
        """All that is there."""
        return sorted(self._members)

    def has(self, name: str) -> bool:
        """Whether a file is there."""
        return name in self._members

    def size(self, name: str) -> int:
        """A file's size, bytes; what is there of a torn one."""
        member = self._members[name]
        with readable(self.where):
            return max(0, min(member.size, self._path.stat().st_size - member.start))

    def open(self, name: str) -> IO[bytes]:
        """A file, to be read."""
        if name not in self._members:
            raise RecordingError(f"{self.where}: holds no {name}")
        with readable(self.where):
            return BufferedReader(_Window(self._path, self._members[name]))


def open_files(path: Path) -> Files:
    """The files of the recording at a path.

    Raises:
        RecordingError: nothing is there, no recording, or a zip file that is torn, packed or encrypted.

    """
    with readable(str(path)):
        if path.is_dir():
            return FolderFiles(path)
        if path.is_file():
            return ZipFiles(path, listed(path))
    raise RecordingError(f"{path}: no such recording")


def open_torn(path: Path) -> Files:
    """Likewise, but of a zip file what can be found: what its end lists, and what stands before the tear."""
    if not path.is_file():
        return open_files(path)
    try:
        return ZipFiles(path, {**walked(path), **listed(path)})
    except RecordingError:
        return ZipFiles(path, walked(path))


def listed(path: Path) -> dict[str, Member]:
    """The members that the list at a zip file's end names.

    Raises:
        RecordingError: torn, no zip file, or with members that are packed, encrypted, doubled or overlap.

    """
    try:
        with zipfile.ZipFile(path) as archive, path.open("rb") as file:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            members = {info.filename: _listed(file, info, str(path)) for info in infos}
    except (OSError, zipfile.BadZipFile, ValueError, RuntimeError, OverflowError, struct.error) as error:
        raise _damaged(path, f"torn, or no zip file ({error})") from error
    if len(members) < len(infos):
        raise _damaged(path, "holds a file twice")
    spans = sorted((member.start, member.start + member.size) for member in members.values())
    if any(end > start for (_, end), (start, _) in pairwise(spans)):
        raise _damaged(path, "its files overlap")
    return members


def _damaged(path: Path, what: str) -> RecordingError:
    return RecordingError(f"{path}: {what}; {hint(str(path))}")


def _listed(file: IO[bytes], info: zipfile.ZipInfo, where: str) -> Member:
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 0x1 or info.compress_size != info.file_size:
        raise RecordingError(f"{where}: {info.filename!r} is packed or encrypted: unpack it, and take the folder")
    file.seek(info.header_offset)
    found = file.read(_LOCAL.size)
    if len(found) < _LOCAL.size or not found.startswith(_MARK):
        raise zipfile.BadZipFile(f"no {info.filename!r} at byte {info.header_offset}")
    *_, name_size, extra_size = _LOCAL.unpack(found)
    return Member(info.header_offset + _LOCAL.size + name_size + extra_size, info.file_size)


def walked(path: Path) -> dict[str, Member]:
    """The members of a zip file, one after the other from its beginning, to where it is torn; the last may be."""
    members: dict[str, Member] = {}
    with readable(str(path)), path.open("rb") as file:
        at = 0
        while found := _stored(file, at):
            name, member = found
            if not name.endswith("/"):
                members.setdefault(name, member)
            at = member.start + member.size
    return members


def _stored(file: IO[bytes], at: int) -> tuple[str, Member] | None:
    """The member that begins at a byte; None where none does, or none that is stored as it is."""
    file.seek(at)
    header = file.read(_LOCAL.size)
    if len(header) < _LOCAL.size:
        return None
    mark, _, flags, method, _, _, _, packed, size, name_size, extra_size = _LOCAL.unpack(header)
    if mark != _MARK or method or flags & _ENCRYPTED_OR_UNSIZED or packed != size or size == 0xFFFFFFFF:
        return None
    name = file.read(name_size)
    return name.decode(errors="replace"), Member(at + _LOCAL.size + name_size + extra_size, size)


class _Window(RawIOBase):
    """A piece of a file, as a file."""

    def __init__(self, path: Path, member: Member) -> None:
        self._file = path.open("rb", buffering=0)
        self._file.seek(member.start)
        self._left = member.size
        self._at = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Where the next byte lies in the piece."""
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as the piece goes."""
        with memoryview(buffer) as view:
            count = self._file.readinto(view[: self._left]) or 0
        self._left -= count
        self._at += count
        return count

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


def hint(where: str) -> str:
    """What somebody whose recording is damaged may do."""
    return f"what is whole can be kept: roadwatch record verify {where} --salvage FOLDER"


def inside(folder: Path, name: str) -> Path:
    """A file of a folder.

    Raises:
        RecordingError: a link there leads out of the folder: a recording came from elsewhere, and is not followed.

    """
    path = folder / name
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
        raise RecordingError(f"{path}: a link that leads out of the recording; put the file itself there")
    return path


@contextmanager
def readable(where: str) -> Iterator[None]:
    """Say what the operating system says of a file that cannot be read as a RecordingError."""
    try:
        yield
    except OSError as error:
        raise RecordingError(f"{where}: cannot be read: {error.strerror or error}") from error


@contextmanager
def writable(where: Path) -> Iterator[None]:
    """Likewise of one that cannot be written."""
    try:
        yield
    except OSError as error:
        raise refused(where, error) from error


def refused(where: Path, error: OSError) -> RefusedError:
    """What the operating system says when it takes no more."""
    return RefusedError(
        f"{where}: cannot be written: {error.strerror or error}; what is sealed is kept, and can be gone on with"
    )


def locked(folder: Path) -> int:
    """The folder's descriptor, locked until it is closed or the process ends."""
    with writable(folder):
        lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        why = "somebody is writing it" if isinstance(error, BlockingIOError) else f"cannot be locked: {error.strerror}"
        raise RecordingError(f"{folder}: {why}") from error
    return lock
