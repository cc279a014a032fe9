"""The end of a camera's days: closed once frames and labels are complete, revised by late labels, forgotten at last.

frames complete ──► labels complete, or waited for long enough ──► closed ──► revised, as late labels come ──► forgotten
"""

from datetime import timedelta

from monitor.cameras import Camera, ClosedDay, OpenDay, Policy
from monitor.chunks import Chunks
from monitor.closing import camera_day, forget, forget_unseen, told_key
from monitor.outcomes import Outcome
from schemas.times import MILLISECOND, to_us

LONGEST_WAIT = timedelta(days=7)
"By the log's time, how long a day's last late labels wait for a later one to be counted with."


class DayEnds:
    """Closes, revises and forgets the days of one camera."""

    def __init__(self, policy: Policy, camera: Camera, chunks: Chunks, out: Outcome) -> None:
        self._policy, self._calendar = policy, policy.calendar
        self._camera, self._chunks, self._out = camera, chunks, out

    def close(self, labels_read: bool) -> None:
        """Hand in the days that are complete, frames and labels; `labels_read` up to the newest frames' record."""
        for name, day in sorted(self._camera.days.items()):
            closed_ms = self._closed_ms(name, day, labels_read)
            if closed_ms is None:
                break
            self._hand_in(name, day, closed_ms)
        self.revise()
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
        self._out.waits |= waits
        return None if waits else day.cutoff_ms

    def _promised_ms(self, name: str) -> int | None:
        if not self._policy.heeds_promises:
            return None
        return self._camera.promised_ms(to_us(self._calendar.bounds(name)[1]))

    def _hand_in(self, name: str, day: OpenDay, closed_ms: int) -> None:
        camera = self._camera
        self._forget_until(closed_ms)
        last = {epoch: span.runs[-1][1] for epoch, span in camera.spans.items() if span.is_open}
        camera.closed[name] = ClosedDay(
            closed_ms=closed_ms,
            cutoff_ms=day.cutoff_ms,
            revision=1,
            findings=day.findings,
            unmatched=0,
            first={epoch: camera.spans[epoch].closed for epoch in last if camera.spans[epoch].closed},
            last=last,
            kept=day.kept,
            seen_us=day.seen_us,
        )
        self._out.hand_in(camera_day(camera, self._chunks, name, self._policy), closed_ms)
        del camera.days[name]
        camera.closed_through = name
        camera.let_go(day.kept)
        camera.forget_promises(to_us(self._calendar.bounds(name)[1]))

    def revise(self) -> None:
        """Hand in anew the days of late labels whose turn has come."""
        for name, day in sorted(self._camera.closed.items()):
            while (turn_ms := self._turn_ms(day)) is not None:
                self._tell_anew(name, day, turn_ms)

    def _tell_anew(self, name: str, day: ClosedDay, turn_ms: int) -> None:
        day.revised_ms, day.revision = turn_ms, day.revision + 1
        self._out.hand_in(camera_day(self._camera, self._chunks, name, self._policy), turn_ms)

    def _turn_ms(self, day: ClosedDay) -> int | None:
        """When the record was logged at which a day's late labels are counted; None while it is not there.

        It is a record of the labels' own, after the day has closed: neither when frames are read nor in what order makes
        a difference. Where none comes for long, frames end the waiting.
        """
        if day.dirty_ms is None:
            return None
        after_ms, last_ms = max(day.dirty_ms, day.closed_ms), self._last_ms(day)
        round_ms = self._policy.round_ms(after_ms)
        turns = (ms for ms, is_done in self._camera.turns if ms >= round_ms or (is_done and ms > after_ms))
        return next((ms for ms in turns if ms < last_ms), None)

    def _last_ms(self, day: ClosedDay) -> int:
        """By the log's time, from when on a day can be forgotten."""
        waits_ms = 0 if day.dirty_ms is None else LONGEST_WAIT // MILLISECOND
        return self._policy.final_ms(day) + waits_ms

    def _forget_until(self, closed_ms: int) -> None:
        """Let go of days that were over when the next one closed, however far labels or frames have been read since."""
        for name, day in sorted(self._camera.closed.items()):
            if day.dirty_ms is not None or closed_ms < self._last_ms(day):
                break
            self._forget(name, day)

    def _forget_days(self, labels_read: bool) -> None:
        """Let go of days that no label can change any more, and tell what the last ones have changed."""
        camera = self._camera
        for name, day in sorted(camera.closed.items()):
            last_ms = self._last_ms(day)
            if camera.frames_ms < last_ms:
                break
            if not labels_read and camera.labels_ms < last_ms:
                self._out.waits = True
                break
            if day.dirty_ms is not None:
                self._tell_anew(name, day, camera.frames_ms)
            self._forget(name, day)

    def _forget(self, name: str, day: ClosedDay) -> None:
        camera = self._camera
        del camera.closed[name]
        camera.garbage.append(told_key(camera, name))
        logged = range(day.closed_ms, self._policy.final_ms(day))
        self._out.counts["forgotten_labels"] += forget_unseen(camera, self._chunks, logged)
        forget(camera, self._chunks, day.kept)
