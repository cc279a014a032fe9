"""The last blocks and the head, tuned in JAX on what the frozen trunk says of each picture.

    activation C×N×S ─► expand ─► depthwise ─► project ─► … ─► mean ─► head ─► cross-entropy
                        (channels first: a depthwise convolution is one small S×T matrix for each channel)

XLA's own depthwise convolutions take 20 times as long on a CPU as this does. The head is fitted before the blocks
move (Kumar et al., Fine-Tuning can Distort Pretrained Features, 2022); weights are averaged over the last steps
(Izmailov et al., Averaging Weights Leads to Wider Optima, 2018); and the average goes a part of its way back to the
pretrained weights, which gains on cameras never seen (Wortsman et al., Robust Fine-Tuning of Zero-Shot Models, 2022).
"""

import functools
import math
from dataclasses import dataclass
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

from models.training.backbone import BLOCKS, Convolution, Network, block_stride, same_padding
from models.training.features import Progress
from models.training.head import Head

Params = dict[str, dict[str, jax.Array]]
"Weights and biases by the convolution's name; `head` is one of them."

HEAD: Final = "head"
CHUNK: Final = 128
"Rows at once where nothing is learnt."
ONE_THREAD: Final[dict[str, bool | str]] = {"xla_cpu_multi_thread_eigen": False}
"A sum that threads share may be rounded differently each time."


@dataclass(frozen=True, slots=True)
class Tuning:
    """How the last blocks are tuned."""

    cut: int = 11
    "The first block that moves."
    steps: int = 1000
    "Of `batch` pictures each."
    batch: int = 32
    "Pictures in a step."
    block_rate: float = 3e-4
    "Adam's learning rate for the blocks, at its height."
    head_rate: float = 1e-3
    "For the head."
    smoothing: float = 0.05
    "The share of each label that is given to all classes alike."
    average_from: float = 0.6
    "The part of the steps after which weights are averaged."
    moved: float = 0.75
    "How far the weights go from the pretrained to the averaged ones."


@dataclass(frozen=True, slots=True)
class Activations:
    """What the trunk says of many pictures, and what they show."""

    values: NDArray[np.float16]
    "N×C×S."
    target: NDArray[np.float32]
    "N×K: the truth, or a teacher's probabilities."
    weight: NDArray[np.float64]
    "N: how often each is drawn, beside the others."


def tune(
    network: Network, head: Head, data: Activations, tuning: Tuning, seed: int, progress: Progress
) -> tuple[dict[str, Convolution], Head]:
    """Return the network and head with their last blocks tuned, of temperature 1; the same seed gives the same."""
    start = _params(network, head, tuning.cut)
    step, state = _step(start, tuning, _side(data.values))
    rng = np.random.default_rng(seed)
    chance = data.weight / data.weight.sum()
    params, total, averaged = start, jax.tree.map(jnp.zeros_like, start), 0
    for number in range(tuning.steps):
        rows = rng.choice(len(chance), tuning.batch, p=chance)
        params, state = step(params, state, data.values[rows], data.target[rows])
        if number >= tuning.steps * tuning.average_from:
            total, averaged = jax.tree.map(jnp.add, total, params), averaged + 1
        progress("tuning", number + 1, tuning.steps)
    return _tuned(network, head, _between(start, total, averaged, tuning.moved))


def embeddings(network: Network, head: Head, values: NDArray[np.float16], cut: int) -> NDArray[np.float32]:
    """Return the network's N×D embeddings of activations, N×C×S."""
    params, side = _params(network, head, cut), _side(values)
    run = jax.jit(functools.partial(_embedding, side=side, cut=cut), compiler_options=ONE_THREAD)
    parts = [np.asarray(run(params, _filled(values[at : at + CHUNK]))) for at in range(0, len(values), CHUNK)]
    return np.concatenate(parts)[: len(values)]


def _filled(values: NDArray[np.float16]) -> NDArray[np.float16]:
    """Return the rows, filled up to CHUNK: another shape would be compiled anew."""
    return np.concatenate([values, np.zeros((CHUNK - len(values), *values.shape[1:]), np.float16)])


def _side(values: NDArray[np.float16]) -> int:
    return math.isqrt(values.shape[2])


def _embedding(params: Params, values: jax.Array, side: int, cut: int) -> jax.Array:
    tensor = jnp.transpose(values.astype(jnp.float32), (1, 0, 2))
    for index in range(cut, BLOCKS):
        tensor, side = _block(params, index, tensor, side)
    return tensor.mean(axis=2).T


