"""A camera's day, counted when it closes: from its frames and labels, so that nothing can be counted twice.

chunks, in the order of their frames ─► frames, vehicles ─► DayCounts ─► CameraDay, revision 1 ─► kept
chunks with late labels, and what is kept ─► frames, vehicles ─► DayCounts ─► CameraDay, revision 2 ─► kept
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from monitor.cameras import Camera, ClosedDay, Policy
from monitor.chunks import SIZE, Chunk, Chunks, Given, Place, Row, Verdict
from monitor.counting import DayCounts
from monitor.findings import noted
from monitor.judged import UNSEEN, DaySaid, Judged, Said
from monitor.labelling import Cut, Decision
from monitor.scenes import hour_of, light_of, size_of, weather_of
from monitor.told import Told, decoded
from monitor.windows import Calendar, span_us
from schemas.ids import frame_id
from schemas.records import CameraDay, Finding, Tally
from schemas.times import from_us, to_us

PASSAGE_SPAN = timedelta(hours=1)
"No vehicle passes for longer: chunks this much older than a closed day's end cannot matter to the next day."


def news(camera: Camera, day: str, calendar: Calendar, findings: list[Finding], at_us: int) -> CameraDay:
    """What is known of a day that is open: revision 0, so that the day's report waits for it."""
    starts_at, ends_at = calendar.bounds(day)
    return CameraDay(
        camera.camera_id,
        day,
        calendar.timezone,
        0,
        starts_at,
        ends_at,
        Tally(),
        tuple(findings),
        (camera.model_version,) if camera.model_version else (),
        seen_until=from_us(at_us),
    )


def camera_day(camera: Camera, chunks: Chunks, day: str, policy: Policy) -> CameraDay:
    """A closed camera's day; takes out of the chunks the labels that no later day can count.

    What is in it does not depend on when it is counted, as long as the day's frames are complete and every label was
    taken in that counts.
    """
    closed, before = camera.closed[day], _told_before(camera, chunks, day)
    counts = _DayWalk(camera, chunks, day, policy, before).run()
    plain = replace(before.plain, revision=closed.revision) if before else _plain_day(camera, day, policy, counts)
    chunks.keep(told_key(camera, day), Told(plain, counts.said))
    said = DaySaid(counts.said.values())
    if closed.revision == 1:
        closed.findings = noted(closed.findings, _error_findings(camera, said))
    tally, worst = said.joined(plain.tally), said.worst.frames()
    return replace(plain, tally=tally, findings=tuple(closed.findings), worst=worst)


def told_key(camera: Camera, day: str) -> str:
    """Under which it is kept what was told of a day: no chunk's key, which ends in a number."""
    return f"{camera.camera_id}:told:{day}"


def _told_before(camera: Camera, chunks: Chunks, day: str) -> Told | None:
    """What the revision before told; None of what a kill left of this one."""
    told = chunks.kept(told_key(camera, day), decoded)
    return told if told and told.plain.revision == camera.closed[day].revision - 1 else None


def _plain_day(camera: Camera, day: str, policy: Policy, counts: DayCounts) -> CameraDay:
    closed, (starts_at, ends_at) = camera.closed[day], policy.calendar.bounds(day)
    return CameraDay(
        camera_id=camera.camera_id,
        day=day,
        timezone=policy.calendar.timezone,
        revision=closed.revision,
        starts_at=starts_at,
        ends_at=ends_at,
        tally=counts.plain(),
        findings=(),
        model_versions=tuple(sorted(counts.models)),
        seen_until=ends_at if closed.seen_us < 0 else from_us(closed.seen_us),
    )


def _error_findings(camera: Camera, said: DaySaid) -> Iterator[Finding]:
    """What the errors of a day tell, seen in the order in which the vehicles' pictures were taken."""
    for at_us, name, wrong in sorted(said.errors):
        yield from camera.watches.see_error(camera.camera_id, name, at_us, wrong)


