"""Waiting for what another process, or Kafka, does in its own time."""

import time
from collections.abc import Callable


def eventually(holds: Callable[[], bool], timeout_s: float = 20.0) -> bool:
    """Whether it holds at some time within the timeout."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.05)
    return holds()
