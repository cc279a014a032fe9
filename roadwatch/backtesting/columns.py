"""Observations as columns: parts of a batch, and batches joined."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from operator import attrgetter
from typing import Any, Final

import numpy as np

from schemas.observations import NONE
from schemas.records import Observations

COLUMNS: Final = (
    "offsets",
    "sequences",
    "kinds",
    "captured_at",
    "crossed_at",
    "zone",
    "passage",
    "label",
    "brightness",
    "contrast",
    "sharpness",
    "width",
    "height",
    "latency_ms",
    "noise",
    "sketch",
    "queue_ms",
    "decode_ms",
    "inference_ms",
)
"One value a row; probabilities have one for each class."
TIMINGS: Final = ("latency_ms", "queue_ms", "decode_ms", "inference_ms")
"How long a frame took: of a backtest as it was recorded, for only so can a report be the same to the byte."
FLOATS: Final = ("probabilities", "brightness", "contrast", "sharpness", "noise", *TIMINGS)


def part(batch: Observations, rows: slice | Sequence[int]) -> Observations:
    """Some rows of a batch."""
    numbers = range(len(batch.sequences))[rows] if isinstance(rows, slice) else rows
    width = len(batch.classes)
    columns = {name: getattr(batch, name) for name in COLUMNS}
    cut: dict[str, Any] = {
        name: tuple(column[i] for i in numbers) if column else () for name, column in columns.items()
    }
    cut["probabilities"] = tuple(p for i in numbers for p in batch.probabilities[i * width : (i + 1) * width])
    return replace(batch, **cut)


def joined(batches: Sequence[Observations]) -> Observations:
    """Batches of one camera, epoch and model as one."""
    if len(batches) == 1:
        return batches[0]
    zones = tuple(sorted({zone for batch in batches for zone in batch.zones}))
    same = [batch if batch.zones == zones else _renumbered(batch, zones) for batch in batches]
    names = (*COLUMNS, "probabilities")
    columns: dict[str, Any] = {name: tuple(chain.from_iterable(map(attrgetter(name), same))) for name in names}
    return replace(batches[0], zones=zones, **columns)


def timings_of(batch: Observations, row: int) -> tuple[float, ...]:
    """How long a row's frame took, as far as its processor said."""
    columns = (getattr(batch, name) for name in TIMINGS)
    return tuple(column[row] for column in columns if column)


def timed(batch: Observations, timings: Sequence[tuple[float, ...]]) -> Observations:
    """A batch with other timings; those that not all rows have are left out."""
    columns: dict[str, Any] = dict(zip(TIMINGS, zip(*timings, strict=False), strict=False))
    known = min(map(len, timings), default=0)
    columns |= dict.fromkeys(TIMINGS[known:], ())
    return replace(batch, **columns)


def as_sent(batch: Observations) -> Observations:
    """A batch as whoever receives it sees it: on the wire its floats have 32 bits."""
    rounded: dict[str, Any] = {name: tuple(np.asarray(getattr(batch, name), np.float32).tolist()) for name in FLOATS}
    return replace(batch, **rounded)


def _renumbered(batch: Observations, zones: tuple[str, ...]) -> Observations:
    numbers = [zones.index(zone) for zone in batch.zones]
    return replace(batch, zone=tuple(NONE if zone == NONE else numbers[zone] for zone in batch.zone))