def needed_later(camera: Camera, chunks: Chunks, day: str, calendar: Calendar) -> dict[str, int]:
    """By epoch, the first chunk that days after this one may need, whose frames are complete; of others it is as before."""
    before_us = to_us(calendar.bounds(day)[1]) - span_us(PASSAGE_SPAN)
    needed = {epoch: _first_needed(camera, epoch, chunks, before_us) for epoch in camera.spans}
    return {epoch: number for epoch, number in needed.items() if number > camera.spans[epoch].horizon}


def _first_needed(camera: Camera, epoch: str, chunks: Chunks, before_us: int) -> int:
    """One chunk more than frames tell: of the next vehicle the first frame, and with it its name, may lie there, and be lost."""
    needed = camera.spans[epoch].horizon
    for number in camera.spans[epoch].numbers():
        newest_us = chunks.newest_us(epoch, number) if number >= needed else -1
        if newest_us >= before_us:
            return number - 1
        if newest_us >= 0:
            needed = number + 1
    return needed - 1 if epoch == camera.epoch else needed


def forget(camera: Camera, chunks: Chunks, kept: Mapping[str, int]) -> None:
    """Mark for deletion the chunks that no open day can need."""
    for epoch, span in camera.spans.items():
        gone = span.forget(kept.get(epoch, 0))
        empty = [run for run in span.runs if all(chunks.peek(epoch, n).is_empty for n in range(run[0], run[1] + 1))]
        span.runs = [run for run in span.runs if run not in empty]
        gone += [number for first, last in empty for number in range(first, last + 1)]
        camera.garbage += [chunks.key(epoch, number) for number in gone if chunks.is_stored(epoch, number)]
    camera.drop_old_epochs()


def forget_unseen(camera: Camera, chunks: Chunks, logged: range) -> int:
    """Take out the labels of what was never seen that were logged before a span, and say that they were given after it.

    Others go when the day closes on which they were given. Returns how many those were.
    """
    places = [(epoch, number) for epoch, numbers in camera.unseen.items() for number in numbers]
    return sum(_forget_unseen(chunks, place, logged) for place in places)


def _forget_unseen(chunks: Chunks, place: Place, logged: range) -> int:
    chunk, gone = chunks.peek(*place), 0
    for thing in _unseen_things(chunk):
        given = (*chunk.frame_labels.get(thing, ()), *chunk.passage_labels.get(thing, ()))
        over = [each for each in given if each.logged_ms < logged.start and each.labelled_us >= logged.stop * 1000]
        gone += len(over)
        if over:
            _take_out(chunks.change(*place), thing, over)
    return gone


def _unseen_things(chunk: Chunk) -> list[int]:
    return [
        thing for thing in {*chunk.frame_labels, *chunk.passage_labels} if thing not in {*chunk.rows, *chunk.verdicts}
    ]


