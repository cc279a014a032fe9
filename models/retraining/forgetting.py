"""Whether a new head has unlearnt something: old vehicles, slice by slice, before and after. Pure.

    all ──┐
    camera gate ──┤    fall by more than the margin, beyond chance    ──► forgotten
    class truck ──┤    any other                                      ──► kept, as far as can be told
    light dark ──┘

Of few vehicles much may be chance: a slice is forgotten where its fall exceeds the margin and its interval lies below 0.
The chance that any slice is called forgotten that is not is shared among the slices (Bonferroni).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from models.retraining.paired import Difference, difference

MARGIN: Final = 0.01
"A point: what a day's accuracy may lose without anybody noticing."
CHANCE: Final = 0.05
"Of any slice being called forgotten that is not."
FEWEST: Final = 20
"Vehicles of a slice that is looked at by itself."

PARENT: Final = "the parent"

Slice = tuple[str, str]
"A dimension and its value, such as `camera` and `gate`."
ALL: Final[Slice] = ("all", "")


@dataclass(frozen=True, slots=True)
class Tried:
    """An old vehicle that neither model was taught, and how both did on it."""

    slices: tuple[Slice, ...]
    "What it is a part of, besides all."
    before: bool
    "Whether the parent is right, or an older version."
    after: bool
    "Whether the candidate is."


@dataclass(frozen=True, slots=True)
class SliceChange:
    """What became of a slice."""

    slice: Slice
    "Which."
    change: Difference
    "Accuracy of the candidate less that of the other; its interval is wide enough for all slices together."
    forgotten: bool
    "Whether it fell by more than the margin, beyond chance."
    before: str = PARENT
    "Who the candidate is compared with."

    def __str__(self) -> str:
        """Say it in words."""
        what = " ".join(self.slice).strip()
        change = self.change
        return (
            f"{what}: of {change.n} old vehicles {self.before} alone is right on {change.first_alone}, the candidate alone on"
            f" {change.second_alone}, {change.value * 100:+.1f} points ({change.low * 100:+.1f} to {change.high * 100:+.1f})"
        )


def forgetting(
    tried: Sequence[Tried], margin: float = MARGIN, chance: float = CHANCE, before: str = PARENT
) -> tuple[SliceChange, ...]:
    """Return what became of all and of each slice of at least 20 vehicles, in the order of names; all comes first.

    `before` names the other model.
    """
    parts: dict[Slice, list[Tried]] = defaultdict(list)
    for vehicle in tried:
        for name in (ALL, *vehicle.slices):
            parts[name].append(vehicle)
    judged = {name: part for name, part in sorted(parts.items(), key=_order) if name == ALL or len(part) >= FEWEST}
    # One end of each interval is looked at.
    each = 2 * chance / max(1, len(judged))
    changes = (_change(name, part, margin, min(each, 1.0)) for name, part in judged.items())
    return tuple(replace(change, before=before) for change in changes)


def _order(item: tuple[Slice, list[Tried]]) -> tuple[bool, Slice]:
    return item[0] != ALL, item[0]


def _change(name: Slice, part: Sequence[Tried], margin: float, chance: float) -> SliceChange:
    found = difference([vehicle.before for vehicle in part], [vehicle.after for vehicle in part], chance)
    return SliceChange(name, found, forgotten=found.value < -margin and found.high < 0)
