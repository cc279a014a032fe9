"""`python -m benchmarks.monitor_day`: a day of a million predictions through the monitor, on a real broker.

    a day's records ─► topics ─► monitor, one process ─► resident memory and CPU by the share that is folded
    what closes it  ─► topics ─────────┘          └────► the report, so long after the last record

The same through the folds alone, on values in a dict of bytes: what is left is what Kafka and Faust cost.
"""

import argparse
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.request import urlopen

from rich.console import Console
from rich.table import Table

from benchmarks.busy_day import BusyDay, Logged, Size
from benchmarks.monitor_folds import costs_table, fold_day, state_table
from runtime.admin import TopicAdmin
from runtime.broker import LocalBroker
from runtime.clients import Reader, Writer
from runtime.settings import Settings, load_settings
from runtime.spans import read_all
from schemas.codec import Codec
from schemas.records import CameraDay
from schemas.replayed import logged_at_header
from schemas.topics import CAMERA_DAYS, OBSERVATIONS, REPORTS

LOOK_S: Final = 0.5
"How often memory is looked at."
PATIENCE_S: Final = 900.0
"For any step."
CODEC: Final = Codec()
FOLDED: Final = r'^roadwatch_monitor_records_total\{topic="(observations|labels|telemetry)"\} (\S+)'
"A line of the monitor's metrics."


@dataclass(frozen=True, slots=True)
class Look:
    """The monitor at one time."""

    records: int
    "Folded, of all topics."
    share: float
    "Of the day's observations, folded."
    resident_mb: float
    "Resident memory."
    cpu_s: float
    "CPU time since its start."


@dataclass(frozen=True, slots=True)
class Served:
    """A day through the service."""

    looks: list[Look]
    "While the day was folded."
    folded_s: float
    "How long that took, wall clock."
    report_s: float
    "From the last record's acknowledgement to the report."
    closed: Look
    "When the report was out."
    revised: Look
    "When late labels were folded."
    revisions: int
    "Camera-days that they made anew."
    peak_mb: float
    "The most memory ever."


def main() -> None:
    """Print what both cost."""
    usual = Size()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.monitor_day", description=__doc__.splitlines()[0])
    parser.add_argument("--predictions", type=int, default=usual.predictions, help="of all cameras together")
    parser.add_argument("--labels", type=int, default=usual.labels, help="vehicles that are labelled")
    parser.add_argument("--cameras", type=int, default=usual.cameras, help="how many cameras")
    parser.add_argument("--batch", type=int, default=usual.batch, help="frames that the processor takes at once")
    parser.add_argument("--only", choices=("service", "folds"), help="one of both")
    given = parser.parse_args()
    day, console = BusyDay(Size(given.predictions, given.labels, given.cameras, given.batch)), Console(width=110)
    if given.only != "folds":
        with tempfile.TemporaryDirectory() as name:
            served = _served(day, Path(name))
        console.print(_served_table(served), _served_words(served), highlight=False)
    if given.only != "service":
        folds = fold_day(day)
        console.print(costs_table(folds), state_table(folds))


# The service


def _served(day: BusyDay, folder: Path) -> Served:
    with LocalBroker(folder / "broker", environment=os.environ) as broker:
        settings = _settings(folder, broker.bootstrap_servers)
        TopicAdmin(settings.kafka).create()
        written = _write(settings, day.records())
        started = time.monotonic()
        with _monitor(folder, settings, written[OBSERVATIONS.name]) as watched:
            looks = watched.until(written.total())
            folded_s = time.monotonic() - started
            written += _write(settings, day.closing())
            report_s = _await_report(settings)
            closed = watched.look()
            written += _write(settings, day.afterwards())
            revised = watched.until(written.total())[-1]
            return Served(looks, folded_s, report_s, closed, revised, _revisions(settings), watched.peak_mb())


def _settings(folder: Path, servers: str) -> Settings:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    file = folder / "roadwatch.toml"
    file.write_text(
        f'[kafka]\nbootstrap_servers = "{servers}"\n[monitor]\ndata_folder = "{folder / "monitor"}"\n'
        f"[service]\nmetrics_port = {port}\n"
    )
    return load_settings(file, {})


