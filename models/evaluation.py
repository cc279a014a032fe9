"""How well a model does on labelled pictures: accuracy, recall, confusion and calibration, for each source and in all."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.training.data import LabelledPicture
from models.verdicts import Classify

BATCH: Final = 256
CALIBRATION_BINS: Final = 15
Z_95: Final = 1.959964
"The normal distribution's 97.5 % quantile."


@dataclass(frozen=True, slots=True)
class ClassRecall:
    """How many of one class were found."""

    label: str
    "The class."
    n: int
    "Pictures of it."
    recall: float
    "The share that was called so."


@dataclass(frozen=True, slots=True)
class Confusion:
    """A cell of the confusion matrix that is not empty."""

    truth: str
    "The label."
    predicted: str
    "What the model said."
    count: int
    "How often."


@dataclass(frozen=True, slots=True)
class Score:
    """The figures of one source, or of all."""

    source: str
    "The source; `all` for all of them."
    n: int
    "Pictures."
    accuracy: float
    "The share that is right."
    low: float
    "Lower end of the accuracy's 95 % interval (Wilson)."
    high: float
    "Upper end."
    calibration_error: float
    "Expected calibration error over 15 bins of confidence: 0 is honest."
    recalls: tuple[ClassRecall, ...]
    "Each class that occurs, sorted."
    confusion: tuple[Confusion, ...]
    "Cells that are not empty, sorted."


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A model's figures on labelled pictures."""

    overall: Score
    "All pictures together: led by the largest source."
    sources: tuple[Score, ...]
    "Each source, sorted."

    def score(self, source: str) -> Score:
        """Return the figures of one source; raises KeyError where it has none."""
        for score in self.sources:
            if score.source == source:
                return score
        raise KeyError(source)


@dataclass(frozen=True, slots=True)
class Answers:
    """What was true and what was said, an entry for each picture."""

    truth: NDArray[np.str_]
    "True classes."
    said: NDArray[np.str_]
    "The model's classes."
    confidence: NDArray[np.float64]
    "The probability that the model gave to what it said."
    source: NDArray[np.str_]
    "Where the picture comes from."


def evaluate(classify: Classify, pictures: Iterable[LabelledPicture]) -> Evaluation:
    """Classify the pictures, in batches, and return the figures. Raises ValueError when there are none."""
    truth: list[str] = []
    said: list[str] = []
    source: list[str] = []
    confidence: list[float] = []
    for batch in _batches(pictures):
        verdicts = classify([picture.image for picture in batch])
        truth += [picture.label for picture in batch]
        source += [picture.source for picture in batch]
        said += verdicts.best
        confidence += verdicts.confidences.tolist()
    return summarise(Answers(np.array(truth), np.array(said), np.array(confidence), np.array(source)))


def summarise(answers: Answers) -> Evaluation:
    """Return the figures of answers already given. Raises ValueError when there are none."""
    if len(answers.truth) == 0:
        raise ValueError("no pictures to evaluate")
    everything = np.ones(len(answers.truth), bool)
    sources = tuple(_score(name, answers, answers.source == name) for name in sorted(set(answers.source.tolist())))
    return Evaluation(_score("all", answers, everything), sources)


def wilson_interval(right: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, after Wilson (1927)."""
    share, z2 = right / n, Z_95**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    reach = Z_95 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return 0.0 if right == 0 else centre - reach, 1.0 if right == n else centre + reach


def calibration_error(right: NDArray[np.bool_], confidence: NDArray[np.float64]) -> float:
    """Return the expected calibration error, after Guo et al. (2017): |accuracy - confidence| averaged over bins."""
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = np.bincount(bins, weights=right - confidence, minlength=CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / len(right))


def _batches(pictures: Iterable[LabelledPicture]) -> Iterator[Sequence[LabelledPicture]]:
    stream = iter(pictures)
    while batch := list(islice(stream, BATCH)):
        yield batch


def _score(source: str, answers: Answers, chosen: NDArray[np.bool_]) -> Score:
    truth, said = answers.truth[chosen], answers.said[chosen]
    right = truth == said
    low, high = wilson_interval(int(right.sum()), len(right))
    return Score(
        source=source,
        n=len(right),
        accuracy=float(right.mean()),
        low=low,
        high=high,
        calibration_error=calibration_error(right, answers.confidence[chosen]),
        recalls=tuple(_recall(label, truth, said) for label in sorted(set(truth.tolist()))),
        confusion=_confusion(truth, said),
    )


def _recall(label: str, truth: NDArray[np.str_], said: NDArray[np.str_]) -> ClassRecall:
    ours = truth == label
    return ClassRecall(label, int(ours.sum()), float((said[ours] == label).mean()))


def _confusion(truth: NDArray[np.str_], said: NDArray[np.str_]) -> tuple[Confusion, ...]:
    pairs, numbers = np.unique(np.stack([truth, said]), axis=1, return_counts=True)
    return tuple(Confusion(str(a), str(b), int(n)) for a, b, n in zip(*pairs, numbers, strict=True))
