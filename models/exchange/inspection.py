"""What is looked at before a stranger's graph runs: that it is one, that it keeps to itself, and how large it gets."""

from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Final

import onnx
from google.protobuf.message import DecodeError  # onnx brings it
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper
from onnx.defs import SchemaError, get_schema, onnx_opset_version
from onnx.shape_inference import InferenceError

from schemas.errors import ModelError

MAX_BYTES: Final = 128 * 1024 * 1024
"As a bundle allows."
MAX_TENSOR_BYTES: Final = 1024**3
"Of any tensor while a batch is classified."
BATCH: Final = 32
"Pictures to one inference, as processors give them."
OLDEST_OPSET: Final = 7
RUNTIME_DOMAIN: Final = "com.microsoft"
"ONNX Runtime's own operators: it says itself which it knows."


def read_graph(path: Path) -> bytes:
    """Return a file's bytes; raises ModelError where it is not there or larger than a bundle allows."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}") from error
    if len(raw) > MAX_BYTES:
        raise ModelError(f"{path}: more than the {MAX_BYTES} bytes that are allowed")
    return raw


def parse_graph(raw: bytes, where: str) -> ModelProto:
    """Return the graph; raises ModelError where the bytes are no ONNX model."""
    try:
        model: ModelProto = ModelProto.FromString(raw)
    except DecodeError as error:
        raise ModelError(f"{where}: not an ONNX model: {error}") from error
    if not (model.ir_version and model.opset_import and model.graph.node):
        raise ModelError(f"{where}: not an ONNX model: no graph with nodes and opset in its {len(raw)} bytes")
    if not all(isinstance(name, str) for name in _names(model)):
        raise ModelError(f"{where}: not an ONNX model: it has names that are not UTF-8")
    return model


def check_graph(model: ModelProto, where: str) -> None:
    """Raise ModelError for a graph that reads other files, wants operators that nobody knows, or is too new."""
    check_alone(model, where)
    faults = [*_opset_faults(model), *_operator_faults(model), *_size_faults(model)]
    if faults:
        raise ModelError("\n".join([f"{where}: cannot be served:", *(f"  - {fault}" for fault in faults)]))


def check_alone(model: ModelProto, where: str) -> None:
    """Raise ModelError for a graph with tensors in other files, which ONNX Runtime would open wherever they lie."""
    outside = sorted({tensor.name or "unnamed" for tensor in tensors(model) if is_outside(tensor)})
    if outside:
        told = ", ".join(outside[:5]) + (f" and {len(outside) - 5} more" if outside[5:] else "")
        raise ModelError(
            f"{where}: keeps {told} in other files: save it as one file (onnx.save_model, save_as_external_data=False)"
        )


def check_sizes(model: ModelProto, where: str) -> None:
    """Raise ModelError where a tensor gets larger than a gigabyte with 32 pictures, or shapes do not fit each other."""
    trial = ModelProto()
    trial.CopyFrom(model)
    trial.graph.input[0].type.tensor_type.shape.dim[0].dim_value = BATCH
    for info in trial.graph.output:
        info.type.tensor_type.ClearField("shape")
    for info in inferred(trial, where).graph.value_info:
        size = _bytes(info)
        if size > MAX_TENSOR_BYTES:
            raise ModelError(
                f"{where}: its tensor {info.name} of {_shape_text(info)} takes {size} bytes for {BATCH} pictures,"
                f" {MAX_TENSOR_BYTES} are allowed"
            )


def inferred(model: ModelProto, where: str) -> ModelProto:
    """Return the graph with the shapes of its tensors; raises ModelError where they contradict each other."""
    try:
        return onnx.shape_inference.infer_shapes(model, strict_mode=False, data_prop=True)
    except (InferenceError, ValueError) as error:
        raise ModelError(f"{where}: its shapes do not fit each other: {error}") from error


def graphs(model: ModelProto) -> Iterator[GraphProto | onnx.FunctionProto]:
    """The graph, those inside it (branches and loops), and its functions."""
    for root in (model.graph, *model.functions):
        yield from _with_inner(root)


def tensors(model: ModelProto) -> Iterator[TensorProto]:
    """Every tensor that the file holds."""
    for graph in graphs(model):
        if isinstance(graph, GraphProto):
            yield from graph.initializer
            yield from _parts(graph.sparse_initializer)
        for attribute in _attributes(graph):
            yield attribute.t
            yield from attribute.tensors
            yield from _parts([attribute.sparse_tensor, *attribute.sparse_tensors])


def is_outside(tensor: TensorProto) -> bool:
    """Whether the tensor's values lie in another file."""
    return tensor.data_location == TensorProto.EXTERNAL or len(tensor.external_data) > 0


