"""The soundness of one camera's stream and pictures, frame by frame."""

from collections.abc import Mapping
from typing import Any, Self

from monitor.integrity.checks import (
    BLURRED,
    CHECKS,
    CLOCK,
    EVENTS,
    LABELS,
    MOVED,
    OF_PICTURES,
    RATE,
    SIZE,
    VALUES,
)
from monitor.integrity.classes import Classes
from monitor.integrity.courses import Courses, Number
from monitor.integrity.heartbeats import Heartbeats
from monitor.integrity.pictures import JUDGES
from monitor.integrity.seen import WHOLE, Seen, fault_of
from monitor.integrity.troubles import Sign, Trouble, Troubles
from monitor.integrity.usual import Usual
from monitor.spans import DAY_US, SECOND_US, in_words
from schemas.ids import parse_id
from schemas.records import CLASSIFIED, Finding


class Integrity:
    """What is known of the soundness of one camera's stream and pictures."""

    def __init__(self) -> None:
        self._newest_us = -1
        self._troubles = Troubles(CHECKS)
        self._courses, self._heartbeats = Courses(self._troubles), Heartbeats(self._troubles)
        self._classes, self._usual = Classes(), Usual()
        self._begin()

    def _begin(self) -> None:
        self._events = [self._troubles.of(check) for check in EVENTS]

    @classmethod
    def fresh(cls) -> Self:
        """Nothing is known yet."""
        return cls()

    def see(self, camera_id: str, frame: Seen) -> tuple[Finding, ...]:
        """Take the next frame of the stream; what begins with it, and what is over."""
        before_us, self._newest_us = self._newest_us, max(self._newest_us, frame.at_us)
        self._believe()
        self._heartbeats.pause(before_us, frame)
        is_end = frame.kind == "end"
        number = Number(frame.epoch, frame.sequence, frame.frame_id, frame.at_us, self._newest_us, is_end)
        if self._courses.count(number):
            self._examine(frame)
        return self._found(camera_id)

    def refused(
        self, camera_id: str, frame_id: str, at_us: int, logged_us: int, *, goes_on: bool
    ) -> tuple[Finding, ...]:
        """Take a frame that was captured ahead of when it was logged: of the stream's time it says nothing.

        That is as before where the stream goes on; where it has not begun, or begins anew, only the log has a time.
        """
        thing, now_us = parse_id(frame_id), self._newest_us if goes_on else max(self._newest_us, logged_us)
        ahead_s = (at_us - logged_us) / SECOND_US
        note = f"frames are {in_words(ahead_s)} ahead of when they were logged"
        self._troubles.tell(CLOCK, now_us, Sign(0.0, round(ahead_s, 1), note, frame_id))
        self._courses.count(Number(thing.epoch, thing.sequence, frame_id, -1, now_us, is_end=False))
        return self._found(camera_id)

    def _believe(self) -> None:
        """What the log told the time of is over with a frame that may be believed, and is of an earlier one."""
        for trouble in self._events:
            if trouble.lasts and trouble.last_us > self._newest_us:
                self._troubles.over(trouble.check, trouble.last_us, "")

    def _found(self, camera_id: str) -> tuple[Finding, ...]:
        for trouble in self._events:
            if trouble.lasts and trouble.last_us < self._newest_us and not self._is_behind(trouble):
                self._troubles.tell(trouble.check, self._newest_us, "sound")
        return self._troubles.findings(camera_id)

    def _is_behind(self, trouble: Trouble) -> bool:
        """Whether it is a clock that stepped back, and may step forward again: for a day nothing proves it sound."""
        stepped_back = trouble.check is CLOCK and self._heartbeats.back_s > 0
        return stepped_back and self._newest_us - trouble.since_us < DAY_US

    def _examine(self, frame: Seen) -> None:
        fault = fault_of(frame)
        if fault:
            self._troubles.tell(VALUES, self._newest_us, Sign(0, 1, fault, frame.frame_id))
        if frame.kind in CLASSIFIED and (sign := self._classes.know(frame)):
            self._troubles.tell(LABELS, self._newest_us, sign)
        if frame.kind in WHOLE and not fault and frame.at_us > self._usual.picture_us:
            self._look(frame)

    def _look(self, frame: Seen) -> None:
        """At a whole picture."""
        if frame.kind == "heartbeat":
            self._heartbeats.beat(frame)
        picture = self._usual.picture(frame)
        for check, judge in JUDGES:
            self._troubles.tell(check, frame.at_us, judge(picture))
        self._adopt(frame)
        self._usual.learn(picture, self._is_suspected)

    def _adopt(self, frame: Seen) -> None:
        """Take what has lasted long enough for usual."""
        usual, heartbeats = self._usual, self._heartbeats
        for check, relearn in (
            (SIZE, usual.take_size),
            (RATE, heartbeats.take_pace),
            (BLURRED, usual.take_focus),
            (MOVED, usual.take_view),
        ):
            if self._troubles.adopt(check, frame.at_us):
                relearn(frame)

    @property
    def _is_suspected(self) -> bool:
        """Whether anything is wrong with the pictures, or seems to be."""
        troubles = (self._troubles.of(check) for check in OF_PICTURES)
        return any(trouble.lasts or trouble.run for trouble in troubles)

    def snapshot(self) -> dict[str, Any]:
        """The whole state, as JSON."""
        return {
            "newest_us": self._newest_us,
            "ended": self._heartbeats.ended,
            "courses": self._courses.snapshot(),
            "classes": self._classes.snapshot(),
            "troubles": self._troubles.snapshot(),
            **self._heartbeats.snapshot(),
            **self._usual.snapshot(),
        }

    @classmethod
    def restore(cls, plain: Mapping[str, Any]) -> Self:
        """Continue from a snapshot."""
        known = cls()
        known._newest_us = plain["newest_us"]
        known._courses.take_up(plain["courses"])
        known._classes.take_up(plain["classes"])
        known._troubles.take_up(plain["troubles"])
        known._heartbeats.take_up(plain["ended"], plain["pace"], plain["beat_us"])
        known._usual.take_up(plain)
        known._begin()
        return known
