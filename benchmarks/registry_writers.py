"""`python -m benchmarks.registry_writers [WRITERS] [EACH]`: registrations at once, counted, and the time to read them.

Prints JSON: seconds, entries, gaps, torn; then seconds to open the history cold, and of a poll that finds nothing new.
"""

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

from benchmarks.options import parser_of
from models.registry.store import Registry
from schemas.errors import ModelRegistryError
from tests.models.bundles import tiny_bundle


def main() -> None:
    """Write with several processes, look at what came of it, and measure how long looking takes."""
    parser = parser_of("registry_writers", __doc__)
    parser.add_argument("writers", nargs="?", type=int, default=2)
    parser.add_argument("each", nargs="?", type=int, default=200, help="registrations of each writer")
    given = parser.parse_args()
    writers, each = given.writers, given.each
    with tempfile.TemporaryDirectory() as folder:
        seconds = _seconds(lambda: _write(folder, writers, each))
        report = {"writers": writers, "each": each, "seconds": seconds, **_found(folder), **_reading(folder)}
    print(json.dumps(report, indent=2))


def _write(folder: str, writers: int, each: int) -> None:
    spawn = get_context("spawn")
    processes = [spawn.Process(target=_register, args=(folder, f"w{number}", each)) for number in range(writers)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0


def _register(folder: str, name: str, each: int) -> None:
    registry, bundle = Registry(folder), tiny_bundle()
    for number in range(each):
        version = f"{name}-{number}"
        mine = replace(bundle, version=version, card=replace(bundle.card, version=version))
        registry.register(mine, at=datetime.now(UTC), by=name)


def _found(folder: str) -> dict[str, int]:
    numbers = {int(path.stem) for path in (Path(folder) / "history").glob("*.json")}
    gaps = len(set(range(1, max(numbers) + 1)) - numbers)
    return {"entries": len(numbers), "gaps": gaps, "torn": _torn(folder, numbers)}


def _torn(folder: str, numbers: set[int]) -> int:
    """Return how many entries are not in the chain, and how many bundles are not whole."""
    registry = Registry(folder)
    entries = registry.history()
    return len(numbers) - len(entries) + sum(not _whole(registry, entry.step.version) for entry in entries)


def _whole(registry: Registry, version: str) -> bool:
    try:
        return registry.load(version).version == version
    except ModelRegistryError:
        return False


def _reading(folder: str) -> dict[str, float]:
    known = Registry(folder)
    known.state()
    cold = [_seconds(lambda: Registry(folder).state()) for _ in range(10)]
    polls = [_seconds(known.state) for _ in range(1000)]
    return {"cold_state_s": statistics.median(cold), "poll_s": statistics.median(polls)}


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
