"""The simulator's truth as labels: which vehicle each pushed passage really shows, told once, and promises kept.

    passage's frames ─► boxes compared with the true vehicles' ─► at its crossing, or once it is over: a Label
                        crossing compared with theirs, as by a ─┘  └► no vehicle there: none, and it is counted
                        loop in the road, where no box fits: in
                        the dark the gate sees lamps

A promise ("of pictures before this time, every label has been sent") never reaches beyond the first picture of a
passage that has no label yet.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from producers.labels import label_of, promise_of
from producers.simulator.truth import TrueVehicle
from schemas.records import Box, Frame, Label

SOURCE = "simulator"

LEAST_OVERLAP = 0.3
"""Intersection over union from which a pushed box and a true one are the same vehicle; crops have a margin."""

SAME_CROSSING = timedelta(seconds=1)
"""How far apart a passage's crossing and a true one in its lane may lie: less than vehicles keep between them."""

OVER_AFTER = timedelta(seconds=10)
"""A passage of which nothing was pushed for this long is over, whether it crossed or not."""

BEYOND_THE_END = timedelta(days=2)
"""How far the last promise reaches past the last picture: over the end of its day in every time zone."""

TruthAt = Callable[[datetime], Sequence[TrueVehicle]]
"""The true vehicles in a picture of that time."""


@dataclass(slots=True)
class _Passage:
    """A passage that has no label yet."""

    began_at: datetime
    "Its first frame's time."
    seen_at: datetime
    "Its latest frame's time."
    overlaps: dict[tuple[str, str], float] = field(default_factory=dict)
    "Summed overlap with each true vehicle, by its id and class."
    zone_id: str | None = None
    "The zone whose line it crossed; None before that."
    crossed_at: datetime | None = None
    "When it crossed; None before that."


class TruthLabels:
    """Labels for one simulated camera's passages."""

    def __init__(self, camera_id: str, truth_at: TruthAt) -> None:
        self._camera_id = camera_id
        self._truth_at = truth_at
        self._open: dict[str, _Passage] = {}
        self._done: dict[str, datetime] = {}
        self._promised: datetime | None = None
        self.unknown = 0
        "Passages that no true vehicle made."

    def labels(self, at: datetime, frames: Iterable[Frame]) -> Iterator[Label]:
        """The labels that a picture's frames complete; `at` is the picture's time, event time."""
        crossed = [name for frame in frames if (name := self._see(frame)) and frame.crossed_at]
        over = [name for name, passage in self._open.items() if at - passage.seen_at > OVER_AFTER]
        for name in dict.fromkeys([*crossed, *over]):
            yield from self._decide(name, at)
        self._done = {name: when for name, when in self._done.items() if at - when <= OVER_AFTER}

    def promise(self, at: datetime) -> Label:
        """How far all labels have been sent, as of a picture's time."""
        return promise_of(self._camera_id, SOURCE, at, self._complete_until(at))

    def end(self, at: datetime) -> Iterator[Label]:
        """The labels that are left when the source has ended, and the last promise."""
        for name in list(self._open):
            yield from self._decide(name, at)
        yield promise_of(self._camera_id, SOURCE, at, at + BEYOND_THE_END)

    def _see(self, frame: Frame) -> str | None:
        """Note a frame; returns its passage's id where that still wants a label."""
        name, box = frame.passage_id, frame.box
        if name is None or box is None:
            return None
        if name in self._done:
            self._done[name] = frame.captured_at
            return None
        passage = self._open.setdefault(name, _Passage(frame.captured_at, frame.captured_at))
        passage.seen_at = frame.captured_at
        if frame.crossed_at:
            passage.zone_id, passage.crossed_at = frame.zone_id, frame.crossed_at
        self._compare(passage, box)
        return name

    def _compare(self, passage: _Passage, box: Box) -> None:
        for vehicle in self._truth_at(passage.seen_at):
            share = overlap(box, vehicle.box)
            if share >= LEAST_OVERLAP:
                key = (vehicle.passage.vehicle_id, vehicle.passage.label)
                passage.overlaps[key] = passage.overlaps.get(key, 0.0) + share

    def _decide(self, name: str, at: datetime) -> Iterator[Label]:
        passage = self._open.pop(name)
        self._done[name] = at
        label = _by_overlap(passage) or self._by_crossing(passage)
        if label is None:
            self.unknown += 1
            return
        yield label_of(name, label, source=SOURCE, labelled_at=at, complete_until=self._complete_until(at))

    def _by_crossing(self, passage: _Passage) -> str | None:
        """The class of the true vehicle that crossed the same line at about the same time."""
        if passage.crossed_at is None:
            return None
        there = (vehicle.passage for vehicle in self._truth_at(passage.crossed_at))
        near = [
            (abs(true.crossed_at - passage.crossed_at), true.label) for true in there if true.lane == passage.zone_id
        ]
        apart, label = min(near, default=(SAME_CROSSING * 2, None))
        return label if apart <= SAME_CROSSING else None

    def _complete_until(self, at: datetime) -> datetime:
        until = min([at, *(passage.began_at for passage in self._open.values())])
        self._promised = max(until, self._promised or until)
        return self._promised


def _by_overlap(passage: _Passage) -> str | None:
    """The class of the true vehicle that its boxes cover best."""
    if not passage.overlaps:
        return None
    _, label = max(passage.overlaps, key=passage.overlaps.__getitem__)
    return label


def overlap(pushed: Box, true: tuple[float, float, float, float]) -> float:
    """Intersection over union of two boxes, 0 to 1; `true` is left, top, width, height in pixels."""
    left, top, width, height = true
    wide = min(pushed.x + pushed.width, left + width) - max(pushed.x, left)
    high = min(pushed.y + pushed.height, top + height) - max(pushed.y, top)
    common = max(wide, 0.0) * max(high, 0.0)
    return common / (pushed.width * pushed.height + width * height - common)
