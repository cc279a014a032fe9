"""Two things measured side by side: A B A B …, so that a machine's moods fall on both."""

import resource
import statistics
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Comparison:
    """What one thing costs beside another."""

    name: str
    "What was compared."
    cost: float
    "CPU microseconds of the one, median, for each item."
    beside: float
    "Likewise of the other."

    @property
    def ratio(self) -> float:
        """The one over the other."""
        return self.cost / self.beside


def compare(name: str, one: Callable[[], int], other: Callable[[], int], runs: int = 5) -> Comparison:
    """CPU time of both, each returning how many items it dealt with; the first turn of each warms up."""
    pairs = [(_cost(one), _cost(other)) for _ in range(runs + 1)][1:]
    return Comparison(name, statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs))


def _cost(work: Callable[[], int]) -> float:
    before = _cpu_s()
    items = work()
    return (_cpu_s() - before) / items * 1e6


def _cpu_s() -> float:
    """CPU time of this process with all its threads, seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
