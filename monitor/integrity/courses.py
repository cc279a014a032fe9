"""The numbers and times of frames: what is missing, comes again, comes late, or steps back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from monitor.integrity.checks import CLOCK, DISORDER, GAP, REPEAT, SETTLE
from monitor.integrity.troubles import Sign, Troubles
from monitor.spans import MINUTE_US, SECOND_US, in_words

EPOCHS_KEPT = 4
"Runs of frames whose numbers are known; a frame of an older one begins it anew."


@dataclass(slots=True)
class Gap:
    """Numbers that have not come."""

    first: int
    last: int
    since_us: int
    "The newest frame's time when it showed."
    patience: int
    "With how many frames it is told, the one that showed it among them; 0 when it was."


@dataclass(slots=True)
class Course:
    """How far an epoch has come."""

    KEPT = 32
    "Gaps whose frames would be known as late ones; frames of older ones would be taken for repeated ones."

    expected: int
    "The next number."
    at_us: int
    "When the newest was taken; -1 where that is not believed."
    gaps: list[Gap] = field(default_factory=list)
    "Numbers that have not come, rising."
    waiting: int = 0
    "Gaps that were not told."

    def skip_to(self, sequence: int, since_us: int) -> None:
        """Numbers up to that one are missing."""
        self.gaps = [*self.gaps, Gap(self.expected, sequence - 1, since_us, SETTLE + 1)][-self.KEPT :]
        self.waiting = sum(gap.patience > 0 for gap in self.gaps)

    def fill(self, sequence: int) -> bool:
        """Take a number that was missing; whether it was."""
        gap = next((gap for gap in self.gaps if gap.first <= sequence <= gap.last), None)
        if gap is None:
            return False
        halves = (Gap(gap.first, sequence - 1, *_rest(gap)), Gap(sequence + 1, gap.last, *_rest(gap)))
        place = self.gaps.index(gap)
        self.gaps[place : place + 1] = [half for half in halves if half.first <= half.last]
        self.waiting = sum(gap.patience > 0 for gap in self.gaps)
        return True

    def settled(self, at_once: bool) -> list[Gap]:
        """One more frame has come: the gaps that are to be told now."""
        told = [gap for gap in self.gaps if gap.patience == 1 or (at_once and gap.patience)]
        for gap in self.gaps:
            gap.patience = 0 if at_once else max(0, gap.patience - 1)
        self.waiting -= len(told)
        return told

    def snapshot(self) -> list[Any]:
        """As plain JSON."""
        return [self.expected, self.at_us, [[gap.first, gap.last, *_rest(gap)] for gap in self.gaps]]

    @classmethod
    def restore(cls, plain: list[Any]) -> Self:
        """Continue from a snapshot."""
        expected, at_us, gaps = plain
        known = [Gap(*gap) for gap in gaps]
        return cls(expected, at_us, known, sum(gap.patience > 0 for gap in known))


def _rest(gap: Gap) -> tuple[int, int]:
    return gap.since_us, gap.patience


class Number(NamedTuple):
    """A frame's place in the stream."""

    epoch: str
    "The run of frames."
    sequence: int
    "Its number in it."
    frame_id: str
    "The frame."
    at_us: int
    "When it was taken; -1 where that is not believed."
    now_us: int
    "The newest frame's time."
    is_end: bool
    "Whether none comes after it."


class Courses:
    """How far the newest epochs have come."""

    def __init__(self, troubles: Troubles) -> None:
        self._troubles = troubles
        self._courses: dict[str, Course] = {}

    def count(self, number: Number) -> bool:
        """Take a frame's number; whether it is a new one."""
        course = self._courses.get(number.epoch) or self._new_course(number)
        if number.sequence < course.expected:
            return self._again(course, number)
        if number.sequence > course.expected:
            course.skip_to(number.sequence, number.now_us if course.at_us < 0 else course.at_us)
        course.expected = number.sequence + 1
        self._step_back(course, number)
        if course.waiting:
            self._settle(course, number)
        return True

    def _new_course(self, number: Number) -> Course:
        """Begin an epoch: at its first frame, unless it is the first one that is seen of the camera at all."""
        course = Course(0 if self._courses else number.sequence, -1)
        kept = [*self._courses.items()][-(EPOCHS_KEPT - 1) :]
        self._courses = dict([*kept, (number.epoch, course)])
        return course

    def _again(self, course: Course, number: Number) -> bool:
        is_late = course.fill(number.sequence)
        came = "came" if is_late else "came again"
        note = f"frame {number.sequence} {came} after {course.expected - 1}"
        self._troubles.tell(DISORDER if is_late else REPEAT, number.now_us, Sign(0, 1, note, number.frame_id))
        return is_late

    def _step_back(self, course: Course, number: Number) -> None:
        back_us = course.at_us - number.at_us
        if back_us > MINUTE_US and number.at_us >= 0:
            back_s = back_us / SECOND_US
            note = f"the camera's time stepped back by {in_words(back_s)}"
            self._troubles.tell(CLOCK, number.now_us, Sign(0.0, round(-back_s, 1), note, number.frame_id))
        course.at_us = number.at_us if number.at_us >= 0 else course.at_us

    def _settle(self, course: Course, number: Number) -> None:
        for gap in course.settled(number.is_end):
            count, example = gap.last - gap.first + 1, f"{number.frame_id.rpartition(':')[0]}:{gap.last + 1}"
            where = f"between {gap.first - 1} and {gap.last + 1}" if gap.first else f"before {gap.last + 1}"
            note = f"{count} {'frames' if count > 1 else 'frame'} missing {where}"
            self._troubles.tell(GAP, number.now_us, Sign(0, count, note, example, gap.since_us, count))

    def snapshot(self) -> dict[str, Any]:
        """As plain JSON, by epoch."""
        return {epoch: course.snapshot() for epoch, course in self._courses.items()}

    def take_up(self, plain: Mapping[str, Any]) -> None:
        """Continue from a snapshot."""
        self._courses = {epoch: Course.restore(course) for epoch, course in plain.items()}
