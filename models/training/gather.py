"""All that training sees, computed once: each picture and changed copies of it, as the frozen trunk gives them.

pictures ─► copies (a source with few pictures gets more of each) ─► trunk ─► activation, embedding
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray

from models.preprocessing import Image, Preprocessing
from models.training.augment import copy_of
from models.training.data import LabelledPicture
from models.training.features import Progress, run_trunk

COPIES: Final = (4, 40)
"The fewest and the most of one picture, itself among them."
RUN: Final = 100
"Neighbouring pictures of one scene that stay on one side of a split: they may show one vehicle twice."


@dataclass(frozen=True, slots=True)
class Gathered:
    """Copies of pictures with what the trunk says of them, N rows."""

    pictures: Sequence[LabelledPicture]
    "What the rows are copies of: real ones, then extra ones."
    real: int
    "How many of the pictures are real."
    number: NDArray[np.intp]
    "N: the picture's index."
    copy: NDArray[np.intp]
    "N: 0 for the picture itself."
    activation: NDArray[np.float16]
    "N×C×S."
    embedding: NDArray[np.float32]
    "N×D: of the network as it was pretrained."

    def without(self, sources: Collection[str]) -> "Gathered":
        """Return it without the pictures of these sources."""
        kept = np.array([picture.source not in sources for picture in self.pictures])
        rows = kept[self.number]
        return Gathered(
            pictures=[picture for picture, stays in zip(self.pictures, kept, strict=True) if stays],
            real=int(kept[: self.real].sum()),
            number=(np.cumsum(kept) - 1)[self.number[rows]],
            copy=self.copy[rows],
            activation=self.activation[rows],
            embedding=self.embedding[rows],
        )


@dataclass(frozen=True, slots=True)
class Gathering:
    """How copies are made."""

    wanted: Preprocessing
    "The network's input."
    rows: int = 6000
    "About how many rows each source gets, within the bounds of COPIES for a picture."
    seed: int = 5
    "Of the copies."
    threads: int = 2
    "Cores; the result does not depend on it."


def gather(
    trunk: onnx.ModelProto,
    real: Sequence[LabelledPicture],
    extra: Sequence[LabelledPicture],
    gathering: Gathering,
    progress: Progress,
) -> Gathered:
    """Return copies of all pictures, with what `trunk` says of them."""
    pictures = [*real, *extra]
    rows = _rows(pictures, gathering.rows)

    def copy(row: int) -> Image:
        return copy_of(pictures[rows[row][0]].image, *rows[row], gathering.seed)

    outputs = run_trunk(trunk, copy, len(rows), gathering.wanted, progress, gathering.threads)
    number, copies = np.array(rows, np.intp).T
    return Gathered(pictures, len(real), number, copies, outputs.activation, outputs.embedding)


def picture_weights(sources: Sequence[str], extra: NDArray[np.bool_], extra_share: float) -> NDArray[np.float64]:
    """Return each picture's weight: real sources count alike however many pictures they have, extra ones as told.

    Counting sources alike gained a point on cameras held back; the mean weight is 1.
    """
    share = extra_share if extra.any() and not extra.all() else 0.0
    groups = {(name, bool(is_extra)) for name, is_extra in zip(sources, extra, strict=True)}
    weights = np.zeros(len(sources))
    for name, is_extra in groups:
        ours = (np.asarray(sources) == name) & (extra == is_extra)
        alike = sum(1 for _, other in groups if other == is_extra)
        part = (share if is_extra else 1 - share) if not extra.all() else 1.0
        weights[ours] = part / alike / ours.sum()
    return weights * len(sources)


def row_weights(
    data: Gathered, chosen: NDArray[np.bool_], extra_share: float, clean_share: float
) -> NDArray[np.float64]:
    """Return each row's weight, with a mean of 1 over those of the `chosen` pictures, and 0 elsewhere.

    Of a picture's weight `clean_share` goes to itself, the rest to its copies alike.
    """
    sources = [picture.source for picture in data.pictures]
    extra = np.arange(len(sources)) >= data.real
    picture = np.zeros(len(sources))
    picture[chosen] = picture_weights([sources[n] for n in np.flatnonzero(chosen)], extra[chosen], extra_share)
    copies = np.bincount(data.number)[data.number] - 1
    weights = picture[data.number] * np.where(data.copy == 0, clean_share, (1 - clean_share) / np.maximum(copies, 1))
    return np.asarray(weights / weights.sum() * np.count_nonzero(chosen[data.number]))


def fold_numbers(scenes: Sequence[str], folds: int, seed: int) -> NDArray[np.intp]:
    """Return each picture's part, 0 to folds - 1: runs of neighbours in one scene stay together."""
    seen: dict[str, int] = {}
    runs = []
    for scene in scenes:
        runs.append((scene, seen.get(scene, 0) // RUN))
        seen[scene] = seen.get(scene, 0) + 1
    names = sorted(set(runs))
    drawn = np.random.default_rng(seed).permutation(len(names)) % folds
    part = dict(zip(names, drawn, strict=True))
    return np.array([part[run] for run in runs])


def _rows(pictures: Sequence[LabelledPicture], rows: int) -> list[tuple[int, int]]:
    """Return picture and copy number of each row."""
    sizes = Counter(picture.source for picture in pictures)
    copies = {source: int(np.clip(rows // size, *COPIES)) for source, size in sizes.items()}
    return [(number, copy) for number, picture in enumerate(pictures) for copy in range(copies[picture.source])]
