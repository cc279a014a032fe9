"""Retrainings under way: one at a time, and what was trained lies on the disk before anything else is done with it.

    roadwatch-data/retraining/
    ├── lock                     held while one is at it; goes with its process
    └── 1a2b3c4d5e6f7a8b/        named after the retraining's key
        ├── bundle.json …        the bundle that was trained
        └── retraining.json      its record

The folder is gone once all of it is in the registry; that of a refused one stays, so that nothing is trained twice.
"""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

import structlog

from models.bundle import Bundle, bundle_files, load_bundle, write_folder
from roadwatch.retraining.record import LIMIT, NAME, Record, parse_record, to_json
from roadwatch.retraining.request import Progress
from schemas.errors import ConfigurationError, ModelError

log = structlog.get_logger(__name__)

LOCK: Final = "lock"
WAITING: Final = "waiting for another retraining"


@contextmanager
def alone(folder: Path, progress: Progress) -> Iterator[None]:
    """Be the only retraining that works in this folder; waits for another to end, however it ends."""
    with _opened(folder) as file:
        if not _locked(file, wait=False):
            log.info("another retraining is at it: waiting for its end", folder=str(folder))
            progress(WAITING, 0, 1)
            _locked(file, wait=True)
            progress(WAITING, 1, 1)
        _sweep(folder)
        yield


def keep(folder: Path, bundle: Bundle, record: Record) -> None:
    """Keep what was trained; the folder appears whole or not at all. Raises ModelError where there is no room."""
    place = _place(folder, record.key)
    with suppress(FileNotFoundError):
        shutil.rmtree(place)  # what is there cannot be read, or it would have been gone on with
    write_folder({**bundle_files(bundle), NAME: to_json(record)}, place)


def kept(folder: Path, key: str) -> tuple[Bundle, Record] | None:
    """Return what was trained; None where nothing was, or where it cannot be read: it is trained anew."""
    place = _place(folder, key)
    if not place.is_dir():
        return None
    try:
        with (place / NAME).open("rb") as file:
            return load_bundle(place), parse_record(file.read(LIMIT + 1), str(place / NAME))
    except (ModelError, OSError) as error:
        log.warning("what was trained cannot be read: it is trained anew", folder=str(place), error=str(error))
        return None


def forget(folder: Path, key: str) -> None:
    """Remove what is in the registry."""
    shutil.rmtree(_place(folder, key), ignore_errors=True)


def _place(folder: Path, key: str) -> Path:
    return folder / key[:16]


@contextmanager
def _opened(folder: Path) -> Iterator[IO[bytes]]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("ab")
    except OSError as error:
        raise ConfigurationError(str(folder), [f"cannot be written to: {error.strerror}"]) from error
    with file:
        yield file


def _sweep(folder: Path) -> None:
    """Remove what others were writing when they were killed: nobody else is at it."""
    for draft in folder.glob(".*-*"):
        shutil.rmtree(draft, ignore_errors=True)


def _locked(file: IO[bytes], *, wait: bool) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True
