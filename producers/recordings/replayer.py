"""A recording, sent to a cluster: each record once, in order, when it is due.

sequence ─► slices, when they are due ─► records ─► a transaction each, with the position in the sequence
    ▲                                                    │
    └── the target went away: waited for, gone on from ──┘
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Final

import structlog

from producers.recordings.container import UNREAD
from producers.recordings.planning import Plan
from producers.recordings.recording import Located, Recording
from producers.recordings.routes import Routes
from producers.recordings.sequence import Sequence
from producers.recordings.timeline import Timeline, slices
from runtime.positioned import Position, PositionedWriter
from runtime.sessions import FIRST_WAIT_S, LONGEST_WAIT_S
from runtime.settings import KafkaSettings
from schemas.errors import BrokerUnavailableError, ConfigurationError, RecordingError, TopicError
from schemas.times import from_us

log = structlog.get_logger(__name__)

MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a replay is."""

    done: int
    "Records of its sequence that are sent, those of an earlier process included."
    at: datetime | None
    "Event time of the newest, as it was sent; None before the first."
    behind_s: float
    "How late it was."
    trouble: str | None = None
    "Why nothing is sent at the moment; None while things go well."


@dataclass(slots=True)
class Outcome:
    """What came of a replay."""

    finished: bool = False
    "Whether all was sent; otherwise it was stopped, and can be gone on with."
    begun_at: int = 0
    "Records that an earlier process had sent already."
    begun_anew: bool = False
    "Whether an earlier process had sent some of them, which came again."
    done: int = 0
    "Records that are sent by now, those of an earlier process included."
    sent: Counter[str] = field(default_factory=Counter)
    "By topic: records that this process sent."
    unread: int = 0
    "Of them, bytes that are no record of their topic: sent as they were."
    shift: timedelta | None = None
    "By how much times were moved; None: they were kept."
    last_at: datetime | None = None
    "The latest event time so far, as it was sent; None before the first."
    outages: int = 0
    "How often the target went away."
    behind_s: float = 0.0
    "How late the last record was."
    most_behind_s: float = 0.0
    "How late the latest of all was."
    seconds: float = 0.0
    "How long it took, wall clock."


@dataclass(frozen=True, slots=True)
class Control:
    """How a replay is paced, stopped and watched."""

    timeline: Timeline
    "Says when records are due."
    stop: Event
    "Ends it after the transaction at hand."
    tell: Callable[[Progress], None] = lambda _: None
    "Is told of each transaction, and of trouble."


