"""Graphs of others, made in a moment: small networks as an exporter would write them, and what is wrong with some."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIZE = 16
LABELS = ("hatchback", "coupe", "lorry")

DESCRIPTION = """
name = "street"
purpose = "Tells cars from trucks."
labels = ["hatchback", "coupe", "lorry"]

[input]
size = 16
layout = "NCHW"
element = "float32"
colours = "RGB"
scale = 0.00392156862745098
mean = [0.5, 0.4, 0.3]
std = [0.2, 0.25, 0.5]

[output]
gives = "logits"
name = "scores"
embedding = "pooled"

[classes]
car = ["hatchback", 1]
truck = ["lorry"]
"""

WEIGHT = np.array([[3, -1, 0], [0, 2, -2], [-2, 0, 4]], np.float32)
"Mean colour to scores: rows are channels, columns classes."


def street_graph(
    batch: str | int = "N",
    sides: Sequence[str | int] = (3, SIZE, SIZE),
    element: int = TensorProto.FLOAT,
    columns: int = 3,
    opset: int = 13,
    activation: str = "",
    extra: Sequence[onnx.NodeProto] = (),
) -> onnx.ModelProto:
    """Return scores of the mean colour, NCHW, with the shapes written for a batch where it is fixed."""
    rows = batch if isinstance(batch, int) else 0
    nodes = [
        *([helper.make_node("Cast", ["images"], ["floats"], to=1)] if element != TensorProto.FLOAT else []),
        helper.make_node("GlobalAveragePool", ["images" if element == TensorProto.FLOAT else "floats"], ["mean"]),
        helper.make_node("Reshape", ["mean", "shape"], ["pooled"]),
        helper.make_node("MatMul", ["pooled", "weight"], ["raw" if activation else "scores"]),
        *([helper.make_node(activation, ["raw"], ["scores"])] if activation else []),
        *extra,
    ]
    constants = [
        numpy_helper.from_array(np.array([rows, -1], np.int64), "shape"),
        numpy_helper.from_array(np.ascontiguousarray(np.resize(WEIGHT, (3, columns))), "weight"),
    ]
    outputs = [
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, [batch, columns]),
        helper.make_tensor_value_info("pooled", TensorProto.FLOAT, [batch, 3]),
    ]
    inputs = [helper.make_tensor_value_info("images", element, [batch, *sides])]
    graph = helper.make_graph(nodes, "street", inputs, outputs, constants)
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", opset)])


def street_answer(images: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return what the graph says of pictures, N×S×S×3 BGR, as probabilities of car and truck: by hand."""
    rgb = images[..., ::-1].mean(axis=(1, 2)) / 255
    scores = ((rgb - [0.5, 0.4, 0.3]) / [0.2, 0.25, 0.5]) @ WEIGHT
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    theirs = raised / raised.sum(axis=1, keepdims=True)
    return np.stack([theirs[:, 0] + theirs[:, 1], theirs[:, 2]], axis=1)


def outside(model: onnx.ModelProto, location: str, offset: int = 0, length: int = 36) -> onnx.ModelProto:
    """Return the graph with its weight in another file."""
    weight = next(tensor for tensor in model.graph.initializer if tensor.name == "weight")
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": str(offset), "length": str(length)}.items():
        weight.external_data.add(key=key, value=value)
    return model
