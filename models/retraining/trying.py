"""Vehicles shown to a model as they would be on the road: their pictures vote, those without a label do not. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.qualification.accuracy import BRIGHTNESSES
from models.retraining.dataset import Vehicle
from models.retraining.forgetting import Slice, Tried
from models.training.data import LabelledPicture
from models.verdicts import Classify

BATCH: Final = 64
LEAST: Final = 1e-12
"Probability: a loss is finite."
DIMENSIONS: Final = ("light", "weather", "size")
"Of an example's scene."
UNKNOWN: Final = "unknown"
"Says a scene of what nobody saw."


@dataclass(frozen=True, slots=True)
class Shown:
    """A vehicle to try."""

    label: str
    "What it truly is."
    pictures: tuple[LabelledPicture, ...]
    "Of it."
    slices: tuple[Slice, ...]
    "What it is a part of."


def shown_vehicle(vehicle: Vehicle) -> Shown:
    """Return a vehicle of the archive, with its scene's slices."""
    scene = [(name, vehicle.scene[name]) for name in DIMENSIONS if vehicle.scene.get(name, UNKNOWN) != UNKNOWN]
    return Shown(vehicle.label, vehicle.pictures, (*_slices(vehicle.largest), *scene))


def shown_picture(picture: LabelledPicture) -> Shown:
    """Return a picture as a vehicle of its own."""
    return Shown(picture.label, (picture,), _slices(picture))


def said_of(classify: Classify, vehicles: Sequence[Shown]) -> tuple[str | None, ...]:
    """Return a model's verdict on each: probabilities weighed by area; None where it labels none of the pictures."""
    sums: dict[int, NDArray[np.floating]] = {}
    pictures = [(number, picture) for number, vehicle in enumerate(vehicles) for picture in vehicle.pictures]
    classes: tuple[str, ...] = ()
    for start in range(0, len(pictures), BATCH):
        batch = pictures[start : start + BATCH]
        verdicts = classify([picture.image for _, picture in batch])
        classes = verdicts.classes
        for (number, picture), label, row in zip(batch, verdicts.labels, verdicts.probabilities, strict=True):
            if label is not None:
                sums[number] = sums.get(number, 0.0) + row * (picture.image.shape[0] * picture.image.shape[1])
    return tuple(classes[int(sums[number].argmax())] if number in sums else None for number in range(len(vehicles)))


def log_loss(classify: Classify, vehicles: Sequence[Shown]) -> float:
    """Return a model's mean log loss over vehicles, probabilities weighed by area, familiar or not."""
    losses = []
    for vehicle in vehicles:
        verdicts = classify([picture.image for picture in vehicle.pictures])
        areas = [picture.image.shape[0] * picture.image.shape[1] for picture in vehicle.pictures]
        said = np.average(verdicts.probabilities.astype(np.float64), axis=0, weights=areas)
        losses.append(-np.log(max(said[verdicts.classes.index(vehicle.label)], LEAST)))
    return float(np.mean(losses))


def tried(before: Classify, after: Classify, vehicles: Sequence[Shown]) -> tuple[Tried, ...]:
    """Return how both models did on each."""
    answers = zip(vehicles, said_of(before, vehicles), said_of(after, vehicles), strict=True)
    return tuple(Tried(vehicle.slices, a == vehicle.label, b == vehicle.label) for vehicle, a, b in answers)


def _slices(picture: LabelledPicture) -> tuple[Slice, ...]:
    brightness = next(name for limit, name in BRIGHTNESSES if float(picture.image.mean()) < limit)
    return ("camera", picture.source), ("class", picture.label), ("brightness", brightness)