class Replayer:
    """Sends what a plan chooses of a recording, once."""

    def __init__(self, recording: Recording, plan: Plan, target: KafkaSettings, routes: Routes) -> None:
        self.sequence = Sequence(recording, plan)
        self._plan = plan
        self._routes = routes
        self._target = target
        self._name = plan.name(recording.index.id, target.topic_prefix)
        self._outcome = Outcome()
        self._begun = self._all_sent = self._away = False

    def run(self, control: Control, *, resume: bool = False) -> Outcome:
        """Send until all is sent, or until told to stop; a target that goes away is waited for.

        Raises:
            ConfigurationError: there is nothing to go on with, or nothing of the recording is chosen.
            RecordingError: the recording is torn; what was logged before is sent.
            SupersededError: another process goes on with the same replay.
            BrokerError: the target refuses a record.

        """
        started = time.monotonic()
        wait_s = FIRST_WAIT_S
        while not (control.stop.is_set() or self._outcome.finished):
            before = self._outcome.done
            try:
                self._session(control, resume=resume)
            except BrokerUnavailableError as error:
                wait_s = FIRST_WAIT_S if self._outcome.done > before else min(wait_s * 2, LONGEST_WAIT_S)
                self._wait(error, control, wait_s)
        return self._summed_up(control.timeline, time.monotonic() - started)

    def _session(self, control: Control, *, resume: bool) -> None:
        with PositionedWriter(self._target, self._name, self._beside) as writer:
            if not self._begun:
                self._begin(writer, resume=resume)
            at = writer.position()
            if at is not None:
                self._send_from(at, writer, control)
            elif not self._all_sent:
                raise TopicError(f"the target forgot how far this replay came: was {self._beside} deleted? Begin anew")
            self._outcome.finished = self._all_sent

    @property
    def _beside(self) -> str:
        """The topic that keeps the position: the first that is sent to."""
        return next(iter(self._routes.by_topic.values())).target

    # The beginning

    def _begin(self, writer: PositionedWriter, *, resume: bool) -> None:
        at = writer.position()
        if resume and at is None:
            raise ConfigurationError("--resume", [_NOTHING_TO_RESUME])
        if not resume or at is None:
            self._outcome.begun_anew = bool(at and at.done)
            at = Position(0, self._note())
            writer.send((), at)
        self._begun = True
        self._outcome.begun_at = self._outcome.done = at.done
        self._outcome.shift = timedelta(microseconds=int(at.note)) if at.note else None
        if self._outcome.begun_anew:
            log.warning("an earlier replay of the same was not finished: begun anew; --resume would have gone on")

    def _note(self) -> str:
        """The shift, in microseconds: whoever goes on moves times by the same."""
        to = self._plan.shift_to
        if to is None:
            return ""
        return str(self.sequence.shift(datetime.now(UTC) if to == "now" else to) // MICROSECOND)

    # The way

    def _send_from(self, at: Position, writer: PositionedWriter, control: Control) -> None:
        try:
            for slice_ in slices(self._rest(at.done), control.timeline, control.stop.wait):
                at = Position(at.done + len(slice_), at.note)
                writer.send((self._routes.outgoing(located, self._outcome.shift) for located in slice_), at)
                self._note_sent(slice_, at, control)
                if control.stop.is_set():
                    break
        except RecordingError as error:
            raise RecordingError(f"{error}\nWhat was logged before, {at.done} records, is sent") from error
        if not control.stop.is_set():
            self._finish(at, writer)

    def _rest(self, done: int) -> Iterator[Located]:
        """The sequence from where it was left; what this process had sent of it is counted anew."""
        self._outcome.sent.clear()
        self._outcome.unread, self._outcome.done = 0, done
        sequence = iter(self.sequence)
        for number, located in zip(range(done), sequence, strict=False):
            if number >= self._outcome.begun_at:
                self._count(located)
        return sequence

    def _count(self, located: Located) -> None:
        self._outcome.sent[located.topic] += 1
        self._outcome.unread += located.entry.schema == UNREAD

    def _note_sent(self, slice_: list[Located], at: Position, control: Control) -> None:
        self._away = False
        for located in slice_:
            self._count(located)
        control.timeline.sent(slice_[-1].logged_ms)
        self._outcome.done = at.done
        self._outcome.last_at = self._latest(slice_)
        control.tell(Progress(at.done, self._outcome.last_at, control.timeline.behind_s))

    def _latest(self, slice_: Iterable[Located]) -> datetime | None:
        last_us = max((located.entry.last_us for located in slice_ if located.entry.last_us is not None), default=None)
        if last_us is None:
            return self._outcome.last_at
        at = from_us(last_us) + (self._outcome.shift or timedelta(0))
        return max(at, self._outcome.last_at or at)

    # The end

    def _finish(self, at: Position, writer: PositionedWriter) -> None:
        self._all_sent = True
        writer.forget()
        if not at.done:
            raise self.sequence.nothing()

    def _wait(self, error: Exception, control: Control, wait_s: float) -> None:
        log.warning("target lost, trying again", error=str(error), wait_s=wait_s)
        self._outcome.outages += not self._away
        self._away = True
        control.timeline.pause()
        control.tell(Progress(self._outcome.done, self._outcome.last_at, 0.0, str(error)))
        control.stop.wait(wait_s)

    def _summed_up(self, timeline: Timeline, seconds: float) -> Outcome:
        self._outcome.behind_s, self._outcome.most_behind_s = timeline.behind_s, timeline.most_behind_s
        self._outcome.seconds = seconds
        return self._outcome


_NOTHING_TO_RESUME: Final = "no unfinished replay of this is known there: none was begun, or all of it was sent; without --resume it begins anew"
