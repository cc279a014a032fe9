"""What all sources together say of each example: corrections, withdrawals, and sources that contradict each other. Pure.

    a person   car ──── truck (corrected)          truck, weighs 1   ┐
    loop       car                                 car, weighs .5    ├─► truck
    csv        car ──── withdrawn                  —                 ┘

Of each source the newest word holds. Where sources differ, the class wins whose sources weigh more together; where two
weigh the same, there is no truth to learn from.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from models.archive.examples import GivenLabel, Truth


@dataclass(frozen=True, slots=True)
class Truths:
    """What there is to learn from, and what was left out."""

    truths: dict[str, Truth]
    "By example id, sorted."
    contradicted: tuple[str, ...]
    "Examples of which sources of the same weight say different classes, sorted."
    withdrawn: tuple[str, ...]
    "Examples of which every source has taken back its word, sorted."


def truths_of(labels: Iterable[GivenLabel], trust: Mapping[str, float]) -> Truths:
    """Return what these words say together; `trust` is what a source's word weighs, 1 for those not named."""
    said = {example_id: _standing(words) for example_id, words in sorted(_by_example(labels).items())}
    found = {example_id: _truth(words, trust) for example_id, words in said.items() if words}
    return Truths(
        {example_id: truth for example_id, truth in found.items() if truth is not None},
        tuple(example_id for example_id, truth in found.items() if truth is None),
        tuple(example_id for example_id, words in said.items() if not words),
    )


def _by_example(labels: Iterable[GivenLabel]) -> dict[str, list[GivenLabel]]:
    words: dict[str, list[GivenLabel]] = defaultdict(list)
    for label in labels:
        words[label.example_id].append(label)
    return words


def _standing(words: Iterable[GivenLabel]) -> list[GivenLabel]:
    """The newest word of each source, but for those that were taken back."""
    newest = {word.source: word for word in sorted(words, key=_age)}
    return [word for word in newest.values() if word.label is not None]


def _age(word: GivenLabel) -> tuple[object, ...]:
    return word.labelled_at, word.label or "", word.weight


def _truth(words: Sequence[GivenLabel], trust: Mapping[str, float]) -> Truth | None:
    """The weightiest class; None where two weigh the same."""
    weights: dict[str | None, float] = defaultdict(float)
    for word in words:
        weights[word.label] += trust.get(word.source, 1.0)
    most = max(weights.values())
    label, *others = [label for label, weight in weights.items() if weight == most]
    return None if others else _agreed([word for word in words if word.label == label])


def _agreed(words: Sequence[GivenLabel]) -> Truth:
    return Truth(
        example_id=words[0].example_id,
        label=words[0].label or "",
        weight=max(word.weight for word in words),
        given_at=max(word.labelled_at for word in words),
        sources=tuple(sorted(word.source for word in words)),
    )
