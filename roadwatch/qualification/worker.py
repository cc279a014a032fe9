"""A processor under test: `roadwatch process` as a child, watched for its end and for its memory.

start ──► ready (its first turn is done) ──► watched ──► stopped
             └─ ended by itself, at any time: WorkerError, with the end of its log
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from roadwatch.context import SUPERVISED
from runtime.environment import PREFIX
from runtime.jvm import tail
from runtime.settings import KafkaSettings
from schemas.errors import LocalStackError

READY_TIMEOUT_S = 60.0
"From start to first turn: two seconds on an idle machine."
STOP_TIMEOUT_S = 15.0
LOOK_EVERY_S = 0.25
"Between two looks at the memory."


class WorkerError(LocalStackError):
    """The processor under test ended by itself, never came to its first turn, or lost frames."""


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """What a processor under test is told."""

    bundle: Path
    "The candidate's folder."
    kafka: KafkaSettings
    "Where its topics are."
    instance: str
    "Its name in the group."
    threads: int
    "That decode and infer."
    folder: Path
    "Takes its log, its sign of life and its settings file."


class Worker:
    """A processor that runs until it is stopped."""

    def __init__(self, options: WorkerOptions) -> None:
        """Start it; `await_ready` says when it works."""
        options.folder.mkdir(parents=True, exist_ok=True)
        self.log = options.folder / f"{options.instance}.log"
        self._beat = options.folder / f"{options.instance}.beat"
        self._name = options.instance
        self._looked_at = 0.0
        self.peak_mb = 0.0
        self._process = _launch(options, self.log, self._beat)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def await_ready(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Return when it has done its first turn; raises WorkerError where it does not come to it."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not self._beat.exists():
            self.watch()
            meanwhile()
            if time.monotonic() > deadline:
                raise WorkerError(
                    f"processor {self._name} is not ready after {READY_TIMEOUT_S:.0f} s\n{tail([self.log])}"
                )
            time.sleep(0.05)

    def watch(self) -> None:
        """Look at its memory; raises WorkerError where it has ended."""
        if (code := self._process.poll()) is not None:
            raise WorkerError(f"processor {self._name} ended with code {code}\n{tail([self.log])}")
        if time.monotonic() - self._looked_at >= LOOK_EVERY_S:
            self._looked_at = time.monotonic()
            self.peak_mb = max(self.peak_mb, resident_mb(self.pid) or 0.0)

    def ask_to_stop(self) -> None:
        """Ask it to end after the batch at hand, and do not wait; harmless when it has ended."""
        if self._process.poll() is None:
            self._process.terminate()

    def stop(self) -> None:
        """End it: asked first, killed where it does not listen; harmless when it has ended."""
        self.ask_to_stop()
        self._await_end()
        if self._process.stdin:
            self._process.stdin.close()

    def _await_end(self) -> None:
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def resident_mb(pid: int) -> float | None:
    """Return what a process holds in memory, MB; None where that cannot be told."""
    try:
        status = Path(f"/proc/{pid}/status").read_text("ascii")
    except OSError:
        return _asked_of_ps(pid)
    kilobytes = next((line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")), None)
    return None if kilobytes is None else int(kilobytes) / 1024


def _asked_of_ps(pid: int) -> float | None:
    """Where there is no /proc, ps knows."""
    try:
        told = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True)  # noqa: S607  # wherever the system has it
    except (OSError, subprocess.CalledProcessError):
        return None
    return int(told.stdout) / 1024


def _launch(options: WorkerOptions, log: Path, beat: Path) -> subprocess.Popen[bytes]:
    # An empty file of settings: the one in the current folder is for the user's own stack.
    nothing = options.folder / "roadwatch.toml"
    nothing.touch()
    # -P: a folder `models` where somebody stands is no module.
    own = ["--settings", str(nothing), "process", "--instance", options.instance]
    command = [sys.executable, "-P", "-m", "roadwatch", *own]
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # held open: should this process be killed, the child stops by itself
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_environment(options, beat),
            start_new_session=True,
        )


def _environment(options: WorkerOptions, beat: Path) -> Mapping[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return {
        **own,
        SUPERVISED: "1",
        "PYTHONUNBUFFERED": "1",
        "ROADWATCH_KAFKA": options.kafka.model_dump_json(),
        "ROADWATCH_PROCESSOR__BUNDLE": str(options.bundle.absolute()),
        "ROADWATCH_PROCESSOR__GROUP": f"{options.kafka.topic_prefix}-processor",
        "ROADWATCH_PROCESSOR__THREADS": str(options.threads),
        "ROADWATCH_SERVICE__HEARTBEAT_FILE": str(beat.absolute()),
    }
