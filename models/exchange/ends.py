"""What goes into a stranger's graph and what comes out, compared with what its description says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Final

from onnx import ModelProto, TensorProto, ValueInfoProto

from models.exchange.description import Description, Entrance
from models.exchange.inspection import inferred
from schemas.errors import ModelError

ELEMENTS: Final[Mapping[str, int]] = {
    "uint8": TensorProto.UINT8,
    "float32": TensorProto.FLOAT,
    "float16": TensorProto.FLOAT16,
}
FLOATS: Final = frozenset({TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16})
MAX_EMBEDDING: Final = 8192


@dataclass(frozen=True, slots=True)
class Ends:
    """The tensors of a graph that matter."""

    entrance: ValueInfoProto
    "The pictures."
    fixed_batch: int | None
    "How many pictures it takes at once; None: any number."
    scores: str
    "Logits or probabilities."
    columns: int
    "Of the scores."
    embedding: str | None
    "A feature vector; None: it gives none."
    features: int
    "Of the embedding; 0 without one."


def find_ends(model: ModelProto, described: Description, where: str) -> Ends:
    """Return the tensors that the description speaks of; raises ModelError where the graph has others."""
    entrance = _entrance(model, described.input, where)
    known = _known(inferred(model, where))
    scores = described.output.name or _only_output(model, described, where)
    columns = _width(known, scores, where)
    _check_columns(scores, columns, described, where)
    embedding = described.output.embedding
    features = _width(known, embedding, where) if embedding else 0
    if features > MAX_EMBEDDING:
        raise ModelError(f"{where}: {embedding} has {features} values a picture, {MAX_EMBEDDING} are allowed")
    batch = entrance.type.tensor_type.shape.dim[0].dim_value
    return Ends(entrance, batch or None, scores, columns, embedding, features)


def _entrance(model: ModelProto, wanted: Entrance, where: str) -> ValueInfoProto:
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [info for info in model.graph.input if info.name not in constants]
    told = ", ".join(map(_told, inputs)) or "nothing"
    if len(inputs) != 1 or (wanted.name and inputs[0].name != wanted.name):
        raise ModelError(f"{where}: takes {told}, not {wanted.name or 'one batch of pictures'} alone")
    expected = _expected_shape(wanted)
    kind = inputs[0].type.tensor_type
    shape = _shape(inputs[0])
    fits = len(shape) == 4 and all(side in (None, wished) for side, wished in zip(shape[1:], expected[1:], strict=True))
    if kind.elem_type != ELEMENTS[wanted.element] or not fits:
        sides = "×".join(map(str, expected))
        raise ModelError(f"{where}: takes {told}; its description says {wanted.element} {sides} ({wanted.layout})")
    entrance: ValueInfoProto = inputs[0]
    return entrance


def _expected_shape(wanted: Entrance) -> tuple[str | int, ...]:
    size = wanted.size
    return ("N", 3, size, size) if wanted.layout == "NCHW" else ("N", size, size, 3)


def _only_output(model: ModelProto, described: Description, where: str) -> str:
    names = [info.name for info in model.graph.output if info.name != described.output.embedding]
    if len(names) != 1:
        raise ModelError(f"{where}: gives {', '.join(names) or 'nothing'}: name one as output.name in its description")
    return str(names[0])


def _known(model: ModelProto) -> dict[str, ValueInfoProto]:
    """Return every tensor of the graph with its type and shape, by name."""
    return {info.name: info for info in (*model.graph.value_info, *model.graph.output)}


def _width(known: Mapping[str, ValueInfoProto], name: str, where: str) -> int:
    """Return how many values an output has for each picture."""
    if name not in known:
        raise ModelError(f"{where}: gives no {name}: it has {', '.join(list(known)[-5:])}")
    info = known[name]
    if not info.type.HasField("tensor_type") or info.type.tensor_type.elem_type not in FLOATS:
        raise ModelError(f"{where}: {_told(info)} is no tensor of floats: export the scores (without ZipMap or ArgMax)")
    sides = _shape(info)[1:]
    fixed = [side for side in sides if side is not None]
    if len(fixed) < len(sides) or not info.type.tensor_type.HasField("shape"):
        raise ModelError(f"{where}: {_told(info)}: only the batch may be open; export it with the other sides fixed")
    return prod(fixed)


def _check_columns(name: str, columns: int, described: Description, where: str) -> None:
    labels = described.labels
    if columns == len(labels) or (columns == 1 and len(labels) == 2):
        return
    told = ", ".join(labels[:6]) + (" …" if labels[6:] else "")
    raise ModelError(f"{where}: {name} has {columns} values a picture, its description {len(labels)} labels: {told}")


def _shape(info: ValueInfoProto) -> list[int | None]:
    return [dim.dim_value if dim.HasField("dim_value") else None for dim in info.type.tensor_type.shape.dim]


def _told(info: ValueInfoProto) -> str:
    """Return a tensor as a person reads it: `data float32 1×3×224×224`."""
    if not info.type.HasField("tensor_type"):
        return f"{info.name} ({info.type.WhichOneof('value')})"
    dims: Sequence[str] = [str(dim.dim_value or dim.dim_param or "?") for dim in info.type.tensor_type.shape.dim]
    return f"{info.name} {_element(info.type.tensor_type.elem_type)} {'×'.join(dims)}"


def _element(number: int) -> str:
    known = TensorProto.DataType.values()
    return str(TensorProto.DataType.Name(number)).lower() if number in known else f"of unknown type {number}"