def _names(model: ModelProto) -> Iterator[str | bytes]:
    """Every name that is read here: protobuf gives bytes where one is no text."""
    for item in model.opset_import:
        yield item.domain
    for graph in graphs(model):
        for node in graph.node:
            yield from (*node.input, *node.output, node.op_type, node.domain)
        if isinstance(graph, GraphProto):
            yield from (item.name for item in (*graph.input, *graph.output, *graph.value_info))
    for tensor in tensors(model):
        yield tensor.name
        yield from (text for entry in tensor.external_data for text in (entry.key, entry.value))


def _with_inner(graph: GraphProto | onnx.FunctionProto) -> Iterator[GraphProto | onnx.FunctionProto]:
    yield graph
    for attribute in _attributes(graph):
        if attribute.HasField("g"):
            yield from _with_inner(attribute.g)
        for inner in attribute.graphs:
            yield from _with_inner(inner)


def _attributes(graph: GraphProto | onnx.FunctionProto) -> Iterator[AttributeProto]:
    for node in graph.node:
        yield from node.attribute
    if not isinstance(graph, GraphProto):
        yield from graph.attribute_proto


def _parts(sparse: Iterator[onnx.SparseTensorProto] | list[onnx.SparseTensorProto]) -> Iterator[TensorProto]:
    for tensor in sparse:
        yield tensor.values
        yield tensor.indices


def _opset_faults(model: ModelProto) -> Iterator[str]:
    newest = onnx_opset_version()
    for domain, version in _opsets(model).items():
        if domain == "" and not OLDEST_OPSET <= version <= newest:
            yield f"opset {version}: {OLDEST_OPSET} to {newest} are known here; export it for one of them"


def _operator_faults(model: ModelProto) -> list[str]:
    opsets = _opsets(model)
    own = {(function.domain, function.name) for function in model.functions}
    nodes = (node for graph in graphs(model) for node in graph.node)
    return sorted({fault for node in nodes if (fault := _operator_fault(node, opsets, own))})


def _operator_fault(node: NodeProto, opsets: Mapping[str, int], own: set[tuple[str, str]]) -> str:
    domain = _domain(node.domain)
    if (node.domain, node.op_type) in own or domain == RUNTIME_DOMAIN:
        return ""
    try:
        get_schema(node.op_type, min(opsets.get(domain, 1), onnx_opset_version()), domain)
    except SchemaError:
        return f"operator {node.op_type} of domain {domain or 'ai.onnx'}: not known to ONNX or ONNX Runtime"
    return ""


def _opsets(model: ModelProto) -> dict[str, int]:
    functions = {_domain(item.domain): item.version for function in model.functions for item in function.opset_import}
    return functions | {_domain(item.domain): item.version for item in model.opset_import}


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name


def _size_faults(model: ModelProto) -> Iterator[str]:
    own = [graph for graph in graphs(model) if isinstance(graph, GraphProto)]
    yield from (_tensor_fault(tensor) for graph in own for tensor in graph.initializer if _is_absurd(tensor))
    for sparse in (sparse for graph in own for sparse in graph.sparse_initializer):
        if not 0 <= prod(sparse.dims) * 4 <= MAX_TENSOR_BYTES:
            yield f"sparse tensor {sparse.values.name} of {list(sparse.dims)}: too large"


def _is_absurd(tensor: TensorProto) -> bool:
    return any(side < 0 for side in tensor.dims) or prod(tensor.dims) > MAX_BYTES * 8


def _tensor_fault(tensor: TensorProto) -> str:
    return f"tensor {tensor.name} of {list(tensor.dims)}: more than the file can hold"


def _bytes(info: onnx.ValueInfoProto) -> int:
    if not info.type.HasField("tensor_type"):
        return 0
    kind = info.type.tensor_type
    sides = [dim.dim_value for dim in kind.shape.dim if dim.HasField("dim_value")]
    elements: int = prod(max(side, 0) for side in sides)
    return elements * _element_bytes(kind.elem_type)


def _element_bytes(element: int) -> int:
    try:
        return int(helper.tensor_dtype_to_np_dtype(element).itemsize)
    except KeyError:
        return 8


def _shape_text(info: onnx.ValueInfoProto) -> str:
    return "×".join(str(dim.dim_value or dim.dim_param or "?") for dim in info.type.tensor_type.shape.dim)
