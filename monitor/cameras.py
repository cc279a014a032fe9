"""What the monitor knows of one camera between two records: small, plain JSON, written with each record."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NamedTuple

from monitor.chunks import SIZE
from monitor.signals import Watches
from monitor.windows import Calendar, from_us, span_us, to_us
from schemas.records import Drift

EPOCHS_KEPT = 32
"Epochs whose frames are forgotten but still known to have been."


@dataclass(frozen=True, slots=True)
class Policy:
    """When passages and days are over, and what is not believed."""

    calendar: Calendar
    "Days."
    lateness: timedelta
    "Event time that a day waits after its end."
    label_patience: timedelta
    "Event time that a day waits further for its labels; zero for not at all."
    passage_timeout: timedelta
    "Event time without a frame after which a passage is over."
    max_skew: timedelta
    "How far ahead of the wall clock a picture may be."

    def is_due(self, day: str, watermark_us: int, promise_us: int, ended: bool) -> bool:
        """Whether a day closes, given how far the camera's pictures and its labels' promise have come."""
        end_us = to_us(self.calendar.bounds(day)[1])
        due_us = end_us + span_us(self.lateness)
        if not ended and watermark_us < due_us:
            return False
        promised = not self.label_patience or promise_us >= end_us
        return promised or (not ended and watermark_us >= due_us + span_us(self.label_patience))


class Key(NamedTuple):
    """Which passage of a camera."""

    epoch: str
    "The run of frames."
    first: int
    "The sequence of its first frame."


@dataclass(slots=True)
class OpenPassage:
    """A vehicle that may still be there."""

    last_us: int
    "Its newest frame's time."
    last: int
    "Its newest frame's sequence."
    crossed_us: int | None
    "When it crossed; None while it has not."


@dataclass(slots=True)
class Span:
    """Which chunks of an epoch there are."""

    first: int
    "The oldest."
    last: int
    "The newest."
    forgotten: int = 0
    "Chunks below this number were there once, and their days are closed."

    def include(self, number: int) -> None:
        """Let it reach to that chunk."""
        self.first, self.last = min(self.first, number), max(self.last, number)


@dataclass(slots=True)
class Camera:
    """One camera."""

    camera_id: str
    "Its name."
    watermark_us: int = -1
    "The newest picture's time."
    epoch: str = ""
    "The run of frames that the newest picture belongs to."
    ended: bool = False
    "Whether that run has ended, and nothing more will come."
    promise_us: int = -1
    "Labels of pictures before this time are complete."
    offsets: dict[str, int] = field(default_factory=dict)
    "The last record that was taken in, by topic."
    passages: dict[Key, OpenPassage] = field(default_factory=dict)
    "Vehicles that may still be there."
    days: dict[str, list[Drift]] = field(default_factory=dict)
    "Open days, and the drifts found on each."
    closed_through: str = ""
    "The newest closed day; empty before the first."
    spans: dict[str, Span] = field(default_factory=dict)
    "Chunks by epoch."
    garbage: list[str] = field(default_factory=list)
    "Keys of forgotten chunks, to be deleted with the next record: this state must be safe before they go."
    watches: Watches = field(default_factory=Watches.fresh)
    "Drift detectors."

    def include(self, epoch: str, number: int) -> None:
        """Know that a chunk is there."""
        self.spans.setdefault(epoch, Span(number, number)).include(number)

    def is_forgotten(self, epoch: str, sequence: int) -> bool:
        """Whether a frame's chunk was there once and is no more."""
        span = self.spans.get(epoch)
        return span is not None and sequence // SIZE < span.forgotten

    def chunk_numbers(self) -> Iterator[tuple[str, int]]:
        """Each chunk's epoch and number, in order."""
        for epoch, span in sorted(self.spans.items()):
            yield from ((epoch, number) for number in range(span.first, span.last + 1))

    def drop_old_epochs(self) -> None:
        """Keep the memory of forgotten epochs bounded."""
        empty = [epoch for epoch, span in self.spans.items() if span.first > span.last and epoch != self.epoch]
        for epoch in empty[:-EPOCHS_KEPT]:
            del self.spans[epoch]

    def encoded(self) -> bytes:
        """As compact JSON."""
        return json.dumps(_plain(self), separators=(",", ":")).encode()


def _plain(camera: Camera) -> dict[str, Any]:
    return {
        "camera_id": camera.camera_id,
        "watermark_us": camera.watermark_us,
        "epoch": camera.epoch,
        "ended": camera.ended,
        "promise_us": camera.promise_us,
        "offsets": camera.offsets,
        "passages": [[*key, p.last_us, p.last, p.crossed_us] for key, p in camera.passages.items()],
        "days": {day: [_plain_drift(drift) for drift in drifts] for day, drifts in camera.days.items()},
        "closed_through": camera.closed_through,
        "spans": {epoch: [span.first, span.last, span.forgotten] for epoch, span in camera.spans.items()},
        "garbage": camera.garbage,
        "watches": camera.watches.snapshot(),
    }


def decoded(data: bytes) -> Camera:
    """A camera from its bytes."""
    plain = json.loads(data)
    plain["passages"] = {Key(epoch, first): OpenPassage(*rest) for epoch, first, *rest in plain["passages"]}
    plain["days"] = {day: [_drift(drift) for drift in drifts] for day, drifts in plain["days"].items()}
    plain["spans"] = {epoch: Span(*span) for epoch, span in plain["spans"].items()}
    plain["watches"] = Watches.restore(plain["watches"])
    return Camera(**plain)


def _plain_drift(drift: Drift) -> list[Any]:
    at_us = to_us(drift.detected_at)
    return [drift.signal, drift.detector, at_us, drift.before, drift.after, drift.worse]


def _drift(plain: list[Any]) -> Drift:
    signal, detector, at_us, before, after, worse = plain
    return Drift(signal, detector, from_us(at_us), before, after, worse)
