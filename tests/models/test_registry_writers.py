"""Many write a registry at once, and some are killed: no entry is torn, lost or doubled."""

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest

from models.bundle import Bundle
from models.registry.history import Step
from models.registry.store import Registry
from tests.models.bundles import tiny_bundle

pytestmark = pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")  # JAX, where a test before has loaded it

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
FORK = multiprocessing.get_context("fork")
TINY = tiny_bundle()


def of_version(version: str) -> Bundle:
    """Return a bundle of its own."""
    return replace(TINY, version=version, card=replace(TINY.card, version=version))


def register(address: str, name: str, most: int | None) -> None:
    """Register versions one after the other; without `most`, until killed."""
    registry = Registry(address)
    for number in count() if most is None else range(most):
        registry.register(of_version(f"{name}-{number}"), at=NOW, by=name)


def promote(address: str, name: str, most: int) -> None:
    """Promote a and b in turn, whoever else does so too."""
    registry = Registry(address)
    for number in range(most):
        version = f"{name}-{number}"
        registry.register(of_version(version), at=NOW, by=name)
        registry.record(Step("promoted", version, NOW, name, "test", "champion"))


def together(work: Callable[[str, str, int], None], address: str, names: tuple[str, ...], most: int) -> None:
    """Let several processes work at once, and wait for them."""
    writers = [FORK.Process(target=work, args=(address, name, most)) for name in names]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0


def test_two_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    """Each version is in the history once, in its writer's order, and its bundle is whole."""
    together(register, str(tmp_path), ("one", "two"), 25)
    registry = Registry(str(tmp_path))
    entries = registry.history()
    assert [entry.number for entry in entries] == list(range(1, 51))
    for name in ("one", "two"):
        assert [e.step.version for e in entries if e.step.by == name] == [f"{name}-{number}" for number in range(25)]
    assert all(registry.load(entry.step.version) == of_version(entry.step.version) for entry in entries)
    assert not list(tmp_path.rglob("*.tmp"))


def test_promotions_at_once_make_one_stack(tmp_path: Path) -> None:
    """Every rollback finds the champion before, down to the first."""
    together(promote, str(tmp_path), ("one", "two", "three"), 5)
    registry = Registry(str(tmp_path))
    promoted = [entry.step.version for entry in registry.history() if entry.step.action == "promoted"]
    back = [registry.rollback("champion", at=NOW, by="test").step.version for _ in range(14)]
    assert back == promoted[-2::-1]


def test_the_same_version_at_once_is_registered_once(tmp_path: Path) -> None:
    """Of different bundles under one version one wins, and is whole."""
    bundles = [replace(TINY, card=replace(TINY.card, purpose=f"For {number}.")) for number in range(4)]
    gate = FORK.Barrier(len(bundles))

    def try_once(bundle: Bundle) -> None:
        registry = Registry(str(tmp_path))
        registry.history()
        gate.wait()
        registry.register(bundle, at=NOW, by=bundle.card.purpose)

    writers = [FORK.Process(target=try_once, args=(bundle,)) for bundle in bundles]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    registry = Registry(str(tmp_path))
    (entry,) = registry.history()
    assert sorted(writer.exitcode or 0 for writer in writers) == [0, 1, 1, 1]
    assert registry.load("tiny-1").card.purpose == entry.step.by


def test_a_kill_in_the_middle_of_register_leaves_the_registry_as_it_was(tmp_path: Path) -> None:
    """Twenty writers are killed at any moment: what is in the history is whole, and the next goes on."""
    draw = random.Random(4)
    seen = 0
    for killed in range(20):
        writer = FORK.Process(target=register, args=(str(tmp_path), f"w{killed}", None))
        writer.start()
        _wait_for_more(tmp_path, seen)
        time.sleep(draw.uniform(0, 0.02))
        os.kill(writer.pid or 0, signal.SIGKILL)
        writer.join()
        registry = Registry(str(tmp_path))
        entries = registry.history()
        assert len(entries) > seen
        seen = len(entries)
        assert registry.load(entries[-1].step.version) == of_version(entries[-1].step.version)
    interrupted = f"w19-{sum(entry.step.by == 'w19' for entry in entries)}"
    registry.register(of_version(interrupted), at=NOW, by="after")
    assert registry.load(interrupted) == of_version(interrupted)
    assert not list((tmp_path / "history").glob(".*"))


def _wait_for_more(folder: Path, seen: int) -> None:
    """Wait until a writer has written: before, there is nothing to interrupt."""
    while not (folder / "history" / f"{seen + 1:08d}.json").exists():
        time.sleep(0.001)
