"""One report a day from the camera-days of all cameras, however many monitors counted them, and the alerts about it.

    camera-days     a D r0   b D r0   a D r1          b D r1                    c D r1 (late)   a D r2 (late labels)
    alerts                      └► ─ findings ─► ─ ─ ─ ┤                          │               │
    reports                                            └► D revision 1            └► revision 2   └► revision 3

A camera announces its day when its first frame comes (revision 0), tells what it finds (revision 0 again), hands the day
in when it closes (revision 1), and again when late labels change it. Its device does the same. A day's report is due when
every camera that announced the day has handed it in, or when one of them has handed in a later day: nothing waits for
ever for a camera that fell silent. What comes after the report makes one more revision.

Camera-days come from many partitions, in an order that no replay repeats. So they wait until everything is known that
was logged up to some time, and are then merged in the order in which the records were logged that made them: each
report, each revision and each alert is the same whenever, and however fast, the stream is read.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple, Self

from monitor.alerting import AlertBook
from monitor.model_alerts import follow
from monitor.outcomes import Outcome, Position
from monitor.presence import Presence
from monitor.reporting import changes_between, day_report, headline
from monitor.rules import History, Rules, judge
from monitor.stillness import Look, Stillness
from monitor.trust import Trust
from monitor.windows import Calendar, day_before
from schemas.codec import Codec
from schemas.errors import DecodingError
from schemas.records import Alert, AlertAction, CameraDay, ModelEvent, Part
from schemas.times import from_us, to_us

STATE, MEMORY, OFFSETS = "merger", "memory", "offsets"
"Keys of its own values: what it knows, written when camera-days are merged; what reports said; how far it has read."
WAITING = "waiting:"
"Begins the keys of camera-days that were not merged yet."
DAYS_KEPT = 40
"Days that may still get a revision; older ones are forgotten."
REFERENCE_DAYS = 14
"Days before one that its signals and confidences are compared with."
DEVICE_PATIENCE = timedelta(hours=1)
"Event time that a report waits after its day's end for the devices, whose word may come half an hour apart."


class Waiting(NamedTuple):
    """A camera-day that was not merged yet; they are merged in this order."""

    logged_ms: int
    "When the record was logged that made it."
    seen_us: int
    "How far its camera had come, event time."
    day: str
    "The day."
    revision: int
    "0 for news."
    part: Part
    "Pictures or device."
    camera_id: str
    "The camera."

    @property
    def key(self) -> str:
        """Under which it waits: sorts as it is merged."""
        return f"{WAITING}{self.logged_ms:016d}:{self.seen_us:020d}:{self.day}:{self.revision:06d}:{self._who}"

    @property
    def merged_key(self) -> str:
        """Under which it is kept once it was merged."""
        return f"{self.day}:{self._who}:{self.revision}"

    @property
    def _who(self) -> str:
        return f"{self.part}:{self.camera_id}"

    @classmethod
    def of(cls, camera_day: CameraDay, logged_ms: int) -> Self:
        """Where a camera-day is to be merged."""
        seen_us = to_us(camera_day.seen_until) if camera_day.seen_until else -1
        return cls(logged_ms, seen_us, camera_day.day, camera_day.revision, camera_day.part, camera_day.camera_id)

    @classmethod
    def at(cls, key: str) -> Self:
        """Of a key under which one waits."""
        logged_ms, seen_us, day, revision, part, camera_id = key.removeprefix(WAITING).split(":", 5)
        return cls(int(logged_ms), int(seen_us), day, int(revision), part, camera_id)  # type: ignore[arg-type]


@dataclass(slots=True)
class Day:
    """What is known of one day."""

    cameras: dict[str, int] = field(default_factory=dict)
    "Each camera's newest revision; 0 while its day is open."
    devices: dict[str, int] = field(default_factory=dict)
    "Each device's."
    revision: int = 0
    "Of the newest report; 0 before the first."
    headline: dict[str, Any] = field(default_factory=dict)
    "What the newest report said, in a few figures: the next revision says what it changes."

    def of(self, part: Part) -> dict[str, int]:
        """The newest revisions of a part."""
        return self.cameras if part == "pictures" else self.devices

    @property
    def is_handed_in(self) -> bool:
        """Whether every camera has closed it."""
        return all(self.cameras.values())

    @property
    def closed(self) -> list[str]:
        """Cameras that have closed it, sorted."""
        return sorted(camera for camera, revision in self.cameras.items() if revision)


@dataclass(slots=True)
class Merger:
    """The merger's state."""

    days: dict[str, Day] = field(default_factory=dict)
    "By day."
    now_us: int = -1
    "How far the cameras have come, event time."
    book: AlertBook = field(default_factory=AlertBook)
    "Alerts that live."
    presence: Presence = field(default_factory=Presence)
    "Which cameras go on."

    @property
    def forgotten(self) -> str:
        """Days before this one get no more revisions."""
        return min(self.days) if len(self.days) >= DAYS_KEPT else ""

    @property
    def now(self) -> datetime:
        """How far the cameras have come."""
        return from_us(max(self.now_us, 0))

    def encoded(self) -> bytes:
        """As compact JSON."""
        plain = {
            "days": {name: [day.cameras, day.devices, day.revision, day.headline] for name, day in self.days.items()},
            "now_us": self.now_us,
            "book": self.book.snapshot(),
            "presence": self.presence.snapshot(),
        }
        return _json(plain)


