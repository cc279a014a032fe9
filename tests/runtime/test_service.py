"""Services stop when told to, and say that they are well."""

import os
import signal
from pathlib import Path

from runtime.service import Pulse, seconds_since_beat, stopping


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
