"""Days of one camera joined to one run of frames: numbered on, as if it had filmed without a break."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from itertools import chain
from typing import Any

from benchmarks.faulty.shelf import Kept, Logged
from producers.labels import label_of
from schemas.ids import parse_id, passage_id
from schemas.observations import NONE
from schemas.records import Label, Observations, Telemetry

_NAMES = [field.name for field in fields(Observations)]
COLUMNS = tuple(name for name in _NAMES[_NAMES.index("zones") + 1 :] if name != "probabilities")
"One value a row, or empty."


@dataclass(frozen=True, slots=True)
class Start:
    """Where a run of frames goes on."""

    epoch: str
    "Its name."
    frames: int = 0
    "Frames before; below 0 where some of them never were."
    pictures: int = 0
    "Pictures read before."


def chained(days: Iterable[Sequence[Logged]], epoch: str) -> list[Logged]:
    """Days that were numbered each from 0."""
    start, out = Start(epoch), []
    for records in days:
        out += [renumbered(logged, start) for logged in records]
        start = _after(records, start)
    return out


def _after(records: Sequence[Logged], start: Start) -> Start:
    frames = 1 + max(sequences_of(records))
    pictures = max(logged.record.pictures for logged in records if isinstance(logged.record, Telemetry))
    return Start(start.epoch, start.frames + frames, start.pictures + pictures)


def sequences_of(records: Iterable[Logged]) -> list[int]:
    """The numbers of all frames."""
    batches = (logged.record.sequences for logged in records if isinstance(logged.record, Observations))
    return list(chain.from_iterable(batches))


def renumbered(logged: Logged, start: Start) -> Logged:
    """A record of a run that begins at `start`."""
    return Logged(logged.at, _renumbered(logged.record, start))


def _renumbered(record: Kept, start: Start) -> Kept:
    if isinstance(record, Observations):
        return _shifted(record, start)
    if isinstance(record, Telemetry):
        pictures, frames = record.pictures + start.pictures, record.frames + start.frames
        return replace(record, pictures=max(0, pictures), frames=max(0, frames))
    return _relabelled(record, start) if record.passage_id else record


def _shifted(batch: Observations, start: Start) -> Observations:
    return replace(
        batch,
        epoch=start.epoch,
        offsets=tuple(offset + max(0, start.frames) for offset in batch.offsets),
        sequences=tuple(sequence + start.frames for sequence in batch.sequences),
        passage=tuple(NONE if first == NONE else first + start.frames for first in batch.passage),
    )


def _relabelled(label: Label, start: Start) -> Label:
    first = parse_id(label.passage_id or "").sequence + start.frames
    return relabelled(label, passage_id(label.camera_id, start.epoch, first), label.label or "")


def relabelled(label: Label, target: str, truth: str) -> Label:
    """The same label, of another passage or class."""
    until = label.complete_until
    return label_of(target, truth, source=label.source, labelled_at=label.labelled_at, complete_until=until)


def rows_of(batch: Observations, rows: Sequence[int]) -> Observations:
    """Some rows of a batch."""
    width, columns = len(batch.classes), {name: getattr(batch, name) for name in COLUMNS}
    cut: dict[str, Any] = {name: tuple(column[row] for row in rows) for name, column in columns.items() if column}
    cut["probabilities"] = tuple(p for row in rows for p in batch.probabilities[row * width : (row + 1) * width])
    return replace(batch, **cut)