def _write(settings: Settings, records: Iterable[Logged]) -> Counter[str]:
    """Put records on their topics, logged when they would have been; how many there were by topic."""
    written: Counter[str] = Counter()
    with Writer(settings.kafka, CODEC, linger_ms=20) as writer:
        for logged in records:
            writer.send(logged.topic, logged.camera_id, logged.record, [logged_at_header(logged.at_us // 1000)])
            written[logged.topic.name] += 1
        writer.flush()
    return written


def _await_report(settings: Settings) -> float:
    """Seconds from now until the day's report is out."""
    started = time.monotonic()
    with Reader(settings.kafka, [settings.kafka.names.of(REPORTS)], "benchmark") as reader:
        while not reader.read(timeout_s=0.05):
            if time.monotonic() - started > PATIENCE_S:
                raise SystemExit(f"no report after {PATIENCE_S:.0f} s")
    return time.monotonic() - started


def _revisions(settings: Settings) -> int:
    records = read_all(settings.kafka, settings.kafka.names.of(CAMERA_DAYS))
    return sum(CODEC.decode(record.value, CameraDay).revision > 1 for record in records)


class _Watched:
    """A monitor's process, looked at from outside."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, port: int, observations: int) -> None:
        self._process, self._log, self._port, self._observations = process, log, port, observations

    def look(self) -> Look:
        """How far it has come, and what it costs."""
        if self._process.poll() is not None:
            raise SystemExit(f"the monitor ended: {self._log.read_text(encoding='utf-8')[-2000:]}")
        folded = self._folded()
        share = folded[OBSERVATIONS.name] / self._observations
        return Look(folded.total(), share, self._status_mb("VmRSS"), self._cpu_s())

    def until(self, records: int) -> list[Look]:
        """Look until so many records are folded."""
        looks, deadline = [self.look()], time.monotonic() + PATIENCE_S
        while looks[-1].records < records:
            if time.monotonic() > deadline:
                raise SystemExit(f"{looks[-1].records} of {records} records are folded after {PATIENCE_S:.0f} s")
            time.sleep(LOOK_S)
            looks.append(self.look())
        return looks

    def peak_mb(self) -> float:
        """The most memory ever."""
        return self._status_mb("VmHWM")

    def _folded(self) -> Counter[str]:
        """Records by topic; none while it does not answer, as in its first moments."""
        try:
            with urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=PATIENCE_S) as answer:
                found = re.findall(FOLDED, answer.read().decode(), re.MULTILINE)
        except OSError:
            found = []
        return Counter({topic: int(float(count)) for topic, count in found})

    def _status_mb(self, name: str) -> float:
        lines = Path(f"/proc/{self._process.pid}/status").read_text(encoding="utf-8").splitlines()
        return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(name)), 0.0)

    def _cpu_s(self) -> float:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _monitor(folder: Path, settings: Settings, observations: int) -> Iterator[_Watched]:
    command = [sys.executable, "-m", "roadwatch", "--settings", str(folder / "roadwatch.toml"), "monitor"]
    log = folder / "monitor.log"
    with log.open("wb") as lines, subprocess.Popen(command, stderr=lines) as process:
        try:
            yield _Watched(process, log, settings.service.metrics_port or 0, observations)
        finally:
            process.terminate()


def _served_table(served: Served) -> Table:
    table = Table(title="The monitor's process")
    for name in ("observations folded", "resident, MB", "CPU, s"):
        table.add_column(name, justify="right")
    for tenth in range(1, 11):
        look = next(each for each in served.looks if each.share >= tenth / 10)
        table.add_row(f"{look.share:.0%}", f"{look.resident_mb:.0f}", f"{look.cpu_s:.1f}")
    for name, look in (("reported", served.closed), ("late labels", served.revised)):
        table.add_row(name, f"{look.resident_mb:.0f}", f"{look.cpu_s:.1f}")
    return table


def _served_words(served: Served) -> str:
    return (
        f"{served.looks[-1].records:,} records folded in {served.folded_s:.0f} s; the report came {served.report_s:.1f} s"
        f" after the last record; late labels revised {served.revisions} camera-days; peak {served.peak_mb:.0f} MB"
    )


if __name__ == "__main__":
    main()
