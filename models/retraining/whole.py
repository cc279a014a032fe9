"""The whole network, retrained: pretrained weights tuned anew on old and new pictures together; needs what training needs.

    base data, old vehicles, new ones ─┬─► fit ─► graph ─► figures on what was held out ─► bundle
    simulated pictures ────────────────┘                    └─ name, input, limits and credits are the parent's

Tuning begins at the pretrained weights, not at the parent's: what comes out depends on pictures and settings alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from models.bundle import Bundle
from models.card import Card, DataSource
from models.retraining.dataset import Old, Split, largest_of
from models.retraining.retrain import HELD_BACK_LIMIT, check_known, name_of
from models.training.backbone import folded
from models.training.bundling import Given
from models.training.data import LabelledPicture, counts, pictures_sha256
from models.training.features import Progress
from models.training.fit import LABELS, Recipe, fit, gathered
from models.training.gather import fold_numbers
from models.training.recipe import ARCHITECTURE
from models.training.train import TrainingSettings, finished
from models.training.weights import read_weights
from schemas.errors import ConfigurationError, ModelError

UNSEEN: Final = (
    "Its network was tuned anew, and pictures of {sources}, on which its parent was trained, were not given: it has not"
    " seen them."
)


@dataclass(frozen=True, slots=True)
class Course:
    """All pictures of a retraining of the whole network."""

    new: tuple[LabelledPicture, ...]
    "Of vehicles to teach; their `scene` is their block, which stays together."
    old: tuple[LabelledPicture, ...]
    "Of the archive and the base data."
    simulated: tuple[LabelledPicture, ...]
    "Drawn, where the parent was trained on such."
    tested: tuple[LabelledPicture, ...]
    "For the card's figures: none of them is taught."

    @property
    def real(self) -> tuple[LabelledPicture, ...]:
        """Those of cameras: each camera is a source, and counts as much as any other."""
        return (*self.old, *self.new)


def course(new: Split, old: Old, tested: Sequence[LabelledPicture]) -> Course:
    """Return what is taught: of new vehicles each picture, of old ones of the archive the largest, all of the others."""
    blocks = new.blocks
    return Course(
        new=tuple(
            replace(picture, scene=blocks[vehicle.example_id]) for vehicle in new.taught for picture in vehicle.pictures
        ),
        old=(*old.base, *largest_of(old.vehicles)),
        simulated=old.simulated,
        tested=(*largest_of(new.held_out), *tested),
    )


def settings_for(parent: Bundle, created: date, code_version: str, rows: int, steps: int) -> TrainingSettings:
    """Return how a parent's whole network is retrained: its input as before, in int8 where it is."""
    return TrainingSettings(
        created=created,
        code_version=code_version,
        name=name_of(parent.version),
        size=parent.preprocessing.size,
        fit=parent.preprocessing.fit,
        rows=rows,
        steps=steps,
        int8=parent.reference is not None,
    )


def check_parent(parent: Bundle) -> None:
    """Raise ModelError for a model that `models train` does not make: another network would take its place."""
    if parent.labels != LABELS:
        raise ModelError(
            f"{parent.version} tells {', '.join(parent.labels)}; the whole network is trained for {', '.join(LABELS)}"
            " alone: retrain its head, without --whole"
        )
    if not parent.card.architecture.startswith(ARCHITECTURE):
        raise ModelError(
            f"{parent.version} was not made by 'roadwatch models train' (or has a teacher): its network cannot be"
            " trained here; retrain its head, without --whole"
        )


def sources_of(card: Card) -> set[str]:
    """Return the sources that a card names for training."""
    return {data.name for data in card.data if data.split == "train"}


def retrain_whole(parent: Bundle, taught: Course, settings: TrainingSettings, progress: Progress) -> Bundle:
    """Return a bundle like the parent, its network tuned anew, scored on `taught.tested`.

    Raises ConfigurationError for classes that the model does not have, and for pictures of too few scenes to hold one
    back. The same pictures and settings give the same bytes on one machine.
    """
    check_known(LABELS, [*taught.real, *taught.simulated, *taught.tested])
    network, recipe = folded(read_weights()), settings.recipe
    _check_scenes(taught, recipe)
    fitted = fit(network, gathered(network, taught.real, taught.simulated, recipe, progress), recipe, progress)
    made = finished(settings, fitted, taught.real, _given(taught), taught.tested, progress)
    return replace(made, card=_card(parent, made.card, taught))


def _check_scenes(taught: Course, recipe: Recipe) -> None:
    """Raise ConfigurationError where what is held back for the temperature, or the rest, is not of each class."""
    pictures = [*taught.real, *taught.simulated]
    scenes = [picture.scene for picture in pictures]
    parts = fold_numbers(scenes, recipe.folds, recipe.gathering.seed)
    sides = {(part == 0, picture.label) for part, picture in zip(parts.tolist(), pictures, strict=True)}
    if len(sides) < 2 * len(LABELS):
        fault = (
            f"{len(pictures)} pictures of {len(set(scenes))} times and scenes: too few to hold some back in which each"
            " class is; label vehicles of other times, or add --base"
        )
        raise ConfigurationError("retraining pictures", [fault])


def _given(taught: Course) -> Given:
    trained = [*taught.real, *taught.simulated]
    sources = (*_sources("train", trained), *_sources("test", taught.tested))
    return Given(sources, {name: pictures_sha256(part) for name, part in _parts(taught).items() if part})


def _sources(split: str, pictures: Sequence[LabelledPicture]) -> Iterator[DataSource]:
    return (DataSource(name, split, row) for name, row in counts(pictures).items())


def _parts(taught: Course) -> dict[str, tuple[LabelledPicture, ...]]:
    return {
        "retraining pictures": taught.new,
        "old pictures": taught.old,
        "extra training pictures": taught.simulated,
        "test pictures": taught.tested,
    }


def _card(parent: Bundle, card: Card, taught: Course) -> Card:
    """Return the card with what the parent's says of purpose, limits and credits."""
    told = {"retrained": "whole", **{name: str(len(part)) for name, part in _parts(taught).items()}}
    lineage = replace(card.lineage, parent=parent.version, settings={**card.lineage.settings, **told})
    kept = (limit for limit in parent.card.limits if limit != HELD_BACK_LIMIT)
    limits = (*kept, *_unseen(parent.card, card))
    return replace(card, purpose=parent.card.purpose, limits=limits, credits=parent.card.credits, lineage=lineage)


def _unseen(before: Card, after: Card) -> Iterator[str]:
    """Say what the parent was trained on and the new network was not."""
    old, new = (sources_of(card) for card in (before, after))
    if missing := sorted(old - new):
        yield UNSEEN.format(sources=", ".join(missing))
