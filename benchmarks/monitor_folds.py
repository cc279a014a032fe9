"""A day through the monitor's folds alone, on values in a dict of bytes, and what it costs."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from rich.table import Table

from benchmarks.busy_day import BusyDay, Logged
from monitor.devices import take_telemetry
from monitor.devices.device import SUFFIX
from monitor.folding import take_label, take_observations
from monitor.merging import take_camera_day, take_settled, waiting_until
from monitor.outcomes import Outcome, Position
from monitor.policies import policy, rules_of
from runtime.settings import MonitorSettings
from schemas.codec import Codec
from schemas.records import CameraDay, Label, Observations, Record, Telemetry
from schemas.topics import CAMERA_DAYS

CODEC: Final = Codec()
SETTINGS: Final = MonitorSettings()
Values = dict[str, bytes]


@dataclass(slots=True)
class Folds:
    """The monitor's tables, and what it cost to fill them."""

    predictions: int
    "Of the day."
    values: Values = field(default_factory=dict)
    "Of cameras and devices."
    merger: Values = field(default_factory=dict)
    "Of the merger."
    offsets: Counter[str] = field(default_factory=Counter)
    "Of the next record, by topic."
    records: Counter[str] = field(default_factory=Counter)
    "Folded, by step."
    cpu_s: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    "Likewise."
    written: Counter[str] = field(default_factory=Counter)
    "Bytes of keys and values for the changelogs, likewise."
    state: dict[str, tuple[int, int]] = field(default_factory=dict)
    "How many values of each kind the day leaves, and their bytes."

    def take(self, records: Iterable[Logged], step: str | None = None) -> None:
        """Take records in, decoding and encoding included; the step is their topic unless it has a name."""
        for logged in records:
            name, data = step or logged.topic.name, CODEC.encode(logged.record)
            started = time.process_time()
            self._fold(name, logged, data)
            self.cpu_s[name] += time.process_time() - started
            self.records[name] += 1

    def _fold(self, step: str, logged: Logged, data: bytes) -> None:
        position = self._position(logged.topic.name, logged.at_us // 1000)
        outcome = _outcome(self.values, type(logged.record), data, position)
        for place, record in enumerate(outcome.outputs):
            encoded = CODEC.encode(record)
            if isinstance(record, CameraDay):
                at = self._position(CAMERA_DAYS.name, outcome.logged_ms[place])
                camera_day = CODEC.decode(encoded, CameraDay)
                self._write(step, self.merger, take_camera_day(self.merger, CODEC, camera_day, at))
        self._write(step, self.values, outcome)

    def _position(self, topic: str, logged_ms: int) -> Position:
        self.offsets[topic] += 1
        return Position(topic, self.offsets[topic], logged_ms, labels_read=True)

    def settle(self, step: str) -> None:
        """Report what is due."""
        started = time.process_time()
        outcome = take_settled(rules_of(SETTINGS), CODEC, self.merger, waiting_until(self.merger) or 0)
        self._write(step, self.merger, outcome)
        self.cpu_s[step] += time.process_time() - started
        self.records[step] += len(outcome.outputs)

    def _write(self, step: str, values: Values, outcome: Outcome) -> None:
        for key, value in outcome.writes.items():
            if value is None:
                values.pop(key, None)
            else:
                values[key] = value
                self.written[step] += len(key) + len(value)


def _outcome(values: Mapping[str, bytes], kind: type[Record], data: bytes, at: Position) -> Outcome:
    rules = policy(SETTINGS)
    if kind is Observations:
        return take_observations(rules, values, CODEC.decode(data, Observations), at)
    if kind is Label:
        return take_label(rules, values, CODEC.decode(data, Label), at)
    return take_telemetry(rules, values, CODEC.decode(data, Telemetry), at)


def fold_day(day: BusyDay) -> Folds:
    """A day, its close, its report, and late labels."""
    folds = Folds(day.size.predictions)
    folds.take(day.records())
    folds.take(day.closing(), "close")
    folds.settle("report")
    folds.state = dict(_state(folds))
    folds.take(day.afterwards(), "late labels")
    folds.settle("their revisions")
    return folds


def _state(folds: Folds) -> Iterator[tuple[str, tuple[int, int]]]:
    devices = {key for key in folds.values if key.endswith(SUFFIX)}
    cameras = {key for key in folds.values if ":" not in key}
    told = {key for key in folds.values if ":told:" in key}
    yield "chunks", _size(folds.values, folds.values.keys() - devices - cameras - told)
    yield "days told", _size(folds.values, told)
    yield "devices", _size(folds.values, devices)
    yield "cameras", _size(folds.values, cameras)
    yield "merger", _size(folds.merger, folds.merger)


def _size(values: Values, keys: Iterable[str]) -> tuple[int, int]:
    sizes = [len(values[key]) for key in keys]
    return len(sizes), sum(sizes)


def costs_table(folds: Folds) -> Table:
    """CPU time and changelog by step."""
    table = Table(title="The folds alone")
    for name in ("step", "records", "CPU, s", "µs a record", "µs a prediction", "written, MB"):
        table.add_column(name, justify="left" if name == "step" else "right")
    for step, cpu_s in folds.cpu_s.items():
        records = folds.records[step]
        each = f"{cpu_s / max(records, 1) * 1e6:,.0f}", f"{cpu_s / folds.predictions * 1e6:.1f}"
        table.add_row(step, f"{records:,}", f"{cpu_s:.1f}", *each, f"{folds.written[step] / 1e6:.1f}")
    return table


def state_table(folds: Folds) -> Table:
    """What a closed day leaves in the tables."""
    table = Table(title="The state when the day is reported")
    for name in ("values", "how many", "MB", "bytes a prediction"):
        table.add_column(name, justify="left" if name == "values" else "right")
    for kind, (count, size) in folds.state.items():
        table.add_row(kind, f"{count:,}", f"{size / 1e6:.1f}", f"{size / folds.predictions:.1f}")
    return table
