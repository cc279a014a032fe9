"""Failures in groups: one for each cause, what it costs, what its members have in common, and what would help."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from models.failures.analysis import analysed
from models.failures.groups import Analysis, Group, Judged
from tests.support.failures import DIRTY, a_day, a_vehicle, by_id, by_night, dirty, strange


def three_causes() -> dict[str, Judged]:
    """Dirt at the gate, grain by night at two cameras, trucks of a new kind at all."""
    night = {**by_night("ramp"), **by_night("street")}
    kinds = {**strange("gate", 1, 2), **strange("ramp"), **strange("street")}
    return {**a_day(), **kinds, **dirty(), **night}


def groups_of(day: Mapping[str, Judged]) -> dict[str, Group]:
    """The groups, by what helps first."""
    return {group.advice[0].remedy: group for group in analysed([*day.values()]).groups}


def failed(day: Mapping[str, Judged]) -> set[str]:
    """Ids."""
    return {name for name, each in day.items() if each.failed}


def found_in(day: Mapping[str, Judged]) -> Analysis:
    """Of the whole day."""
    return analysed([*day.values()])


def test_each_cause_has_a_group_of_its_own() -> None:
    """What befalls several cameras is one group all the same."""
    found = groups_of(three_causes())
    assert set(found["camera"].members) == failed(dirty())
    assert set(found["augmentation"].members) == failed({**by_night("ramp"), **by_night("street")})
    assert {member.split(":")[0] for member in found["labels"].members} == {"gate", "ramp", "street"}


def test_one_cause_is_one_group() -> None:
    """Nothing is divided for the sake of dividing."""
    day = {**a_day(), **by_night("ramp"), **by_night("street")}
    (group,) = found_in(day).groups
    assert set(group.members) == failed(day)


def test_a_group_says_what_it_costs() -> None:
    """In points of accuracy, and as a share of all failures, by weight; the dearest comes first."""
    day = {**a_day(), **dirty(), **{k: replace(v, weight=4.0) for k, v in by_night("ramp").items()}}
    found = found_in(day)
    total = 300 + 24 * 3
    assert [group.advice[0].remedy for group in found.groups] == ["augmentation", "camera"]
    assert [group.cost for group in found.groups] == pytest.approx([48 / total, 12 / total])
    assert [group.loss for group in found.groups] == pytest.approx([0.8, 0.2])
    assert found.accuracy == pytest.approx(1 - 60 / total)


def test_traits_tell_the_cause() -> None:
    """Where, and how its pictures look, with the shares inside and outside."""
    traits = {(trait.dimension, trait.value): trait for trait in groups_of(three_causes())["camera"].traits}
    assert {("camera", "gate"), ("contrast", "low"), ("blur", "strong")} <= set(traits)
    assert traits["camera", "gate"].inside == 1.0
    assert traits["camera", "gate"].outside == pytest.approx(88 / 288)


def test_traits_tell_the_hours() -> None:
    """From the first hour to the end of the last."""
    (group,) = found_in({**a_day(vehicles=180), **dirty()}).groups
    assert ("hours", "09–12") in [(trait.dimension, trait.value) for trait in group.traits]


def test_a_name_says_what_is_confused_and_where() -> None:
    found = groups_of(three_causes())
    assert found["camera"].name.startswith("cars taken for trucks, gate, ")
    assert found["augmentation"].name.startswith("trucks taken for cars, ")
    assert found["camera"].confusions == {("car", "truck"): 12}


def test_abstentions_are_failures_too() -> None:
    mute = {k: replace(v, example=replace(v.example, predicted=None)) for k, v in dirty().items() if v.failed}
    (group,) = found_in({**a_day(), **mute}).groups
    assert group.name.startswith("cars not recognised, gate")
    assert group.confusions == {("car", None): 12}


def test_the_failure_rate_is_that_of_what_looks_the_same() -> None:
    """In the dirt every second vehicle fails, and what the network sees is the same; clear hours do not count."""
    seen = a_vehicle(1, picture=DIRTY).embedding
    (group,) = found_in({**a_day(), **{k: replace(v, embedding=seen) for k, v in dirty().items()}}).groups
    assert 0.3 <= group.failure_rate <= 0.7


def test_what_has_nothing_in_common_is_single() -> None:
    """One odd failure joins no group, and each failure is somewhere exactly once."""
    odd = by_id([_odd()])
    day = {**a_day(), **dirty(), **odd}
    found = found_in(day)
    assert found.single == tuple(odd)
    assert sorted([*found.single, *(m for group in found.groups for m in group.members)]) == sorted(failed(day))


def _odd() -> Judged:
    return replace(a_vehicle(7, "street", "car", fails=True), embedding=np.full(8, 9, np.float32))


def test_failures_by_chance_are_no_cause() -> None:
    """Spread over all cameras, hours and classes, among right ones that are just the same: no group, no trait."""
    rng, groups = random.Random(3), 0
    for _ in range(10):
        day = [_turned(each) if rng.random() < 0.1 else each for each in a_day().values()]
        groups += len(analysed(day).groups)
    assert groups <= 2


def _turned(each: Judged) -> Judged:
    other = {"car": "truck", "truck": "car"}[each.truth]
    return replace(each, example=replace(each.example, predicted=other))


def test_the_order_of_what_was_judged_does_not_matter() -> None:
    day = [*three_causes().values()]
    shuffled = random.Random(5).sample(day, len(day))
    assert analysed(day, seed=3) == analysed(shuffled, seed=3)


@pytest.mark.parametrize("failures", [0, 1, 2, 3])
def test_few_failures(failures: int) -> None:
    """Each is somewhere, and nothing is made of one or two."""
    some = dict(list({k: v for k, v in dirty().items() if v.failed}.items())[:failures])
    found = found_in({**a_day(), **some})
    assert found.failed == failures
    assert len(found.single) + sum(len(group.members) for group in found.groups) == failures
    assert not found.groups or failures == 3


def test_nothing_judged() -> None:
    assert analysed([]) == Analysis(0, 0, None, (), ())


def test_all_failed() -> None:
    """There is nothing right to compare with: they are grouped all the same, and cost everything."""
    found = found_in({k: v for k, v in three_causes().items() if v.failed})
    assert found.accuracy == 0.0
    assert sum(group.cost for group in found.groups) > 0.9


@pytest.mark.parametrize("missing", ["all", "some"])
def test_embeddings_may_be_missing(missing: str) -> None:
    """Pictures and scenes still tell dirt from night."""
    day = {**a_day(), **dirty(), **by_night("ramp")}
    without = {
        k: replace(v, embedding=np.zeros(0, np.float32)) if missing == "all" or number % 7 == 0 else v
        for number, (k, v) in enumerate(day.items())
    }
    groups = found_in(without).groups
    assert failed(dirty()) in [set(group.members) for group in groups]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"embedding": np.full(8, np.nan, np.float32)}, "gate:2026-11-23:p3: 8 of its 8 numbers are not finite"),
        ({"embedding": np.zeros(5, np.float32)}, "embeddings of 5 and 8 numbers"),
        ({"weight": 0.0}, "gate:2026-11-23:p3 has a weight of 0.0"),
        ({"weight": float("nan")}, "gate:2026-11-23:p3 has a weight of nan"),
    ],
)
def test_nonsense_is_refused_by_name(changes: dict[str, Any], fault: str) -> None:
    day = [*a_day(("gate",), 20).values()]
    day[3] = replace(day[3], **changes)
    with pytest.raises(ValueError, match=fault):
        analysed(day)


def test_an_example_that_is_there_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="p1 was judged more than once"):
        analysed([a_vehicle(1), a_vehicle(1)])


def test_vehicles_without_pictures_are_grouped_by_what_else_is_known() -> None:
    bare = [replace(each, example=replace(each.example, frames=())) for each in three_causes().values()]
    assert len(analysed(bare).groups) >= 2


def test_thousands_of_failures() -> None:
    """Some are clustered, the others follow; none is lost, and the same seed gives the same groups."""
    day: Sequence[Judged] = [
        *a_day(("gate", "ramp"), 300).values(),
        *dirty("gate", 1000, 2100).values(),
        *by_night("ramp", 1000, 2100).values(),
    ]
    found = analysed(day, seed=4)
    assert {len(group.members) for group in found.groups} == {1050}
    assert found == analysed(day, seed=4)