def _merger(data: bytes | None) -> Merger:
    if not data:
        return Merger()
    plain: dict[str, Any] = json.loads(data)
    return Merger(
        days={name: Day(*day) for name, day in plain["days"].items()},
        now_us=plain["now_us"],
        book=AlertBook.restore(plain["book"]),
        presence=Presence.restore(plain["presence"]),
    )


@dataclass(slots=True)
class Memory:
    """What earlier reports said: large, and needed for a report alone."""

    history: History = field(default_factory=History)
    "As far as rules look back."
    trust: Trust = field(default_factory=Trust)
    "What labels have said of estimates, and of slices."

    def encoded(self) -> bytes:
        """As compact JSON."""
        return _json({"history": self.history.snapshot(), "trust": self.trust.snapshot()})


def _memory(data: bytes | None) -> Memory:
    if not data:
        return Memory()
    plain: dict[str, Any] = json.loads(data)
    return Memory(History.restore(plain["history"]), Trust.restore(plain["trust"]))


def _json(plain: object) -> bytes:
    return json.dumps(plain, separators=(",", ":")).encode()


@dataclass(slots=True)
class _Offsets:
    """How far the merger has read."""

    camera_days: int = -1
    "The last camera-day that was taken in."
    actions: int = -1
    "The last word on an alert that was taken in."
    newest_ms: int = -1
    "When the newest record was logged whose camera-day waits; -1 when none waits."
    models: int = -1
    "The last step in a model's life that was taken in."

    def encoded(self) -> bytes:
        return _json([self.camera_days, self.actions, self.newest_ms, self.models])


def _offsets(values: Mapping[str, bytes]) -> _Offsets:
    data = values.get(OFFSETS)
    return _Offsets(*json.loads(data)) if data else _Offsets()


def take_camera_day(values: Mapping[str, bytes], codec: Codec, camera_day: CameraDay, position: Position) -> Outcome:
    """Keep a camera's day, or news of it, until it can be merged."""
    offsets, outcome = _offsets(values), Outcome()
    if position.offset <= offsets.camera_days:
        return outcome
    offsets.camera_days = position.offset
    news = Waiting.of(camera_day, position.logged_ms)
    if news.merged_key not in values:
        offsets.newest_ms = max(offsets.newest_ms, news.logged_ms)
        outcome.writes[news.key] = codec.encode(camera_day)
    outcome.writes[OFFSETS] = offsets.encoded()
    return outcome


