"""A stranger's graph, set between nodes that make it take and give what the application's graphs do.

images uint8 N×S×S×3 BGR ─► colours ─► axes ─► float ─► scale, mean, std ─► the graph
                                                                               │
probabilities float32 N×K ◄─ its classes to ours ◄─ softmax ◄─ / temperature ◄─┤
embedding float32 N×D ◄────────────────────────────────────────────────────────┘
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from models.exchange.description import DROPPED, Description, Entrance
from models.exchange.ends import ELEMENTS, Ends
from models.exchange.inspection import graphs
from schemas.errors import ModelError

IR_VERSION: Final = 8
"At least: initializers of older files had to be inputs as well."
TAKEN: Final = frozenset({"images", "probabilities", "embedding", "familiarity"})
"Names that mean something to the application; the graph's own tensors of that name get another."
TINY: Final = np.float32(1e-7)
"Keeps a row whose classes of ours all have probability 0 from being divided by 0: it becomes even."


class _Writer:
    """Nodes and constants while they are written."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Write a node and return its output's name."""
        output = output or f"roadwatch/{operator.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def constant(self, value: NDArray[Any] | np.generic) -> str:
        """Write a constant and return its name."""
        name = f"roadwatch/constant{len(self.constants)}-{len(self.nodes)}"
        self.constants.append(numpy_helper.from_array(np.array(value, order="C"), name))
        return name


def wrap(given: ModelProto, described: Description, ends: Ends, where: str) -> ModelProto:
    """Return a graph from `images` to `probabilities` that holds the given one.

    Raises ModelError where ONNX finds the whole invalid.
    """
    model = ModelProto()
    model.CopyFrom(given)
    _free_names(model)
    writer = _Writer()
    _enter(writer, described.input, _ours(ends.entrance.name))
    before = list(writer.nodes)
    if ends.fixed_batch:
        _open_batch(model, writer, ends.fixed_batch)
    _leave(writer, described, ends)
    nodes = [*before, *model.graph.node, *writer.nodes[len(before) :]]
    _assemble(model, nodes, writer.constants, described, ends)
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise ModelError(f"{where}: not valid ONNX: {error}") from error
    return model


def _enter(writer: _Writer, wanted: Entrance, name: str) -> None:
    """Write the way from pictures, uint8 N×S×S×3 BGR, to what the graph takes."""
    tensor = "images"
    if wanted.colours == "RGB":
        tensor = writer.add("Gather", tensor, writer.constant(np.array([2, 1, 0], np.int64)), axis=3)
    if wanted.layout == "NCHW":
        tensor = writer.add("Transpose", tensor, perm=[0, 3, 1, 2])
    if wanted.element != "uint8":
        tensor = _normalised(writer, wanted, writer.add("Cast", tensor, to=TensorProto.FLOAT))
    writer.add("Cast", tensor, output=name, to=ELEMENTS[wanted.element])


def _normalised(writer: _Writer, wanted: Entrance, tensor: str) -> str:
    """Write (pixel × scale - mean) / std as one product and one difference."""
    std = np.broadcast_to(np.asarray(wanted.std, np.float64), 3)
    shape = (1, 3, 1, 1) if wanted.layout == "NCHW" else (1, 1, 1, 3)
    gain, offset = wanted.scale / std, np.broadcast_to(np.asarray(wanted.mean), 3) / std
    if (gain != 1).any():
        tensor = writer.add("Mul", tensor, writer.constant(gain.reshape(shape).astype(np.float32)))
    if offset.any():
        tensor = writer.add("Sub", tensor, writer.constant(offset.reshape(shape).astype(np.float32)))
    return tensor


def _leave(writer: _Writer, described: Description, ends: Ends) -> None:
    """Write the way from its scores to our probabilities, and its features to our embedding."""
    scores = _flat(writer, _ours(ends.scores), ends.columns)
    theirs = _probabilities(writer, described, scores, ends.columns)
    matrix = described.class_matrix()
    ours = theirs if matrix is None else _summed(writer, theirs, matrix, described.rest == DROPPED)
    writer.add("Identity", ours, output="probabilities")
    if ends.embedding:
        writer.add("Identity", _flat(writer, _ours(ends.embedding), ends.features), output="embedding")


def _flat(writer: _Writer, tensor: str, columns: int) -> str:
    floats = writer.add("Cast", tensor, to=TensorProto.FLOAT)
    return writer.add("Reshape", floats, writer.constant(np.array([-1, columns], np.int64)))


