"""The `fast` model: the network of `road` on small pictures, taught by `road` what it says of thousands of changed copies.

pictures ─► copies ─┬─► teacher, in its size  ─► probabilities ─┐
                    └─► student's trunk, on 80 ─► activations ───┴─► tuned ─► temperature, familiarity ─► int8 ─► bundle

Both look at the very same copy, each in its own size. What the teacher says of a copy that is too dark or too small
to tell is worth more than its label: it keeps the student from learning such pictures by heart. After Hinton et al.,
Distilling the Knowledge in a Neural Network (2015), and Beyer et al., Knowledge Distillation: A Good Teacher Is
Patient and Consistent (2022).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final, overload

import numpy as np

from models.bundle import Bundle, save_bundle
from models.card import Card, Credit
from models.preprocessing import Fit, Image, Preprocessing
from models.training.augment import copy_of
from models.training.backbone import folded
from models.training.bundling import Graphs, Making, Words, bundled, given, told
from models.training.data import LabelledPicture, class_faults, read_pictures
from models.training.features import Progress, run_graph
from models.training.finetune import Tuning
from models.training.fit import LABELS, Fitted, Recipe, Target, fit, gathered, labels_of
from models.training.gather import Gathered, Gathering
from models.training.quantize import drawn, quantized
from models.training.recipe import CREDITS
from models.training.student import ARCHITECTURE, LIMITS, narrowed
from models.training.weights import read_weights
from schemas.errors import ConfigurationError

WATCHED: Final = 256
"Pictures on which the channels are watched that narrowing chooses from."


@dataclass(frozen=True, slots=True)
class DistilSettings:
    """How to teach. The defaults made the bundle that is shipped; docs/decisions.md has the figures behind them."""

    created: date
    "Goes into version and card; given, so that the same training makes the same files."
    code_version: str
    "Version of this code, for the card."
    name: str = "fast"
    "The version's first part."
    size: int = 80
    "Height and width of the network's input, pixels."
    fit: Fit = "stretch"
    "How a crop becomes a square."
    width: float = 1.0
    "The share of each tuned block's expanded channels that stays."
    cut: int = 5
    "The first block that moves."
    rows: int = 4000
    "About how many pictures, changed copies among them, each source is taught with."
    steps: int = 1000
    "Of 32 pictures each, in which the blocks are tuned."
    rate: float = 5e-4
    "Adam's learning rate for the blocks, at its height."
    teacher_share: float = 0.7
    "How much the teacher's word weighs beside the label, 0 to 1."
    extra_share: float = 0.15
    "How much the extra (simulated) pictures weigh among all, 0 to below 1."
    full_precision: int = 3
    "Convolutions at the start that stay in fp32."
    seed: int = 20261101
    "Of all that is drawn by chance."
    threads: int = 2
    "Cores; the result does not depend on it."

    def __post_init__(self) -> None:
        if not 0 <= self.extra_share < 1:
            raise ValueError(f"extra_share is {self.extra_share}: from 0 to below 1")
        if not 0 <= self.teacher_share <= 1:
            raise ValueError(f"teacher_share is {self.teacher_share}: from 0 to 1")

    @property
    def wanted(self) -> Preprocessing:
        """What the model wants to be given."""
        return Preprocessing(self.size, self.fit)

    @property
    def recipe(self) -> Recipe:
        """How it is taught: all the way, for the blocks see pictures of a size they were never trained on."""
        gathering = Gathering(self.wanted, self.rows, self.seed, self.threads)
        tuning = Tuning(
            cut=self.cut, steps=self.steps, block_rate=self.rate, head_rate=3 * self.rate, smoothing=0.0, moved=1.0
        )
        return Recipe(gathering, tuning, extra_share=self.extra_share)

    def making(self, teacher: str) -> Making:
        """What the card tells of it."""
        settings = {**told(self), "teacher": teacher}
        return Making(self.name, self.created, self.code_version, self.seed, self.wanted, self.threads, settings)


def train_fast(
    settings: DistilSettings,
    teacher: Bundle,
    road_vehicles: Path,
    extra: Iterable[LabelledPicture],
    out: Path,
    progress: Progress,
    extra_test: Iterable[LabelledPicture] = (),
) -> Card:
    """Teach a small network on `road_vehicles`/train.zip and `extra`, score it on test.zip, write a bundle to `out`.

    The bundle's graph is in int8, its `reference` in fp32. Returns the card. Raises ConfigurationError for data or a
    teacher that cannot be used, ModelError when `out` exists. On one machine two runs write the same bytes.
    """
    real, simulated = list(read_pictures(road_vehicles / "train.zip")), list(extra)
    tested = [*read_pictures(road_vehicles / "test.zip"), *extra_test]
    _check_labels([*real, *simulated, *tested], teacher)
    fitted = distil(settings, teacher, real, simulated, progress)
    exact = fitted.graph(settings.size).SerializeToString(deterministic=True)
    images = [picture.image for picture in (*real, *simulated)]
    model = quantized(exact, images, settings.wanted, settings.seed, full_precision=settings.full_precision)
    taught = Credit("soft labels", f"the bundle {teacher.version}, its teacher", "Apache-2.0")
    words = Words(ARCHITECTURE, LIMITS, (*CREDITS, taught))
    graphs = Graphs(model, exact, fitted.familiarity.abstain_below)
    data = given(road_vehicles, real, simulated, tested)
    bundle = bundled(settings.making(teacher.version), words, graphs, data, tested, progress)
    save_bundle(bundle, out)
    return bundle.card


def distil(
    settings: DistilSettings,
    teacher: Bundle,
    real: Sequence[LabelledPicture],
    extra: Sequence[LabelledPicture],
    progress: Progress,
) -> Fitted:
    """Return the small network, taught; the same arguments give the same.

    It is narrowed first, and learns the teacher's word beside the label.
    """
    images = drawn([picture.image for picture in real], WATCHED, settings.seed)
    network = narrowed(folded(read_weights()), settings.width, settings.cut, images, settings.wanted)
    data = gathered(network, real, extra, settings.recipe, progress)
    return fit(network, data, settings.recipe, progress, targets(data, teacher, settings, progress))


def targets(data: Gathered, teacher: Bundle, settings: DistilSettings, progress: Progress) -> Target:
    """Return N×K: for each row what is to be learnt, the label and the teacher's word in their shares.

    A teacher in int8 is asked in full precision, where its bundle has that.
    """
    model, wanted = teacher.reference or teacher.model, teacher.preprocessing
    said = run_graph(model, Copies(data, settings.seed), wanted, progress, "teacher", settings.threads).probabilities
    return np.asarray(
        (1 - settings.teacher_share) * labels_of(data).astype(np.float64) + settings.teacher_share * said, np.float32
    )


class Copies(Sequence[Image]):
    """The copies that `gather` showed the student, made again when they are asked for: all at once are gigabytes."""

    def __init__(self, data: Gathered, seed: int):
        self._data = data
        self._seed = seed

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._data.number)

    @overload
    def __getitem__(self, row: int) -> Image: ...

    @overload
    def __getitem__(self, row: slice) -> list[Image]: ...

    def __getitem__(self, row: int | slice) -> Image | list[Image]:
        """Return the copy of one row, or of some."""
        if isinstance(row, slice):
            return [self[number] for number in range(*row.indices(len(self)))]
        number = int(self._data.number[row])
        return copy_of(self._data.pictures[number].image, number, int(self._data.copy[row]), self._seed)


def _check_labels(pictures: Sequence[LabelledPicture], teacher: Bundle) -> None:
    faults = class_faults(LABELS, pictures)
    if teacher.labels != LABELS:
        faults.append(f"the teacher {teacher.version} knows {', '.join(teacher.labels)}, not {', '.join(LABELS)}")
    if faults:
        raise ConfigurationError("training pictures", faults)
