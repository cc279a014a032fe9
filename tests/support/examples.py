"""Examples, requests and words, so that a test says only what matters to it; and files that fail when they are told to."""

import errno
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from fsspec.implementations.memory import MemoryFileSystem

from models.archive.examples import Asked, Example, ExampleFrame, GivenLabel, Request
from models.files import Files

MORNING = datetime(2026, 11, 23, 8, tzinfo=UTC)
DAY = "2026-11-23"


def an_example_frame(sequence: int = 0, camera_id: str = "gate", **changes: Any) -> ExampleFrame:
    """A frame of a vehicle, with something like a picture."""
    made = ExampleFrame(
        frame_id=f"{camera_id}:{DAY}:{sequence}",
        captured_at=MORNING + timedelta(seconds=sequence),
        picture=f"a picture of {camera_id} {sequence}".encode(),
        width=60 + sequence % 7,
        height=40,
        brightness=120.0,
        contrast=40.0,
        sharpness=200.0,
        noise=0.5,
        predicted="car",
        probabilities={"car": 0.75, "truck": 0.25},
    )
    return replace(made, **changes)


def an_example(number: int = 0, camera_id: str = "gate", **changes: Any) -> Example:
    """A passage of two frames."""
    made = Example(
        example_id=f"{camera_id}:{DAY}:p{number}",
        camera_id=camera_id,
        day=DAY,
        zone_id="lane-1",
        at=MORNING + timedelta(seconds=number),
        predicted="car",
        confidence=0.75,
        dissent=0.0,
        model_version="road-test",
        frames=(an_example_frame(number, camera_id), an_example_frame(number + 1, camera_id)),
        scene={"camera": camera_id, "light": "bright"},
    )
    return replace(made, **changes)


def a_request(*example_ids: str, **changes: Any) -> Request:
    """Asked for at random, each standing for five."""
    asked = tuple(Asked(example_id, "random", 5.0) for example_id in example_ids)
    return replace(Request("2026-11-23-1a2b3c4d", DAY, MORNING, "ann@host", 100, asked), **changes)


def a_word(example_id: str = f"gate:{DAY}:p0", label: str | None = "truck", **changes: Any) -> GivenLabel:
    """Ann says that it is a truck."""
    return replace(GivenLabel(example_id, label, "ann", MORNING + timedelta(days=1)), **changes)


class Killed(BaseException):
    """Stands for a kill: nobody catches it."""


class Stopping:
    """Files whose writer is killed at its n-th write, before it is done."""

    def __init__(self, files: Files, at: int) -> None:
        self._files = files
        self._left = at

    def names(self, folder: str) -> list[str]:
        """List."""
        return self._files.names(folder)

    def read(self, name: str, limit: int) -> bytes | None:
        """Read."""
        return self._files.read(name, limit)

    def read_all(self, names: Sequence[str], limit: int) -> list[bytes | None]:
        """Read several."""
        return self._files.read_all(names, limit)

    def create(self, name: str, content: bytes) -> bool:
        """Create, or die."""
        self._count()
        return self._files.create(name, content)

    def write(self, name: str, content: bytes) -> None:
        """Write, or die."""
        self._count()
        self._files.write(name, content)

    def remove(self, folder: str) -> None:
        """Remove."""
        self._files.remove(folder)

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Killed


class FullStore(MemoryFileSystem):
    """An object store in memory, `full://`, with room for so many files."""

    protocol = "full"
    room = 0

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(MemoryFileSystem._strip_protocol(path.replace("full://", "memory://")))

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_: object) -> None:
        """Put, as long as there is room."""
        if value and FullStore.room <= 0:
            raise OSError(errno.ENOSPC, "No space left on device", path)
        FullStore.room -= bool(value)
        super().pipe_file(path, value, mode=mode)
