"""Vehicles on which models differ: paired as their passages come, so that only those that differ are kept."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations
from typing import Final

from schemas.records import Label, Passage

MOST_KEPT: Final = 20_000
"Vehicles that are kept; of more, only their number."
EXACT: Final = 1000
"Differing vehicles up to which the sign test is counted out; beyond, the normal curve is as good."


@dataclass(frozen=True, slots=True)
class Said:
    """One model's verdict on a vehicle."""

    label: str
    "The verdict."
    confidence: float
    "Its share of all votes."


@dataclass(frozen=True, slots=True)
class Differing:
    """A vehicle on which models differ."""

    passage_id: str
    "The vehicle."
    camera_id: str
    "Where."
    crossed_at: datetime
    "When it crossed the line."
    first_at: datetime
    "Its first frame."
    last_at: datetime
    "Its last frame."
    said: tuple[Said | None, ...]
    "Each model's verdict; None where it gave none."


@dataclass(frozen=True, slots=True)
class Pair:
    """Two models on the same vehicles."""

    a: int
    "The one's number."
    b: int
    "The other's."
    differ: int
    "Vehicles on which they differ."
    labelled: int
    "Of those, how many are labelled."
    a_right: int
    "Of the labelled, those on which the one alone is right."
    b_right: int
    "Those on which the other alone is."

    @property
    def chance(self) -> float | None:
        """How often chance alone would give so uneven a split, or one more so (two-sided sign test); None of none."""
        return sign_test(self.a_right, self.b_right)


@dataclass(slots=True)
class Vehicles:
    """Takes each model's passages, and keeps those that differ."""

    models: int
    "How many there are."
    compared: int = 0
    "Vehicles that any of them saw."
    differing: list[Differing] = field(default_factory=list)
    "Those on which they differ, the first MOST_KEPT."
    more: int = 0
    "Those beyond."
    _open: dict[str, list[Passage | None]] = field(default_factory=dict)

    def take(self, model: int, passage: Passage) -> None:
        """Know a model's verdict."""
        if self.models < 2:
            self.compared += 1
            return
        seen = self._open.setdefault(passage.passage_id, [None] * self.models)
        seen[model] = passage
        if None not in seen:
            self._compare(self._open.pop(passage.passage_id))

    def finish(self) -> None:
        """No more will come: what a model has not judged by now, it did not judge."""
        for seen in self._open.values():
            self._compare(seen)
        self._open = {}

    def _compare(self, seen: Sequence[Passage | None]) -> None:
        self.compared += 1
        if len({passage and passage.label for passage in seen}) == 1:
            return
        if len(self.differing) < MOST_KEPT:
            self.differing.append(_differing(seen))
        else:
            self.more += 1


def pairs(vehicles: Vehicles, truths: Mapping[str, str]) -> list[Pair]:
    """Each model beside each other one."""
    return [_pair(vehicles.differing, truths, a, b) for a, b in combinations(range(vehicles.models), 2)]


def truths_of(labels: Iterable[Label], wanted: set[str]) -> dict[str, str]:
    """What labels say of the wanted vehicles; of two for one, the later one holds, as in the monitor."""
    newest: dict[str, Label] = {}
    for label in labels:
        thing = label.passage_id
        if thing in wanted and label.label is not None and thing is not None:
            known = newest.get(thing)
            if known is None or _order(label) > _order(known):
                newest[thing] = label
    return {thing: label.label for thing, label in newest.items() if label.label is not None}


def worst(differing: Iterable[Differing], truths: Mapping[str, str], most: int) -> list[Differing]:
    """Those that say most: labelled ones first, and of each kind the surest verdicts that are wrong, or differ."""
    ranked = sorted(differing, key=lambda vehicle: (*_weight(vehicle, truths), vehicle.crossed_at, vehicle.passage_id))
    return ranked[:most]


def sign_test(a: int, b: int) -> float | None:
    """The chance that a fair coin splits so unevenly, two-sided; None of no throw (Conover, Practical Statistics, 3.4)."""
    n, fewer = a + b, min(a, b)
    if n == 0:
        return None
    if n > EXACT:
        return math.erfc((abs(a - b) - 1) / math.sqrt(2 * n)) if a != b else 1.0
    return min(1.0, float(2 * sum(math.comb(n, k) for k in range(fewer + 1)) / 2**n))


def _weight(vehicle: Differing, truths: Mapping[str, str]) -> tuple[bool, float]:
    truth = truths.get(vehicle.passage_id)
    said = [each for each in vehicle.said if each is not None]
    wrong = [each.confidence for each in said if each.label != truth]
    return truth is None, -max(wrong, default=0.0)


def _pair(differing: Iterable[Differing], truths: Mapping[str, str], a: int, b: int) -> Pair:
    apart = [vehicle for vehicle in differing if _label(vehicle, a) != _label(vehicle, b)]
    labelled = [vehicle for vehicle in apart if vehicle.passage_id in truths]
    right = [sum(_label(vehicle, model) == truths[vehicle.passage_id] for vehicle in labelled) for model in (a, b)]
    return Pair(a, b, len(apart), len(labelled), *right)


def _label(vehicle: Differing, model: int) -> str | None:
    said = vehicle.said[model]
    return None if said is None else said.label


def _differing(seen: Sequence[Passage | None]) -> Differing:
    first = next(passage for passage in seen if passage is not None)
    said = tuple(None if passage is None else Said(passage.label, passage.confidence) for passage in seen)
    return Differing(first.passage_id, first.camera_id, first.crossed_at, first.first_at, first.last_at, said)


def _order(label: Label) -> tuple[datetime, str]:
    return label.labelled_at, label.label_id
