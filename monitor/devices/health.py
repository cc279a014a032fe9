"""What is usual of a device, and what is wrong with it."""

from collections.abc import Iterator, Mapping
from typing import Any, Self

from monitor.devices import magnetometer, temperature
from monitor.devices.checks import AIR, CHECKS, DROPS, IRON, RECONNECTS, SILENT, STUCK, WARMTH
from monitor.devices.counters import Counters, Recent, counters_of
from monitor.devices.losses import drops, reconnects
from monitor.devices.magnetometer import Magnetometer
from monitor.devices.pressure import Pressure
from monitor.devices.runs import Runs
from monitor.devices.sensors import FIELD, PRESSURE, TEMPERATURE
from monitor.devices.temperature import REACH_OF_DAY, Temperature
from monitor.integrity.hourly import Hourly
from monitor.integrity.pace import Pace
from monitor.integrity.troubles import Check, Sign, Troubles, Verdict
from monitor.spans import DAY_US, HOUR_US, SECOND_US
from schemas.records import Finding, Telemetry
from schemas.times import to_us

PAUSES = 3
"Long ones in a row that are no silence, but another pace."


class Health:
    """What is known of one device."""

    def __init__(self) -> None:
        self._first_us = self._newest_us = -1
        self._state, self._pauses = "running", 0
        self._counters: Counters | None = None
        self._pace, self._recent, self._runs = Pace(), Recent(), Runs()
        self._temperature, self._pressure, self._magnetometer = Temperature(), Pressure(), Magnetometer()
        self._troubles = Troubles(CHECKS)

    def count(self, telemetry: Telemetry) -> Counters:
        """What the device's process has counted since the record before.

        A process that was never seen counts from its first picture; what it did before is not known to be of this day.
        """
        now, before = counters_of(telemetry), self._counters
        self._counters = now
        if before is None:
            return now if now.pictures <= 1 else Counters()
        return now.since(before)

    def see(self, telemetry: Telemetry, counted: Counters) -> tuple[Finding, ...]:
        """Take a record that is newer than all before; what begins with it, and what is over."""
        at_us = to_us(telemetry.measured_at)
        self._pause(at_us)
        if at_us - self._newest_us <= HOUR_US:
            self._recent.add(at_us, counted)
        self._runs.take(at_us, telemetry)
        for check, verdict in self._verdicts(at_us, telemetry):
            self._troubles.tell(check, at_us, verdict)
        self._adopt(at_us, telemetry)
        self._learn(at_us, telemetry)
        self._newest_us, self._state = at_us, telemetry.state
        return self._troubles.findings(telemetry.camera_id)

    # Silence

    def _pause(self, at_us: int) -> None:
        """Look at the time since the last record."""
        if self._newest_us < 0:
            self._first_us = self._pace.since_us = at_us
        elif self._pace.is_stall(at_us - self._newest_us, at_us):
            self._silence(at_us)
        else:
            self._pauses = 0
            self._pace.learn(at_us - self._newest_us)

    def _silence(self, at_us: int) -> None:
        """Of a source that had ended, no record was expected."""
        self._pauses += 1
        if self._pauses == PAUSES:
            self._pace = Pace(at_us)
        elif self._state == "running" and not self._troubles.of(SILENT).lasts:
            usual, pause = self._pace.usual_s(0.5), (at_us - self._newest_us) / SECOND_US
            sign = Sign(usual, round(pause, 1), f"the device said nothing for {pause / 60:.0f} min")
            self._troubles.passed(SILENT, self._newest_us, at_us, sign)

    def _silent(self, at_us: int, telemetry: Telemetry) -> Verdict:
        """Whether the source gives nothing, by the device's own word."""
        if telemetry.state != "stalled":
            return "sound"
        trouble = self._troubles.of(SILENT)
        lost_s = (at_us - trouble.since_us) / SECOND_US if trouble.run else 0.0
        return Sign(0.0, round(lost_s, 1), "the source gives no pictures; the device opens it again and again")

    # Verdicts

    def _verdicts(self, at_us: int, telemetry: Telemetry) -> Iterator[tuple[Check, Verdict]]:
        """What each check says of a record."""
        yield WARMTH, self._warmth(at_us, telemetry.temperature_c)
        yield AIR, self._air(at_us, telemetry.pressure_hpa)
        yield IRON, self._iron(telemetry.magnetometer_ut)
        # Nobody knows on the first day, which may be a calm one.
        yield STUCK, self._runs.stuck() if at_us - self._first_us >= DAY_US else "sound"
        total = self._recent.total()
        yield RECONNECTS, reconnects(total)
        yield DROPS, drops(total)
        yield SILENT, self._silent(at_us, telemetry)

    def _warmth(self, at_us: int, now: float | None) -> Verdict:
        return self._runs.missed(TEMPERATURE, "temperature") if now is None else self._temperature.judge(at_us, now)

    def _air(self, at_us: int, now: float | None) -> Verdict:
        return self._runs.missed(PRESSURE, "pressure") if now is None else self._pressure.judge(at_us, now)

    def _iron(self, now: tuple[float, ...]) -> Verdict:
        return self._magnetometer.judge(now) if now else self._runs.missed(FIELD, "magnetometer")

    # What is usual

    def _adopt(self, at_us: int, telemetry: Telemetry) -> None:
        """Take what has lasted long enough for usual, where it can be."""
        warmth, field = telemetry.temperature_c, telemetry.magnetometer_ut
        if warmth is not None and temperature.is_possible(warmth) and self._troubles.adopt(WARMTH, at_us):
            self._temperature.relearn()
        if field and magnetometer.is_possible(field) and self._troubles.adopt(IRON, at_us):
            self._magnetometer.usual = [*field]

    def _learn(self, at_us: int, telemetry: Telemetry) -> None:
        warmth, field = telemetry.temperature_c, telemetry.magnetometer_ut
        if warmth is not None and not self._troubles.of(WARMTH).run:
            self._temperature.hourly.learn(at_us, warmth)
        if field:
            self._magnetometer.learn(at_us, field, is_sound=not self._troubles.of(IRON).run)

    # State

    def snapshot(self) -> dict[str, Any]:
        """The whole state, as JSON."""
        air, iron = self._pressure, self._magnetometer
        return {
            "times": [self._first_us, self._newest_us, self._state, self._pauses],
            "counters": self._counters and self._counters.snapshot(),
            "pace": self._pace.snapshot(),
            "hourly": self._temperature.hourly.snapshot(),
            "recent": self._recent.snapshot(),
            "warmth": self._temperature.trail.snapshot(),
            "air": air.trail.snapshot(),
            "last_air": [air.last_us, air.last],
            "field": [iron.usual, iron.moved_us],
            "runs": self._runs.snapshot(),
            "troubles": self._troubles.snapshot(),
        }

    @classmethod
    def restore(cls, plain: Mapping[str, Any]) -> Self:
        """Continue from a snapshot."""
        known = cls()
        known._first_us, known._newest_us, known._state, known._pauses = plain["times"]
        known._counters = Counters(*plain["counters"]) if plain["counters"] else None
        known._pace, known._recent = Pace.restore(plain["pace"]), Recent.restore(plain["recent"])
        known._temperature.hourly = Hourly.restore(REACH_OF_DAY, plain["hourly"])
        known._temperature.trail.take_up(plain["warmth"])
        known._pressure.trail.take_up(plain["air"])
        known._pressure.last_us, known._pressure.last = plain["last_air"]
        known._magnetometer = Magnetometer(*plain["field"])
        known._runs.take_up(plain["runs"])
        known._troubles.take_up(plain["troubles"])
        return known
