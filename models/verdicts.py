"""What a model says of a batch of pictures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.preprocessing import Image


@dataclass(frozen=True, slots=True)
class Verdicts:
    """A batch's probabilities, and what follows from them."""

    classes: tuple[str, ...]
    "The class of each column."
    probabilities: NDArray[np.float32]
    "N×K; each row sums to 1."
    embedding: NDArray[np.float32]
    "N×D: what the network saw, before its head; D is 0 for a model that does not tell."
    familiar: NDArray[np.bool_] | None = None
    "N: whether each picture is like those that the model was trained on; None: the model cannot tell."

    def __len__(self) -> int:
        """Return how many pictures were classified."""
        return len(self.probabilities)

    @property
    def best(self) -> tuple[str, ...]:
        """The most probable class of each picture, familiar or not."""
        return tuple(self.classes[index] for index in self.probabilities.argmax(axis=1))

    @property
    def labels(self) -> tuple[str | None, ...]:
        """The most probable class of each picture; None where the model abstains."""
        if self.familiar is None:
            return self.best
        return tuple(best if known else None for best, known in zip(self.best, self.familiar, strict=True))

    @property
    def confidences(self) -> NDArray[np.float32]:
        """The probability of each picture's label."""
        return np.asarray(self.probabilities.max(axis=1))


Classify = Callable[[Sequence[Image]], Verdicts]
"Anything that classifies a batch of pictures, uint8 H×W×3 BGR."
