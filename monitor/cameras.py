"""What the monitor knows of one camera between two records: small, plain JSON, written with each record."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NamedTuple

from monitor.chunks import SIZE
from monitor.signals import Watches
from monitor.windows import Calendar, span_us
from schemas.records import Drift
from schemas.times import from_us, to_us

CLOSE = 64
"Chunks between two runs that are kept as one."

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
    "How far ahead of when it was logged a picture may be."

    @property
    def heeds_promises(self) -> bool:
        """Whether days wait for their labels' promise."""
        return bool(self.label_patience)

    def due_us(self, day: str) -> int:
        """The event time from which a day takes no more frames."""
        return to_us(self.calendar.bounds(day)[1]) + span_us(self.lateness)

    def is_due(self, day: str, watermark_us: int, ended: bool) -> bool:
        """Whether a day's frames are complete, given how far the camera's pictures have come."""
        return ended or watermark_us >= self.due_us(day)

    def is_overdue(self, day: str, watermark_us: int, ended: bool) -> bool:
        """Whether a day waits for its labels no longer. What has ended waits for a promise as long as it takes."""
        if ended:
            return not self.heeds_promises
        return watermark_us >= self.due_us(day) + span_us(self.label_patience)


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

    runs: list[list[int]] = field(default_factory=list)
    "First and last number of each run of chunks, rising: labels may be far ahead of their frames."
    horizon: int = 0
    "Frames in chunks below this number are late: known from frames alone."
    forgotten: int = 0
    "Chunks below this number are gone, and what they held was counted."

    def include(self, number: int) -> None:
        """Let it reach to that chunk. Runs that are close are one: looking for a chunk that is not there costs little."""
        if any(first <= number <= last for first, last in self.runs):
            return
        joined: list[list[int]] = []
        for first, last in sorted([*self.runs, [number, number]]):
            if joined and first - joined[-1][1] <= CLOSE:
                joined[-1][1] = max(joined[-1][1], last)
            else:
                joined.append([first, last])
        self.runs = joined

    def numbers(self) -> Iterator[int]:
        """All numbers, rising."""
        for first, last in self.runs:
            yield from range(first, last + 1)

    def forget(self, below: int) -> list[int]:
        """Let go of chunks below a number; which those are."""
        gone = [number for number in self.numbers() if number < below]
        self.runs = [[max(first, below), last] for first, last in self.runs if last >= below]
        self.forgotten = max(self.forgotten, below)
        return gone


@dataclass(slots=True)
class OpenDay:
    """A day that was not handed in yet."""

    drifts: list[Drift] = field(default_factory=list)
    "Found on it."
    due_ms: int | None = None
    "When the record was logged that completed its frames; None before that."
    cutoff_ms: int | None = None
    "When the record was logged at which it stopped waiting for labels; None before that."
    kept: dict[str, int] = field(default_factory=dict)
    "By epoch, the first chunk that later days may need: what lies below goes when the day closes."


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
    promises: list[list[int]] = field(default_factory=list)
    "How far a promise reached, and when it was logged (ms), of those that completed a day that is still open."
    labels_ms: int = -1
    "When the newest label was logged."
    frames_ms: int = -1
    "When the newest frames were logged."
    offsets: dict[str, int] = field(default_factory=dict)
    "The last record that was taken in, by topic."
    passages: dict[Key, OpenPassage] = field(default_factory=dict)
    "Vehicles that may still be there."
    days: dict[str, OpenDay] = field(default_factory=dict)
    "Open days."
    due_through: str = ""
    "The newest day whose frames are complete; empty before the first. Known from frames alone."
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
        self.spans.setdefault(epoch, Span()).include(number)

    def is_beyond(self, epoch: str, sequence: int) -> bool:
        """Whether a frame is too far behind the others of its epoch."""
        span = self.spans.get(epoch)
        return span is not None and sequence // SIZE < span.horizon

    def is_forgotten(self, epoch: str, sequence: int) -> bool:
        """Whether a frame's chunk was there once and is no more."""
        span = self.spans.get(epoch)
        return span is not None and sequence // SIZE < span.forgotten

    def chunk_numbers(self) -> Iterator[tuple[str, int]]:
        """Each chunk's epoch and number, in order."""
        for epoch, span in sorted(self.spans.items()):
            yield from ((epoch, number) for number in span.numbers())

    def promise(self, until_us: int, is_new_day: bool) -> None:
        """Know how far labels are complete; `is_new_day` when that completes a day that was not complete before."""
        self.promise_us = until_us
        if is_new_day:
            self.promises.append([until_us, self.labels_ms])

    def promised_ms(self, end_us: int) -> int | None:
        """When it was logged that the labels of a day that ends then are complete; None when it was not."""
        return next((logged_ms for until_us, logged_ms in self.promises if until_us >= end_us), None)

    def forget_promises(self, end_us: int) -> None:
        """Forget those that completed no day after the one that ends then."""
        self.promises = [promise for promise in self.promises if promise[0] > end_us]

    def drop_old_epochs(self) -> None:
        """Keep the memory of forgotten epochs bounded."""
        empty = [epoch for epoch, span in self.spans.items() if not span.runs and epoch != self.epoch]
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
        "promises": camera.promises,
        "labels_ms": camera.labels_ms,
        "frames_ms": camera.frames_ms,
        "offsets": camera.offsets,
        "passages": [[*key, p.last_us, p.last, p.crossed_us] for key, p in camera.passages.items()],
        "days": {name: _plain_day(day) for name, day in camera.days.items()},
        "due_through": camera.due_through,
        "closed_through": camera.closed_through,
        "spans": {epoch: [span.runs, span.horizon, span.forgotten] for epoch, span in camera.spans.items()},
        "garbage": camera.garbage,
        "watches": camera.watches.snapshot(),
    }


def decoded(data: bytes) -> Camera:
    """A camera from its bytes."""
    plain = json.loads(data)
    plain["passages"] = {Key(epoch, first): OpenPassage(*rest) for epoch, first, *rest in plain["passages"]}
    plain["days"] = {name: _day(day) for name, day in plain["days"].items()}
    plain["spans"] = {epoch: _span(span) for epoch, span in plain["spans"].items()}
    plain["watches"] = Watches.restore(plain["watches"])
    return Camera(**_as_before(plain) | plain)


def _as_before(plain: Mapping[str, Any]) -> dict[str, Any]:
    """What follows from a state that was written when it was not kept apart from what was known of labels."""
    return {"due_through": plain["closed_through"], "promises": [[plain["promise_us"], 0]]}


def _plain_day(day: OpenDay) -> list[Any]:
    return [[_plain_drift(drift) for drift in day.drifts], day.due_ms, day.cutoff_ms, day.kept]


def _day(plain: list[Any]) -> OpenDay:
    if len(plain) == 4 and isinstance(plain[3], dict):
        return OpenDay([_drift(drift) for drift in plain[0]], *plain[1:])
    return OpenDay([_drift(drift) for drift in plain])  # written before days knew when they were due


def _span(plain: list[Any]) -> Span:
    if isinstance(plain[0], list):
        return Span(*plain)
    first, last, forgotten = plain  # written before there could be several runs
    return Span([[first, last]] if first <= last else [], forgotten, forgotten)


def _plain_drift(drift: Drift) -> list[Any]:
    at_us = to_us(drift.detected_at)
    return [drift.signal, drift.detector, at_us, drift.before, drift.after, drift.worse]


def _drift(plain: list[Any]) -> Drift:
    signal, detector, at_us, before, after, worse = plain
    return Drift(signal, detector, from_us(at_us), before, after, worse)
