"""How long to wait before a source that failed is opened again."""

import random
from collections.abc import Callable

FIRST_S = 1.0
LONGEST_S = 30.0


class Backoff:
    """Waits that double from 1 s to 30 s, each shortened by chance, up to half.

    The chance keeps cameras that lost one network from knocking all at once.
    """

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        """`chance` gives numbers from 0 up to, not with, 1."""
        self._chance = chance
        self._failures = 0

    def next_s(self) -> float:
        """The wait after one more failure, seconds."""
        whole = min(FIRST_S * 2.0**self._failures, LONGEST_S)
        self._failures = min(self._failures + 1, 10)
        return whole * (1 - 0.5 * self._chance())

    def reset(self) -> None:
        """Begin anew: the source gives pictures again."""
        self._failures = 0
