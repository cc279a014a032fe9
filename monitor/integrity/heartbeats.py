"""A camera's signs of life: pauses between frames, and the pace of its heartbeats."""

from typing import Any

from monitor.integrity.checks import CLOCK, RATE, STALLED
from monitor.integrity.pace import Pace
from monitor.integrity.seen import Seen
from monitor.integrity.troubles import Sign, Troubles
from monitor.spans import SECOND_US, in_words

PAUSES = 3
"Long ones in a row that are no pauses, but another pace."
STEPS_UNSURE = 3.0
"Usual intervals by which a step back and the step forward that undoes it may seem to differ: by two, and one was long."


class Heartbeats:
    """What is usual of a camera's signs of life, and what is wrong with them."""

    def __init__(self, troubles: Troubles) -> None:
        self.ended = False
        "Whether the newest frame was an end."
        self._troubles = troubles
        self._pace, self._beat_us = Pace(), -1

    def pause(self, before_us: int, frame: Seen) -> None:
        """Look at the time since the newest frame: nothing is expected after an end, or by a clock that runs ahead."""
        pause_us = frame.at_us - before_us
        ended, self.ended = self.ended, frame.kind == "end"
        self._beat_us = -1 if ended else self._beat_us
        if pause_us <= Pace.LONG[0] or before_us < 0 or ended or self._is_unpaced:
            return
        if not self._pace.is_stall(pause_us, frame.at_us):
            return
        if self._is_set_right(pause_us):
            self._troubles.over(CLOCK, frame.at_us, f"; it stepped forward by {in_words(pause_us / SECOND_US)}")
        else:
            pause, usual = pause_us / SECOND_US, self._pace.usual_s(0.5)
            note = f"no frame came for {in_words(pause)}; one each {in_words(usual)} is usual"
            self._troubles.passed(STALLED, before_us, frame.at_us, Sign(usual, round(pause, 1), note, frame.frame_id))

    @property
    def _is_unpaced(self) -> bool:
        """Whether a pause says nothing: the clock runs ahead, or heartbeats seem to have become seldom."""
        runs_ahead = self._troubles.of(CLOCK).lasts and not self.back_s
        return runs_ahead or self._troubles.of(RATE).run >= PAUSES

    @property
    def back_s(self) -> float:
        """By how much the camera's time has stepped back, seconds, and was not set right since; 0 when it has not."""
        clock = self._troubles.of(CLOCK)
        return max(-clock.told.after, 0.0) if clock.told and clock.lasts else 0.0

    def _is_set_right(self, pause_us: int) -> bool:
        """Whether a pause is the step back undone: both are known but for the interval that they fell into."""
        unsure_s = STEPS_UNSURE * self._pace.usual_s(0.95)
        return self.back_s > 0 and abs(pause_us / SECOND_US - self.back_s) <= unsure_s

    def beat(self, frame: Seen) -> None:
        """Look at the time since the last heartbeat."""
        before_us, self._beat_us = self._beat_us, frame.at_us
        if self._pace.since_us < 0:
            self._pace.since_us = frame.at_us
        if before_us >= 0:
            self._interval(before_us, frame)

    def _interval(self, before_us: int, frame: Seen) -> None:
        interval_us = frame.at_us - before_us
        if not self._pace.is_changed(interval_us, frame.at_us):
            self._pace.learn(interval_us)
            self._troubles.tell(RATE, frame.at_us, "sound")
            return
        usual, interval = self._pace.usual_s(0.5), interval_us / SECOND_US
        note = f"heartbeats come each {in_words(interval)}; each {in_words(usual)} is usual"
        self._troubles.tell(RATE, frame.at_us, Sign(usual, round(interval, 1), note, frame.frame_id, before_us))

    def take_pace(self, frame: Seen) -> None:
        """Learn the pace of heartbeats anew."""
        self._pace = Pace(frame.at_us)

    def snapshot(self) -> dict[str, Any]:
        """As plain JSON, but for the end."""
        return {"pace": self._pace.snapshot(), "beat_us": self._beat_us}

    def take_up(self, ended: bool, pace: list[Any], beat_us: int) -> None:
        """Continue from a snapshot."""
        self.ended, self._pace, self._beat_us = ended, Pace.restore(pace), beat_us
