"""What the entries of a history make together, and what may come next."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from models.registry.history import (
    NOTHING,
    Action,
    Alias,
    Entry,
    State,
    Step,
    check,
    fold,
    follow,
    overriding,
    resolve,
    rollback_step,
    until,
)
from schemas.errors import ModelRegistryError

START = datetime(2026, 11, 23, 8, tzinfo=UTC)
SHA = "ab" * 32


def step(action: Action, version: str, alias: Alias | None = None, **more: object) -> Step:
    """Return a step of somebody's."""
    made = Step(
        action, version, START, "ann@host", alias=alias, manifest_sha256=SHA if action == "registered" else None
    )
    return replace(made, **more)


def told(*steps: Step) -> list[Entry]:
    """Return a history, an entry a minute, in which each step was allowed when it came."""
    entries: list[Entry] = []
    state = NOTHING
    for number, given in enumerate(steps, 1):
        entry = Entry(number, "", replace(given, at=START + timedelta(minutes=number)))
        check(state, entry.step)
        entries.append(entry)
        state = follow(state, entry)
    return entries


def approved(*versions: str) -> list[Step]:
    """Return registrations and approvals."""
    registered = [step("registered", version) for version in versions]
    return [*registered, *(step("qualified", version, approved=True) for version in versions)]


def champions(*versions: str) -> list[Step]:
    """Return the steps after which each was champion, in order."""
    return [*approved(*dict.fromkeys(versions)), *(step("promoted", version, "champion") for version in versions)]


def holders(state: State) -> dict[str, str]:
    """Return the version of each alias."""
    return {alias: holder.version for alias, holder in state.holders.items()}


def rolled_back(entries: list[Entry], alias: Alias = "champion") -> list[Entry]:
    """Return the history after a rollback."""
    back = rollback_step(fold(entries), alias, at=START + timedelta(days=1), by="ann@host")
    check(fold(entries), back)
    return [*entries, Entry(len(entries) + 1, "", back)]


def test_a_version_begins_unqualified_and_without_alias() -> None:
    known = fold(told(step("registered", "a"))).versions["a"]
    assert (known.qualified, known.aliases, known.approved) == (None, (), False)


def test_the_newest_qualification_counts() -> None:
    entries = told(*approved("a"), step("qualified", "a", approved=False))
    assert not fold(entries).versions["a"].approved


def test_a_promotion_moves_the_alias() -> None:
    state = fold(told(*champions("a", "b")))
    assert holders(state) == {"champion": "b"}
    assert [known.aliases for known in state.versions.values()] == [(), ("champion",)]


def test_a_challenger_that_becomes_champion_is_challenger_no_more() -> None:
    steps = [*champions("a"), *approved("b"), step("promoted", "b", "challenger", share=0.25)]
    assert fold(told(*steps)).holders["challenger"].share == 0.25
    assert holders(fold(told(*steps, step("promoted", "b", "champion")))) == {"champion": "b"}


def test_nobody_is_challenger_after_a_withdrawal() -> None:
    steps = [*champions("a"), *approved("b"), step("promoted", "b", "challenger"), step("withdrawn", "b", "challenger")]
    state = fold(told(*steps))
    assert holders(state) == {"champion": "a"}
    with pytest.raises(ModelRegistryError, match="nobody is challenger"):
        rollback_step(state, "challenger", at=START, by="ann@host")


def test_rolling_back_goes_further_back_each_time() -> None:
    first = rolled_back(told(*champions("a", "b", "c")))
    assert holders(fold(first)) == {"champion": "b"}
    second = rolled_back(first)
    assert holders(fold(second)) == {"champion": "a"}
    third = rolled_back(second)
    assert third[-1].step.action == "withdrawn"
    assert holders(fold(third)) == {}
    with pytest.raises(ModelRegistryError, match="nobody is champion"):
        rolled_back(third)


def test_the_first_challenger_is_not_rolled_back() -> None:
    with pytest.raises(ModelRegistryError, match="b is the first challenger"):
        rollback_step(fold(told(*CHALLENGED)), "challenger", at=START, by="ann@host")


def test_a_promotion_after_a_rollback_goes_back_to_who_was_before_it() -> None:
    entries = rolled_back(told(*champions("a", "b"), *approved("c")))
    entries = [*entries, Entry(len(entries) + 1, "", step("promoted", "c", "champion"))]
    assert holders(fold(rolled_back(entries))) == {"champion": "a"}


def test_a_champion_that_comes_back_is_challenger_no_more() -> None:
    entries = told(*champions("a", "b"), step("promoted", "a", "challenger"))
    assert holders(fold(rolled_back(entries))) == {"champion": "a"}


