#!/usr/bin/env python3
"""Runs the compose stack for real until the mail about a bad day is there, then takes it down; exit code 0 if it came.

    build ─► up --wait ─► every service healthy ─► mail "critical: Accuracy fell …" ─► still healthy ─► down --volumes

The stack has a project name and ports of its own, so another one may run beside it. Needs Python and Docker alone.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parents[1]
READY_WITHIN_S = 480
"For images that are pulled and built, and services that start."
MAIL_WITHIN_S = 300
"The simulated bad day is over after 80 seconds; the rest is for slow machines."
LOOK_EVERY_S = 2.0
LOG_LINES = 40
PORTS = ("KAFKA", "REGISTRY", "INBOX")
WANTED = re.compile(r"^\[Roadwatch\] critical: Accuracy fell ")
SUBJECT = re.compile(r"^(?:.*\|)?\s*Subject: (.*)$", re.MULTILINE)


class StackError(Exception):
    """What went wrong, for a person."""


class Stack:
    """A compose project of this run alone."""

    def __init__(self, docker: str) -> None:
        self._project = f"roadwatch-test-{os.getpid()}"
        self._command = [docker, "compose", "--project-name", self._project]
        ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        self._inbox = f"http://127.0.0.1:{ports['INBOX']}/api/v1/messages"
        self._environment = {
            **os.environ,
            **{f"ROADWATCH_{name}_PORT": str(port) for name, port in ports.items()},
            "ROADWATCH_IMAGE": f"{self._project}:test",
        }

    def up(self) -> None:
        """Build and start everything; back when all is healthy."""
        self._compose("up", "--build", "--detach", "--wait", within_s=READY_WITHIN_S)

    def down(self) -> None:
        """Remove containers, volumes and the image that was built, all of this project alone."""
        self._compose("down", "--volumes", "--remove-orphans", "--rmi", "local", "--timeout", "20", within_s=120)

    def show(self) -> None:
        """Print what runs."""
        self._compose("ps", "--all")

    def show_logs(self) -> None:
        """Print the end of every service's log."""
        self._compose("logs", "--no-color", "--tail", str(LOG_LINES))

    def unwell(self) -> list[str]:
        """Services that do not run, or are not healthy; one that ended as it should is well."""
        lines = self._read("ps", "--all", "--format", "json").splitlines()
        return [f"{one['Service']} ({one['Status']})" for one in map(json.loads, lines) if not is_well(one)]

    def subjects(self) -> list[str]:
        """The subjects of the mails: asked of Mailpit, or read in the log of a server that prints its mails."""
        try:
            with urllib.request.urlopen(self._inbox, timeout=5) as answer:  # noqa: S310 -- 127.0.0.1, by us
                return [message["Subject"] for message in json.load(answer)["messages"]]
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return SUBJECT.findall(self._read("logs", "--no-color", "--no-log-prefix", "mailpit"))

    def _compose(self, *arguments: str, within_s: float = 60) -> None:
        try:
            self._run(arguments, within_s)
        except subprocess.CalledProcessError as error:
            raise StackError(f"docker compose {' '.join(arguments)} ended with {error.returncode}") from error
        except subprocess.TimeoutExpired as error:
            raise StackError(f"docker compose {arguments[0]} took more than {within_s:.0f} s") from error

    def _read(self, *arguments: str) -> str:
        return self._run(arguments, 60, stdout=subprocess.PIPE).stdout

    def _run(
        self, arguments: Sequence[str], within_s: float, stdout: int | None = None
    ) -> subprocess.CompletedProcess[str]:
        command = [*self._command, *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self._environment, stdout=stdout, check=True, text=True, timeout=within_s
        )


def is_well(container: dict[str, str]) -> bool:
    """Whether a line of `docker compose ps` is of a healthy service, or of one that has done its work.

    >>> is_well({"State": "running", "Health": "healthy"}), is_well({"State": "running", "Health": "unhealthy"})
    (True, False)
    """
    done = container["State"] == "exited" and int(container["ExitCode"]) == 0
    return done or (container["State"] == "running" and container["Health"] == "healthy")


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def docker_or_fail() -> str:
    """Where docker is; StackError when there is none, no compose, or no engine that answers."""
    docker = shutil.which("docker")
    if docker is None:
        raise StackError("there is no `docker` here: install Docker Engine with Compose v2")
    for arguments, advice in (
        (["compose", "version"], "`docker compose` is not there: install the Compose v2 plugin"),
        (["info"], "no Docker engine answers: start it, or set DOCKER_HOST"),
    ):
        if subprocess.run([docker, *arguments], capture_output=True, check=False, timeout=60).returncode:
            raise StackError(advice)
    return docker


def wait_for_mail(stack: Stack) -> str:
    """The subject of the mail about the bad day; StackError when it does not come in time."""
    began = time.monotonic()
    seen: set[str] = set()
    while time.monotonic() - began < MAIL_WITHIN_S:
        for subject in stack.subjects():
            if subject not in seen:
                say(f"mail after {time.monotonic() - began:.0f} s: {subject}")
                seen.add(subject)
            if WANTED.match(subject):
                return subject
        time.sleep(LOOK_EVERY_S)
    raise StackError(f"no mail about the bad day within {MAIL_WITHIN_S} s; others: {len(seen)}")


@contextmanager
def running(stack: Stack) -> Iterator[None]:
    """The stack, up; taken down again whatever happens, with its logs told when it went wrong."""
    try:
        stack.up()
        yield
    except StackError:
        stack.show()
        stack.show_logs()
        raise
    finally:
        say("taking the stack down")
        stack.down()


def run() -> None:
    """The whole test; raises StackError."""
    stack = Stack(docker_or_fail())
    with running(stack):
        say("everything is healthy; waiting for the mail")
        wait_for_mail(stack)
        stack.show()
        if unwell := stack.unwell():
            raise StackError(f"not healthy: {', '.join(unwell)}")


def main() -> int:
    """Run, and say how it went; 0 when the mail came and all was healthy."""
    signal.signal(signal.SIGTERM, interrupt)
    try:
        run()
    except StackError as error:
        say(f"FAILED: {error}")
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    say("passed: the mail came, and every service was healthy")
    return 0


def interrupt(_number: int, _frame: FrameType | None) -> None:
    """Let SIGTERM end the test as Ctrl-C does, with the stack taken down."""
    raise KeyboardInterrupt


def say(text: str) -> None:
    """Tell the person."""
    sys.stderr.write(f"compose-test: {text}\n")


if __name__ == "__main__":
    sys.exit(main())
