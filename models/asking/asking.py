"""Which examples of a day are asked for, in which order, and what each label will stand for.

What is drawn by chance measures: each label stands for 1 / chance examples, and all weights together are the day's
examples. What is asked for because it teaches is taken for certain, stands for itself alone, and is left out of the
draw: the estimate of the day's accuracy is as right with it as without.

Whoever stops half way still has a fair sample. Of each part the order is by chance, and parts take turns in proportion:
the first half of a request holds half of each part, what teaches included. Weights are then all too small by the same
factor, which an estimate that divides by their sum does not see; that less is known shows by the sum itself, which is
less than the day's examples (`monitor.statistics.weighted`).

The same candidates, budget and seed give the same request, in whatever order candidates come.
"""

from collections.abc import Iterable, Sequence
from random import Random
from typing import Final, NamedTuple

from models.archive.examples import Asked, Why
from models.asking.candidate import Candidate
from models.asking.design import Part, parts
from models.asking.teaching import taught_most

RANDOM_SHARE: Final = 0.8
"The part of a budget that is drawn by chance; half of it falls on uncertain examples anyway."


class _Group(NamedTuple):
    """What is asked for with one weight, in order."""

    why: tuple[Why, ...]
    "Why each."
    chosen: tuple[Candidate, ...]
    "In the order in which they are labelled."
    weight: float
    "What each stands for."


def ask(
    candidates: Sequence[Candidate], budget: int, seed: int, *, random_share: float = RANDOM_SHARE
) -> tuple[Asked, ...]:
    """Choose so many of a day's candidates, or all where there are no more, in the order in which they are best labelled.

    Args:
        candidates: All of the day, each once.
        budget: Labels that somebody will give, at least 1.
        seed: Draws another sample of the same day.
        random_share: The part of the budget that is drawn by chance, above 0 and at most 1. What is left goes to what
            teaches most, and back to chance where too little does.

    Raises:
        ValueError: A candidate is there twice, or the budget or share is out of its range.

    """
    _check(candidates, budget, random_share)
    ordered = sorted(candidates, key=lambda each: each.example.example_id)
    if budget >= len(ordered):
        return _asked([_group("random", ordered, 1.0)], Random(seed))  # noqa: S311  # chance, no secret
    taught = taught_most(ordered, budget - max(1, round(budget * random_share)))
    rest = [each for place, each in enumerate(ordered) if place not in taught]
    drawn = parts([each.doubt for each in rest], budget - len(taught))
    rng = Random(seed)  # noqa: S311  # as above
    groups = [_drawn(rest, part, rng) for part in drawn]
    teaching = _Group(tuple(taught.values()), tuple(ordered[place] for place in taught), 1.0)
    return _asked([*groups, teaching], rng)


def _check(candidates: Sequence[Candidate], budget: int, random_share: float) -> None:
    if budget < 1:
        raise ValueError(f"a budget of {budget}: at least 1")
    if not 0 < random_share <= 1:
        raise ValueError(f"a random share of {random_share}: above 0 and at most 1")
    if len({each.example.example_id for each in candidates}) < len(candidates):
        raise ValueError(f"{len(candidates)} candidates, some of which are there twice")


def _drawn(rest: Sequence[Candidate], part: Part, rng: Random) -> _Group:
    """So many of a part, at even steps through its cameras and hours, from a start by chance."""
    along = sorted((rest[place] for place in part.places), key=_when)
    start = rng.random()
    steps = (int((start + k) * part.weight) for k in range(part.labels))
    chosen = [along[min(step, len(along) - 1)] for step in steps]
    return _group("random" if part.labels < len(along) else "uncertain", chosen, part.weight)


def _group(why: Why, chosen: Sequence[Candidate], weight: float) -> _Group:
    return _Group((why,) * len(chosen), tuple(chosen), weight)


def _when(candidate: Candidate) -> tuple[str, float, str]:
    example = candidate.example
    return example.camera_id, example.at.timestamp(), example.example_id


def _asked(groups: Iterable[_Group], rng: Random) -> tuple[Asked, ...]:
    """All groups mixed: each in an order by chance, at even steps from first to last."""
    placed = [each for group in groups for each in _placed(group, rng)]
    return tuple(asked for _, _, asked in sorted(placed, key=lambda each: each[:2]))


def _placed(group: _Group, rng: Random) -> Iterable[tuple[float, float, Asked]]:
    shuffled = rng.sample(list(zip(group.why, group.chosen, strict=True)), len(group.chosen))
    for k, (why, candidate) in enumerate(shuffled):
        asked = Asked(candidate.example.example_id, why, group.weight, candidate.example.at)
        yield (k + 0.5) / len(shuffled), rng.random(), asked
