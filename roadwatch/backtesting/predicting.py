"""Frames to observations by several models at once: each picture is decoded one time, and shown to all of them.

frames ─► FrameBatches ─► wide batches ─┬─► observations of the first model
          with `Together`               └─► observations of the second
"""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.verdicts import Verdicts
from processors.classifier import Classifier
from processors.frames import FrameBatches, Image
from runtime.clients import Received
from schemas.codec import Codec
from schemas.observations import NONE, pack
from schemas.records import Observations, Prediction
from schemas.topics import Names

FAMILIAR: Final = "familiar"
"The column of a model that can abstain: 1 where it does not."


@dataclass(frozen=True, slots=True)
class Columns:
    """Where one model's answers stand in a wide batch."""

    version: str
    "The model's."
    labels: tuple[str, ...]
    "Its classes."
    first: int
    "The column of its first class."
    familiar: int | None
    "The column that says whether it knows such pictures; None: it never abstains."


class Together:
    """Several models as one classifier, whose classes are all of theirs, side by side."""

    version = "together"

    def __init__(self, classifiers: Sequence[Classifier], abstaining: Sequence[bool]) -> None:
        """`abstaining` says for each whether it may give no label."""
        self._classifiers = tuple(classifiers)
        self._lock = Lock()
        self.inference_s = 0.0
        "CPU seconds that inference took so far, in all threads."
        self.labels: tuple[str, ...] = ()
        self.columns: list[Columns] = []
        for number, (classifier, abstains) in enumerate(zip(classifiers, abstaining, strict=True)):
            self._add(number, classifier, abstains=abstains)

    def classify(self, images: Sequence[Image]) -> Verdicts:
        """All models' verdicts, uint8 H×W×3 BGR to N×(all classes)."""
        started = time.thread_time()
        said = [
            _wide(classifier.classify(images), where)
            for classifier, where in zip(self._classifiers, self.columns, strict=True)
        ]
        with self._lock:
            self.inference_s += time.thread_time() - started
        return Verdicts(self.labels, np.concatenate(said, axis=1), np.empty((len(images), 0), np.float32))

    def _add(self, number: int, classifier: Classifier, *, abstains: bool) -> None:
        first = len(self.labels)
        own = (*classifier.labels, FAMILIAR) if abstains else classifier.labels
        self.labels += tuple(f"{number}:{label}" for label in own)
        familiar = first + len(classifier.labels) if abstains else None
        self.columns.append(Columns(classifier.version, classifier.labels, first, familiar))


def _wide(said: Verdicts, where: Columns) -> NDArray[np.float32]:
    if where.familiar is None or said.familiar is None:
        return said.probabilities
    return np.concatenate([said.probabilities, said.familiar[:, None].astype(np.float32)], axis=1)


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of a batch of frames."""

    predictions: list[Prediction]
    "Of all models together: of use to `wide_batches` alone."
    unreadable: int
    "Frames that the live processor puts aside too."


class Predictor:
    """Classifies frames as the processor does; also a context manager."""

    def __init__(self, together: Together, max_pixels: int) -> None:
        self._together = together
        self._batches = FrameBatches(together, Codec(), Names(), max_pixels=max_pixels, threads=cores())

    def close(self) -> None:
        """End its threads."""
        self._batches.close()

    def predict(self, frames: Sequence[Received]) -> Seen:
        """Classify a batch; each camera's order is kept. Raises ModelError where a graph fails."""
        result = self._batches.process(frames)
        return Seen([prediction for _, prediction in result.predictions], len(result.unreadable))

    def wide_batches(self, predictions: Sequence[Prediction]) -> Iterator[Observations]:
        """Predictions as columns, by camera and epoch, with the probabilities of all models side by side."""
        yield from pack(predictions, self._together.labels)

    def narrow(self, wide: Observations, model: int) -> Observations:
        """One model's observations, out of those of all."""
        where = self._together.columns[model]
        table = np.array(wide.probabilities).reshape(len(wide.sequences), -1)
        own = table[:, where.first : where.first + len(where.labels)]
        silent = np.array(wide.label) == NONE
        if where.familiar is not None:
            silent |= table[:, where.familiar] == 0
        label = np.where(silent, NONE, own.argmax(axis=1))
        return replace(
            wide,
            model_version=where.version,
            classes=where.labels,
            label=tuple(label.tolist()),
            probabilities=tuple(own.ravel().tolist()),
        )


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
