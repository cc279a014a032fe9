"""A camera's day, counted when it closes: from its frames and labels, so that nothing can be counted twice."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from monitor.cameras import Camera, Policy, Span
from monitor.chunks import SIZE, Chunk, Chunks, Given, Row, Verdict
from monitor.metrics import cells
from monitor.windows import Calendar, span_us
from schemas.records import CameraDay, Tally
from schemas.times import to_us

PASSAGE_SPAN = timedelta(hours=1)
"No vehicle passes for longer: chunks this much older than a closed day's end cannot matter to the next day."


@dataclass(slots=True)
class Count:
    """A tally in the making."""

    frames: list[Row] = field(default_factory=list)
    "Classified frames of the day."
    heartbeats: int = 0
    "Heartbeats."
    passages: Counter[str] = field(default_factory=Counter)
    "Vehicles by verdict."
    vehicles: Counter[tuple[str, str]] = field(default_factory=Counter)
    "Labelled vehicles by truth and verdict."
    labelled_frames: Counter[tuple[str, str]] = field(default_factory=Counter)
    "Labelled frames by truth and prediction."
    passage_frames: int = 0
    "Frames of the vehicles."
    dissenting_frames: int = 0
    "Those that disagree with the verdict."
    labels: int = 0
    "Labels in time."
    unmatched: int = 0
    "Those for what was never seen."

    def tally(self) -> Tally:
        """The finished counts."""
        return Tally(
            frames=len(self.frames),
            heartbeats=self.heartbeats,
            passages=dict(sorted(self.passages.items())),
            vehicle_cells=cells(self.vehicles),
            frame_cells=cells(self.labelled_frames),
            passage_frames=self.passage_frames,
            dissenting_frames=self.dissenting_frames,
            confidence_sum=sum(row.confidence for row in self.frames),
            brightness_sum=sum(row.brightness for row in self.frames),
            latency_buckets=_buckets(self.frames),
            labels=self.labels,
            unmatched_labels=self.unmatched,
        )


def opening(camera: Camera, day: str, calendar: Calendar) -> CameraDay:
    """The announcement that a camera's day has begun: revision 0, so that the day's report waits for it."""
    starts_at, ends_at = calendar.bounds(day)
    return CameraDay(camera.camera_id, day, calendar.timezone, 0, starts_at, ends_at, Tally(), (), ())


def camera_day(camera: Camera, chunks: Chunks, day: str, policy: Policy) -> CameraDay:
    """A camera's day; takes out of the chunks the labels that no later day can count.

    What is in it does not depend on when it is counted, as long as the day's frames are complete and every label was
    taken in that is in time.
    """
    starts_at, ends_at = policy.calendar.bounds(day)
    count = _DayCount(camera, chunks, day, policy).run()
    return CameraDay(
        camera_id=camera.camera_id,
        day=day,
        timezone=policy.calendar.timezone,
        revision=1,
        starts_at=starts_at,
        ends_at=ends_at,
        tally=count.tally(),
        drifts=tuple(camera.days[day].drifts),
        model_versions=tuple(sorted({row.model_version for row in count.frames})),
    )


def needed_later(camera: Camera, chunks: Chunks, day: str, calendar: Calendar) -> dict[str, int]:
    """By epoch, the first chunk that days after this one may need, whose frames are complete."""
    before_us = to_us(calendar.bounds(day)[1]) - span_us(PASSAGE_SPAN)
    return {epoch: _first_needed(epoch, span, chunks, before_us) for epoch, span in camera.spans.items()}


def _first_needed(epoch: str, span: Span, chunks: Chunks, before_us: int) -> int:
    needed = span.horizon
    for number in span.numbers():
        last_us = chunks.get(epoch, number).last_us() if number >= needed else -1
        if last_us >= before_us:
            return number
        if last_us >= 0:
            needed = number + 1
    return needed


def forget(camera: Camera, chunks: Chunks, kept: Mapping[str, int]) -> None:
    """Mark for deletion the chunks that no open day can need."""
    for epoch, span in camera.spans.items():
        gone = span.forget(kept.get(epoch, 0))
        empty = [run for run in span.runs if all(chunks.get(epoch, n).is_empty for n in range(run[0], run[1] + 1))]
        span.runs = [run for run in span.runs if run not in empty]
        gone += [number for first, last in empty for number in range(first, last + 1)]
        camera.garbage += [chunks.key(epoch, number) for number in gone if chunks.is_stored(epoch, number)]
    camera.drop_old_epochs()


class _DayCount:
    """One walk through a camera's chunks."""

    def __init__(self, camera: Camera, chunks: Chunks, day: str, policy: Policy) -> None:
        self._camera, self._chunks, self._day = camera, chunks, day
        self._start_us, self._end_us = (to_us(at) for at in policy.calendar.bounds(day))
        self._cutoff_ms, self._heeds_promises = camera.days[day].cutoff_ms, policy.heeds_promises
        self._count = Count()

    def run(self) -> Count:
        for epoch, number in self._camera.chunk_numbers():
            chunk = self._chunks.get(epoch, number)
            self._frames(epoch, chunk)
            self._vehicles(chunk)
            self._labels(epoch, number, chunk)
        return self._count

    def _in_time(self, given: list[Given] | None) -> Given | None:
        """Of the labels that count for this day the one given last."""
        found = [g for g in given or () if g.is_in_time(self._end_us, self._cutoff_ms, self._heeds_promises)]
        return max(found, key=lambda g: g[1:3], default=None)

    def _on_day(self, at_us: int | None) -> bool:
        return at_us is not None and self._start_us <= at_us < self._end_us

    def _frames(self, epoch: str, chunk: Chunk) -> None:
        for sequence, row in sorted(chunk.rows.items()):
            if self._on_day(row.captured_us):
                self._frame(epoch, chunk, sequence, row)

    def _frame(self, epoch: str, chunk: Chunk, sequence: int, row: Row) -> None:
        self._count.heartbeats += row.kind == "heartbeat"
        if row.label is None:
            return
        self._count.frames.append(row)
        own = self._in_time(chunk.frame_labels.get(sequence))
        given = own or self._passage_label(epoch, row)
        if given:
            self._count.labelled_frames[given.label, row.label] += 1
        if own and row.passage is None:
            self._count.vehicles[own.label, row.label] += 1

    def _passage_label(self, epoch: str, row: Row) -> Given | None:
        if row.passage is None:
            return None
        labels = self._chunks.get(epoch, row.passage // SIZE).passage_labels
        return self._in_time(labels.get(row.passage))

    def _vehicles(self, chunk: Chunk) -> None:
        for first, verdict in sorted(chunk.verdicts.items()):
            if self._on_day(verdict.crossed_us) and verdict.due_through < self._day:
                self._vehicle(chunk, first, verdict)

    def _vehicle(self, chunk: Chunk, first: int, verdict: Verdict) -> None:
        if verdict.label is None:
            return
        self._count.passages[verdict.label] += 1
        self._count.passage_frames += verdict.frames
        self._count.dissenting_frames += verdict.dissenting
        given = self._in_time(chunk.passage_labels.get(first))
        if given:
            self._count.vehicles[given.label, verdict.label] += 1

    def _labels(self, epoch: str, number: int, chunk: Chunk) -> None:
        seen = [(chunk.frame_labels, thing, frame_us(chunk, thing)) for thing in chunk.frame_labels]
        seen += [(chunk.passage_labels, thing, vehicle_us(chunk, thing, self._day)) for thing in chunk.passage_labels]
        for labels, thing, at_us in seen:
            if at_us is None or at_us >= self._end_us:
                self._unseen(epoch, number, labels, thing)
            elif self._on_day(at_us):
                self._count.labels += self._in_time(labels[thing]) is not None

    def _unseen(self, epoch: str, number: int, labels: dict[int, list[Given]], thing: int) -> None:
        """Take out labels given before the day's end for what was not seen until it: nothing is labelled unseen."""
        over = [given for given in labels[thing] if given.labelled_us < self._end_us]
        if self._in_time(over):
            self._count.unmatched += 1
            self._count.labels += 1
        if over:
            self._chunks.change(epoch, number)
            labels[thing] = [given for given in labels[thing] if given not in over]
        if not labels[thing]:
            del labels[thing]


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


def _buckets(rows: list[Row]) -> dict[str, int]:
    counts = Counter(row.bucket for row in rows)
    return {str(bucket): n for bucket, n in sorted(counts.items())}
