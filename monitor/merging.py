"""One report a day from the camera-days of all cameras, however many monitors counted them.

    camera-days     a D r0   b D r0   a D r1          b D r1                    c D r1 (late)
    reports                                            └► D revision 1           └► D revision 2

A camera announces its day when its first frame comes (revision 0) and hands it in when it closes (revision 1 and on).
A day's report is due when every camera that announced the day has handed it in, or when one of them has handed in a
later day: nothing waits for ever for a camera that fell silent. What comes after the report makes one more revision.

Camera-days come from many partitions, in an order that no replay repeats. So they wait until everything is known that
was logged up to some time, and are then merged in the order in which the records were logged that made them: each
report and each revision is the same whenever, and however fast, the stream is read.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple

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


class Waiting(NamedTuple):
    """A camera-day that was not merged yet; they are merged in this order."""

    logged_ms: int
    "When the record was logged that made it."
    day: str
    "The day."
    revision: int
    "0 for an announcement."
    camera_id: str
    "The camera."


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
    waiting: list[Waiting] = field(default_factory=list)
    "In no order."

    @property
    def forgotten(self) -> str:
        """Days before this one get no more revisions."""
        return min(self.days) if len(self.days) >= DAYS_KEPT else ""

    def encoded(self) -> bytes:
        """As compact JSON."""
        days = {name: [day.cameras, day.revision, day.alerts] for name, day in self.days.items()}
        plain = {"offset": self.offset, "days": days, "waiting": self.waiting}
        return json.dumps(plain, separators=(",", ":")).encode()


def _merger(data: bytes | None) -> Merger:
    plain: dict[str, Any] = json.loads(data) if data else {"offset": -1, "days": {}}
    days = {name: Day(*day) for name, day in plain["days"].items()}
    return Merger(plain["offset"], days, [Waiting(*waiting) for waiting in plain.get("waiting", [])])


def take_camera_day(values: Mapping[str, bytes], codec: Codec, camera_day: CameraDay, position: Position) -> Outcome:
    """Keep a camera's day until it can be merged."""
    merger, outcome = _merger(values.get(STATE)), Outcome()
    if position.offset <= merger.offset:
        return outcome
    merger.offset = position.offset
    news = Waiting(position.logged_ms, camera_day.day, camera_day.revision, camera_day.camera_id)
    if news.day < merger.forgotten:
        outcome.counts["forgotten_days"] += 1
    elif not _is_known(merger, news):
        merger.waiting.append(news)
        if news.revision:
            outcome.writes[_key(news)] = codec.encode(camera_day)
    outcome.writes[STATE] = merger.encoded()
    return outcome


def _is_known(merger: Merger, news: Waiting) -> bool:
    merged = merger.days.get(news.day, Day()).cameras.get(news.camera_id, -1)
    return news.revision <= merged or any(news[1:] == waiting[1:] for waiting in merger.waiting)


def waiting_until(values: Mapping[str, bytes]) -> int | None:
    """Up to when everything logged has to be known, so that all camera-days can be merged; None when none waits."""
    return max((waiting.logged_ms for waiting in _merger(values.get(STATE)).waiting), default=None)


def take_settled(rules: tuple[Rule, ...], codec: Codec, values: Mapping[str, bytes], until_ms: int) -> Outcome:
    """Merge the camera-days up to a time; every record logged until then has been taken in by its monitor."""
    merging = Merging(rules, codec, values)
    merging.settle(until_ms)
    return merging.outcome


class Merging:
    """The camera-days' way into the reports."""

    def __init__(self, rules: tuple[Rule, ...], codec: Codec, values: Mapping[str, bytes]) -> None:
        self.outcome = Outcome()
        self._merger = _merger(values.get(STATE))
        self._rules, self._codec, self._values = rules, codec, values
        self._changed: set[str] = set()

    def settle(self, until_ms: int) -> None:
        """Merge what was logged until a time, together what was logged together, and report what is due each time."""
        ready = sorted(waiting for waiting in self._merger.waiting if waiting.logged_ms <= until_ms)
        self._merger.waiting = [waiting for waiting in self._merger.waiting if waiting.logged_ms > until_ms]
        for _, together in groupby(ready, key=lambda waiting: waiting.logged_ms):
            self._merge(together)
            self._report_due()
            self._forget()
        if ready:
            self.outcome.writes[STATE] = self._merger.encoded()

    def _merge(self, together: Iterable[Waiting]) -> None:
        self._changed = set()
        for news in together:
            if news.day < self._merger.forgotten:
                self.outcome.counts["forgotten_days"] += 1
                continue
            day = self._merger.days.setdefault(news.day, Day())
            if news.revision > day.cameras.get(news.camera_id, -1):
                day.cameras[news.camera_id] = news.revision
                self._changed |= {news.day} if news.revision else set()

    def _report_due(self) -> None:
        for name, day in sorted(self._merger.days.items()):
            if (day.revision and name in self._changed) or (not day.revision and self._is_due(name, day)):
                self._report(name, day)

    def _is_due(self, name: str, day: Day) -> bool:
        if not day.handed_in:
            return False
        complete = len(day.handed_in) == len(day.cameras)
        return complete or any(later.handed_in for other, later in self._merger.days.items() if other > name)

    def _report(self, name: str, day: Day) -> None:
        day.revision += 1
        parts = [self._part(name, camera, day.cameras[camera]) for camera in day.handed_in]
        report = day_report(parts, day.revision, self._absent(name, day))
        self.outcome.outputs.append(report)
        alerts = [alert for alert in day_alerts(self._rules, report) if alert.alert_id not in day.alerts]
        self.outcome.outputs += alerts
        day.alerts += [alert.alert_id for alert in alerts]

    def _part(self, day: str, camera_id: str, revision: int) -> CameraDay:
        key = _key(Waiting(0, day, revision, camera_id))
        # Merged before revisions were kept apart: under the day and the camera alone.
        return self._codec.decode(self._values.get(key) or self._values[f"{day}:{camera_id}"], CameraDay)

    def _absent(self, name: str, day: Day) -> tuple[str, ...]:
        before = self._merger.days.get(day_before(name), Day())
        return tuple(sorted(set(before.cameras) - set(day.cameras)))

    def _forget(self) -> None:
        for name in sorted(self._merger.days)[:-DAYS_KEPT]:
            self._merger.days.pop(name)
            self.outcome.writes.update(dict.fromkeys(key for key in self._values if key.startswith(f"{name}:")))


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


def _key(waiting: Waiting) -> str:
    return f"{waiting.day}:{waiting.camera_id}:{waiting.revision}"