def _block(params: Params, index: int, tensor: jax.Array, side: int) -> tuple[jax.Array, int]:
    expand, depthwise, project = (
        params[f"blocks.{index}.{name}"] for name in ("_expand_conv", "_depthwise_conv", "_project_conv")
    )
    entry = tensor
    tensor = jnp.clip(_pointwise(expand, tensor), 0, 6)
    tensor, side = _depthwise(depthwise, tensor, side, block_stride(index))
    tensor = _pointwise(project, jnp.clip(tensor, 0, 6))
    return (tensor + entry if tensor.shape == entry.shape else tensor), side


def _pointwise(conv: dict[str, jax.Array], tensor: jax.Array) -> jax.Array:
    flat = conv["weight"] @ tensor.reshape(tensor.shape[0], -1)
    return flat.reshape(-1, *tensor.shape[1:]) + conv["bias"][:, None, None]


def _depthwise(conv: dict[str, jax.Array], tensor: jax.Array, side: int, stride: int) -> tuple[jax.Array, int]:
    channels, kernel, _ = conv["weight"].shape
    places, side = _places(side, kernel, stride)
    matrices = jnp.einsum("ck,stk->cst", conv["weight"].reshape(channels, -1), places)
    return jnp.einsum("cns,cst->cnt", tensor, matrices) + conv["bias"][:, None, None], side


@functools.cache
def _places(side: int, kernel: int, stride: int) -> tuple[NDArray[np.float32], int]:
    """Return which tap of the kernel leads from each input pixel to each output pixel, and the output's side."""
    before, _, out = same_padding(side, kernel, stride)
    line = np.zeros((side, out, kernel), np.float32)
    for target in range(out):
        for tap in range(kernel):
            if 0 <= (source := target * stride + tap - before) < side:
                line[source, target, tap] = 1
    square = np.einsum("ati,buj->abtuij", line, line)
    return square.reshape(side * side, out * out, kernel * kernel), out


def _step(start: Params, tuning: Tuning, side: int) -> tuple[Any, Any]:
    """Return the function that makes one step, and the optimiser's first state."""
    optimiser = optax.multi_transform(
        {"head": _adam(tuning.head_rate, tuning), "blocks": _adam(tuning.block_rate, tuning)},
        {name: "head" if name == HEAD else "blocks" for name in start},
    )

    def loss(params: Params, values: jax.Array, target: jax.Array) -> jax.Array:
        smooth = target * (1 - tuning.smoothing) + tuning.smoothing / target.shape[1]
        scores = _embedding(params, values, side, tuning.cut) @ params[HEAD]["weight"] + params[HEAD]["bias"]
        return jnp.asarray(optax.softmax_cross_entropy(scores, smooth).mean())

    def step(params: Params, state: Any, values: jax.Array, target: jax.Array) -> tuple[Params, Any]:
        gradient = jax.grad(loss)(params, values, target)
        updates, state = optimiser.update(gradient, state, params)
        return optax.apply_updates(params, updates), state

    return jax.jit(step, compiler_options=ONE_THREAD), optimiser.init(start)


def _adam(rate: float, tuning: Tuning) -> optax.GradientTransformation:
    schedule = optax.warmup_cosine_decay_schedule(0, rate, tuning.steps // 20, tuning.steps, end_value=rate / 20)
    return optax.adam(schedule)


def _between(start: Params, total: Params, count: int, share: float) -> Params:
    """Return what lies at `share` of the way from `start` to the mean of `count` weights."""
    between: Params = jax.tree.map(lambda then, sums: (1 - share) * then + share * sums / count, start, total)
    return between


def _params(network: Network, head: Head, cut: int) -> Params:
    names = [name for name in network if name.startswith("blocks.") and int(name.split(".")[1]) >= cut]
    params = {name: _arrays(_compact(network[name].weight), network[name].bias) for name in names}
    return {**params, HEAD: _arrays(head.weight, head.bias)}


def _arrays(weight: NDArray[np.floating], bias: NDArray[np.floating]) -> dict[str, jax.Array]:
    return {"weight": jnp.asarray(weight, jnp.float32), "bias": jnp.asarray(bias, jnp.float32)}


def _compact(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return O×I of a pointwise convolution, C×k×k of a depthwise one."""
    return weight[:, :, 0, 0] if weight.shape[2] == 1 else weight[:, 0]


def _tuned(network: Network, head: Head, params: Params) -> tuple[dict[str, Convolution], Head]:
    moved = {
        name: Convolution(np.asarray(conv["weight"]).reshape(network[name].weight.shape), np.asarray(conv["bias"]))
        for name, conv in params.items()
        if name != HEAD
    }
    weight, bias = (np.asarray(params[HEAD][name], np.float64) for name in ("weight", "bias"))
    return {**network, **moved}, Head(head.labels, weight, bias, 1.0)
