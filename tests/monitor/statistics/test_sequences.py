"""Evidence over days: what it is worked out by hand, what moves it, and how seldom it is false."""

import math
import random

import numpy as np
import pytest

from benchmarks.alarms import Case, simulate
from monitor.metrics import wilson
from monitor.statistics.intervals import lower_bound
from monitor.statistics.sequences import (
    ALPHA,
    HORIZON,
    ODDS,
    STARTS,
    TOLERANCE,
    below,
    confidence_sequence,
    log_ratio,
    log_wealth,
    under,
    worse,
)

GOOD, BAD = (43, 50), (22, 50)


def test_evidence_is_a_mixture_of_likelihood_ratios() -> None:
    """Three of five right against a floor of a half: a lower accuracy has odds of exp(-difference)."""
    ratios = [(2 / (1 + math.exp(odds))) ** 3 * (2 / (1 + math.exp(-odds))) ** 2 for odds, _ in ODDS]
    wealth = sum(part * ratio for (_, part), ratio in zip(ODDS, ratios, strict=True))
    assert under([(3, 5)], 0.5).log_e == pytest.approx(math.log(wealth / (HORIZON + STARTS - 1)))


def test_every_day_begins_a_player() -> None:
    """Two days: one player bet on both, one on the second, with equal parts."""
    wealth = math.exp(log_wealth(50, 100, 0.6)) + math.exp(log_wealth(20, 50, 0.6))
    assert under([(30, 50), (20, 50)], 0.6).log_e == pytest.approx(math.log(wealth / (HORIZON + STARTS - 1)))


@pytest.mark.parametrize("odds", [odds for odds, _ in ODDS])
@pytest.mark.parametrize("floor", [0.1, 0.6, 0.99, 1.0])
def test_no_bet_makes_money_on_average(odds: float, floor: float) -> None:
    """At the floor the player keeps what it has, with more right labels it loses."""
    right, wrong = (math.exp(log_ratio(k, 1, floor, odds)) for k in (1, 0))
    assert floor * right + (1 - floor) * wrong == pytest.approx(1)
    assert right < wrong
    assert sum(part for _, part in ODDS) == pytest.approx(1)


def test_the_order_of_a_days_labels_does_not_matter() -> None:
    """A player who bets label by label owns the same at the end of the day."""
    labels = [1] * 31 + [0] * 19
    random.Random(1).shuffle(labels)
    assert sum(log_ratio(label, 1, 0.6, 0.7) for label in labels) == pytest.approx(log_ratio(31, 50, 0.6, 0.7))


def test_a_fall_is_found_and_dated() -> None:
    """After forty good days, on the third bad one."""
    fired = [below([GOOD] * 40 + [BAD] * days, 0.6).fires for days in (1, 2, 3)]
    found = below([GOOD] * 40 + [BAD] * 3, 0.6)
    assert fired == [False, False, True]
    assert (found.since, found.right, found.n) == (40, 66, 150)
    assert found.threshold == pytest.approx(math.log(1 / ALPHA))


def test_only_the_last_starts_count() -> None:
    """What was before them may be forgotten."""
    recent = [GOOD] * (STARTS - 3) + [BAD] * 3
    assert below([BAD] * 50 + recent, 0.6).log_e == below(recent, 0.6).log_e


def test_evidence_ends_with_the_fall() -> None:
    """A week later accuracy is no more below the floor."""
    assert not below([GOOD] * 40 + [BAD] * 3 + [GOOD] * 7, 0.6).fires


def test_one_more_wrong_label_is_more_evidence() -> None:
    values = [below([GOOD, (right, 50)], 0.6).log_e for right in range(50, -1, -1)]
    assert values == sorted(values)


def test_a_higher_floor_is_sooner_left() -> None:
    values = [below([BAD], floor).log_e for floor in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)]
    assert values == sorted(values)


def test_a_late_label_counts_with_its_day() -> None:
    """The same as if it had come in time."""
    late = below([GOOD, (18, 48), BAD], 0.6)
    assert late.log_e > below([GOOD, (18, 45), BAD], 0.6).log_e
    assert late.n == 98


