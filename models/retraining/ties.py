"""What hangs together among pictures: those of one vehicle count as one, those of one block are held back together. Pure.

block gate|2026-11-23 ─┬─ vehicle …:p64 ─┬─ picture    each counts a half
                       │                 └─ picture
                       └─ vehicle …:p70 ─── picture    counts one
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.training.data import LabelledPicture

Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Ties:
    """What hangs together, an entry for each picture."""

    vehicles: tuple[str, ...]
    "Whom each shows."
    blocks: tuple[str, ...]
    "What is held back together: neighbours in time of one camera."
    shares: tuple[float, ...]
    "How much each counts beside the others of its kind, new or replayed."

    def __post_init__(self) -> None:
        if not len(self.vehicles) == len(self.blocks) == len(self.shares):
            raise ValueError(f"{len(self.vehicles)} vehicles, {len(self.blocks)} blocks, {len(self.shares)} shares")


@dataclass(frozen=True, slots=True)
class Votes:
    """What is said of vehicles, an entry for each, in the order in which they come first."""

    first: NDArray[np.intp]
    "Where each one's first picture is."
    probabilities: Floats
    "N×K: means over its pictures, weighed by area as everywhere."


def vehicle_shares(vehicles: Sequence[str]) -> tuple[float, ...]:
    """Return how much each picture counts, so that a vehicle with three does not count thrice."""
    seen = Counter(vehicles)
    return tuple(1 / seen[vehicle] for vehicle in vehicles)


def votes(vehicles: Sequence[str], pictures: Sequence[LabelledPicture], probabilities: Floats) -> Votes:
    """Return what is said of each vehicle; `probabilities` N×K, a row for each picture."""
    areas = np.array([picture.image.shape[0] * picture.image.shape[1] for picture in pictures], np.float64)
    _, first, place = np.unique(np.array(vehicles), return_index=True, return_inverse=True)
    sums = np.zeros((len(first), probabilities.shape[1]))
    np.add.at(sums, place, areas[:, None] * probabilities)
    order = np.argsort(first)
    return Votes(first[order], (sums / sums.sum(axis=1, keepdims=True))[order])


def block_folds(blocks: Sequence[str], vehicles: Sequence[str], folds: int, seed: int) -> NDArray[np.intp]:
    """Return each picture's part, 0 to at most folds - 1: a block is in one, and parts are about alike in size.

    Where all are of one block, vehicles stand for blocks.
    """
    names = blocks if len(set(blocks)) > 1 else vehicles
    sizes = Counter(names)
    drawn = np.random.default_rng(seed).permutation(sorted(sizes)).tolist()
    filled = [0] * min(folds, len(sizes))
    part = {}
    for name in sorted(drawn, key=lambda name: -sizes[name]):
        part[name] = filled.index(min(filled))
        filled[part[name]] += sizes[name]
    return np.array([part[name] for name in names], np.intp)
