"""What a graph says of many pictures, by ONNX Runtime on every core: embeddings, probabilities, activations."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from models.preprocessing import Image, Preprocessing, prepare

BATCH: Final = 32

Progress = Callable[[str, int, int], None]
"Told a step's name, how much of it is done, and how much there is."


def silent(_step: str, _done: int, _total: int) -> None:
    """Show no progress."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """A graph's two outputs, a row for each picture."""

    probabilities: NDArray[np.float32]
    "N×K."
    embedding: NDArray[np.float32]
    "N×192."


@dataclass(frozen=True, slots=True)
class TrunkOutputs:
    """What the part of the network that stays as it is says, a row for each picture."""

    activation: NDArray[np.float16]
    "N×C×S, before the first block that moves."
    embedding: NDArray[np.float32]
    "N×192, of the whole pretrained network."


def run_graph(
    model: bytes, images: Sequence[Image], wanted: Preprocessing, progress: Progress, step: str, threads: int = 2
) -> Outputs:
    """Run a graph over the pictures. The batches are always the same, so the result does not depend on `threads`."""
    session = _session(model)

    def run(start: int) -> list[Any]:
        batch = prepare(images[start : start + BATCH], wanted)
        return list(session.run(["probabilities", "embedding"], {"images": batch}))

    parts = list(_run(run, len(images), progress, step, threads))
    probabilities, embedding = zip(*parts, strict=True)
    return Outputs(np.concatenate(probabilities), np.concatenate(embedding))


def run_trunk(
    trunk: onnx.ModelProto,
    picture: Callable[[int], Image],
    count: int,
    wanted: Preprocessing,
    progress: Progress,
    threads: int = 2,
) -> TrunkOutputs:
    """Run a trunk over `count` pictures, each made when it is needed. As in `run_graph` for `threads`."""
    session = _session(trunk.SerializeToString())

    def run(start: int) -> list[Any]:
        batch = prepare([picture(n) for n in range(start, min(start + BATCH, count))], wanted)
        return list(session.run(["activation", "embedding"], {"images": batch}))

    activation, embedding = zip(*_run(run, count, progress, "features", threads), strict=True)
    return TrunkOutputs(np.concatenate(activation), np.concatenate(embedding))


def _run(
    run: Callable[[int], list[Any]], count: int, progress: Progress, step: str, threads: int
) -> Iterator[list[Any]]:
    """Yield what `run` says of each batch, in order."""
    with ThreadPoolExecutor(threads) as pool:
        for number, part in enumerate(pool.map(run, range(0, count, BATCH)), start=1):
            yield part
            progress(step, min(number * BATCH, count), count)


def _session(model: bytes) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
