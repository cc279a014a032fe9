"""Measurements made by hand, and models that answer by rule: for tests of what a qualification makes of them."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import ArrayLike

from models.preprocessing import Image
from models.qualification.figures import Curve, Figure, Measured, Measurements, Part, Subject
from models.training.data import LabelledPicture
from models.verdicts import Verdicts

CLASSES = ("car", "truck")


def verdicts(truck: ArrayLike, familiar: Sequence[bool] | None = None) -> Verdicts:
    """Return verdicts from each picture's probability of a truck."""
    second = np.asarray(truck, np.float32)
    known = None if familiar is None else np.array(familiar)
    return Verdicts(CLASSES, np.stack([1 - second, second], axis=1), np.empty((len(second), 0), np.float32), known)


def by_brightness(images: Sequence[Image]) -> Verdicts:
    """Call bright pictures trucks, the surer the brighter."""
    return verdicts([1 / (1 + np.exp(-(image.mean() - 127) / 20)) for image in images])


def by_redness(images: Sequence[Image]) -> Verdicts:
    """Call reddish pictures trucks: a model that knows BGR from RGB."""
    return verdicts([1 / (1 + np.exp((image[..., 0].mean() - image[..., 2].mean()) / 20)) for image in images])


def pictures(count: int, colour: bool = False) -> list[LabelledPicture]:
    """Return cars (dark, or blue) and trucks (bright, or red) in turn, from two sources."""
    return [_picture(number, colour) for number in range(count)]


def _picture(number: int, colour: bool) -> LabelledPicture:
    truck = number % 2
    rng = np.random.default_rng(number)
    level = np.array([70, 100, 130] if not truck else [130, 100, 70]) if colour else np.array([60 + 130 * truck] * 3)
    bgr = level[::-1] if colour else level
    image = np.clip(bgr + rng.normal(0, 12, (40, 60, 3)), 0, 255).astype(np.uint8)
    return LabelledPicture(f"{number}.jpg", image, CLASSES[truck], ("bridge", "toll.2")[number % 4 // 2], "scene")


def measured(part: Part, *figures: Figure, curves: tuple[Curve, ...] = ()) -> Measured:
    """Return a part with these figures alone."""
    return Measured(part, figures, curves=curves)


def measurements(*parts: Measured, champion: tuple[Measured, ...] | None = None) -> Measurements:
    """Return what was measured of a candidate; `champion` None: there is none."""
    subject = Subject(
        version="road-2026.11-candidat",
        champion=None if champion is None else "road-2026.10-champion",
        data="made pictures",
        data_sha256="ab" * 32,
        machine="2 cores",
        packages={"numpy": "2"},
        at=datetime(2026, 11, 23, 12, tzinfo=UTC),
    )
    return Measurements(subject, parts, champion or ())
