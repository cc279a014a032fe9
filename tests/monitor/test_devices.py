"""What a device's telemetry makes of it: findings and days."""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.cameras import Policy
from monitor.devices import Device, DeviceFold, decoded, finish_devices, take_telemetry
from monitor.outcomes import Outcome, Position
from monitor.windows import Calendar
from producers.simulator.telemetry import DeviceReading, reading_at
from producers.simulator.truth import TruePassage
from schemas.errors import DecodingError
from schemas.records import CameraDay, Finding, SensorDay, Telemetry
from schemas.topics import TELEMETRY

START = datetime(2026, 3, 2, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
FAULT = START + 2 * DAY + 10 * HOUR, START + 2 * DAY + 15 * HOUR
"When faults begin and end."
POLICY = Policy(Calendar("UTC"), 10 * MINUTE, timedelta(0), 15 * SECOND, max_skew=5 * MINUTE)


def telemetry(at: datetime, number: int = 0, reading: DeviceReading | None = None, **changes: object) -> Telemetry:
    """A record of a simulated device: a picture a second, a frame each ten."""
    known = reading or reading_at(at, 5, 0.0, ())
    count = number * 60
    record = Telemetry(
        camera_id="gate",
        measured_at=at,
        state="running",
        temperature_c=known.temperature_c,
        pressure_hpa=known.pressure_hpa,
        magnetometer_ut=known.magnetometer_ut,
        pictures=count,
        frames=count // 10,
        dropped={},
        reconnects=0,
    )
    return replace(record, **changes)  # type: ignore[arg-type]


def records(days: float, every: timedelta = 10 * MINUTE) -> list[Telemetry]:
    """Ordinary days."""
    return [telemetry(START + n * every, n + 1) for n in range(int(timedelta(days=days) / every))]


@dataclass(slots=True)
class Table:
    """The table of cameras and what was sent, without a cluster."""

    values: dict[str, bytes] = field(default_factory=dict)
    days: list[CameraDay] = field(default_factory=list)
    logged: list[int] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    offset: int = 0

    def take(self, record: Telemetry, offset: int | None = None, logged_at: datetime | None = None) -> None:
        """Take a record in, logged a second after it was measured unless told otherwise."""
        self.offset = self.offset + 1 if offset is None else offset
        logged_ms = round((logged_at or record.measured_at + SECOND).timestamp() * 1000)
        self._apply(take_telemetry(POLICY, self.values, record, Position(TELEMETRY.name, self.offset, logged_ms)))

    def finish(self) -> None:
        """Nothing more will come."""
        self._apply(finish_devices(POLICY, self.values))

    def _apply(self, outcome: Outcome) -> None:
        self.days += [record for record in outcome.outputs if isinstance(record, CameraDay)]
        self.logged += [outcome.logged_ms[place] for place in range(len(outcome.outputs))]
        self.values.update({key: value for key, value in outcome.writes.items() if value is not None})
        self.faults += outcome.faults
        for name, count in outcome.counts.items():
            self.counts[name] = self.counts.get(name, 0) + count

    def closed(self) -> list[CameraDay]:
        """Days that were handed in."""
        return [day for day in self.days if day.revision]


def told(days: Iterable[CameraDay]) -> list[Finding]:
    """What camera-days tell, each once as it begins and once as it is over."""
    found: dict[tuple[str, bool], Finding] = {}
    for day in days:
        for finding in day.findings:
            found.setdefault((finding.finding_id, finding.until is not None), finding)
    return [*found.values()]


def run(stream: Iterable[Telemetry]) -> list[Finding]:
    """What is found in a stream, without encoding the device after each record."""
    device, out = Device("gate"), Outcome()
    for record in stream:
        DeviceFold(POLICY, device, out, round((record.measured_at + SECOND).timestamp() * 1000)).take(record)
    return told(record for record in out.outputs if isinstance(record, CameraDay))


def signals(findings: Iterable[Finding]) -> list[str]:
    """`stuck` where it begins, `stuck/` where it is over."""
    return [finding.signal + ("/" if finding.until else "") for finding in findings]


# Health


def test_ninety_ordinary_days_give_nothing() -> None:
    """Nights, weather and noise, a record each half hour."""
    assert run(records(days=90, every=30 * MINUTE)) == []


def test_days_of_a_record_a_minute_give_nothing() -> None:
    """With a lorry passing the device as it measures, now and then."""
    stream = [
        telemetry(record.measured_at, n, reading_at(record.measured_at, 5, 0.0, (lorry(record.measured_at),)))
        if n % 50 == 7
        else record
        for n, record in enumerate(records(days=4, every=MINUTE))
    ]
    assert run(stream) == []


def lorry(at: datetime) -> TruePassage:
    """One that is beside the device."""
    return TruePassage("1", "truck", "tipper", "red", "left", at, at - SECOND, at + SECOND, speed_m_s=10.0)


Fault = Callable[[Telemetry, int], Telemetry]
"""What becomes of a record, and which one of the fault's it is."""


def hot(record: Telemetry, _: int) -> Telemetry:
    """As the simulator's device runs hot."""
    since, until = record.measured_at - FAULT[0], FAULT[1] - record.measured_at
    return telemetry(record.measured_at, 0, reading_at(record.measured_at, 5, min(1.0, since / HOUR, until / HOUR), ()))


def hotter_than_may_be(record: Telemetry, number: int) -> Telemetry:
    """A short circuit."""
    return replace(record, temperature_c=90.0 + 0.1 * number)


def tight_no_more(record: Telemetry, _: int) -> Telemetry:
    """The housing is opened, and closed again."""
    return replace(record, pressure_hpa=(record.pressure_hpa or 0) - 9.0)


def leaking(record: Telemetry, number: int) -> Telemetry:
    """The pressure falls by some hectopascals an hour."""
    return replace(record, pressure_hpa=(record.pressure_hpa or 0) - 0.6 * number)


def turned(record: Telemetry, _: int) -> Telemetry:
    """By ninety degrees."""
    x, y, z = record.magnetometer_ut
    return replace(record, magnetometer_ut=(y, z, x))


def stuck(record: Telemetry, _: int) -> Telemetry:
    """The temperature sensor repeats itself."""
    return replace(record, temperature_c=25.0)


def dead(record: Telemetry, _: int) -> Telemetry:
    """The temperature sensor says nothing."""
    return replace(record, temperature_c=None)


def lost(record: Telemetry, number: int) -> Telemetry:
    """The source is opened again once in ten minutes."""
    return replace(record, reconnects=record.reconnects + number + 1)


def dropping(record: Telemetry, number: int) -> Telemetry:
    """Four frames of ten cannot be delivered."""
    return replace(record, dropped={"undelivered": 4 * (number + 1), "too-large": 1})


def stalled(record: Telemetry, _: int) -> Telemetry:
    """The source gives nothing."""
    return replace(record, state="stalled")


FAULTS: tuple[tuple[Fault, str, str], ...] = (
    (hot, "temperature", "K warmer than usual at this hour"),
    (hotter_than_may_be, "temperature", "outside -30 to 75 °C"),
    (tight_no_more, "pressure", "a jump by"),
    (leaking, "pressure", "hPa within six hours: is the housing tight?"),
    (turned, "magnetometer", "or the device was turned and its camera with it"),
    (stuck, "stuck", "temperature_c gave the same value 12 times in a row"),
    (dead, "temperature", "the temperature sensor says nothing any more"),
    (lost, "reconnects", "the source was opened again 3 times within an hour"),
    (dropping, "drops", "20 frames were dropped within an hour, 36% of them: undelivered"),
    (stalled, "silent", "the source gives no pictures"),
)


def during(fault: Fault, stream: Sequence[Telemetry]) -> Iterator[Telemetry]:
    """A stream with a fault in it; what a process counted in it stays counted."""
    number = 0
    for record in stream:
        if record.measured_at < FAULT[0]:
            yield record
            continue
        is_faulty = record.measured_at < FAULT[1]
        faulty = fault(record, number)
        number += is_faulty
        yield faulty if is_faulty else replace(record, reconnects=faulty.reconnects, dropped=faulty.dropped)


@pytest.mark.parametrize(("fault", "signal", "note"), FAULTS)
def test_a_fault_is_found_once_and_over_once(fault: Fault, signal: str, note: str) -> None:
    """Under one id, since about when it began; nothing else is found of it."""
    begun, over = run(during(fault, records(days=4)))
    assert (begun.signal, begun.kind, begun.until, over.finding_id) == (signal, "device", None, begun.finding_id)
    assert note in begun.note
    assert FAULT[0] - 10 * MINUTE <= begun.since <= begun.found_at <= FAULT[1]
    assert over.until
    assert over.until > FAULT[1] - 10 * MINUTE


def test_heat_on_the_first_day_shows_by_how_fast_it_came() -> None:
    """What is usual at an hour is not known before the second."""
    early = [r for r in during(hot, records(days=3)) if r.measured_at >= START + 2 * DAY]
    assert "K within half an hour" in run(early)[0].note


def test_heat_tells_how_warm_it_was_and_is() -> None:
    """In degrees."""
    begun = run(during(hot, records(days=4)))[0]
    assert begun.after - begun.before > 10
    assert 20 < begun.before < 40


def test_a_single_odd_record_is_no_trouble() -> None:
    """A hiccup passes, and leaves no trace in what is compared afterwards."""
    stream = records(days=3)
    stream[300] = replace(stream[300], temperature_c=80.0, pressure_hpa=0.0, magnetometer_ut=(0.0, 0.0, 0.0))
    assert run(stream) == []


def test_a_device_without_sensors_is_sound() -> None:
    """What never was there is not missed."""
    assert run(replace(r, temperature_c=None, pressure_hpa=None, magnetometer_ut=()) for r in records(days=3)) == []


def test_a_coarse_sensor_is_not_stuck() -> None:
    """One that gives whole degrees repeats itself for hours."""
    stream = [replace(r, temperature_c=float(round(r.temperature_c or 0))) for r in records(days=6)]
    assert run(stream) == []


def test_a_warmer_place_is_usual_after_a_week() -> None:
    """And the finding says so."""
    moved = START + 3 * DAY
    stream = [
        replace(r, temperature_c=(r.temperature_c or 0) + 20 * (r.measured_at >= moved)) for r in records(days=14)
    ]
    found = run(stream)
    assert signals(found) == ["temperature", "temperature/"]
    assert found[1].note.endswith("taken for usual from now on")


def test_a_turned_device_is_usual_after_a_day() -> None:
    """Likewise; being turned back is another one."""
    stream = [turned(r, 0) if r.measured_at >= FAULT[0] else r for r in records(days=6)]
    assert signals(run(stream)) == ["magnetometer", "magnetometer/"]


@pytest.mark.parametrize("every", [10 * SECOND, 10 * MINUTE])
def test_a_silence_is_told_when_it_is_over(every: timedelta) -> None:
    """Five times as long as usual, and two minutes; half an hour on the first day."""
    days = 1.1 if every < MINUTE else 3
    away = START + DAY - 2 * HOUR
    (found,) = run(r for r in records(days, every) if not away < r.measured_at < away + 2 * HOUR)
    assert (found.signal, found.since, found.until) == ("silent", away, away + 2 * HOUR)
    assert found.note == "the device said nothing for 120 min"


def test_a_slower_pace_is_no_silence_for_long() -> None:
    """Two pauses are told; from the third on they are the pace."""
    slow = [r for n, r in enumerate(records(days=4, every=MINUTE)) if n < 2880 or n % 20 == 0]
    assert signals(run(slow)) == ["silent/", "silent/"]


def test_an_end_is_no_silence() -> None:
    """Whatever comes after it begins anew."""
    stream = [r for r in records(days=4) if not FAULT[0] < r.measured_at < FAULT[0] + DAY]
    ended = [replace(r, state="ended") if r.measured_at == FAULT[0] else r for r in stream]
    assert run(ended) == []


# Days


def test_a_day_tells_what_the_device_said() -> None:
    """Each sensor's sum and extremes, records by state, and what the process counted on that day."""
    table = Table()
    for n, at in enumerate([START, START + HOUR, START + 2 * HOUR]):
        reading = DeviceReading(20.0 + n, 1000.0, (3.0, 4.0, 0.0))
        table.take(telemetry(at, n, reading, pictures=1 + n * 60, dropped={"overrun": n}, reconnects=n))
    table.take(telemetry(START + DAY + 10 * MINUTE, 9))
    (day,) = table.closed()
    assert (day.day, day.part, day.revision, day.seen_until) == ("2026-03-02", "device", 1, START + DAY + 10 * MINUTE)
    assert day.device
    assert (day.device.records, day.device.states) == (3, {"running": 3})
    assert (day.device.pictures, day.device.dropped, day.device.reconnects) == (121, {"overrun": 2}, 2)
    assert day.device.sensors == (
        SensorDay("magnetometer_ut", 3, 15.0, 5.0, 5.0),
        SensorDay("pressure_hpa", 3, 3000.0, 1000.0, 1000.0),
        SensorDay("temperature_c", 3, 63.0, 20.0, 22.0),
    )


def test_a_process_that_began_anew_counts_from_zero() -> None:
    """What it counted before is kept; a device that was never seen is not asked for what it did before."""
    table = Table()
    for n, (pictures, reconnects) in enumerate([(5000, 7), (5100, 9), (40, 1), (70, 1)]):
        table.take(telemetry(START + n * HOUR, pictures=pictures, frames=0, reconnects=reconnects))
    table.finish()
    (day,) = table.closed()
    assert day.device
    assert (day.device.pictures, day.device.reconnects) == (100 + 40 + 30, 2 + 1)


def test_an_open_day_tells_news() -> None:
    """With its first record, with each finding, and each half hour; without figures."""
    table = Table()
    for record in records(days=0.25):
        table.take(record)
    assert [day.seen_until for day in table.days] == [START + n * 30 * MINUTE for n in range(12)]
    assert {(day.day, day.revision, day.device, day.tally.frames) for day in table.days} == {("2026-03-02", 0, None, 0)}


def test_a_finding_is_told_at_once_on_each_day_that_it_lasts() -> None:
    """And is over on the day that it is over on; a closed day does not know what came later."""
    table = Table()
    for record in records(days=5):
        late = FAULT[0] <= record.measured_at < FAULT[0] + DAY
        table.take(replace(record, state="stalled") if late else record)
    table.finish()
    days = {day.day: [finding.until for finding in day.findings] for day in table.closed()}
    assert days == {
        "2026-03-02": [],
        "2026-03-03": [],
        "2026-03-04": [None],
        "2026-03-05": [FAULT[0] + DAY],
        "2026-03-06": [],
    }
    first = next(day for day in table.days if day.findings)
    assert first.seen_until == first.findings[0].found_at


def test_a_day_waits_for_its_lateness() -> None:
    """Records of the evening that come after midnight still count."""
    table, midnight = Table(), START + DAY
    for at in (START, midnight + 9 * MINUTE, midnight - MINUTE, midnight + 10 * MINUTE):
        table.take(telemetry(at), logged_at=midnight + HOUR)
    (day,) = table.closed()
    assert day.device
    assert day.device.records == 2


def test_what_comes_after_its_day_is_late() -> None:
    """Counted, and nothing else."""
    table, midnight = Table(), START + DAY
    table.take(telemetry(START))
    table.take(telemetry(midnight + HOUR))
    table.take(telemetry(START + HOUR), logged_at=midnight + 2 * HOUR)
    assert table.counts == {"late_telemetry": 1}
    assert len(table.closed()) == 1


def test_an_end_closes_the_day() -> None:
    """Also where it tells of the same time as the record before; what comes later on that day is late."""
    table = Table()
    table.take(telemetry(START))
    table.take(telemetry(START, state="ended"))
    table.take(telemetry(START + HOUR))
    (day,) = table.closed()
    assert day.device
    assert day.device.states == {"ended": 1, "running": 1}
    assert table.counts == {"late_telemetry": 1}


def test_finishing_closes_what_is_open_and_nothing_twice() -> None:
    """As if all sources had ended."""
    table = Table()
    table.take(telemetry(START))
    table.take(replace(telemetry(START), camera_id="bridge"))
    table.finish()
    table.finish()
    assert [(day.camera_id, day.revision) for day in table.closed()] == [("bridge", 1), ("gate", 1)]
    assert table.logged[-2:] == [round(START.timestamp() * 1000) + 1001] * 2


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"temperature_c": math.nan}, "says temperature_c = nan"),
        ({"pressure_hpa": math.inf}, "says pressure_hpa = inf"),
        ({"magnetometer_ut": (1.0, -math.inf, 0.0)}, "says magnetometer_ut[1] = -inf"),
        ({"pictures": 2**62}, f"says pictures = {2**62}"),
        ({"frames": -1}, "says frames = -1"),
        ({"dropped": {"queue": 2**62}}, f"says dropped[queue] = {2**62}"),
    ],
)
def test_what_is_no_number_and_what_nothing_can_have_counted_is_refused(changes: dict[str, object], fault: str) -> None:
    """With the reason; the record changes nothing."""
    table = Table()
    table.take(telemetry(START, **changes))
    assert table.counts == {"refused_telemetry": 1}
    assert fault in table.faults[0]
    assert table.days == []


