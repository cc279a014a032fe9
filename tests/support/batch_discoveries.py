"""Slices that fall behind, found anew: e-values of whole days by their formula, and e-BH over all of them.

e(d) = Σ parts of bets × Σ starts s ≤ d: the part of s × Π days s … d: likelihood ratio   + parts not yet started
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

PLANNED: Final = 200
"Slices."
ALPHA: Final = 0.05
"The share of false ones among those found."
HORIZON: Final = 30
"Days."
AT_ONCE: Final = 0.75
"What is bet from the first day on; the other days' starts share the rest."
ODDS: Final = np.array([0.3, 0.9, 1.8])
"By how much the log odds of being right are lower, as bets say."
BETS: Final = np.array([0.1, 0.8, 0.1])
"What is bet on each."


class Counts(NamedTuple):
    """Labelled vehicles of a day, in a slice and beside it."""

    right: int
    "In the slice, rightly classified."
    n: int
    "In the slice."
    rest_right: int
    "Beside it, rightly classified."
    rest: int
    "Beside it."


def discovered(days: Sequence[Mapping[str, Counts]]) -> set[str]:
    """Slices that are known to fall behind when the last day is over."""
    found: set[str] = set()
    for last in range(1, len(days) + 1):
        names = {name for day in days[:last] for name in day} - found
        found |= _chosen({name: _e([day.get(name) for day in days[:last]]) for name in names}, len(found))
    return found


def _chosen(evidence: Mapping[str, float], before: int) -> set[str]:
    """e-BH: the most slices of which each has at least planned / (alpha × all found)."""
    ranked = sorted(evidence, key=lambda name: -evidence[name])
    enough = [k for k, name in enumerate(ranked, 1) if evidence[name] >= PLANNED / (ALPHA * (before + k))]
    return {*ranked[: max(enough, default=0)]}


def _e(days: Sequence[Counts | None]) -> float:
    """A slice's e-value."""
    ratios = np.array([_ratios(day) for day in days])
    since = np.cumprod(ratios[::-1], axis=0)[::-1]
    parts = np.array([AT_ONCE] + [(1 - AT_ONCE) / (HORIZON - 1)] * (len(days) - 1))
    return float(parts @ since @ BETS + 1 - parts.sum())


def _ratios(day: Counts | None) -> np.ndarray:
    """Of a day's labels, by bet: exp(-odds × right) by its mean, the share of slice and rest together being given."""
    if day is None or not day.n or not day.rest:
        return np.ones(len(ODDS))
    share = (day.right + day.rest_right) / (day.n + day.rest)
    return np.exp(-ODDS * day.right) / (1 - share + share * np.exp(-ODDS)) ** day.n
