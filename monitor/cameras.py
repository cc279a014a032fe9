"""What the monitor knows of one camera between two records: small, plain JSON, written with each record."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any, NamedTuple

from monitor.chunks import SIZE, Place
from monitor.findings import FIELDS, finding_of, plain_finding
from monitor.integrity import Integrity
from monitor.labelling import Variety
from monitor.signals import Watches
from monitor.windows import Calendar, span_us
from schemas.records import Finding
from schemas.times import MILLISECOND, to_us

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
    label_horizon: timedelta = timedelta(days=7)
    "By the log's time, how long after a day has closed labels may still change it."
    revise_every: timedelta = timedelta(minutes=1)
    "By the log's time: late labels of so long make one revision, at the next record of labels."
    trust: tuple[tuple[str, float], ...] = ()
    "What a label source's word weighs where sources contradict each other; 1 for those not named."

    def round_ms(self, late_ms: int) -> int:
        """By the log's time, the next round time at which late labels are counted."""
        every_ms = max(self.revise_every // MILLISECOND, 1)
        return (late_ms // every_ms + 1) * every_ms

    def final_ms(self, day: "ClosedDay") -> int:
        """By the log's time, from when on labels are too late for a closed day."""
        return day.closed_ms + self.label_horizon // MILLISECOND

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
    closed: int = 0
    "Chunks below this number hold nothing of days after the newest closed one."

    @property
    def is_open(self) -> bool:
        """Whether it holds chunks that days after the newest closed one may need."""
        return bool(self.runs) and self.runs[-1][1] >= self.closed

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

    findings: list[Finding] = field(default_factory=list)
    "Those that lasted on it, once its frames are complete."
    due_ms: int | None = None
    "When the record was logged that completed its frames; None before that."
    cutoff_ms: int | None = None
    "When the record was logged at which it stopped waiting for labels; None before that."
    kept: dict[str, int] = field(default_factory=dict)
    "By epoch, the first chunk that later days may need, where that has changed: what lies below goes with the day."
    seen_us: int = -1
    "How far the camera had come on it, once its frames are complete: to its end, or as far as its source gave pictures."


@dataclass(slots=True)
class ClosedDay:
    """A day that was handed in, and may be revised by late labels."""

    closed_ms: int
    "When the record was logged that closed it."
    cutoff_ms: int | None
    "When the record was logged at which it stopped waiting for labels; None before that."
    revision: int
    "Of the camera-day that was handed in last."
    findings: list[Finding]
    "Those that lasted on it."
    unmatched: int
    "Labels whose frame or passage was not seen until it closed; they are gone from the chunks."
    first: dict[str, int]
    "By epoch, the first chunk that may hold something of it, where that is not the first of all …"
    last: dict[str, int]
    "… and the last one, of the epochs that hold any."
    kept: dict[str, int]
    "By epoch, the first chunk that later days may need, where that has changed: what lies below goes when it is forgotten."
    dirty_ms: int | None = None
    "When the first late label was logged that is not counted yet; None without any."
    revised_ms: int = -1
    "Labels logged before this time count, late or not."
    touched: dict[str, list[int]] = field(default_factory=dict)
    "By epoch, chunks with labels that are not counted yet."
    seen_us: int = -1
    "How far the camera had come on it; -1 where the state was written when days did not know it."

    def chunks_of(self, epoch: str) -> range:
        """Which chunks of an epoch may hold something of it."""
        return range(self.first.get(epoch, 0), self.last.get(epoch, -1) + 1)

    def touch(self, place: Place, late_ms: int | None) -> None:
        """Know of a label that is not counted yet, and when it was logged; None where it never will be."""
        epoch, number = place
        numbers = self.touched.setdefault(epoch, [])
        if number not in numbers:
            numbers.append(number)
        self.dirty_ms = min((ms for ms in (self.dirty_ms, late_ms) if ms is not None), default=None)


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
    closed: dict[str, ClosedDay] = field(default_factory=dict)
    "Days that late labels may still revise."
    unseen: dict[str, list[int]] = field(default_factory=dict)
    "By epoch, chunks that hold labels of what was not seen when they came: days that come later look into them."
    turns: list[tuple[int, bool]] = field(default_factory=list)
    "When records of labels were logged at which late ones are counted, and whether by such a source said it was done."
    model_version: str = ""
    "The bundle that served the newest classified frame; empty before the first."
    told_us: int = -1
    "Event time of the last news."
    lasting: list[Finding] = field(default_factory=list)
    "Findings that last, and those that were over on a day whose frames are not complete."
    watches: Watches = field(default_factory=Watches.fresh)
    "Drift detectors."
    integrity: Integrity = field(default_factory=Integrity.fresh)
    "What is known of the stream's soundness."
    variety: Variety = field(default_factory=Variety)
    "What its labels name."

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

    def let_go(self, kept: Mapping[str, int]) -> None:
        """Know that a day has closed, and from which chunks on later ones may need them."""
        for epoch, number in kept.items():
            self.spans[epoch].closed = number

    def promise(self, until_us: int, is_new_day: bool) -> None:
        """Know how far labels are complete; `is_new_day` when that completes a day that was not complete before."""
        self.promise_us = until_us
        if is_new_day:
            self.promises.append([until_us, self.labels_ms])

    def promised_ms(self, end_us: int) -> int | None:
        """When it was logged that the labels of a day that ends then are complete; None when it was not."""
        return next((logged_ms for until_us, logged_ms in self.promises if until_us >= end_us), None)

    def miss(self, epoch: str, number: int) -> None:
        """Know that a label came for what was not seen yet."""
        numbers = self.unseen.setdefault(epoch, [])
        if number not in numbers:
            self.unseen[epoch] = sorted([*numbers, number])

    def forget_promises(self, end_us: int) -> None:
        """Forget those that completed no day after the one that ends then."""
        self.promises = [promise for promise in self.promises if promise[0] > end_us]

    def turn(self, is_done: bool, policy: Policy) -> None:
        """Know that a record of labels came: each that ends a source's work counts, of others the first after a round time.

        Those are forgotten that no day can need: one that closes from now on closes after the newest frames.
        """
        last_ms = self.turns[-1][0] if self.turns else -1
        if is_done or last_ms < 0 or self.labels_ms >= policy.round_ms(last_ms):
            self.turns.append((self.labels_ms, is_done))
        if not any(day.dirty_ms is not None for day in self.closed.values()):
            self.turns = [turn for turn in self.turns if turn[0] >= min(self.frames_ms, self.labels_ms)]

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
        "spans": {epoch: _plain_span(span) for epoch, span in camera.spans.items()},
        "garbage": camera.garbage,
        "closed": {name: _plain_closed(day) for name, day in camera.closed.items()},
        "unseen": camera.unseen,
        "turns": camera.turns,
        "model_version": camera.model_version,
        "told_us": camera.told_us,
        "lasting": _plain_findings(camera.lasting),
        "watches": camera.watches.snapshot(),
        "integrity": camera.integrity.snapshot(),
        "variety": [camera.variety.day, camera.variety.known],
    }


def decoded(data: bytes) -> Camera:
    """A camera from its bytes."""
    plain = json.loads(data)
    plain["passages"] = {Key(epoch, first): OpenPassage(*rest) for epoch, first, *rest in plain["passages"]}
    plain["days"] = {name: _day(day) for name, day in plain["days"].items()}
    plain["spans"] = {epoch: _span(span) for epoch, span in plain["spans"].items()}
    plain["turns"] = [(logged_ms, is_done) for logged_ms, is_done in plain.get("turns", [])]
    plain["closed"] = {name: _closed(day) for name, day in plain.get("closed", {}).items()}
    plain["lasting"] = _findings(plain.get("lasting", []))
    plain["watches"] = Watches.restore(plain["watches"])
    plain["integrity"] = Integrity.restore(plain["integrity"]) if "integrity" in plain else Integrity.fresh()
    plain["variety"] = Variety(*plain.get("variety", ()))
    return Camera(**_as_before(plain) | plain)


def _as_before(plain: Mapping[str, Any]) -> dict[str, Any]:
    """What follows from a state that was written when it was not kept apart from what was known of labels."""
    return {"due_through": plain["closed_through"], "promises": [[plain["promise_us"], 0]]}


def _plain_day(day: OpenDay) -> list[Any]:
    return [_plain_findings(day.findings), day.due_ms, day.cutoff_ms, day.kept, day.seen_us]


def _day(plain: list[Any]) -> OpenDay:
    if len(plain) > 3 and isinstance(plain[3], dict):
        return OpenDay(_findings(plain[0]), *plain[1:])
    return OpenDay()  # written before days knew when they were due


def _plain_closed(day: ClosedDay) -> dict[str, Any]:
    return {field.name: getattr(day, field.name) for field in fields(day)} | {"findings": _plain_findings(day.findings)}


def _closed(plain: dict[str, Any]) -> ClosedDay:
    return ClosedDay(**plain | {"findings": _findings(plain["findings"])})


def _plain_span(span: Span) -> list[Any]:
    return [span.runs, span.horizon, span.forgotten, span.closed]


def _span(plain: list[Any]) -> Span:
    if isinstance(plain[0], list):
        return Span(*plain)
    first, last, forgotten = plain  # written before there could be several runs
    return Span([[first, last]] if first <= last else [], forgotten, forgotten)


def _plain_findings(findings: Iterable[Finding]) -> list[list[Any]]:
    return [plain_finding(finding) for finding in findings]


def _findings(plain: Iterable[list[Any]]) -> list[Finding]:
    return [finding_of(each) for each in plain if len(each) == FIELDS]  # shorter ones were written as drifts
