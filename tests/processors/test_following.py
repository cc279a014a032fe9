"""A follower serves who has the alias, once it has proved itself, and otherwise what it had."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from models.bundle import Bundle
from models.registry.history import Alias
from models.registry.store import Registry
from processors.classifier import Classifier
from processors.following import REFUSALS, REGISTRY_ERRORS, SERVED, SWAPS, Follower, Workshop
from schemas.errors import ModelError
from schemas.records import ModelEvent
from tests.processors.versions import NOON, promote, registry_of, unfit, version


@dataclass
class World:
    """A registry in a folder, and what was told."""

    folder: Path
    registry: Registry
    told: list[ModelEvent] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)

    def follower(self, alias: Alias = "champion", shipped: Bundle | None = None) -> Follower:
        """A new one, as after a restart."""
        other = shipped or version("shipped-1")
        workshop = Workshop(
            Registry(str(self.folder)),
            self.open,
            self.told.append,
            lambda: NOON,
            "processor here",
            (lambda: other) if alias == "champion" else None,
        )
        return Follower(alias, workshop)

    def open(self, bundle: Bundle) -> Classifier:
        """Note what was tried."""
        self.opened.append(bundle.version)
        return Classifier.load(bundle)

    def kinds(self) -> list[tuple[str, str]]:
        """What was told, shortly."""
        return [(event.kind, event.version) for event in self.told]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Three versions: a, b, and one that is unfit."""
    folder = tmp_path / "registry"
    yield World(folder, registry_of(str(folder), version("a"), version("b"), unfit("unfit")))
    SERVED.clear()


def served(follower: Follower) -> str | None:
    """The version in service."""
    return follower.serving.classifier.version if follower.serving else None


def started(world: World) -> Follower:
    """A champion's follower that has begun."""
    follower = world.follower()
    follower.start()
    return follower


def test_without_a_champion_the_model_that_ships_serves(world: World) -> None:
    assert served(started(world)) == "shipped-1"
    assert world.kinds() == [("loaded", "shipped-1")]


def test_without_a_registry_the_model_that_ships_serves(world: World, tmp_path: Path) -> None:
    world.folder = tmp_path / "nowhere"
    assert served(started(world)) == "shipped-1"


def test_a_promotion_and_a_rollback_are_followed(world: World) -> None:
    follower = started(world)
    for act in (lambda: promote(world.registry, "a"), lambda: promote(world.registry, "b")):
        act()
        follower.look()
    world.registry.rollback("champion", at=NOON, by="test")
    follower.look()
    assert world.kinds() == [("loaded", name) for name in ("shipped-1", "a", "b", "a")]
    assert {event.alias for event in world.told} == {"champion"}


def test_a_look_at_what_has_not_changed_loads_nothing(world: World) -> None:
    promote(world.registry, "a")
    follower = started(world)
    before = follower.serving
    follower.look()
    assert world.opened == ["a"]
    assert follower.serving is before


def test_the_old_model_stays_where_the_new_one_is_unfit(world: World) -> None:
    """It is told once, and not tried again until the alias moves."""
    promote(world.registry, "a")
    follower = started(world)
    promote(world.registry, "unfit")
    follower.look()
    follower.look()
    assert served(follower) == "a"
    assert world.kinds() == [("loaded", "a"), ("refused", "unfit")]
    assert "each row should sum to 1" in world.told[-1].reason
    assert world.told[-1].by == "processor here"


def test_a_champion_that_fails_in_service_gives_way_to_the_one_before(world: World) -> None:
    """And a look does not bring it back."""
    for name in ("a", "b"):
        promote(world.registry, name)
    follower = started(world)
    failed = follower.serving
    assert failed is not None
    for _ in range(2):
        follower.dismiss(failed, ModelError("b: the graph fails on a batch of 3"))
        follower.look()
    assert served(follower) == "a"
    assert world.kinds() == [("loaded", "b"), ("refused", "b"), ("loaded", "a")]


def test_where_the_model_that_ships_fails_in_service_there_is_no_other(world: World) -> None:
    follower = started(world)
    assert follower.serving is not None
    with pytest.raises(ModelError, match="shipped-1: the graph fails"):
        follower.dismiss(follower.serving, ModelError("shipped-1: the graph fails on a batch of 3"))


def test_a_refused_version_is_tried_again_once_it_is_promoted_again(world: World) -> None:
    follower = started(world)
    for name in ("unfit", "a", "unfit"):
        promote(world.registry, name)
        follower.look()
    assert world.opened == ["shipped-1", "unfit", "a", "unfit"]


