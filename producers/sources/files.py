"""Recorded pictures: a video file or a folder, with times that are the same at every replay."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np

from producers.source import Image, Picture
from schemas.errors import SourceError

MOST_PIXELS = 33_177_600
"""8K UHD: no road camera gives more, and a larger picture is a mistake or an attack on memory."""

KINDS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
"""Files of a folder that count as pictures; others lie there unread."""

MOST_BYTES = 64 * 1024 * 1024
"""A picture file larger than this is not read."""


@dataclass(slots=True)
class FileCounts:
    """What a recorded source has done."""

    read: int = 0  # pictures given
    unreadable: int = 0  # pictures that could not be decoded and were left out
    rounds: int = 0  # times that a loop began again
    unreadable_names: list[str] = field(default_factory=list)  # the first ten of them, for a message


def file_time(path: Path) -> datetime:
    """Return when a file was last changed, UTC: the start of a recording for which no better is known."""
    return datetime.fromtimestamp(int(path.stat().st_mtime), UTC)


def _start(path: Path, started_at: datetime | None) -> datetime:
    if started_at is not None and started_at.tzinfo is None:
        raise ValueError(f"started_at {started_at} has no time zone; give it in UTC")
    return started_at or file_time(path)


class VideoSource:
    """A video file. A picture's time is the start plus its index over the rate; with `loop` time goes on."""

    def __init__(
        self, path: Path, *, started_at: datetime | None = None, fps: float | None = None, loop: bool = False
    ) -> None:
        """`started_at` is the file's own time of change unless given; `fps` overrides the file's rate."""
        if not path.is_file():
            raise SourceError(f"video {str(path)!r} does not exist; check the source's path")
        self.counts = FileCounts()
        self._path, self._loop = path, loop
        self._capture = self._open()
        self._fps = fps or float(self._capture.get(cv2.CAP_PROP_FPS)) or 25.0
        self._started_at = _start(path, started_at)
        self._index = 0

    def _open(self) -> cv2.VideoCapture:
        capture = cv2.VideoCapture(str(self._path), cv2.CAP_FFMPEG)
        if not capture.isOpened() or capture.get(cv2.CAP_PROP_FRAME_WIDTH) < 1:
            capture.release()
            raise SourceError(f"{str(self._path)!r} is not a video that can be read; give an mp4, avi or mkv file")
        pixels = capture.get(cv2.CAP_PROP_FRAME_WIDTH) * capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
        if pixels > MOST_PIXELS:
            capture.release()
            raise SourceError(
                f"{str(self._path)!r} has pictures of {pixels:.0f} pixels; at most {MOST_PIXELS} are read"
            )
        return capture

    def read(self) -> Picture | None:
        """Return the next picture, or None after the last one."""
        found, image = self._capture.read()
        if not found and self._loop and self._index:
            self._capture.release()
            self._capture = self._open()
            self.counts.rounds += 1
            found, image = self._capture.read()
        if not found:
            return None
        at = self._started_at + timedelta(seconds=self._index / self._fps)
        self._index += 1
        self.counts.read += 1
        return Picture(at, image.astype(np.uint8, copy=False), self._index - 1)

    def close(self) -> None:
        """Close the file."""
        self._capture.release()


def pictures_in(folder: Path) -> list[Path]:
    """The files of a folder that count as pictures, in the order of their names."""
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in KINDS)


class FolderSource:
    """A folder of pictures in the order of their names, `fps` a second. Unreadable ones are counted and left out."""

    def __init__(self, path: Path, *, started_at: datetime | None = None, fps: float = 1.0, loop: bool = False) -> None:
        """`started_at` is the first file's time of change unless given."""
        if not path.is_dir():
            raise SourceError(f"folder {str(path)!r} does not exist; check the source's path")
        self._files = pictures_in(path)
        if not self._files:
            raise SourceError(f"folder {str(path)!r} holds no picture; known kinds are {', '.join(sorted(KINDS))}")
        self.counts = FileCounts()
        self._path, self._fps, self._loop = path, fps, loop
        self._started_at = _start(self._files[0], started_at)
        self._pictures = self._all()

    def read(self) -> Picture | None:
        """Return the next readable picture, or None after the last; SourceError when not one can be read."""
        return next(self._pictures, None)

    def close(self) -> None:
        """End the source: later reads return None."""
        self._pictures = iter(())

    def _all(self) -> Iterator[Picture]:
        index = 0
        while True:
            for file in self._files:
                if (image := self._image(file)) is not None:
                    self.counts.read += 1
                    yield Picture(self._started_at + timedelta(seconds=index / self._fps), image, index)
                index += 1
            if not self.counts.read:
                names = ", ".join(self.counts.unreadable_names)
                raise SourceError(f"folder {str(self._path)!r}: no picture in it can be read; broken: {names}")
            if not self._loop:
                return
            self.counts.rounds += 1

    def _image(self, file: Path) -> Image | None:
        image = read_image(file)
        if image is None:
            self.counts.unreadable += 1
            self.counts.unreadable_names = [*self.counts.unreadable_names, file.name][:10]
        return image


def read_image(file: Path) -> Image | None:
    """Return a picture file as uint8, H×W×3, BGR; None when it cannot be decoded or is too large.

    OpenCV refuses more than a gigapixel; what lies between that and `MOST_PIXELS` is known only after decoding.
    """
    try:
        if file.stat().st_size > MOST_BYTES:
            return None
        image = cv2.imdecode(np.frombuffer(file.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error):
        return None
    if image is None or image.shape[0] * image.shape[1] > MOST_PIXELS:
        return None
    return image.astype(np.uint8, copy=False)
