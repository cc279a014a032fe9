"""The verdict on a vehicle: its frames vote, the nearer ones with more weight."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from monitor.cameras import Key
from monitor.chunks import Row, Verdict
from schemas.ids import passage_id
from schemas.records import Passage
from schemas.times import from_us


def verdict(rows: Sequence[Row]) -> str | None:
    """The class with the largest sum of probabilities, each weighed by its picture's area; None without any.

    A vehicle seen from near says more than the same seen from afar; docs/decisions.md has the figures.
    """
    return heaviest(_sums(rows))


def heaviest(sums: Mapping[str, float]) -> str | None:
    """The class with the largest sum; of several the first by name; None without any."""
    return min(sums, key=lambda label: (-sums[label], label)) if sums else None


def certainty(rows: Sequence[Row], label: str) -> float:
    """A class's share of all sums: its mean probability, weighed likewise."""
    sums = _sums(rows)
    return sums.get(label, 0.0) / total if (total := sum(sums.values())) else 0.0


def _sums(rows: Sequence[Row]) -> dict[str, float]:
    sums: dict[str, float] = defaultdict(float)
    for row in rows:
        for label, probability in row.probabilities.items():
            sums[label] += row.pixels * probability
    return sums


def crossing(rows: Sequence[Row]) -> Row | None:
    """The first frame that says when the vehicle crossed the line; None when it did not."""
    return next((row for row in rows if row.crossed_us is not None), None)


def passage_record(camera_id: str, key: Key, rows: Sequence[Row], found: Verdict) -> Passage | None:
    """The record of a vehicle that crossed the line and was classified; None of any other."""
    if found.label is None or found.crossed_us is None:
        return None
    return Passage(
        passage_id=passage_id(camera_id, key.epoch, key.first),
        camera_id=camera_id,
        zone_id=found.zone_id or "",
        first_at=from_us(min(row.captured_us for row in rows)),
        crossed_at=from_us(found.crossed_us),
        last_at=from_us(max(row.captured_us for row in rows)),
        label=found.label,
        confidence=certainty(rows, found.label),
        votes=dict(sorted(_votes(rows).items())),
        frames=len(rows),
        model_version=rows[-1].model_version,
    )


def _votes(rows: Sequence[Row]) -> Counter[str]:
    return Counter(row.label for row in rows if row.label is not None)
