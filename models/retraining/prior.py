"""A head that starts from its parent's: the fewer labels speak for a change, the less it changes. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

from models.training.head import Head

Floats = NDArray[np.floating]

RUN: Final = 10
"Neighbouring pictures of one scene and class that stay in one part: they may show one vehicle twice."
BIAS_SHARE: Final = 0.1
"The penalty of a bias beside that of a weight: a class's frequency may change more readily than its look."


@dataclass(frozen=True, slots=True)
class Prior:
    """How strongly a head is held to its parent's: the penalty is `pictures` + `share` × the number of new pictures.

    Measured on cameras held back in turn, with 25 to 500 of their labels and three or four other cameras to keep:
    docs/decisions.md has the table.
    """

    pictures: float = 10.0
    "Of the penalty: keeps few labels from changing much."
    share: float = 0.2
    "Of the penalty, for each new picture: keeps many labels of one camera from unlearning the others."

    def penalty(self, pictures: int) -> float:
        """The L2 penalty on standardised features, against the summed log loss."""
        return self.pictures + self.share * pictures


def fit_from(parent: Head, features: Floats, truth: NDArray[np.intp], weights: Floats, penalty: float) -> Head:
    """Fit what is added to the parent's scores, by logistic regression with an L2 penalty on the addition.

    `features` N×D, `truth` N indices into the labels, `weights` N: how many pictures each
    counts for, against the penalty. Features are centred and divided by
    one number, their mean deviation: one for each would be a guess on few pictures. Returns a head of temperature 1.
    """
    mean = np.average(features, axis=0, weights=weights)
    scale = max(float(np.sqrt(np.average((features - mean) ** 2, axis=0, weights=weights).mean())), 1e-6)
    inputs = np.hstack([(features - mean) / scale, np.ones((len(features), 1))])
    slope = _added(inputs, parent.scores(features) / parent.temperature, truth, weights, penalty)
    weight, bias = slope[:-1] / scale, slope[-1]
    return replace(
        parent,
        weight=parent.weight / parent.temperature + weight,
        bias=parent.bias / parent.temperature + bias - mean @ weight,
        temperature=1.0,
    )


def fold_numbers(truth: Sequence[int], scenes: Sequence[str], folds: int, seed: int) -> NDArray[np.intp]:
    """Return each picture's part, 0 to folds - 1: each class is in all, neighbours of one scene and class in one."""
    seen: dict[tuple[int, str], int] = {}
    runs: dict[int, dict[tuple[str, int], list[int]]] = {}
    for index, (label, scene) in enumerate(zip(truth, scenes, strict=True)):
        number = seen.get((label, scene), 0)
        seen[label, scene] = number + 1
        runs.setdefault(label, {}).setdefault((scene, number // RUN), []).append(index)
    part = np.zeros(len(truth), np.intp)
    draw = np.random.default_rng(seed)
    for label in sorted(runs):
        _deal(list(runs[label].values()), part, folds, draw)
    return part


def _deal(runs: list[list[int]], part: NDArray[np.intp], folds: int, draw: np.random.Generator) -> None:
    """Give runs to parts in turn; where there are fewer runs than parts, pictures one by one."""
    groups = runs if len(runs) >= folds else [[index] for run in runs for index in run]
    for turn, chosen in enumerate(draw.permutation(len(groups))):
        part[groups[chosen]] = turn % folds


def _added(inputs: Floats, base: Floats, truth: NDArray[np.intp], weights: Floats, penalty: float) -> Floats:
    """Return D×K, the last row biases: what added to the base scores makes the penalised log loss least."""
    classes = base.shape[1]
    wished = np.eye(classes)[truth]
    held = penalty * np.append(np.ones(inputs.shape[1] - 1), BIAS_SHARE)[:, None]

    def loss(flat: Floats) -> tuple[float, Floats]:
        slope = flat.reshape(-1, classes)
        logs = log_softmax(base + inputs @ slope, axis=1)
        slack = (np.exp(logs) - wished) * weights[:, None]
        value = -(weights[:, None] * wished * logs).sum() + (held * slope**2).sum() / 2
        return float(value), (inputs.T @ slack + held * slope).ravel()

    start = np.zeros(inputs.shape[1] * classes)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 500, "ftol": 1e-10})
    return np.asarray(found.x.reshape(-1, classes))
