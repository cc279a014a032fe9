"""A day's report from its camera-days: what stands where, and what a revision changes."""

from dataclasses import replace
from typing import Any

import pytest

from monitor.metrics import cells
from monitor.reporting import changes_between, day_report, headline
from monitor.trust import Trust
from monitor.windows import Calendar
from schemas.records import (
    CameraDay,
    ConfidenceBin,
    DayReport,
    DeviceDay,
    SignalCounts,
    Slice,
    StageLatency,
    Tally,
    WeightedCells,
)

DAY, BEFORE = "2026-03-02", "2026-03-01"
GOOD, BAD = {("car", "car"): 9, ("truck", "car"): 1}, {("car", "car"): 4, ("truck", "car"): 6}


def camera_day(camera: str, counts: dict[tuple[str, str], int], day: str = DAY, **changes: Any) -> CameraDay:
    """Ten labelled vehicles that were all called cars, in the dark; `changes` take the place of the tally's fields."""
    starts_at, ends_at = Calendar("UTC").bounds(day)
    right = counts["car", "car"]
    tally = Tally(
        frames=40,
        passages={"car": 10},
        vehicle_cells=cells(counts),
        label_sources={"ann": 10},
        slices=(Slice("light", "dark", {"car": 10}, cells(counts)),),
        confidences=(ConfidenceBin("car", 47, 10, 9.5, 10, right),),
        signals=(SignalCounts("brightness", 2, 200.0, 20200.0, {"3": 2}),),
        stages=(StageLatency("queue", {"0": 3, "35": 1}),),
    )
    return CameraDay(camera, day, "UTC", 1, starts_at, ends_at, replace(tally, **changes), model_versions=("v1",))


def reported(*parts: CameraDay, **changes: Any) -> DayReport:
    """The first report on a day."""
    values = {"devices": [], "revision": 1, "absent": (), "before": [], "trust": Trust()} | changes
    return day_report(parts, **values)


def test_cameras_are_slices_beside_all_others() -> None:
    """The gap is to those who are not in it; where nobody is, there is none."""
    slices = {each.value: each for each in reported(camera_day("a", GOOD), camera_day("b", BAD)).slices}
    assert (slices["a"].accuracy, slices["a"].gap) == (0.9, pytest.approx(0.5))
    assert slices["b"].gap == pytest.approx(-0.5)
    assert slices["b"].gap_low < -0.5 < slices["b"].gap_high < 0
    assert (slices["dark"].labelled, slices["dark"].gap) == (20, None)
    assert slices["dark"].truths == {"car": 13, "truck": 7}


def test_figures_come_with_intervals_in_order() -> None:
    """A class that was never predicted has no precision, and so no interval of one."""
    found = {each.metric: each for each in reported(camera_day("a", GOOD)).intervals}
    assert list(found) == sorted(found)
    assert found.keys() >= {"accuracy", "f1", "recall:truck", "precision:car"}
    assert "precision:truck" not in found
    assert (found["accuracy"].value, found["accuracy"].n) == (0.9, 10)
    assert found["accuracy"].low < 0.9 < found["accuracy"].high


def test_confidence_stands_beside_accuracy() -> None:
    """Where there are labels; the estimate needs none."""
    report = reported(camera_day("a", BAD))
    (row,) = report.reliability
    assert (row.low, row.high, row.confidence, row.accuracy, row.n) == (0.9, 1.0, pytest.approx(0.95), 0.4, 10)
    assert report.calibration_error == pytest.approx(0.55)
    bins = (ConfidenceBin("car", 47, 10, 9.5, labelled=0, right=0),)
    unknown = reported(camera_day("a", BAD, vehicle_cells=(), slices=(), confidences=bins))
    assert (unknown.reliability, unknown.calibration_error) == ((), None)
    assert unknown.estimate
    assert unknown.estimate.accuracy == pytest.approx(0.95)


def test_signals_are_compared_with_the_same_cameras_days_before() -> None:
    """Another camera's are no reference."""
    before = [camera_day(name, GOOD, BEFORE, signals=()) for name in ("a", "b")]
    before[0] = camera_day("a", GOOD, BEFORE, signals=(SignalCounts("brightness", 2, 100.0, 5200.0, {"2": 2}),))
    report = reported(camera_day("a", GOOD), camera_day("b", GOOD), before=before)
    assert [camera.signals[0].reference for camera in report.cameras] == [50.0, None]


def test_a_device_is_told_with_its_camera() -> None:
    """None where it said nothing."""
    device = DeviceDay(3, (), {"running": 3}, 10, 20, {}, 0)
    part = replace(camera_day("b", GOOD), part="device", tally=Tally(), device=device)
    report = reported(camera_day("a", GOOD), camera_day("b", GOOD), devices=[part])
    assert [camera.device for camera in report.cameras] == [None, device]


