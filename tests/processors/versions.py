"""Versions of the tiny model that differ in what they say, and registries of them."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from models.bundle import Bundle
from models.registry.history import Alias, Step
from models.registry.store import Registry
from tests.models.bundles import tiny_bundle, tiny_graph

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def version(name: str, model: bytes | None = None, **changes: object) -> Bundle:
    """The tiny bundle under another name."""
    tiny = tiny_bundle(model)
    return replace(tiny, version=name, card=replace(tiny.card, version=name), **changes)  # type: ignore[arg-type]


def unfit(name: str) -> Bundle:
    """A version whose files are whole, and whose graph fails its self-test."""
    return version(name, tiny_graph(softmax=False))


def shy_graph() -> bytes:
    """The tiny graph with a familiarity beside: the mean of each picture's blue channel."""
    model = onnx.ModelProto.FromString(tiny_graph())
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(1, np.int64), "blue"))
    model.graph.initializer.append(numpy_helper.from_array(np.ones(1, np.int64), "one"))
    model.graph.node.append(helper.make_node("Slice", ["embedding", "blue", "one", "one"], ["column"]))
    model.graph.node.append(helper.make_node("ReduceSum", ["column", "one"], ["familiarity"], keepdims=0))
    model.graph.output.append(helper.make_tensor_value_info("familiarity", TensorProto.FLOAT, ["batch"]))
    return bytes(model.SerializeToString())


def fixed_graph(batch: int) -> bytes:
    """The tiny graph for batches of one size alone, without saying so."""
    model = onnx.ModelProto.FromString(tiny_graph())
    model.graph.initializer.append(numpy_helper.from_array(np.array([batch, 3], np.int64), "shape"))
    model.graph.node.insert(2, helper.make_node("Reshape", ["embedding", "shape"], ["fixed"]))
    model.graph.node[3].input[0] = "fixed"
    return bytes(model.SerializeToString())


def frail_graph() -> bytes:
    """The tiny graph, but of black pictures it makes no numbers; no picture of the self-test is black."""
    model = onnx.ModelProto.FromString(tiny_graph())
    model.graph.node.insert(2, helper.make_node("Div", ["embedding", "embedding"], ["ones"]))
    model.graph.node.insert(3, helper.make_node("Mul", ["embedding", "ones"], ["frail"]))
    model.graph.node[4].input[0] = "frail"
    return bytes(model.SerializeToString())


def promote(registry: Registry, name: str, alias: Alias = "champion", share: float | None = None) -> None:
    """Give an alias to a registered version, now."""
    registry.record(Step("promoted", name, datetime.now(UTC), "test", "for a test", alias, share))


def registry_of(address: str, *bundles: Bundle) -> Registry:
    """A registry with these versions, none of them promoted."""
    registry = Registry(address)
    for bundle in bundles:
        registry.register(bundle, at=datetime.now(UTC), by="test")
    return registry
