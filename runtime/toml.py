"""TOML files, as people write them: read within bounds, with what is wrong in words."""

import tomllib
from pathlib import Path
from typing import Any, Final

from schemas.errors import ConfigurationError

MAX_BYTES: Final = 1024 * 1024
"Of a file, unless its reader says otherwise."


def read_toml(path: Path, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """What a file says; a byte order mark, as Windows' editors write it, is read over.

    Raises:
        ConfigurationError: it is not there, cannot be read, is too large, or no TOML.

    """
    raw = _bytes(path, max_bytes + 1)
    if len(raw) > max_bytes:
        raise ConfigurationError(str(path), [f"more than the {max_bytes} bytes that are allowed"])
    try:
        return tomllib.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ConfigurationError(str(path), [f"not UTF-8: {error.reason} at byte {error.start}; save it so"]) from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigurationError(str(path), [f"not TOML: {error}"]) from error


def _bytes(path: Path, most: int) -> bytes:
    if path.is_dir():
        raise ConfigurationError(str(path), ["a folder; name the file in it"])
    try:
        with path.open("rb") as file:
            return file.read(most)
    except FileNotFoundError as error:
        raise ConfigurationError(str(path), ["no such file"]) from error
    except OSError as error:
        raise ConfigurationError(str(path), [f"cannot be read: {error.strerror}"]) from error
