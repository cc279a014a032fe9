"""What is asked for of a day: a fair draw with known chances, what teaches most beside it, and always the same."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from models.archive.examples import Asked, Reach
from models.asking import Candidate, ask, reach_of, weights_of
from models.asking.design import parts
from models.asking.teaching import taught_most
from tests.support.examples import MORNING, a_request, an_example


def candidate(number: int, confidence: float = 0.99, **changes: Any) -> Candidate:
    """A vehicle that the model is sure of; some changes are the candidate's own."""
    own = {name: changes.pop(name) for name in ("embedding", "failed_slice") if name in changes}
    at = MORNING + timedelta(minutes=number)
    return Candidate(an_example(number, **{"confidence": confidence, "at": at, **changes}), **own)


def a_day(vehicles: int = 400, hard: int = 80, seed: int = 1) -> list[Candidate]:
    """Of so many vehicles some are hard."""
    rng = random.Random(seed)
    sure = [rng.uniform(0.5, 0.9) if number < hard else rng.uniform(0.97, 1) for number in range(vehicles)]
    return [candidate(number, confidence) for number, confidence in enumerate(sure)]


def total(asked: Sequence[Asked]) -> float:
    """How many examples they stand for."""
    return sum(each.weight for each in asked)


def vector(*values: float) -> Any:
    """An embedding."""
    return np.array(values, np.float32)


@pytest.mark.parametrize("budget", [1, 3, 10, 60, 150, 399])
def test_the_weights_are_the_days_examples(budget: int) -> None:
    """However few are asked for, each once."""
    asked = ask(a_day(), budget, 5)
    assert total(asked) == pytest.approx(400)
    assert len({each.example_id for each in asked}) == len(asked) == budget


def test_where_there_are_no_more_all_are_asked_for() -> None:
    asked = ask(a_day(20, 5), 50, 5)
    assert [each.weight for each in asked] == [1.0] * 20


def test_the_same_request_gives_the_same_picks() -> None:
    """In whatever order candidates come; another seed gives others."""
    day = a_day()
    assert ask(day, 60, 5) == ask(day[::-1], 60, 5) != ask(day, 60, 6)


def test_every_example_is_drawn_as_often_as_its_weight_says() -> None:
    """The draw is fair: over many seeds each example counts as one."""
    day = a_day(60, 12)
    counts: Counter[str] = Counter()
    for seed in range(1500):
        counts.update({each.example_id: each.weight for each in ask(day, 15, seed)})  # type: ignore[dict-item]
    means = np.array([counts[each.example.example_id] / 1500 for each in day])
    assert means.mean() == pytest.approx(1)
    assert np.abs(means - 1).max() < 0.25


def test_the_estimate_is_unbiased_whatever_the_model_thinks_of_itself() -> None:
    """Of sure vehicles one in five is wrong, of unsure ones none: as mistaken as can be."""
    day = a_day()
    wrong = {each.example.example_id for k, each in enumerate(day) if k >= 80 and k % 5 == 0}
    shares = [sum(e.weight for e in ask(day, 60, seed) if e.example_id in wrong) / 400 for seed in range(300)]
    assert np.mean(shares) == pytest.approx(len(wrong) / 400, abs=0.01)


def test_unsure_examples_are_drawn_more_often() -> None:
    """A label of one stands for fewer."""
    asked = {each.example_id: each.weight for each in ask(a_day(), 60, 5, random_share=1.0)}
    hard = [weight for name, weight in asked.items() if int(name.rpartition("p")[2]) < 80]
    assert len(hard) > 20
    assert max(hard) < max(asked.values()) / 2


def test_a_model_that_knows_nothing_of_its_errors_costs_little() -> None:
    """No weight is more than four times another, where all are drawn by chance."""
    weights = [each.weight for each in ask(a_day(), 60, 5, random_share=1.0)]
    assert max(weights) < 4 * min(weights)


def test_every_beginning_of_a_request_is_a_fair_sample() -> None:
    """Of each weight the first half holds half: whoever stops there has weights that are too small alike."""
    asked = ask(a_day(), 80, 5)
    all_of, half = Counter(e.weight for e in asked), Counter(e.weight for e in asked[:40])
    assert all(abs(half[weight] - n / 2) <= 1 for weight, n in all_of.items())
    assert total(asked[:40]) == pytest.approx(200, rel=0.1)


def test_a_part_of_the_budget_goes_where_a_label_teaches_most() -> None:
    """For certain, standing for itself alone; each kind has its turn, and why it was chosen is said."""
    day = a_day(400, 0)
    day[7] = candidate(7, challenged="truck")
    day[8] = candidate(8, dissent=0.4)
    day[9] = candidate(9, 0.95, failed_slice=True)
    day[10] = candidate(10, 0.55)
    day[11] = candidate(11, 0.0, predicted=None)
    asked = {each.example_id: (each.why, each.weight) for each in ask(day, 40, 5)}
    found = [asked[day[number].example.example_id] for number in range(7, 12)]
    why = ["models disagree", "disagreement", "slice", "uncertain", "uncertain"]
    assert found == [(each, 1.0) for each in why]
    assert Counter(each for each, _ in asked.values())["random"] == 35


def test_what_is_left_of_the_teaching_share_is_drawn_by_chance() -> None:
    """Where the model is sure of all, nothing teaches."""
    assert {each.why for each in ask(a_day(400, 0), 40, 5)} == {"random"}


