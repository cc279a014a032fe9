"""What a camera's process counts, and the telemetry records that tell of it."""

from collections import Counter as Counts
from datetime import datetime

from prometheus_client import Counter

from producers.simulator.telemetry import DeviceReading
from schemas.records import CameraState, Telemetry

PICTURES = Counter("roadwatch_camera_pictures_total", "Pictures read.", ["camera"])
FRAMES = Counter("roadwatch_camera_frames_total", "Frames pushed.", ["camera"])
DROPPED = Counter("roadwatch_camera_dropped_total", "Pictures or frames dropped.", ["camera", "reason"])
RECONNECTS = Counter("roadwatch_camera_reconnects_total", "Times the source was opened again.", ["camera"])


class Meter:
    """One camera's counts since its process started, also kept for Prometheus."""

    def __init__(self, camera_id: str) -> None:
        self._camera_id = camera_id
        self._pictures = self._frames = self._reconnects = 0
        self._dropped: Counts[str] = Counts()

    def picture(self) -> None:
        """Count a picture that was read."""
        self._pictures += 1
        PICTURES.labels(self._camera_id).inc()

    def frame(self) -> None:
        """Count a frame that was pushed."""
        self._frames += 1
        FRAMES.labels(self._camera_id).inc()

    def dropped(self, reason: str, count: int = 1) -> None:
        """Count what was given up; `reason` is one of a few fixed words."""
        if count > 0:
            self._dropped[reason] += count
            DROPPED.labels(self._camera_id, reason).inc(count)

    def reconnected(self) -> None:
        """Count that the source was opened again."""
        self._reconnects += 1
        RECONNECTS.labels(self._camera_id).inc()

    def telemetry(self, state: CameraState, measured_at: datetime, device: DeviceReading | None) -> Telemetry:
        """What there is to say at a time; `device` is None without sensors."""
        return Telemetry(
            camera_id=self._camera_id,
            measured_at=measured_at,
            state=state,
            temperature_c=device.temperature_c if device else None,
            pressure_hpa=device.pressure_hpa if device else None,
            magnetometer_ut=device.magnetometer_ut if device else (),
            pictures=self._pictures,
            frames=self._frames,
            dropped=dict(self._dropped),
            reconnects=self._reconnects,
        )