@pytest.mark.parametrize("days", [[], [(0, 0)], [(0, 0)] * 90])
def test_without_labels_there_is_no_evidence(days: list[tuple[int, int]]) -> None:
    found = below(days, 0.6)
    assert (found.fires, found.since, found.right, found.n) == (False, None, 0, 0)


def test_a_day_without_labels_changes_nothing_but_who_bets() -> None:
    """Evidence is dated from the first bad day, whatever follows or stands between."""
    found = below([GOOD] * 5 + [(0, 0), BAD, (0, 0), BAD, BAD, (0, 0)], 0.6)
    assert (found.fires, found.since, found.n) == (True, 6, 150)


@pytest.mark.parametrize("floor", [0.0, -0.2])
def test_a_floor_of_nothing_is_never_left(floor: float) -> None:
    assert not under([(0, 1000)] * 90, floor).fires


def test_worse_is_below_the_references_lower_bound() -> None:
    """Half of alpha is the bound's, half the bets'."""
    found = worse([GOOD, BAD], 715, 841)
    assert found == under([GOOD, BAD], lower_bound(715, 841, ALPHA / 2), ALPHA / 2)
    assert found.floor == pytest.approx(0.8242, abs=1e-4)


def test_a_smaller_reference_proves_less() -> None:
    values = [worse([BAD], 17 * n, 20 * n).log_e for n in (1, 5, 40, 500)]
    assert values == sorted(values)


def test_without_a_reference_nothing_is_worse() -> None:
    assert not worse([(0, 50)] * 9, 0, 0).fires


def test_a_margin_lowers_the_floor() -> None:
    assert worse([BAD], 715, 841, 0.05).floor == pytest.approx(worse([BAD], 715, 841).floor - 0.05)


def test_a_longer_horizon_wants_more() -> None:
    assert below([BAD] * 3, 0.6, horizon=365).log_e < below([BAD] * 3, 0.6, horizon=30).log_e


@pytest.mark.parametrize(
    ("case", "least", "most"),
    [
        (Case(0.60 + TOLERANCE), 0, 10),
        (Case(0.85, reference_n=350), 0, 10),
        (Case(0.85, 0.40, within=3), 170, 200),
        (Case(0.85, 0.55, within=2, reference_n=350), 170, 200),
    ],
    ids=lambda case: case.name if isinstance(case, Case) else "",
)
def test_alarms_are_seldom_false_and_soon_right(case: Case, least: int, most: int) -> None:
    """A small version of the benchmark: 200 streams, looked at after each of 50 labels a day."""
    found = simulate(case, 200, np.random.default_rng(1))
    assert least <= found.at_days <= found.at_labels <= most


def test_the_point_rule_is_often_false() -> None:
    """What the evidence is for: at a true 65 %, below 60 % is a matter of days."""
    assert simulate(Case(0.65), 50, np.random.default_rng(1)).point == 50


@pytest.mark.parametrize(("right", "n"), [(43, 50), (430, 500), (1, 3)])
def test_a_confidence_sequence_is_wider_than_an_interval_for_one_look(right: int, n: int) -> None:
    (low, high), (narrow_low, narrow_high) = confidence_sequence(right, n), wilson(right, n)
    assert low < narrow_low < right / n < narrow_high < high


def test_the_ends_of_a_confidence_sequence() -> None:
    """Where a bettor with Jeffreys' prior has won 1 / alpha; one right label leaves everything above a fortieth."""
    assert confidence_sequence(0, 0) == (0, 1)
    assert confidence_sequence(1, 1) == (pytest.approx(0.5 * ALPHA, abs=1e-5), 1)
    assert confidence_sequence(0, 1) == (0, pytest.approx(1 - 0.5 * ALPHA, abs=1e-5))


def test_a_confidence_sequence_holds_the_truth_at_all_times() -> None:
    """Of 200 days looked at after each of 60 labels, hardly any is ever wrong."""
    drawn = np.random.default_rng(2).random((200, 60)) < 0.85
    missed = 0
    for day in np.cumsum(drawn, axis=1).tolist():
        ends = (confidence_sequence(right, n) for n, right in enumerate(day, start=1))
        missed += any(not low <= 0.85 <= high for low, high in ends)
    assert missed <= 10
