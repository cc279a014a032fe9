"""A camera's day, counted when it closes: from its frames and labels, so that nothing can be counted twice."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

from monitor.cameras import Camera
from monitor.chunks import SIZE, Chunk, Chunks, Given, Row, Verdict
from monitor.metrics import cells
from monitor.windows import Calendar, span_us, to_us
from schemas.records import CameraDay, Tally

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


def camera_day(camera: Camera, chunks: Chunks, day: str, calendar: Calendar) -> CameraDay:
    """A camera's day; takes out of the chunks the labels that it counts as unmatched."""
    starts_at, ends_at = calendar.bounds(day)
    count = _DayCount(camera, chunks, to_us(starts_at), to_us(ends_at)).run()
    return CameraDay(
        camera_id=camera.camera_id,
        day=day,
        timezone=calendar.timezone,
        revision=1,
        starts_at=starts_at,
        ends_at=ends_at,
        tally=count.tally(),
        drifts=tuple(camera.days[day]),
        model_versions=tuple(sorted({row.model_version for row in count.frames})),
    )


def forget(camera: Camera, chunks: Chunks, day: str, calendar: Calendar) -> None:
    """Mark for deletion the chunks that no open day can need."""
    before_us = to_us(calendar.bounds(day)[1]) - span_us(PASSAGE_SPAN)
    for epoch, span in camera.spans.items():
        while span.first <= span.last and chunks.get(epoch, span.first).last_us() < before_us:
            camera.garbage.append(chunks.key(epoch, span.first))
            span.first += 1
            span.forgotten = span.first
    camera.drop_old_epochs()


class _DayCount:
    """One walk through a camera's chunks."""

    def __init__(self, camera: Camera, chunks: Chunks, start_us: int, end_us: int) -> None:
        self._camera, self._chunks = camera, chunks
        self._start_us, self._end_us = start_us, end_us
        self._count = Count()

    def run(self) -> Count:
        for epoch, number in self._camera.chunk_numbers():
            chunk = self._chunks.get(epoch, number)
            self._frames(epoch, chunk)
            self._vehicles(epoch, chunk)
            self._labels(epoch, number, chunk)
        return self._count

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
        own = chunk.frame_labels.get(sequence)
        given = own or self._passage_label(epoch, row)
        if given:
            self._count.labelled_frames[given.label, row.label] += 1
        if own and row.passage is None:
            self._count.vehicles[own.label, row.label] += 1

    def _passage_label(self, epoch: str, row: Row) -> Given | None:
        if row.passage is None:
            return None
        return self._chunks.get(epoch, row.passage // SIZE).passage_labels.get(row.passage)

    def _vehicles(self, epoch: str, chunk: Chunk) -> None:
        for first, verdict in sorted(chunk.verdicts.items()):
            if verdict.label is not None and self._on_day(verdict.crossed_us):
                self._vehicle(chunk, first, verdict.label)
                self._votes(epoch, first, verdict)

    def _vehicle(self, chunk: Chunk, first: int, label: str) -> None:
        self._count.passages[label] += 1
        given = chunk.passage_labels.get(first)
        if given:
            self._count.vehicles[given.label, label] += 1

    def _votes(self, epoch: str, first: int, verdict: Verdict) -> None:
        for row in self._chunks.rows_of(epoch, first, verdict.last):
            self._count.passage_frames += row.label is not None
            self._count.dissenting_frames += row.label not in (None, verdict.label)

    def _labels(self, epoch: str, number: int, chunk: Chunk) -> None:
        times = [chunk.rows[sequence].captured_us for sequence in chunk.frame_labels if sequence in chunk.rows]
        times += [vehicle_us(chunk, first) for first in chunk.passage_labels if is_seen(chunk, first)]
        unmatched = unmatched_labels(chunk, self._end_us)
        self._count.unmatched += len(unmatched)
        self._count.labels += len(unmatched) + sum(self._on_day(at_us) for at_us in times)
        if unmatched:
            drop(self._chunks.change(epoch, number), unmatched)


def is_seen(chunk: Chunk, first: int) -> bool:
    """Whether a passage was seen, be it without its first frame."""
    return first in chunk.rows or first in chunk.verdicts


def vehicle_us(chunk: Chunk, first: int) -> int:
    """The time that decides on a seen passage's day: its crossing, or its first frame while it has not crossed."""
    verdict = chunk.verdicts.get(first)
    if verdict is None:
        return chunk.rows[first].captured_us
    return verdict.first_us if verdict.crossed_us is None else verdict.crossed_us


def unmatched_labels(chunk: Chunk, end_us: int) -> list[Given]:
    """Labels given before a day's end for what was not seen until it closed: nothing is labelled before it is seen."""
    waiting = [given for sequence, given in chunk.frame_labels.items() if sequence not in chunk.rows]
    waiting += [given for first, given in chunk.passage_labels.items() if not is_seen(chunk, first)]
    return [given for given in waiting if given.labelled_us < end_us]


def drop(chunk: Chunk, labels: list[Given]) -> None:
    """Take labels out of a chunk: they have been counted."""
    chunk.frame_labels = {key: given for key, given in chunk.frame_labels.items() if given not in labels}
    chunk.passage_labels = {key: given for key, given in chunk.passage_labels.items() if given not in labels}


def _buckets(rows: list[Row]) -> dict[str, int]:
    counts = Counter(row.bucket for row in rows)
    return {str(bucket): n for bucket, n in sorted(counts.items())}
