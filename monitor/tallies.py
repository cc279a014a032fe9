"""Sums of tallies: of a day's cameras, or of a camera's days; and what their labels stand for."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import groupby

from monitor.calibration import mean_confidence
from monitor.calibration import merged as merged_bins
from monitor.metrics import cells, confusion_of
from monitor.quantiles import merged
from monitor.reference import added_signals
from schemas.records import Cell, Slice, StageLatency, Tally, WeightedCells


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
        weighted=_added_weights(parts),
    )


def _added_weights(tallies: Iterable[Tally]) -> tuple[WeightedCells, ...]:
    parts = list(tallies)
    if not any(t.weighted for t in parts):
        return ()
    ordered = sorted((each for t in parts for each in by_weight(t)), key=lambda each: each.weight)
    return tuple(_added_weight(list(same)) for _, same in groupby(ordered, key=lambda each: each.weight))


def _added_weight(parts: list[WeightedCells]) -> WeightedCells:
    return WeightedCells(
        weight=parts[0].weight,
        cells=cells(confusion_of(cell for part in parts for cell in part.cells)),
        frame_cells=cells(confusion_of(cell for part in parts for cell in part.frame_cells)),
        confidence_sum=math.fsum(part.confidence_sum for part in parts),
    )


def by_weight(tally: Tally) -> tuple[WeightedCells, ...]:
    """A tally's labels by how many vehicles each stands for, sorted; empty without labels."""
    if tally.weighted or not (tally.vehicle_cells or tally.frame_cells):
        return tally.weighted
    confidence_sum = math.fsum(each.labelled * mean_confidence(each) for each in tally.confidences)
    return (WeightedCells(1.0, tally.vehicle_cells, tally.frame_cells, confidence_sum),)


def fair_cells(tally: Tally) -> tuple[Cell, ...]:
    """The confusion of a fair part of the labelled vehicles: those that slices are made of, of which hours have all."""
    if not tally.weighted:
        return tally.vehicle_cells
    return cells(confusion_of(cell for each in tally.slices if each.dimension == "hour" for cell in each.cells))


def vehicles_of(tally: Tally) -> int:
    """All vehicles of which the model has said something, labelled or not."""
    return sum(each.count for each in tally.confidences)


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
