"""A finished graph's head: read, replaced, and the score below which it gives no label set for a new camera."""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, numpy_helper

from models.bundle import Bundle
from models.exchange.inspection import parse_graph
from models.training.backbone import set_head
from models.training.head import Head
from schemas.errors import ModelError

WEIGHT, BIAS, TEMPERATURE = "head.weight", "head.bias", "head.temperature"
FAMILIARITY: Final = ("familiarity.weight", "familiarity.bias")
REFUSED: Final = 0.01
"The share of vehicles that may be given no label, as in training."


def read_head(bundle: Bundle) -> Head:
    """Return the head of a bundle's graph; raises ModelError where it has none that can be replaced."""
    model = parse_graph(bundle.model, bundle.version)
    held = _initializers(model)
    missing = [name for name in (WEIGHT, BIAS) if name not in held]
    given = {info.name for info in model.graph.output}
    if missing or "embedding" not in given:
        lacks = ", ".join([*missing, *({"embedding"} - given)])
        raise ModelError(f"{bundle.version}: lacks {lacks}: its head cannot be replaced; retrain a model of ours")
    weight, bias = (numpy_helper.to_array(held[name]).astype(np.float64) for name in (WEIGHT, BIAS))
    classes = len(bundle.labels)
    if weight.ndim != 2 or weight.shape[1] != classes or bias.shape != (classes,):
        raise ModelError(f"{bundle.version}: {WEIGHT} of {weight.shape}, {BIAS} of {bias.shape}: not D×{classes}")
    temperature = numpy_helper.to_array(held[TEMPERATURE]).ravel() if TEMPERATURE in held else np.ones(1)
    if temperature.size != 1 or not temperature[0] > 0:
        raise ModelError(f"{bundle.version}: {TEMPERATURE} is {temperature[:3].tolist()}: one number above 0")
    return Head(bundle.labels, weight, bias, float(temperature[0]))


def with_head(graph: bytes, head: Head) -> bytes:
    """Return the graph with another head: fp32, whatever the rest of it is."""
    model = parse_graph(graph, "graph")
    if TEMPERATURE not in {tensor.name for tensor in model.graph.initializer}:
        head = replace(head, weight=head.weight / head.temperature, bias=head.bias / head.temperature, temperature=1.0)
    set_head(model, head)
    return bytes(model.SerializeToString(deterministic=True))


def abstain_below(bundle: Bundle, embedding: NDArray[np.floating]) -> float | None:
    """Return the score below which the bundle gives no label, lowered where it refuses more than 1 in 100 of these.

    `embedding` N×D of pictures that were labelled by people: they are vehicles, so the camera is one to be served.
    """
    held = _initializers(parse_graph(bundle.model, bundle.version))
    if bundle.abstain_below is None or not all(name in held for name in FAMILIARITY):
        return bundle.abstain_below
    weight, bias = (numpy_helper.to_array(held[name]).astype(np.float64).ravel() for name in FAMILIARITY)
    return min(bundle.abstain_below, float(np.quantile(embedding @ weight + bias, REFUSED)))


def _initializers(model: ModelProto) -> dict[str, TensorProto]:
    return {tensor.name: tensor for tensor in model.graph.initializer}
