"""How long a frame takes from capture to prediction, at a given load: quantiles and their distribution. Pure."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.evaluation import Z_95
from models.qualification.figures import Curve, Fault, Figure, Measured

QUANTILES: Final = (("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99))
BUCKETS_A_DECADE: Final = 12
"Of the distribution, on a logarithmic axis: each a fifth wider than the one before."


def measure_latency(samples_ms: Sequence[float], offered_per_second: float, reached_per_second: float) -> Measured:
    """Return the latency part from each frame's milliseconds, capture to prediction, under one load.

    Figures: `p50_ms`, `p95_ms`, `p99_ms`, with 95 % intervals by order statistics; `max_ms`, `offered_per_second`,
    `reached_per_second`, `reached_share`. No sample is a fault. `seconds` is left to the caller (`replace`).
    """
    if len(samples_ms) == 0:
        return Measured("latency", (), faults=(Fault("no frame came back as a prediction under load"),))
    ordered = np.sort(np.asarray(samples_ms, np.float64))
    figures = (
        *(_quantile(name, share, ordered) for name, share in QUANTILES),
        Figure("max_ms", float(ordered[-1]), n=len(ordered)),
        Figure("offered_per_second", offered_per_second),
        Figure("reached_per_second", reached_per_second),
        Figure("reached_share", reached_per_second / offered_per_second if offered_per_second else None),
    )
    return Measured("latency", figures, curves=(_distribution(ordered),))


def _quantile(name: str, share: float, ordered: NDArray[np.float64]) -> Figure:
    """Give the interval between the order statistics that a binomial count of smaller samples stays within."""
    n = len(ordered)
    reach = Z_95 * math.sqrt(n * share * (1 - share))
    low, high = math.floor(n * share - reach), math.ceil(n * share + reach)
    value = float(np.quantile(ordered, share))
    return Figure(name, value, float(ordered[max(0, low)]), float(ordered[min(n - 1, high)]), n)


def _distribution(ordered: NDArray[np.float64]) -> Curve:
    """Return the share of frames in each bucket, at the bucket's geometric middle."""
    exponents = np.log10(np.maximum(ordered, 0.1)) * BUCKETS_A_DECADE
    first, last = math.floor(exponents[0]), math.floor(exponents[-1])
    counts = np.bincount(np.floor(exponents).astype(int) - first, minlength=last - first + 1)
    middles = 10 ** ((np.arange(first, last + 1) + 0.5) / BUCKETS_A_DECADE)
    points = tuple((float(x), float(y)) for x, y in zip(middles, counts / len(ordered), strict=True))
    return Curve("latency", "frames", "milliseconds, capture to prediction", "share of frames", points)
