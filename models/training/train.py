"""Training, from pictures to a bundle: a network fitted, written as a graph, scored, described by a card.

real and simulated pictures ─► fit ─► graph ─► figures on the test split ─► bundle
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Final

from models.bundle import Bundle, save_bundle, version_of
from models.card import Card, DataSource, Lineage
from models.evaluation import Evaluation, evaluate
from models.preprocessing import Fit, Image, Preprocessing
from models.selftest import selftest_pictures
from models.training.backbone import folded
from models.training.data import LabelledPicture, counts, file_sha256, pictures_sha256, read_pictures
from models.training.features import Outputs, Progress, run_graph
from models.training.finetune import Tuning
from models.training.fit import LABELS, Fitted, Recipe, fit, gathered
from models.training.gather import Gathering
from models.training.quantize import quantized
from models.training.recipe import ARCHITECTURE, CREDITS, IN_INT8, LIMITS, PURPOSE
from models.training.weights import WEIGHTS_SHA256, read_weights
from models.verdicts import Verdicts
from schemas.errors import ConfigurationError

PACKAGES: Final = (
    "jax",
    "jaxlib",
    "numpy",
    "onnx",
    "onnxruntime",
    "opencv-python-headless",
    "optax",
    "scikit-learn",
    "scipy",
)


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How to train. The defaults made the bundle that is shipped; docs/decisions.md has the figures behind them."""

    created: date
    "Goes into version and card; given, so that the same training makes the same files."
    code_version: str
    "Version of this code, for the card."
    name: str = "road"
    "The version's first part."
    size: int = 160
    "Height and width of the network's input, pixels."
    fit: Fit = "stretch"
    "How a crop becomes a square."
    rows: int = 6000
    "About how many pictures, changed copies among them, each source is trained with."
    steps: int = 1000
    "Of 32 pictures each, in which the last blocks are tuned."
    extra_share: float = 0.1
    "How much the extra (simulated) pictures weigh among all, 0 to below 1."
    seed: int = 5
    "Of all that is drawn by chance."
    threads: int = 2
    "Cores; the result does not depend on it."
    int8: bool = True
    "Whether the graph that serves is quantised; the one in full precision is then its reference."

    def __post_init__(self) -> None:
        if not 0 <= self.extra_share < 1:
            raise ValueError(f"extra_share is {self.extra_share}: from 0 to below 1")

    @property
    def wanted(self) -> Preprocessing:
        """What the model wants to be given."""
        return Preprocessing(self.size, self.fit)

    @property
    def recipe(self) -> Recipe:
        """What is fitted to what."""
        gathering = Gathering(self.wanted, self.rows, self.seed, self.threads)
        return Recipe(gathering, Tuning(steps=self.steps), extra_share=self.extra_share)


@dataclass(frozen=True, slots=True)
class Given:
    """What a card says of the data."""

    sources: tuple[DataSource, ...] = ()
    "Trained and tested on."
    checksums: dict[str, str] = field(default_factory=dict)
    "By name."


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
    network, recipe = folded(read_weights()), settings.recipe
    fitted = fit(network, gathered(network, real, simulated, recipe, progress), recipe, progress)
    data = (*_sources("train", [*real, *simulated]), *_sources("test", tested))
    checksums = _checksums(road_vehicles, simulated)
    bundle = finished(settings, fitted, real, Given(data, checksums), tested, progress)
    save_bundle(bundle, out)
    return bundle.card


def finished(
    settings: TrainingSettings,
    fitted: Fitted,
    real: Sequence[LabelledPicture],
    given: Given,
    tested: Sequence[LabelledPicture],
    progress: Progress,
) -> Bundle:
    """Return the bundle of a fitted network, scored on `tested`; ranges of int8 are read from `real`, as trained on."""
    exact = fitted.graph(settings.size).SerializeToString(deterministic=True)
    images = [picture.image for picture in real]
    model = quantized(exact, images, settings.wanted, settings.seed) if settings.int8 else exact
    evaluation = _evaluate(settings, model, tested, progress)
    version = version_of(settings.name, settings.created, model, LABELS, settings.wanted)
    said = _run(settings, model, selftest_pictures()).probabilities
    return Bundle(
        version=version,
        labels=LABELS,
        preprocessing=settings.wanted,
        model=model,
        card=_card(settings, version, given, evaluation),
        abstain_below=fitted.familiarity.abstain_below,
        expected=tuple(tuple(float(value) for value in row) for row in said),
        reference=exact if settings.int8 else None,
    )


def _check_labels(pictures: Sequence[LabelledPicture]) -> None:
    strangers = sorted({picture.label for picture in pictures} - set(LABELS))
    if strangers:
        faults = [f"class {label!r}: this model knows {', '.join(LABELS)}" for label in strangers]
        raise ConfigurationError("training pictures", faults)


def _evaluate(
    settings: TrainingSettings, model: bytes, tested: Sequence[LabelledPicture], progress: Progress
) -> Evaluation:
    """Score the finished file: a graph that was written wrongly would show here."""

    def classify(images: Sequence[Image]) -> Verdicts:
        outputs = _run(settings, model, images)
        return Verdicts(LABELS, outputs.probabilities, outputs.embedding)

    progress("test", 0, len(tested))
    evaluation = evaluate(classify, tested)
    progress("test", len(tested), len(tested))
    return evaluation


def _run(settings: TrainingSettings, model: bytes, images: Sequence[Image]) -> Outputs:
    def silent(_step: str, _done: int, _total: int) -> None:
        """Report whole batches only."""

    return run_graph(model, images, settings.wanted, silent, "test", settings.threads)


def _sources(split: str, pictures: Sequence[LabelledPicture]) -> tuple[DataSource, ...]:
    return tuple(DataSource(name, split, row) for name, row in counts(pictures).items())


def _checksums(road_vehicles: Path, simulated: Sequence[LabelledPicture]) -> dict[str, str]:
    files = {f"road-vehicles/{name}": file_sha256(road_vehicles / name) for name in ("train.zip", "test.zip")}
    return {**files, "extra training pictures": pictures_sha256(simulated)} if simulated else files


def _card(
    settings: TrainingSettings,
    version: str,
    given: Given,
    evaluation: Evaluation,
) -> Card:
    architecture = f"{ARCHITECTURE} {IN_INT8}" if settings.int8 else ARCHITECTURE
    told = {"created", "code_version", "seed", "threads"}
    lineage = Lineage(
        code_version=settings.code_version,
        seed=settings.seed,
        settings={name: str(value) for name, value in asdict(settings).items() if name not in told},
        data_sha256=given.checksums,
        backbone_sha256=WEIGHTS_SHA256,
        packages={name: package_version(name) for name in PACKAGES},
    )
    return Card(
        version, settings.created, PURPOSE, architecture, LABELS, given.sources, evaluation, LIMITS, CREDITS, lineage
    )
