"""Made pictures on which a model is tried before it serves: what it said of them when it was made, it says again."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.preprocessing import Image
from models.verdicts import Verdicts
from schemas.errors import ModelError

TOLERANCE: Final = 0.1
"In probability: processors may round quantised graphs differently; the same network in fp32 is off by up to 0.14."


def selftest_pictures() -> list[Image]:
    """Return four pictures, uint8 H×W×3 BGR: a ramp, its negative, coloured blocks, and noise of a fixed seed."""
    ramp = np.linspace(0, 255, 48 * 64 * 3).astype(np.uint8).reshape(48, 64, 3)
    blocks = np.kron(np.arange(1, 13).reshape(2, 2, 3), np.full((40, 30, 1), 20)).astype(np.uint8)
    noise = np.random.Generator(np.random.PCG64(7)).integers(0, 256, (64, 96, 3), np.uint8)
    return [ramp, 255 - ramp, blocks, noise]


def rows_of(probabilities: NDArray[np.floating]) -> tuple[tuple[float, ...], ...]:
    """Return probabilities, N×K, as a bundle keeps them."""
    return tuple(tuple(map(float, row)) for row in probabilities)


def check_selftest(version: str, said: Verdicts, expected: Sequence[Sequence[float]] | None) -> None:
    """Raise ModelError where probabilities are none, or are not those that the model gave when it was made."""
    found = said.probabilities
    if found.shape != (len(selftest_pictures()), len(said.classes)):
        raise ModelError(f"{version}: {found.shape[1]} probabilities for {len(said.classes)} labels")
    if not (np.isfinite(found).all() and np.allclose(found.sum(axis=1), 1, atol=1e-3)):
        raise ModelError(f"{version}: probabilities of a sample are {found.tolist()}: each row should sum to 1")
    if expected is not None and not np.allclose(found, np.asarray(expected), atol=TOLERANCE):
        raise ModelError(
            f"{version}: fails its self-test: says {found.round(3).tolist()} of made pictures, and said"
            f" {np.round(expected, 3).tolist()} when it was made; the graph or this machine's arithmetic is not the same"
        )
