"""Services stop when told to, and say that they are well."""

import os
import signal
import socket
import time
from pathlib import Path

import pytest

from runtime.service import Pulse, seconds_since_beat, serve_metrics, stopping
from runtime.settings import ServiceSettings
from schemas.errors import ConfigurationError


def test_sigterm_sets_the_event_and_the_old_handler_comes_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stopping() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(5)
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_beat_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "alive"
    assert seconds_since_beat(file) is None
    Pulse(file).beat()
    age_s = seconds_since_beat(file)
    assert age_s is not None
    assert age_s < 60


def test_a_beat_of_a_time_to_come_is_seen_as_such(tmp_path: Path) -> None:
    file = tmp_path / "alive"
    file.touch()
    os.utime(file, (time.time() + 3600,) * 2)
    age_s = seconds_since_beat(file)
    assert age_s is not None
    assert age_s < -3000


def test_a_folder_says_nothing_of_a_service(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"service\.heartbeat_file(?s:.)*is no file"):
        seconds_since_beat(tmp_path)


def test_a_port_for_metrics_that_is_taken_is_named_with_its_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            ConfigurationError, match=rf"service\.metrics_port(?s:.)*127\.0\.0\.1:{port}: Address already"
        ):
            serve_metrics(ServiceSettings(metrics_port=port))
