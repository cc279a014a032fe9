"""Where a camera's pictures come from: a file, a folder, a stream or a device, named by one text.

clip.mp4                      a video file
pictures/                     a folder of pictures, in the order of their names
rtsp://host/stream            a network camera; also rtsps, http and https (MJPEG)
usb:0                         the first camera of this machine
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from producers.source import Source
from producers.sources.files import KINDS, FolderSource, VideoSource, pictures_in
from producers.sources.live import LiveSource, hidden, usb_index
from schemas.errors import SourceError

STREAMS = ("rtsp://", "rtsps://", "http://", "https://")

__all__ = ["FolderSource", "LiveSource", "VideoSource", "address_fault", "missing_source", "open_source"]


def _now() -> datetime:
    return datetime.now(UTC)


def address_fault(spec: str) -> str:
    """What is wrong with the address of a stream or a device, by itself; empty where nothing is. Nothing is opened."""
    if not spec.startswith("usb:"):
        return _stream_fault(spec)
    try:
        usb_index(spec)
    except SourceError as error:
        return str(error)
    return ""


def missing_source(spec: str) -> str:
    """Why there is no video and no folder of pictures of that name on this machine; empty where there is one."""
    path = Path(spec).expanduser()
    try:
        if path.is_file() or (path.is_dir() and pictures_in(path)):
            return ""
    except OSError as error:
        return f"{spec!r} cannot be read: {error.strerror}"
    if path.is_dir():
        return f"{spec!r} is a folder without pictures ({', '.join(sorted(KINDS))})"
    return f"{spec!r} is not on this machine; check the path, seen from {Path.cwd()}"


def _stream_fault(spec: str) -> str:
    if not spec.startswith(STREAMS):
        return f"{hidden(spec)!r} is no stream that can be read; those of {', '.join(STREAMS)} can"
    return "" if _has_host(spec) else f"{hidden(spec)!r} names no host, or no port; such as 'rtsp://10.0.0.7:554/main'"


def _has_host(spec: str) -> bool:
    try:
        address = urlsplit(spec)
        return bool(address.hostname) and address.port != 0
    except ValueError:  # a port that is no number
        return False


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
    if spec.startswith((*STREAMS, "usb:")):
        return LiveSource(spec, now=now)
    path = Path(spec).expanduser()
    if path.is_dir():
        return FolderSource(path, started_at=started_at, fps=fps or 1.0, loop=loop)
    return VideoSource(path, started_at=started_at, fps=fps, loop=loop)
