"""Taking records in: what a batch of observations or a label does to its camera, and what follows from it.

    record ──► camera, chunks ──► Outcome: records to send first, then values to write, last the camera's own

Each frame is taken in by itself, so that it makes no difference how frames were batched. A record at or before the
camera's last offset was taken in already and changes nothing.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from monitor import rules
from monitor.cameras import Camera, Key, OpenPassage, Policy, decoded
from monitor.chunks import SIZE, Chunk, Chunks, Given, Row, Verdict
from monitor.closing import camera_day, forget, is_seen, opening, vehicle_us
from monitor.passages import certainty, crossing_us, passage_record, verdict
from monitor.quantiles import bucket_of
from monitor.signals import BRIGHTNESS, CONFIDENCE, Found, Signal
from monitor.windows import from_us, span_us, to_us
from schemas.errors import DecodingError
from schemas.ids import FrameRef, parse_id
from schemas.observations import Observation, rows
from schemas.records import Label, Observations, Record
from schemas.topics import OBSERVATIONS

FAR = 1024
"A label this many chunks from any frame of its epoch is for nothing that this camera pushed."


@dataclass(frozen=True, slots=True)
class Position:
    """Where a record was read."""

    topic: str
    "The topic's name in the topic table."
    offset: int
    "Offset in the camera's partition."


@dataclass(slots=True)
class Outcome:
    """What follows from a record."""

    outputs: list[Record] = field(default_factory=list)
    "To be sent, and acknowledged, before anything is written."
    writes: dict[str, bytes | None] = field(default_factory=dict)
    "To be written in this order; None deletes."
    counts: Counter[str] = field(default_factory=Counter)
    "What happened, for the counters."
    faults: list[str] = field(default_factory=list)
    "Why parts of the record were not believed."


def take_observations(
    policy: Policy, values: Mapping[str, bytes], batch: Observations, position: Position, now: datetime
) -> Outcome:
    """What a batch of predictions does to its camera."""
    fold = Fold(policy, values, batch.camera_id)
    if fold.is_new(position):
        for i, observation in enumerate(rows(batch)):
            fold.frame(observation, _probabilities(batch, i), now)
    return fold.outcome()


def take_label(policy: Policy, values: Mapping[str, bytes], label: Label, position: Position) -> Outcome:
    """What a label, or a labelling source's promise, does to its camera."""
    fold = Fold(policy, values, label.camera_id)
    if fold.is_new(position):
        fold.label(label)
    return fold.outcome()


def _probabilities(batch: Observations, i: int) -> dict[str, float]:
    width = len(batch.classes)
    if batch.label[i] < 0:
        return {}
    values = batch.probabilities[i * width : (i + 1) * width]
    return {name: round(p, 5) for name, p in zip(batch.classes, values, strict=True)}


