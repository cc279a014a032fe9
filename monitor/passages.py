"""The verdict on a vehicle: the vote of its frames."""

from collections import Counter
from collections.abc import Sequence

from monitor.cameras import Key
from monitor.chunks import Row
from monitor.windows import from_us
from schemas.ids import passage_id
from schemas.records import Passage


def verdict(rows: Sequence[Row]) -> str | None:
    """The class with most votes; among equals the more confident, then the first by name. None without votes."""
    votes = _votes(rows)
    ranked = sorted(votes, key=lambda label: (-votes[label], -mean_probability(rows, label), label))
    return ranked[0] if ranked else None


def mean_probability(rows: Sequence[Row], label: str) -> float:
    """The mean probability of a class over the frames that were classified."""
    values = [row.probabilities.get(label, 0.0) for row in rows if row.label is not None]
    return sum(values) / len(values) if values else 0.0


def crossing_us(rows: Sequence[Row]) -> int | None:
    """When the vehicle crossed the line; None when it did not."""
    return next((row.crossed_us for row in rows if row.crossed_us is not None), None)


def passage_record(camera_id: str, key: Key, rows: Sequence[Row]) -> Passage | None:
    """The record of a vehicle that crossed the line and was classified; None of any other."""
    label, crossed_us = verdict(rows), crossing_us(rows)
    if label is None or crossed_us is None:
        return None
    crossing = next(row for row in rows if row.crossed_us is not None)
    return Passage(
        passage_id=passage_id(camera_id, key.epoch, key.first),
        camera_id=camera_id,
        zone_id=crossing.zone_id or "",
        first_at=from_us(min(row.captured_us for row in rows)),
        crossed_at=from_us(crossed_us),
        last_at=from_us(max(row.captured_us for row in rows)),
        label=label,
        confidence=mean_probability(rows, label),
        votes=dict(sorted(_votes(rows).items())),
        frames=len(rows),
        model_version=rows[-1].model_version,
    )


def _votes(rows: Sequence[Row]) -> Counter[str]:
    return Counter(row.label for row in rows if row.label is not None)
