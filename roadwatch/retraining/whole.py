"""The whole network, retrained: what it needs beyond a head, how it is trained, and what that brought.

labels ─► enough held out? ─► base data, old and new vehicles, simulated pictures ─► tuned as `models train` does
              │ no: the head is what few labels can teach
figures are of vehicles held out for good: nothing is held back in turn, for a fold would cost as much as the whole
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version as package_version
from typing import Final

from models.bundle import Bundle
from models.retraining.dataset import Old, Split, classes
from models.retraining.judging import Findings, Said, findings
from models.retraining.trying import Shown, log_loss, said_of, shown_picture, shown_vehicle
from models.training.data import LabelledPicture
from processors.classifier import Classifier
from roadwatch.retraining.ancestry import unlearnt
from roadwatch.retraining.desk import Desk
from roadwatch.retraining.material import (
    SIMULATED_TRIED,
    SIMULATOR,
    Choice,
    Material,
    camera_of,
    simulated,
)
from roadwatch.retraining.request import RetrainRequest, Whole
from schemas.errors import ConfigurationError

FEWEST_HELD: Final = 10
"Vehicles held out: of fewer, one more or less decides."
HEAD: Final = "retrain its head, without --whole"


def require_whole(asked: RetrainRequest, choice: Choice) -> None:
    """Raise ConfigurationError where the parent learnt from pictures that nobody has here, ModelError for another kind."""
    from models.retraining.whole import check_parent

    check_parent(choice.parent)
    if not asked.base and (missing := sorted(_elsewhere(choice))):
        fault = (
            f"{choice.parent.version} was trained on pictures of {', '.join(missing)}, which the archive does not have:"
            f" give them with --base, a folder with train.zip and test.zip; or {HEAD}"
        )
        raise ConfigurationError("--whole", [fault])


def require_held_out(parent: Bundle, new: Split) -> None:
    """Raise ConfigurationError where too few vehicles are held out, or of one class, to say what training brought."""
    held = classes(new.held_out)
    if len(new.held_out) < FEWEST_HELD or len(held) < len(parent.labels):
        told = ", ".join(f"{count} {label}" for label, count in held.items()) or "none"
        fault = (
            f"of {len(new.taught) + len(new.held_out)} labelled vehicles {told} would be held out, and what a whole network"
            f" is worth is told by at least {FEWEST_HELD} of {' and '.join(parent.labels)}: label more, of other times"
            f" (from 60 on a fifth is held out); or {HEAD}"
        )
        raise ConfigurationError("--whole", [fault])


def whole_network(desk: Desk, parent: Bundle, material: Material, old: Old) -> Bundle:
    """Return the parent with its whole network tuned anew."""
    from models.retraining.whole import course, retrain_whole, settings_for

    how = desk.asked.whole or Whole()
    today, code = datetime.now(UTC).date(), package_version("roadwatch")
    settings = settings_for(parent, today, code, how.rows, how.steps)
    taught = course(material.new, old, tuple(_tested(parent, material)))
    return retrain_whole(parent, taught, settings, desk.progress)


def findings_of_whole(desk: Desk, parent: Bundle, bundle: Bundle, material: Material) -> Findings:
    """Try the finished file beside its parent on what was held out, and on what is old."""
    before, after = (Classifier.load(each).classify for each in (parent, bundle))
    held_out, old = [shown_vehicle(vehicle) for vehicle in material.new.held_out], old_to_try(parent, material)
    count = len(held_out) + len(old)
    desk.progress("trying", 0, count)
    truth = tuple(vehicle.label for vehicle in held_out)
    said = Said(truth, said_of(before, held_out), said_of(after, held_out))
    losses = log_loss(before, held_out), log_loss(after, held_out)
    lost = unlearnt(desk.registry, parent, before, after, old)
    desk.progress("trying", count, count)
    return findings(said, len(held_out), losses, lost.changes, len(parent.labels), lost.since_oldest)


def old_to_try(parent: Bundle, material: Material) -> list[Shown]:
    """Return old vehicles and pictures that neither model was taught."""
    return [*map(shown_vehicle, material.tried), *map(shown_picture, _tried_pictures(parent, material))]


def _tried_pictures(parent: Bundle, material: Material) -> tuple[LabelledPicture, ...]:
    return (*material.base.tried, *simulated(parent, training=False, count=SIMULATED_TRIED))


def _tested(parent: Bundle, material: Material) -> Iterator[LabelledPicture]:
    """Yield what the card's figures are of, besides new vehicles held out."""
    yield from (vehicle.largest for vehicle in material.tried)
    yield from _tried_pictures(parent, material)


def _elsewhere(choice: Choice) -> set[str]:
    """Return the sources of the parent's training that are no cameras of the archive, simulated ones apart."""
    from models.retraining.whole import sources_of

    names = (*choice.new, *choice.replayed, *choice.tried, *choice.known.taught)
    return sources_of(choice.parent.card) - {SIMULATOR} - set(map(camera_of, names))
