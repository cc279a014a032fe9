"""Quantiles of latencies from counts in log-spaced buckets: exact to 1 %, plain, and merged by adding.

bucket  …   0        1          2       …    233     …        (upper edge 1.02^bucket ms)
ms      …   1     1.02     1.0404       …    ≈101    …
"""

import math
from collections.abc import Iterable, Mapping

RATIO = 1.02
_LOG_RATIO = math.log(RATIO)
LEAST_MS = 0.01


def bucket_of(latency_ms: float) -> int:
    """The bucket of a latency; anything below 10 µs counts as 10 µs."""
    return math.ceil(math.log(max(latency_ms, LEAST_MS)) / _LOG_RATIO)


def merged(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """The sum of several counts, buckets in order."""
    total: dict[str, int] = {}
    for count in counts:
        for bucket, n in count.items():
            total[bucket] = total.get(bucket, 0) + n
    return dict(sorted(total.items(), key=lambda item: int(item[0])))


def quantile_ms(counts: Mapping[str, int], share: float) -> float | None:
    """The latency that `share` of the values (0 to 1) do not exceed; None without values."""
    wanted = math.ceil(share * sum(counts.values()))
    seen = 0
    for bucket, n in sorted((int(bucket), n) for bucket, n in counts.items()):
        seen += n
        if seen >= max(wanted, 1):
            return round(math.exp((bucket - 0.5) * _LOG_RATIO), 3)
    return None
