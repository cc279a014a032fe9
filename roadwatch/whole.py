"""Files that are there whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO


@contextmanager
def whole(file: Path) -> Iterator[IO[bytes]]:
    """A file that gets its name when it is whole, and leaves nothing when it is not."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.tmp")
    try:
        with draft.open("wb") as stream:
            yield stream
        draft.replace(file)
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
