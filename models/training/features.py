"""What a graph says of many pictures, by ONNX Runtime on every core: embeddings and probabilities."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from models.preprocessing import Image, Preprocessing, prepare

BATCH: Final = 32

Progress = Callable[[str, int, int], None]
"Told a step's name, how much of it is done, and how much there is."


@dataclass(frozen=True, slots=True)
class Outputs:
    """A graph's two outputs, a row for each picture."""

    probabilities: NDArray[np.float32]
    "N×K."
    embedding: NDArray[np.float32]
    "N×192."


def run_graph(
    model: bytes, images: Sequence[Image], wanted: Preprocessing, progress: Progress, step: str, threads: int = 2
) -> Outputs:
    """Run a graph over the pictures. The batches are always the same, so the result does not depend on `threads`."""
    session = _session(model)

    def run(start: int) -> list[Any]:
        batch = prepare(images[start : start + BATCH], wanted)
        return list(session.run(["probabilities", "embedding"], {"images": batch}))

    parts = []
    with ThreadPoolExecutor(threads) as pool:
        for part in pool.map(run, range(0, len(images), BATCH)):
            parts.append(part)
            progress(step, min(len(parts) * BATCH, len(images)), len(images))
    probabilities, embedding = zip(*parts, strict=True)
    return Outputs(np.concatenate(probabilities), np.concatenate(embedding))


def _session(model: bytes) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
