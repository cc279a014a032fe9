"""`python -m benchmarks.model_swap`: a running processor changes its model under load, again and again.

    frames, steadily ─► roadwatch process ─► predictions ─► watched: whose, when, after which pause
                              ▲
    registry: promote b, roll back to a, promote b, … each with its event

A real broker and a real processor, in a temporary folder. What is told:

effect     from before the registry's step to the first prediction of the other version in a consumer's hands
gap        between the ends of consecutive batches; beside it what a full batch takes, and the gaps without swaps
frames     by the ledger: each has exactly one prediction
memory     resident, of the processor, after each swap
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.cases import CODEC, frames
from models.bundle import BUNDLED, load_bundle
from models.registry.history import Step
from models.registry.store import Registry
from roadwatch.ledger import Ledger, read_ledger
from runtime.admin import TopicAdmin
from runtime.broker import LocalBroker
from runtime.clients import Reader, Writer
from runtime.settings import KafkaSettings
from schemas.ids import frame_id, passage_id
from schemas.records import Frame, ModelEvent, ModelEventKind, Prediction
from schemas.topics import FRAMES, MODELS, PREDICTIONS

CAMERAS = 4
BACKLOG = 2048
"Frames that wait at the start: full batches, to know what one takes."
BATCH = 256
"Frames of a full batch: the setting's default."
SAME_MS = 0.01
"Floating point: two frames of one batch differ by less."
REST_S = 0.4
"Between a swap that took effect and the next."
QUIET_S = 20.0
"Without swaps, for comparison."
WARM_UP_S = 2.0
"Of the time without swaps, not looked at."
PATIENCE_S = 60.0
TENS = 10


@dataclass(frozen=True, slots=True)
class Said:
    """A prediction as it lies on its topic."""

    written_ms: float
    "When the processor wrote it, wall clock."
    total_ms: float
    "From its frame's send."
    took_ms: float
    "From its batch's reading to its being classified."


@dataclass(slots=True)
class Batch:
    """Predictions that were made together."""

    written_ms: float
    "When the first of them was written."
    took_ms: float
    "From reading to classified."
    size: int = 1
    "Frames."


@dataclass(slots=True)
class Watch:
    """Reads predictions as they come."""

    kafka: KafkaSettings
    arrivals: dict[str, float] = field(default_factory=dict)
    newest: str = ""
    said: list[Said] = field(default_factory=list)
    change: threading.Condition = field(default_factory=threading.Condition)

    def run(self, stop: threading.Event) -> None:
        """Note whose prediction is the newest, and since when."""
        name, group = self.kafka.names.of(PREDICTIONS), f"watch-{uuid.uuid4().hex[:8]}"
        with Reader(self.kafka, [name], group) as reader:
            while not stop.is_set():
                for record in reader.read(500, 0.2):
                    self._note(CODEC.decode(record.value, Prediction), record.timestamp_ms, time.time())

    def _note(self, prediction: Prediction, written_ms: float, now: float) -> None:
        timings = prediction.timings
        with self.change:
            self.said.append(Said(written_ms, timings.total_ms, timings.total_ms - timings.queue_ms))
            if prediction.model_version != self.newest:
                self.newest = prediction.model_version
                self.arrivals[self.newest] = now
                self.change.notify_all()

    def await_version(self, version: str) -> float:
        """Return when the first prediction of a version came, wall clock."""
        with self.change:
            if not self.change.wait_for(lambda: self.newest == version, PATIENCE_S):
                raise TimeoutError(f"{version} does not serve after {PATIENCE_S:.0f} s")
            return self.arrivals[version]


@dataclass(frozen=True, slots=True)
class Swap:
    """One change of model."""

    kind: ModelEventKind
    "Promotion or rollback."
    at_ms: float
    "Before the registry's step, wall clock."
    effect_ms: float
    "Until the other version's first prediction was in a consumer's hands."
    resident_mb: float
    "Of the processor, after a rest."


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was measured."""

    swaps: tuple[Swap, ...]
    "In order."
    ledger: Ledger
    "Of all frames."
    full_batches_ms: tuple[float, ...]
    "From reading to classified, of batches that were full."
    gaps_ms: tuple[float, ...]
    "Between the ends of consecutive batches, while models were swapped."
    quiet_gaps_ms: tuple[float, ...]
    "Likewise, while none was."
    total_ms: tuple[float, ...]
    "From send to prediction, of each frame, while models were swapped."
    quiet_total_ms: tuple[float, ...]
    "Likewise, while none was."


