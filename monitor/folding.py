"""Taking records in: what a batch of observations or a label does to its camera, and what follows from it.

    record ──► camera, chunks ──► Outcome: records to send first, then values to write, last the camera's own

Each frame is taken in by itself, so that it makes no difference how frames were batched. A record at or before the
camera's last offset was taken in already and changes nothing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from monitor.cameras import Camera, ClosedDay, Key, OpenDay, OpenPassage, Policy, decoded
from monitor.chunks import SIZE, Chunks, Given, Row, Verdict
from monitor.closing import camera_day, forget, frame_us, needed_later, news, vehicle_us
from monitor.findings import lasting_after, noted, on_day
from monitor.integrity import Seen
from monitor.labelling import WITHDRAWN, with_word
from monitor.passages import certainty, crossing_us, passage_record, verdict
from monitor.quantiles import bucket_of
from monitor.signals import PictureValues
from monitor.windows import span_us
from schemas.errors import DecodingError
from schemas.ids import FrameRef, frame_id, parse_id
from schemas.observations import Observation, rows
from schemas.records import CLASSIFIED, CameraDay, Finding, Label, Observations, Record
from schemas.times import from_ms, from_us, to_us
from schemas.topics import OBSERVATIONS

BLINDING = frozenset({"black", "blown-out", "frozen"})
"Faults of a picture that shows nothing of the road: its signals say nothing either."

NEWS_EVERY = timedelta(hours=1)
"Of event time: as often as this a camera says how far it has come, so that alerts know what time it is there."


@dataclass(frozen=True, slots=True)
class Position:
    """Where a record was read, and when it was written."""

    topic: str
    "The topic's name in the topic table."
    offset: int
    "Offset in the camera's partition."
    logged_ms: int
    "When it was first logged, milliseconds since 1970."
    labels_read: bool = False
    "Whether the camera's labels that were logged before it were all taken in."


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
    logged_ms: dict[int, int] = field(default_factory=dict)
    "Of the camera-days among the outputs, by their place: when the record was logged that made them."
    waits: bool = False
    "Whether a day is closed as soon as all labels that were logged before are known to have been taken in."

    def hand_in(self, camera_day: CameraDay, logged_ms: int) -> None:
        """A camera-day is to be sent; `logged_ms` is when the record was logged that made it."""
        self.logged_ms[len(self.outputs)] = logged_ms
        self.outputs.append(camera_day)


def take_observations(policy: Policy, values: Mapping[str, bytes], batch: Observations, position: Position) -> Outcome:
    """What a batch of predictions does to its camera."""
    fold = _opened(policy, values, batch.camera_id, position)
    if fold.is_new:
        fold.observations(batch)
    return fold.written()


def take_label(policy: Policy, values: Mapping[str, bytes], label: Label, position: Position) -> Outcome:
    """What a label, or a labelling source's promise, does to its camera."""
    fold = _opened(policy, values, label.camera_id, position)
    if fold.is_new:
        fold.label(label)
    return fold.written()


def _opened(policy: Policy, values: Mapping[str, bytes], camera_id: str, position: Position) -> "Fold":
    data = values.get(camera_id)
    camera = decoded(data) if data else Camera(camera_id)
    return Fold(policy, camera, Chunks(camera_id, values), position)


def _probabilities(batch: Observations, i: int) -> dict[str, float]:
    width = len(batch.classes)
    if batch.label[i] < 0:
        return {}
    values = batch.probabilities[i * width : (i + 1) * width]
    return {name: round(p, 5) for name, p in zip(batch.classes, values, strict=True)}


