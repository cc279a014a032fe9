"""What every camera source gives: pictures in time order, until it ends or fails."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""One picture: uint8, H×W×3, BGR, 0..255."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One whole picture of a camera."""

    captured_at: datetime  # event time, UTC, timezone-aware
    image: Image  # uint8, H×W×3, BGR
    index: int  # counts the source's pictures from 0, also those that were dropped


class Source(Protocol):
    """A camera's pictures, oldest first.

    `read` blocks until the next picture. It returns None once the source has ended for good (every later
    call returns None too) and raises `SourceError`, which is retriable, when the source stalls or vanishes.
    """

    def read(self) -> Picture | None:
        """Return the next picture, or None after the last one."""
        ...

    def close(self) -> None:
        """Let go of the device, file or connection; a second call does nothing."""
        ...
