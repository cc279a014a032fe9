"""What a group is called: its confusion, and the traits that tell most."""

from collections.abc import Mapping, Sequence
from typing import Final

from models.failures.groups import Trait

MAIN: Final = 0.6
"The share of a group that a confusion has which names it."
TOLD: Final = (("camera",), ("weather", "light", "brightness"), ("blur", "contrast", "grain"), ("kind",), ("size",))
"Of each of these at most one trait is named."
MOST_TRAITS: Final = 3


def name_of(confusions: Mapping[tuple[str, str | None], int], traits: Sequence[Trait]) -> str:
    """In words, such as `trucks taken for cars, junction, veiled`."""
    return ", ".join([_confusion(confusions), *_traits(traits)])


def _confusion(confusions: Mapping[tuple[str, str | None], int]) -> str:
    (truth, verdict), count = next(iter(confusions.items()))
    if count >= MAIN * sum(confusions.values()):
        return f"{_many(truth)} taken for {_many(verdict)}" if verdict else f"{_many(truth)} not recognised"
    classes = " and ".join(_many(each) for each in sorted({truth for truth, _ in confusions}))
    return f"{classes} not recognised" if all(verdict is None for _, verdict in confusions) else f"{classes} mistaken"


def _traits(traits: Sequence[Trait]) -> list[str]:
    firsts = (next((trait for trait in traits if trait.dimension in dimensions), None) for dimensions in TOLD)
    return [_word(trait) for trait in firsts if trait][:MOST_TRAITS]


def _word(trait: Trait) -> str:
    if trait.dimension in {"camera", "weather", "light"}:
        return trait.value
    return f"{trait.value} {'pictures' if trait.dimension == 'brightness' else trait.dimension}"


def _many(label: str) -> str:
    return f"{label}es" if label.endswith(("s", "x", "ch", "sh")) else f"{label}s"