def test_a_device_whose_name_holds_a_colon_is_refused() -> None:
    """Its key would be another's."""
    table = Table()
    with pytest.raises(DecodingError, match="its name must hold no colon"):
        table.take(telemetry(START, camera_id="gate:e"))
    assert table.values == {}


def test_what_is_ahead_of_its_log_is_refused() -> None:
    """A device's clock must not close days that are not over."""
    table = Table()
    table.take(telemetry(START + 6 * MINUTE), logged_at=START)
    table.take(telemetry(START + 5 * MINUTE), logged_at=START)
    assert table.counts == {"future_telemetry": 1}
    assert "set the device's clock" in table.faults[0]
    assert len(table.days) == 1


# State


def test_a_record_that_was_taken_in_changes_nothing() -> None:
    """By its offset."""
    table = Table()
    table.take(telemetry(START), offset=4)
    before, sent = dict(table.values), len(table.days)
    for offset in (4, 3):
        table.take(telemetry(START + HOUR), offset=offset)
    assert table.values == before
    assert len(table.days) == sent


@pytest.mark.parametrize("fault", [fault for fault, *_ in FAULTS])
def test_a_restored_device_continues_identically(fault: Fault) -> None:
    """Taken down to its bytes after each record, it sends the same."""
    stream, table = [*during(fault, records(days=3.2))], Table()
    for record in stream:
        table.take(record)
    assert told(table.days) == run(stream)
    data = table.values["gate:device"]
    assert decoded(data).encoded() == data
    json.loads(data, parse_constant=pytest.fail)


def test_records_out_of_order_are_summed_and_not_compared() -> None:
    """The same findings, the same sums."""
    stream = records(days=2)
    swapped = [
        stream[n + 1] if n % 5 == 1 else stream[n - 1] if n % 5 == 2 else stream[n] for n in range(len(stream) - 1)
    ]
    table, other = Table(), Table()
    for number, (left, right) in enumerate(zip(stream[:-1], swapped, strict=True)):
        table.take(left, number)
        other.take(right, number, START + 9 * DAY)
    assert told(other.days) == []
    (day,), (again,) = table.closed(), other.closed()
    assert day.device
    assert again.device
    assert (again.device.records, again.device.pictures) == (day.device.records, day.device.pictures)


def test_a_state_is_small() -> None:
    """It is written with each record."""
    table = Table()
    for record in records(days=3):
        table.take(record)
    assert len(table.values["gate:device"]) < 3500
