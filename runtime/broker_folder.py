"""The local broker's folder: who holds it, at which address, and what a kill has left there.

```
folder/
├── broker.lock          held by the JVM for as long as it lives, by its starter before that
├── broker.json          which process that is, and its ports; survives, so that a restart has the same address
├── server.properties    written anew at each start
├── log4j2.properties
├── broker.log           Kafka's log, rolled at 5 MB
├── console.log          what the JVM itself says
└── data/                the topics; there only once it is completely formatted
```
"""

import fcntl
import json
import os
import random
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from schemas.errors import LocalStackError

HOST = "127.0.0.1"

# Below the ports that Linux and macOS give to outgoing connections, one of which could take a chosen port before the
# broker does.
_PORTS = range(20_000, 32_000)


@dataclass(frozen=True, slots=True)
class Holder:
    """What broker.json says: the process that holds, or last held, a folder."""

    pid: int
    """The JVM; before the JVM is started, the process that starts it."""
    supervisor_pid: int
    """The process that started the JVM."""
    port: int
    """Where clients connect, on 127.0.0.1."""
    controller_port: int
    """Where the broker talks to its own controller."""


@dataclass(frozen=True, slots=True)
class Running:
    """A broker that is alive on a folder."""

    folder: Path
    """Its folder."""
    pid: int
    """Its process: the JVM, or while that is not yet started, the process that starts it."""
    supervisor_pid: int
    """The process that started it."""
    bootstrap_servers: str
    """Its address, `127.0.0.1:port`."""

    @property
    def left_over(self) -> bool:
        """Whether the process that started it is gone, so that nobody will stop it."""
        return not _is_alive(self.supervisor_pid)


def running_broker(folder: Path) -> Running | None:
    """Say which broker is alive on a folder; None when there is none."""
    if not (folder / "broker.lock").is_file():
        return None
    try:
        with claimed(folder):
            return None
    except FolderInUseError as exc:
        return exc.running


def stop_leftover(running: Running, grace_s: float = 15) -> None:
    """End a broker that its starter can no longer stop: SIGTERM, and SIGKILL after `grace_s` seconds.

    Raises LocalStackError when its starter is alive: that process stops it.
    """
    if not running.left_over:
        raise LocalStackError(
            f"the broker on {running.folder} belongs to process {running.supervisor_pid}, which is alive: stop that one"
        )
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        _signal(running.pid, signal_number)
        if _is_free_within(running.folder, grace_s):
            return
    raise LocalStackError(f"process {running.pid} does not end: the broker on {running.folder} is still running")


class FolderInUseError(LocalStackError):
    """A broker is alive on this folder already; `running` says which."""

    def __init__(self, running: Running) -> None:
        self.running = running
        advice = (
            "its starter was killed; stop_leftover() or `kill {pid}` ends it"
            if running.left_over
            else "process {supervisor} runs it"
        ).format(pid=running.pid, supervisor=running.supervisor_pid)
        super().__init__(
            f"a broker is alive on {running.folder} already: pid {running.pid} at {running.bootstrap_servers} "
            f"({advice}). Use it, stop it, or choose another folder"
        )


@contextmanager
def claimed(folder: Path) -> Iterator[int]:
    """Hold a folder's lock; gives its descriptor, through which a child process goes on holding it.

    Raises FolderInUseError when a broker is alive there, LocalStackError when its lock cannot be opened.
    """
    descriptor = _open_lock(folder / "broker.lock")
    try:
        if not _lock(descriptor):
            raise FolderInUseError(_running(folder))
        yield descriptor
    finally:
        os.close(descriptor)


def read_holder(folder: Path) -> Holder | None:
    """Read broker.json; None when there is none, or none that can be read."""
    try:
        return Holder(**json.loads((folder / "broker.json").read_text("utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def write_holder(folder: Path, holder: Holder) -> None:
    """Write broker.json, at once whole."""
    part = folder / "broker.json.part"
    part.write_text(json.dumps(asdict(holder)), "utf-8")
    part.replace(folder / "broker.json")


def choose_ports(wanted: int | None, earlier: Holder | None, preferred: int | None = None) -> tuple[int, int]:
    """Give a port for clients and one for the controller: the wanted, else the preferred or the earlier if free.

    Where none of them is to be had, they are new ones.

    Raises LocalStackError when `wanted` is taken.
    """
    if wanted is not None and not _is_free(wanted):
        raise LocalStackError(f"port {wanted} on {HOST} is taken: choose another, or stop what listens there")
    earlier_port = earlier.port if earlier else None
    client = wanted or _first_free([port for port in (preferred, earlier_port) if port])
    controller = _first_free([earlier.controller_port] if earlier else [], avoid=client)
    return client, controller


def _open_lock(file: Path) -> int:
    try:
        return os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise LocalStackError(f"{file} cannot be opened: {error.strerror}") from error


def _lock(descriptor: int) -> bool:
    """Take the lock; tries twice, as whoever asks whether a broker is alive holds it for a moment."""
    for pause_s in (0.1, 0.0):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(pause_s)
        else:
            return True
    return False


def _first_free(preferred: list[int], avoid: int | None = None) -> int:
    for port in (*preferred, *random.sample(_PORTS, 100)):
        if port != avoid and _is_free(port):
            return port
    raise LocalStackError(f"no free port on {HOST} between {_PORTS.start} and {_PORTS.stop}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the broker does: a port whose connections have just been closed can be taken again.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _running(folder: Path) -> Running:
    holder = read_holder(folder)
    if holder is None:
        raise LocalStackError(f"another process holds {folder} and does not say which: choose another folder")
    return Running(folder, holder.pid, holder.supervisor_pid, f"{HOST}:{holder.port}")


def _is_free_within(folder: Path, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while running_broker(folder) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
