"""An example that may be asked for, and how likely the model is to be wrong about it."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.archive.examples import Example

EVEN: Final = 0.5
"A chance of error that leaves nothing known: of what the model abstained from, or another model calls otherwise."

Embedding = NDArray[np.float32]
"(D,): what the network saw in the largest frame, before its head."


@dataclass(frozen=True, slots=True)
class Candidate:
    """An example of the day."""

    example: Example
    "Its frames may lack their pictures."
    embedding: Embedding | None = None
    "None where its picture was not looked at, or the model does not tell."
    failed_slice: bool = False
    "Whether it belongs to a slice that is known to be worse than the rest."

    @property
    def models_disagree(self) -> bool:
        """Whether the challenger calls it otherwise."""
        example = self.example
        return None not in (example.challenged, example.predicted) and example.challenged != example.predicted

    @property
    def doubt(self) -> float:
        """The chance that its verdict is wrong, as the models tell it, 0 to 1/2.

        Frames that dissent speak against a verdict whatever its share of the votes; half of them are believed.
        """
        example = self.example
        if example.predicted is None or self.models_disagree:
            return EVEN
        return min(EVEN, 1 - example.confidence * (1 - example.dissent / 2))