def measure(rollbacks: int, rate: float) -> Outcome:
    """Run it all in a temporary folder: so many rollbacks, each after a promotion; `rate` frames a second."""
    cv2.setNumThreads(1)
    with (
        tempfile.TemporaryDirectory(prefix="roadwatch-swap-") as folder,
        LocalBroker(None, environment=os.environ) as broker,
    ):
        kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
        TopicAdmin(kafka).create()
        return _measure(rollbacks, rate, kafka, Path(folder))


def _measure(rollbacks: int, rate: float, kafka: KafkaSettings, folder: Path) -> Outcome:
    registry, watch, feed = _registry(folder / "registry"), Watch(kafka), Feed(kafka)
    feed.send(BACKLOG)
    with _processor(kafka, folder) as pid, _thread(watch.run):
        watch.await_version("road-a")
        _await(lambda: len(watch.said) >= feed.sent)
        with _thread(lambda stop: feed.steadily(rate, stop)):
            time.sleep(QUIET_S)
            began = time.time() * 1000
            swaps = tuple(_swaps(rollbacks, registry, kafka, watch, pid))
            ended = time.time() * 1000
        _await(lambda: len(watch.said) >= feed.sent)
    batches = batches_of(watch.said)
    steady = began - (QUIET_S - WARM_UP_S) * 1000
    return Outcome(
        swaps=swaps,
        ledger=read_ledger(kafka),
        full_batches_ms=tuple(batch.took_ms for batch in batches if batch.size == BATCH),
        gaps_ms=gaps(batches, began, ended),
        quiet_gaps_ms=gaps(batches, steady, began),
        total_ms=totals(watch.said, began, ended),
        quiet_total_ms=totals(watch.said, steady, began),
    )


def _swaps(rollbacks: int, registry: Registry, kafka: KafkaSettings, watch: Watch, pid: int) -> Iterator[Swap]:
    with Writer(kafka, CODEC, linger_ms=0) as writer:
        for _ in range(rollbacks):
            for kind, version in (("promoted", "road-b"), ("rolled_back", "road-a")):
                yield _swap(kind, version, registry, writer, watch, pid)  # type: ignore[arg-type]  # both are kinds


def _swap(kind: ModelEventKind, version: str, registry: Registry, writer: Writer, watch: Watch, pid: int) -> Swap:
    at = time.time()
    now = datetime.now(UTC)
    if kind == "promoted":
        registry.record(_promotion(version))
    else:
        registry.rollback("champion", at=now, by="benchmark")
    writer.send(MODELS, f"{version}|{kind}", ModelEvent(kind, version, "champion", now, "benchmark", ""))
    effect_ms = (watch.await_version(version) - at) * 1000
    time.sleep(REST_S)
    return Swap(kind, at * 1000, effect_ms, _resident_mb(pid))


def _promotion(version: str) -> Step:
    return Step("promoted", version, datetime.now(UTC), "benchmark", "to measure", "champion")


class Feed:
    """Frames of several cameras, as many as are asked for."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._made = frames()
        self.sent = 0

    def send(self, count: int) -> None:
        """Send at once."""
        with Writer(self._kafka, CODEC) as writer:
            for _ in range(count):
                self._send(writer)

    def steadily(self, rate: float, stop: threading.Event) -> None:
        """Send at a rate until told to stop."""
        began, before = time.monotonic(), self.sent
        with Writer(self._kafka, CODEC, linger_ms=0) as writer:
            while not stop.is_set():
                due = before + (time.monotonic() - began) * rate
                while self.sent < due:
                    self._send(writer)
                time.sleep(1 / rate)

    def _send(self, writer: Writer) -> None:
        frame = self._next()
        writer.send(FRAMES, frame.camera_id, frame)
        self.sent += 1

    def _next(self) -> Frame:
        sequence, camera = divmod(self.sent, CAMERAS)
        made, name = self._made[self.sent % len(self._made)], f"camera-{camera}"
        return replace(
            made,
            camera_id=name,
            sequence=sequence,
            frame_id=frame_id(name, made.epoch, sequence),
            passage_id=passage_id(name, made.epoch, sequence // 8 * 8),
        )


def batches_of(said: list[Said]) -> list[Batch]:
    """The batches that predictions were made in, in order: those of one batch say the same of how long it took."""
    found: list[Batch] = []
    for one in sorted(said, key=lambda one: (one.written_ms, one.took_ms)):
        if found and abs(found[-1].took_ms - one.took_ms) < SAME_MS:
            found[-1].size += 1
        else:
            found.append(Batch(one.written_ms, one.took_ms))
    return found


def gaps(batches: list[Batch], after_ms: float, before_ms: float) -> tuple[float, ...]:
    """From each batch to the next, within a time."""
    times = [batch.written_ms for batch in batches if after_ms <= batch.written_ms <= before_ms]
    return tuple(later - earlier for earlier, later in pairwise(times))


def totals(said: list[Said], after_ms: float, before_ms: float) -> tuple[float, ...]:
    """From send to prediction, of the frames within a time."""
    return tuple(one.total_ms for one in said if after_ms <= one.written_ms <= before_ms)


def _registry(folder: Path) -> Registry:
    """Two versions of the model that ships, the first of them champion."""
    registry, shipped = Registry(str(folder)), load_bundle(BUNDLED)
    for version in ("road-a", "road-b"):
        named = replace(shipped, version=version, card=replace(shipped.card, version=version))
        registry.register(named, at=datetime.now(UTC), by="benchmark")
    registry.record(_promotion("road-a"))
    return registry


@contextmanager
def _processor(kafka: KafkaSettings, folder: Path) -> Iterator[int]:
    """A processor as a team runs it; gives its process id."""
    settings = folder / "roadwatch.toml"
    settings.write_text(
        f"""[kafka]
