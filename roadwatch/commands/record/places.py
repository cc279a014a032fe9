"""Where a recording may be made, and how it comes there whole or not at all."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import ConfigurationError, RecordingError


def require_folder(path: Path, option: str) -> None:
    """Refuse what could not be, or would not look like, a recording's folder.

    Raises:
        ConfigurationError: a file is there, or the name is a zip file's; names the option and what to do.

    """
    if path.is_file():
        raise ConfigurationError(option, [f"{path} is a file; name a folder that is not there"])
    if path.suffix == ".zip" and not path.is_dir():
        folder = path.with_suffix("")
        raise ConfigurationError(
            option,
            [f"{path}: made in a folder, not a zip file; name {folder}, then: roadwatch record merge {folder} {path}"],
        )


@contextmanager
def made(out: Path) -> Iterator[Path]:
    """A folder beside the wanted place, which becomes it when all is written; a .zip is packed."""
    from producers.recordings.files import RefusedError
    from producers.recordings.writing import pack

    require_free(out)
    try:
        out.absolute().parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f"{out.name}.", dir=out.absolute().parent) as beside:
            folder = Path(beside) / "recording"
            yield folder
            if out.suffix == ".zip":
                pack(folder, folder.with_suffix(".zip"))
                folder = folder.with_suffix(".zip")
            require_free(out)
            folder.replace(out)
    except (OSError, RefusedError) as error:
        why = error.__cause__ if isinstance(error, RefusedError) else error
        raise RecordingError(f"{out}: cannot be written: {getattr(why, 'strerror', None) or why}") from error


def require_free(out: Path) -> None:
    """Raise RecordingError where something is already."""
    if out.suffix == ".zip" and out.exists():
        raise RecordingError(f"{out}: is there already; choose another name, or delete it")
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise RecordingError(f"{out}: not empty; choose a folder that is not there")
