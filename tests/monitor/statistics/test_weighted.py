"""Labels that stand for different numbers of vehicles: as before where they do not, fair and honest where they do."""

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest

from monitor.metrics import cells, wilson
from monitor.statistics import intervals
from monitor.statistics.sequences import under
from monitor.statistics.weighted import (
    Stratum,
    class_strata,
    effective,
    fair_count,
    figures,
    scale_of,
    strata_of,
    value_of,
    weighed_share,
)
from schemas.records import WeightedCells

DAY = [Stratum(12.5, 32, 32, 0.005), Stratum(3.0, 14, 10, 0.2), Stratum(2.0, 12, 7, 0.35)]
"58 labels of 466 vehicles."
CONFUSION = {("car", "car"): 80, ("car", "truck"): 10, ("truck", "car"): 5, ("truck", "truck"): 25}

Sampled = tuple[float, list[Stratum]]


def part(weight: float, confusion: dict[tuple[str, str], int], confidence: float = 0.9) -> WeightedCells:
    """Labels of one weight."""
    return WeightedCells(weight, cells(confusion), (), confidence * sum(confusion.values()))


def sampled(days: int, wrong: tuple[float, ...], drawn: tuple[int, ...], seed: int) -> Iterator[Sampled]:
    """Days of three parts of 400, 100 and 50 vehicles, of which so many are drawn: their accuracy, and their labels."""
    rng, sizes = np.random.default_rng(seed), (400, 100, 50)
    for _ in range(days):
        found = [rng.random(size) < p for size, p in zip(sizes, wrong, strict=True)]
        seen = [int(rng.choice(part, n, replace=False).sum()) for part, n in zip(found, drawn, strict=True)]
        labels = zip(sizes, drawn, seen, wrong, strict=True)
        yield 1 - np.concatenate(found).mean(), [Stratum(size / n, n, n - k, p) for size, n, k, p in labels]


@pytest.mark.parametrize("weight", [1.0, 12.5])
def test_labels_of_one_weight_are_a_plain_sample(weight: float) -> None:
    """To the last bit: interval, effective number, and all figures."""
    same = [Stratum(weight, 20, 19, 0.1), Stratum(weight, 10, 9)]
    assert weighed_share(same) == intervals.share(28, 30)
    assert effective(same) == fair_count(same) == 30
    assert figures([part(weight, CONFUSION)], 500) == intervals.figures(CONFUSION)


def test_the_share_is_that_of_the_vehicles_that_labels_stand_for() -> None:
    """400 + 30 + 14 of 466, by hand; a plain share of these labels would be 84 %."""
    found = weighed_share(DAY)
    assert found.value == value_of(DAY) == pytest.approx(444 / 466)
    assert found.low < 444 / 466 < found.high
    assert found.n == 58


def test_what_is_labelled_without_exception_leaves_nothing_open() -> None:
    """Wrong ones among all that are hard are certain, and so is what is left: only the others may be anything."""
    easy = Stratum(10.0, 40, 40, 0.001)
    worse, better = (weighed_share([easy, Stratum(1.0, 100, right, 0.4)]) for right in (60, 100))
    assert (worse.high, better.high) == (pytest.approx(460 / 500), 1.0)
    assert worse.high - worse.low == pytest.approx(better.high - better.low)


def test_the_model_is_believed_where_it_is_sure_and_not_where_it_is_not() -> None:
    """Its word narrows an interval; hardly, where it has doubts."""
    found = [weighed_share([Stratum(10.0, 40, 40, doubt), DAY[2]]) for doubt in (0.001, 0.3, None)]
    sure, unsure, unknown = (each.high - each.low for each in found)
    assert sure < 0.9 * unknown
    assert unsure == pytest.approx(unknown, rel=0.05)


