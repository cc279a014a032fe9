"""From gathered pictures to a network: last blocks and head tuned, temperature and familiarity fitted.

gathered ─┬─► without some of the scenes ─► head ─► tuned ─► scores of those scenes ─► temperature
          └─► all ─► head ─► tuned ─► network, head
                                       └─► embeddings, against strangers' ─► familiarity
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray

from models.preprocessing import Image
from models.training.backbone import Convolution, Network, build_model, build_trunk
from models.training.data import LabelledPicture
from models.training.familiarity import Familiarity, fit_familiarity, strangers
from models.training.features import Progress, run_trunk, silent
from models.training.finetune import Activations, Tuning, embeddings, tune
from models.training.gather import Gathered, Gathering, fold_numbers, gather, row_weights
from models.training.head import Head, calibrated, fit_head, fit_temperature

Target = NDArray[np.float32]
"N×K: a row's probabilities, as they are to be taught."

LABELS: Final = ("car", "truck")
FEW_COPIES: Final = 2
"Changed copies of each picture that count as vehicles: they are not to be refused for fog alone."


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is fitted to what."""

    gathering: Gathering
    "How pictures are copied."
    tuning: Tuning = field(default_factory=Tuning)
    "How the last blocks are tuned."
    inverse_penalty: float = 0.003
    "scikit-learn's C of the head that tuning begins with."
    extra_share: float = 0.1
    "How much the extra (simulated) pictures weigh among all, 0 to below 1."
    clean_share: float = 0.3
    "How much a picture itself weighs beside its changed copies."
    folds: int = 5
    "One part in so many is held back for the temperature."


@dataclass(frozen=True, slots=True)
class Fitted:
    """A network that is ready to be written."""

    network: Network
    "Its convolutions."
    head: Head
    "With its temperature."
    familiarity: Familiarity
    "What is no vehicle."

    def graph(self, size: int) -> onnx.ModelProto:
        """Return it as ONNX."""
        return build_model(self.network, size, self.head, self.familiarity)


def gathered(
    network: Network,
    real: Sequence[LabelledPicture],
    extra: Sequence[LabelledPicture],
    recipe: Recipe,
    progress: Progress,
) -> Gathered:
    """Return real and extra pictures as `fit` wants them: copied, and seen by the blocks that do not move."""
    return gather(_trunk(network, recipe), real, extra, recipe.gathering, progress)


def fit(network: Network, data: Gathered, recipe: Recipe, progress: Progress, target: Target | None = None) -> Fitted:
    """Return the pretrained `network` fitted to what was gathered with it; the same arguments give the same.

    `target` is what each row is to be taught; None: its label.
    """
    taught = labels_of(data) if target is None else target
    temperature = _temperature(network, data, taught, recipe, progress)
    tuned, head = _tuned(network, data, taught, recipe, np.ones(len(data.pictures), bool), progress)
    vehicles = [picture.image for picture in data.pictures[: data.real]]
    strange = _strange(_trunk(network, recipe), tuned, head, vehicles, recipe)
    return Fitted(tuned, calibrated(head, temperature), _familiarity(tuned, head, data, strange, recipe))


def labels_of(data: Gathered) -> Target:
    """Return N×K: 1 for each row's own class."""
    return np.eye(len(LABELS), dtype=np.float32)[_truth(data)]


def _trunk(network: Network, recipe: Recipe) -> onnx.ModelProto:
    return build_trunk(network, recipe.gathering.wanted.size, recipe.tuning.cut)


def _temperature(network: Network, data: Gathered, target: Target, recipe: Recipe, progress: Progress) -> float:
    """Return the temperature that makes scores honest which a network like this gives pictures it has not seen."""
    scenes = [picture.scene for picture in data.pictures]
    held = fold_numbers(scenes, recipe.folds, recipe.gathering.seed) == 0
    tuned, head = _tuned(network, data, target, recipe, ~held, progress)
    rows = np.flatnonzero(held[data.number] & (data.copy == 0))
    scores = head.scores(_embeddings(tuned, head, data.activation[rows], recipe))
    weights = row_weights(data, held, recipe.extra_share, clean_share=1)[rows]
    return fit_temperature(scores, _truth(data)[rows], weights)


def _tuned(
    network: Network,
    data: Gathered,
    target: Target,
    recipe: Recipe,
    chosen: NDArray[np.bool_],
    progress: Progress,
) -> tuple[dict[str, Convolution], Head]:
    """Return network and head, tuned on the chosen pictures."""
    weights = row_weights(data, chosen, recipe.extra_share, recipe.clean_share)
    rows = chosen[data.number]
    embedding = data.embedding[rows].astype(np.float64)
    head = fit_head(embedding, _truth(data)[rows], LABELS, weights[rows], recipe.inverse_penalty)
    activations = Activations(data.activation, target, weights)
    return tune(network, head, activations, recipe.tuning, recipe.gathering.seed, progress)


def _truth(data: Gathered) -> NDArray[np.intp]:
    return np.array([LABELS.index(picture.label) for picture in data.pictures])[data.number]


def _strange(
    trunk: onnx.ModelProto, network: Network, head: Head, vehicles: list[Image], recipe: Recipe
) -> NDArray[np.float64]:
    """Return embeddings of pictures that show no vehicle."""
    images = strangers(vehicles, recipe.gathering.seed)
    wanted, threads = recipe.gathering.wanted, recipe.gathering.threads
    outputs = run_trunk(trunk, images.__getitem__, len(images), wanted, silent, threads)
    return _embeddings(network, head, outputs.activation, recipe)


def _familiarity(
    network: Network, head: Head, data: Gathered, strange: NDArray[np.float64], recipe: Recipe
) -> Familiarity:
    """Fit on the pictures and few copies of each; the threshold looks at real pictures as they are."""
    rows = np.flatnonzero(data.copy <= FEW_COPIES)
    source = np.array([picture.source for picture in data.pictures])[data.number[rows]]
    judged = (data.copy[rows] == 0) & (data.number[rows] < data.real)
    return fit_familiarity(_embeddings(network, head, data.activation[rows], recipe), source, judged, strange)


def _embeddings(network: Network, head: Head, activation: NDArray[np.float16], recipe: Recipe) -> NDArray[np.float64]:
    return embeddings(network, head, activation, recipe.tuning.cut).astype(np.float64)
