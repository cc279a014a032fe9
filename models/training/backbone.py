"""The network as an ONNX graph: EfficientNet-Lite0 up to its last block of 192 channels, and a head on their means.

    images uint8 N×H×W×3 BGR ─► normalise ─► stem ─► 15 blocks ─► mean ─► embedding float32 N×192
                                                                            │ └─► familiarity float32 N
                  probabilities float32 N×K ◄─ softmax ◄─ / temperature ◄─ head

The same writer also makes the trunk alone, the blocks that training leaves as they are (`build_trunk`).

After Tan and Le, EfficientNet (2019), and the Lite variant of TensorFlow's `tpu` repository: no squeeze and excite,
ReLU6, batch norm with epsilon 1e-3, inputs (x - 127) / 128 in RGB, TensorFlow's "SAME" padding. Half of Lite0's
parameters lie after the cut, and on road crops they bring nothing.

Head and temperature are initializers of their own (`head.weight`, `head.bias`, `head.temperature`), so that a
new head can be set into a finished file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models.training.familiarity import Familiarity
from models.training.head import Head
from models.training.weights import Weights

EMBEDDING: Final = 192
BN_EPSILON: Final = 1e-3
BLOCKS: Final = 15
"Block 15 would be the first of 320 channels."
STRIDED_BLOCKS: Final = frozenset({1, 3, 5, 11})
OPSET: Final = 17
IR_VERSION: Final = 8

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Convolution:
    """A convolution with its batch norm inside."""

    weight: Floats
    "Output channels × input channels of a group × k × k."
    bias: Floats
    "Output channels."


Network = Mapping[str, Convolution]
"Convolutions by name, such as `blocks.3._expand_conv`; the stem takes BGR."


def folded(weights: Weights) -> dict[str, Convolution]:
    """Return the pretrained network with each batch norm folded into the convolution before it."""
    network = {"conv_stem": _folded(weights, "_conv_stem", "_bn0", rgb_to_bgr=True)}
    for index in range(BLOCKS):
        for conv, norm in (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")):
            name = f"blocks.{index}.{conv}"
            if f"_{name}.weight" in weights:
                network[name] = _folded(weights, f"_{name}", f"_blocks.{index}.{norm}")
    return network


def build_model(network: Network, size: int, head: Head, familiarity: Familiarity | None = None) -> onnx.ModelProto:
    """Return the graph for pictures of `size` × `size` pixels, any number of them in a batch.

    Without `familiarity` it has no output of that name.
    """
    graph = _Graph(size=size)
    tensor = _blocks(graph, network, _stem(graph, network), range(BLOCKS))
    graph.embedding(tensor)
    graph.head(head)
    probabilities = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", len(head.labels)])
    outputs = [probabilities, _embedding_info()]
    if familiarity is not None:
        graph.familiarity(familiarity)
        outputs.append(helper.make_tensor_value_info("familiarity", TensorProto.FLOAT, ["batch"]))
    return _model(graph, size, outputs)


def build_trunk(network: Network, size: int, cut: int) -> onnx.ModelProto:
    """Return the graph that ends before block `cut`: `activation` float16 N×C×(h·w), and the `embedding` as well."""
    graph = _Graph(size=size)
    tensor = _blocks(graph, network, _stem(graph, network), range(cut))
    shape = graph.constant("activation.shape", np.array([0, 0, -1], np.int64))
    flat = graph.add("Reshape", [graph.add("Cast", [tensor], to=TensorProto.FLOAT16), shape], "activation")
    channels = network[f"blocks.{cut - 1}._project_conv"].bias.size
    info = helper.make_tensor_value_info(flat, TensorProto.FLOAT16, ["batch", channels, graph.size**2])
    graph.embedding(_blocks(graph, network, tensor, range(cut, BLOCKS)))
    return _model(graph, size, [info, _embedding_info()])


def set_head(model: onnx.ModelProto, head: Head) -> None:
    """Overwrite the head of a finished graph, in place."""
    fresh = {tensor.name: tensor for tensor in _head_tensors(head)}
    for tensor in model.graph.initializer:
        if tensor.name in fresh:
            tensor.CopyFrom(fresh[tensor.name])


@dataclass(slots=True)
class _Graph:
    """Nodes and initializers while they are written, and the picture's size at the last of them."""

    size: int
    "Height and width of the last node's output, pixels."
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    "In order."
    tensors: list[onnx.TensorProto] = field(default_factory=list)
    "Initializers."

    def add(self, operator: str, inputs: list[str], output: str = "", **attributes: Any) -> str:
        output = output or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def constant(self, name: str, value: NDArray[Any] | np.generic) -> str:
        self.tensors.append(numpy_helper.from_array(np.array(value, order="C"), name))
        return name

    def normalised(self, images: str) -> str:
        planar = self.add("Transpose", [images], perm=[0, 3, 1, 2])
        floats = self.add("Cast", [planar], to=TensorProto.FLOAT)
        self.constant("zero", np.float32(0))
        self.constant("six", np.float32(6))
        centred = self.add("Sub", [floats, self.constant("input.mean", np.float32(127))])
        return self.add("Mul", [centred, self.constant("input.scale", np.float32(1 / 128))])

    def convolution(self, tensor: str, name: str, conv: Convolution, stride: int = 1, group: int = 1) -> str:
        kernel = conv.weight.shape[-1]
        before, after, self.size = same_padding(self.size, kernel, stride)
        inputs = [tensor, self.constant(f"{name}.weight", conv.weight), self.constant(f"{name}.bias", conv.bias)]
        return self.add(
            "Conv",
            inputs,
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[before, before, after, after],
            group=group,
        )

    def relu6(self, tensor: str) -> str:
        return self.add("Clip", [tensor, "zero", "six"])

    def embedding(self, tensor: str) -> None:
        pooled = self.add("GlobalAveragePool", [tensor])
        self.add("Flatten", [pooled], "embedding", axis=1)

    def head(self, head: Head) -> None:
        self.tensors.extend(_head_tensors(head))
        scores = self.add("Gemm", ["embedding", "head.weight", "head.bias"])
        tempered = self.add("Div", [scores, "head.temperature"])
        self.add("Softmax", [tempered], "probabilities", axis=1)

    def familiarity(self, familiarity: Familiarity) -> None:
        weight = self.constant("familiarity.weight", familiarity.weight.astype(np.float32)[:, None])
        bias = self.constant("familiarity.bias", np.array([familiarity.bias], np.float32))
        score = self.add("Gemm", ["embedding", weight, bias])
        self.add("Squeeze", [score, self.constant("familiarity.axis", np.array([1], np.int64))], "familiarity")


