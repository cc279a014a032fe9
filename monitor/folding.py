"""Taking records in: what a batch of observations or a label does to its camera, and what follows from it.

    record ──► camera, chunks ──► Outcome: records to send first, then values to write, last the camera's own

Each frame is taken in by itself, so that it makes no difference how frames were batched. A record at or before the
camera's last offset was taken in already and changes nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from monitor.cameras import Camera, ClosedDay, Key, OpenDay, OpenPassage, Policy, decoded
from monitor.chunks import SIZE, Chunks, Given, Row, Verdict
from monitor.closing import frame_us, needed_later, news, vehicle_times
from monitor.day_ends import DayEnds
from monitor.findings import lasting_after, noted, on_day
from monitor.integrity.checks import CLOCK
from monitor.labelling import MOST_WORDS, WITHDRAWN, with_word
from monitor.outcomes import Outcome, Position
from monitor.passages import certainty, crossing, passage_record, verdict
from monitor.rows import fault_of_row, probabilities_of, require_name, row_of, seen_of
from monitor.signals import PictureValues
from monitor.windows import span_us
from schemas.errors import DecodingError
from schemas.ids import FrameRef, frame_id, parse_id
from schemas.labels import require_sound
from schemas.observations import Observation, rows
from schemas.records import CLASSIFIED, Finding, Label, Observations
from schemas.times import from_ms, from_us, to_us
from schemas.topics import OBSERVATIONS

BLINDING = frozenset({"black", "blown-out", "frozen"})
"Faults of a picture that shows nothing of the road: its signals say nothing either."

APART_EVERY = timedelta(days=1)
"By the log's time: as often as this a camera whose clock has not been right yet says so."

NEWS_EVERY = timedelta(hours=1)
"Of event time: as often as this a camera says how far it has come, so that alerts know what time it is there."


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
    data = values.get(require_name(camera_id))
    camera = decoded(data) if data else Camera(camera_id)
    return Fold(policy, camera, Chunks(camera_id, values), position)


class Fold:
    """One record's way into one camera."""

    def __init__(self, policy: Policy, camera: Camera, chunks: Chunks, position: Position | None) -> None:
        """Without a position there is no record, only the knowledge that none is missing."""
        self.out = Outcome()
        self.is_new = position is None or position.offset > camera.offsets.get(position.topic, -1)
        self._policy, self._calendar = policy, policy.calendar
        self._camera, self._chunks, self._garbage = camera, chunks, camera.garbage
        self.days = DayEnds(policy, camera, chunks, self.out)
        self._ended: set[Key] = set()
        self._logged_ms = position.logged_ms if position else -1
        self._labels_read = position is None or position.labels_read
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
            self.out.counts["detectors_reset"] = len(self._camera.watches.reset)  # known once they were used
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
                self._frame(seen, probabilities_of(batch, i))
        self.days.close(self._labels_read)

    def _frame(self, seen: Observation, probabilities: dict[str, float]) -> None:
        self._found(self._camera.integrity.see(self._camera.camera_id, seen_of(seen, probabilities)))
        if seen.kind == "end":
            self._end(seen)
        elif self._is_late(seen):
            self.out.counts["late_frames"] += 1
        elif fault := fault_of_row(seen, probabilities):
            self._leave_out(seen, fault)
        else:
            self._keep(seen, row_of(seen, probabilities))
            self._advance()

    def _leave_out(self, seen: Observation, fault: str) -> None:
        self.out.counts["refused_frames"] += 1
        self.out.faults.append(f"{seen.frame_id} cannot be counted: {fault}")

    def _refuse(self, seen: Observation) -> None:
        logged_at, goes_on = from_ms(self._logged_ms), self._day is not None
        self.out.counts["future_frames"] += 1
        times = to_us(seen.captured_at), to_us(logged_at)
        self._found(self._camera.integrity.refused(seen.camera_id, seen.frame_id, *times, goes_on=goes_on))
        if not goes_on and to_us(logged_at) - self._camera.told_us >= span_us(APART_EVERY):
            self._tell_apart(())
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
            self._tell(findings)

    @property
    def _day(self) -> str | None:
        """The day that the camera has come to; None before the first, and once its frames are complete."""
        day = self._calendar.day_of(from_us(self._camera.watermark_us))
        is_open = day in self._camera.days and self._camera.days[day].due_ms is None
        return day if is_open else None

    def _tell(self, findings: Sequence[Finding] = ()) -> None:
        """Say what is known of the day that the camera has come to."""
        if day := self._day:
            self._tell_of(day)
        elif any(finding.signal == CLOCK.signal for finding in findings):
            self._tell_apart(findings)

    def _tell_apart(self, told: Sequence[Finding]) -> None:
        """Say what is wrong with the clock on the log's day, where the camera has none that is open."""
        camera, logged_us = self._camera, self._logged_ms * 1000
        camera.told_us = logged_us
        day, clocks = self._calendar.day_of(from_us(logged_us)), [f for f in camera.lasting if f.signal == CLOCK.signal]
        found = [finding for finding in clocks if finding.until is None or finding in told]
        self.out.hand_in(replace(news(camera, day, self._calendar, found, logged_us), part="device"), self._logged_ms)

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
        if not frames:  # others came under their numbers, as where a recording is run again with other zones
            self.out.counts["lost_passages"] += 1
            return
        self._camera.include(key.epoch, key.first // SIZE)
        chunk = self._chunks.change(key.epoch, key.first // SIZE)
        chunk.verdicts[key.first] = found = self._verdict(passage, numbered, frames)
        self._ended.add(key)
        if found.crossed_us is not None:
            self._open_day(self._calendar.day_of(from_us(found.crossed_us)))
        record = passage_record(self._camera.camera_id, key, frames, found)
        if record:
            self.out.outputs.append(record)
        if not self._is_blind:
            self._watch_passage(key, passage, found)

    def _verdict(self, passage: OpenPassage, numbered: list[tuple[int, Row]], frames: list[Row]) -> Verdict:
        label, crossed = verdict(frames), crossing(frames)
        shown, largest = max(numbered, key=lambda frame: (frame[1].pixels, -frame[0]))
        return Verdict(
            label,
            crossed.crossed_us if crossed else None,
            first_us=frames[0].captured_us,
            last=passage.last,
            ended_by=self._offset,
            due_through=self._camera.due_through,
            frames=sum(row.label is not None for row in frames),
            dissenting=sum(row.label not in (None, label) for row in frames),
            refused=sum(row.is_refused for row in frames),
            confidence=round(certainty(frames, label), 5) if label else 0.0,
            zone_id=crossed.zone_id if crossed else None,
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
        camera, (starts_at, ends_at) = self._camera, self._calendar.bounds(name)
        end_us = to_us(ends_at)
        self._end_passages(
            [key for key, p in camera.passages.items() if min(p.last_us, p.crossed_us or p.last_us) < end_us]
        )
        day.seen_us = min(end_us, camera.watermark_us)
        day.findings = on_day(camera.lasting, starts_at, ends_at)
        camera.lasting = lasting_after(camera.lasting, ends_at)
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
        camera.frames_ms = self._logged_ms + 1  # after the days that close now
        camera.turns.append((camera.frames_ms, True))
        for day in camera.days.values():
            day.cutoff_ms = day.cutoff_ms or self._logged_ms
        self.days.close(labels_read=True)

    # Labels

    def label(self, label: Label) -> None:
        """Take a label in, and its promise; raises DecodingError for one that cannot be counted, and changes nothing."""
        thing = self._thing(require_sound(label))
        is_done = thing is None and label.complete_until is None
        self._camera.labels_ms = max(self._camera.labels_ms, self._logged_ms)
        self._camera.turn(is_done, self._policy)
        self.days.revise()
        if thing:
            self._given(thing, label)
        if label.complete_until is not None:
            self._promise(to_us(label.complete_until))
        self.days.close(labels_read=False)

    def _thing(self, label: Label) -> FrameRef | None:
        """What is labelled; None of a record that only promises."""
        name = label.passage_id or label.frame_id
        if not name:
            return None
        thing = parse_id(name)
        if len(self._words_on(thing)) >= MOST_WORDS:
            raise DecodingError(f"label {label.label_id} is one more than {MOST_WORDS} of the same: no more are kept")
        self._camera.variety.admit(label, max(self._camera.labels_ms, self._logged_ms))
        return thing

    def _words_on(self, thing: FrameRef) -> list[Given]:
        chunk = self._chunks.get(thing.epoch, thing.sequence // SIZE)
        return (chunk.passage_labels if thing.passage else chunk.frame_labels).get(thing.sequence, [])

    def _promise(self, until_us: int) -> None:
        before_us = self._camera.promise_us
        if until_us > before_us:
            days = [self._calendar.day_of(from_us(max(at_us, 0))) for at_us in (before_us, until_us)]
            self._camera.promise(until_us, is_new_day=days[0] < days[1])

    def _given(self, thing: FrameRef, label: Label) -> None:
        camera, truth = self._camera, WITHDRAWN if label.label is None else label.label
        labelled_us = to_us(label.labelled_at)
        said = (truth, labelled_us, label.label_id, camera.promise_us, camera.labels_ms, label.source)
        given = Given(*said, label.weight)
        if camera.is_forgotten(thing.epoch, thing.sequence):
            self.out.counts["forgotten_labels"] += 1
        elif self._is_unseen(thing, given):
            self.out.counts["unmatched_labels"] += 1
        else:
            self._attach(thing, given)

    def _is_unseen(self, thing: FrameRef, given: Given) -> bool:
        """Whether it was given on a closed day for what was not seen until then."""
        day = self._calendar.day_of(from_us(given.labelled_us))
        at_us, _ = self._times(thing, day)
        unseen = at_us is None or self._calendar.day_of(from_us(at_us)) > day
        return unseen and day <= self._camera.closed_through

    def _times(self, thing: FrameRef, day: str) -> tuple[int | None, int | None]:
        """When a thing was seen, and when it is counted."""
        chunk = self._chunks.get(thing.epoch, thing.sequence // SIZE)
        if thing.passage:
            return vehicle_times(chunk, thing.sequence, day)
        return (frame_us(chunk, thing.sequence),) * 2

    def _attach(self, thing: FrameRef, given: Given) -> None:
        """Keep a label; whether it counts for a day is decided when the day closes, or makes a revision of it."""
        number, times = thing.sequence // SIZE, self._times(thing, self._camera.closed_through)
        late = self._closed_days(times)
        if late and all(given.logged_ms >= self._policy.final_ms(day) for day in late):
            self.out.counts["forgotten_labels"] += 1
            return
        self.out.counts["late_labels" if late else "labels"] += 1
        self._camera.include(thing.epoch, number)
        if times[0] is None:
            self._camera.miss(thing.epoch, number)
        chunk = self._chunks.change(thing.epoch, number)
        labels = chunk.passage_labels if thing.passage else chunk.frame_labels
        labels[thing.sequence] = with_word(labels.get(thing.sequence, []), given)
        # What a kill left of the same record is found there already.
        for day in late if given in labels[thing.sequence] else ():
            day.touch((thing.epoch, number), given.logged_ms)

    def _closed_days(self, times: Iterable[int | None]) -> list[ClosedDay]:
        """The closed days that a thing has a part in; none where it is still to be counted."""
        names = sorted({self._calendar.day_of(from_us(at_us)) for at_us in times if at_us is not None})
        return [self._camera.closed[name] for name in names if name in self._camera.closed]
