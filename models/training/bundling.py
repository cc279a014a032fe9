"""From a finished graph to a bundle: scored on the test pictures, tried, described by a card."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any, Final

from models.bundle import Bundle, version_of
from models.card import Card, Credit, DataSource, Lineage
from models.evaluation import Evaluation, evaluate
from models.preprocessing import Image, Preprocessing
from models.selftest import rows_of, selftest_pictures
from models.training.data import LabelledPicture, counts, file_sha256, pictures_sha256
from models.training.features import Outputs, Progress, run_graph, silent
from models.training.fit import LABELS
from models.training.recipe import PURPOSE
from models.training.weights import WEIGHTS_SHA256
from models.verdicts import Verdicts

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
ELSEWHERE: Final = frozenset({"created", "code_version", "seed", "threads"})
"Settings that a card tells in other places, or that change nothing."


@dataclass(frozen=True, slots=True)
class Making:
    """How a graph came to be, as its version and card tell it."""

    name: str
    "The version's first part."
    created: date
    "When."
    code_version: str
    "Version of this code."
    seed: int
    "Of all that was drawn by chance."
    wanted: Preprocessing
    "What the graph wants to be given."
    threads: int
    "Cores to score it with."
    settings: Mapping[str, str]
    "By name."


@dataclass(frozen=True, slots=True)
class Words:
    """What its card says in words."""

    architecture: str
    "What it is."
    limits: tuple[str, ...]
    "Where it is not to be trusted."
    credits: tuple[Credit, ...]
    "Whose work is inside."


@dataclass(frozen=True, slots=True)
class Graphs:
    """What is to be bundled."""

    model: bytes
    "The graph that serves."
    reference: bytes | None
    "The same in full precision, where `model` is quantised."
    abstain_below: float
    "Of familiarity."


@dataclass(frozen=True, slots=True)
class Given:
    """What a card says of the data."""

    sources: tuple[DataSource, ...] = ()
    "Trained and tested on."
    checksums: dict[str, str] = field(default_factory=dict)
    "By name."


def told(settings: Any) -> dict[str, str]:
    """Return the settings, a dataclass, as a card lists them."""
    return {name: str(value) for name, value in asdict(settings).items() if name not in ELSEWHERE}


def given(
    road_vehicles: Path,
    real: Sequence[LabelledPicture],
    simulated: Sequence[LabelledPicture],
    tested: Sequence[LabelledPicture],
) -> Given:
    """Return what a card says of `road_vehicles`, its pictures, and extra ones."""
    sources = (*_sources("train", [*real, *simulated]), *_sources("test", tested))
    files = {f"road-vehicles/{name}": file_sha256(road_vehicles / name) for name in ("train.zip", "test.zip")}
    return Given(sources, {**files, "extra training pictures": pictures_sha256(simulated)} if simulated else files)


def bundled(
    making: Making,
    words: Words,
    graphs: Graphs,
    data: Given,
    tested: Sequence[LabelledPicture],
    progress: Progress,
) -> Bundle:
    """Return the bundle, with its figures on `tested`."""
    version = version_of(making.name, making.created, graphs.model, LABELS, making.wanted)
    evaluation = _evaluate(making, graphs.model, tested, progress)
    return Bundle(
        version=version,
        labels=LABELS,
        preprocessing=making.wanted,
        model=graphs.model,
        card=_card(making, words, version, data, evaluation),
        abstain_below=graphs.abstain_below,
        expected=rows_of(_run(making, graphs.model, selftest_pictures()).probabilities),
        reference=graphs.reference,
    )


def _evaluate(making: Making, model: bytes, tested: Sequence[LabelledPicture], progress: Progress) -> Evaluation:
    """Score the finished file: a graph that was written wrongly would show here."""

    def classify(images: Sequence[Image]) -> Verdicts:
        outputs = _run(making, model, images)
        return Verdicts(LABELS, outputs.probabilities, outputs.embedding)

    progress("test", 0, len(tested))
    evaluation = evaluate(classify, tested)
    progress("test", len(tested), len(tested))
    return evaluation


def _run(making: Making, model: bytes, images: Sequence[Image]) -> Outputs:
    return run_graph(model, images, making.wanted, silent, "test", making.threads)


def _sources(split: str, pictures: Sequence[LabelledPicture]) -> tuple[DataSource, ...]:
    return tuple(DataSource(name, split, row) for name, row in counts(pictures).items())


def _card(making: Making, words: Words, version: str, data: Given, evaluation: Evaluation) -> Card:
    lineage = Lineage(
        code_version=making.code_version,
        seed=making.seed,
        settings=dict(making.settings),
        data_sha256=data.checksums,
        backbone_sha256=WEIGHTS_SHA256,
        packages={name: package_version(name) for name in PACKAGES},
    )
    return Card(
        version=version,
        created=making.created,
        purpose=PURPOSE,
        architecture=words.architecture,
        labels=LABELS,
        data=data.sources,
        evaluation=evaluation,
        limits=words.limits,
        credits=words.credits,
        lineage=lineage,
    )