def _probabilities(writer: _Writer, described: Description, scores: str, columns: int) -> str:
    logits, temperature = described.output.gives == "logits", described.output.temperature
    if columns == 1:
        return _of_one_column(writer, scores, logits, temperature)
    if not logits and temperature == 1:
        return scores
    if not logits:
        scores = writer.add("Log", writer.add("Add", scores, writer.constant(TINY)))
    return writer.add("Softmax", _tempered(writer, scores, temperature), axis=1)


def _of_one_column(writer: _Writer, scores: str, logits: bool, temperature: float) -> str:
    """Write both probabilities of a column that speaks for the second label."""
    one = writer.constant(np.float32(1))
    if not logits and temperature != 1:
        against = writer.add("Add", writer.add("Sub", one, scores), writer.constant(TINY))
        odds = writer.add("Div", writer.add("Add", scores, writer.constant(TINY)), against)
        scores, logits = writer.add("Log", odds), True
    second = writer.add("Sigmoid", _tempered(writer, scores, temperature)) if logits else scores
    return writer.add("Concat", writer.add("Sub", one, second), second, axis=1)


def _tempered(writer: _Writer, scores: str, temperature: float) -> str:
    return scores if temperature == 1 else writer.add("Div", scores, writer.constant(np.float32(temperature)))


def _summed(writer: _Writer, theirs: str, matrix: NDArray[np.float32], drops: bool) -> str:
    """Write the sums of its classes that make one of ours; where some are dropped, the others' sum becomes 1."""
    sums = writer.add("MatMul", theirs, writer.constant(matrix))
    if not drops:
        return sums
    sums = writer.add("Add", sums, writer.constant(TINY))
    classes = matrix.shape[1]
    return writer.add("Div", sums, writer.add("MatMul", sums, writer.constant(np.ones((classes, classes), np.float32))))


def _open_batch(model: ModelProto, writer: _Writer, batch: int) -> None:
    """Let shapes that were written for a fixed batch take over the batch that comes."""
    shapes = dict(_constant_shapes(model))
    constants = {*shapes, *(tensor.name for tensor in model.graph.initializer)}
    for node in model.graph.node:
        if node.op_type != "Reshape" or len(node.input) != 2 or node.input[0] in constants:
            continue
        shape = shapes.get(node.input[1])
        if shape is not None and len(shape) and shape[0] == batch and 0 not in shape:
            node.input[1] = writer.constant(np.array([0, *shape[1:]], np.int64))  # 0: as it comes in
            del node.attribute[:]  # allowzero


def _constant_shapes(model: ModelProto) -> Iterator[tuple[str, NDArray[Any]]]:
    held = [(tensor.name, tensor) for tensor in model.graph.initializer]
    written = [
        (node.output[0], attribute.t)
        for node in model.graph.node
        if node.op_type == "Constant"
        for attribute in node.attribute
        if attribute.name == "value"
    ]
    for name, tensor in (*held, *written):
        if tensor.data_type == TensorProto.INT64 and len(tensor.dims) == 1:
            yield name, numpy_helper.to_array(tensor)


def _assemble(
    model: ModelProto, nodes: list[NodeProto], constants: list[TensorProto], described: Description, ends: Ends
) -> None:
    graph, size, classes = model.graph, described.input.size, len(described.bundle_labels)
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", size, size, 3])
    outputs = [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", classes])]
    if ends.embedding:
        outputs.append(helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", ends.features]))
    kept = [NodeProto.FromString(node.SerializeToString()) for node in nodes]  # survive the clearing of the graph
    for name in ("node", "input", "output", "value_info"):
        graph.ClearField(name)
    graph.node.extend(kept)
    graph.input.append(images)
    graph.output.extend(outputs)
    graph.initializer.extend(constants)
    model.ClearField("training_info")
    model.ir_version = max(model.ir_version, IR_VERSION)


def _free_names(model: ModelProto) -> None:
    """Give tensors of the graph that have a name of ours another one."""
    for graph in graphs(model):
        for names in (names for node in graph.node for names in (node.input, node.output)):
            names[:] = [_ours(name) for name in names]
        if isinstance(graph, onnx.GraphProto):
            sparse = (tensor.values for tensor in graph.sparse_initializer)
            for item in (*graph.initializer, *graph.input, *graph.output, *graph.value_info, *sparse):
                item.name = _ours(item.name)


def _ours(name: str) -> str:
    """Return the name that a tensor of the given graph has inside the whole."""
    return f"given/{name}" if name in TAKEN or name.startswith("roadwatch/") else name