def test_another_share_for_the_challenger_is_no_other_holder() -> None:
    steps = [*approved("a", "b"), step("promoted", "a", "challenger", share=0.5)]
    steps += [step("promoted", "b", "challenger", share=share) for share in (0.1, 0.9)]
    entries = told(*steps)
    assert fold(entries).holders["challenger"].share == 0.9
    state = fold(rolled_back(entries, "challenger"))
    assert (holders(state), state.holders["challenger"].share) == ({"challenger": "a"}, 0.5)


def test_the_state_of_a_past_time_is_that_of_the_entries_until_then() -> None:
    entries = told(*champions("a", "b"))
    past = until(entries, entries[-1].step.at - timedelta(seconds=1))
    assert holders(fold(past)) == {"champion": "a"}
    assert until(entries, START) == []


def test_an_entry_of_a_clock_that_is_behind_stays_after_the_one_before_it() -> None:
    entries = told(*approved("a", "b"))
    behind = Entry(5, "", step("promoted", "a", "champion", at=START))
    assert len(until([*entries, behind], entries[-1].step.at - timedelta(seconds=1))) == 3


CHALLENGED = (*champions("a"), *approved("b", "c"), step("promoted", "b", "challenger", share=0.25))
REFUSED = {
    "unknown version": (step("promoted", "x", "champion"), "x is not registered; the newest are a, b, c, d"),
    "registered twice": (step("registered", "a"), "a is registered already, by ann@host"),
    "no checksum": (step("registered", "e", manifest_sha256=None), "needs its manifest's checksum"),
    "no verdict": (step("qualified", "a"), "whether it was approved"),
    "never qualified": (step("promoted", "d", "champion"), r"d is not approved \(never qualified\)"),
    "a reason of blanks": (step("promoted", "d", "champion", reason="  "), "not approved"),
    "no alias": (step("promoted", "c"), "names an alias"),
    "champion already": (step("promoted", "a", "champion"), "a is champion already, since 2026-11-23 08:03"),
    "challenger already": (step("promoted", "b", "challenger", share=0.25), "at a share of 0.25 already"),
    "champion to challenger": (step("promoted", "a", "challenger"), "cannot challenge itself"),
    "share of nothing": (step("promoted", "c", "challenger", share=0.0), "not above 0 and up to 1"),
    "share of more than all": (step("promoted", "c", "challenger", share=1.1), "not above 0 and up to 1"),
    "champion of a part": (step("promoted", "c", "champion", share=0.5), "the champion has all"),
    "back to nobody": (step("rolled_back", "b", "champion"), "nobody was champion before a"),
    "withdrawn, and never champion": (step("withdrawn", "b", "champion"), r"b is not champion \(a is\)"),
    "withdrawn other": (step("withdrawn", "c", "challenger"), r"c is not challenger \(b is\)"),
}


@pytest.mark.parametrize(("given", "fault"), REFUSED.values(), ids=REFUSED)
def test_what_the_state_does_not_allow_is_refused(given: Step, fault: str) -> None:
    state = fold(told(*CHALLENGED, step("registered", "d")))
    with pytest.raises(ModelRegistryError, match=fault):
        check(state, given)


def test_a_champion_with_others_before_him_is_not_withdrawn() -> None:
    with pytest.raises(ModelRegistryError, match="roll back"):
        check(fold(told(*champions("a", "b"))), step("withdrawn", "b", "champion"))


def test_a_rollback_names_the_version_that_comes_back() -> None:
    with pytest.raises(ModelRegistryError, match="back to b, not to a"):
        check(fold(told(*champions("a", "b", "c"))), step("rolled_back", "a", "champion"))


def test_a_promotion_past_the_qualification_needs_a_reason_and_is_marked() -> None:
    entries = told(*champions("a"), step("registered", "b"), step("promoted", "b", "champion", reason="night outage"))
    assert overriding(entries) == {5}


NAMES = {"a1": "a1", "champion": "b1", "b": "b1", "a12": "a12"}


@pytest.mark.parametrize(("name", "version"), NAMES.items())
def test_a_name_means_a_version(name: str, version: str) -> None:
    state = fold(told(*champions("a1", "b1"), step("registered", "a12")))
    assert resolve(state, name) == version


@pytest.mark.parametrize(("name", "fault"), {"a": "may be a1, a12", "x": "no version 'x'", "": "no version ''"}.items())
def test_a_name_that_means_none_or_several_is_refused(name: str, fault: str) -> None:
    state = fold(told(step("registered", "a1"), step("registered", "a12")))
    with pytest.raises(ModelRegistryError, match=fault):
        resolve(state, name)


def test_an_alias_that_nobody_holds_says_how_to_give_it() -> None:
    with pytest.raises(ModelRegistryError, match="nobody is challenger yet; 'roadwatch models promote"):
        resolve(NOTHING, "challenger")
