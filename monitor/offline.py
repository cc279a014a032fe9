"""The monitor without Kafka: the same folds on values in memory, for backtests and tests.

observations, labels ─► cameras ─► passages, camera-days ─► merger ─► reports, alerts
telemetry ────────────► devices ─► camera-days ────────────────┘
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from monitor.cameras import Camera, Policy
from monitor.chunks import Chunks
from monitor.devices import finish_devices, take_telemetry
from monitor.folding import Fold
from monitor.merging import take_action, take_camera_day, take_settled, waiting_until
from monitor.outcomes import Outcome, Position
from monitor.rules import Rules
from schemas.codec import Codec
from schemas.records import AlertAction, CameraDay, Label, Observations, Record, Telemetry
from schemas.times import EPOCH, MILLISECOND
from schemas.topics import CAMERA_DAYS, LABELS, OBSERVATIONS, TELEMETRY


@dataclass(slots=True)
class OfflineMonitor:
    """Folds a stream as the service does, and gives what would have been sent, in its order.

    Records of one camera and topic come in the order of their partition; cameras and topics may be interleaved freely.
    Reports, and alerts about days, come from `settle` and `finish` alone.
    """

    policy: Policy
    "When passages and days are over."
    rules: Rules
    "What raises an alert about a day."
    faults: list[str] = field(default_factory=list)
    "Why frames were not believed; the service puts their records aside."
    counts: Counter[str] = field(default_factory=Counter)
    "What happened, as in the service's counters."
    _cameras: dict[str, tuple[Camera, Chunks]] = field(default_factory=dict)
    _devices: dict[str, bytes] = field(default_factory=dict)
    _merger: dict[str, bytes] = field(default_factory=dict)
    _waiting: dict[str, None] = field(default_factory=dict)
    _offset: int = 0
    _codec: Codec = field(default_factory=Codec)

    def observations(self, batch: Observations, logged_at: datetime, rows_ms: Sequence[int] = ()) -> list[Record]:
        """Take a batch of predictions in; `logged_at` is when it was first logged, `rows_ms` when each row was."""
        fold = self._fold(batch.camera_id, self._position(OBSERVATIONS.name, logged_at))
        fold.observations(batch, rows_ms)
        return self._taken(batch.camera_id, fold.out)

    def label(self, label: Label, logged_at: datetime) -> list[Record]:
        """Take a label in.

        Raises:
            DecodingError: it names another camera's thing, or none that can be read; the service puts it aside.

        """
        fold = self._fold(label.camera_id, self._position(LABELS.name, logged_at))
        fold.label(label)
        return self._taken(label.camera_id, fold.out)

    def telemetry(self, telemetry: Telemetry, logged_at: datetime) -> list[Record]:
        """Take in what a device says of itself."""
        at = self._position(TELEMETRY.name, logged_at)
        outcome = take_telemetry(self.policy, self._devices, telemetry, at)
        _write(self._devices, outcome.writes)
        return self._counted(outcome)

    def action(self, action: AlertAction) -> list[Record]:
        """Take in what somebody says of an alert."""
        self._offset += 1
        outcome = take_action(self._merger, action, Position("", self._offset, 0))
        _write(self._merger, outcome.writes)
        return outcome.outputs

    def settle(self) -> list[Record]:
        """Everything was taken in that was logged before the newest record: report what is due."""
        sent: list[Record] = []
        for camera_id in sorted(self._waiting):
            fold = self._fold(camera_id)
            fold.days.close(labels_read=True)
            sent += self._taken(camera_id, fold.out)
        return sent + self._merged()

    def finish(self) -> list[Record]:
        """The stream is over: end its passages, close its days, and report them; nothing new where all have ended."""
        sent = self.settle()
        for camera_id in sorted(self._cameras):
            fold = self._fold(camera_id)
            fold.finish()
            sent += self._taken(camera_id, fold.out)
        outcome = finish_devices(self.policy, self._devices)
        _write(self._devices, outcome.writes)
        return [*sent, *self._counted(outcome), *self._merged()]

    def _fold(self, camera_id: str, position: Position | None = None) -> Fold:
        """Cameras and chunks are kept as they are: to encode and decode them with each record costs more than all else."""
        known = self._cameras.setdefault(camera_id, (Camera(camera_id), Chunks(camera_id, {})))
        return Fold(self.policy, *known, position)

    def _position(self, topic: str, logged_at: datetime) -> Position:
        self._offset += 1
        return Position(topic, self._offset, (logged_at - EPOCH) // MILLISECOND)

    def _taken(self, camera_id: str, outcome: Outcome) -> list[Record]:
        camera, chunks = self._cameras[camera_id]
        chunks.drop(camera.garbage)
        self._waiting.pop(camera_id, None)
        if outcome.waits:
            self._waiting[camera_id] = None
        return self._counted(outcome)

    def _counted(self, outcome: Outcome) -> list[Record]:
        self.faults += outcome.faults
        self.counts += outcome.counts
        for place, record in enumerate(outcome.outputs):
            if isinstance(record, CameraDay):
                self._hand_in(record, outcome.logged_ms[place])
        return outcome.outputs

    def _hand_in(self, camera_day: CameraDay, logged_ms: int) -> None:
        self._offset += 1
        at = Position(CAMERA_DAYS.name, self._offset, logged_ms)
        _write(self._merger, take_camera_day(self._merger, self._codec, camera_day, at).writes)

    def _merged(self) -> list[Record]:
        until_ms = waiting_until(self._merger)
        if until_ms is None:
            return []
        outcome = take_settled(self.rules, self._codec, self._merger, until_ms)
        _write(self._merger, outcome.writes)
        return outcome.outputs


def _write(values: dict[str, bytes], writes: Mapping[str, bytes | None]) -> None:
    for key, value in writes.items():
        if value is None:
            values.pop(key, None)
        else:
            values[key] = value
