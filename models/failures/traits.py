"""What a group's members have in common more often than others, and more often than chance explains. Pure.

Each example is told in words: its scene's, its class, how its pictures look beside right ones of its camera, whether its
embedding lies off. A trait is a word that at least half of a group has, and surely more often than all others: Fisher's
exact test, its chance times the words that were tried (Bonferroni).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.failures.features import Features
from models.failures.groups import Judged, Trait

Bools = NDArray[np.bool_]

SURE: Final = 0.01
"The chance with which a group is given any trait that it has by chance."
LEAST_INSIDE: Final = 0.5
"Share of a group."
LEAST_MORE: Final = 0.2
"By which its share is larger than that of the others."
DIFFERENT: Final = 1.0
"Standard deviations of right pictures of its camera from which on a picture looks otherwise."
UNFAMILIAR: Final = 1.5
"Standard deviations from which on an embedding lies off: one in fifteen of right ones, were they normal."
LOOKS: Final = (
    ("brightness", "dark", "bright"),
    ("contrast", "low", "high"),
    ("blur", "strong", ""),
    ("grain", "", "strong"),
)
"Of each statistic, its dimension, and what it is called when it is low and when it is high; what is better is not told."
RANGES: Final = 276
"Ranges of hours that a day has: so many words are tried at once."
MOST_HOURS: Final = 14
"A range of more says nothing."
HELD: Final = 0.9
"The share of a group that a range of hours holds."


@dataclass(frozen=True, slots=True)
class Words:
    """What can be said of all judged examples."""

    pairs: tuple[tuple[str, str], ...]
    "Dimension and value, sorted."
    has: Bools
    "(n, pairs): whether an example is so."
    hours: NDArray[np.intp]
    "(n,): of day, from its scene; else UTC."


def words_of(judged: Sequence[Judged], features: Features) -> Words:
    """Tell each example in words."""
    rows = zip(judged, features.look, features.far, strict=True)
    told = [frozenset(_told(*row)) for row in rows]
    pairs = tuple(sorted(frozenset().union(*told)))
    has = np.array([[pair in words for pair in pairs] for words in told], bool).reshape(len(told), len(pairs))
    return Words(pairs, has, np.array([_hour(each) for each in judged], np.intp))


def _told(each: Judged, look: NDArray[np.float64], far: float) -> Iterator[tuple[str, str]]:
    yield "camera", each.example.camera_id
    yield "class", each.truth
    for dimension in each.example.scene.keys() - {"camera", "hour"}:
        yield dimension, each.example.scene[dimension]
    for value, (dimension, low, high) in zip(look, LOOKS, strict=True):
        word = low if value < 0 else high
        if word and abs(value) >= DIFFERENT:
            yield dimension, word
    if far >= UNFAMILIAR:
        yield "kind", "unfamiliar"
    if each.example.predicted is None:
        yield "verdict", "none"


def _hour(each: Judged) -> int:
    hour = each.example.scene.get("hour", "")
    return int(hour) % 24 if hour.isdecimal() else each.example.at.hour


def traits_of(words: Words, inside: Bools) -> tuple[Trait, ...]:
    """What is surely more common inside, the most telling first."""
    found = sorted(_found(words, inside), key=lambda pair: (pair[0], pair[1].dimension, pair[1].value))
    return tuple(trait for _, trait in found)


def _found(words: Words, inside: Bools) -> Iterator[tuple[float, Trait]]:
    tried = len(words.pairs) + 1
    for (dimension, value), has in zip(words.pairs, words.has.T, strict=True):
        yield from _tested(dimension, value, has, inside, tried)
    for begin, end in _range(words.hours[inside]):
        yield from _tested("hours", f"{begin:02}–{end:02}", _within(words.hours, begin, end), inside, tried * RANGES)


def _tested(dimension: str, value: str, has: Bools, inside: Bools, tried: int) -> Iterator[tuple[float, Trait]]:
    trait = Trait(dimension, value, _share(has[inside]), _share(has[~inside]))
    if trait.inside < LEAST_INSIDE or trait.inside - trait.outside < LEAST_MORE:
        return
    chance = log_chance(int((has & inside).sum()), int(inside.sum()), int(has.sum()), len(has)) + math.log(tried)
    if chance <= math.log(SURE):
        yield chance, trait


def _share(has: Bools) -> float:
    return float(has.mean()) if len(has) else 0.0


def _range(hours: NDArray[np.intp]) -> list[tuple[int, int]]:
    """The shortest range that holds most of them, first hour and end, over midnight too; none where it is long."""
    counts = np.bincount(hours, minlength=24)
    for length in range(1, MOST_HOURS + 1):
        held = [int(np.take(counts, range(begin, begin + length), mode="wrap").sum()) for begin in range(24)]
        if max(held) >= HELD * counts.sum():
            begin = int(np.argmax(held))
            return [(begin, (begin + length) % 24)]
    return []


def _within(hours: NDArray[np.intp], begin: int, end: int) -> Bools:
    """Which hours lie in a range, its end left out, over midnight too."""
    return np.asarray((hours - begin) % 24 < (end - begin) % 24, bool)


def log_chance(found: int, drawn: int, having_it: int, total: int) -> float:
    """The logarithm of the chance that of so many drawn without replacement at least so many have it (Fisher, 1922)."""
    counts = range(max(found, drawn - (total - having_it)), min(drawn, having_it) + 1)
    every = _log_ways(total, drawn)
    logs = [_log_ways(having_it, k) + _log_ways(total - having_it, drawn - k) - every for k in counts]
    most = max(logs, default=-math.inf)
    return min(0.0, most + math.log(sum(math.exp(each - most) for each in logs))) if logs else -math.inf


def _log_ways(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
