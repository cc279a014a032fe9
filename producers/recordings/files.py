"""Where a recording lies: a folder, or a zip file of one, which is read as it is."""

import zipfile
from pathlib import Path
from typing import IO, Protocol

from schemas.errors import RecordingError


class Files(Protocol):
    """The files of a recording."""

    @property
    def where(self) -> str:
        """The recording's path, for messages."""
        ...

    def has(self, name: str) -> bool:
        """Whether a file is there."""
        ...

    def size(self, name: str) -> int:
        """A file's size, bytes."""
        ...

    def open(self, name: str) -> IO[bytes]:
        """A file, to be read; raises RecordingError where it cannot be."""
        ...


class FolderFiles:
    """A recording in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.where = str(folder)

    def has(self, name: str) -> bool:
        """Whether a file is there."""
        return (self._folder / name).is_file()

    def size(self, name: str) -> int:
        """A file's size, bytes."""
        return (self._folder / name).stat().st_size

    def open(self, name: str) -> IO[bytes]:
        """A file, to be read."""
        try:
            return (self._folder / name).open("rb")
        except OSError as error:
            raise RecordingError(f"{self._folder / name}: cannot be read: {error.strerror}") from error


class ZipFiles:
    """A recording in a zip file, whose members are stored as they are."""

    def __init__(self, path: Path) -> None:
        """Raises RecordingError where the file is torn, or no zip."""
        self.where = str(path)
        try:
            self._zip = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise RecordingError(
                f"{path}: torn, or no zip file ({error}); what is whole can be kept:"
                f" roadwatch record verify {path} --salvage FOLDER"
            ) from error
        self._members = {info.filename: info for info in self._zip.infolist()}

    def has(self, name: str) -> bool:
        """Whether a file is there."""
        return name in self._members

    def size(self, name: str) -> int:
        """A file's size, bytes."""
        return self._members[name].file_size

    def open(self, name: str) -> IO[bytes]:
        """A file, to be read."""
        if name not in self._members:
            raise RecordingError(f"{self.where}: holds no {name}")
        try:
            return self._zip.open(name)
        except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
            raise RecordingError(f"{self.where}: {name} cannot be read: {error}") from error


def open_files(path: Path) -> Files:
    """The files of the recording at a path.

    Raises:
        RecordingError: nothing is there, or no recording.

    """
    if path.is_dir():
        return FolderFiles(path)
    if path.is_file():
        return ZipFiles(path)
    raise RecordingError(f"{path}: no such recording")
