"""A camera's device: what its telemetry says of it, record by record, and its days.

    telemetry ─► Device: sums of the open days, what is usual, troubles ─► CameraDay(part="device")
                                                                              revision 0: news, while the day is open
                                                                              revision 1: the day, when it closes

A day closes by the device's own time: when its newest measurement is past the day's end and the lateness, or when its
source has ended. A record at or before the last offset was taken in already and changes nothing.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from monitor.cameras import Policy
from monitor.findings import finding_of, lasting_after, noted, on_day, plain_finding
from monitor.folding import Outcome, Position
from monitor.integrity import DAY, DAY_US, HOUR, HOUR_US, MINUTE, SECOND_US, Check, Hourly, Pace, Sign, Trouble, Verdict
from monitor.windows import span_us
from schemas.records import CameraDay, DeviceDay, Finding, SensorDay, Tally, Telemetry
from schemas.times import from_ms, from_us, to_us

SUFFIX = ":device"
"Ends the keys of devices in the table of cameras, whose ids hold no colon."
NEWS_EVERY: Final = span_us(30 * MINUTE)
"Event time between two pieces of news at most, while records come."

TEMPERATURE, PRESSURE, FIELD = "temperature_c", "pressure_hpa", "magnetometer_ut"
"The sensors."


# Troubles

# Three records in a row, because a single one may be a hiccup of the bus that the sensor hangs on. A week, because a
# device that was given a place in the sun is warmer for good.
WARMTH = Check("temperature", "records", needed=3, relief=3, adopted=7 * DAY, kind="device")
# A jump is seen once, in the median of three records; an hour after the last one it is over.
AIR = Check("pressure", "records", quiet=HOUR, kind="device")
# Lorries pass and park: half an hour. After a day it is where somebody has mounted the device.
IRON = Check("magnetometer", "records", needed=3, span=30 * MINUTE, relief=3, adopted=DAY, kind="device")
STUCK = Check("stuck", "records", kind="device")
RECONNECTS = Check("reconnects", "records", kind="device")
DROPS = Check("drops", "records", kind="device")
# A source that is opened anew within two minutes was hardly away.
SILENT = Check("silent", "records", needed=2, span=2 * MINUTE, kind="device")

COLDEST_C, HOTTEST_C, INSIDE_C = -30.0, 75.0, 5.0
"What electronics for outdoors are made for; and how far inside of it they are well again."
OFF_K, OFF_AGAIN_K = 15.0, 10.0
"Away from the usual of the hour. Weather moves a day by some kelvins; a fan that stops, by tens."
CHANGE_K, CHANGE_AGAIN_K, CHANGE_US = 10.0, 6.0, span_us(30 * MINUTE)
"Within half an hour: a housing follows the sun more slowly."
REACH_OF_DAY = 6.0
"Kelvins that a day may count for; see Hourly."

LOWEST_HPA, HIGHEST_HPA = 870.0, 1085.0
"The extremes that were ever measured at sea level (870 in a typhoon, 1979; 1085 in Mongolia, 2001)."
JUMP_HPA, JUMP_US = 4.0, HOUR_US
"Between two records that are no further apart: a housing that is opened, or one that was tight."
FALL_HPA, FALL_AGAIN_HPA, FALL_US = 12.0, 8.0, 6 * HOUR_US
"Within six hours: twice of what deepens a storm explosively (24 hPa a day; Sanders and Gyakum, 1980)."

STRONGEST_UT = 1000.0
"The earth's field has 25 to 65; the usual sensors measure to some thousands."
TURNED_UT, TURNED_AGAIN_UT = 30.0, 20.0
"Away from the usual field: a device that was turned by 40° in 45 µT, or iron beside it. A lorry makes 15 in passing."
STEP_UT, STEP_US = 0.05, span_us(MINUTE)
"What the usual field follows a measurement by, once in so long: the magnet drifts slowly, and lorries leave no trace."

STUCK_RUN, STUCK_TIMES = 12, 3
"Equal values in a row, and so many times the longest run that the sensor had before."
KNOWN = 20
"Changes of a sensor's value that show that it works."
MISSED = 3
"Records in a row without a sensor that was there."

RECONNECTS_AN_HOUR = 3
DROPPED, DROPPED_AGAIN, DROPPED_LEAST = 0.05, 0.025, 20
"Share of an hour's pictures or frames; and how many of them at least."
OF_PICTURES: Final = frozenset({"overrun", "unreadable"})
"Reasons for which pictures are dropped; for others frames are."
PAUSES = 3
"Long ones in a row that are no silence, but another pace."


@dataclass(slots=True)
class Counters:
    """What a process has counted; or by how much it has counted on."""

    pictures: int = 0
    frames: int = 0
    reconnects: int = 0
    dropped: dict[str, int] = field(default_factory=dict)

    def since(self, before: "Counters") -> "Counters":
        """What was counted since then; one that has fallen began anew with its process, and the others with it."""
        if self._fell(before):
            return self
        return Counters(
            self.pictures - before.pictures,
            self.frames - before.frames,
            self.reconnects - before.reconnects,
            {reason: n - before.dropped.get(reason, 0) for reason, n in self.dropped.items()},
        )

    def _fell(self, before: "Counters") -> bool:
        own, other = ([each.pictures, each.frames, each.reconnects] for each in (self, before))
        fell = any(now < then for now, then in zip(own, other, strict=True))
        return fell or any(self.dropped.get(reason, 0) < n for reason, n in before.dropped.items())

    def add(self, more: "Counters") -> None:
        """Count on."""
        self.pictures += more.pictures
        self.frames += more.frames
        self.reconnects += more.reconnects
        for reason, n in more.dropped.items():
            self.dropped[reason] = self.dropped.get(reason, 0) + n

    def snapshot(self) -> list[Any]:
        """As plain JSON."""
        return [self.pictures, self.frames, self.reconnects, self.dropped]


def _counters(telemetry: Telemetry) -> Counters:
    return Counters(telemetry.pictures, telemetry.frames, telemetry.reconnects, dict(telemetry.dropped))


@dataclass(slots=True)
class Recent:
    """The counts of the last hour, in slots of five minutes."""

    SLOT = 300 * SECOND_US
    slots: list[tuple[int, Counters]] = field(default_factory=list)

    def add(self, at_us: int, counted: Counters) -> None:
        """Count something in, and forget what is older."""
        slot = at_us // self.SLOT
        self.slots = [(when, counts) for when, counts in self.slots if when > slot - HOUR_US // self.SLOT]
        if not self.slots or self.slots[-1][0] != slot:
            self.slots.append((slot, Counters()))
        self.slots[-1][1].add(counted)

    def total(self) -> Counters:
        """All of it."""
        total = Counters()
        for _, counts in self.slots:
            total.add(counts)
        return total

    def snapshot(self) -> list[Any]:
        """As plain JSON."""
        return [[slot, *counts.snapshot()] for slot, counts in self.slots]

    @classmethod
    def restore(cls, plain: list[Any]) -> Self:
        """Continue from a snapshot."""
        return cls([(slot, Counters(*counts)) for slot, *counts in plain])


@dataclass(slots=True)
class Trail:
    """Some of a sensor's last values, each the median of three, so that a hiccup leaves no trace."""

    apart_us: int
    "Between two that are kept."
    length_us: int
    "How far back they reach."
    newest_us: int = -1
    "When the last value came."
    last: list[float] = field(default_factory=list)
    "The last three values, none before a pause of an hour."
    values: list[tuple[int, float]] = field(default_factory=list)
    "When, and what."

    @property
    def level(self) -> float:
        """The median of the last values."""
        return sorted(self.last)[len(self.last) // 2]

    def change(self, at_us: int, value: float) -> float:
        """Take a value; how far the level is from the one that differs most from it."""
        self.last = [*self.last[-2:], value] if at_us - self.newest_us <= HOUR_US else [value]
        self.newest_us = at_us
        self.values = [(when, known) for when, known in self.values if when >= at_us - self.length_us]
        change = max((self.level - known for _, known in self.values), key=abs, default=0.0)
        if not self.values or at_us - self.values[-1][0] >= self.apart_us:
            self.values.append((at_us, self.level))
        return change

    def snapshot(self) -> list[Any]:
        """As plain JSON."""
        return [self.newest_us, self.last, [[*value] for value in self.values]]

    def take_up(self, plain: list[Any]) -> None:
        """Continue from a snapshot."""
        self.newest_us, self.last, values = plain
        self.values = [(when, value) for when, value in values]


@dataclass(slots=True)
class Run:
    """A sensor's value and how often it has come in a row."""

    value: float | list[float]
    since_us: int
    "When it came first."
    length: int = 1
    "Records in a row."
    longest: int = 0
    "The longest run before, of those that were no fault."
    changes: int = 0
    "How often the value has changed."
    missed: int = 0
    "Records since then without the sensor."

    @property
    def is_stuck(self) -> bool:
        """Whether it has come so often as it never did before."""
        return self.changes >= KNOWN and self.length >= max(STUCK_RUN, STUCK_TIMES * self.longest)

    def take(self, at_us: int, value: float | list[float]) -> None:
        """Take the next value."""
        self.missed = 0
        if value == self.value:
            self.length += 1
            return
        self.longest = self.longest if self.is_stuck else max(self.longest, self.length)
        self.value, self.since_us, self.length = value, at_us, 1
        self.changes += 1

    def snapshot(self) -> list[Any]:
        """As plain JSON."""
        return [self.value, self.since_us, self.length, self.longest, self.changes, self.missed]


class Health:
    """What is usual of a device, and what is wrong with it."""

    def __init__(self) -> None:
        self.first_us = self.newest_us = -1
        self._state, self._pauses = "running", 0
        self._counters: Counters | None = None
        self._pace, self._hourly, self._recent = Pace(), Hourly(REACH_OF_DAY), Recent()
        self._warmth = Trail(span_us(5 * MINUTE), CHANGE_US)
        self._air = Trail(span_us(30 * MINUTE), FALL_US)
        self._last_air: list[Any] = [-1, 0.0]
        self._field: list[float] = []
        self._field_us = -1
        self._runs: dict[str, Run] = {}
        self._troubles = {check.signal: Trouble(check) for check, _ in JUDGES}
        self._news: list[Trouble] = []

    def count(self, telemetry: Telemetry) -> Counters:
        """What the device's process has counted since the record before.

        A process that was never seen counts from its first picture; what it did before is not known to be of this day.
        """
        now, before = _counters(telemetry), self._counters
        self._counters = now
        if before is None:
            return now if now.pictures <= 1 else Counters()
        return now.since(before)

    def see(self, telemetry: Telemetry, counted: Counters) -> list[Finding]:
        """Take a record that is newer than all before; what begins with it, and what is over."""
        at_us = to_us(telemetry.measured_at)
        self._pause(at_us, telemetry)
        if at_us - self.newest_us <= HOUR_US:
            self._recent.add(at_us, counted)
        for sensor, value in _sensed(telemetry):
            self._run(sensor, at_us, value)
        for check, judge in JUDGES:
            self._tell(check, at_us, judge(self, at_us, telemetry))
        self._adopt(at_us, telemetry)
        self._learn(at_us, telemetry)
        self.newest_us, self._state = at_us, telemetry.state
        news, self._news = self._news, []
        return [trouble.finding(telemetry.camera_id) for trouble in news]

    def _tell(self, check: Check, at_us: int, verdict: Verdict) -> None:
        trouble = self._troubles[check.signal]
        if trouble.take(at_us, verdict):
            self._news.append(trouble)

    def _pause(self, at_us: int, telemetry: Telemetry) -> None:
        """Look at the time since the last record: of a source that had ended, none was expected."""
        if self.newest_us < 0:
            self.first_us = self._pace.since_us = at_us
            return
        pause_us, silent = at_us - self.newest_us, self._troubles[SILENT.signal]
        is_long = self._pace.is_stall(pause_us, at_us)
        self._pauses = self._pauses + 1 if is_long else 0
        if self._pauses == PAUSES:
            self._pace = Pace(at_us)
        elif is_long and self._state == "running" and not silent.lasts:
            silent.passed(self.newest_us, at_us, self._silence(pause_us))
            self._news.append(silent)
        if not is_long:
            self._pace.learn(pause_us)

    def _silence(self, pause_us: int) -> Sign:
        usual, pause = self._pace.usual_s(0.5), pause_us / SECOND_US
        return Sign(usual, round(pause, 1), f"the device said nothing for {pause / 60:.0f} min")

    def _run(self, sensor: str, at_us: int, value: float | list[float] | None) -> None:
        run = self._runs.get(sensor)
        if run and value is None:
            run.missed += 1
        elif run and value is not None:
            run.take(at_us, value)
        elif value is not None:
            self._runs[sensor] = Run(value, at_us)

    # Judges

    def temperature(self, at_us: int, telemetry: Telemetry) -> Verdict:
        """Whether the device is as warm as it may be, as it usually is, and as it just was."""
        now = telemetry.temperature_c
        if now is None:
            return self._missed(TEMPERATURE, "temperature")
        known, change = self._hourly.at(at_us), self._warmth.change(at_us, now)
        usual = now if known is None else round(known[0], 1)
        if not COLDEST_C <= now <= HOTTEST_C:
            limit = HOTTEST_C if now > HOTTEST_C else COLDEST_C
            return Sign(limit, now, f"outside {COLDEST_C:.0f} to {HOTTEST_C:.0f} °C")
        if abs(now - usual) > OFF_K:
            return Sign(usual, now, f"{abs(now - usual):.0f} K {_than(now, usual)} than usual at this hour")
        if abs(change) > CHANGE_K:
            return Sign(round(self._warmth.level - change, 2), now, f"{abs(change):.0f} K within half an hour")
        is_inside = COLDEST_C + INSIDE_C <= now <= HOTTEST_C - INSIDE_C
        return _sound(is_inside and abs(now - usual) < OFF_AGAIN_K and abs(change) < CHANGE_AGAIN_K)

    def pressure(self, at_us: int, telemetry: Telemetry) -> Verdict:
        """Whether the air's pressure is one of this earth, and moves as weather does."""
        if telemetry.pressure_hpa is None:
            return self._missed(PRESSURE, "pressure")
        change, (last_us, last) = self._air.change(at_us, telemetry.pressure_hpa), self._last_air
        now = self._air.level
        self._last_air = [at_us, now]
        if not LOWEST_HPA <= now <= HIGHEST_HPA:
            limit = HIGHEST_HPA if now > HIGHEST_HPA else LOWEST_HPA
            return Sign(limit, now, f"outside {LOWEST_HPA:.0f} to {HIGHEST_HPA:.0f} hPa")
        if last_us >= 0 and at_us - last_us <= JUMP_US and abs(now - last) > JUMP_HPA:
            note = f"a jump by {abs(now - last):.1f} hPa from one record to the next: was the housing opened?"
            return Sign(last, now, note, since_us=last_us)
        if abs(change) > FALL_HPA:
            return Sign(round(now - change, 2), now, f"{abs(change):.0f} hPa within six hours: is the housing tight?")
        return _sound(abs(change) < FALL_AGAIN_HPA)

    def magnetometer(self, _: int, telemetry: Telemetry) -> Verdict:
        """Whether the magnetic field is as usual."""
        now, usual = telemetry.magnetometer_ut, self._field
        if not now:
            return self._missed(FIELD, "magnetometer")
        strength, before = round(math.hypot(*now), 2), round(math.hypot(*usual), 2)
        if strength > STRONGEST_UT:
            return Sign(STRONGEST_UT, strength, "no field of this earth: a magnet, or a broken sensor")
        if len(usual) != len(now):
            return "unclear"
        off = math.dist(now, usual)
        if off > TURNED_UT:
            note = f"the field is {off:.0f} µT off the usual one: iron is near, or the device was turned and its camera with it"
            return Sign(before, strength, note)
        return _sound(off < TURNED_AGAIN_UT)

    def _missed(self, sensor: str, name: str) -> Verdict:
        run = self._runs.get(sensor)
        if run is None or run.changes < KNOWN or run.missed < MISSED:
            return "unclear"
        last = round(_level(run.value), 2)
        return Sign(last, last, f"the {name} sensor says nothing any more")

    def stuck(self, at_us: int, _: Telemetry) -> Verdict:
        """Whether a sensor repeats itself as it never did. Nobody knows on the first day, which may be a calm one."""
        stuck = {sensor: run for sensor, run in sorted(self._runs.items()) if run.is_stuck}
        if not stuck or at_us - self.first_us < DAY_US:
            return "sound"
        note = ", ".join(f"{sensor} gave the same value {run.length} times in a row" for sensor, run in stuck.items())
        longest = max(stuck.values(), key=lambda run: run.length)
        return Sign(longest.longest, longest.length, note, None, longest.since_us, longest.length)

    def reconnects(self, _: int, __: Telemetry) -> Verdict:
        """Whether the source is lost again and again."""
        times = self._recent.total().reconnects
        if times >= RECONNECTS_AN_HOUR:
            return Sign(0.0, times, f"the source was opened again {times} times within an hour")
        return _sound(times == 0)

    def drops(self, _: int, __: Telemetry) -> Verdict:
        """Whether much is dropped, for one reason."""
        total = self._recent.total()
        shares = {reason: _share(total, reason) for reason in sorted(total.dropped)}
        reason, share = max(shares.items(), key=lambda item: item[1], default=("", 0.0))
        if share > DROPPED:
            what = "pictures" if reason in OF_PICTURES else "frames"
            note = f"{total.dropped[reason]} {what} were dropped within an hour, {share:.0%} of them: {reason}"
            return Sign(DROPPED, round(share, 4), note)
        return _sound(share < DROPPED_AGAIN)

    def silent(self, at_us: int, telemetry: Telemetry) -> Verdict:
        """Whether the source gives nothing, by the device's own word."""
        if telemetry.state != "stalled":
            return "sound"
        trouble = self._troubles[SILENT.signal]
        lost_s = (at_us - trouble.since_us) / SECOND_US if trouble.run else 0.0
        return Sign(0.0, round(lost_s, 1), "the source gives no pictures; the device opens it again and again")

    # What is usual

    def _adopt(self, at_us: int, telemetry: Telemetry) -> None:
        """Take what has lasted long enough for usual, where it can be."""
        warmth, field_ = telemetry.temperature_c, telemetry.magnetometer_ut
        if warmth is not None and COLDEST_C <= warmth <= HOTTEST_C and self._is_outlasted(WARMTH, at_us):
            self._hourly = Hourly(REACH_OF_DAY)
        if field_ and math.hypot(*field_) <= STRONGEST_UT and self._is_outlasted(IRON, at_us):
            self._field = [*field_]

    def _is_outlasted(self, check: Check, at_us: int) -> bool:
        trouble = self._troubles[check.signal]
        if not trouble.is_outlasted(at_us):
            return False
        trouble.end(at_us, "; taken for usual from now on")
        self._news.append(trouble)
        return True

    def _learn(self, at_us: int, telemetry: Telemetry) -> None:
        warmth, field_ = telemetry.temperature_c, telemetry.magnetometer_ut
        if warmth is not None and not self._troubles[WARMTH.signal].run:
            self._hourly.learn(at_us, warmth)
        if field_ and len(field_) != len(self._field):
            self._field = [*field_]
        elif field_ and not self._troubles[IRON.signal].run and at_us - self._field_us >= STEP_US:
            self._field = [round(known + _step(now - known), 3) for known, now in zip(self._field, field_, strict=True)]
            self._field_us = at_us

    # State

    def snapshot(self) -> dict[str, Any]:
        """The whole state, as JSON."""
        troubles = {signal: plain for signal, trouble in self._troubles.items() if (plain := trouble.snapshot())}
        return {
            "times": [self.first_us, self.newest_us, self._state, self._pauses],
            "counters": self._counters and self._counters.snapshot(),
            "pace": self._pace.snapshot(),
            "hourly": self._hourly.snapshot(),
            "recent": self._recent.snapshot(),
            "warmth": self._warmth.snapshot(),
            "air": self._air.snapshot(),
            "last_air": self._last_air,
            "field": [self._field, self._field_us],
            "runs": {sensor: run.snapshot() for sensor, run in self._runs.items()},
            "troubles": troubles,
        }

    @classmethod
    def restore(cls, plain: Mapping[str, Any]) -> Self:
        """Continue from a snapshot."""
        known = cls()
        known.first_us, known.newest_us, known._state, known._pauses = plain["times"]
        known._counters = Counters(*plain["counters"]) if plain["counters"] else None
        known._pace, known._hourly = Pace.restore(plain["pace"]), Hourly.restore(REACH_OF_DAY, plain["hourly"])
        known._recent = Recent.restore(plain["recent"])
        known._warmth.take_up(plain["warmth"])
        known._air.take_up(plain["air"])
        known._last_air, (known._field, known._field_us) = plain["last_air"], plain["field"]
        known._runs = {sensor: Run(*run) for sensor, run in plain["runs"].items()}
        for check, _ in JUDGES:
            known._troubles[check.signal] = Trouble.restore(check, plain["troubles"].get(check.signal))
        return known


JUDGES: Final[tuple[tuple[Check, Callable[[Health, int, Telemetry], Verdict]], ...]] = (
    (WARMTH, Health.temperature),
    (AIR, Health.pressure),
    (IRON, Health.magnetometer),
    (STUCK, Health.stuck),
    (RECONNECTS, Health.reconnects),
    (DROPS, Health.drops),
    (SILENT, Health.silent),
)
"What is asked of each record."


def _sound(is_sound: bool) -> Verdict:
    return "sound" if is_sound else "unclear"


def _than(now: float, usual: float) -> str:
    return "warmer" if now > usual else "colder"


def _step(off: float) -> float:
    return min(max(off, -STEP_UT), STEP_UT)


def _share(counts: Counters, reason: str) -> float:
    n = counts.dropped[reason]
    kept = counts.pictures if reason in OF_PICTURES else counts.frames
    return n / (kept + n) if n >= DROPPED_LEAST else 0.0


def _sensed(telemetry: Telemetry) -> Iterator[tuple[str, float | list[float] | None]]:
    """What each sensor says; None where it says nothing."""
    yield TEMPERATURE, telemetry.temperature_c
    yield PRESSURE, telemetry.pressure_hpa
    yield FIELD, [*telemetry.magnetometer_ut] or None


def _level(value: float | list[float]) -> float:
    """A measurement, or the length of a vector."""
    return math.hypot(*value) if isinstance(value, list) else value


# Days


@dataclass(slots=True)
class OpenDay:
    """A day that was not handed in yet."""

    records: int = 0
    "Telemetry records."
    states: dict[str, int] = field(default_factory=dict)
    "By state."
    sensors: dict[str, list[float]] = field(default_factory=dict)
    "By sensor: how many, their sum, the lowest and the highest."
    counters: Counters = field(default_factory=Counters)
    "What the process has counted."

    def add(self, telemetry: Telemetry) -> None:
        """Count a record in."""
        self.records += 1
        self.states[telemetry.state] = self.states.get(telemetry.state, 0) + 1
        for sensor, value in _sensed(telemetry):
            if value is not None:
                self._measure(sensor, _level(value))

    def _measure(self, sensor: str, value: float) -> None:
        count, total, low, high = self.sensors.get(sensor, (0, 0.0, value, value))
        self.sensors[sensor] = [count + 1, total + value, min(low, value), max(high, value)]

    def device_day(self) -> DeviceDay:
        """As it is handed in."""
        return DeviceDay(
            records=self.records,
            sensors=tuple(SensorDay(name, int(n), *sums) for name, (n, *sums) in sorted(self.sensors.items())),
            states=dict(sorted(self.states.items())),
            pictures=self.counters.pictures,
            frames=self.counters.frames,
            dropped={reason: n for reason, n in sorted(self.counters.dropped.items()) if n},
            reconnects=self.counters.reconnects,
        )

    def snapshot(self) -> list[Any]:
        """As plain JSON."""
        return [self.records, self.states, self.sensors, self.counters.snapshot()]

    @classmethod
    def restore(cls, plain: list[Any]) -> Self:
        """Continue from a snapshot."""
        records, states, sensors, counters = plain
        return cls(records, states, sensors, Counters(*counters))


@dataclass(slots=True)
class Device:
    """One camera's device."""

    camera_id: str
    "The camera."
    offsets: dict[str, int] = field(default_factory=dict)
    "The last record that was taken in, by topic."
    logged_ms: int = -1
    "When the newest record was logged."
    watermark_us: int = -1
    "The newest measurement's time."
    told_us: int = -1
    "Event time of the last news."
    ended: bool = False
    "Whether the source has ended, and nothing more will come."
    closed_through: str = ""
    "The newest closed day; empty before the first."
    days: dict[str, OpenDay] = field(default_factory=dict)
    "Open days."
    lasting: list[Finding] = field(default_factory=list)
    "Findings that last, and those that were over on a day that is open."
    health: Health = field(default_factory=Health)
    "What is usual, and what is wrong."

    @property
    def key(self) -> str:
        """Its key in the table."""
        return self.camera_id + SUFFIX

    def encoded(self) -> bytes:
        """As compact JSON."""
        plain = {
            "camera_id": self.camera_id,
            "offsets": self.offsets,
            "logged_ms": self.logged_ms,
            "watermark_us": self.watermark_us,
            "told_us": self.told_us,
            "ended": self.ended,
            "closed_through": self.closed_through,
            "days": {name: day.snapshot() for name, day in self.days.items()},
            "lasting": [plain_finding(finding) for finding in self.lasting],
            "health": self.health.snapshot(),
        }
        return json.dumps(plain, separators=(",", ":")).encode()


def decoded(data: bytes) -> Device:
    """A device from its bytes."""
    plain = json.loads(data)
    plain["days"] = {name: OpenDay.restore(day) for name, day in plain["days"].items()}
    plain["lasting"] = [finding_of(each) for each in plain["lasting"]]
    plain["health"] = Health.restore(plain["health"])
    return Device(**plain)


def take_telemetry(policy: Policy, values: Mapping[str, bytes], telemetry: Telemetry, position: Position) -> Outcome:
    """What a device's word on itself does to it."""
    data = values.get(telemetry.camera_id + SUFFIX)
    device = decoded(data) if data else Device(telemetry.camera_id)
    fold = DeviceFold(policy, device, Outcome(), position.logged_ms)
    if position.offset > device.offsets.get(position.topic, -1):
        device.offsets[position.topic] = position.offset
        device.logged_ms = max(device.logged_ms, position.logged_ms)
        fold.take(telemetry)
        fold.out.writes[device.key] = device.encoded()
    return fold.out


def finish_devices(policy: Policy, values: Mapping[str, bytes]) -> Outcome:
    """Nothing more will come of any device: close the open days."""
    out = Outcome()
    for key in sorted(key for key in values if key.endswith(SUFFIX)):
        device = decoded(values[key])
        DeviceFold(policy, device, out, device.logged_ms + 1).finish()
        out.writes[key] = device.encoded()
    return out


class DeviceFold:
    """One record's way into one device."""

    def __init__(self, policy: Policy, device: Device, out: Outcome, logged_ms: int) -> None:
        """`logged_ms` is when the record was logged."""
        self.out = out
        self._policy, self._calendar, self._device, self._logged_ms = policy, policy.calendar, device, logged_ms

    def take(self, telemetry: Telemetry) -> None:
        """Take a record in."""
        name = self._calendar.day_of(telemetry.measured_at)
        if fault := _fault(telemetry):
            self._refuse("refused_telemetry", f"telemetry of {telemetry.camera_id} says {fault}")
        elif telemetry.measured_at > from_ms(self._logged_ms) + self._policy.max_skew:
            self._refuse("future_telemetry", self._ahead(telemetry))
        elif self._is_late(name):
            self.out.counts["late_telemetry"] += 1
        else:
            self._keep(name, telemetry)
            self._close_days()

    def finish(self) -> None:
        """Nothing more will come."""
        self._device.ended = self._device.watermark_us >= 0
        self._close_days()

    def _refuse(self, count: str, fault: str) -> None:
        self.out.counts[count] += 1
        self.out.faults.append(fault)

    def _ahead(self, telemetry: Telemetry) -> str:
        return (
            f"telemetry of {telemetry.camera_id} was measured at {telemetry.measured_at.isoformat()}, ahead of when it"
            f" was logged ({from_ms(self._logged_ms).isoformat()}) by more than monitor.max_skew"
            f" ({self._policy.max_skew}); set the device's clock"
        )

    def _is_late(self, name: str) -> bool:
        device = self._device
        return name <= device.closed_through or self._policy.is_due(name, device.watermark_us, ended=False)

    def _keep(self, name: str, telemetry: Telemetry) -> None:
        device, at_us = self._device, to_us(telemetry.measured_at)
        is_first = name not in device.days
        day = device.days.setdefault(name, OpenDay())
        day.add(telemetry)
        found = self._advance(day, telemetry, at_us) if at_us >= device.watermark_us else []
        device.lasting = noted(device.lasting, found)
        if is_first or found or device.watermark_us - device.told_us >= NEWS_EVERY:
            self._tell_of(name)

    def _advance(self, day: OpenDay, telemetry: Telemetry, at_us: int) -> list[Finding]:
        """Take a record that is the newest; what has changed is seen in those of a later time alone."""
        device, counted = self._device, self._device.health.count(telemetry)
        day.counters.add(counted)
        found = device.health.see(telemetry, counted) if at_us > device.watermark_us else []
        device.watermark_us, device.ended = at_us, telemetry.state == "ended"
        return found

    def _tell_of(self, name: str) -> None:
        device = self._device
        device.told_us = device.watermark_us
        self._hand_in(name, 0, None)

    def _hand_in(self, name: str, revision: int, device_day: DeviceDay | None) -> None:
        device, (starts_at, ends_at) = self._device, self._calendar.bounds(name)
        camera_day = CameraDay(
            camera_id=device.camera_id,
            day=name,
            timezone=self._calendar.timezone,
            revision=revision,
            starts_at=starts_at,
            ends_at=ends_at,
            tally=Tally(),
            findings=tuple(on_day(device.lasting, starts_at, ends_at)),
            part="device",
            seen_until=from_us(device.watermark_us),
            device=device_day,
        )
        self.out.hand_in(camera_day, self._logged_ms)

    def _close_days(self) -> None:
        device = self._device
        for name in sorted(device.days):
            if not self._policy.is_due(name, device.watermark_us, device.ended):
                break
            self._hand_in(name, 1, device.days.pop(name).device_day())
            device.lasting = lasting_after(device.lasting, self._calendar.bounds(name)[1])
            device.closed_through = name


def _fault(telemetry: Telemetry) -> str:
    """Which measurement is no number; empty where all are."""
    values = {TEMPERATURE: telemetry.temperature_c, PRESSURE: telemetry.pressure_hpa}
    values |= {f"{FIELD}[{i}]": value for i, value in enumerate(telemetry.magnetometer_ut)}
    wrong = [f"{name} = {value}" for name, value in values.items() if value is not None and not math.isfinite(value)]
    return ", ".join(wrong)
