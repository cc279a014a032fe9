"""`python -m benchmarks.recording`: many records recorded and replayed, on a real broker.

1,000,000 predictions ─┐                ┌─► records a second, out and in
20,000 frames ─────────┴► topic ► recording ► topic
                                        └─► resident memory while it runs; size on disk beside the topic's
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.cases import frames
from runtime.admin import TopicAdmin
from runtime.broker import LocalBroker
from runtime.clients import Writer
from runtime.settings import KafkaSettings
from schemas.codec import Codec
from schemas.ids import frame_id
from schemas.records import Frame, Prediction, Record
from schemas.topics import FRAMES, PREDICTIONS, Topic
from tests.support.records import a_prediction

SMALL, PICTURES = 1_000_000, 20_000
CAMERAS = 16
LOOK_S = 0.25
"How often memory is looked at."


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that was watched."""

    seconds: float
    "Wall clock, its start included."
    first_mb: float
    "Resident memory after the first tenth of its time."
    last_mb: float
    "The most after that."


@dataclass(frozen=True, slots=True)
class Row:
    """One stream there and back."""

    name: str
    records: int
    out: Ran
    "Recorded."
    back: Ran
    "Replayed."
    topic_mb: float
    recording_mb: float


def main() -> None:
    """Print a row for each stream."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recording", description=__doc__.splitlines()[0])
    parser.add_argument("--small", type=int, default=SMALL, help="how many predictions")
    parser.add_argument("--frames", type=int, default=PICTURES, help="how many frames")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        rows = [
            _row(Path(name) / "small", PREDICTIONS, given.small, _predictions),
            _row(Path(name) / "frames", FRAMES, given.frames, _frames),
        ]
    Console(width=130).print(_table(rows))


def _row(folder: Path, topic: Topic, count: int, made: Callable[[int], Iterator[Record]]) -> Row:
    """A broker of its own for each stream: its data folder is the topic's size."""
    folder.mkdir()
    with LocalBroker(folder / "broker", environment=os.environ) as broker:
        kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
        TopicAdmin(kafka).create()
        with Writer(kafka, Codec(), linger_ms=20) as writer:
            for record in made(count):
                writer.send(topic, record.camera_id, record)  # type: ignore[attr-defined]
            writer.flush()
        size = _size(folder / "broker", f"{kafka.names.of(topic)}-*")
        settings = folder / "roadwatch.toml"
        settings.write_text(f'[kafka]\nbootstrap_servers = "{broker.bootstrap_servers}"\n')
        out = _watch(settings, "record", str(folder / "recording"), "--topic", topic.name)
        back = _watch(
            settings,
            *("replay", str(folder / "recording"), "--topic", topic.name, "--at-once", "--prefix", "copy", "--create"),
        )
    row = Row(topic.name, count, out, back, size, _size(folder, "recording"))
    shutil.rmtree(folder)
    return row


def _predictions(count: int) -> Iterator[Prediction]:
    base = a_prediction()
    for n in range(count):
        camera, sequence = f"camera-{n % CAMERAS}", n // CAMERAS
        at = base.captured_at + timedelta(milliseconds=40 * sequence)
        yield replace(
            base, frame_id=frame_id(camera, base.epoch, sequence), camera_id=camera, sequence=sequence, captured_at=at
        )


def _frames(count: int) -> Iterator[Frame]:
    crops = frames()
    for n in range(count):
        camera, sequence, base = f"camera-{n % CAMERAS}", n // CAMERAS, crops[n % len(crops)]
        at = base.captured_at + timedelta(milliseconds=40 * sequence)
        yield replace(
            base, frame_id=frame_id(camera, base.epoch, sequence), camera_id=camera, sequence=sequence, captured_at=at
        )


def _watch(settings: Path, *arguments: str) -> Ran:
    started, seen = time.monotonic(), []
    command = [sys.executable, "-m", "roadwatch", "--settings", str(settings), *arguments, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            seen.append((time.monotonic() - started, _resident_mb(process.pid)))
            time.sleep(LOOK_S)
        said = process.stdout.read() if process.stdout else ""
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)} ended with {process.returncode}: {said}")
    seconds = time.monotonic() - started
    Console(stderr=True).print(json.dumps(json.loads(said))[:600], markup=False)
    early = [mb for at, mb in seen if at <= max(seconds / 10, 1.5)]
    return Ran(seconds, max(early), max(mb for _, mb in seen))


def _resident_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0.0)


def _size(folder: Path, pattern: str) -> float:
    files = (file for found in folder.rglob(pattern) for file in found.rglob("*") if file.is_file())
    return sum(file.stat().st_size for file in files if file.suffix not in (".index", ".timeindex")) / 1e6


def _table(rows: list[Row]) -> Table:
    table = Table(title="Recorded and replayed; memory after the first tenth → the most")
    for name in (
        "topic",
        "records",
        "out, records/s",
        "in, records/s",
        "out, MB",
        "in, MB",
        "topic, MB",
        "recording, MB",
    ):
        table.add_column(name, justify="right")
    for row in rows:
        rates = (f"{row.records / ran.seconds:,.0f}" for ran in (row.out, row.back))
        memory = (f"{ran.first_mb:.0f} → {ran.last_mb:.0f}" for ran in (row.out, row.back))
        table.add_row(row.name, f"{row.records:,}", *rates, *memory, f"{row.topic_mb:.0f}", f"{row.recording_mb:.0f}")
    return table


if __name__ == "__main__":
    main()
