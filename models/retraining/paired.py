"""Two models on the same vehicles: the difference between their accuracies, with its interval. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

CHANCE: Final = 0.05
"That an interval misses the truth."


@dataclass(frozen=True, slots=True)
class Difference:
    """By how much the second model is right more often than the first."""

    n: int
    "Vehicles."
    first_alone: int
    "On which the first model alone is right."
    second_alone: int
    "On which the second is."
    value: float
    "Accuracy of the second less that of the first."
    low: float
    "Lower end of its interval."
    high: float
    "Upper end."


def difference(first: Sequence[bool], second: Sequence[bool], chance: float = CHANCE) -> Difference:
    """Return the difference, from who was right on which vehicle; `chance` is that of the interval missing it.

    The interval is Bonett and Price's (2012): Wald's with one vehicle more on which each alone is right, so that it
    keeps its promise on few vehicles too. Raises ValueError where there are none.
    """
    pairs = list(zip(first, second, strict=True))
    if not pairs:
        raise ValueError("no vehicles to compare two models on")
    alone = pairs.count((True, False)), pairs.count((False, True))
    lost, won = ((count + 1) / (len(pairs) + 2) for count in alone)
    reach = NormalDist().inv_cdf(1 - chance / 2) * math.sqrt((lost + won - (won - lost) ** 2) / (len(pairs) + 2))
    return Difference(
        n=len(pairs),
        first_alone=alone[0],
        second_alone=alone[1],
        value=(alone[1] - alone[0]) / len(pairs),
        low=max(-1.0, won - lost - reach),
        high=min(1.0, won - lost + reach),
    )
