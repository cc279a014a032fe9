"""Training, from pictures to a bundle: features of a frozen backbone, a head, its temperature, its figures, its card.

real and simulated pictures ─► features ─► head ─► temperature ─► graph ─► figures on the test split ─► bundle
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray

from models.bundle import Bundle, save_bundle, version_of
from models.card import Card, DataSource, Lineage
from models.evaluation import Evaluation, evaluate
from models.preprocessing import Fit, Image, Preprocessing
from models.training.backbone import EMBEDDING, build_model, set_head
from models.training.data import LabelledPicture, counts, file_sha256, pictures_sha256, read_pictures
from models.training.distance import distant_copies
from models.training.features import Progress, run_graph
from models.training.head import Head, blank_head, calibrated, fit_head, fit_temperature
from models.training.recipe import ARCHITECTURE, CREDITS, LIMITS, PURPOSE
from models.training.weights import WEIGHTS_SHA256, read_weights
from models.verdicts import Verdicts
from schemas.errors import ConfigurationError

LABELS: Final = ("car", "truck")
PACKAGES: Final = ("numpy", "onnx", "onnxruntime", "opencv-python-headless", "scikit-learn", "scipy")
RUN: Final = 100
"Neighbouring pictures of one scene that stay on one side of a split: they may show one vehicle twice."


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How to train. The defaults made the bundle that is shipped; docs/decisions.md has the figures behind them."""

    created: date
    "Goes into version and card; given, so that the same training makes the same files."
    code_version: str
    "Version of this code, for the card."
    name: str = "road"
    "The version's first part."
    size: int = 128
    "Height and width of the network's input, pixels."
    fit: Fit = "stretch"
    "How a crop becomes a square."
    inverse_penalty: float = 0.03
    "scikit-learn's C: small generalises better to cameras that were not trained on."
    extra_share: float = 0.1
    "How much the extra (simulated) pictures weigh among all, 0 to below 1."
    distant_share: float = 0.15
    "How much shrunk copies weigh among all, 0 to below 1."
    folds: int = 5
    "Parts of the training pictures, each held back once for the temperature."
    seed: int = 20261101
    "Of the parts."
    threads: int = 2
    "Cores; the result does not depend on it."

    def __post_init__(self) -> None:
        for name in ("extra_share", "distant_share"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: from 0 to below 1")


@dataclass(frozen=True, slots=True)
class _Set:
    """Pictures with their features."""

    pictures: Sequence[LabelledPicture]
    "N: the near ones, then their distant copies."
    features: NDArray[np.float64]
    "N×192."
    truth: NDArray[np.intp]
    "N indices into LABELS."
    weights: NDArray[np.float64]
    "How much each counts; 1 in the mean."


def train(
    settings: TrainingSettings,
    road_vehicles: Path,
    extra: Iterable[LabelledPicture],
    out: Path,
    progress: Progress,
    extra_test: Iterable[LabelledPicture] = (),
) -> Card:
    """Train on `road_vehicles`/train.zip and `extra`, score on test.zip and `extra_test`, write a bundle to `out`.

    Returns the bundle's card. Raises ConfigurationError for data that cannot be used, ModelError when `out` exists.
    On one machine two runs write the same bytes; other processors may round features differently.
    """
    real, simulated = list(read_pictures(road_vehicles / "train.zip")), list(extra)
    tested = [*read_pictures(road_vehicles / "test.zip"), *extra_test]
    _check_labels([*real, *simulated, *tested])
    wanted = Preprocessing(settings.size, settings.fit)
    graph = build_model(read_weights(), settings.size, blank_head(LABELS, EMBEDDING))
    head = _fit(settings, _features(settings, graph, real, simulated, progress))
    set_head(graph, head)
    model = graph.SerializeToString(deterministic=True)
    evaluation = _evaluate(settings, model, wanted, tested, progress)
    version = version_of(settings.name, settings.created, model, LABELS, wanted)
    data = (*_sources("train", [*real, *simulated]), *_sources("test", tested))
    card = _card(settings, version, data, evaluation, _checksums(road_vehicles, simulated))
    save_bundle(Bundle(version, LABELS, wanted, model, card), out)
    return card


def source_weights(sources: Sequence[str], extra: NDArray[np.bool_], extra_share: float) -> NDArray[np.float64]:
    """Return each picture's weight: real sources count alike however many pictures they have, extra ones as told.

    Counting sources alike gained a point on cameras held back; the mean weight is 1.
    """
    share = extra_share if extra.any() and not extra.all() else 0.0
    groups = {(name, bool(is_extra)) for name, is_extra in zip(sources, extra, strict=True)}
    weights = np.zeros(len(sources))
    for name, is_extra in groups:
        ours = (np.asarray(sources) == name) & (extra == is_extra)
        alike = sum(1 for _, other in groups if other == is_extra)
        part = (share if is_extra else 1 - share) if not extra.all() else 1.0
        weights[ours] = part / alike / ours.sum()
    return weights * len(sources)


def fold_numbers(scenes: Sequence[str], folds: int, seed: int) -> NDArray[np.intp]:
    """Return each picture's part, 0 to folds - 1: runs of neighbours in one scene stay together."""
    seen: dict[str, int] = {}
    runs = []
    for scene in scenes:
        runs.append((scene, seen.get(scene, 0) // RUN))
        seen[scene] = seen.get(scene, 0) + 1
    names = sorted(set(runs))
    drawn = np.random.default_rng(seed).permutation(len(names)) % folds
    part = dict(zip(names, drawn, strict=True))
    return np.array([part[run] for run in runs])


def _check_labels(pictures: Sequence[LabelledPicture]) -> None:
    strangers = sorted({picture.label for picture in pictures} - set(LABELS))
    if strangers:
        faults = [f"class {label!r}: this model knows {', '.join(LABELS)}" for label in strangers]
        raise ConfigurationError("training pictures", faults)


def _features(
    settings: TrainingSettings,
    graph: onnx.ModelProto,
    real: Sequence[LabelledPicture],
    simulated: Sequence[LabelledPicture],
    progress: Progress,
) -> _Set:
    """Return all pictures, and after them a distant copy of each."""
    near = [*real, *simulated]
    pictures = [*near, *distant_copies(near, settings.seed)]
    images = [picture.image for picture in pictures]
    wanted = Preprocessing(settings.size, settings.fit)
    outputs = run_graph(graph.SerializeToString(), images, wanted, progress, "features", settings.threads)
    truth = np.array([LABELS.index(picture.label) for picture in pictures])
    extra = np.arange(len(near)) >= len(real)
    weights = source_weights([picture.source for picture in near], extra, settings.extra_share)
    copies = settings.distant_share
    both = 2 * np.concatenate([weights * (1 - copies), weights * copies])
    return _Set(pictures, outputs.embedding.astype(np.float64), truth, both)


def _fit(settings: TrainingSettings, data: _Set) -> Head:
    """Fit the head on everything, and its temperature on scores of heads that had not seen the picture."""
    near = data.pictures[: len(data.pictures) // 2]
    fold = np.tile(fold_numbers([picture.scene for picture in near], settings.folds, settings.seed), 2)
    scores = np.zeros((len(data.truth), len(LABELS)))
    for number in range(settings.folds):
        held = fold == number
        scores[held] = _fit_on(settings, data, ~held).scores(data.features[held])
    head = _fit_on(settings, data, np.ones(len(fold), bool))
    return calibrated(head, fit_temperature(scores, data.truth, data.weights))


def _fit_on(settings: TrainingSettings, data: _Set, chosen: NDArray[np.bool_]) -> Head:
    weights = data.weights[chosen]
    return fit_head(data.features[chosen], data.truth[chosen], LABELS, weights, settings.inverse_penalty)


def _evaluate(
    settings: TrainingSettings, model: bytes, wanted: Preprocessing, tested: list[LabelledPicture], progress: Progress
) -> Evaluation:
    """Score the finished file: a graph that was written wrongly would show here."""

    def silent(_step: str, _done: int, _total: int) -> None:
        """Report whole batches only."""

    def classify(images: Sequence[Image]) -> Verdicts:
        outputs = run_graph(model, images, wanted, silent, "test", settings.threads)
        return Verdicts(LABELS, outputs.probabilities, outputs.embedding)

    progress("test", 0, len(tested))
    evaluation = evaluate(classify, tested)
    progress("test", len(tested), len(tested))
    return evaluation


def _sources(split: str, pictures: Sequence[LabelledPicture]) -> tuple[DataSource, ...]:
    return tuple(DataSource(name, split, row) for name, row in counts(pictures).items())


def _checksums(road_vehicles: Path, simulated: Sequence[LabelledPicture]) -> dict[str, str]:
    files = {f"road-vehicles/{name}": file_sha256(road_vehicles / name) for name in ("train.zip", "test.zip")}
    return {**files, "extra training pictures": pictures_sha256(simulated)} if simulated else files


def _card(
    settings: TrainingSettings,
    version: str,
    data: tuple[DataSource, ...],
    evaluation: Evaluation,
    checksums: dict[str, str],
) -> Card:
    told = {"created", "code_version", "seed", "threads"}
    lineage = Lineage(
        code_version=settings.code_version,
        seed=settings.seed,
        settings={name: str(value) for name, value in asdict(settings).items() if name not in told},
        data_sha256=checksums,
        backbone_sha256=WEIGHTS_SHA256,
        packages={name: package_version(name) for name in PACKAGES},
    )
    return Card(version, settings.created, PURPOSE, ARCHITECTURE, LABELS, data, evaluation, LIMITS, CREDITS, lineage)