def take_action(values: Mapping[str, bytes], action: AlertAction, position: Position) -> Outcome:
    """What somebody says of an alert; raises DecodingError for what names nothing that could be silenced."""
    offsets, outcome = _offsets(values), Outcome()
    if position.offset <= offsets.actions:
        return outcome
    offsets.actions = position.offset
    merger = _merger(values.get(STATE))
    try:
        outcome.outputs += merger.book.act(action)
    except ValueError as error:
        raise DecodingError(str(error)) from error
    outcome.writes[STATE] = merger.encoded()
    outcome.writes[OFFSETS] = offsets.encoded()
    return outcome


def take_model_event(calendar: Calendar, values: Mapping[str, bytes], event: ModelEvent, position: Position) -> Outcome:
    """What a step in a model's life asks to be told."""
    offsets, outcome = _offsets(values), Outcome()
    if position.offset <= offsets.models:
        return outcome
    offsets.models = position.offset
    merger = _merger(values.get(STATE))
    follow(merger.book.apart, calendar, event)
    outcome.outputs += merger.book.due(event.at)
    outcome.writes[STATE] = merger.encoded()
    outcome.writes[OFFSETS] = offsets.encoded()
    return outcome


def take_look(stillness: Stillness, values: Mapping[str, bytes], at: datetime, newest: datetime | None) -> Outcome:
    """What follows from a look at the clock and at when the newest observations were logged.

    No record comes again after a kill to say it once more. So what a look finds is written, and told by the next one.
    """
    merger, outcome = _merger(values.get(STATE)), Outcome()
    outcome.outputs += merger.book.due(at)
    if stillness.take(Look(at, newest, merger.presence.going_on), merger.book.apart) or outcome.outputs:
        outcome.writes[STATE] = merger.encoded()
    return outcome


def waiting_until(values: Mapping[str, bytes]) -> int | None:
    """Up to when everything logged has to be known, so that all camera-days can be merged; None when none waits."""
    newest_ms = _offsets(values).newest_ms
    return None if newest_ms < 0 else newest_ms


def take_settled(rules: Rules, codec: Codec, values: Mapping[str, bytes], until_ms: int) -> Outcome:
    """Merge the camera-days up to a time; every record logged until then has been taken in by its monitor."""
    merging = Merging(rules, codec, values)
    merging.settle(until_ms)
    return merging.outcome


def _announces(camera_day: CameraDay) -> bool:
    """Whether more is to come of it: a clock that is told on the log's day is of no day that is handed in."""
    kinds = {finding.kind for finding in camera_day.findings}
    return camera_day.part == "pictures" or kinds != {"integrity"}


