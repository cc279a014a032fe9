"""A run's folder: marked as the demo's own before anything else, so that nothing but a run's traces is ever deleted.

not there, or empty        marked
marked                     emptied of what runs leave behind; whatever else lies there stays
anything else              refused, as it is somebody's own
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from roadwatch.local import writable
from roadwatch.story.days import DAYS
from runtime.broker import FolderInUseError, running_broker
from schemas.errors import ConfigurationError

MARK: Final = ".roadwatch-demo"
TOLD: Final = "The demo made this folder. Whenever it runs here again, it deletes what it left: {made}.\n"
MADE: Final = (
    *("broker", "inbox", "logs", "monitor", "archive", "registry", "cameras.toml", "roadwatch.toml"),
    *("story.html", "failures", "retraining", "qualification", "labels-*.csv"),
    *(day.name for day in DAYS),
)
"What runs and stories leave behind."
MOST_NAMED: Final = 8


def take(folder: Path) -> None:
    """Make a folder the demo's, empty of what earlier runs left there.

    Raises:
        ConfigurationError: it holds what no run has made, or cannot be written.
        FolderInUseError: a broker is alive on it.

    """
    if running := running_broker(folder / "broker"):
        raise FolderInUseError(running)
    writable(folder, "--folder")
    if not (folder / MARK).is_file():
        _require_empty(folder)
    (folder / MARK).write_text(TOLD.format(made=", ".join(MADE)), encoding="utf-8")
    for path in _made(folder):
        _delete(path)


def _require_empty(folder: Path) -> None:
    found = sorted(path.name for path in folder.iterdir())
    if not found:
        return
    named = ", ".join(found[:MOST_NAMED]) + (", …" if len(found) > MOST_NAMED else "")
    fault = f"{folder} holds {named}, and no mark that the demo made it: name another folder"
    if traces := sorted(path.name for path in _made(folder)):
        fault += f"; if an earlier version's demo made it, remove what that left: {', '.join(traces)}"
    raise ConfigurationError("--folder", [fault])


def _made(folder: Path) -> Iterator[Path]:
    return (path for pattern in MADE for path in folder.glob(pattern))


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