@pytest.mark.parametrize(
    ("wrong", "drawn"),
    [
        ((0.005, 0.2, 0.4), (30, 15, 15)),
        ((0.005, 0.2, 0.4), (40, 30, 50)),
        ((0.02, 0.1, 0.3), (30, 20, 10)),
        ((0.001, 0.01, 0.3), (25, 10, 25)),
        ((0.05, 0.3, 0.5), (60, 30, 30)),
    ],
)
def test_intervals_hold_the_days_accuracy(wrong: tuple[float, ...], drawn: tuple[int, ...]) -> None:
    """In 93 of 100 days and more, but for chance; so do Wilson's of the effective number."""
    held = Counter[str]()
    for accuracy, strata in sampled(1000, wrong, drawn, 7):
        found, worth = weighed_share(strata), effective(strata)
        low, high = wilson(value_of(strata) * worth, worth)
        held["shortest"] += found.low - 1e-9 <= accuracy <= found.high + 1e-9
        held["wilson"] += low <= accuracy <= high
    assert min(held.values()) >= 0.92 * 1000


def test_labels_are_worth_more_than_a_plain_sample_where_they_were_asked_for_well() -> None:
    """And less where many vehicles stand behind few labels of what is often wrong."""
    assert effective(DAY) > 2 * 58
    assert effective([Stratum(20.0, 10, 6), Stratum(2.0, 48, 48)]) < 58 / 2
    assert fair_count(DAY) == pytest.approx(466 / 12.5)


def test_who_stops_half_way_knows_less() -> None:
    """Half of each weight's labels, of as many vehicles: the same share, a wider interval than weights alone would tell."""
    half = [Stratum(each.weight, each.n // 2, each.right // 2, each.doubt) for each in DAY]
    scale = scale_of(half, 466)
    assert scale == pytest.approx(466 / (466 / 2), rel=0.02)
    assert scale_of(DAY, 400) == 1
    taken, told = weighed_share(half), weighed_share(half, scale)
    assert told.value == taken.value
    assert told.high - told.low > taken.high - taken.low
    assert effective(half, scale) < effective(half)


def test_of_millions_of_vehicles_several_count_as_one() -> None:
    """No memory for each; the interval is that of a thousand times fewer, which leave as much open."""
    few, many = ([Stratum(each.weight * k, each.n, each.right, each.doubt) for each in DAY] for k in (1e3, 1e6))
    one, other = weighed_share(few), weighed_share(many)
    assert (one.low, one.high) == (pytest.approx(other.low, abs=2e-3), pytest.approx(other.high, abs=2e-3))


def test_a_classs_figures_are_weighted_as_well() -> None:
    """25 × 12 + 3 trucks of 30 × 12 + 6 are found; precision and F1 likewise, and means over classes."""
    parts = [part(1.0, {("car", "car"): 4, ("truck", "truck"): 3, ("truck", "car"): 3}), part(12.0, CONFUSION)]
    found = {each.label: each for each in figures(parts, 2000).classes}
    assert found["truck"].recall.value == pytest.approx((25 * 12 + 3) / (30 * 12 + 6))
    assert found["truck"].precision.value == pytest.approx((25 * 12 + 3) / (35 * 12 + 3))
    assert (found["truck"].recall.n, found["truck"].precision.n) == (36, 38)
    recalls = [found[label].recall.value or 0.0 for label in ("car", "truck")]
    assert figures(parts, 2000).recall.value == pytest.approx(np.mean(recalls))


def test_what_has_no_labels_is_left_out() -> None:
    """A weight that only frames have; a class that no label of a weight touches."""
    frames = WeightedCells(2.0, (), cells({("car", "car"): 5}), 0.0)
    assert [each.weight for each in strata_of([frames, part(3.0, CONFUSION)])] == [3.0]
    assert class_strata([part(3.0, CONFUSION)], "bus", intervals.RECALL) == []


def test_bets_on_weighted_labels_are_as_seldom_wrong_as_on_plain_ones() -> None:
    """At the floor itself, each label as its weight by the heaviest: of spans of 30 days at most one in twenty fires."""
    rng, fired = np.random.default_rng(11), 0
    for _ in range(150):
        days = sampled(30, (0.05, 0.3, 0.5), (25, 15, 10), int(rng.integers(2**32)))
        counts = [(value_of(strata) * fair_count(strata), fair_count(strata)) for _, strata in days]
        floor = 1 - (400 * 0.05 + 100 * 0.3 + 50 * 0.5) / 550
        fired += any(under(counts[:day], floor).fires for day in range(1, 31))
    assert fired <= 0.05 * 150
