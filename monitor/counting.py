"""A tally in the making: frames and vehicles are counted one after the other, so that a day of any length fits.

What labels cannot change is counted at once; what labels say is kept by chunk, and put together at last.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from monitor.chunks import Place, Row
from monitor.judged import DaySaid, Judged, Said
from monitor.labelling import Decision
from monitor.signals import Tallies
from schemas.records import ConfidenceBin, Slice, StageLatency, Tally

STAGES: Final = ("queue", "decode", "inference", "other")
"Of a frame's way from the camera to its prediction; `other` is waiting for the batch, and sending."


@dataclass(slots=True)
class _Bin:
    """One confidence bin in the making."""

    count: int = 0
    confidence_sum: float = 0.0


class DayCounts:
    """Counts a camera's day."""

    def __init__(self) -> None:
        self.models: set[str] = set()
        self.said: dict[Place, Said] = {}
        self._said = self.begin(("", 0))
        self._totals: Counter[str] = Counter()
        self._sums = {"confidence": 0.0, "brightness": 0.0}
        self._passages: Counter[str] = Counter()
        self._latencies: Counter[int] = Counter()
        self._stages: defaultdict[str, Counter[int]] = defaultdict(Counter)
        self._slices: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self._properties: dict[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]] = {}
        self._bins: defaultdict[tuple[str, int], _Bin] = defaultdict(_Bin)
        self._signals = Tallies()

    def begin(self, place: Place) -> Said:
        """Count what labels say of a chunk from now on."""
        self._said = self.said[place] = Said()
        return self._said

    def count(self, what: str, times: int = 1) -> None:
        """Count something by the name of its field in Tally."""
        self._totals[what] += times

    def whole_picture(self, row: Row) -> None:
        """Count a picture of the whole scene."""
        self.count("heartbeats", row.kind == "heartbeat")
        self._signals.picture(row.brightness, row.contrast, row.sharpness, row.noise)

    def frame(self, row: Row, truth: str | None, weight: float = 1.0) -> None:
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
            self._said.frames[weight, truth, row.label] += 1

    def passage(self, judged: Judged, frames: int, dissenting: int, refused: int) -> None:
        """Count a vehicle that crossed."""
        self._passages[judged.predicted] += 1
        self.count("passage_frames", frames)
        self.count("dissenting_frames", dissenting)
        self._signals.passage(judged.predicted, judged.confidence, dissenting, frames, refused)
        for each in judged.properties:
            self._slices[each][judged.predicted] += 1
        self.judged(judged)

    def judged(self, judged: Judged) -> None:
        """Count what the model says of a vehicle, or of a frame that belongs to none."""
        held = self._bins[judged.place]
        held.count += 1
        held.confidence_sum += judged.confidence
        properties = self._properties.setdefault(judged.properties, judged.properties)
        self._said.judged(judged._replace(properties=properties))

    def label(self, decision: Decision) -> None:
        """Count what labels say of one thing that was seen."""
        self._said.label(decision)

    def tally(self) -> Tally:
        """The finished counts."""
        return DaySaid(self.said.values()).joined(self.plain())

    @property
    def errors(self) -> list[tuple[int, str, bool]]:
        """When, which and whether wrong: of labelled vehicles, a fair part where they have weights."""
        return DaySaid(self.said.values()).errors

    def plain(self) -> Tally:
        """The counts without what labels say."""
        totals: dict[str, Any] = {name: self._totals[name] for name in TOTALS}
        return Tally(
            **totals,
            passages=dict(sorted(self._passages.items())),
            confidence_sum=self._sums["confidence"],
            brightness_sum=self._sums["brightness"],
            latency_buckets=_buckets(self._latencies),
            slices=tuple(Slice(*place, dict(sorted(n.items())), ()) for place, n in sorted(self._slices.items())),
            confidences=tuple(_bin(key, held) for key, held in sorted(self._bins.items())),
            signals=self._signals.counts(),
            stages=tuple(StageLatency(name, _buckets(self._stages[name])) for name in STAGES if name in self._stages),
        )


TOTALS: Final = (
    "frames",
    "heartbeats",
    "passage_frames",
    "dissenting_frames",
    "labels",
    "unmatched_labels",
    "abstained",
)
"Fields of Tally that are plain counts; of labels, those of what was never seen."


def _bin(key: tuple[str, int], held: _Bin) -> ConfidenceBin:
    return ConfidenceBin(*key, held.count, held.confidence_sum, 0, 0)


def _buckets(counts: Mapping[int, int]) -> dict[str, int]:
    return {str(bucket): n for bucket, n in sorted(counts.items())}