class Merging:
    """The camera-days' way into the reports and alerts."""

    def __init__(self, rules: Rules, codec: Codec, values: Mapping[str, bytes]) -> None:
        self.outcome = Outcome()
        self._merger, self._offsets = _merger(values.get(STATE)), _offsets(values)
        self._rules, self._codec, self._values = rules, codec, values
        self._memory: Memory | None = None
        self._merged: dict[str, CameraDay] = {}
        self._changed: set[str] = set()

    def settle(self, until_ms: int) -> None:
        """Merge what was logged until a time, together what was logged together, and report what is due each time."""
        waiting = sorted(Waiting.at(key) for key in self._values if key.startswith(WAITING))
        ready = [each for each in waiting if each.logged_ms <= until_ms]
        for _, together in groupby(ready, key=lambda each: each.logged_ms):
            self._merge(together)
            self._report_due()
            self._forget()
        if ready:
            self._keep(ready, waiting[len(ready) :])

    def _keep(self, ready: list[Waiting], left: list[Waiting]) -> None:
        """What is merged is deleted last: what a kill tears apart is merged again, and then changes nothing."""
        if self._memory:
            self.outcome.writes[MEMORY] = self._memory.encoded()
        self._offsets.newest_ms = max((each.logged_ms for each in left), default=-1)
        self.outcome.writes[STATE] = self._merger.encoded()
        self.outcome.writes.update(dict.fromkeys(each.key for each in ready))
        self.outcome.writes[OFFSETS] = self._offsets.encoded()

    def _merge(self, together: Iterable[Waiting]) -> None:
        self._changed = set()
        for each in together:
            if each.day < self._merger.forgotten:
                self.outcome.counts["forgotten_days"] += 1
            else:
                self._take(each, self._codec.decode(self._values[each.key], CameraDay))

    def _take(self, each: Waiting, camera_day: CameraDay) -> None:
        known = self._merger.days.setdefault(each.day, Day()).of(each.part)
        before = known.get(each.camera_id, -1)
        if each.revision <= before and before > 0:
            return  # sent again after a kill: news of a day that has closed since
        self._merger.now_us = max(self._merger.now_us, each.seen_us)
        for news in (camera_day, *self._merger.presence.see(camera_day, each.logged_ms)):
            self._tell(self._merger.book.take(news))
        if _announces(camera_day):
            known[each.camera_id] = each.revision
        if each.revision:
            self._put(each, before, camera_day)

    def _put(self, each: Waiting, before: int, camera_day: CameraDay) -> None:
        if before > 0:
            self.outcome.writes[each._replace(revision=before).merged_key] = None
        self.outcome.writes[each.merged_key] = self._values[each.key]
        self._merged[each.merged_key] = camera_day
        # A device's word on a day that was reported is no reason to report it anew.
        self._changed |= {each.day} if each.part == "pictures" else set()

    def _tell(self, alerts: Iterable[Alert]) -> None:
        self.outcome.outputs += alerts

    def _report_due(self) -> None:
        for name, day in sorted(self._merger.days.items()):
            if (day.revision and name in self._changed) or (not day.revision and self._is_due(name, day)):
                self._report(name, day)

    def _is_due(self, name: str, day: Day) -> bool:
        if not day.closed:
            return False
        if any(later.closed for other, later in self._merger.days.items() if other > name):
            return True
        return day.is_handed_in and (all(day.devices.values()) or self._waited_for_devices(name, day))

    def _waited_for_devices(self, name: str, day: Day) -> bool:
        ends_at = self._part(name, "pictures", day.closed[0], day.cameras[day.closed[0]]).ends_at
        return self._merger.now >= ends_at + DEVICE_PATIENCE

    def _report(self, name: str, day: Day) -> None:
        day.revision += 1
        self._memory = memory = self._memory or _memory(self._values.get(MEMORY))
        report = day_report(
            self._parts(name, day, "pictures"),
            self._parts(name, day, "device"),
            revision=day.revision,
            absent=self._absent(name, day),
            before=self._before(name),
            trust=memory.trust,
        )
        before, day.headline = day.headline, headline(report)
        report = replace(report, changes=changes_between(before, day.headline))
        alerts = self._merger.book.judge(report, judge(self._rules, report, memory.history))
        report = replace(report, alerts=self._merger.book.lines(name))
        self.outcome.outputs.append(report)
        self._tell(replace(alert, report=report) if alert.report else alert for alert in alerts)

    def _parts(self, name: str, day: Day, part: Part) -> list[CameraDay]:
        return [self._part(name, part, who, revision) for who, revision in sorted(day.of(part).items()) if revision]

    def _part(self, day: str, part: Part, camera_id: str, revision: int) -> CameraDay:
        key = Waiting(0, 0, day, revision, part, camera_id).merged_key
        if key not in self._merged:
            self._merged[key] = self._codec.decode(self._values[key], CameraDay)
        return self._merged[key]

    def _before(self, name: str) -> list[CameraDay]:
        """The camera-days of the days before, as far as they are a reference."""
        earlier = [other for other in sorted(self._merger.days) if other < name][-REFERENCE_DAYS:]
        return [part for other in earlier for part in self._parts(other, self._merger.days[other], "pictures")]

    def _absent(self, name: str, day: Day) -> tuple[str, ...]:
        before = self._merger.days.get(day_before(name), Day())
        return tuple(sorted(set(before.cameras) - set(day.cameras)))

    def _forget(self) -> None:
        for name in sorted(self._merger.days)[:-DAYS_KEPT]:
            self._merger.days.pop(name)
            self.outcome.writes.update(dict.fromkeys(self._kept_of(name)))

    def _kept_of(self, name: str) -> list[str]:
        return [key for key in (*self._values, *self.outcome.writes) if key.startswith(f"{name}:")]
