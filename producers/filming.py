"""The loop of one camera: pictures in; frames, telemetry and, for a simulated camera, labels out.

source ─► picture ─┬─► vehicles under way, or every n-th picture ─┬─► frames ─► sink
                   └─► now and then, a sign of life ──────────────┘
running ──► SourceError ──► stalled: waits, longer each time, opens anew ──► running     live cameras
running ──► the source's end ──► labels, end frame, telemetry ──► ended                  recordings, the simulator
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from producers.backoff import Backoff
from producers.cameras import CameraConfig
from producers.framing import Framer
from producers.selection import Selection
from producers.simulator.telemetry import DeviceReading
from producers.sink import FrameSink
from producers.source import Picture, Source
from producers.telemetry import Meter
from producers.truth import TruthLabels
from runtime.tracing import TRACEPARENT, new_traceparent
from schemas.errors import BrokerUnavailableError, RecordTooLargeError, SourceError
from schemas.records import CameraState, Frame, Label
from schemas.topics import FRAMES, LABELS, TELEMETRY

log = structlog.get_logger(__name__)


class Pace:
    """Says when something is due again, in event time."""

    def __init__(self, every_s: float) -> None:
        self._every = timedelta(seconds=every_s)
        self._last: datetime | None = None

    def due(self, at: datetime) -> bool:
        """Whether it is; the first time it always is."""
        if self._last is not None and at - self._last < self._every:
            return False
        self._last = at
        return True


@dataclass(frozen=True, slots=True)
class Equipment:
    """What a camera's loop works with; each part has a double."""

    open: Callable[[], Source]
    "Opens the source; raises ConfigurationError for what can never work."
    sink: FrameSink
    "Takes the records."
    framer: Framer
    "Makes the frames."
    selection: Selection
    "Chooses them."
    stopped: Callable[[], bool]
    "Whether to stop."
    wait: Callable[[float], object]
    "Waits so many seconds, or until told to stop."
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    "The wall clock."
    device: Callable[[datetime], DeviceReading] | None = None
    "The device's sensors at an event time; None without any."
    truth: TruthLabels | None = None
    "Labels every passage; None where nobody knows the truth."


class CameraLoop:
    """Films until the source ends or somebody says stop."""

    def __init__(self, camera: CameraConfig, equipment: Equipment, backoff: Backoff | None = None) -> None:
        self._camera = camera
        self._with = equipment
        self._backoff = backoff or Backoff()
        self._meter = Meter(camera.id)
        self._heartbeat, self._telemetry = Pace(camera.heartbeat_s), Pace(camera.telemetry_s)
        self._state: CameraState | None = None
        self._last: Picture | None = None

    def run(self) -> None:
        """Film.

        Raises:
            ConfigurationError: the source cannot be, or the zones do not fit its pictures.
            SourceError: a recording broke off; a live camera is opened again instead.
            BrokerUnavailableError: the broker stayed away, which ends a recording: read again, it gives the same
                frame ids again. A live camera goes on.

        """
        while not self._with.stopped():
            try:
                self._film()
                break
            except SourceError as error:
                self._stalled(error)
        if not self._with.stopped():
            self._end()
            self._with.sink.flush()

    def _film(self) -> None:
        with closing(self._with.open()) as source:
            for picture in self._pictures(source):
                self._take(picture)

    def _pictures(self, source: Source) -> Iterator[Picture]:
        """What the source gives until it ends or somebody says stop."""
        index = -1
        while not self._with.stopped() and (picture := source.read()) is not None:
            self._skipped(picture.index - index - 1)
            index = picture.index
            yield picture

    def _skipped(self, count: int) -> None:
        """Gaps in a source's numbers: a live camera was faster than we, a recording has pictures that do not decode."""
        self._meter.dropped("overrun" if self._camera.kind == "live" else "unreadable", count)

    def _take(self, picture: Picture) -> None:
        self._meter.picture()
        self._backoff.reset()
        self._last = picture
        at = picture.captured_at
        frames = self._with.selection.frames(picture)
        for frame in frames:
            self._push(frame)
        self._label(at, frames)
        if self._heartbeat.due(at):
            self._sign_of_life(picture)
        if self._telemetry.due(at) or self._state != "running":
            self._report("running", at)

    def _sign_of_life(self, picture: Picture) -> None:
        self._push(self._with.framer.whole(picture, "heartbeat"))
        if self._with.truth:
            self._send_labels([self._with.truth.promise(picture.captured_at)])

    def _label(self, at: datetime, frames: Sequence[Frame]) -> None:
        if self._with.truth:
            self._send_labels(self._with.truth.labels(at, frames))

    def _send_labels(self, labels: Iterable[Label]) -> None:
        for label in labels:
            self._with.sink.send(LABELS, label.camera_id, label)

    def _push(self, frame: Frame) -> None:
        headers = [(TRACEPARENT, new_traceparent().encode())]
        try:
            self._with.sink.send(FRAMES, frame.camera_id, frame, headers)
        except RecordTooLargeError as error:
            self._drop(frame, "too-large", error)
        except BrokerUnavailableError as error:
            if self._camera.kind != "live":
                raise
            self._drop(frame, "undelivered", error)
        else:
            self._meter.frame()

    def _drop(self, frame: Frame, reason: str, error: Exception) -> None:
        self._meter.dropped(reason)
        log.warning("frame dropped", frame_id=frame.frame_id, reason=reason, error=str(error))

    def _stalled(self, error: SourceError) -> None:
        """Say so, wait and go on; a recording would break off again."""
        if self._camera.kind != "live":
            raise error
        wait_s = self._backoff.next_s()
        log.warning("source lost, opening it again", camera=self._camera.id, wait_s=round(wait_s, 1), error=str(error))
        self._meter.reconnected()
        self._report("stalled", self._with.now())
        self._with.wait(wait_s)

    def _report(self, state: CameraState, at: datetime) -> None:
        self._state = state
        device = self._with.device(at) if self._with.device else None
        try:
            self._with.sink.send(TELEMETRY, self._camera.id, self._meter.telemetry(state, at, device))
        except BrokerUnavailableError as error:
            if self._camera.kind != "live":
                raise
            log.warning("telemetry not sent", camera=self._camera.id, error=str(error))

    def _end(self) -> None:
        """Say that nothing more will come: first the labels, then the frame that closes the camera's days."""
        if self._last is None:
            log.warning("source ended without a picture", camera=self._camera.id, source=self._camera.source)
            return
        at = self._last.captured_at
        if self._with.truth:
            self._send_labels(self._with.truth.end(at))
            self._with.sink.flush()
        self._push(self._with.framer.whole(self._last, "end"))
        self._report("ended", at)
        unknown = self._with.truth.unknown if self._with.truth else None
        log.info("source ended", camera=self._camera.id, at=at.isoformat(), passages_without_truth=unknown)
