"""Bundles made in a moment: a head on the mean colour, for tests of everything around a model."""

from datetime import date

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from models.bundle import Bundle
from models.card import Card, Credit, DataSource, Lineage
from models.evaluation import Answers, summarise
from models.preprocessing import Preprocessing

SIZE = 16


def tiny_bundle(model: bytes | None = None, labels: tuple[str, ...] = ("car", "truck")) -> Bundle:
    """Return a bundle that calls bright pictures trucks."""
    return Bundle("tiny-1", labels, Preprocessing(SIZE, "stretch"), model or tiny_graph(), tiny_card(labels))


def tiny_graph(outputs: int = 2, element: int = TensorProto.UINT8, scale: float = 0.1, softmax: bool = True) -> bytes:
    """Return a graph whose last class is the more probable the brighter the picture is."""
    weight = np.zeros((3, outputs), np.float32)
    weight[:, -1] = scale
    nodes = [
        helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats"], ["embedding"], axes=[1, 2], keepdims=0),
        helper.make_node("Gemm", ["embedding", "head.weight", "head.bias"], ["scores"]),
        helper.make_node("Softmax" if softmax else "Identity", ["scores"], ["probabilities"]),
    ]
    bias = np.zeros(outputs, np.float32)
    bias[-1] = -scale * 3 * 127
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("images", element, ["batch", SIZE, SIZE, 3])],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", outputs]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", 3]),
        ],
        [numpy_helper.from_array(weight, "head.weight"), numpy_helper.from_array(bias, "head.bias")],
    )
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    return bytes(onnx.ModelProto.SerializeToString(model))


def tiny_card(labels: tuple[str, ...] = ("car", "truck")) -> Card:
    """Return a card with every part filled."""
    answers = Answers(
        truth=np.array(["car", "truck", "car"]),
        said=np.array(["car", "car", "car"]),
        confidence=np.array([0.9, 0.6, 0.8]),
        source=np.array(["bridge", "bridge", "toll"]),
    )
    lineage = Lineage("1.0", 7, {"size": "16"}, {"train.zip": "ab"}, "cd", {"onnx": "1"})
    return Card(
        version="tiny-1",
        created=date(2026, 11, 23),
        purpose="For tests.",
        architecture="Mean colour.",
        labels=labels,
        data=(DataSource("bridge", "test", {"car": 1, "truck": 1}),),
        evaluation=summarise(answers),
        limits=("Knows brightness alone.",),
        credits=(Credit("nothing", "nobody", "CC0-1.0"),),
        lineage=lineage,
    )
