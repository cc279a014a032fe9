"""A tally in the making: frames and vehicles are counted one after the other, so that a day of any length fits."""

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from monitor.calibration import BINS
from monitor.chunks import Row
from monitor.labelling import Decision
from monitor.metrics import cells
from monitor.signals import Tallies
from schemas.records import ConfidenceBin, Slice, StageLatency, Tally, WorstFrame
from schemas.times import from_us

STAGES: Final = ("queue", "decode", "inference", "other")
"Of a frame's way from the camera to its prediction; `other` is waiting for the batch, and sending."
WRONG_KEPT, UNSURE_KEPT = 6, 3
"Frames of a camera and day that somebody should look at."


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
    properties: tuple[tuple[str, str], ...]
    "Dimension and value of the slices that it belongs to."

    @property
    def is_wrong(self) -> bool:
        """Whether it is labelled otherwise."""
        return self.truth is not None and self.truth != self.predicted


@dataclass(slots=True)
class _Bin:
    """One confidence bin in the making."""

    count: int = 0
    confidence_sum: float = 0.0
    labelled: int = 0
    right: int = 0


@dataclass(slots=True)
class _SliceCount:
    """One slice in the making."""

    passages: Counter[str] = field(default_factory=Counter)
    cells: Counter[tuple[str, str]] = field(default_factory=Counter)


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


class DayCounts:
    """Counts a camera's day."""

    def __init__(self) -> None:
        self.worst = Worst()
        self.models: set[str] = set()
        self.errors: list[tuple[int, str, bool]] = []
        self._totals: Counter[str] = Counter()
        self._sums = {"confidence": 0.0, "brightness": 0.0}
        self._passages: Counter[str] = Counter()
        self._vehicles: Counter[tuple[str, str]] = Counter()
        self._frames: Counter[tuple[str, str]] = Counter()
        self._latencies: Counter[int] = Counter()
        self._stages: defaultdict[str, Counter[int]] = defaultdict(Counter)
        self._sources: Counter[str] = Counter()
        self._slices: defaultdict[tuple[str, str], _SliceCount] = defaultdict(_SliceCount)
        self._bins: defaultdict[tuple[str, int], _Bin] = defaultdict(_Bin)
        self._signals = Tallies()

    def count(self, what: str, times: int = 1) -> None:
        """Count something by the name of its field in Tally."""
        self._totals[what] += times

    def whole_picture(self, row: Row) -> None:
        """Count a picture of the whole scene."""
        self.count("heartbeats", row.kind == "heartbeat")
        self._signals.picture(row.brightness, row.contrast, row.sharpness, row.noise)

    def frame(self, row: Row, truth: str | None) -> None:
        """Count a frame that was classified, or refused."""
        if row.label is None:
            self.count("abstained", row.is_refused)
            return
        self.count("frames")
        self.models.add(row.model_version)
        self._sums["confidence"] += row.confidence
        self._sums["brightness"] += row.brightness
        self._latencies[row.bucket] += 1
        for stage, bucket in zip(STAGES, row.stages, strict=False):
            self._stages[stage][bucket] += 1
        if truth is not None:
            self._frames[truth, row.label] += 1

    def passage(self, judged: Judged, frames: int, dissenting: int, refused: int) -> None:
        """Count a vehicle that crossed."""
        self._passages[judged.predicted] += 1
        self.count("passage_frames", frames)
        self.count("dissenting_frames", dissenting)
        self._signals.passage(judged.predicted, judged.confidence, dissenting, frames, refused)
        for each in judged.properties:
            self._slices[each].passages[judged.predicted] += 1
        self.judged(judged)

    def judged(self, judged: Judged) -> None:
        """Count what the model says of a vehicle, or of a frame that belongs to none."""
        held = self._bins[judged.predicted, min(int(judged.confidence * BINS), BINS - 1)]
        held.count += 1
        held.confidence_sum += judged.confidence
        self.worst.add(judged)
        if judged.truth is not None:
            self._labelled(judged, judged.truth, held)

    def _labelled(self, judged: Judged, truth: str, held: _Bin) -> None:
        self.errors.append((judged.at_us, judged.frame_id, judged.is_wrong))
        held.labelled += 1
        held.right += truth == judged.predicted
        self._vehicles[truth, judged.predicted] += 1
        for each in judged.properties:
            self._slices[each].cells[truth, judged.predicted] += 1

    def label(self, decision: Decision) -> None:
        """Count what labels say of one thing that was seen."""
        self.count("labels", decision.label is not None)
        self.count("late_labels", decision.late)
        self.count("contradicted", decision.contradicted)
        self.count("withdrawn", decision.withdrawn)
        if decision.label is not None:
            self._sources[decision.source] += 1

    def tally(self) -> Tally:
        """The finished counts."""
        return Tally(
            **{name: self._totals[name] for name in TOTALS},
            passages=dict(sorted(self._passages.items())),
            vehicle_cells=cells(self._vehicles),
            frame_cells=cells(self._frames),
            confidence_sum=self._sums["confidence"],
            brightness_sum=self._sums["brightness"],
            latency_buckets=_buckets(self._latencies),
            label_sources=dict(sorted(self._sources.items())),
            slices=tuple(self._slices_counted()),
            confidences=tuple(_bin(key, held) for key, held in sorted(self._bins.items())),
            signals=self._signals.counts(),
            stages=tuple(StageLatency(name, _buckets(self._stages[name])) for name in STAGES if name in self._stages),
        )

    def _slices_counted(self) -> Iterator[Slice]:
        for (dimension, value), counted in sorted(self._slices.items()):
            yield Slice(dimension, value, dict(sorted(counted.passages.items())), cells(counted.cells))


TOTALS: Final = (
    "frames",
    "heartbeats",
    "passage_frames",
    "dissenting_frames",
    "labels",
    "unmatched_labels",
    "abstained",
    "late_labels",
    "contradicted",
    "withdrawn",
)
"Fields of Tally that are plain counts."


def _bin(key: tuple[str, int], held: _Bin) -> ConfidenceBin:
    return ConfidenceBin(*key, held.count, held.confidence_sum, held.labelled, held.right)


def _buckets(counts: Mapping[int, int]) -> dict[str, int]:
    return {str(bucket): n for bucket, n in sorted(counts.items())}
