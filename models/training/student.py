"""The small network: the pretrained one on small pictures, its blocks narrowed to the channels that tell most.

    block:  entry ─► expand ─► depthwise ─► project ─► + entry
                      └── C channels, of which a share stays ──┘

A channel tells as much as its output varies over pictures, times the length of what the projection makes of it. What
the others give on the mean goes into the projection's bias. After Molchanov et al., Pruning Convolutional Neural
Networks for Resource Efficient Inference (2017), by a simpler measure; training afterwards makes up for the loss.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from models.preprocessing import Image, Preprocessing, prepare
from models.training.backbone import BLOCKS, EMBEDDING, Convolution, Network, build_model
from models.training.head import blank_head

BATCH: Final = 32
MULTIPLE: Final = 16
"Channels stay in multiples of this: processors compute sixteen at once."

ARCHITECTURE: Final = (
    "EfficientNet-Lite0 up to its last block of 192 channels, on small pictures: its first blocks as pretrained on"
    " ImageNet, the others taught by a larger model (distillation), a linear head with one temperature, and a second"
    " one that says how familiar a picture is. In int8 but for its first layers and its heads. Input: uint8 N×H×W×3"
    " BGR, normalised inside. Outputs: `probabilities` (N×classes), `embedding` (N×192) and `familiarity` (N)."
)

LIMITS: Final = (
    "It was made to be cheap, and chosen for it: on the test pictures it is right as often as `road`, which taught it; on"
    " cameras that its teacher had not seen either it was not measured.",
    "Scaled down to a longest side of 48, 32 and 16 pixels, the test pictures of all real sources together are right for"
    " 98, 97 and 93 in 100.",
    "It knows two classes. Pickups, panel vans, minibuses, buses, motorhomes and motorcycles were left out of its"
    " data on purpose: it calls them car or truck all the same.",
    "It expects one vehicle that fills the crop; vehicles mostly hidden by others were left out as well.",
    "tollroad and junction are cameras that it was trained on, at other times. highways and overpass show scenes it"
    " has never seen: expect those figures on a new camera, and label a sample of its pictures.",
    "What its teacher believes wrongly it may have learnt.",
    "Figures on simulated pictures say how well it does in the demonstration, not on a road.",
)
"What the card says in words."


@dataclass(frozen=True, slots=True)
class Channels:
    """What the expanded channels of a block give, over many pictures."""

    mean: NDArray[np.float64]
    "Of each channel."
    spread: NDArray[np.float64]
    "Standard deviation of each."


def narrowed(network: Network, share: float, first: int, images: Sequence[Image], wanted: Preprocessing) -> Network:
    """Return the network with this share of the expanded channels in blocks `first` and later; 1: as it is.

    `images` are pictures that the channels are watched on, a few hundred. Raises ValueError for a share not in (0, 1].
    """
    if not 0 < share <= 1:
        raise ValueError(f"share is {share}: more than 0, at most 1")
    if share == 1:
        return network
    watched = _watched(network, first, images, wanted)
    return {
        **network,
        **{name: conv for block, told in watched.items() for name, conv in _block(network, block, told, share)},
    }


def _block(network: Network, block: str, told: Channels, share: float) -> list[tuple[str, Convolution]]:
    expand, depthwise, project = (f"{block}.{name}" for name in ("_expand_conv", "_depthwise_conv", "_project_conv"))
    weight = network[project].weight
    kept = _kept(told.spread * np.linalg.norm(weight[:, :, 0, 0], axis=0), share)
    lost = np.setdiff1d(np.arange(len(told.mean)), kept)
    bias = network[project].bias + weight[:, lost, 0, 0] @ told.mean[lost]
    return [
        (expand, Convolution(network[expand].weight[kept], network[expand].bias[kept])),
        (depthwise, Convolution(network[depthwise].weight[kept], network[depthwise].bias[kept])),
        (project, Convolution(weight[:, kept], bias.astype(np.float32))),
    ]


def _kept(telling: NDArray[np.float64], share: float) -> NDArray[np.intp]:
    """Return the numbers of the channels that tell most, in their order."""
    count = min(len(telling), max(1, round(len(telling) * share / MULTIPLE)) * MULTIPLE)
    return np.sort(np.argsort(-telling, kind="stable")[:count])


def _watched(network: Network, first: int, images: Sequence[Image], wanted: Preprocessing) -> Mapping[str, Channels]:
    """Return what the depthwise convolutions of blocks `first` and later give, behind their clipping."""
    graph = build_model(network, wanted.size, blank_head(("a", "b"), EMBEDDING))
    ends = _ends(graph, first)
    for name in ends.values():
        graph.graph.output.append(onnx.ValueInfoProto(name=name))
    session = ort.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    sums = [_sums(session, list(ends.values()), images[at : at + BATCH], wanted) for at in range(0, len(images), BATCH)]
    return {block: _channels(np.sum([batch[place] for batch in sums], axis=0)) for place, block in enumerate(ends)}


def _ends(graph: onnx.ModelProto, first: int) -> dict[str, str]:
    """Return by block the output of the clipping after its depthwise convolution."""
    clipped = {node.input[0]: node.output[0] for node in graph.graph.node if node.op_type == "Clip"}
    convolutions = {node.input[1]: node.output[0] for node in graph.graph.node if node.op_type == "Conv"}
    blocks = [f"blocks.{number}" for number in range(max(first, 1), BLOCKS)]  # block 0 expands nothing
    return {block: clipped[convolutions[f"{block}._depthwise_conv.weight"]] for block in blocks}


def _sums(
    session: ort.InferenceSession, names: list[str], images: Sequence[Image], wanted: Preprocessing
) -> list[NDArray[np.float64]]:
    """Return for each end, in rows, how many values a channel has, their sum, and the sum of their squares."""
    maps = session.run(names, {"images": prepare(images, wanted)})
    flat = [values.astype(np.float64).transpose(1, 0, 2, 3).reshape(values.shape[1], -1) for values in maps]
    return [np.stack([np.full(len(rows), rows.shape[1]), rows.sum(1), (rows**2).sum(1)]) for rows in flat]


def _channels(sums: NDArray[np.float64]) -> Channels:
    count, total, squares = sums
    mean = total / count
    return Channels(mean, np.sqrt(np.maximum(squares / count - mean**2, 0)))
