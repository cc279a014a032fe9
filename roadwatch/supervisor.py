"""Services as child processes: started, watched, started again when they fail, and stopped together.

    start ──► running ──► ended by itself ──► started again, after a pause that doubles
                 │        │                       └─ ended five times within a minute: the stack gives up
                 │        └─ with the exit code of a user's mistake: the stack gives up at once; of a camera of `up`,
                 │           it alone does, and `check` says so once
                 └──► stop: SIGTERM in order, SIGKILL after the grace time

Each child has a session of its own, so that Ctrl-C reaches only the supervisor, and a standard input that the
supervisor holds open: should the supervisor be killed, that input ends, and the child stops by itself.
"""

import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import structlog

from roadwatch.context import SUPERVISED
from runtime.jvm import tail
from schemas.errors import LocalStackError

log = structlog.get_logger(__name__)

METRICS_PORT = "ROADWATCH_SERVICE__METRICS_PORT"
MISTAKE = 2
"The exit code of what only a user can mend: starting it again would not help."
MOST_FAILURES = 5
FAILURE_WINDOW_S = 60.0
LONGEST_PAUSE_S = 10.0


@dataclass(frozen=True, slots=True)
class Service:
    """One `roadwatch` command that runs beside the others."""

    name: str
    "Names its log file."
    arguments: tuple[str, ...]
    "The command and its options."
    ends: bool = False
    "Whether ending with exit code 0 is its ordinary end, as for a camera on a file."
    alone: bool = False
    "Whether the others go on without it when it cannot run as it was described."
    metrics_port: int | None = None
    "Where its metrics are served; None: where the settings say."


@dataclass(slots=True)
class _Child:
    """A service's process, and how often it failed of late."""

    service: Service
    process: subprocess.Popen[bytes] | None = None
    failures: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_FAILURES))
    again_at: float = 0.0
    finished: bool = False


class Supervisor:
    """Keeps services running."""

    def __init__(
        self,
        services: Sequence[Service],
        *,
        settings_file: Path | None,
        log_folder: Path,
        environment: Mapping[str, str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Services are started in the given order and stopped in the same: who writes stops before who reads."""
        self._children = [_Child(service) for service in services]
        self._options = ("--settings", str(settings_file)) if settings_file else ()
        self._log_folder = log_folder
        self._environment = {**environment, SUPERVISED: "1", "PYTHONUNBUFFERED": "1"}
        self._clock = clock

    def __enter__(self) -> Self:
        self._log_folder.mkdir(parents=True, exist_ok=True)
        try:
            for child in self._children:
                self._launch(child)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def pids(self) -> dict[str, int]:
        """Process ids of the services that run."""
        return {child.service.name: child.process.pid for child in self._children if child.process}

    @property
    def finished(self) -> set[str]:
        """Services that came to their ordinary end."""
        return {child.service.name for child in self._children if child.finished}

    def check(self) -> list[str]:
        """Start again what has failed; says what has now ended for good, which the others do without, and why.

        Raises:
            LocalStackError: a service cannot run as it is set, or failed five times within a minute; with the end of
                its log.

        """
        return [said for child in self._children if (said := self._check(child))]

    def stop(self, grace_s: float = 10.0) -> None:
        """End all services: asked first, killed after `grace_s` seconds."""
        for child in self._children:
            if child.process and child.process.poll() is None:
                child.process.terminate()
        deadline = self._clock() + grace_s
        for child in self._children:
            self._await_end(child, deadline)

    def _check(self, child: _Child) -> str | None:
        if child.finished:
            return None
        if child.process is None:
            if self._clock() >= child.again_at:
                self._launch(child)
            return None
        code = child.process.poll()
        return None if code is None else self._ended(child, code)

    def _ended(self, child: _Child, code: int) -> str | None:
        _close(child)
        if code == 0 and child.service.ends:
            child.finished = True
            return None
        if code == MISTAKE:
            return self._cannot_run(child)
        self._failed(child, code)
        return None

    def _cannot_run(self, child: _Child) -> str:
        name, why = child.service.name, self._tail(child)
        if not child.service.alone:
            raise LocalStackError(f"{name} cannot run as it is set\n{why}")
        child.finished = True
        return f"{name} cannot run as it is set, the others go on without it\n{why}"

    def _failed(self, child: _Child, code: int) -> None:
        now = self._clock()
        child.failures.append(now)
        if len(child.failures) == MOST_FAILURES and now - child.failures[0] < FAILURE_WINDOW_S:
            raise LocalStackError(
                f"{child.service.name} ended again and again, last with code {code}\n{self._tail(child)}"
            )
        pause_s = min(0.5 * 2 ** len(child.failures), LONGEST_PAUSE_S)
        child.again_at = now + pause_s
        log.warning("service ended, starting it again", service=child.service.name, code=code, wait_s=pause_s)

    def _tail(self, child: _Child) -> str:
        return tail([self._log_file(child)])

    def _log_file(self, child: _Child) -> Path:
        return self._log_folder / f"{child.service.name}.log"

    def _launch(self, child: _Child) -> None:
        # -P: a folder `monitor` where somebody stands is no module.
        command = [sys.executable, "-P", "-m", "roadwatch", *self._options, *child.service.arguments]
        port = child.service.metrics_port
        own = {} if port is None else {METRICS_PORT: str(port)}
        with self._log_file(child).open("ab") as output:
            child.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**self._environment, **own},
                start_new_session=True,
            )

    def _await_end(self, child: _Child, deadline: float) -> None:
        if child.process is None:
            return
        try:
            child.process.wait(max(0.1, deadline - self._clock()))
        except subprocess.TimeoutExpired:
            log.warning("service did not stop in time, killed", service=child.service.name)
            child.process.kill()
            child.process.wait()
        _close(child)


def _close(child: _Child) -> None:
    if child.process and child.process.stdin:
        child.process.stdin.close()
    child.process = None
