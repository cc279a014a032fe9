"""What came back through the stack, joined with the pictures that were sent."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from models.bundle import Bundle
from models.qualification.figures import Fault
from models.training.data import LabelledPicture
from models.verdicts import Verdicts
from roadwatch.ledger import Ledger
from roadwatch.qualification.stack import Arrival
from schemas.records import Frame, Prediction


@dataclass(frozen=True, slots=True)
class Joined:
    """Pictures with what was said of them, and what went wrong on the way."""

    pictures: tuple[LabelledPicture, ...]
    "Those with a prediction, in the order sent."
    predictions: tuple[Prediction, ...]
    "Of each, its first."
    unanswered: int
    "Pictures without one."


def join(pictures: Sequence[LabelledPicture], frames: Sequence[Frame], arrivals: Iterable[Arrival]) -> Joined:
    """Give each picture the prediction of its frame."""
    said = predictions_of(arrivals)
    pairs = [
        (picture, said[frame.frame_id])
        for picture, frame in zip(pictures, frames, strict=True)
        if frame.frame_id in said
    ]
    return Joined(
        tuple(picture for picture, _ in pairs),
        tuple(prediction for _, prediction in pairs),
        len(pictures) - len(pairs),
    )


def predictions_of(arrivals: Iterable[Arrival]) -> dict[str, Prediction]:
    """The first prediction of each frame."""
    found: dict[str, Prediction] = {}
    for arrival in arrivals:
        if arrival.prediction is not None:
            found.setdefault(arrival.frame_id, arrival.prediction)
    return found


def verdicts_of(predictions: Sequence[Prediction], bundle: Bundle) -> Verdicts:
    """The verdicts that predictions carry, a row each."""
    rows = [[prediction.probabilities.get(label, 0.0) for label in bundle.labels] for prediction in predictions]
    probabilities = np.array(rows, np.float32).reshape(len(rows), len(bundle.labels))
    familiar = np.array([prediction.label is not None for prediction in predictions], bool)
    nothing = np.empty((len(rows), 0), np.float32)
    return Verdicts(bundle.labels, probabilities, nothing, None if bundle.abstain_below is None else familiar)


def ledger_faults(ledger: Ledger) -> tuple[Fault, ...]:
    """What must not be in a ledger after everything came back."""
    counts = (
        (len(ledger.doubled), "ended more than once"),
        (ledger.waiting, "were never processed"),
        (ledger.dead_lettered, "were taken for unreadable"),
    )
    return tuple(Fault(f"{count} of {ledger.frames} held-out frames {what}") for count, what in counts if count)


def version_faults(predictions: Sequence[Prediction], bundle: Bundle) -> tuple[Fault, ...]:
    """Predictions that another model made."""
    others = sorted({prediction.model_version for prediction in predictions} - {bundle.version})
    return tuple(Fault(f"predictions came from {other}, not from {bundle.version}") for other in others)
