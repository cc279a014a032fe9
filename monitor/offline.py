"""The monitor without Kafka: the same folds on values in memory, for backtests and tests.

observations, labels ─► cameras ─► passages, alerts, camera-days ─► merger ─► reports, alerts
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from monitor.cameras import Camera, Policy
from monitor.chunks import Chunks
from monitor.folding import Fold, Outcome, Position
from monitor.merging import take_camera_day, take_settled, waiting_until
from monitor.rules import Rule
from schemas.codec import Codec
from schemas.records import CameraDay, Label, Observations, Record
from schemas.times import EPOCH
from schemas.topics import CAMERA_DAYS, LABELS, OBSERVATIONS

MILLISECOND = timedelta(milliseconds=1)


@dataclass(slots=True)
class OfflineMonitor:
    """Folds a stream as the service does, and gives what would have been sent, in its order.

    Records of one camera and topic come in the order of their partition; cameras and topics may be interleaved freely.
    Reports, and alerts about days, come from `settle` and `finish` alone.
    """

    policy: Policy
    "When passages and days are over."
    rules: tuple[Rule, ...]
    "What raises an alert about a day."
    faults: list[str] = field(default_factory=list)
    "Why frames were not believed; the service puts their records aside."
    counts: Counter[str] = field(default_factory=Counter)
    "What happened, as in the service's counters."
    _cameras: dict[str, tuple[Camera, Chunks]] = field(default_factory=dict)
    _merger: dict[str, bytes] = field(default_factory=dict)
    _waiting: dict[str, None] = field(default_factory=dict)
    _offset: int = 0
    _codec: Codec = field(default_factory=Codec)

    def observations(self, batch: Observations, logged_at: datetime) -> list[Record]:
        """Take a batch of predictions in; `logged_at` is when it was first logged."""
        fold = self._fold(batch.camera_id, self._position(OBSERVATIONS.name, logged_at))
        fold.observations(batch)
        return self._taken(batch.camera_id, fold.out)

    def label(self, label: Label, logged_at: datetime) -> list[Record]:
        """Take a label in.

        Raises:
            DecodingError: it names another camera's thing, or none that can be read; the service puts it aside.

        """
        fold = self._fold(label.camera_id, self._position(LABELS.name, logged_at))
        fold.label(label)
        return self._taken(label.camera_id, fold.out)

    def settle(self) -> list[Record]:
        """Everything was taken in that was logged before the newest record: report what is due."""
        sent: list[Record] = []
        for camera_id in sorted(self._waiting):
            fold = self._fold(camera_id)
            fold.close_days(labels_read=True)
            sent += self._taken(camera_id, fold.out)
        return sent + self._merged()

    def finish(self) -> list[Record]:
        """The stream is over: end its passages, close its days, and report them; nothing new where all have ended."""
        sent = self.settle()
        for camera_id in sorted(self._cameras):
            fold = self._fold(camera_id)
            fold.finish()
            sent += self._taken(camera_id, fold.out)
        return sent + self._merged()

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
        self.faults += outcome.faults
        self.counts += outcome.counts
        self._waiting.pop(camera_id, None)
        if outcome.waits:
            self._waiting[camera_id] = None
        for record in outcome.outputs:
            if isinstance(record, CameraDay):
                self._hand_in(record, outcome.logged_ms[record.day, record.revision])
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
