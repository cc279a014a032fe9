"""Models that must not be approved, each for a reason of its own: made from a good bundle in a moment."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from models.bundle import Bundle, version_of
from models.training.backbone import set_head
from models.training.data import LabelledPicture
from models.training.head import fit_head
from processors.classifier import Classifier

MADE: Final = date(2026, 11, 23)


def with_shuffled_labels(bundle: Bundle, pictures: Sequence[LabelledPicture]) -> Bundle:
    """Return a bundle whose head was fitted to the pictures' labels in a wrong order: it has learned nothing."""
    images = [picture.image for picture in pictures]
    features = Classifier.load(bundle).classify(images).embedding
    truth = np.array([bundle.labels.index(picture.label) for picture in pictures], np.intp)
    shuffled = np.random.default_rng(5).permutation(truth)
    head = fit_head(features.astype(np.float64), shuffled, bundle.labels, np.ones(len(truth)), 0.03)
    model = onnx.load_from_string(bundle.model)
    set_head(model, head)
    return _bundle(bundle, model, "shuffled")


def slowed(bundle: Bundle, layers: int = 8) -> Bundle:
    """Return a bundle that says the same, after convolutions that add nothing: tens of milliseconds a layer."""
    model = onnx.load_from_string(bundle.model)
    graph, nothing = model.graph, np.zeros((64, len(bundle.labels)), np.float32)
    _rename_output(graph, "probabilities", "probabilities.wanted")
    graph.node.extend(
        [
            helper.make_node("Cast", ["images"], ["slow.floats"], to=TensorProto.FLOAT),
            helper.make_node("Transpose", ["slow.floats"], ["slow.0"], perm=[0, 3, 1, 2]),
            *(_convolution(graph, layer) for layer in range(layers)),
            helper.make_node("GlobalAveragePool", [f"slow.{layers}"], ["slow.means"]),
            helper.make_node("Flatten", ["slow.means"], ["slow.rows"]),
            helper.make_node("MatMul", ["slow.rows", _constant(graph, "slow.nothing", nothing)], ["slow.zeros"]),
            helper.make_node("Add", ["probabilities.wanted", "slow.zeros"], ["probabilities"]),
        ]
    )
    return _bundle(bundle, model, "slow")


def with_swapped_colours(bundle: Bundle) -> Bundle:
    """Return a bundle whose graph takes red for blue: as if it had been trained on RGB and never told."""
    model = onnx.load_from_string(bundle.model)
    for node in model.graph.node:
        node.input[:] = ["images.swapped" if name == "images" else name for name in node.input]
    order = _constant(model.graph, "swapped.order", np.array([2, 1, 0]))
    model.graph.node.insert(0, helper.make_node("Gather", ["images", order], ["images.swapped"], axis=3))
    return _bundle(bundle, model, "swapped")


def failing_on_white(bundle: Bundle) -> Bundle:
    """Return a bundle whose graph fails for a picture that is all white: a table is looked up behind its end."""
    model = onnx.load_from_string(bundle.model)
    graph, table = model.graph, np.zeros(1, np.float32)
    blue = np.array([[1], [0], [0]], np.float32)
    _rename_output(graph, "probabilities", "probabilities.wanted")
    graph.node.extend(
        [
            helper.make_node("Cast", ["images"], ["white.floats"], to=TensorProto.FLOAT),
            helper.make_node("Transpose", ["white.floats"], ["white.planes"], perm=[0, 3, 1, 2]),
            helper.make_node("GlobalAveragePool", ["white.planes"], ["white.means"]),
            helper.make_node("Flatten", ["white.means"], ["white.colours"]),
            helper.make_node("MatMul", ["white.colours", _constant(graph, "white.blue", blue)], ["white.level"]),
            helper.make_node("Greater", ["white.level", _constant(graph, "white.most", np.float32(253))], ["white.is"]),
            helper.make_node("Cast", ["white.is"], ["white.index"], to=TensorProto.INT64),
            helper.make_node("Gather", [_constant(graph, "white.table", table), "white.index"], ["white.zero"]),
            helper.make_node("Add", ["probabilities.wanted", "white.zero"], ["probabilities"]),
        ]
    )
    return _bundle(bundle, model, "white")


def _convolution(graph: onnx.GraphProto, layer: int) -> onnx.NodeProto:
    channels = 3 if layer == 0 else 64
    weight = _constant(graph, f"slow.weight.{layer}", np.full((64, channels, 3, 3), 1e-4, np.float32))
    return helper.make_node("Conv", [f"slow.{layer}", weight], [f"slow.{layer + 1}"], pads=[1, 1, 1, 1])


def _constant(graph: onnx.GraphProto, name: str, value: np.ndarray | np.generic) -> str:
    graph.initializer.append(numpy_helper.from_array(np.array(value), name))
    return name


def _rename_output(graph: onnx.GraphProto, old: str, new: str) -> None:
    for node in graph.node:
        node.output[:] = [new if name == old else name for name in node.output]


def _bundle(good: Bundle, model: onnx.ModelProto, name: str) -> Bundle:
    raw = model.SerializeToString(deterministic=True)
    version = version_of(name, MADE, raw, good.labels, good.preprocessing)
    card = replace(good.card, version=version)
    return replace(good, version=version, model=raw, card=card, expected=None, reference=None)
