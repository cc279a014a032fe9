"""`roadwatch up` on a real Kafka: what it says, what it bears, and that other commands find what it started."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from roadwatch.commands.up import SERVERS
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("ROADWATCH_KAFKA")}
CAMERAS = """
[[cameras]]
id = "gone"
source = "gone.mp4"
gate = false

[[cameras]]
id = "words"
source = "cameras.toml"
gate = false
"""


@contextmanager
def _up(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """It runs in a folder, and what it says lies there."""
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "roadwatch", "up"], cwd=folder, env=ENVIRONMENT, stdout=out, stderr=err
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def _said(folder: Path) -> str:
    return (folder / "out").read_text() + (folder / "err").read_text()


def _ended(folder: Path) -> set[str]:
    """Cameras of which it says that they cannot run."""
    return set(re.findall(r"camera-(\w+) cannot run as it is set", _said(folder)))


def _told_environment(folder: Path) -> Mapping[str, str]:
    """What it says that other terminals need: nothing, where 9092 was free."""
    told = re.findall(rf"{SERVERS}=\S+", _said(folder))
    return dict(assignment.split("=") for assignment in told)


def test_cameras_that_cannot_be_read_end_alone_and_other_commands_find_the_kafka(tmp_path: Path) -> None:
    (tmp_path / "cameras.toml").write_text(CAMERAS, encoding="utf-8")
    with _up(tmp_path) as process:
        assert eventually(lambda: process.poll() is not None or _ended(tmp_path) == {"gone", "words"}, 60)
        done = subprocess.run(
            [sys.executable, "-m", "roadwatch", "report", "list"],
            cwd=tmp_path,
            env={**ENVIRONMENT, **_told_environment(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, "no report yet" in done.stdout) == (0, True), done.stderr
        assert process.poll() is None
    assert process.returncode == 0
    assert "Traceback" not in _said(tmp_path)


def test_another_service_s_mistake_ends_it_at_once_with_its_message(tmp_path: Path) -> None:
    (tmp_path / "roadwatch.toml").write_text('[monitor]\nrules_file = "none.toml"\n', encoding="utf-8")
    with _up(tmp_path) as process:
        process.wait(60)
    assert process.returncode == 1
    assert "monitor cannot run as it is set" in _said(tmp_path)
    assert "none.toml" in _said(tmp_path)
    assert "starting it again" not in _said(tmp_path)
