"""Files, folders and streams give pictures in time order, and say plainly what is wrong with them."""

import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest

from producers.source import Image
from producers.sources import FolderSource, LiveSource, VideoSource, open_source
from producers.sources.live import LiveSettings, hidden
from schemas.errors import SourceError

START = datetime(2026, 5, 1, tzinfo=UTC)


def shade(value: int) -> Image:
    return np.full((48, 64, 3), value, np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures, of which the second is broken, and a text."""
    for name, value in (("a.jpg", 10), ("c.png", 200)):
        cv2.imwrite(str(tmp_path / name), shade(value))
    (tmp_path / "b.jpg").write_bytes(b"no picture")
    (tmp_path / "notes.txt").write_text("no picture either")
    return tmp_path


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Five pictures at 10 a second."""
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for value in range(0, 250, 50):
        writer.write(shade(value))
    writer.release()
    return path


def test_a_folder_is_read_by_name_and_its_broken_pictures_are_counted(folder: Path) -> None:
    """One bad file does not end a recording, and does not shift the times of the others."""
    source = FolderSource(folder, started_at=START, fps=2)
    first, second = source.read(), source.read()
    assert source.read() is None
    assert first is not None
    assert second is not None
    assert (first.captured_at, second.captured_at) == (START, START + timedelta(seconds=1))
    assert (source.counts.unreadable, source.counts.unreadable_names) == (1, ["b.jpg"])


def test_a_video_gives_the_times_of_its_frames_and_ends_for_good(clip: Path) -> None:
    """The same file gives the same times at every replay."""
    source = VideoSource(clip, started_at=START)
    times = [picture.captured_at for picture in iter(source.read, None) if picture]
    assert times == [START + timedelta(seconds=index / 10) for index in range(5)]
    assert source.read() is None


def test_a_loop_goes_on_in_time(clip: Path) -> None:
    """The second round follows the first."""
    source = VideoSource(clip, started_at=START, loop=True)
    pictures = [source.read() for _ in range(8)]
    assert [picture.index for picture in pictures if picture] == list(range(8))
    assert pictures[7] is not None
    assert pictures[7].captured_at == START + timedelta(seconds=0.7)
    source.close()


@pytest.mark.parametrize("name", ["missing.mp4", "text.mp4", "empty", "usb:first"])
def test_what_is_no_source_is_refused_by_name(name: str, tmp_path: Path) -> None:
    """The message shows what was asked for."""
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=re.escape(name)):
        open_source(name if name.startswith("usb") else str(tmp_path / name))


def test_a_folder_of_broken_pictures_is_an_error(tmp_path: Path) -> None:
    """Silence is not success."""
    (tmp_path / "a.jpg").write_bytes(b"x")
    with pytest.raises(SourceError, match=r"a\.jpg"):
        FolderSource(tmp_path).read()


class Camera:
    """A capture that gives some pictures, then breaks or hangs."""

    def __init__(self, pictures: int, hang: threading.Event | None = None) -> None:
        self._left, self._hang = pictures, hang

    def read(self) -> tuple[bool, Image | None]:
        """Give what is left."""
        self._left -= 1
        if self._left >= 0:
            return True, shade(self._left)
        if self._hang:
            self._hang.wait(30)
        return False, None

    def release(self) -> None:
        """Give no more."""
        self._left = 0


def test_a_slow_consumer_gets_the_newest_picture_and_the_others_are_counted() -> None:
    """Old pictures of a live camera are worth nothing."""
    hang = threading.Event()
    source = LiveSource("usb:0", connect=lambda spec, limit_s: Camera(5, hang), settings=LiveSettings(stall_s=5))
    while source.counts.dropped < 4:
        threading.Event().wait(0.01)
    picture = source.read()
    assert picture is not None
    assert picture.index == 4
    hang.set()
    source.close()


def test_a_stuck_camera_is_noticed() -> None:
    """No picture for the agreed time is an error that may be tried again."""
    hang = threading.Event()
    settings = LiveSettings(stall_s=0.05, connect_s=5)
    source = LiveSource("usb:0", connect=lambda spec, limit_s: Camera(1, hang), settings=settings)
    assert source.read()
    with pytest.raises(SourceError, match=r"no picture for 0\.05 s") as caught:
        source.read()
    hang.set()
    source.close()
    assert caught.value.retriable
    assert source.counts.stalls == 1


def test_a_camera_that_breaks_off_says_so() -> None:
    """The end of a live stream is a fault, not an end."""
    source = LiveSource("usb:0", connect=lambda spec, limit_s: Camera(0))
    with pytest.raises(SourceError, match="closed its stream"):
        source.read()
    source.close()
    assert source.counts.failures == 1


def test_passwords_stay_out_of_messages() -> None:
    """A refused camera is named without its login."""
    source = LiveSource("rtsp://admin:secret@127.0.0.1:9/live", settings=LiveSettings(connect_s=2))
    with pytest.raises(SourceError) as caught:
        source.read()
    source.close()
    assert "secret" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)
    assert hidden("rtsp://a:p@ss@h/x") == "rtsp://h/x"


class Mjpeg(BaseHTTPRequestHandler):
    """Streams a few pictures as browsers and cameras know it."""

    def do_GET(self) -> None:
        """Send twenty pictures."""
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for value in range(20):
            jpeg = cv2.imencode(".jpg", shade(10 * value))[1].tobytes()
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            self.wfile.write(head.encode() + jpeg + b"\r\n")

    def log_message(self, *args: object) -> None:
        """Stay silent."""


@pytest.fixture
def mjpeg_address() -> Iterator[str]:
    """An HTTP camera on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Mjpeg)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/video.mjpg"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_http_camera_is_read(mjpeg_address: str) -> None:
    """MJPEG over HTTP, with the time of arrival."""
    source = open_source(mjpeg_address, now=lambda: START)
    picture = source.read()
    source.close()
    assert picture is not None
    assert (picture.image.shape, picture.captured_at) == ((48, 64, 3), START)