def _stem(graph: _Graph, network: Network) -> str:
    tensor = graph.normalised("images")
    return graph.relu6(graph.convolution(tensor, "conv_stem", network["conv_stem"], stride=2))


def _blocks(graph: _Graph, network: Network, tensor: str, numbers: range) -> str:
    for index in numbers:
        tensor = _block(graph, network, index, tensor)
    return tensor


def _block(graph: _Graph, network: Network, index: int, tensor: str) -> str:
    """Write one inverted bottleneck: expand, filter each channel, project, and add the input where shapes agree."""
    expand, depthwise, project = (
        f"blocks.{index}.{name}" for name in ("_expand_conv", "_depthwise_conv", "_project_conv")
    )
    stride = block_stride(index)
    entry, channels = tensor, 0
    if expand in network:
        channels = network[expand].weight.shape[1]
        tensor = graph.relu6(graph.convolution(tensor, expand, network[expand]))
    groups = network[depthwise].bias.size
    tensor = graph.relu6(graph.convolution(tensor, depthwise, network[depthwise], stride=stride, group=groups))
    tensor = graph.convolution(tensor, project, network[project])
    same_shape = stride == 1 and channels == network[project].bias.size
    return graph.add("Add", [tensor, entry]) if same_shape else tensor


def block_stride(index: int) -> int:
    """Return the stride of a block's depthwise convolution."""
    return 2 if index in STRIDED_BLOCKS else 1


def _folded(weights: Weights, conv: str, norm: str, *, rgb_to_bgr: bool = False) -> Convolution:
    deviation = np.sqrt(weights[f"{norm}.running_var"].astype(np.float64) + BN_EPSILON)
    gain = weights[f"{norm}.weight"] / deviation
    weight = weights[f"{conv}.weight"] * gain[:, None, None, None]
    bias = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * gain
    weight = weight[:, ::-1] if rgb_to_bgr else weight
    return Convolution(weight.astype(np.float32), bias.astype(np.float32))


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int, int]:
    """Return pixels before, pixels after, and the output's size: TensorFlow's rule, the odd pixel goes after."""
    output = -(-size // stride)
    total = max((output - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2, output


def _head_tensors(head: Head) -> list[onnx.TensorProto]:
    values = {
        "head.weight": head.weight.astype(np.float32),
        "head.bias": head.bias.astype(np.float32),
        "head.temperature": np.float32(head.temperature),
    }
    return [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in values.items()]


def _embedding_info() -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", EMBEDDING])


def _model(graph: _Graph, size: int, outputs: list[onnx.ValueInfoProto]) -> onnx.ModelProto:
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", size, size, 3])
    body = helper.make_graph(graph.nodes, "efficientnet-lite0-192", [images], outputs, graph.tensors)
    model = helper.make_model(
        body, producer_name="roadwatch", ir_version=IR_VERSION, opset_imports=[helper.make_opsetid("", OPSET)]
    )
    onnx.checker.check_model(model, full_check=True)
    return model