def test_an_outlier_is_what_lies_far_from_all_others() -> None:
    """Of what was looked at; others are no outliers for not being looked at."""
    rng = np.random.default_rng(3)
    near = [candidate(k, embedding=vector(1, *rng.normal(0, 0.1, 3))) for k in range(30)]
    day = [*near, candidate(30, embedding=vector(-1, 1, 0, 0)), candidate(31)]
    assert taught_most(day, 1) == {30: "outlier"}
    assert 31 not in taught_most(day, 10)


def test_a_near_duplicate_teaches_nothing_new() -> None:
    """Of the same camera, minutes apart; an hour later, or at another camera, it may."""
    same, other = vector(1, 0, 0), vector(0, 1, 0)
    day = [
        candidate(0, 0.5, embedding=same),
        candidate(1, 0.55, embedding=same * 2),
        candidate(2, 0.6, embedding=other),
        candidate(62, 0.65, embedding=same),
        candidate(4, 0.7, embedding=same, camera_id="ramp"),
        candidate(5, 0.75),
    ]
    assert list(taught_most(day, 10)) == [0, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("doubts", "labels"), [([0.3] * 50, 20), ([0.0] * 49 + [0.5], 10), ([0.0] * 300, 5), ([0.5, 0.0], 1)]
)
def test_all_labels_are_given_out(doubts: list[float], labels: int) -> None:
    """No part is without a label, none has more labels than vehicles, every vehicle is in one part."""
    found = parts(doubts, labels)
    assert sum(part.labels for part in found) == labels
    assert all(1 <= part.labels <= len(part.places) for part in found)
    assert sorted(place for part in found for place in part.places) == list(range(len(doubts)))


@pytest.mark.parametrize("labels", [0, 4])
def test_impossible_numbers_of_labels_are_refused(labels: int) -> None:
    with pytest.raises(ValueError, match=f"{labels} labels of 3 candidates"):
        parts([0.1, 0.2, 0.3], labels)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"budget": 0}, "a budget of 0"),
        ({"random_share": 0.0}, "a random share of 0.0"),
        ({"candidates": [candidate(1), candidate(1)]}, "there twice"),
    ],
)
def test_nonsense_is_refused(changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        ask(**{"candidates": [candidate(1)], "budget": 5, "seed": 1, **changes})


def test_two_requests_of_one_day_weigh_by_their_labels() -> None:
    """Sixty and twenty of a hundred: three parts and one; what both drew has all; another day has its own."""
    first = a_request(*(f"gate:e:p{k}" for k in range(60)))
    second = a_request(*(f"gate:e:p{k}" for k in range(50, 70)), request_id="second")
    elsewhere = a_request("gate:f:p1", request_id="third", day="2026-11-24")
    weights = weights_of([first, second, elsewhere])
    assert weights["gate:e:p0"] == pytest.approx(5 * 60 / 80)
    assert weights["gate:e:p55"] == pytest.approx(5)
    assert weights["gate:e:p65"] == pytest.approx(5 * 20 / 80)
    assert weights["gate:f:p1"] == 5
    assert weights_of([first]) == dict.fromkeys((each.example_id for each in first.asked), 5.0)


def test_a_request_has_no_part_in_what_it_did_not_reach() -> None:
    """One of all day and all cameras, one of one camera's morning: the evening and the other camera are the first one's."""
    nine, noon, night = (datetime(2026, 11, 23, hour, tzinfo=UTC) for hour in (9, 12, 21))
    asked = (Asked("gate:e:p9", "random", 5.0, nine), Asked("gate:e:p21", "random", 5.0, night))
    other = Asked("roof:e:p9", "random", 5.0, nine)
    first = a_request(asked=(*asked, other), reach={camera: Reach(nine, night) for camera in ("gate", "roof")})
    second = a_request(asked=asked[:1], request_id="second", population=50, reach={"gate": Reach(nine, noon)})
    both = {"gate:e:p9": 5.0, "gate:e:p21": 5.0, "roof:e:p9": 5.0}
    assert weights_of([first, second]) == pytest.approx(both)
    assert weights_of([first, replace(second, asked=())]) == pytest.approx(both)
    parts = weights_of([first, replace(second, asked=(Asked("gate:e:p10", "random", 5.0, nine),))])
    assert parts == pytest.approx({**both, "gate:e:p9": 5 * 3 / 5, "gate:e:p10": 5 * 2 / 5})


@pytest.mark.parametrize("reached", [(0, 400), (0, 250), (150, 400)])
def test_labels_of_two_requests_are_unbiased_together(reached: tuple[int, int]) -> None:
    """Over many draws their weighted mean is the day's accuracy, as it is of one, whatever part of the day the first reached."""
    day, rng = a_day(), random.Random(7)
    wrong = {each.example.example_id for each in day[:80] if rng.random() < 0.6}
    means = [_accuracy(day, slice(*reached), wrong, (seed, seed + 1000)) for seed in range(300)]
    spread = np.std(means) / np.sqrt(len(means))
    assert np.mean(means) == pytest.approx(1 - len(wrong) / len(day), abs=4 * spread)


def _accuracy(day: Sequence[Candidate], first: slice, wrong: set[str], seeds: Sequence[int]) -> float:
    reached = (day[first], day)
    requests = [
        a_request(
            request_id=str(seed),
            asked=tuple(ask(some, budget, seed)),
            population=len(some),
            reach=reach_of(each.example for each in some),
        )
        for some, budget, seed in zip(reached, (30, 60), seeds, strict=True)
    ]
    weights = weights_of(requests)
    return sum(weight for name, weight in weights.items() if name not in wrong) / sum(weights.values())
