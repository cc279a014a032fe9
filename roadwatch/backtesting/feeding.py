"""Observations into the monitors of one model's rule sets, in larger batches than they were logged in.

A monitor's result does not depend on how frames are batched, but for one thing: it keeps when the record was logged that
opened or completed a day. So records are joined only while none of them opens or completes a day, ends a camera's source,
or holds a picture that is ahead of the clock; each of those goes in by itself. Each row keeps when it was logged, for news
of a camera bear that.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from monitor.cameras import Policy
from monitor.offline import OfflineMonitor
from roadwatch.backtesting.columns import joined, part
from schemas.errors import DecodingError
from schemas.records import AlertAction, Label, Observations, Record, Telemetry
from schemas.times import from_ms, to_us

MOST_ROWS: Final = 512
"Rows of a camera that are joined."
SETTLE_AFTER: Final = 16_384
"Rows of all cameras after which reports are asked for: state stays small, however long the recording is."

Take = Callable[[int, Record], None]
"Told the monitor's number and what came out of it."


@dataclass(slots=True)
class _Waiting:
    """A camera's records that are not taken in yet."""

    batches: list[Observations] = field(default_factory=list)
    logged_ms: list[int] = field(default_factory=list)


class Feed:
    """Feeds the same observations and labels to several monitors."""

    def __init__(self, monitors: Sequence[OfflineMonitor], take: Take, settle_after: int = SETTLE_AFTER) -> None:
        """`settle_after`: rows after which `settle` does anything."""
        self._settle_after = settle_after
        self._monitors = monitors
        self._take = take
        self._calm = _Calm([monitor.policy for monitor in monitors])
        self._waiting: dict[str, _Waiting] = {}
        self._rows = 0
        self.refused = [0] * len(monitors)
        "Frames that each monitor did not believe: they are ahead of when they were logged."

    def observations(self, batch: Observations, logged_ms: Sequence[int]) -> None:
        """Take a batch in; `logged_ms` says of each row when it was logged."""
        if self._calm.covers(batch, logged_ms):
            self._wait(batch, logged_ms)
        else:
            self._flush(batch.camera_id)
            for row, at_ms in enumerate(logged_ms):
                self._observe(part(batch, slice(row, row + 1)), [at_ms])
        self._rows += len(logged_ms)

    def label(self, label: Label, logged_ms: int) -> bool:
        """Take a label in; False where it names what is not its camera's."""
        try:
            self._give(monitor.label(label, from_ms(logged_ms)) for monitor in self._monitors)
        except DecodingError:
            return False
        return True

    def telemetry(self, telemetry: Telemetry, logged_ms: int) -> None:
        """Take in what a device says of itself."""
        self._give(monitor.telemetry(telemetry, from_ms(logged_ms)) for monitor in self._monitors)

    def action(self, action: AlertAction) -> None:
        """Take in what somebody says of the alerts that were told by then; what a monitor has not told is no matter."""
        self._settle()
        for number, monitor in enumerate(self._monitors):
            with suppress(DecodingError):
                self._hand_out(number, monitor.action(action))

    def settle(self) -> None:
        """Report what is due, now and then; everything that was logged before what comes next was given."""
        if self._rows >= self._settle_after:
            self._settle()

    def _settle(self) -> None:
        self._rows = 0
        self._flush_all()
        self._give(monitor.settle() for monitor in self._monitors)
        self._count_refused()

    def finish(self) -> None:
        """The stream is over."""
        self._flush_all()
        self._give(monitor.finish() for monitor in self._monitors)
        self._count_refused()

    def _flush_all(self) -> None:
        for camera in list(self._waiting):
            self._flush(camera)

    def _count_refused(self) -> None:
        for number, monitor in enumerate(self._monitors):
            self.refused[number] += len(monitor.faults)
            monitor.faults.clear()

    def _wait(self, batch: Observations, logged_ms: Sequence[int]) -> None:
        waiting = self._waiting.setdefault(batch.camera_id, _Waiting())
        if waiting.batches and not joined_fits(waiting.batches[-1], batch):
            self._flush(batch.camera_id)
            waiting = self._waiting.setdefault(batch.camera_id, _Waiting())
        waiting.batches.append(batch)
        waiting.logged_ms += logged_ms
        if len(waiting.logged_ms) >= MOST_ROWS:
            self._flush(batch.camera_id)

    def _flush(self, camera: str) -> None:
        waiting = self._waiting.pop(camera, None)
        if waiting:
            self._observe(joined(waiting.batches), waiting.logged_ms)

    def _observe(self, batch: Observations, logged_ms: Sequence[int]) -> None:
        at = from_ms(max(logged_ms))
        self._give(monitor.observations(batch, at, logged_ms) for monitor in self._monitors)

    def _give(self, outputs: Iterable[list[Record]]) -> None:
        for number, records in enumerate(outputs):
            self._hand_out(number, records)

    def _hand_out(self, number: int, records: Iterable[Record]) -> None:
        for record in records:
            self._take(number, record)


def joined_fits(a: Observations, b: Observations) -> bool:
    """Whether two batches can be one: same run of frames, same model, same classes."""
    return (a.epoch, a.model_version, a.classes) == (b.epoch, b.model_version, b.classes)


class _Calm:
    """Knows within which stretch of event time no day is completed, for any policy."""

    def __init__(self, policies: Sequence[Policy]) -> None:
        self._policies = policies
        self._skew_us = min(policy.max_skew for policy in policies) // timedelta(microseconds=1)
        self._stretches: dict[str, tuple[int, int]] = {}

    def covers(self, batch: Observations, logged_ms: Sequence[int]) -> bool:
        """Whether a batch completes no day, and its pictures are not ahead of the clock. Remembers its camera's stretch."""
        first, last = to_us(min(batch.captured_at)), to_us(max(batch.captured_at))
        if "end" in batch.kinds or self._is_ahead(batch, logged_ms, last):
            return False
        begin, until = self._stretches.get(batch.camera_id, (0, 0))
        if begin <= first and last < until:
            return True
        self._stretches[batch.camera_id] = self._stretch(batch)
        return False

    def _is_ahead(self, batch: Observations, logged_ms: Sequence[int], last_us: int) -> bool:
        """Whether any picture is further ahead of when its row was logged than some policy believes."""
        if last_us <= min(logged_ms) * 1000 + self._skew_us:
            return False
        return any(to_us(at) > ms * 1000 + self._skew_us for at, ms in zip(batch.captured_at, logged_ms, strict=True))

    def _stretch(self, batch: Observations) -> tuple[int, int]:
        """From the last beginning or completion of a day to the next, around the newest picture."""
        newest = max(batch.captured_at)
        begins, ends = [], []
        for policy in self._policies:
            for wait in (timedelta(0), policy.lateness, policy.lateness + policy.label_patience):
                starts_at, ends_at = policy.calendar.bounds(policy.calendar.day_of(newest - wait))
                begins.append(to_us(starts_at + wait))
                ends.append(to_us(ends_at + wait))
        return max(begins), min(ends)
