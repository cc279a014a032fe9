"""Services are kept running, given up when hopeless, and never left behind."""

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from roadwatch.supervisor import Service, Supervisor
from schemas.errors import LocalStackError
from tests.support.waiting import eventually

INBOX = Service("inbox", ("inbox", "--port", "0"))
MISTAKEN = Service("monitor", ("no-such-command",))
UNWELL = Service("health", ("health",))


def _supervisor(folder: Path, *services: Service, clock=time.monotonic) -> Supervisor:  # type: ignore[no-untyped-def]
    settings = folder / "roadwatch.toml"
    settings.touch()
    return Supervisor(services, settings_file=settings, log_folder=folder / "logs", environment=os.environ, clock=clock)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _listening(folder: Path) -> bool:
    log = folder / "logs" / "inbox.log"
    return log.exists() and "takes mails" in log.read_text()


def test_services_are_gone_when_the_context_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with _supervisor(tmp_path, INBOX) as supervisor:
        pids = supervisor.pids().values()
        assert eventually(lambda: _listening(tmp_path))
    assert not any(_alive(pid) for pid in pids)


def test_a_killed_service_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with _supervisor(tmp_path, INBOX) as supervisor:
        first = supervisor.pids()["inbox"]
        os.kill(first, signal.SIGKILL)

        def again() -> bool:
            supervisor.check()
            return supervisor.pids().get("inbox", first) != first

        assert eventually(again)


def test_a_service_that_fails_again_and_again_is_given_up_with_its_log(tmp_path: Path) -> None:
    """The reason stands in the error."""
    now = [0.0]
    supervisor = _supervisor(tmp_path, UNWELL, clock=lambda: now[0])
    (tmp_path / "roadwatch.toml").write_text('[service]\nheartbeat_file = "never"\n', encoding="utf-8")

    def pass_time_between_starts() -> bool:
        supervisor.check()
        now[0] += 0.0 if supervisor.pids() else 10.0
        return False

    with (
        supervisor,
        pytest.raises(LocalStackError, match=r"again and again, last with code 1\n[^:]+\.log:\n +not well"),
    ):
        eventually(pass_time_between_starts, 120)


def test_a_service_that_only_its_user_can_mend_is_not_tried_again(tmp_path: Path) -> None:
    with _supervisor(tmp_path, MISTAKEN) as supervisor:
        first = supervisor.pids()
        with pytest.raises(LocalStackError, match=r"monitor cannot run as it is set(?s:.)*no-such-command"):
            eventually(lambda: supervisor.pids() != first or bool(supervisor.check()))


def test_a_camera_that_only_its_user_can_mend_ends_alone_and_is_said_once(tmp_path: Path) -> None:
    camera = replace(MISTAKEN, name="camera-gate", ends=True, alone=True)
    told: list[str] = []
    with _supervisor(tmp_path, camera, INBOX) as supervisor:
        inbox = supervisor.pids()["inbox"]

        def said() -> bool:
            told.extend(supervisor.check())
            return bool(told)

        assert eventually(said)
        assert supervisor.check() == []
        assert supervisor.pids() == {"inbox": inbox}
    assert "camera-gate cannot run as it is set, the others go on without it" in told[0]
    assert "no-such-command" in told[0]


def test_each_service_has_its_own_port_for_metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is taken ends the service with the setting's name, and no other is tried."""
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            _supervisor(tmp_path, replace(INBOX, metrics_port=port)) as supervisor,
            pytest.raises(LocalStackError, match=rf"service\.metrics_port(?s:.)*127\.0\.0\.1:{port}"),
        ):
            eventually(lambda: bool(supervisor.check()))


def test_an_ordinary_end_is_no_failure(tmp_path: Path) -> None:
    with _supervisor(tmp_path, Service("help", ("--help",), ends=True)) as supervisor:

        def ended() -> bool:
            supervisor.check()
            return supervisor.finished == {"help"}

        assert eventually(ended)


def test_services_stop_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    """A kill -9 of the supervisor leaves nothing behind."""
    script = f"""
import os, time, pathlib
from roadwatch.supervisor import Service, Supervisor
folder = pathlib.Path({str(tmp_path)!r})
os.chdir(folder)
service = Service("inbox", ("inbox", "--port", "0"))
with Supervisor([service], settings_file=None, log_folder=folder / "logs", environment=os.environ) as supervisor:
    print(supervisor.pids()["inbox"], flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        assert eventually(lambda: _listening(tmp_path))
        parent.kill()
    assert eventually(lambda: not _alive(pid))