class _DayWalk:
    """One walk through the chunks that may hold something of a camera's day, past those of which all is known."""

    def __init__(self, camera: Camera, chunks: Chunks, day: str, policy: Policy, before: Told | None) -> None:
        self._camera, self._chunks, self._day = camera, chunks, day
        self._closed = closed = camera.closed[day]
        self._zone = ZoneInfo(policy.calendar.timezone)
        self._start_us, self._end_us = (to_us(at) for at in policy.calendar.bounds(day))
        self._cut = Cut(self._end_us, closed.cutoff_ms, policy.heeds_promises, closed.revised_ms, policy.trust)
        self._final_ms = policy.final_ms(closed)
        self._before = before
        self._touched = _touched(closed, before.said) if before else frozenset()
        self._scene = UNSEEN
        self._counts = DayCounts()
        self._said = Said()

    def run(self) -> DayCounts:
        self._closed.dirty_ms, self._closed.touched = None, {}
        for epoch, span in sorted(self._camera.spans.items()):
            self._scene = UNSEEN
            of_day = self._closed.chunks_of(epoch)
            for number in (number for number in self._camera.unseen.get(epoch, ()) if number not in of_day):
                self._counts.begin((epoch, number))
                self._labels((epoch, number), self._chunks.peek(epoch, number))
            for number in (number for number in span.numbers() if number in of_day):
                self._come_to((epoch, number))
        self._camera.unseen = dict(self._still_unseen())
        self._counts.count("labels", self._closed.unmatched)
        self._counts.count("unmatched_labels", self._closed.unmatched)
        return self._counts

    def _come_to(self, place: Place) -> None:
        """Walk through a chunk, or take what is known of it."""
        if self._before is None or place in self._touched:
            self._chunk(place, self._chunks.peek(*place))
        elif said := self._before.said.get(place):
            self._counts.said[place], self._scene = said, said.scene

    def _still_unseen(self) -> Iterator[tuple[str, list[int]]]:
        for epoch, numbers in self._camera.unseen.items():
            left = [number for number in numbers if has_unseen(self._chunks.peek(epoch, number), self._day)]
            if left:
                yield epoch, left

    def _chunk(self, place: Place, chunk: Chunk) -> None:
        if chunk.is_empty:
            return
        self._said, epoch = self._counts.begin(place), place[0]
        for sequence in sorted({*chunk.rows, *chunk.verdicts}):
            row, verdict = chunk.rows.get(sequence), chunk.verdicts.get(sequence)
            if row:
                self._row(epoch, chunk, sequence, row)
            if verdict and verdict.due_through < self._day and self._on_day(verdict.crossed_us):
                self._vehicle(epoch, chunk, sequence, verdict)
        self._labels(place, chunk)
        self._said.scene = self._scene

    def _on_day(self, at_us: int | None) -> bool:
        return at_us is not None and self._start_us <= at_us < self._end_us

    def _row(self, epoch: str, chunk: Chunk, sequence: int, row: Row) -> None:
        whole = row.passage is None and row.kind != "end"
        self._scene = (light_of(row), weather_of(row)) if whole else self._scene
        if not self._on_day(row.captured_us):
            return
        if whole:
            self._counts.whole_picture(row)
        own = self._decided(chunk.frame_labels.get(sequence))
        passage = self._passage_label(epoch, chunk, sequence, row)
        given = own if own and own.label else passage
        self._counts.frame(row, given.label if given else None, given.weight if given else 1.0)
        if row.label is not None and row.passage is None:
            self._counts.judged(self._single(epoch, sequence, row, own))

    def _decided(self, given: list[Given] | None) -> Decision | None:
        return self._cut.decide(given) if given else None

    def _passage_label(self, epoch: str, chunk: Chunk, sequence: int, row: Row) -> Decision | None:
        if row.passage is None:
            return None
        number = row.passage // SIZE
        if number == sequence // SIZE:
            return self._decided(chunk.passage_labels.get(row.passage))
        self._said.begun.add(number)
        return self._decided(self._chunks.peek(epoch, number).passage_labels.get(row.passage))

    def _single(self, epoch: str, sequence: int, row: Row, own: Decision | None) -> Judged:
        name = frame_id(self._camera.camera_id, epoch, sequence)
        truth, weight = (own.label, own.weight) if own else (None, 1.0)
        label, at_us = row.label or "", row.captured_us
        return Judged(at_us, name, label, row.confidence, truth, self._properties(at_us, row.zone_id, None), weight)

    def _vehicle(self, epoch: str, chunk: Chunk, first: int, verdict: Verdict) -> None:
        if verdict.label is None or verdict.crossed_us is None:
            return
        given = self._decided(chunk.passage_labels.get(first))
        shown = verdict.shown if verdict.shown >= 0 else first
        judged = Judged(
            at_us=frame_us(self._chunks.peek(epoch, shown // SIZE), shown) or verdict.crossed_us,
            frame_id=frame_id(self._camera.camera_id, epoch, shown),
            predicted=verdict.label,
            confidence=verdict.confidence,
            truth=given.label if given else None,
            properties=self._properties(verdict.crossed_us, verdict.zone_id, verdict.pixels),
            weight=given.weight if given else 1.0,
        )
        self._counts.passage(judged, verdict.frames, verdict.dissenting, verdict.refused)

    def _properties(self, at_us: int, zone_id: str | None, pixels: int | None) -> tuple[tuple[str, str], ...]:
        hour = from_us(at_us).astimezone(self._zone).hour
        found = [("hour", hour_of(hour)), ("light", self._scene[0]), ("weather", self._scene[1])]
        found += [("zone", f"{self._camera.camera_id}/{zone_id}")] if zone_id else []
        return (*found, *([("size", size_of(pixels))] if pixels else []))

    def _labels(self, place: Place, chunk: Chunk) -> None:
        seen = [(chunk.frame_labels, thing, (frame_us(chunk, thing),) * 2) for thing in chunk.frame_labels]
        seen += [
            (chunk.passage_labels, thing, vehicle_times(chunk, thing, self._day)) for thing in chunk.passage_labels
        ]
        for labels, thing, (seen_us, counted_us) in seen:
            if seen_us is None or seen_us >= self._end_us:
                self._unseen(place, labels, thing)
            elif self._on_day(counted_us) or self._on_day(seen_us):
                self._label(place, labels[thing], is_counted=self._on_day(counted_us))

    def _label(self, place: Place, given: list[Given], *, is_counted: bool) -> None:
        """A vehicle over midnight is counted on one day and has frames on the other: late labels revise both."""
        if is_counted and (decision := self._cut.decide(given)):
            self._counts.label(decision)
        for late in self._cut.left_out(given):
            self._closed.touch(place, late.logged_ms if late.logged_ms < self._final_ms else None)

    def _unseen(self, place: Place, labels: dict[int, list[Given]], thing: int) -> None:
        """Take out labels given before the day's end for what was not seen until it: nothing is labelled unseen."""
        over = [given for given in labels[thing] if given.labelled_us < self._end_us]
        if not over or self._closed.revision > 1:
            return
        self._closed.unmatched += any(self._cut.is_in_time(given) and given.label for given in over)
        _take_out(self._chunks.change(*place), thing, over)


def _touched(closed: ClosedDay, said: Mapping[Place, Said]) -> frozenset[Place]:
    """Chunks with labels that were not counted yet, and those with frames of the vehicles that begin in them."""
    late = {(epoch, number) for epoch, numbers in closed.touched.items() for number in numbers}
    return frozenset(late | {place for place, known in said.items() if any((place[0], n) in late for n in known.begun)})


def _take_out(chunk: Chunk, thing: int, over: list[Given]) -> None:
    for labels in (chunk.frame_labels, chunk.passage_labels):
        left = [given for given in labels.get(thing, []) if given not in over]
        labels.pop(thing, None)
        labels.update({thing: left} if left else {})


def frame_us(chunk: Chunk, sequence: int) -> int | None:
    """When a frame was taken; None while it was not seen."""
    row = chunk.rows.get(sequence)
    return row.captured_us if row else None


def vehicle_us(chunk: Chunk, first: int, day: str) -> int | None:
    """When a passage began, as far as it was seen until a day's frames were complete; None when it was not.

    One whose first frame was lost is known when it is over.
    """
    verdict = chunk.verdicts.get(first)
    if verdict is None or first in chunk.rows:
        return frame_us(chunk, first)
    return verdict.first_us if verdict.due_through < day else None


def vehicle_times(chunk: Chunk, first: int, day: str) -> tuple[int | None, int | None]:
    """When a passage began, as above, and when it is counted: when it crossed, as far as that is known likewise."""
    seen_us, verdict = vehicle_us(chunk, first, day), chunk.verdicts.get(first)
    if verdict is None or verdict.crossed_us is None or verdict.due_through >= day:
        return seen_us, seen_us
    return seen_us, verdict.crossed_us


def has_unseen(chunk: Chunk, day: str) -> bool:
    """Whether a chunk holds labels of what was not seen."""
    return any(frame_us(chunk, thing) is None for thing in chunk.frame_labels) or any(
        vehicle_us(chunk, thing, day) is None for thing in chunk.passage_labels
    )
