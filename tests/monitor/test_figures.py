"""Confusion matrices, their merging, and quantiles of latencies."""

import random
from dataclasses import replace

import pytest

from monitor.metrics import cells, scores, wilson
from monitor.quantiles import bucket_of, merged, quantile_ms
from monitor.tallies import added
from schemas.records import Tally, WeightedCells

CONFUSION = {("car", "car"): 8, ("car", "truck"): 2, ("truck", "truck"): 3, ("truck", "car"): 1}


def test_figures_follow_from_the_confusion_matrix() -> None:
    """Worked out by hand."""
    found = scores(Tally(vehicle_cells=cells(CONFUSION)))
    car, truck = found.classes
    assert (found.labelled, found.accuracy) == (14, pytest.approx(11 / 14))
    assert (car.precision, car.recall, car.support) == (pytest.approx(8 / 9), pytest.approx(0.8), 10)
    assert truck.f1 == pytest.approx(2 * 0.6 * 0.75 / 1.35)
    assert found.recall == pytest.approx((0.8 + 0.75) / 2)


def test_nothing_labelled_gives_no_figures() -> None:
    """None, not zero: nobody knows."""
    found = scores(Tally(frames=10, confidence_sum=9.0))
    assert (found.accuracy, found.precision, found.f1, found.flip_rate) == (None, None, None, None)
    assert found.mean_confidence == pytest.approx(0.9)


def test_a_class_that_was_never_predicted_has_no_precision() -> None:
    """Its recall is zero, and its F1."""
    truck = scores(Tally(vehicle_cells=cells({("truck", "car"): 5}))).classes[1]
    assert (truck.precision, truck.recall, truck.f1) == (None, 0.0, 0.0)


def test_tallies_add() -> None:
    """Cells and buckets of the same place are summed."""
    one = Tally(frames=2, passages={"car": 1}, vehicle_cells=cells(CONFUSION), latency_buckets={"10": 2})
    two = added([one, one, Tally(passages={"truck": 1}, latency_buckets={"-3": 1})])
    assert (two.frames, two.passages) == (4, {"car": 2, "truck": 1})
    assert sum(cell.count for cell in two.vehicle_cells) == 28
    assert two.latency_buckets == {"-3": 1, "10": 4}


def test_quantiles_are_exact_to_two_percent_after_merging() -> None:
    """Against the sorted values themselves."""
    rng = random.Random(3)
    values = [rng.lognormvariate(2, 1) for _ in range(5000)]
    parts: list[dict[str, int]] = [{}, {}]
    for i, value in enumerate(values):
        bucket = str(bucket_of(value))
        parts[i % 2][bucket] = parts[i % 2].get(bucket, 0) + 1
    for share in (0.5, 0.95, 0.99):
        exact = sorted(values)[int(share * len(values)) - 1]
        assert quantile_ms(merged(parts), share) == pytest.approx(exact, rel=0.02)


def test_no_values_have_no_quantile() -> None:
    """None, not zero."""
    assert quantile_ms({}, 0.5) is None


def test_wilson_bounds_a_share() -> None:
    """30 of 50, as in the literature's tables."""
    assert wilson(30, 50) == pytest.approx((0.4618, 0.7239), abs=1e-3)
    assert wilson(0, 0) == (0.0, 1.0)


def test_shares_are_those_of_the_vehicles_that_labels_stand_for() -> None:
    """10 labels of weight 1 and 4 of weight 10, by hand; counts are of labels, and frames go by the same weights."""
    one, ten = {("car", "car"): 6, ("truck", "car"): 4}, {("car", "car"): 3, ("truck", "truck"): 1}
    parts = [(1.0, one, {("car", "car"): 1, ("car", "truck"): 1}), (10.0, ten, {("car", "car"): 2})]
    weighted = tuple(WeightedCells(weight, cells(some), cells(frames), 1.0) for weight, some, frames in parts)
    both = cells({("car", "car"): 9, ("truck", "car"): 4, ("truck", "truck"): 1})
    found = scores(
        Tally(vehicle_cells=both, frame_cells=cells({("car", "car"): 3, ("car", "truck"): 1}), weighted=weighted)
    )
    car, truck = found.classes
    assert found.accuracy == pytest.approx((6 + 40) / 50)
    assert (car.precision, truck.recall) == (pytest.approx(36 / 40), pytest.approx(10 / 14))
    assert (car.support, car.predicted, found.labelled, found.confusion) == (9, 13, 14, both)
    assert (found.frame_accuracy, found.labelled_frames) == (pytest.approx(21 / 22), 4)
    assert found.weighted == weighted


def test_labels_of_one_weight_are_told_as_if_they_had_none() -> None:
    """Whatever the weight is."""
    plain = Tally(vehicle_cells=cells(CONFUSION))
    assert scores(replace(plain, weighted=(WeightedCells(12.5, cells(CONFUSION), (), 9.0),))) == scores(plain)
