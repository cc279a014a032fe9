"""What the model says of a day's vehicles beside what labels say of them: all of a day that late labels can change.

    chunk ─► Said ─┐
    chunk ─► Said ─┼─► confusions by weight, slices, confidences, errors, the worst frames
    chunk ─► Said ─┘

Where a day's labels stand for different numbers of vehicles, some were chosen because they are hard. Confusions are then
told by weight; what has no weights (slices, confidences, the signal of errors) counts a fair part of the labels, each
with a chance of its weight by the day's heaviest: what is left of them is a plain sample of the day.
"""

import hashlib
import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from monitor.calibration import BINS
from monitor.labelling import Decision
from monitor.metrics import cells
from monitor.scenes import UNKNOWN
from schemas.records import Cell, ConfidenceBin, Slice, Tally, WeightedCells, WorstFrame
from schemas.times import from_us

WRONG_KEPT, UNSURE_KEPT = 6, 3
"Frames of a camera and day that somebody should look at."

Scene = tuple[str, str]
"Light and weather."
UNSEEN: Final[Scene] = (UNKNOWN, UNKNOWN)
"Before the first whole picture of a run of frames."

Pair = tuple[str, str]
"Truth and what was predicted; or a slice's dimension and value."


class Judged(NamedTuple):
    """A vehicle, or a single frame that belongs to none: what the model says of it, and the truth where it is known."""

    at_us: int
    "When the frame was taken that shows it best."
    frame_id: str
    "That frame."
    predicted: str
    "The verdict."
    confidence: float
    "The verdict's share of the votes, or its probability."
    truth: str | None
    "Its label; None without one."
    properties: tuple[Pair, ...]
    "Dimension and value of the slices that it belongs to."
    weight: float = 1.0
    "How many vehicles its label stands for."

    @property
    def is_wrong(self) -> bool:
        """Whether it is labelled otherwise."""
        return self.truth is not None and self.truth != self.predicted

    @property
    def place(self) -> tuple[str, int]:
        """The confidence bin that it belongs to: its verdict, and the step."""
        return self.predicted, min(int(self.confidence * BINS), BINS - 1)

    @property
    def chance(self) -> float:
        """A number from 0 to 1, as good as drawn by chance, and always the same."""
        drawn = hashlib.blake2b(self.frame_id.encode(), digest_size=4).digest()
        return int.from_bytes(drawn, "big") / 2**32


class Worst:
    """The frames that somebody should look at: wrong and sure of it first, then the least sure."""

    def __init__(self) -> None:
        self._wrong: list[tuple[float, str, Judged]] = []
        self._unsure: list[tuple[float, str, Judged]] = []

    def add(self, judged: Judged) -> None:
        """Take one into account."""
        if judged.is_wrong:
            _push(self._wrong, judged.confidence, judged, WRONG_KEPT)
        elif judged.truth is None:
            _push(self._unsure, -judged.confidence, judged, UNSURE_KEPT)

    @property
    def unsure(self) -> list[Judged]:
        """The least sure of those without a label."""
        return [judged for _, _, judged in self._unsure]

    def frames(self) -> tuple[WorstFrame, ...]:
        """The worst first."""
        wrong = [_worst(judged, "wrong") for _, _, judged in sorted(self._wrong, reverse=True)]
        return (*wrong, *(_worst(judged, "unsure") for _, _, judged in sorted(self._unsure, reverse=True)))


def _push(heap: list[tuple[float, str, Judged]], badness: float, judged: Judged, most: int) -> None:
    heapq.heappush(heap, (badness, judged.frame_id, judged))
    if len(heap) > most:
        heapq.heappop(heap)


def _worst(judged: Judged, why: str) -> WorstFrame:
    at = from_us(judged.at_us)
    return WorstFrame(judged.frame_id, at, judged.truth, judged.predicted, judged.confidence, why)  # type: ignore[arg-type]


@dataclass(slots=True)
class Said:
    """What labels say of one chunk of a day, and what they leave open."""

    labelled: list[Judged] = field(default_factory=list)
    "Vehicles and single frames, in their order."
    frames: Counter[tuple[float, str, str]] = field(default_factory=Counter)
    "Labelled frames by weight, truth and what was predicted."
    totals: Counter[str] = field(default_factory=Counter)
    "What befell labels, by the names of Tally's fields."
    sources: Counter[str] = field(default_factory=Counter)
    "Labels that count, by who said so."
    worst: Worst = field(default_factory=Worst)
    "Of those without a label, the ones that the model is least sure of."
    begun: set[int] = field(default_factory=set)
    "Other chunks in which vehicles began of which it holds frames: their labels are said of these."
    scene: Scene = UNSEEN
    "What surrounds whatever comes after it."

    def judged(self, judged: Judged) -> None:
        """Take what the model says of a vehicle, or of a frame that belongs to none."""
        if judged.truth is None:
            self.worst.add(judged._replace(properties=()))
        else:
            self.labelled.append(judged)

    def label(self, decision: Decision) -> None:
        """Count what labels say of one thing that was seen."""
        found = {
            "labels": decision.label is not None,
            "late_labels": decision.late,
            "contradicted": decision.contradicted,
            "withdrawn": decision.withdrawn,
        }
        self.totals.update(name for name, happened in found.items() if happened)
        if decision.label is not None:
            self.sources[decision.source] += 1


