"""How a day is divided, and how many are drawn of each part, so that few labels tell its accuracy. Pure.

    chance of error as the models tell it      0 ────────────────────────────────────── 1/2
    how it is planned for                      ├─ sure ─┤├── less and less so ──┤├ all ─┤
    labels to each vehicle                        few          more and more        one

Labels go where verdicts may be wrong: to a part in proportion to its size and the spread of right and wrong in it
(Neyman, 1934), the square root of q (1 - q) of a chance of error q. A model's word is only half believed: nobody is surer
than `SUREST`, and a model that thinks itself better than `BEST` is planned for as if it were no better. So no vehicle's
chance to be drawn is less than a quarter of another's, but for those that are drawn for certain: a model that knows
nothing of its errors costs little. Within a part all have the same chance, whatever the model says: the estimate is right
for every model.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Places = NDArray[np.intp]
"Indices of candidates."

SUREST: Final = 0.02
"The lowest chance of error that is planned for. With .01, 2 % more labels are needed for the same, with .005 6 %."
BEST: Final = 0.95
"The highest accuracy that is planned for: chances of error of a model that hopes for more are stretched."
SURE_LABELS: Final = 0.2
"The part of the labels that the surest vehicles get at least."
LABELS_A_PART: Final = 12
"Of the others; 10 and 15 do as well. Each part costs a doubt of its own, and saves where errors are more even in it."
MOST_PARTS: Final = 5
"Of the others."
FEWEST: Final = 4
"Labels of a part, but where all of it is drawn."


@dataclass(frozen=True, slots=True)
class Part:
    """Candidates that all have the same chance to be drawn."""

    places: Places
    "Which."
    labels: int
    "How many of them are drawn."

    @property
    def weight(self) -> float:
        """How many of them each label stands for."""
        return len(self.places) / self.labels


def parts(doubts: Sequence[float], labels: int) -> list[Part]:
    """Divide candidates, given their chances of error, and so many labels among the parts; all labels are given out.

    Raises ValueError for fewer labels than one, or more than there are candidates.
    """
    if not 1 <= labels <= len(doubts):
        raise ValueError(f"{labels} labels of {len(doubts)} candidates: at least 1, and no more than there are")
    planned = _planned(np.asarray(doubts, dtype=float))
    order = np.argsort(planned, kind="stable")
    chances = _chances(np.sqrt(planned * (1 - planned))[order], labels)
    certain = chances >= 1
    drawn = list(_divided(planned[order], chances, certain, labels))
    left = labels - int(certain.sum())
    found = [Part(order[each], n) for each, n in zip(*_rounded(drawn, chances, left), strict=True)]
    return [*found, *([Part(order[certain], int(certain.sum()))] if certain.any() else [])]


def _planned(doubts: Floats) -> Floats:
    stretch = max(1.0, (1 - BEST) / max(float(doubts.mean()), 1e-9))
    return np.clip(doubts * stretch, SUREST, 0.5)


def _chances(spreads: Floats, labels: int) -> Floats:
    """In proportion to the spreads, but 1 at most; they sum to the labels."""
    full = np.zeros(len(spreads), dtype=bool)
    while True:
        rest = spreads[~full].sum()
        chances = np.where(full, 1.0, spreads * (labels - full.sum()) / rest if rest else 1.0)
        over = chances > 1
        if not over.any():
            return chances
        full |= over


def _divided(planned: Floats, chances: Floats, certain: NDArray[np.bool_], labels: int) -> Iterator[Places]:
    """The surest, then the others in order, places among the sorted candidates; those drawn for certain are left out."""
    so_far = np.cumsum(chances)
    sure = ~certain & (planned <= SUREST)
    if chances[sure].sum() < SURE_LABELS * labels:
        sure = ~certain & (so_far <= SURE_LABELS * labels)
    if sure.any():
        yield np.flatnonzero(sure)
    others = np.flatnonzero(~sure & ~certain)
    if len(others):
        expected = chances[others].sum()
        count = min(MOST_PARTS, max(1, round(expected / LABELS_A_PART)))
        ends = np.searchsorted(np.cumsum(chances[others]), np.arange(1, count) * expected / count)
        yield from (part for part in np.split(others, ends) if len(part))


def _rounded(divided: list[Places], chances: Floats, labels: int) -> tuple[list[Places], list[int]]:
    """Whole labels for each part, by largest remainder; parts of too few are put together with a neighbour."""
    merged = _merged(divided, chances)
    expected = np.array([chances[part].sum() for part in merged])
    if not merged:
        return [], []
    sizes = np.array([len(part) for part in merged])
    wanted = expected * labels / expected.sum()
    whole = np.minimum(np.floor(wanted).astype(int), sizes)
    for place in np.argsort(whole - wanted, kind="stable").tolist() * 2:
        whole[place] += whole.sum() < labels and whole[place] < sizes[place]
    return merged, whole.tolist()


def _merged(divided: list[Places], chances: Floats) -> list[Places]:
    found: list[Places] = []
    for part in divided:
        small = found and min(chances[found[-1]].sum(), chances[part].sum()) < FEWEST
        found = [*found[:-1], np.concatenate([found[-1], part])] if small else [*found, part]
    return found
