"""Telemetry's way into its device, and what follows from it."""

import math
from collections.abc import Iterator, Mapping
from typing import Final

from monitor.cameras import Policy
from monitor.devices.days import OpenDay
from monitor.devices.device import SUFFIX, Device, decoded
from monitor.devices.sensors import FIELD, PRESSURE, TEMPERATURE
from monitor.findings import lasting_after, noted, on_day
from monitor.outcomes import Outcome, Position
from monitor.rows import require_name
from monitor.spans import MINUTE
from monitor.windows import span_us
from schemas.records import CameraDay, DeviceDay, Finding, Tally, Telemetry
from schemas.times import from_ms, from_us, to_us

NEWS_EVERY: Final = span_us(30 * MINUTE)
"Event time between two pieces of news at most, while records come."
MOST_COUNTED: Final = 10**12
"By a device's process, pictures for one: thirty a second for a thousand years. A day's sum of such fits into a record."


def take_telemetry(policy: Policy, values: Mapping[str, bytes], telemetry: Telemetry, position: Position) -> Outcome:
    """What a device's word on itself does to it."""
    data = values.get(require_name(telemetry.camera_id) + SUFFIX)
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
        found = self._advance(day, telemetry, at_us) if at_us >= device.watermark_us else ()
        device.lasting = noted(device.lasting, found)
        if is_first or found or device.watermark_us - device.told_us >= NEWS_EVERY:
            self._tell_of(name)

    def _advance(self, day: OpenDay, telemetry: Telemetry, at_us: int) -> tuple[Finding, ...]:
        """Take a record that is the newest; what has changed is seen in those of a later time alone."""
        device, counted = self._device, self._device.health.count(telemetry)
        day.counters.add(counted)
        found = device.health.see(telemetry, counted) if at_us > device.watermark_us else ()
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
    """Which measurement is no number, and what no process can have counted; empty where all is well."""
    return ", ".join((*_no_numbers(telemetry), *_out_of_reach(telemetry)))


def _no_numbers(telemetry: Telemetry) -> Iterator[str]:
    values = {TEMPERATURE: telemetry.temperature_c, PRESSURE: telemetry.pressure_hpa}
    values |= {f"{FIELD}[{i}]": value for i, value in enumerate(telemetry.magnetometer_ut)}
    return (f"{name} = {value}" for name, value in values.items() if value is not None and not math.isfinite(value))


def _out_of_reach(telemetry: Telemetry) -> Iterator[str]:
    counts = {"pictures": telemetry.pictures, "frames": telemetry.frames, "reconnects": telemetry.reconnects}
    counts |= {f"dropped[{reason}]": n for reason, n in telemetry.dropped.items()}
    return (f"{name} = {n}" for name, n in counts.items() if not 0 <= n <= MOST_COUNTED)
