"""Intervals of shares, of F1, of means over classes and of differences: published values, edges and coverage."""

import numpy as np
import pytest

from monitor.metrics import scores, wilson
from monitor.statistics.intervals import Figure, difference, figures, lower_bound, share
from schemas.records import Cell, Tally

CONFUSION = {("car", "car"): 80, ("car", "truck"): 10, ("truck", "car"): 5, ("truck", "truck"): 25}


def inside(figure: Figure, truth: float) -> bool:
    """Whether the interval holds the truth."""
    return figure.low <= truth <= figure.high


def test_a_share_has_its_n_and_wilsons_interval() -> None:
    """81 of 263: Newcombe (1998, Statistics in Medicine 17:857), method 3."""
    found = share(81, 263)
    assert (found.value, found.n) == (81 / 263, 263)
    assert (found.low, found.high) == (pytest.approx(0.2553, abs=1e-4), pytest.approx(0.3662, abs=1e-4))


@pytest.mark.parametrize(("right", "n", "low"), [(81, 263, 0.2527), (15, 148, 0.0578), (0, 20, 0.0), (29, 29, 0.8806)])
def test_the_exact_lower_bound(right: int, n: int, low: float) -> None:
    """Newcombe's (1998) table of Clopper and Pearson's intervals."""
    assert lower_bound(right, n, 0.025) == pytest.approx(low, abs=1e-4)


def test_the_exact_lower_bound_is_where_so_many_right_ones_are_as_rare_as_alpha() -> None:
    """All of five right: the fifth root of alpha."""
    assert lower_bound(5, 5, 0.05) == pytest.approx(0.05**0.2, abs=1e-8)
    assert lower_bound(0, 0, 0.05) == 0


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [((56, 70, 48, 80), 0.0524, 0.3339), ((9, 10, 3, 10), 0.1705, 0.8090), ((10, 10, 0, 20), 0.6791, 1.0)],
)
def test_a_difference_of_shares(counts: tuple[int, int, int, int], low: float, high: float) -> None:
    """Newcombe (1998, Statistics in Medicine 17:873), method 10."""
    assert difference(*counts) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


def test_a_difference_from_nothing_may_be_anything() -> None:
    assert difference(3, 4, 0, 0) == difference(0, 0, 3, 4) == (-1, 1)


def test_figures_are_those_of_the_report() -> None:
    """The values, beside their intervals, are what `monitor.metrics.scores` says."""
    found = figures(CONFUSION)
    told = scores(Tally(vehicle_cells=tuple(Cell(*pair, n) for pair, n in CONFUSION.items())))
    shown = [found.accuracy.value, found.precision.value, found.recall.value, found.f1.value]
    assert shown == pytest.approx([told.accuracy, told.precision, told.recall, told.f1])
    assert [c.f1.value for c in found.classes] == pytest.approx([c.f1 for c in told.classes])


def test_f1_is_a_share_of_the_vehicles_that_the_class_touches() -> None:
    """25 trucks found of 40 that are trucks or were taken for one: F1 is 2 x / (1 + x) of 25 / 40 and of its bounds."""
    f1 = figures(CONFUSION).classes[1].f1
    low, high = wilson(25, 40)
    assert f1.n == 40
    assert (f1.value, f1.low, f1.high) == pytest.approx((50 / 65, 2 * low / (1 + low), 2 * high / (1 + high)))


def test_precision_and_recall_rest_on_their_own_vehicles() -> None:
    truck = figures(CONFUSION).classes[1]
    assert (truck.precision.n, truck.recall.n) == (35, 30)
    assert (truck.recall.low, truck.recall.high) == wilson(25, 30)


def test_the_mean_of_one_class_is_that_class() -> None:
    """Nothing is combined, so nothing is lost."""
    found = figures({("car", "car"): 9})
    assert (found.recall.low, found.recall.high) == pytest.approx(wilson(9, 9))


def test_a_class_never_predicted_has_no_precision_and_does_not_count_in_the_mean() -> None:
    found = figures({("car", "car"): 9, ("truck", "car"): 1})
    truck = found.classes[1].precision
    assert (truck.value, truck.low, truck.high, truck.n) == (None, 0, 1, 0)
    assert found.precision.value == pytest.approx(0.9)


def test_nothing_labelled_may_be_anything() -> None:
    found = figures({})
    assert found.accuracy == found.f1 == Figure(None, 0, 1, 0)
    assert found.classes == ()


def test_means_of_a_perfect_sample_still_have_an_interval() -> None:
    """Its own spread is nothing, the classes' bounds are not."""
    found = figures({("car", "car"): 40, ("truck", "truck"): 10})
    assert found.f1.high == 1
    assert found.classes[1].f1.low < found.f1.low < found.classes[0].f1.low


@pytest.mark.parametrize("n", [50, 200, 1000])
def test_intervals_hold_the_truth_as_often_as_they_say(n: int) -> None:
    """Of 1,000 samples, a fifth trucks, 90 and 80 % of cars and trucks right; by chance 93.5 % at least."""
    shares = {("car", "car"): 0.72, ("car", "truck"): 0.08, ("truck", "car"): 0.04, ("truck", "truck"): 0.16}
    truck, car = 0.32 / 0.44, 1.44 / 1.56
    held = []
    for counts in np.random.default_rng(n).multinomial(n, list(shares.values()), size=1000).tolist():
        found = figures(dict(zip(shares, counts, strict=True)))
        held.append((inside(found.classes[1].f1, truck), inside(found.f1, (truck + car) / 2)))
    assert (np.mean(held, axis=0) > 0.93).all()
