"""The report on a day, from its camera-days and those of the days before.

camera-days ─► sums ─► scores with intervals, slices beside all others, latencies by stage
                   └─► confidences beside the reference's ─► accuracy without labels, calibration
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from monitor.calibration import reliability
from monitor.estimation import Estimate
from monitor.metrics import accuracy, confusion_of, scores
from monitor.quantiles import quantile_ms
from monitor.reference import compared
from monitor.statistics.discoveries import Counts
from monitor.statistics.intervals import Figure, difference, share
from monitor.statistics.weighted import effective, figures, scale_of, strata_of
from monitor.tallies import added, by_weight, fair_cells, vehicles_of
from monitor.trust import Trust
from schemas.records import (
    CameraDay,
    CameraScores,
    DayReport,
    EstimatedAccuracy,
    Interval,
    Reliability,
    Scores,
    SignalScores,
    Slice,
    SliceScores,
    StageLatency,
    StageScores,
    Tally,
)

SIGNAL_DAYS = 7
"Days before one that its signals are compared with: what a season changes is no drift."


def day_report(
    parts: Sequence[CameraDay],
    devices: Sequence[CameraDay],
    *,
    revision: int,
    absent: tuple[str, ...],
    before: Sequence[CameraDay],
    trust: Trust,
) -> DayReport:
    """The report on a day.

    Args:
        parts: Its cameras, sorted by name; one at least.
        devices: Their devices, as far as they are known, sorted likewise.
        revision: Of the report, from 1.
        absent: Cameras seen the day before that sent nothing.
        before: Camera-days of the days before, in order.
        trust: What labels have said of estimates and slices so far; the day's own are taken into it, anew in a revision.

    """
    first, total = parts[0], added(part.tally for part in parts)
    slices = (*_camera_slices(parts), *total.slices)
    estimated = trust.take(first.day, _models(parts), total, before)
    found = trust.look(first.day, {_name(each): _counts(each, total) for each in slices if each.cells})
    told = reliability(total.confidences)
    return DayReport(
        day=first.day,
        timezone=first.timezone,
        revision=revision,
        starts_at=first.starts_at,
        ends_at=first.ends_at,
        scores=_scores(total),
        cameras=_cameras(parts, devices, before),
        absent=absent,
        model_versions=_models(parts),
        intervals=tuple(sorted(_intervals(total), key=lambda each: each.metric)),
        estimate=_estimate(estimated),
        reliability=tuple(_reliability(told.rows)),
        calibration_error=told.calibration_error,
        slices=tuple(_slice_scores(each, total, found) for each in sorted(slices, key=_place)),
        stages=tuple(_stages(total.stages)),
        labels=_labels(total),
    )


def _scores(tally: Tally) -> Scores:
    found = scores(tally)
    strata = strata_of(found.weighted)
    if not strata:
        return found
    return replace(found, effective=effective(strata, scale_of(strata, vehicles_of(tally))))


def _models(parts: Iterable[CameraDay]) -> tuple[str, ...]:
    return tuple(sorted({version for part in parts for version in part.model_versions}))


def _cameras(
    parts: Sequence[CameraDay], devices: Sequence[CameraDay], before: Sequence[CameraDay]
) -> tuple[CameraScores, ...]:
    by_name = {part.camera_id: part for part in devices}
    reference = _last_days(before, SIGNAL_DAYS)
    signals = compared(
        {part.camera_id: part.tally.signals for part in parts},
        {part.camera_id: [day.tally.signals for day in reference if day.camera_id == part.camera_id] for part in parts},
    )
    return tuple(_camera(part, by_name.get(part.camera_id), signals[part.camera_id]) for part in parts)


def _last_days(before: Sequence[CameraDay], count: int) -> list[CameraDay]:
    days = sorted({part.day for part in before})[-count:]
    return [part for part in before if part.day in days]


def _camera(part: CameraDay, device: CameraDay | None, signals: tuple[SignalScores, ...]) -> CameraScores:
    found = (*part.findings, *(device.findings if device else ()))
    return CameraScores(
        camera_id=part.camera_id,
        scores=_scores(part.tally),
        findings=tuple(sorted(found, key=lambda finding: (finding.found_at, finding.finding_id))),
        signals=signals,
        device=device.device if device else None,
        worst=part.worst,
    )


def _intervals(total: Tally) -> Iterator[Interval]:
    found = figures(by_weight(total), vehicles_of(total))
    means = {"accuracy": found.accuracy, "f1": found.f1, "precision": found.precision, "recall": found.recall}
    yield from _told(means)
    for each in found.classes:
        figure = {f"f1:{each.label}": each.f1, f"precision:{each.label}": each.precision}
        yield from _told(figure | {f"recall:{each.label}": each.recall})


def _told(named: Mapping[str, Figure]) -> Iterator[Interval]:
    for name, figure in named.items():
        if figure.value is not None:
            yield Interval(name, figure.value, figure.low, figure.high, figure.n)


def _estimate(found: Estimate | None) -> EstimatedAccuracy | None:
    if found is None:
        return None
    return EstimatedAccuracy(found.accuracy, found.low, found.high, found.n, found.class_mix, found.breaks or "")


def _reliability(rows: Iterable[Any]) -> Iterator[Reliability]:
    for row in rows:
        if row.n:
            yield Reliability(row.low, row.high, row.confidence, row.accuracy, row.n)


def _stages(stages: Iterable[StageLatency]) -> Iterator[StageScores]:
    for each in stages:
        p50, p95, p99 = (quantile_ms(each.buckets, part) or 0.0 for part in (0.50, 0.95, 0.99))
        yield StageScores(each.stage, p50, p95, p99)


def _labels(total: Tally) -> dict[str, int]:
    befell = {
        "contradicted": total.contradicted,
        "late": total.late_labels,
        "unmatched": total.unmatched_labels,
        "withdrawn": total.withdrawn,
    }
    return {f"from {source}": n for source, n in total.label_sources.items()} | {k: n for k, n in befell.items() if n}


# Slices


def _place(each: Slice) -> tuple[str, str]:
    return each.dimension, each.value


def _camera_slices(parts: Iterable[CameraDay]) -> Iterator[Slice]:
    for part in parts:
        yield Slice("camera", part.camera_id, part.tally.passages, fair_cells(part.tally))


def _name(each: Slice) -> str:
    return f"{each.dimension}={each.value}"


def _counts(each: Slice, total: Tally) -> Counts:
    """The slice beside all others."""
    confusion, everyone = confusion_of(each.cells), confusion_of(fair_cells(total))
    right, n = _right(confusion), sum(confusion.values())
    return Counts(right, n, _right(everyone) - right, sum(everyone.values()) - n)


def _slice_scores(each: Slice, total: Tally, found: frozenset[str]) -> SliceScores:
    confusion, counts = confusion_of(each.cells), _counts(each, total)
    right, n, rest, others = counts.right, counts.n, counts.rest_right, counts.rest_n
    figure, (gap_low, gap_high) = share(right, n), difference(right, n, rest, others)
    truths: dict[str, int] = {}
    for (truth, _), count in confusion.items():
        truths[truth] = truths.get(truth, 0) + count
    return SliceScores(
        dimension=each.dimension,
        value=each.value,
        passages=each.passages,
        labelled=n,
        accuracy=accuracy(confusion),
        low=figure.low,
        high=figure.high,
        gap=right / n - rest / others if n and others else None,
        gap_low=gap_low,
        gap_high=gap_high,
        truths=dict(sorted(truths.items())),
        discovered=_name(each) in found,
    )


def _right(confusion: Mapping[tuple[str, str], int]) -> int:
    return sum(n for (truth, predicted), n in confusion.items() if truth == predicted)


# Revisions


def headline(report: DayReport) -> dict[str, Any]:
    """What a report says, in a few figures; accuracy where it does not follow from the counts."""
    weighted = {"accuracy": report.scores.accuracy} if report.scores.weighted else {}
    return weighted | {
        "cameras": [camera.camera_id for camera in report.cameras],
        "passages": report.scores.passages,
        "labelled": report.scores.labelled,
        "right": _right(confusion_of(report.scores.confusion)),
        "cells": {f"{cell.truth} taken for {cell.predicted}": cell.count for cell in report.scores.confusion},
        "frames": [report.scores.labelled_frames, report.scores.frame_accuracy],
        "labels": report.labels,
        "broken": bool(report.estimate and report.estimate.breaks),
        "behind": [f"{each.dimension} {each.value}" for each in report.slices if each.discovered],
    }


def changes_between(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    """What a revision changes, a sentence each; nothing for the first report."""
    return tuple(_changes(old, new)) if old else ()


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    if joined := sorted(set(new["cameras"]) - set(old["cameras"])):
        yield f"{', '.join(joined)} joined: {new['passages']} vehicles instead of {old['passages']}."
    if _told_of_labels(old) != _told_of_labels(new):
        yield f"Accuracy: {_accuracy(old)} before, {_accuracy(new)} now."
    else:
        yield from _changes_within(old, new)
    for name in sorted({*old["labels"], *new["labels"]}):
        before, after = old["labels"].get(name, 0), new["labels"].get(name, 0)
        if before != after:
            yield f"Labels {name}: {after} instead of {before}."
    yield from _changes_of_trust(old, new)


def _changes_within(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """What is another error, or about single frames, and leaves accuracy as it was."""
    cells, before = new["cells"], old.get("cells", new["cells"])
    counts = {name: (before.get(name, 0), cells.get(name, 0)) for name in sorted({*before, *cells})}
    changed = [f"{name} {now} instead of {then}" for name, (then, now) in counts.items() if then != now]
    if changed:
        yield f"Errors are others: {', '.join(changed)}."
    if new["frames"] != old.get("frames", new["frames"]):
        yield f"Frames: {_frames(old)} before, {_frames(new)} now."


def _changes_of_trust(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """What earlier versions of the monitor told no headline about is no change."""
    before, behind = old.get("broken", new["broken"]), old.get("behind", new["behind"])
    if new["broken"] and not before:
        yield "The estimate is not to be believed: labels speak against it."
    if before and not new["broken"]:
        yield "The estimate is to be believed again: labels no longer speak against it."
    if found := [name for name in new["behind"] if name not in behind]:
        yield f"Found to be worse than all others: {', '.join(found)}."
    if gone := [name for name in behind if name not in new["behind"]]:
        yield f"No longer found to be worse than all others: {', '.join(gone)}."


def _told_of_labels(told: Mapping[str, Any]) -> tuple[Any, ...]:
    return told["right"], told["labelled"], told.get("accuracy")


def _frames(told: Mapping[str, Any]) -> str:
    labelled, right = told["frames"]
    return f"{right:.1%} of {labelled} labelled ones right" if labelled else "none labelled"


def _accuracy(told: Mapping[str, Any]) -> str:
    if not told["labelled"]:
        return "no labels"
    if "accuracy" in told:
        return f"{told['accuracy']:.1%} of the vehicles that {told['labelled']} labels stand for"
    return f"{told['right']} of {told['labelled']} ({told['right'] / told['labelled']:.1%})"