class Fold:
    """One record's way into one camera."""

    def __init__(self, policy: Policy, values: Mapping[str, bytes], camera_id: str) -> None:
        data = values.get(camera_id)
        self._policy = policy
        self._calendar = policy.calendar
        self._camera = decoded(data) if data else Camera(camera_id)
        self._chunks = Chunks(camera_id, values)
        self._garbage = self._camera.garbage
        self._out = Outcome()
        self._new = False
        self._ended: set[Key] = set()
        self._out.counts["detectors_reset"] = len(self._camera.watches.reset)

    def is_new(self, position: Position) -> bool:
        """Whether the record was not taken in before; from here on it is."""
        self._new = position.offset > self._camera.offsets.get(position.topic, -1)
        if self._new:
            self._camera.offsets[position.topic] = position.offset
            self._camera.garbage = []
        return self._new

    @property
    def _offset(self) -> int:
        """Of the newest observations."""
        return self._camera.offsets.get(OBSERVATIONS.name, -1)

    def outcome(self) -> Outcome:
        """What follows; nothing from a record that was taken in before."""
        if self._new:
            self._out.writes.update(dict.fromkeys(self._garbage))
            self._out.writes.update(self._chunks.writes())
            self._out.writes[self._camera.camera_id] = self._camera.encoded()
        return self._out

    # Frames

    def frame(self, seen: Observation, probabilities: dict[str, float], now: datetime) -> None:
        """Take a frame in."""
        if seen.captured_at > now + self._policy.max_skew:
            self._refuse(seen, now)
        elif seen.kind == "end":
            self._end(seen)
        elif self._is_late(seen):
            self._out.counts["late_frames"] += 1
        else:
            self._keep(seen, _row(seen, probabilities))
            self._advance()

    def _refuse(self, seen: Observation, now: datetime) -> None:
        self._out.counts["future_frames"] += 1
        self._out.faults.append(
            f"{seen.frame_id} was captured at {seen.captured_at.isoformat()}, ahead of the clock ({now.isoformat()})"
            f" by more than monitor.max_skew ({self._policy.max_skew}); set the camera's clock"
        )

    def _end(self, seen: Observation) -> None:
        if seen.epoch == self._camera.epoch:
            self._camera.ended = True
            self._advance()

    def _is_late(self, seen: Observation) -> bool:
        day = self._calendar.day_of(seen.captured_at)
        return day <= self._camera.closed_through or self._camera.is_forgotten(seen.epoch, seen.sequence)

    def _keep(self, seen: Observation, row: Row) -> None:
        camera, number = self._camera, seen.sequence // SIZE
        camera.include(seen.epoch, number)
        self._chunks.change(seen.epoch, number).rows[seen.sequence] = row
        if row.captured_us >= camera.watermark_us:
            camera.watermark_us, camera.epoch, camera.ended = row.captured_us, seen.epoch, False
        self._open_day(self._calendar.day_of(seen.captured_at))
        if row.passage is None:
            self._watch_picture(row)
        else:
            self._follow(Key(seen.epoch, row.passage), seen.sequence, row)

    def _open_day(self, day: str) -> None:
        if day not in self._camera.days and day > self._camera.closed_through:
            self._camera.days[day] = []
            self._out.outputs.append(opening(self._camera, day, self._calendar))

    # Passages

    def _follow(self, key: Key, sequence: int, row: Row) -> None:
        """Join a frame to its vehicle, which may be over already."""
        known = self._chunks.get(key.epoch, key.first // SIZE).verdicts.get(key.first)
        passage = self._camera.passages.get(key)
        if passage:
            passage.last_us = max(passage.last_us, row.captured_us)
            passage.last = max(passage.last, sequence)
            passage.crossed_us = passage.crossed_us or row.crossed_us
        elif known and (known.ended_by < self._offset or key in self._ended):
            self._join_late(key, known, sequence)
        else:
            self._camera.passages[key] = OpenPassage(row.captured_us, sequence, row.crossed_us)

    def _join_late(self, key: Key, known: Verdict, sequence: int) -> None:
        self._out.counts["late_passage_frames"] += 1
        chunk = self._chunks.change(key.epoch, key.first // SIZE)
        chunk.verdicts[key.first] = known._replace(last=max(known.last, sequence))

    def _end_passages(self, keys: list[Key]) -> None:
        for key in sorted(keys, key=lambda key: (self._camera.passages[key].last_us, key)):
            self._end_passage(key, self._camera.passages.pop(key))

    def _end_passage(self, key: Key, passage: OpenPassage) -> None:
        frames = list(self._chunks.rows_of(key.epoch, key.first, passage.last))
        label, crossed_us = verdict(frames), crossing_us(frames)
        self._camera.include(key.epoch, key.first // SIZE)
        chunk = self._chunks.change(key.epoch, key.first // SIZE)
        chunk.verdicts[key.first] = Verdict(label, crossed_us, frames[0].captured_us, passage.last, self._offset)
        self._ended.add(key)
        if crossed_us is not None:
            self._open_day(self._calendar.day_of(from_us(crossed_us)))
        record = passage_record(self._camera.camera_id, key, frames)
        if record:
            self._out.outputs.append(record)
        if label:
            self._watch(CONFIDENCE, passage.last_us, certainty(frames, label))

    # Signals

    def _watch_picture(self, row: Row) -> None:
        self._watch(BRIGHTNESS, row.captured_us, row.brightness)
        if row.label is not None:
            self._watch(CONFIDENCE, row.captured_us, row.confidence)

    def _watch(self, signal: Signal, at_us: int, value: float) -> None:
        found = self._camera.watches.add(signal, at_us, value)
        if found:
            self._note(found)

    def _note(self, found: Found) -> None:
        day = self._calendar.day_of(found.drift.detected_at)
        drifts = self._camera.days.setdefault(day, [])
        known = any(drift.worse and drift.signal == found.drift.signal for drift in drifts)
        if found.drift.worse and not known:
            self._out.outputs.append(rules.drift_alert(self._camera.camera_id, day, found))
        drifts.append(found.drift)

    # Time

    def _advance(self) -> None:
        """End what is over, now that time has moved."""
        camera, timeout_us = self._camera, span_us(self._policy.passage_timeout)
        over = [
            key for key, p in camera.passages.items() if camera.ended or p.last_us + timeout_us < camera.watermark_us
        ]
        self._end_passages(over)
        for day in sorted(camera.days):
            if not self._policy.is_due(day, camera.watermark_us, camera.promise_us, ended=camera.ended):
                break
            self._close(day)

    def _close(self, day: str) -> None:
        camera, end_us = self._camera, to_us(self._calendar.bounds(day)[1])
        self._end_passages(
            [key for key, p in camera.passages.items() if min(p.last_us, p.crossed_us or p.last_us) < end_us]
        )
        self._out.outputs.append(camera_day(camera, self._chunks, day, self._calendar))
        del camera.days[day]
        camera.closed_through = day
        forget(camera, self._chunks, day, self._calendar)

    # Labels

    def label(self, label: Label) -> None:
        """Take a label in, and its promise."""
        thing = label.passage_id or label.frame_id
        if label.label is not None and thing:
            self._given(parse_id(thing), Given(label.label, to_us(label.labelled_at), label.label_id))
        if label.complete_until is not None:
            self._camera.promise_us = max(self._camera.promise_us, to_us(label.complete_until))
        self._advance()

    def _given(self, thing: FrameRef, given: Given) -> None:
        if thing.camera_id != self._camera.camera_id:
            raise DecodingError(f"label {given.label_id} of {self._camera.camera_id} is for {thing.camera_id}")
        chunk = self._chunks.get(thing.epoch, thing.sequence // SIZE)
        fate = self._fate(thing, chunk, given)
        if fate:
            self._out.counts[fate] += 1
        else:
            self._attach(thing, given)

    def _fate(self, thing: FrameRef, chunk: Chunk, given: Given) -> str | None:
        """Why a label cannot count; None when it can."""
        if self._camera.is_forgotten(thing.epoch, thing.sequence):
            return "late_labels"
        known = is_seen(chunk, thing.sequence) if thing.passage else thing.sequence in chunk.rows
        at_us = self._thing_us(thing, chunk) if known else given.labelled_us
        if self._calendar.day_of(from_us(at_us)) <= self._camera.closed_through:
            return "late_labels" if known else "unmatched_labels"
        return "unmatched_labels" if self._is_far(thing) else None

    def _thing_us(self, thing: FrameRef, chunk: Chunk) -> int:
        return vehicle_us(chunk, thing.sequence) if thing.passage else chunk.rows[thing.sequence].captured_us

    def _is_far(self, thing: FrameRef) -> bool:
        number, span = thing.sequence // SIZE, self._camera.spans.get(thing.epoch)
        return number > FAR if span is None else not span.first - FAR <= number <= span.last + FAR

    def _attach(self, thing: FrameRef, given: Given) -> None:
        self._camera.include(thing.epoch, thing.sequence // SIZE)
        chunk = self._chunks.change(thing.epoch, thing.sequence // SIZE)
        labels = chunk.passage_labels if thing.passage else chunk.frame_labels
        known = labels.get(thing.sequence)
        if known is None or given[1:] > known[1:]:
            labels[thing.sequence] = given
        self._out.counts["labels"] += 1


def _row(seen: Observation, probabilities: dict[str, float]) -> Row:
    return Row(
        kind=seen.kind,
        captured_us=to_us(seen.captured_at),
        passage=seen.passage,
        crossed_us=None if seen.crossed_at is None else to_us(seen.crossed_at),
        zone_id=seen.zone_id,
        label=seen.label,
        probabilities=probabilities,
        pixels=seen.width * seen.height,
        brightness=round(seen.brightness, 3),
        bucket=bucket_of(seen.latency_ms),
        model_version=seen.model_version,
    )