def test_stages_have_quantiles_and_labels_what_befell_them() -> None:
    """What did not happen is not told."""
    report = reported(camera_day("a", GOOD, late_labels=2))
    assert [(each.stage, each.p50_ms, each.p99_ms) for each in report.stages] == [
        ("queue", pytest.approx(1.0, rel=0.02), pytest.approx(2.0, rel=0.02))
    ]
    assert report.labels == {"from ann": 10, "late": 2}


def test_a_revision_says_what_it_changes() -> None:
    """Nothing of a first report, and nothing where all is the same."""
    first, second = (
        headline(reported(*parts)) for parts in ([camera_day("a", GOOD)], [camera_day("a", BAD), camera_day("b", GOOD)])
    )
    assert changes_between({}, first) == changes_between(first, first) == ()
    assert changes_between(first, second) == (
        "b joined: 20 vehicles instead of 10.",
        "Accuracy: 9 of 10 (90.0%) before, 13 of 20 (65.0%) now.",
        "Labels from ann: 20 instead of 10.",
    )


def test_a_revision_says_what_is_no_longer_believed() -> None:
    """And what is again; a headline from before that was told is no change."""
    fine = headline(reported(camera_day("a", GOOD)))
    bad = fine | {"broken": True, "behind": ["hour 07", "zone a/left"]}
    assert changes_between(fine, bad) == (
        "The estimate is not to be believed: labels speak against it.",
        "Found to be worse than all others: hour 07, zone a/left.",
    )
    assert changes_between(bad, fine) == (
        "The estimate is to be believed again: labels no longer speak against it.",
        "No longer found to be worse than all others: hour 07, zone a/left.",
    )
    old = {name: value for name, value in fine.items() if name not in ("broken", "behind")}
    assert changes_between(old, bad) == ()


def weighted_day(camera: str = "a", **changes: Any) -> CameraDay:
    """Eight labels of one vehicle each, half of them wrong, and eight right ones that stand for ten."""
    one, ten = {("car", "car"): 4, ("truck", "car"): 4}, {("car", "car"): 8}
    parts = WeightedCells(1.0, cells(one), (), 4.8), WeightedCells(10.0, cells(ten), (), 7.9)
    both = cells({("car", "car"): 12, ("truck", "car"): 4})
    bins = (ConfidenceBin("car", 47, 88, 83.0, 10, 9),)
    told = {"vehicle_cells": both, "weighted": parts, "confidences": bins, "slices": at_seven(GOOD)}
    return camera_day(camera, GOOD, **told, **changes)


def at_seven(counts: dict[tuple[str, str], int]) -> tuple[Slice, ...]:
    """All labelled vehicles passed at one hour."""
    return (Slice("hour", "07", {"car": 10}, cells(counts)),)


def test_weighted_labels_tell_of_the_vehicles_that_they_stand_for() -> None:
    """84 of 88, with an interval of its own, and how many labels of a plain sample would tell as much."""
    report = reported(weighted_day())
    (accuracy,) = (each for each in report.intervals if each.metric == "accuracy")
    assert accuracy.value == report.scores.accuracy == report.cameras[0].scores.accuracy == pytest.approx(84 / 88)
    assert accuracy.low < 84 / 88 <= accuracy.high
    assert (accuracy.n, report.scores.labelled) == (16, 16)
    assert report.scores.effective == report.cameras[0].scores.effective
    assert report.scores.effective != 16
    assert [each.weight for each in report.scores.weighted] == [1.0, 10.0]


def test_of_cameras_labelled_in_different_ways_each_counts_for_its_vehicles() -> None:
    """Ten vehicles of one camera are all labelled; the other's eight labels stand for eighty."""
    report = reported(camera_day("a", BAD, slices=at_seven(BAD)), weighted_day("b"))
    assert report.scores.accuracy == pytest.approx((4 + 84) / 98)
    assert [camera.scores.accuracy for camera in report.cameras] == [0.4, pytest.approx(84 / 88)]
    assert [camera.scores.effective is None for camera in report.cameras] == [True, False]


def test_a_revision_says_what_changes_where_accuracy_does_not() -> None:
    """A bus that was taken for a car, not a truck; and single frames."""
    first = {**headline(reported(camera_day("a", GOOD))), "cells": {"car taken for car": 9, "truck taken for car": 1}}
    second = {**first, "cells": {"car taken for car": 9, "bus taken for car": 1}}
    assert changes_between(first, second) == (
        "Errors are others: bus taken for car 1 instead of 0, truck taken for car 0 instead of 1.",
    )
    third = {**first, "frames": [0, None]}
    assert changes_between(third, {**first, "frames": [20, 0.85]}) == (
        "Frames: none labelled before, 85.0% of 20 labelled ones right now.",
    )


def test_a_revision_of_weighted_labels_says_for_whom_they_stand() -> None:
    first, second = headline(reported(camera_day("a", GOOD))), headline(reported(weighted_day()))
    assert "accuracy" not in first
    assert changes_between(first, second)[0] == (
        "Accuracy: 9 of 10 (90.0%) before, 95.5% of the vehicles that 16 labels stand for now."
    )