bootstrap_servers = "{kafka.bootstrap_servers}"
[models]
registry = "{folder / "registry"}"
poll = "PT10M"
""",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "roadwatch", "--settings", str(settings), "process", "--instance", "1"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ROADWATCH_")}
    with (folder / "processor.log").open("wb") as log:
        process = subprocess.Popen(command, env=clean, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def _thread(work: Callable[[threading.Event], None]) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=work, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _await(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.1)


def _resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS:"))


def figures(outcome: Outcome) -> dict[str, float]:
    """What is shown, and written as JSON: times in milliseconds, memory in MB."""
    rollbacks = [swap.effect_ms for swap in outcome.swaps if swap.kind == "rolled_back"]
    promotions = [swap.effect_ms for swap in outcome.swaps if swap.kind == "promoted"]
    resident = [swap.resident_mb for swap in outcome.swaps]
    ledger = outcome.ledger
    return {
        "swaps": len(outcome.swaps),
        "frames": ledger.frames,
        "frames with one prediction": ledger.predicted,
        "frames lost or doubled": ledger.frames - ledger.predicted + len(ledger.doubled),
        "rollback takes effect p50 ms": _at(rollbacks, 50),
        "rollback takes effect p99 ms": _at(rollbacks, 99),
        "promotion takes effect p50 ms": _at(promotions, 50),
        "promotion takes effect p99 ms": _at(promotions, 99),
        "full batch p50 ms": _at(outcome.full_batches_ms, 50),
        "gap between batches max ms": _at(outcome.gaps_ms, 100),
        "gap between batches p99 ms": _at(outcome.gaps_ms, 99),
        "gap without swaps max ms": _at(outcome.quiet_gaps_ms, 100),
        "gap without swaps p99 ms": _at(outcome.quiet_gaps_ms, 99),
        "send to prediction p99 ms": _at(outcome.total_ms, 99),
        "send to prediction without swaps p99 ms": _at(outcome.quiet_total_ms, 99),
        "resident after first ten MB": float(np.mean(resident[:TENS])),
        "resident after last ten MB": float(np.mean(resident[-TENS:])),
        "resident max MB": max(resident),
    }


def _at(values: Sequence[float], percent: float) -> float:
    """A percentile, no value between two: the larger."""
    return float(np.percentile(values, percent, method="higher")) if values else float("nan")


def table(found: dict[str, float]) -> Table:
    """For people."""
    shown = Table(title="A running processor changes its model", show_header=False)
    shown.add_column()
    shown.add_column(justify="right")
    for name, value in found.items():
        shown.add_row(name, f"{value:,.0f}" if isinstance(value, int) else f"{value:,.1f}")
    return shown


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rollbacks", type=int, default=50, help="each after a promotion")
    parser.add_argument("--rate", type=float, default=50.0, help="frames a second")
    parser.add_argument("--json", type=Path, help="a file for the figures, and each swap")
    given = parser.parse_args()
    outcome = measure(given.rollbacks, given.rate)
    found = figures(outcome)
    Console().print(table(found))
    if given.json:
        swaps = [asdict(swap) for swap in outcome.swaps]
        given.json.write_text(json.dumps({**found, "each": swaps}, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
