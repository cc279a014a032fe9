"""What rules cost: as simulations find it, and as the promise says."""

import math

import numpy as np
import pytest

from monitor.rules import shipped_rules
from monitor.rules.chances import chance_of_an_alarm, days_until, days_until_proof
from monitor.rules.explaining import explained
from tests.monitor.rules.days import a_report, a_rule, broken


@pytest.mark.parametrize(("n", "chance"), [(50, 0.186), (100, 0.125), (500, 0.009)])
def test_the_plain_rule_is_wrong_as_often_as_was_measured(n: int, chance: float) -> None:
    """At a true 65 %, with a threshold of 60 %."""
    assert chance_of_an_alarm(a_rule(), 0.65, n) == pytest.approx(chance, abs=5e-4)


def test_a_chance_is_what_judging_many_days_gives() -> None:
    """A confidence bound, two days in a row: 4,000 days."""
    rule = a_rule(bound="confidence", for_days=2)
    right = np.random.default_rng(7).binomial(40, 0.45, 4000)
    told = broken((rule,), [a_report(number, {"a": (int(count), 40)}) for number, count in enumerate(right[:400])])
    chance = chance_of_an_alarm(rule, 0.45, 40)
    spread = math.sqrt(2 * chance * (1 - chance) / 400)
    assert abs(sum(map(bool, told)) / 400 - chance) < 4 * spread


def test_days_until_an_alert_count_the_days_in_a_row() -> None:
    """At 40 % nearly every day is broken: the row decides."""
    assert [days_until(a_rule(for_days=days), 0.4, 100) for days in (1, 2, 5)] == [1, 2, 5]
    assert days_until(a_rule(), 0.95, 100) is None


def test_evidence_notices_a_fall_on_few_labels_that_a_day_alone_cannot_tell() -> None:
    rule = a_rule(bound="anytime")
    days = [days_until_proof(rule, 0.4, 0.9, n) or 99 for n in (10, 25, 50, 500)]
    assert days[0] < 14
    assert days == sorted(days, reverse=True)
    assert days[-2:] == [2, 1]
    assert days_until_proof(rule, 0.62, 0.9, 50) is None


def test_steady_days_raise_none_of_the_shipped_rules() -> None:
    """Ninety days of four cameras at 90 %, with forty labels a day each."""
    rng, rules = np.random.default_rng(11), shipped_rules(0.6, 50)
    days = [a_report(day, {name: (int(rng.binomial(40, 0.9)), 40) for name in "abcd"}) for day in range(90)]
    assert not any(broken(rules, days))


def test_a_fall_that_stays_above_the_threshold_is_noticed() -> None:
    """From 95 to 80 % on day 30: worse than the reference, told on the fourth day."""
    rng, rules = np.random.default_rng(12), shipped_rules(0.6, 50)
    shares = [0.95] * 30 + [0.8] * 10
    days = [
        a_report(day, {name: (int(rng.binomial(50, share)), 50) for name in "abcd"}) for day, share in enumerate(shares)
    ]
    told = broken(rules, days)
    assert next((day, names) for day, names in enumerate(told) if names) == (33, ["worse-than-reference"])


def test_every_shipped_rule_is_explained() -> None:
    """In sentences that name what it looks at and when it fires; numbers where there are any."""
    for rule in shipped_rules(0.6, 50):
        explanation = explained(rule)
        assert explanation.sentences[0].startswith(f"It looks at {rule.measure.what} of ")
        assert explanation.sentences[1].startswith(f"It fires ({rule.severity}) when ")
        assert bool(explanation.catches) == (rule.metric == "accuracy")
