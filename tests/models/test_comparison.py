"""The sequential comparison: what its e-values are, what it answers, and how seldom it is wrong."""

import json

import numpy as np
import pytest

from benchmarks.paired_comparison import Case, simulate
from models.comparison import (
    ON_BETTER,
    ON_NOT_BETTER,
    Bets,
    Comparison,
    Counts,
    Outcome,
    Rule,
    confidence_sequence,
    evidence,
    folded,
    log_e_better,
    log_e_not_better,
    log_wealth,
)

CHAMPION, CHALLENGER, BOTH = (True, False), (False, True), (True, True)


def outcomes(*parts: tuple[tuple[bool, bool], int], label: str = "car", camera: str = "gate") -> list[Outcome]:
    """Return so many of each kind, in order."""
    return [Outcome(label, camera, *right) for right, count in parts for _ in range(count)]


def mixed(seed: int, champion: int, challenger: int, both: int, **where: str) -> list[Outcome]:
    """Return so many of each kind, shuffled."""
    made = outcomes((CHAMPION, champion), (CHALLENGER, challenger), (BOTH, both), **where)
    return [made[k] for k in np.random.default_rng(seed).permutation(len(made))]


def test_an_e_value_is_a_mixture_of_likelihood_ratios() -> None:
    """Three wins and one loss, for stakes of .2 and .6, worked out by hand."""
    found = np.exp(log_wealth(3, 1, 9, 0.0, Bets((0.2, 0.6), (0.5, 0.5))))
    assert found == pytest.approx((1.2**3 * 0.8 + 1.6**3 * 0.4) / 2)


@pytest.mark.parametrize("mean", [-0.03, 0.0, 0.01, 0.5])
@pytest.mark.parametrize("bets", [ON_BETTER, ON_NOT_BETTER])
def test_no_bet_makes_money_on_average(mean: float, bets: Bets) -> None:
    """Over one vehicle's results with that mean, the expected wealth is what the player began with."""
    win, loss = 0.3 + mean / 2, 0.3 - mean / 2
    shares = (win, loss, 0.4)
    wealth = [np.exp(log_wealth(*result, mean, bets)) for result in ((1, 0, 0), (0, 1, 0), (0, 0, 1))]
    assert np.dot(shares, wealth) == pytest.approx(1)
    assert sum(bets.shares) == pytest.approx(1)


def test_vehicles_that_both_get_right_or_wrong_say_nothing_of_who_is_better() -> None:
    few = folded(Comparison(), mixed(1, 20, 30, 0))
    many = folded(Comparison(), mixed(1, 20, 30, 500))
    assert evidence(few).e_better == pytest.approx(evidence(many).e_better)


def test_a_better_challenger_is_promoted_at_the_first_label_that_suffices() -> None:
    comparison = folded(Comparison(), outcomes((CHALLENGER, 60)))
    assert comparison.decision is not None
    assert comparison.decision.answer == "promote"
    first = comparison.decision.labels
    assert log_e_better(first, 0) >= Rule().enough > log_e_better(first - 1, 0)


def test_a_decision_stands() -> None:
    """What comes after it changes the counts, not the answer."""
    comparison = folded(Comparison(), outcomes((CHALLENGER, 60), (CHAMPION, 200)))
    assert evidence(comparison).answer == "promote"
    assert evidence(comparison).counts.champion == 200


def test_a_worse_challenger_is_not_kept_waiting_for_all_labels() -> None:
    comparison = folded(Comparison(), outcomes((CHAMPION, 60)))
    assert comparison.decision is not None
    assert (comparison.decision.answer, comparison.decision.reason) == ("keep", "not better")


def test_the_champion_is_kept_when_labels_are_used_up() -> None:
    comparison = folded(Comparison(Rule(most_labels=50)), mixed(2, 5, 5, 40))
    assert comparison.decision is not None
    assert (comparison.decision.reason, comparison.decision.labels) == ("labels used up", 50)


