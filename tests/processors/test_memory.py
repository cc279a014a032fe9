"""Models that were released leave no memory behind: ONNX Runtime and glibc would keep it."""

from pathlib import Path

import numpy as np
import pytest

from models.bundle import BUNDLED, load_bundle
from processors.classifier import Classifier
from processors.memory import give_back

STATUS = Path("/proc/self/status")
PICTURES = [np.full((128, 128, 3), 90, np.uint8)] * 32


def resident_mb() -> float:
    lines = STATUS.read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))


@pytest.mark.skipif(not STATUS.exists(), reason="only Linux says here what a process holds")
def test_swaps_leave_memory_flat() -> None:
    """The old model lives until the new one has served, as in a processor; without giving back, twelve take 80 MB."""
    after, serving = [], None
    for _ in range(12):
        newest = Classifier.load(load_bundle(BUNDLED))
        newest.classify(PICTURES)
        serving = newest
        del newest
        give_back()
        after.append(resident_mb())
    assert serving is not None
    assert max(after) - after[0] < 40


def test_memory_may_be_given_back_at_any_time() -> None:
    """Also where there is none to give."""
    give_back()
    give_back()
