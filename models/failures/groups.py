"""What an analysis of failures says. Pure.

judged examples ─► analysed ─► Group, Group, … and what is in none
                                 └─ traits, cost, advice
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.archive.examples import Example

Remedy = Literal["labels", "camera", "augmentation", "threshold"]
"""What would help: labels of such vehicles to retrain on; work on the camera; training pictures made to look like it;
another threshold below which the model abstains."""


@dataclass(frozen=True, slots=True)
class Judged:
    """An example of which the truth is known."""

    example: Example
    "What was shown, and what the model said."
    truth: str
    "Its class."
    embedding: NDArray[np.float32]
    "(D,) of its pictures as the champion's network sees them, their mean."
    weight: float = 1.0
    "How many examples of the day it stands for."

    @property
    def failed(self) -> bool:
        """Whether the verdict is another class, or none."""
        return self.example.predicted != self.truth


@dataclass(frozen=True, slots=True)
class Trait:
    """What a group's members have in common more often than others."""

    dimension: str
    "Such as `camera`, `light`, `size`, `blur`, `kind`."
    value: str
    "Such as `junction`, `night`, `strong`."
    inside: float
    "Share of the group that has it, 0 to 1."
    outside: float
    "Share of all other judged examples that have it, 0 to 1."


@dataclass(frozen=True, slots=True)
class Advice:
    """What would help a group."""

    remedy: Remedy
    "Which kind of help."
    text: str
    "What to do, and the evidence for it, in a sentence."


@dataclass(frozen=True, slots=True)
class Group:
    """Failures that have something in common."""

    name: str
    "In words, such as `trucks taken for cars, junction, fog`."
    members: tuple[str, ...]
    "Ids of its failed examples, the most typical first."
    loss: float
    "Its share of all failures, by weight, 0 to 1."
    cost: float
    "Points of the accuracy that it costs, 0 to 1: its failures' weight over the weight of all that were judged."
    failure_rate: float
    "Of the judged examples that are like its members, the share that failed, 0 to 1."
    confusions: Mapping[tuple[str, str | None], int]
    "Failures by truth and verdict; None where the model abstained."
    traits: tuple[Trait, ...]
    "The most telling first."
    advice: tuple[Advice, ...]
    "The most promising first."


@dataclass(frozen=True, slots=True)
class Analysis:
    """The failures of some judged examples."""

    judged: int
    "Examples of which the truth is known."
    failed: int
    "Of them, those whose verdict was wrong or missing."
    accuracy: float | None
    "By weight, 0 to 1; None where nothing was judged."
    groups: tuple[Group, ...]
    "The dearest first."
    single: tuple[str, ...]
    "Ids of failures that have nothing in common with others."
