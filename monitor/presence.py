"""Which cameras are there: one that falls silent while others go on.

    newest of all cameras  ──┬────┬────┬────┬────┬────┬────┬──►
    north                  ──┬────┬────┐      silent ─────────► back, or its day closes
                                       └── three hours behind, and three times as long without news as usual;
                                           of one that is new, as is usual of the slowest other

Only other cameras' time can tell that one says nothing. A camera whose source has ended has no open day, and is not
missed; one that replays last week is behind for good, but has news as often as ever.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Self

from monitor.spans import HOUR_US
from monitor.windows import span_us
from schemas.records import CameraDay, Finding, Tally
from schemas.times import from_us, to_us

BEHIND_US: Final = span_us(timedelta(hours=3))
"Event time that a camera is behind the newest one: news come each hour, and a night may be quiet."
PACES: Final = 3.0
"Times its usual span between two pieces of news, by the log's time."
LEAST_MS: Final = 60_000
"By the log's time: a replay may be hours ahead with one camera within seconds."
STEP_US: Final = span_us(timedelta(minutes=30))
"News this far apart, event time, say how fast a camera goes on."
WEIGHT: Final = 0.3
"Of the newest span in the usual one."
KEPT_US: Final = span_us(timedelta(days=40))
"Event time after which a camera of which no more is to come is forgotten."


@dataclass(slots=True)
class Camera:
    """How far one camera has come."""

    seen_us: int
    "Event time."
    logged_ms: int
    "When its newest news were logged."
    pace_ms: float = 0.0
    "Usual span between two, by the log's time; 0 before it is known."
    open_days: list[str] = field(default_factory=list)
    "Days that it has begun and not closed."
    silent_since_us: int = -1
    "Since when it is silent; -1 while it is not."
    ended_us: int = -1
    "When its source has ended, event time, as its device says; -1 where it says nothing of it."

    @property
    def goes_on(self) -> bool:
        """Whether more is to come of it, as far as it is not missed already."""
        return bool(self.open_days) and self.silent_since_us < 0 and self.seen_us > self.ended_us


@dataclass(slots=True)
class Presence:
    """All cameras."""

    cameras: dict[str, Camera] = field(default_factory=dict)
    "By name."

    @property
    def going_on(self) -> tuple[str, ...]:
        """Cameras of which more is to come, sorted: neither over nor missed already.

        A day may wait for its labels long after its source has ended, which the device then tells.
        """
        return tuple(name for name, camera in sorted(self.cameras.items()) if camera.goes_on)

    def see(self, camera_day: CameraDay, logged_ms: int) -> Iterator[CameraDay]:
        """Take news of a camera in; news of those that are silent by now, and of the one that is back."""
        if camera_day.seen_until is None:
            return
        if camera_day.part == "device":
            self._see_device(camera_day, camera_day.seen_until)
            return
        at_us = to_us(camera_day.seen_until)
        camera = self.cameras.setdefault(camera_day.camera_id, Camera(at_us, logged_ms))
        if camera.silent_since_us >= 0 and (at_us > camera.seen_us or _has_ended(camera_day, camera_day.seen_until)):
            yield _news(camera_day, camera_day.camera_id, camera, at_us)
            camera.silent_since_us = -1
        _go_on(camera, camera_day, at_us, logged_ms)
        newest_us = max(camera.seen_us for camera in self.cameras.values())
        yield from self._silent(camera_day, newest_us)
        self._forget(newest_us - KEPT_US)

    def _see_device(self, device_day: CameraDay, seen_until: datetime) -> None:
        if camera := self.cameras.get(device_day.camera_id):
            camera.ended_us = to_us(seen_until) if _has_ended(device_day, seen_until) else -1

    def _silent(self, camera_day: CameraDay, newest_us: int) -> Iterator[CameraDay]:
        logged_ms = max(camera.logged_ms for camera in self.cameras.values())
        usual_ms = max(camera.pace_ms for camera in self.cameras.values())
        for name, camera in sorted(self.cameras.items()):
            if camera.silent_since_us < 0 and _is_silent(camera, newest_us, logged_ms, usual_ms):
                camera.silent_since_us = camera.seen_us
                yield _news(camera_day, name, camera, None)

    def _forget(self, oldest_us: int) -> None:
        kept = {name: camera for name, camera in self.cameras.items() if camera.goes_on or camera.seen_us >= oldest_us}
        self.cameras = kept

    def snapshot(self) -> dict[str, Any]:
        """The whole state, as JSON."""
        return {name: asdict(camera) for name, camera in self.cameras.items()}

    @classmethod
    def restore(cls, plain: Mapping[str, Any]) -> Self:
        """Continue from a snapshot."""
        return cls({name: Camera(**camera) for name, camera in plain.items()})


def _has_ended(camera_day: CameraDay, seen_until: datetime) -> bool:
    """Whether its source has: only then a day is closed before it is over."""
    return bool(camera_day.revision) and seen_until < camera_day.ends_at


def _go_on(camera: Camera, camera_day: CameraDay, at_us: int, logged_ms: int) -> None:
    if at_us - camera.seen_us >= STEP_US:
        span_ms = float(logged_ms - camera.logged_ms)
        camera.pace_ms = span_ms if not camera.pace_ms else camera.pace_ms + WEIGHT * (span_ms - camera.pace_ms)
        camera.seen_us, camera.logged_ms = at_us, logged_ms
    days = {*camera.open_days} - {camera_day.day} if camera_day.revision else {*camera.open_days, camera_day.day}
    camera.open_days = sorted(days)


def _is_silent(camera: Camera, newest_us: int, logged_ms: int, usual_ms: float) -> bool:
    pace_ms = camera.pace_ms or usual_ms
    if not camera.open_days or not pace_ms or newest_us - camera.seen_us < BEHIND_US:
        return False
    return logged_ms - camera.logged_ms >= max(PACES * pace_ms, LEAST_MS)


def _news(camera_day: CameraDay, camera_id: str, camera: Camera, back_us: int | None) -> CameraDay:
    """What is to be told of a camera that says nothing itself, or does so again."""
    since = from_us(camera.silent_since_us)
    found = Finding(
        finding_id=f"{camera_id}:silent:{camera.silent_since_us}",
        kind="device",
        camera_id=camera_id,
        signal="silent",
        detector="rule",
        since=since,
        found_at=since + timedelta(microseconds=BEHIND_US),
        until=None if back_us is None else from_us(back_us),
        before=0.0,
        after=BEHIND_US / HOUR_US,
        samples=1,
        worse=True,
        example=None,
        note="no pictures have come of it while other cameras went on",
    )
    return CameraDay(
        camera_id=camera_id,
        day=camera_day.day,
        timezone=camera_day.timezone,
        revision=0,
        starts_at=camera_day.starts_at,
        ends_at=camera_day.ends_at,
        tally=Tally(),
        findings=(found,),
        part="device",
        seen_until=found.until or found.found_at,
    )
