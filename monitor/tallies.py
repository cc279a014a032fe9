"""Sums of tallies: of a day's cameras, or of a camera's days."""

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import groupby

from monitor.calibration import merged as merged_bins
from monitor.metrics import cells, confusion_of
from monitor.quantiles import merged
from monitor.reference import added_signals
from schemas.records import Slice, StageLatency, Tally


def added(tallies: Iterable[Tally]) -> Tally:
    """The sum of tallies; the order of the addends decides the last bits of the sums of floats."""
    parts = list(tallies)
    return Tally(
        frames=sum(t.frames for t in parts),
        heartbeats=sum(t.heartbeats for t in parts),
        passages=_added_counts(t.passages for t in parts),
        vehicle_cells=cells(confusion_of(cell for t in parts for cell in t.vehicle_cells)),
        frame_cells=cells(confusion_of(cell for t in parts for cell in t.frame_cells)),
        passage_frames=sum(t.passage_frames for t in parts),
        dissenting_frames=sum(t.dissenting_frames for t in parts),
        confidence_sum=sum(t.confidence_sum for t in parts),
        brightness_sum=sum(t.brightness_sum for t in parts),
        latency_buckets=merged(t.latency_buckets for t in parts),
        labels=sum(t.labels for t in parts),
        unmatched_labels=sum(t.unmatched_labels for t in parts),
        abstained=sum(t.abstained for t in parts),
        late_labels=sum(t.late_labels for t in parts),
        contradicted=sum(t.contradicted for t in parts),
        withdrawn=sum(t.withdrawn for t in parts),
        label_sources=_added_counts(t.label_sources for t in parts),
        slices=added_slices(each for t in parts for each in t.slices),
        confidences=merged_bins(each for t in parts for each in t.confidences),
        signals=added_signals(t.signals for t in parts),
        stages=added_stages(each for t in parts for each in t.stages),
    )


def added_slices(parts: Iterable[Slice]) -> tuple[Slice, ...]:
    """The sum of slices, sorted."""
    return tuple(_added_slice(list(same)) for _, same in groupby(sorted(parts, key=_place), key=_place))


def _place(part: Slice) -> tuple[str, str]:
    return part.dimension, part.value


def _added_slice(parts: list[Slice]) -> Slice:
    passages = _added_counts(part.passages for part in parts)
    return Slice(*_place(parts[0]), passages, cells(confusion_of(cell for part in parts for cell in part.cells)))


def added_stages(parts: Iterable[StageLatency]) -> tuple[StageLatency, ...]:
    """The sum of latencies by stage, sorted."""
    ordered = sorted(parts, key=lambda part: part.stage)
    stages = groupby(ordered, key=lambda part: part.stage)
    return tuple(StageLatency(stage, merged(part.buckets for part in same)) for stage, same in stages)


def _added_counts(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(sorted(total.items()))
