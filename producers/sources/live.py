"""Live cameras: RTSP, HTTP (MJPEG) and USB, read in a thread so that a slow consumer always gets a fresh picture."""

import contextlib
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, cast

import cv2
import numpy as np

from producers.source import Image, Picture
from producers.sources.files import MOST_PIXELS
from schemas.errors import SourceError


class Capture(Protocol):
    """What is needed of an open device or stream; OpenCV's VideoCapture is one."""

    def read(self) -> tuple[bool, Image | None]:
        """Return whether there was a picture, and the picture (uint8, H×W×3, BGR)."""
        ...

    def release(self) -> None:
        """Let go of the device."""
        ...


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """When a live camera counts as stuck."""

    stall_s: float = 10.0  # no picture for this long is a stall
    connect_s: float = 10.0  # longest wait for a connection to open


@dataclass(slots=True)
class LiveCounts:
    """What a live source has gone through; plain numbers, written by its threads, read by anyone."""

    read: int = 0  # pictures given to the consumer
    dropped: int = 0  # pictures replaced by a newer one before they were read
    stalls: int = 0  # times that no picture came for too long
    failures: int = 0  # connections that could not be opened, or broke


def hidden(address: str) -> str:
    """Return an address without its user name, password and query, fit for messages.

    >>> hidden("rtsp://admin:secret@10.0.0.4/live?key=1")
    'rtsp://10.0.0.4/live'
    """
    return re.sub(r"//[^/]*@", "//", address).partition("?")[0]


def open_capture(spec: str, connect_s: float) -> Capture:
    """Open a stream's address or `usb:N`. Raises SourceError."""
    milliseconds = int(connect_s * 1000)
    if spec.startswith("usb:"):
        capture = cv2.VideoCapture(usb_index(spec))
    else:
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, milliseconds, cv2.CAP_PROP_READ_TIMEOUT_MSEC, milliseconds]
        capture = cv2.VideoCapture(spec, cv2.CAP_FFMPEG, limits)
    if not capture.isOpened():
        capture.release()
        raise SourceError(f"camera {hidden(spec)!r} cannot be opened; check its address, its login and that it is on")
    return cast("Capture", capture)


def usb_index(spec: str) -> int:
    """Return the device number of `usb:N`. Raises SourceError."""
    number = spec.removeprefix("usb:")
    if not number.isdecimal():
        raise SourceError(f"camera {spec!r}: {number!r} is not a device number; write usb:0 for the first camera")
    return int(number)


class LiveSource:
    """A live camera behind a queue of one picture: the newest replaces an unread one, which is counted as dropped.

    A camera that stalls or breaks raises SourceError at every later read: close the source and open a new one.
    """

    def __init__(
        self,
        spec: str,
        *,
        settings: LiveSettings | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        connect: Callable[[str, float], Capture] = open_capture,
    ) -> None:
        """Begin to connect, in the thread. Raises SourceError for a wrong device number."""
        if spec.startswith("usb:"):
            usb_index(spec)
        self.counts = LiveCounts()
        self._spec, self._settings, self._now, self._connect = spec, settings or LiveSettings(), now, connect
        self._newest: Picture | None = None
        self._error: str | None = None
        self._closed = False
        self._pictures = 0
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=f"camera {hidden(spec)}", daemon=True)
        self._thread.start()

    def read(self) -> Picture | None:
        """Return the newest unread picture, waiting for one; None after `close`. Raises SourceError (retriable)."""
        with self._changed:
            self._changed.wait_for(self._something, self._patience_s())
            picture, self._newest = self._newest, None
            if picture is not None:
                self.counts.read += 1
                return picture
            if self._closed:
                return None
            self._error = self._error or self._stalled()
            raise SourceError(self._error)

    def close(self) -> None:
        """Stop reading and let go of the camera; a `read` that waits returns None.

        A thread that a driver's call does not give back is left behind; as a daemon it does not keep the process.
        """
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(timeout=0.5)

    def _something(self) -> bool:
        return self._newest is not None or self._closed or self._error is not None

    def _patience_s(self) -> float:
        return self._settings.stall_s + (0.0 if self._pictures else self._settings.connect_s)

    def _stalled(self) -> str:
        self.counts.stalls += 1
        seconds = self._settings.stall_s
        return f"camera {hidden(self._spec)!r} gave no picture for {seconds:g} s; check the camera and its network"

    def _run(self) -> None:
        try:
            capture = self._connect(self._spec, self._settings.connect_s)
            with contextlib.closing(_Closing(capture)):
                self._empty(capture)
        except (SourceError, cv2.error) as exc:
            self._fail(str(exc))

    def _empty(self, capture: Capture) -> None:
        while not self._closed:
            found, image = capture.read()
            if not found or image is None:
                raise SourceError(f"camera {hidden(self._spec)!r} closed its stream; check the camera and its network")
            height, width = image.shape[:2]
            if height * width > MOST_PIXELS:
                raise SourceError(
                    f"camera {hidden(self._spec)!r}: {width}x{height} pixels; at most {MOST_PIXELS} are read"
                )
            self._put(image.astype(np.uint8, copy=False))

    def _put(self, image: Image) -> None:
        with self._changed:
            self.counts.dropped += self._newest is not None
            self._newest = Picture(self._now(), image, self._pictures)
            self._pictures += 1
            self._changed.notify_all()

    def _fail(self, error: str) -> None:
        with self._changed:
            self.counts.failures += 1
            self._error = error
            self._changed.notify_all()


class _Closing:
    """Lets `closing` release a capture."""

    def __init__(self, capture: Capture) -> None:
        self.close = capture.release