@dataclass(slots=True)
class _Weight:
    """What labels say that stand for as many vehicles each."""

    vehicles: Counter[Pair] = field(default_factory=Counter)
    frames: Counter[Pair] = field(default_factory=Counter)
    confidence_sum: float = 0.0


class _FairPart:
    """What labels say of slices and confidences."""

    def __init__(self, labelled: Iterable[Judged]) -> None:
        self.slices: defaultdict[Pair, Counter[Pair]] = defaultdict(Counter)
        self.labelled: Counter[tuple[str, int]] = Counter()
        self.right: Counter[tuple[str, int]] = Counter()
        for judged in labelled:
            self._count(judged, judged.truth or "")

    def _count(self, judged: Judged, truth: str) -> None:
        self.labelled[judged.place] += 1
        self.right[judged.place] += not judged.is_wrong
        for each in judged.properties:
            self.slices[each][truth, judged.predicted] += 1

    def sliced(self, plain: Iterable[Slice]) -> Iterator[Slice]:
        """Slices with what labels say of them; of some, single frames alone tell."""
        passages = {(each.dimension, each.value): each.passages for each in plain}
        for dimension, value in sorted({*passages, *self.slices}):
            labelled = cells(self.slices[dimension, value])
            yield Slice(dimension, value, passages.get((dimension, value), {}), labelled)

    def binned(self, held: ConfidenceBin) -> ConfidenceBin:
        """A bin with what labels say of it."""
        key = held.predicted, held.bin
        return replace(held, labelled=self.labelled[key], right=self.right[key])


class DaySaid:
    """What labels say of a whole day, from its chunks in their order."""

    def __init__(self, parts: Iterable[Said]) -> None:
        self._parts = list(parts)
        self._labelled = [judged for part in self._parts for judged in part.labelled]
        self._weights: defaultdict[float, _Weight] = defaultdict(_Weight)
        for judged in self._labelled:
            self._add_vehicle(judged, self._weights[judged.weight])
        for weight, truth, predicted, n in self._frames():
            self._weights[weight].frames[truth, predicted] += n

    def _add_vehicle(self, judged: Judged, said: _Weight) -> None:
        said.vehicles[judged.truth or "", judged.predicted] += 1
        said.confidence_sum += judged.confidence

    def _frames(self) -> Iterator[tuple[float, str, str, int]]:
        return ((*key, n) for part in self._parts for key, n in part.frames.items())

    def _fair(self) -> Iterator[Judged]:
        heaviest = max((judged.weight for judged in self._labelled), default=1.0)
        return (each for each in self._labelled if each.weight == heaviest or each.chance < each.weight / heaviest)

    @property
    def errors(self) -> list[tuple[int, str, bool]]:
        """When, which and whether wrong: of labelled vehicles, a fair part where they have weights."""
        return [(judged.at_us, judged.frame_id, judged.is_wrong) for judged in self._fair()]

    @property
    def worst(self) -> Worst:
        """The frames that somebody should look at."""
        worst = Worst()
        for judged in (judged for part in self._parts for judged in (*part.labelled, *part.worst.unsure)):
            worst.add(judged)
        return worst

    def joined(self, plain: Tally) -> Tally:
        """The counts of a day whose labels were left out, with what they say."""
        fair, totals = _FairPart(self._fair()), _summed(part.totals for part in self._parts)
        return replace(
            plain,
            labels=plain.labels + totals["labels"],
            late_labels=totals["late_labels"],
            contradicted=totals["contradicted"],
            withdrawn=totals["withdrawn"],
            label_sources=dict(sorted(_summed(part.sources for part in self._parts).items())),
            vehicle_cells=_cells(said.vehicles for said in self._weights.values()),
            frame_cells=_cells(said.frames for said in self._weights.values()),
            slices=tuple(fair.sliced(plain.slices)),
            confidences=tuple(map(fair.binned, plain.confidences)),
            weighted=self._weighted(),
        )

    def _weighted(self) -> tuple[WeightedCells, ...]:
        if not self._weights.keys() - {1.0}:
            return ()
        return tuple(
            WeightedCells(weight, cells(said.vehicles), cells(said.frames), said.confidence_sum)
            for weight, said in sorted(self._weights.items())
        )


def _summed(parts: Iterable[Counter[str]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)
    return total


def _cells(parts: Iterable[Counter[Pair]]) -> tuple[Cell, ...]:
    return cells(sum(parts, Counter[Pair]()))
