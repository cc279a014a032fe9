"""One report a day from the camera-days of all cameras, however many monitors counted them.

    camera-days     a D r0   b D r0   a D r1          b D r1                    c D r1 (late)
    reports                                            └► D revision 1           └► D revision 2

A camera announces its day when its first frame comes (revision 0) and hands it in when it closes (revision 1 and on).
A day's report is due when every camera that announced the day has handed it in, or when one of them has handed in a
later day: nothing waits for ever for a camera that fell silent. What comes after the report makes one more revision.
Which revision is the last, and what it says, does not depend on the order in which cameras close.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from monitor.folding import Outcome, Position
from monitor.metrics import added, scores
from monitor.rules import Rule, day_alerts
from monitor.windows import day_before
from schemas.codec import Codec
from schemas.records import CameraDay, CameraScores, DayReport

STATE = "merger"
"Key of the merger's own value."
DAYS_KEPT = 40
"Days that may still get a revision; older ones are forgotten."


@dataclass(slots=True)
class Day:
    """What is known of one day."""

    cameras: dict[str, int] = field(default_factory=dict)
    "Each camera's newest revision; 0 while its day is open."
    revision: int = 0
    "Of the newest report; 0 before the first."
    alerts: list[str] = field(default_factory=list)
    "Ids of the alerts that its reports raised."

    @property
    def handed_in(self) -> list[str]:
        """Cameras whose day has closed, sorted."""
        return sorted(camera for camera, revision in self.cameras.items() if revision)


@dataclass(slots=True)
class Merger:
    """The merger's state."""

    offset: int = -1
    "The last camera-day that was taken in."
    days: dict[str, Day] = field(default_factory=dict)
    "By day."

    @property
    def forgotten(self) -> str:
        """Days before this one get no more revisions."""
        return min(self.days) if len(self.days) >= DAYS_KEPT else ""

    def encoded(self) -> bytes:
        """As compact JSON."""
        days = {name: [day.cameras, day.revision, day.alerts] for name, day in self.days.items()}
        return json.dumps({"offset": self.offset, "days": days}, separators=(",", ":")).encode()


def _merger(data: bytes | None) -> Merger:
    plain: dict[str, Any] = json.loads(data) if data else {"offset": -1, "days": {}}
    return Merger(plain["offset"], {name: Day(*day) for name, day in plain["days"].items()})


def take_camera_day(
    rules: tuple[Rule, ...], codec: Codec, values: Mapping[str, bytes], camera_day: CameraDay, position: Position
) -> Outcome:
    """What a camera's day does to the reports."""
    merging = Merging(rules, codec, values)
    if position.offset > merging.merger.offset:
        merging.merger.offset = position.offset
        merging.take(camera_day)
    return merging.outcome


class Merging:
    """One camera-day's way into the reports."""

    def __init__(self, rules: tuple[Rule, ...], codec: Codec, values: Mapping[str, bytes]) -> None:
        self.merger = _merger(values.get(STATE))
        self.outcome = Outcome()
        self._rules, self._codec, self._values = rules, codec, values
        self._fresh: dict[str, CameraDay] = {}

    def take(self, camera_day: CameraDay) -> None:
        """Know one camera's day, and report what is due."""
        if camera_day.day < self.merger.forgotten:
            self.outcome.counts["forgotten_days"] += 1
            return
        day = self.merger.days.setdefault(camera_day.day, Day())
        if camera_day.revision > day.cameras.get(camera_day.camera_id, -1):
            day.cameras[camera_day.camera_id] = camera_day.revision
            self._keep(camera_day)
            self._report_due(camera_day)
        self._forget()
        self.outcome.writes[STATE] = self.merger.encoded()

    def _keep(self, camera_day: CameraDay) -> None:
        if camera_day.revision:
            key = _key(camera_day.day, camera_day.camera_id)
            self._fresh[key] = camera_day
            self.outcome.writes[key] = self._codec.encode(camera_day)

    def _report_due(self, news: CameraDay) -> None:
        for name, day in sorted(self.merger.days.items()):
            changed = name == news.day and news.revision > 0
            if (day.revision and changed) or (not day.revision and self._is_due(name, day)):
                self._report(name, day)

    def _is_due(self, name: str, day: Day) -> bool:
        if not day.handed_in:
            return False
        complete = len(day.handed_in) == len(day.cameras)
        return complete or any(later.handed_in for other, later in self.merger.days.items() if other > name)

    def _report(self, name: str, day: Day) -> None:
        day.revision += 1
        parts = [self._part(name, camera) for camera in day.handed_in]
        report = day_report(parts, day.revision, self._absent(name, day))
        self.outcome.outputs.append(report)
        alerts = [alert for alert in day_alerts(self._rules, report) if alert.alert_id not in day.alerts]
        self.outcome.outputs += alerts
        day.alerts += [alert.alert_id for alert in alerts]

    def _part(self, day: str, camera_id: str) -> CameraDay:
        key = _key(day, camera_id)
        return self._fresh[key] if key in self._fresh else self._codec.decode(self._values[key], CameraDay)

    def _absent(self, name: str, day: Day) -> tuple[str, ...]:
        before = self.merger.days.get(day_before(name), Day())
        return tuple(sorted(set(before.cameras) - set(day.cameras)))

    def _forget(self) -> None:
        for name in sorted(self.merger.days)[:-DAYS_KEPT]:
            cameras = self.merger.days.pop(name).handed_in
            self.outcome.writes.update(dict.fromkeys(_key(name, camera) for camera in cameras))


def day_report(parts: list[CameraDay], revision: int, absent: tuple[str, ...]) -> DayReport:
    """The report on a day, of its cameras sorted by name."""
    first = parts[0]
    versions: Iterator[str] = (version for part in parts for version in part.model_versions)
    return DayReport(
        day=first.day,
        timezone=first.timezone,
        revision=revision,
        starts_at=first.starts_at,
        ends_at=first.ends_at,
        scores=scores(added(part.tally for part in parts)),
        cameras=tuple(CameraScores(part.camera_id, scores(part.tally), part.drifts) for part in parts),
        absent=absent,
        model_versions=tuple(sorted(set(versions))),
    )


def _key(day: str, camera_id: str) -> str:
    return f"{day}:{camera_id}"
