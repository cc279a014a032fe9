"""The failures of judged examples in groups. Pure.

judged ─► features ─► failures alone, clustered ─► those that stand out from what went right
                                                   └─► traits against all others ─► name, cost, advice
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.failures.advice import advice_for
from models.failures.clustering import clustered, points_of, shown_of
from models.failures.contrast import Contrast, contrast_of
from models.failures.features import Features, features_of
from models.failures.groups import Analysis, Group, Judged
from models.failures.naming import name_of
from models.failures.traits import Words, traits_of, words_of

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class _Day:
    """What was judged, in order of id, and what is known of it."""

    judged: tuple[Judged, ...]
    "Sorted."
    features: Features
    "A row each."
    words: Words
    "A row each."
    weights: Floats
    "One each."
    failed: Bools
    "One each."


def analysed(judged: Sequence[Judged], *, seed: int = 0) -> Analysis:
    """Group the failures; the same in whatever order examples come.

    Raises ValueError for an example that is there twice, a weight that is no positive number, and embeddings that cannot
    be compared, naming the example.
    """
    _check(judged)
    if not judged:
        return Analysis(0, 0, None, (), ())
    day = _day(judged)
    failures = np.flatnonzero(day.failed)
    groups = sorted(_groups(day, failures, seed), key=lambda group: (-group.cost, group.members))
    taken = {member for group in groups for member in group.members}
    ids = [day.judged[place].example.example_id for place in failures]
    return Analysis(
        judged=len(judged),
        failed=len(failures),
        accuracy=float(day.weights[~day.failed].sum() / day.weights.sum()),
        groups=tuple(groups),
        single=tuple(example_id for example_id in ids if example_id not in taken),
    )


def _check(judged: Sequence[Judged]) -> None:
    twice = [name for name, count in Counter(each.example.example_id for each in judged).items() if count > 1]
    if twice:
        raise ValueError(f"{min(twice)} was judged more than once; give each example once")
    for each in judged:
        if not (math.isfinite(each.weight) and each.weight > 0):
            raise ValueError(f"{each.example.example_id} has a weight of {each.weight}: it must be a number above 0")


def _day(judged: Sequence[Judged]) -> _Day:
    ordered = tuple(sorted(judged, key=lambda each: each.example.example_id))
    features = features_of(ordered)
    return _Day(
        ordered,
        features,
        words_of(ordered, features),
        np.array([each.weight for each in ordered], float),
        np.array([each.failed for each in ordered], bool),
    )


def _groups(day: _Day, failures: Ints, seed: int) -> Iterator[Group]:
    shown = shown_of(day.features)
    for group in clustered(points_of(day.features)[failures], np.random.default_rng(seed)):
        places = failures[group]
        contrast = contrast_of(shown, places, day.failed, day.weights)
        if contrast.stands_out:
            yield _group(day, places, contrast)


def _group(day: _Day, places: Ints, contrast: Contrast) -> Group:
    inside = np.zeros(len(day.judged), bool)
    inside[places] = True
    traits = traits_of(day.words, inside)
    confusions = _confusions([day.judged[place] for place in places])
    weight = float(day.weights[inside].sum())
    return Group(
        name=name_of(confusions, traits),
        members=tuple(day.judged[place].example.example_id for place in places),
        loss=weight / float(day.weights[day.failed].sum()),
        cost=weight / float(day.weights.sum()),
        failure_rate=contrast.rate,
        confusions=confusions,
        traits=traits,
        advice=advice_for(day.judged, day.features, places),
    )


def _confusions(members: Sequence[Judged]) -> dict[tuple[str, str | None], int]:
    """The most frequent first."""
    counts = Counter((each.truth, each.example.predicted) for each in members)
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0][0], pair[0][1] or "")))
