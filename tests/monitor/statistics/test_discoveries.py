"""Slices worse than the rest: what is bet, what is found, in which order, and how seldom falsely."""

import json
import math

import numpy as np
import pytest

from benchmarks.slices import Case, simulate
from monitor.statistics.discoveries import AT_ONCE, BETS, Counts, Plan, Search
from monitor.statistics.intervals import difference

PLAN = Plan(slices=3, horizon=5)
TABLES = {
    "gate": Counts(170, 200, 1675, 2000),
    "noon": Counts(100, 200, 1745, 2000),
    "truck": Counts(168, 200, 1677, 2000),
}
EVEN = {name: Counts(170, 200, 1700, 2000) for name in TABLES}


def after(*days: dict[str, Counts], plan: Plan = PLAN) -> Search:
    """Return a search with these days."""
    search = Search(plan)
    for day in days:
        search = search.with_day(day)
    return search


def test_wealth_is_what_bets_against_the_days_share_of_both_have_won() -> None:
    """One day: the first player's part, times the ratio; later players' parts are still in the pocket."""
    found = after(TABLES).discoveries()[0]
    means = [1 - 1845 / 2200 * (1 - math.exp(-odds)) for odds, _ in BETS]
    won = sum(part * math.exp(-odds * 100) / mean**200 for (odds, part), mean in zip(BETS, means, strict=True))
    assert found.log_e == pytest.approx(math.log(AT_ONCE * won + 1 - AT_ONCE))


def test_a_slice_that_is_worse_is_found_with_its_gap() -> None:
    """50 % where the rest has 87 %."""
    (found,) = after(TABLES).discoveries()
    assert (found.name, found.found, found.since, found.counts) == ("noon", 0, 0, TABLES["noon"])
    assert found.gap == pytest.approx(1745 / 2000 - 0.5)
    assert (found.low, found.high) == difference(1745, 2000, 100, 200)
    assert found.low > 0


def test_slices_as_good_as_the_rest_are_not_found() -> None:
    assert after(*[EVEN] * 5).discoveries() == ()


def test_a_slice_that_is_better_is_not_found() -> None:
    assert after(*[{"dawn": Counts(200, 200, 1000, 2000)}] * 5).discoveries() == ()


def test_a_bad_day_for_all_says_nothing_of_a_slice() -> None:
    """Half of one slice's labels fall on a day of fog, a tenth of the rest's: pooled, it would look worse by far."""
    fog, clear = {"dawn": Counts(100, 200, 100, 200)}, {"dawn": Counts(180, 200, 1800, 2000)}
    assert after(fog, clear).discoveries() == ()
    assert difference(1900, 2200, 280, 400)[0] > 0


def test_a_slice_that_becomes_worse_is_found_and_dated() -> None:
    """Three good days before do not hide it."""
    (found,) = after(EVEN, EVEN, EVEN, TABLES).discoveries()
    assert (found.name, found.found, found.since, found.counts.n) == ("noon", 3, 3, 200)


def test_the_strongest_evidence_comes_first_whatever_the_order_of_the_tables() -> None:
    tables = {**TABLES, "dusk": Counts(90, 200, 1755, 2000)}
    one = after(tables, plan=Plan(4)).discoveries()
    other = after(dict(reversed(tables.items())), plan=Plan(4)).discoveries()
    assert one == other
    assert [discovery.name for discovery in one] == ["dusk", "noon"]


def test_what_is_found_stays_found_as_it_was() -> None:
    """Better days do not take it back."""
    assert after(TABLES, EVEN, EVEN).discoveries() == after(TABLES).discoveries()


def test_each_slice_found_asks_less_of_the_next() -> None:
    """A slice that is not found by itself is found together with a worse one, which leaves it half as much to prove."""
    weak, strong = Counts(145, 200, 1700, 2000), Counts(100, 200, 1700, 2000)
    plan = Plan(slices=45)
    assert [found.name for found in after({"b": weak}, plan=plan).discoveries()] == []
    assert [found.name for found in after({"a": strong, "b": weak}, plan=plan).discoveries()] == ["a", "b"]
    assert [found.found for found in after({"a": strong}, {"b": weak}, plan=plan).discoveries()] == [0, 1]


def test_more_slices_ask_for_more() -> None:
    weak = {"b": Counts(149, 200, 1700, 2000)}
    assert [bool(after(weak, plan=Plan(slices)).discoveries()) for slices in (1, 10_000)] == [True, False]


def test_all_begins_anew_after_the_horizon() -> None:
    search = after(TABLES, EVEN, EVEN, EVEN, EVEN)
    assert [found.name for found in search.discoveries()] == ["noon"]
    assert search.with_day(EVEN) == after(EVEN)


def test_a_slice_without_labels_or_without_a_rest_is_not_judged() -> None:
    """It neither wins nor loses."""
    search = after({"a": Counts(0, 0, 900, 1000), "b": Counts(0, 50, 0, 0)})
    assert search.slices["a"] == search.slices["b"]
    assert search.slices["a"].wealth == pytest.approx([math.log(AT_ONCE)] * len(BETS))


def test_a_slice_first_seen_later_has_what_earlier_players_had() -> None:
    """As if it had been there without labels."""
    late, silent = after(EVEN, TABLES), after({**EVEN, "dusk": Counts()}, TABLES, plan=Plan(4, horizon=5))
    shown = late.with_day({}).slices["noon"].wealth
    assert silent.with_day({}).slices["noon"].wealth == shown
    early, later = after({"a": Counts()}, {"a": TABLES["noon"]}), after({}, {"a": TABLES["noon"]})
    assert early.slices["a"].wealth == pytest.approx(later.slices["a"].wealth)


@pytest.mark.parametrize("days", [1, 3, 5])
def test_a_search_continues_from_its_snapshot(days: int) -> None:
    """Through JSON, in the middle, with the same end."""
    half = after(*[TABLES, EVEN, TABLES, EVEN, TABLES][:days])
    restored = Search.restore(json.loads(json.dumps(half.snapshot())))
    assert restored == half
    assert restored.with_day(TABLES).discoveries() == half.with_day(TABLES).discoveries()


def test_more_slices_than_planned_are_refused() -> None:
    """They would make the promise untrue."""
    with pytest.raises(ValueError, match="4 slices: planned are 3 at most"):
        after({**TABLES, "dusk": Counts()})


@pytest.mark.parametrize("wrong", [{"slices": 0}, {"alpha": 0.0}, {"horizon": 1}])
def test_a_plan_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} is"):
        Plan(**{"slices": 9, **wrong})  # type: ignore[arg-type]


def test_hardly_any_slice_found_is_false() -> None:
    """A small version of the benchmark: 100 months without and with worse slices."""
    quiet = simulate(Case(0.85, overlapping=True), 100, np.random.default_rng(1))
    mixed = simulate(Case(0.90, 5), 100, np.random.default_rng(2))
    assert quiet.any_false <= 5
    assert mixed.false_share <= 0.05
    assert mixed.found[-1] > 0.95
