"""Where a camera's pictures come from: a file, a folder, a stream or a device, named by one text.

clip.mp4                      a video file
pictures/                     a folder of pictures, in the order of their names
rtsp://host/stream            a network camera; also rtsps, http and https (MJPEG)
usb:0                         the first camera of this machine
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from producers.source import Source
from producers.sources.files import FolderSource, VideoSource
from producers.sources.live import LiveSource

STREAMS = ("rtsp://", "rtsps://", "http://", "https://")

__all__ = ["FolderSource", "LiveSource", "VideoSource", "open_source"]


def _now() -> datetime:
    return datetime.now(UTC)


def open_source(
    spec: str,
    *,
    started_at: datetime | None = None,
    fps: float | None = None,
    loop: bool = False,
    now: Callable[[], datetime] = _now,
) -> Source:
    """Open what `spec` names; `started_at`, `fps` and `loop` are for files and folders, `now` for live cameras.

    Raises SourceError when it is missing, empty or no picture source.
    """
    if spec.startswith(STREAMS):
        return LiveSource(spec, now=now)
    if spec.startswith("usb:"):
        return LiveSource(spec, now=now)
    path = Path(spec).expanduser()
    if path.is_dir():
        return FolderSource(path, started_at=started_at, fps=fps or 1.0, loop=loop)
    return VideoSource(path, started_at=started_at, fps=fps, loop=loop)
