"""How often the candidate is right, for which classes, sources, sizes and light, and how honest its confidence is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.evaluation import calibration_error, wilson_interval
from models.preprocessing import Image
from models.qualification.figures import Curve, Fault, Figure, Measured, Mistake
from models.training.data import LabelledPicture
from models.verdicts import Verdicts

Mask = NDArray[np.bool_]

SIZES: Final = ((80, "small"), (120, "medium"), (float("inf"), "large"))
"By the longest side, pixels, below: a tenth of the road test pictures are small, a third large."
BRIGHTNESSES: Final = ((85, "dark"), (130, "middle"), (float("inf"), "bright"))
"By the mean grey, below: an eighth of the road test pictures are dark, a third bright."

RELIABILITY_BINS: Final = 10
WORST: Final = 24
"Mistakes that are shown."
THUMBNAIL: Final = 96
"Longest side, pixels."


@dataclass(frozen=True, slots=True)
class _Table:
    """What was true and what was said, a row a picture."""

    truth: NDArray[np.str_]
    "True classes."
    said: NDArray[np.str_]
    "The most probable classes."
    source: NDArray[np.str_]
    "Where each picture is from."
    size: NDArray[np.str_]
    "`small`, `medium` or `large`."
    brightness: NDArray[np.str_]
    "`dark`, `middle` or `bright`."
    answered: Mask
    "Whether the model gave a label at all."
    probabilities: NDArray[np.float64]
    "N×K."
    classes: tuple[str, ...]
    "The columns."

    @property
    def right(self) -> Mask:
        """Whether the most probable class is the true one."""
        return np.asarray(self.truth == self.said)

    @property
    def confidence(self) -> NDArray[np.float64]:
        """The probability of what was said."""
        return np.asarray(self.probabilities.max(axis=1))

    @property
    def of_truth(self) -> NDArray[np.float64]:
        """The probability that the true class was given; 0 for a class that the model does not know."""
        columns = {name: column for column, name in enumerate(self.classes)}
        padded = np.column_stack([self.probabilities, np.zeros(len(self.truth))])
        chosen = [columns.get(label, len(self.classes)) for label in self.truth.tolist()]
        return np.asarray(padded[np.arange(len(chosen)), chosen])


def measure_accuracy(pictures: Sequence[LabelledPicture], verdicts: Verdicts, unanswered: int = 0) -> Measured:
    """Return the accuracy part from one verdict for each picture, in the same order.

    `unanswered` counts held-out pictures that came back as no prediction: they are not in `pictures`, and a fault.
    Figures, shares with 95 % intervals (Wilson): `accuracy`, `accuracy.<source>`, `accuracy.size.<small|medium|large>`,
    `accuracy.brightness.<dark|middle|bright>`; `recall.<class>`, `precision.<class>`, `f1.<class>`,
    `recall.<class>.<source>`, `balanced_accuracy`, `macro_f1`; `calibration_error`, `calibration_error.<source>`,
    `brier`, `log_loss`; `abstained`, `accuracy_answered` (of those that the model gave a label);
    `confusion.<truth>.<said>` (counts). A dot in a source's name becomes `_`.
    Raises ValueError where verdicts and pictures are not as many, or there are none.
    """
    if not pictures or len(pictures) != len(verdicts):
        raise ValueError(f"{len(verdicts)} verdicts for {len(pictures)} pictures")
    table = _table(pictures, verdicts)
    return Measured(
        "accuracy",
        (*_accuracies(table), *_by_class(table), *_honesty(table), *_abstention(table), *_confusion(table)),
        faults=_unanswered(unanswered),
        curves=(_reliability(table), _confidences(table)),
        mistakes=_mistakes(pictures, table),
    )


def share(name: str, right: Mask) -> Figure:
    """Return the share that is right, with its 95 % interval; without a value where there are none."""
    if len(right) == 0:
        return Figure(name, None, n=0)
    low, high = wilson_interval(int(right.sum()), len(right))
    return Figure(name, float(right.mean()), low, high, len(right))


def thumbnail(image: Image, side: int = THUMBNAIL) -> bytes:
    """Return a JPEG whose longest side is `side` pixels."""
    scale = side / max(image.shape[:2])
    width, height = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    return cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()


def _table(pictures: Sequence[LabelledPicture], verdicts: Verdicts) -> _Table:
    return _Table(
        truth=np.array([picture.label for picture in pictures]),
        said=np.array(verdicts.best),
        source=np.array([picture.source.replace(".", "_") for picture in pictures]),
        size=np.array([_slice(SIZES, max(picture.image.shape[:2])) for picture in pictures]),
        brightness=np.array([_slice(BRIGHTNESSES, float(picture.image.mean())) for picture in pictures]),
        answered=np.array([label is not None for label in verdicts.labels]),
        probabilities=verdicts.probabilities.astype(np.float64),
        classes=verdicts.classes,
    )


def _slice(limits: Sequence[tuple[float, str]], value: float) -> str:
    return next(name for limit, name in limits if value < limit)


def _accuracies(table: _Table) -> Iterator[Figure]:
    yield share("accuracy", table.right)
    for source in _names(table.source):
        yield share(f"accuracy.{source}", table.right[table.source == source])
    for kind, column, limits in (("size", table.size, SIZES), ("brightness", table.brightness, BRIGHTNESSES)):
        for name in (name for _, name in limits if name in column):
            yield share(f"accuracy.{kind}.{name}", table.right[column == name])


def _by_class(table: _Table) -> Iterator[Figure]:
    labels = _names(table.truth)
    recalls = [share(f"recall.{label}", table.right[table.truth == label]) for label in labels]
    scores = [_f1(table, label) for label in labels]
    yield from recalls
    yield from (share(f"precision.{label}", table.right[table.said == label]) for label in labels)
    yield from scores
    yield Figure("balanced_accuracy", _mean(recalls), n=len(table.truth))
    yield Figure("macro_f1", _mean(scores), n=len(table.truth))
    for label in labels:
        for source in _names(table.source[table.truth == label]):
            yield share(f"recall.{label}.{source}", table.right[(table.truth == label) & (table.source == source)])


def _f1(table: _Table, label: str) -> Figure:
    hits = int((table.right & (table.truth == label)).sum())
    named = int((table.truth == label).sum() + (table.said == label).sum())
    return Figure(f"f1.{label}", 2 * hits / named, n=int((table.truth == label).sum()))


def _honesty(table: _Table) -> Iterator[Figure]:
    n = len(table.truth)
    yield Figure("calibration_error", calibration_error(table.right, table.confidence), n=n)
    for source in _names(table.source):
        ours = table.source == source
        error = calibration_error(table.right[ours], table.confidence[ours])
        yield Figure(f"calibration_error.{source}", error, n=int(ours.sum()))
    yield Figure("brier", _brier(table), n=n)
    yield Figure("log_loss", float(-np.log(np.maximum(table.of_truth, 1e-7)).mean()), n=n)


def _brier(table: _Table) -> float:
    """Return the mean squared distance of the probabilities from the truth, over all classes (Brier, 1950)."""
    squares = (table.probabilities**2).sum(axis=1)
    return float((squares - 2 * table.of_truth + 1).mean())


def _abstention(table: _Table) -> tuple[Figure, ...]:
    return share("abstained", ~table.answered), share("accuracy_answered", table.right[table.answered])


def _confusion(table: _Table) -> Iterator[Figure]:
    for truth in _names(table.truth):
        ours = table.truth == truth
        for said in table.classes:
            yield Figure(f"confusion.{truth}.{said}", float((table.said[ours] == said).sum()), n=int(ours.sum()))


def _unanswered(count: int) -> tuple[Fault, ...]:
    pictures = "a held-out picture" if count == 1 else f"{count} held-out pictures"
    return (Fault(f"{pictures} came back without a prediction"),) if count else ()


def _reliability(table: _Table) -> Curve:
    """Return, for each bin of confidence that is not empty, its mean confidence and its accuracy."""
    points = tuple(
        (float(table.confidence[ours].mean()), float(table.right[ours].mean())) for ours in _bins(table.confidence)
    )
    return Curve("reliability", "measured", "confidence", "accuracy", points)


def _confidences(table: _Table) -> Curve:
    """Return how the pictures spread over the same bins."""
    points = tuple((float(table.confidence[ours].mean()), float(ours.mean())) for ours in _bins(table.confidence))
    return Curve("confidence", "measured", "confidence", "share of pictures", points)


def _bins(confidence: NDArray[np.float64]) -> Iterator[Mask]:
    bins = np.minimum((confidence * RELIABILITY_BINS).astype(int), RELIABILITY_BINS - 1)
    return (bins == number for number in np.unique(bins))


def _mistakes(pictures: Sequence[LabelledPicture], table: _Table) -> tuple[Mistake, ...]:
    """Return the surest mistakes; of equally sure ones the first."""
    wrong = np.flatnonzero(~table.right)
    surest = wrong[np.argsort(-table.confidence[wrong], kind="stable")][:WORST]
    return tuple(_mistake(pictures[row], table, row) for row in surest.tolist())


def _mistake(picture: LabelledPicture, table: _Table, row: int) -> Mistake:
    said, confidence = str(table.said[row]), float(table.confidence[row])
    return Mistake(picture.name, picture.source, picture.label, said, confidence, thumbnail(picture.image))


def _names(column: NDArray[np.str_]) -> list[str]:
    return sorted(set(column.tolist()))


def _mean(figures: Sequence[Figure]) -> float:
    return float(np.mean([figure.value for figure in figures if figure.value is not None]))
