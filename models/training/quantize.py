"""A graph in eight bits: half the time, a third of the bytes, and hardly ever of another opinion.

    images ─► normalise ─► stem ─► two blocks ─► Q ► the other blocks ► DQ ─► mean ─► embedding ─► head
              └─────── full precision ───────┘                               └──── full precision ────┘

Static quantisation by ONNX Runtime: Q and DQ nodes around each convolution, a scale for each channel of its weights.
Weights use seven bits: a processor without VNNI adds two products in 16 bits, where eight would overflow. The first
layers see few channels of very different range and lose most. What follows the last convolution stays as it is, so
that a new head can be set into the finished file.
"""

import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from models.preprocessing import Image, Preprocessing, prepare
from schemas.errors import ModelError

FULL_PRECISION: Final = 6
"Convolutions at the start that stay in fp32: with 3, the stem and one block, 4 to 8 answers in 1,000 differ; with 6, 1 to 2."
CALIBRATION: Final = 256
"Pictures that the ranges are read from."
OPERATORS: Final = ("Conv", "Clip", "Relu", "Add")
"Clip and Relu too: the range is then read behind them, where it is narrow. Without them it is slower by a half."
INPUT: Final = "images"
BATCH: Final = 32


def quantized(
    model: bytes,
    images: Sequence[Image],
    wanted: Preprocessing,
    seed: int,
    *,
    full_precision: int = FULL_PRECISION,
    calibration: int = CALIBRATION,
) -> bytes:
    """Return the graph with all but its first convolutions in int8, ranges read from `calibration` of the pictures.

    `images` are training pictures, uint8 H×W×3 BGR, of which a seeded draw is taken. Equal arguments give equal bytes.
    Raises ModelError for a graph that has no more than `full_precision` convolutions.
    """
    graph = _named(onnx.load_from_string(model))
    convolutions = [number for number, node in enumerate(graph.graph.node) if node.op_type == "Conv"]
    if len(convolutions) <= full_precision:
        raise ModelError(f"{len(convolutions)} convolutions in the graph, of which {full_precision} stay in fp32")
    nodes = [node.name for node in graph.graph.node]
    kept = nodes[: convolutions[full_precision]] + nodes[_end(graph, convolutions[-1]) :]
    return _quantized(graph, kept, _Batches(drawn(images, calibration, seed), wanted))


def drawn(images: Sequence[Image], count: int, seed: int) -> list[Image]:
    """Return `count` of the pictures, all where there are fewer, in a seeded order."""
    order = np.random.default_rng(seed).permutation(len(images))[:count]
    return [images[index] for index in order]


def _named(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give each node the name of its output: the quantiser is told of nodes by name."""
    for node in model.graph.node:
        node.name = node.output[0]
    return model


def _end(model: onnx.ModelProto, last: int) -> int:
    """Return the number of the first node that is no part of the network's body: no operator of OPERATORS follows."""
    nodes = list(model.graph.node)
    return next((n for n in range(last, len(nodes)) if nodes[n].op_type not in OPERATORS), len(nodes))


class _Batches(CalibrationDataReader):  # type: ignore[misc]
    """Hands the pictures to the quantiser, a batch at a time."""

    def __init__(self, images: Sequence[Image], wanted: Preprocessing):
        self._batches = self._prepared(images, wanted)

    def get_next(self) -> dict[str, Image] | None:
        """Return the next batch, None after the last."""
        return next(self._batches, None)

    @staticmethod
    def _prepared(images: Sequence[Image], wanted: Preprocessing) -> Iterator[dict[str, Image]]:
        for start in range(0, len(images), BATCH):
            yield {INPUT: prepare(images[start : start + BATCH], wanted)}


def _quantized(model: onnx.ModelProto, kept: list[str], batches: _Batches) -> bytes:
    with tempfile.TemporaryDirectory(prefix="roadwatch-") as folder, _without_advice():
        out = Path(folder) / "model.onnx"
        quantize_static(
            model,
            out,
            batches,
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(OPERATORS),
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=kept,
        )
        return bytes(onnx.load(out).SerializeToString(deterministic=True))


@contextmanager
def _without_advice() -> Iterator[None]:
    """Keep the quantiser's advice to optimise the graph first off the root logger: there is nothing to optimise."""
    root = logging.getLogger()
    before, root.disabled = root.disabled, True
    try:
        yield
    finally:
        root.disabled = before
