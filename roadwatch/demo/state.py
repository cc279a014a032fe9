"""What a run has shown so far: fed with records, drawn by `roadwatch.demo.view`."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

from schemas.records import Alert, CameraDay, DayReport, Passage, Prediction, Record

RATE_WINDOW_S = 3.0


@dataclass(slots=True)
class CameraLine:
    """What one camera has shown."""

    frames: int = 0
    passages: dict[str, int] = field(default_factory=dict)
    seen: str = ""
    confidence: float | None = None
    captured_at: datetime | None = None
    arrivals: deque[float] = field(default_factory=lambda: deque(maxlen=500))

    def rate(self, now: float) -> float:
        """Frames a second over the last seconds."""
        return sum(now - at <= RATE_WINDOW_S for at in self.arrivals) / RATE_WINDOW_S


@dataclass(slots=True)
class RunState:
    """Everything that the view shows."""

    started: float
    "By the clock that `feed` is given, seconds."
    cameras: dict[str, CameraLine] = field(default_factory=dict)
    "By id."
    days: set[str] = field(default_factory=set)
    "Of which pictures were told: each gets a report."
    reports: dict[str, DayReport] = field(default_factory=dict)
    "The newest revision of each day."
    alerts: dict[str, Alert] = field(default_factory=dict)
    "By id and state, as each was told last."
    passages: list[Passage] = field(default_factory=list)
    "As they ended."
    mails: list[tuple[float, str]] = field(default_factory=list)
    "When each came, and its subject."

    def feed(self, record: Record, now: float) -> None:
        """Take in one record."""
        match record:
            case Prediction():
                self._predicted(record, now)
            case Passage():
                self.passages.append(record)
                votes = self._camera(record.camera_id).passages
                votes[record.label] = votes.get(record.label, 0) + 1
            case CameraDay(part="pictures"):
                self.days.add(record.day)
            case CameraDay():
                pass  # a device's day is in the report of its pictures
            case DayReport():
                self.reports[record.day] = record
            case Alert():
                self.alerts[f"{record.alert_id}|{record.state}"] = record
            case _:
                raise TypeError(f"{type(record).__name__} is not shown")

    def mailed(self, subject: str, now: float) -> None:
        """Take in a mail."""
        self.mails.append((now, subject))

    @property
    def to_be_mailed(self) -> set[str]:
        """Alerts that the demo's team has subscribed to: one mail each, whatever becomes of them."""
        return {alert.alert_id for alert in self.alerts.values() if alert.state == "open" and alert.severity != "info"}

    @property
    def is_told(self) -> bool:
        """Whether every day has its report, and every alert its mail."""
        return bool(self.days) and self.days <= self.reports.keys() and len(self.mails) >= len(self.to_be_mailed)

    @property
    def first_mail_s(self) -> float | None:
        """Seconds from the start to the first mail; None while there is none."""
        return self.mails[0][0] - self.started if self.mails else None

    @property
    def frames(self) -> int:
        """Predictions in all."""
        return sum(camera.frames for camera in self.cameras.values())

    @property
    def event_time(self) -> datetime | None:
        """How far the cameras are; None before the first prediction."""
        return max((camera.captured_at for camera in self.cameras.values() if camera.captured_at), default=None)

    def _camera(self, camera_id: str) -> CameraLine:
        return self.cameras.setdefault(camera_id, CameraLine())

    def _predicted(self, prediction: Prediction, now: float) -> None:
        camera = self._camera(prediction.camera_id)
        camera.frames += 1
        camera.captured_at = prediction.captured_at
        camera.arrivals.append(now)
        if prediction.label:
            camera.seen, camera.confidence = prediction.label, prediction.confidence