def test_the_answer_is_where_the_confidence_sequence_lies() -> None:
    """Promote is an interval above 0, keep one below the margin: the same wealth read twice."""
    for counts in (Counts(400, 10, 60, 20), Counts(400, 10, 28, 20), Counts(900, 30, 10, 20), Counts(50, 5, 9, 2)):
        low, high = confidence_sequence(counts, 0.01)
        assert low <= counts.difference <= high
        enough = Rule().enough
        assert (low > 0) == (log_e_better(counts.challenger, counts.champion) > enough)
        found = log_e_not_better(counts.challenger, counts.champion, counts.alike, 0.01)
        assert (high < 0.01) == (found > enough)


def test_without_labels_everything_is_possible() -> None:
    found = evidence(Comparison())
    assert (found.answer, found.low, found.high, found.labels_wanted) == ("not yet", -1, 1, None)


def test_labels_still_wanted_are_those_that_it_takes_at_the_same_rates() -> None:
    """After as many more of the same kind, the answer is there, and not long before."""
    comparison = folded(Comparison(), mixed(3, 4, 16, 180))
    found = evidence(comparison)
    assert found.labels_wanted is not None
    assert found.heading_for == "promote"
    scale = (200 + found.labels_wanted) / 200
    assert log_e_better(np.array([16 * scale]), np.array([4 * scale])) == pytest.approx(Rule().enough, abs=0.1)


def test_a_challenger_that_is_worse_on_one_camera_is_told() -> None:
    """Better on the whole, and significantly worse at the bridge."""
    gate, bridge = mixed(4, 10, 200, 500), mixed(5, 30, 2, 60, label="truck", camera="bridge")
    found = evidence(folded(Comparison(), [*gate, *bridge]))
    assert found.answer == "promote"
    assert [(part.kind, part.name) for part in found.slices if part.worse] == [("class", "truck"), ("camera", "bridge")]
    assert any("camera bridge" in warning for warning in found.warnings)


def test_a_corrected_label_counts_as_what_it_is_now() -> None:
    before, after = Outcome("car", "gate", True, False), Outcome("truck", "gate", False, True)
    comparison = Comparison().with_outcome(before).with_revision(before, after)
    assert comparison.counts == Counts(challenger=1)
    assert [part.name for part in evidence(comparison).slices] == ["truck", "gate"]
    assert comparison.revised == 1


def test_a_label_that_was_taken_back_counts_no_longer() -> None:
    """A dozen wins and their withdrawal leave what there was before, and are told."""
    made = outcomes((CHALLENGER, 12), (BOTH, 3))
    comparison = folded(Comparison(), made)
    for outcome in made[:12]:
        comparison = comparison.with_revision(outcome, None)
    assert (comparison.counts, comparison.revised, comparison.decision) == (Counts(both=3), 12, None)
    assert evidence(comparison).warnings == ("labels corrected or taken back after they were counted: 12",)


def test_a_comparison_continues_from_its_snapshot() -> None:
    """Through JSON, in the middle, with the same end."""
    made = mixed(6, 20, 60, 200)
    half = Comparison.restore(json.loads(json.dumps(folded(Comparison(), made[:100]).snapshot())))
    assert folded(half, made[100:]) == folded(Comparison(), made)


@pytest.mark.parametrize("wrong", [{"alpha": 0.0}, {"alpha": 0.7}, {"margin": -0.1}, {"most_labels": 0}])
def test_a_rule_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} is"):
        Rule(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("difference", [-0.03, -0.01])
def test_worse_challengers_are_hardly_ever_promoted_however_often_one_looks(difference: float) -> None:
    """A small version of the benchmark: 200 comparisons, looked at after each of 3,000 labels."""
    found = simulate(Case(0.9, difference, 0.5), Rule(), 200, np.random.default_rng(1))
    assert found.promoted <= 2


def test_three_points_are_found_within_three_thousand_labels() -> None:
    found = simulate(Case(0.9, 0.03, 0.5), Rule(), 200, np.random.default_rng(2))
    assert found.promoted >= 180
    assert found.kept == 0


def test_looking_often_at_an_ordinary_test_is_what_this_spares() -> None:
    """McNemar's test at 5 % promotes far more than 5 % of challengers that are just as good."""
    found = simulate(Case(0.9, 0.0, 0.5), Rule(), 200, np.random.default_rng(3))
    assert found.naive > 20
    assert found.promoted <= 4
