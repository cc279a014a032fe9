"""A Java program as a child process: in a session of its own, and ended with its parent even by SIGKILL."""

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from schemas.errors import LocalStackError

# C1 alone and the serial collector: against the defaults, a one-node broker starts in 1.7 instead of 2.6 s, idles at
# 1.9 instead of 4 % of a core, and takes half the CPU for frames of 8 KB and for transactions (Java 25, two cores).
FRUGAL = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-XX:+ExitOnOutOfMemoryError")

# Its standard input is a pipe that only the parent holds: when the parent dies, `read` ends and the JVM is told to.
_WATCHDOG = 'read -r _; kill -TERM "$1"'
_TAIL_BYTES = 8_192


class JavaProcess:
    """A running JVM. Ctrl-C in the terminal does not reach it; its parent's death does."""

    def __init__(
        self, command: Sequence[str], folder: Path, environment: Mapping[str, str], pass_fds: Sequence[int] = ()
    ) -> None:
        """Start `command` in `folder`; what it prints goes to console.log there. It keeps the descriptors `pass_fds`."""
        with (folder / "console.log").open("wb") as console:
            self._jvm = subprocess.Popen(
                command,
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=tuple(pass_fds),
            )
        self._watchdog = subprocess.Popen(
            ["/bin/sh", "-c", _WATCHDOG, "sh", str(self._jvm.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The JVM's process id."""
        return self._jvm.pid

    @property
    def exit_code(self) -> int | None:
        """How the JVM ended; None while it runs."""
        return self._jvm.poll()

    def stop(self, grace_s: float) -> None:
        """End the JVM: SIGTERM, and SIGKILL if it still runs after `grace_s` seconds."""
        self._jvm.terminate()
        try:
            self._jvm.wait(grace_s)
        except subprocess.TimeoutExpired:
            self._jvm.kill()
            self._jvm.wait()
        finally:
            self._watchdog.kill()
            self._watchdog.communicate()

    def wait_until(self, answers: Callable[[], bool], name: str, timeout_s: float, logs: Sequence[Path]) -> None:
        """Wait until `answers()` is true.

        Raises LocalStackError with the end of `logs` when the JVM ends before, or `timeout_s` have passed.
        """
        deadline = time.monotonic() + timeout_s
        while not answers():
            if self.exit_code is not None:
                raise LocalStackError(f"{name} ended with code {self.exit_code} while it started\n{tail(logs)}")
            if time.monotonic() > deadline:
                raise LocalStackError(f"{name} does not answer after {timeout_s:g} s\n{tail(logs)}")
            time.sleep(0.05)


def run_java(command: Sequence[str], folder: Path, environment: Mapping[str, str], timeout_s: float) -> None:
    """Run a Java program to its end; raises LocalStackError with what it printed when that is not success."""
    try:
        subprocess.run(
            command, cwd=folder, env=dict(environment), capture_output=True, text=True, timeout=timeout_s, check=True
        )
    except subprocess.CalledProcessError as exc:
        raise LocalStackError(f"{command[0]} ended with code {exc.returncode}\n{exc.stdout}{exc.stderr}") from exc
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise LocalStackError(f"cannot run {command[0]}: {exc}") from exc


def tail(logs: Sequence[Path], lines: int = 15) -> str:
    """Give the last lines of each of these files that exists, under its name."""
    return "\n".join(f"{log}:\n{_last_lines(log, lines)}" for log in logs if log.is_file())


def _last_lines(log: Path, lines: int) -> str:
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
        return "\n".join(f"  {line}" for line in file.read().decode("utf-8", "replace").splitlines()[-lines:])