def test_damaged_files_are_refused(world: World) -> None:
    promote(world.registry, "a")
    follower = started(world)
    promote(world.registry, "b")
    next(world.folder.glob("bundles/b/**/model.onnx")).write_bytes(b"torn")
    follower.look()
    assert served(follower) == "a"
    assert world.kinds()[-1] == ("refused", "b")


def test_a_restart_with_a_refused_champion_serves_the_one_before(world: World) -> None:
    """And does not try the refused one again at each look."""
    for name in ("a", "unfit"):
        promote(world.registry, name)
    follower = started(world)
    follower.look()
    assert served(follower) == "a"
    assert world.opened == ["unfit", "a"]


def test_a_restart_with_a_first_champion_refused_serves_the_model_that_ships(world: World) -> None:
    promote(world.registry, "unfit")
    assert served(started(world)) == "shipped-1"


def test_nothing_serves_where_even_the_model_that_ships_is_unfit(world: World) -> None:
    with pytest.raises(ModelError, match="ships-ill"):
        world.follower(shipped=unfit("ships-ill")).start()


def test_what_serves_goes_on_while_the_registry_is_gone(world: World) -> None:
    """It is counted at each look; when the registry is back, so is the following."""
    promote(world.registry, "a")
    follower = started(world)
    before, away = REGISTRY_ERRORS._value.get(), world.folder.with_name("away")
    world.folder.rename(away)
    follower.look()
    follower.look()
    assert (served(follower), REGISTRY_ERRORS._value.get() - before) == ("a", 2)
    away.rename(world.folder)
    promote(world.registry, "b")
    follower.look()
    assert served(follower) == "b"


def test_a_registry_that_fails_at_the_start_lets_the_model_that_ships_serve(world: World) -> None:
    """Until it answers again."""
    promote(world.registry, "a")
    entry = next(world.folder.glob("history/*1.json"))
    whole = entry.read_bytes()
    entry.write_bytes(b"torn")
    follower = started(world)
    assert served(follower) == "shipped-1"
    entry.write_bytes(whole)
    follower.look()
    assert served(follower) == "a"


def test_a_challenger_serves_for_as_long_as_there_is_one(world: World) -> None:
    follower = world.follower("challenger")
    follower.look()
    assert served(follower) is None
    promote(world.registry, "b", "challenger", 0.25)
    follower.look()
    assert follower.serving is not None
    assert follower.serving.holder is not None
    assert (served(follower), follower.serving.holder.share) == ("b", 0.25)
    promote(world.registry, "b")
    follower.look()
    assert served(follower) is None


def test_a_refused_challenger_leaves_nobody_in_shadow(world: World) -> None:
    """The one before is no challenger any more: nobody wants to hear of it."""
    follower = world.follower("challenger")
    for name in ("b", "unfit"):
        promote(world.registry, name, "challenger", 0.5)
        follower.look()
    assert served(follower) is None
    assert world.kinds() == [("loaded", "b"), ("refused", "unfit")]


def test_a_challenger_that_fails_in_service_is_refused(world: World) -> None:
    """Once: a second failure of the same, or a look, changes nothing."""
    follower = world.follower("challenger")
    promote(world.registry, "b", "challenger", 0.5)
    follower.look()
    serving = follower.serving
    assert serving is not None
    for _ in range(2):
        follower.dismiss(serving, ModelError("b: the graph fails on a batch of 3"))
        follower.look()
    assert served(follower) is None
    assert world.kinds() == [("loaded", "b"), ("refused", "b")]


def test_another_share_needs_no_loading(world: World) -> None:
    follower = world.follower("challenger")
    for share in (0.25, 0.5):
        promote(world.registry, "b", "challenger", share)
        follower.look()
    assert world.opened == ["b"]
    assert follower.serving is not None
    assert follower.serving.holder is not None
    assert follower.serving.holder.share == 0.5


def test_what_serves_is_told_to_prometheus(world: World) -> None:
    swaps, refusals = SWAPS.labels("champion")._value.get(), REFUSALS.labels("champion")._value.get()
    follower = started(world)
    for name in ("a", "unfit", "b"):
        promote(world.registry, name)
        follower.look()
    assert [s.labels for m in SERVED.collect() for s in m.samples] == [{"alias": "champion", "version": "b"}]
    assert SWAPS.labels("champion")._value.get() == swaps + 2
    assert REFUSALS.labels("champion")._value.get() == refusals + 1
