"""The `fast` model: the network of `road` on small pictures, taught by `road` what it says of thousands of changed copies.

pictures ─► copies ─┬─► teacher, in its size  ─► probabilities ─┐
                    └─► student's trunk, on 80 ─► activations ───┴─► tuned ─► temperature, familiarity ─► int8 ─► bundle

Both look at the very same copy, each in its own size. What the teacher says of a copy that is too dark or too small
to tell is worth more than its label: it keeps the student from learning such pictures by heart. After Hinton et al.,
Distilling the Knowledge in a Neural Network (2015), and Beyer et al., Knowledge Distillation: A Good Teacher Is
Patient and Consistent (2022).
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Final, overload

import numpy as np
from numpy.typing import NDArray

from models.bundle import Bundle, save_bundle, version_of
from models.card import Card, Credit, DataSource, Lineage
from models.evaluation import Evaluation, evaluate
from models.preprocessing import Fit, Image, Preprocessing
from models.selftest import selftest_pictures
from models.training.augment import copy_of
from models.training.backbone import Network, build_trunk, folded
from models.training.data import LabelledPicture, counts, file_sha256, pictures_sha256, read_pictures
from models.training.familiarity import Familiarity, fit_familiarity, strangers
from models.training.features import Progress, run_graph, run_trunk
from models.training.finetune import Activations, Tuning, embeddings, tune
from models.training.fit import FEW_COPIES, LABELS, Fitted
from models.training.gather import Gathered, Gathering, fold_numbers, gather, row_weights
from models.training.head import Head, calibrated, fit_head, fit_temperature
from models.training.quantize import drawn, quantized
from models.training.recipe import CREDITS, PURPOSE
from models.training.student import ARCHITECTURE, LIMITS, narrowed
from models.training.train import PACKAGES
from models.training.weights import WEIGHTS_SHA256, read_weights
from models.verdicts import Verdicts
from schemas.errors import ConfigurationError

FOLDS: Final = 5
"One part in so many is held back for the temperature."
CLEAN_SHARE: Final = 0.3
"How much a picture itself weighs beside its changed copies."
INVERSE_PENALTY: Final = 0.003
"scikit-learn's C of the head that tuning begins with."
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
    def gathering(self) -> Gathering:
        """How copies are made."""
        return Gathering(self.wanted, self.rows, self.seed, self.threads)

    @property
    def tuning(self) -> Tuning:
        """How the blocks are tuned: all the way, for they see pictures of a size they were never trained on."""
        return Tuning(
            cut=self.cut, steps=self.steps, block_rate=self.rate, head_rate=3 * self.rate, smoothing=0.0, moved=1.0
        )


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
    data = (*_sources("train", [*real, *simulated]), *_sources("test", tested))
    version = version_of(settings.name, settings.created, model, LABELS, settings.wanted)
    evaluation = _evaluate(settings, model, tested, progress)
    card = _card(settings, version, data, evaluation, _checksums(road_vehicles, simulated), teacher)
    save_bundle(_bundle(settings, card, model, exact, fitted.familiarity.abstain_below), out)
    return card


def distil(
    settings: DistilSettings,
    teacher: Bundle,
    real: Sequence[LabelledPicture],
    extra: Sequence[LabelledPicture],
    progress: Progress,
) -> Fitted:
    """Return the small network, taught; the same arguments give the same.

    As `models.training.fit.fit`, with the teacher's word beside the label, and narrowed first.
    """
    images = drawn([picture.image for picture in real], WATCHED, settings.seed)
    network = narrowed(folded(read_weights()), settings.width, settings.cut, images, settings.wanted)
    data = gather(build_trunk(network, settings.size, settings.cut), real, extra, settings.gathering, progress)
    target = targets(data, teacher, settings, progress)
    temperature = _temperature(settings, network, data, target, progress)
    tuned, head = _tuned(settings, network, data, target, np.ones(len(data.pictures), bool), progress)
    return Fitted(tuned, calibrated(head, temperature), _familiarity(settings, network, tuned, head, data))


def targets(data: Gathered, teacher: Bundle, settings: DistilSettings, progress: Progress) -> NDArray[np.float32]:
    """Return N×K: for each row what is to be learnt, the label and the teacher's word in their shares.

    A teacher in int8 is asked in full precision, where its bundle has that.
    """
    model, wanted = teacher.reference or teacher.model, teacher.preprocessing
    said = run_graph(model, Copies(data, settings.seed), wanted, progress, "teacher", settings.threads).probabilities
    return np.asarray(
        (1 - settings.teacher_share) * np.eye(len(LABELS))[_truth(data)] + settings.teacher_share * said, np.float32
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


def _temperature(
    settings: DistilSettings, network: Network, data: Gathered, target: NDArray[np.float32], progress: Progress
) -> float:
    """Return the temperature that makes scores honest which a network like this gives pictures it has not seen."""
    held = fold_numbers([picture.scene for picture in data.pictures], FOLDS, settings.seed) == 0
    tuned, head = _tuned(settings, network, data, target, ~held, progress)
    rows = np.flatnonzero(held[data.number] & (data.copy == 0))
    scores = head.scores(embeddings(tuned, head, data.activation[rows], settings.cut).astype(np.float64))
    weights = row_weights(data, held, settings.extra_share, clean_share=1)[rows]
    return fit_temperature(scores, _truth(data)[rows], weights)


def _tuned(
    settings: DistilSettings,
    network: Network,
    data: Gathered,
    target: NDArray[np.float32],
    chosen: NDArray[np.bool_],
    progress: Progress,
) -> tuple[Network, Head]:
    """Return network and head, taught on the chosen pictures."""
    weights = row_weights(data, chosen, settings.extra_share, CLEAN_SHARE)
    rows = chosen[data.number]
    embedding, truth = data.embedding[rows].astype(np.float64), _truth(data)[rows]
    head = fit_head(embedding, truth, LABELS, weights[rows], INVERSE_PENALTY)
    return tune(network, head, Activations(data.activation, target, weights), settings.tuning, settings.seed, progress)


def _familiarity(settings: DistilSettings, network: Network, tuned: Network, head: Head, data: Gathered) -> Familiarity:
    rows = np.flatnonzero(data.copy <= FEW_COPIES)
    source = np.array([picture.source for picture in data.pictures])[data.number[rows]]
    judged = (data.copy[rows] == 0) & (data.number[rows] < data.real)
    images = strangers([picture.image for picture in data.pictures[: data.real]], settings.seed)
    trunk = build_trunk(network, settings.size, settings.cut)
    strange = run_trunk(trunk, images.__getitem__, len(images), settings.wanted, _silent, settings.threads).activation
    seen, unseen = (
        embeddings(tuned, head, part, settings.cut).astype(np.float64) for part in (data.activation[rows], strange)
    )
    return fit_familiarity(seen, source, judged, unseen)


def _truth(data: Gathered) -> NDArray[np.intp]:
    return np.array([LABELS.index(picture.label) for picture in data.pictures])[data.number]


def _check_labels(pictures: Sequence[LabelledPicture], teacher: Bundle) -> None:
    faults = [
        f"class {label!r}: this model knows {', '.join(LABELS)}"
        for label in sorted({picture.label for picture in pictures} - set(LABELS))
    ]
    if teacher.labels != LABELS:
        faults.append(f"the teacher {teacher.version} knows {', '.join(teacher.labels)}, not {', '.join(LABELS)}")
    if faults:
        raise ConfigurationError("training pictures", faults)


def _evaluate(settings: DistilSettings, model: bytes, tested: list[LabelledPicture], progress: Progress) -> Evaluation:
    """Score the finished file: a graph that was written wrongly would show here."""

    def classify(images: Sequence[Image]) -> Verdicts:
        outputs = run_graph(model, images, settings.wanted, _silent, "test", settings.threads)
        return Verdicts(LABELS, outputs.probabilities, outputs.embedding)

    progress("test", 0, len(tested))
    evaluation = evaluate(classify, tested)
    progress("test", len(tested), len(tested))
    return evaluation


def _bundle(settings: DistilSettings, card: Card, model: bytes, exact: bytes, abstain_below: float) -> Bundle:
    said = run_graph(model, selftest_pictures(), settings.wanted, _silent, "test").probabilities
    expected = tuple(tuple(float(value) for value in row) for row in said)
    return Bundle(card.version, LABELS, settings.wanted, model, card, abstain_below, expected, reference=exact)


def _sources(split: str, pictures: Sequence[LabelledPicture]) -> tuple[DataSource, ...]:
    return tuple(DataSource(name, split, row) for name, row in counts(pictures).items())


def _checksums(road_vehicles: Path, simulated: Sequence[LabelledPicture]) -> dict[str, str]:
    files = {f"road-vehicles/{name}": file_sha256(road_vehicles / name) for name in ("train.zip", "test.zip")}
    return {**files, "extra training pictures": pictures_sha256(simulated)} if simulated else files


def _card(
    settings: DistilSettings,
    version: str,
    data: tuple[DataSource, ...],
    evaluation: Evaluation,
    checksums: dict[str, str],
    teacher: Bundle,
) -> Card:
    told = {"created", "code_version", "seed", "threads"}
    lineage = Lineage(
        code_version=settings.code_version,
        seed=settings.seed,
        settings={
            **{name: str(value) for name, value in asdict(settings).items() if name not in told},
            "teacher": teacher.version,
        },
        data_sha256=checksums,
        backbone_sha256=WEIGHTS_SHA256,
        packages={name: package_version(name) for name in PACKAGES},
    )
    credited = (*CREDITS, Credit("soft labels", f"the bundle {teacher.version}, its teacher", "Apache-2.0"))
    return Card(version, settings.created, PURPOSE, ARCHITECTURE, LABELS, data, evaluation, LIMITS, credited, lineage)


def _silent(_step: str, _done: int, _total: int) -> None:
    """Show no progress."""