class Fold:
    """One record's way into one camera."""

    def __init__(self, policy: Policy, camera: Camera, chunks: Chunks, position: Position | None) -> None:
        """Without a position there is no record, only the knowledge that none is missing."""
        self.out = Outcome()
        self.is_new = position is None or position.offset > camera.offsets.get(position.topic, -1)
        self._policy, self._calendar = policy, policy.calendar
        self._camera, self._chunks, self._garbage = camera, chunks, camera.garbage
        self._ended: set[Key] = set()
        self._logged_ms = position.logged_ms if position else -1
        self._labels_read = position is None or position.labels_read
        self.out.counts["detectors_reset"] = len(camera.watches.reset)
        if self.is_new:
            camera.garbage = []
        if position and self.is_new:
            camera.offsets[position.topic] = position.offset

    @property
    def _offset(self) -> int:
        """Of the newest observations."""
        return self._camera.offsets.get(OBSERVATIONS.name, -1)

    def written(self) -> Outcome:
        """What follows, with the values to be written; nothing from a record that was taken in before."""
        if self.is_new:
            self.out.writes.update(dict.fromkeys(self._garbage))
            self.out.writes.update(self._chunks.writes())
            self.out.writes[self._camera.camera_id] = self._camera.encoded()
        return self.out

    # Frames

    def observations(self, batch: Observations, rows_ms: Sequence[int] = ()) -> None:
        """Take the frames of a batch in, one by one; `rows_ms` says of each row when it was logged, where that differs."""
        self._camera.frames_ms = max(self._camera.frames_ms, self._logged_ms)
        for i, seen in enumerate(rows(batch)):
            self._logged_ms = rows_ms[i] if rows_ms else self._logged_ms
            if seen.captured_at > from_ms(self._logged_ms) + self._policy.max_skew:
                self._refuse(seen)
            else:
                self._frame(seen, _probabilities(batch, i))
        self.close_days(self._labels_read)

    def _frame(self, seen: Observation, probabilities: dict[str, float]) -> None:
        self._found(self._camera.integrity.see(self._camera.camera_id, _seen(seen, probabilities)))
        if seen.kind == "end":
            self._end(seen)
        elif self._is_late(seen):
            self.out.counts["late_frames"] += 1
        else:
            self._keep(seen, _row(seen, probabilities))
            self._advance()

    def _refuse(self, seen: Observation) -> None:
        logged_at = from_ms(self._logged_ms)
        self.out.counts["future_frames"] += 1
        self._found(
            self._camera.integrity.refused(
                seen.camera_id, seen.frame_id, to_us(seen.captured_at), self._logged_ms * 1000
            )
        )
        self.out.faults.append(
            f"{seen.frame_id} was captured at {seen.captured_at.isoformat()}, ahead of when it was logged"
            f" ({logged_at.isoformat()}) by more than monitor.max_skew ({self._policy.max_skew}); set the camera's clock"
        )

    def _end(self, seen: Observation) -> None:
        if seen.epoch == self._camera.epoch:
            self._camera.ended = True
            self._advance()

    def _is_late(self, seen: Observation) -> bool:
        """Decided by the camera's frames alone, in their order: when labels come makes no difference."""
        camera, day = self._camera, self._calendar.day_of(seen.captured_at)
        if day <= camera.due_through or self._policy.is_due(day, camera.watermark_us, ended=False):
            return True
        known = frame_us(self._chunks.get(seen.epoch, seen.sequence // SIZE), seen.sequence)
        again = known is not None and self._calendar.day_of(from_us(known)) <= camera.due_through
        return again or camera.is_beyond(seen.epoch, seen.sequence)

    def _keep(self, seen: Observation, row: Row) -> None:
        camera, number = self._camera, seen.sequence // SIZE
        camera.include(seen.epoch, number)
        self._chunks.change(seen.epoch, number).rows[seen.sequence] = row
        if row.captured_us >= camera.watermark_us:
            camera.watermark_us, camera.epoch, camera.ended = row.captured_us, seen.epoch, False
        self._open_day(self._calendar.day_of(seen.captured_at))
        camera.model_version = row.model_version if row.kind in CLASSIFIED else camera.model_version
        if row.passage is None:
            self._look(seen, row)
        else:
            self._follow(Key(seen.epoch, row.passage), seen.sequence, row)
        if row.captured_us - camera.told_us >= span_us(NEWS_EVERY):
            self._tell()

    def _open_day(self, day: str) -> None:
        if day not in self._camera.days and day > self._camera.due_through:
            self._camera.days[day] = OpenDay()
            self._tell_of(day)

    # Findings

    def _look(self, seen: Observation, row: Row) -> None:
        """At a whole picture, and what it says of the road."""
        camera_id, name, at_us = self._camera.camera_id, seen.frame_id, row.captured_us
        if not self._is_blind:
            watches = self._camera.watches
            values = PictureValues(row.brightness, row.contrast, row.sharpness, row.noise)
            self._found(watches.see_picture(camera_id, name, at_us, values, seen.sketch))
            if row.kind in CLASSIFIED:
                self._found(watches.see_confidence(camera_id, name, at_us, seen.confidence))

    @property
    def _is_blind(self) -> bool:
        """Whether the pictures show nothing of the road, so that no signal says anything."""
        return any(each.signal in BLINDING and each.until is None for each in self._camera.lasting)

    def _found(self, findings: Iterable[Finding]) -> None:
        """Keep what was found, and tell it."""
        if findings := tuple(findings):
            self._camera.lasting = noted(self._camera.lasting, findings)
            self._tell()

    def _tell(self) -> None:
        """Say what is known of the day that the camera has come to."""
        day = self._calendar.day_of(from_us(self._camera.watermark_us))
        if day in self._camera.days:
            self._tell_of(day)

    def _tell_of(self, day: str) -> None:
        camera = self._camera
        camera.told_us = camera.watermark_us
        found = on_day(camera.lasting, *self._calendar.bounds(day))
        self.out.hand_in(news(camera, day, self._calendar, found, camera.watermark_us), self._logged_ms)

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
            self.out.counts["late_passage_frames"] += 1
        else:
            self._camera.passages[key] = OpenPassage(row.captured_us, sequence, row.crossed_us)

    def _end_passages(self, keys: list[Key]) -> None:
        for key in sorted(keys, key=lambda key: (self._camera.passages[key].last_us, key)):
            self._end_passage(key, self._camera.passages.pop(key))

    def _end_passage(self, key: Key, passage: OpenPassage) -> None:
        numbered = list(self._chunks.frames_of(key.epoch, key.first, passage.last))
        frames = [row for _, row in numbered]
        self._camera.include(key.epoch, key.first // SIZE)
        chunk = self._chunks.change(key.epoch, key.first // SIZE)
        chunk.verdicts[key.first] = found = self._verdict(passage, numbered, frames)
        self._ended.add(key)
        if found.crossed_us is not None:
            self._open_day(self._calendar.day_of(from_us(found.crossed_us)))
        record = passage_record(self._camera.camera_id, key, frames)
        if record:
            self.out.outputs.append(record)
        if not self._is_blind:
            self._watch_passage(key, passage, found)

    def _verdict(self, passage: OpenPassage, numbered: list[tuple[int, Row]], frames: list[Row]) -> Verdict:
        label, crossing = verdict(frames), next((row for row in frames if row.crossed_us is not None), None)
        shown, largest = max(numbered, key=lambda frame: (frame[1].pixels, -frame[0]))
        return Verdict(
            label,
            crossing_us(frames),
            first_us=frames[0].captured_us,
            last=passage.last,
            ended_by=self._offset,
            due_through=self._camera.due_through,
            frames=sum(row.label is not None for row in frames),
            dissenting=sum(row.label not in (None, label) for row in frames),
            refused=sum(row.is_refused for row in frames),
            confidence=round(certainty(frames, label), 5) if label else 0.0,
            zone_id=crossing.zone_id if crossing else None,
            pixels=largest.pixels,
            shown=shown,
        )

    def _watch_passage(self, key: Key, passage: OpenPassage, verdict: Verdict) -> None:
        name = frame_id(self._camera.camera_id, key.epoch, verdict.shown)
        seen = self._camera.watches.see_passage(
            self._camera.camera_id,
            name,
            passage.last_us,
            verdict.label,
            verdict.confidence,
            frames=verdict.frames,
            dissenting=verdict.dissenting,
            refused=verdict.refused,
        )
        self._found(seen)

    # Time

    def _advance(self) -> None:
        """End what is over, now that the camera's time has moved."""
        camera, timeout_us = self._camera, span_us(self._policy.passage_timeout)
        over = [
            key for key, p in camera.passages.items() if camera.ended or p.last_us + timeout_us < camera.watermark_us
        ]
        self._end_passages(over)
        for name, day in sorted(camera.days.items()):
            if day.due_ms is None and self._policy.is_due(name, camera.watermark_us, camera.ended):
                self._complete(name, day)
            if day.cutoff_ms is None and self._policy.is_overdue(name, camera.watermark_us, camera.ended):
                day.cutoff_ms = self._logged_ms

    def _complete(self, name: str, day: OpenDay) -> None:
        """No more frames are taken for a day: what happens later cannot change what is known of it."""
        camera, end_us = self._camera, to_us(self._calendar.bounds(name)[1])
        self._end_passages(
            [key for key, p in camera.passages.items() if min(p.last_us, p.crossed_us or p.last_us) < end_us]
        )
        bounds = self._calendar.bounds(name)
        day.findings = on_day(camera.lasting, *bounds)
        camera.lasting = lasting_after(camera.lasting, bounds[1])
        day.due_ms = self._logged_ms
        day.kept = needed_later(camera, self._chunks, name, self._calendar)
        camera.due_through = name
        for epoch, number in day.kept.items():
            camera.spans[epoch].horizon = number

    def finish(self) -> None:
        """Nothing more will come, neither frames nor labels."""
        camera = self._camera
        camera.ended = bool(camera.epoch)
        self._logged_ms = max(camera.frames_ms, camera.labels_ms) + 1
        self._advance()
        camera.turns.append((self._logged_ms, True))
        for day in camera.days.values():
            day.cutoff_ms = day.cutoff_ms or self._logged_ms
        self.close_days(labels_read=True)

    def close_days(self, labels_read: bool) -> None:
        """Hand in the days that are complete, frames and labels; `labels_read` up to the newest frames' record."""
        for name, day in sorted(self._camera.days.items()):
            closed_ms = self._closed_ms(name, day, labels_read)
            if closed_ms is None:
                break
            self._close(name, day, closed_ms)
        self._revise()
        self._forget_days(labels_read)

    def _closed_ms(self, name: str, day: OpenDay, labels_read: bool) -> int | None:
        """When that was logged which closes a day; None when it stays open."""
        if day.due_ms is None:
            return None
        promised_ms = self._promised_ms(name)
        if promised_ms is not None and (day.cutoff_ms is None or promised_ms < day.cutoff_ms):
            return max(day.due_ms, promised_ms)
        if day.cutoff_ms is None:
            return None
        waits = not (labels_read or self._camera.labels_ms > day.cutoff_ms)
        self.out.waits |= waits
        return None if waits else day.cutoff_ms

    def _promised_ms(self, name: str) -> int | None:
        if not self._policy.heeds_promises:
            return None
        return self._camera.promised_ms(to_us(self._calendar.bounds(name)[1]))

    def _close(self, name: str, day: OpenDay, closed_ms: int) -> None:
        camera = self._camera
        camera.closed[name] = ClosedDay(
            closed_ms=closed_ms,
            cutoff_ms=day.cutoff_ms,
            revision=1,
            findings=day.findings,
            unmatched=0,
            first=self._first_chunks(),
            last={epoch: span.runs[-1][1] for epoch, span in camera.spans.items() if span.runs},
            kept=day.kept,
        )
        self.out.hand_in(camera_day(camera, self._chunks, name, self._policy), closed_ms)
        del camera.days[name]
        camera.closed_through = name
        camera.forget_promises(to_us(self._calendar.bounds(name)[1]))

    def _first_chunks(self) -> dict[str, int]:
        """By epoch, the first chunk that days after the last closed one may need."""
        closed = self._camera.closed.get(self._camera.closed_through)
        return dict(closed.kept) if closed else {}

    def _revise(self) -> None:
        """Hand in anew the days of late labels whose turn has come."""
        for name, day in sorted(self._camera.closed.items()):
            while (turn_ms := self._turn_ms(day)) is not None:
                day.revised_ms, day.revision = turn_ms, day.revision + 1
                self.out.hand_in(camera_day(self._camera, self._chunks, name, self._policy), turn_ms)

    def _turn_ms(self, day: ClosedDay) -> int | None:
        """When the record was logged at which a day's late labels are counted; None while it is not there.

        It is a record of the labels' own, after the day has closed: neither when frames are read nor in what order makes
        a difference.
        """
        if day.dirty_ms is None:
            return None
        after_ms = max(day.dirty_ms, day.closed_ms)
        round_ms = self._policy.round_ms(after_ms)
        return next((ms for ms, is_done in self._camera.turns if ms >= round_ms or (is_done and ms > after_ms)), None)

    def _forget_days(self, labels_read: bool) -> None:
        """Let go of days that no label can change any more."""
        now_ms = max(self._camera.frames_ms, self._camera.labels_ms)
        for name, day in sorted(self._camera.closed.items()):
            if now_ms < self._policy.final_ms(day):
                break
            if not labels_read and self._camera.labels_ms < self._policy.final_ms(day):
                self.out.waits = True
                break
            self.out.counts["forgotten_labels"] += day.dirty_ms is not None
            del self._camera.closed[name]
            forget(self._camera, self._chunks, day.kept)

    # Labels

    def label(self, label: Label) -> None:
        """Take a label in, and its promise."""
        thing = self._thing(label)
        is_done = thing is None and label.complete_until is None
        self._camera.labels_ms = max(self._camera.labels_ms, self._logged_ms)
        self._camera.turn(is_done, self._policy)
        self._revise()
        if thing:
            self._given(thing, label)
        if label.complete_until is not None:
            self._promise(to_us(label.complete_until))
        self.close_days(labels_read=False)

    def _thing(self, label: Label) -> FrameRef | None:
        """What is labelled; None of a record that only promises."""
        name = label.passage_id or label.frame_id
        thing = parse_id(name) if name else None
        if thing and thing.camera_id != self._camera.camera_id:
            raise DecodingError(f"label {label.label_id} of {self._camera.camera_id} is for {thing.camera_id}")
        return thing

    def _promise(self, until_us: int) -> None:
        before_us = self._camera.promise_us
        if until_us > before_us:
            days = [self._calendar.day_of(from_us(max(at_us, 0))) for at_us in (before_us, until_us)]
            self._camera.promise(until_us, is_new_day=days[0] < days[1])

    def _given(self, thing: FrameRef, label: Label) -> None:
        camera, truth = self._camera, WITHDRAWN if label.label is None else label.label
        labelled_us = to_us(label.labelled_at)
        given = Given(truth, labelled_us, label.label_id, camera.promise_us, camera.labels_ms, label.source)
        if camera.is_forgotten(thing.epoch, thing.sequence):
            self.out.counts["forgotten_labels"] += 1
        elif self._is_unseen(thing, given):
            self.out.counts["unmatched_labels"] += 1
        else:
            self._attach(thing, given)

    def _is_unseen(self, thing: FrameRef, given: Given) -> bool:
        """Whether it was given on a closed day for what was not seen until then."""
        day = self._calendar.day_of(from_us(given.labelled_us))
        at_us = self._seen_us(thing, day)
        unseen = at_us is None or self._calendar.day_of(from_us(at_us)) > day
        return unseen and day <= self._camera.closed_through

    def _seen_us(self, thing: FrameRef, day: str) -> int | None:
        chunk = self._chunks.get(thing.epoch, thing.sequence // SIZE)
        return vehicle_us(chunk, thing.sequence, day) if thing.passage else frame_us(chunk, thing.sequence)

    def _attach(self, thing: FrameRef, given: Given) -> None:
        """Keep a label; whether it counts for a day is decided when the day closes, or makes a revision of it."""
        late = self._closed_day_of(thing)
        if late and given.logged_ms >= self._policy.final_ms(late):
            self.out.counts["forgotten_labels"] += 1
            return
        self.out.counts["late_labels" if late else "labels"] += 1
        self._camera.include(thing.epoch, thing.sequence // SIZE)
        chunk = self._chunks.change(thing.epoch, thing.sequence // SIZE)
        labels = chunk.passage_labels if thing.passage else chunk.frame_labels
        labels[thing.sequence] = with_word(labels.get(thing.sequence, []), given)
        # What a kill left of the same record is found there already.
        if late and late.dirty_ms is None and given in labels[thing.sequence]:
            late.dirty_ms = given.logged_ms

    def _closed_day_of(self, thing: FrameRef) -> ClosedDay | None:
        """The closed day that a thing was counted on; None where it is still to be counted."""
        at_us = self._seen_us(thing, self._camera.closed_through)
        return None if at_us is None else self._camera.closed.get(self._calendar.day_of(from_us(at_us)))


def _seen(seen: Observation, probabilities: Mapping[str, float]) -> Seen:
    """A frame as its soundness is checked."""
    return Seen(
        frame_id=seen.frame_id,
        kind=seen.kind,
        epoch=seen.epoch,
        sequence=seen.sequence,
        at_us=to_us(seen.captured_at),
        brightness=seen.brightness,
        contrast=seen.contrast,
        sharpness=seen.sharpness,
        noise=seen.noise,
        sketch=seen.sketch,
        width=seen.width,
        height=seen.height,
        label=seen.label,
        probabilities=probabilities,
        model_version=seen.model_version,
    )


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
        contrast=round(seen.contrast, 3),
        sharpness=round(seen.sharpness, 2),
        noise=round(seen.noise, 3),
        stages=_stages(seen),
    )


def _stages(seen: Observation) -> tuple[int, ...]:
    if seen.queue_ms is None or seen.decode_ms is None or seen.inference_ms is None or seen.label is None:
        return ()
    known = (seen.queue_ms, seen.decode_ms, seen.inference_ms)
    return tuple(bucket_of(ms) for ms in (*known, seen.latency_ms - sum(known)))
