"""Training, from pictures to a bundle: a network fitted, written as a graph, scored, described by a card.

real and simulated pictures ─► fit ─► graph ─► figures on the test split ─► bundle
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from models.bundle import Bundle, save_bundle
from models.card import Card
from models.preprocessing import Fit, Preprocessing
from models.training.backbone import folded
from models.training.bundling import Given, Graphs, Making, Words, bundled, given, told
from models.training.data import LabelledPicture, class_faults, read_pictures
from models.training.features import Progress
from models.training.finetune import Tuning
from models.training.fit import LABELS, Fitted, Recipe, fit, gathered
from models.training.gather import Gathering
from models.training.quantize import quantized
from models.training.recipe import ARCHITECTURE, CREDITS, IN_INT8, LIMITS
from models.training.weights import read_weights
from schemas.errors import ConfigurationError


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

    @property
    def making(self) -> Making:
        """What the card tells of it."""
        return Making(
            self.name, self.created, self.code_version, self.seed, self.wanted, self.threads, settings=told(self)
        )


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
    if faults := class_faults(LABELS, [*real, *simulated, *tested]):
        raise ConfigurationError("training pictures", faults)
    network, recipe = folded(read_weights()), settings.recipe
    fitted = fit(network, gathered(network, real, simulated, recipe, progress), recipe, progress)
    data = given(road_vehicles, real, simulated, tested)
    bundle = finished(settings, fitted, real, data, tested, progress)
    save_bundle(bundle, out)
    return bundle.card


def finished(
    settings: TrainingSettings,
    fitted: Fitted,
    real: Sequence[LabelledPicture],
    data: Given,
    tested: Sequence[LabelledPicture],
    progress: Progress,
) -> Bundle:
    """Return the bundle of a fitted network, scored on `tested`; ranges of int8 are read from `real`, as trained on."""
    exact = fitted.graph(settings.size).SerializeToString(deterministic=True)
    below = fitted.familiarity.abstain_below
    if not settings.int8:
        words = Words(ARCHITECTURE, LIMITS, CREDITS)
        return bundled(settings.making, words, Graphs(exact, None, below), data, tested, progress)
    words = Words(f"{ARCHITECTURE} {IN_INT8}", LIMITS, CREDITS)
    model = quantized(exact, [picture.image for picture in real], settings.wanted, settings.seed)
    return bundled(settings.making, words, Graphs(model, exact, below), data, tested, progress)
