"""Every command helps; a person's mistake ends in a message, never in a traceback."""

import json
import os
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import click
import pytest
import typer

from roadwatch.cli import app


def _commands(command: click.Command, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    inner = getattr(command, "commands", {})
    return [path, *(found for name, sub in inner.items() for found in _commands(sub, (*path, name)))]


EVERY_COMMAND = _commands(typer.main.get_command(app))


def _run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "roadwatch", *arguments]
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("path", EVERY_COMMAND, ids=" ".join)
def test_every_command_says_what_it_does(path: tuple[str, ...]) -> None:
    command = typer.main.get_command(app)
    for name in path:
        command = command.commands[name]  # type: ignore[attr-defined]
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{path} {parameter.name} is not explained"


MAKE_FOLDERS = ("up", "demo", "broker", "inbox")
MISTAKES = [
    (("--settings", "none.toml", "config", "check"), 2, "no such file"),
    (("camera", "--source", "missing.mp4", "--zone", "a: 0,0 9,0 9,9"), 2, "missing.mp4"),
    (("camera", "--source", "x.mp4", "--zone", "nonsense"), 2, "nonsense"),
    (("topics", "check"), 1, "127.0.0.1:1"),
    (("process",), 1, "kafka.bootstrap_servers"),
    (("monitor",), 1, "kafka.bootstrap_servers"),
    (("mail",), 1, "kafka.bootstrap_servers"),
    (("label", "import", "none.csv"), 2, "none.csv"),
    (("health",), 2, "service.heartbeat_file"),
    (("models", "evaluate", "none"), 2, "none"),
    (("models", "show", "none"), 1, "no version 'none'"),
    (("demo", "--video", "none.mp4"), 2, "none.mp4"),
    *(((command, "--folder", "/proc/none"), 2, "/proc/none cannot be written") for command in MAKE_FOLDERS),
    *(((command, "--folder", __file__), 2, "test_cli.py is a file") for command in MAKE_FOLDERS),
    (("broker", "--port", "99999"), 2, "'--port'"),
    (("broker", "--port", "-5"), 2, "'--port'"),
    (("inbox", "--port", "99999"), 2, "'--port'"),
    (("passes", "none.mp4", "--zone", "a: 0,0 9,0 9,9"), 2, "none.mp4"),
]


@pytest.mark.parametrize(
    ("arguments", "code", "said"), MISTAKES, ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_a_mistake_is_told_without_a_traceback(
    tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = _run(tmp_path, *arguments, ROADWATCH_KAFKA__BOOTSTRAP_SERVERS="127.0.0.1:1")
    assert "Traceback" not in done.stderr
    assert said in done.stderr + done.stdout
    assert done.returncode == code


def test_all_faults_of_settings_and_their_places_are_told(tmp_path: Path) -> None:
    (tmp_path / "roadwatch.toml").write_text('[monitor]\ntimezone = "Mars"\n[mail]\nport = 0\n', encoding="utf-8")
    done = _run(tmp_path, "config", "check")
    assert done.returncode == 2
    assert "monitor.timezone" in done.stderr
    assert "mail.port" in done.stderr


def test_faults_of_what_the_settings_name_are_told_at_once(tmp_path: Path) -> None:
    """Of cameras, rules, subscriptions and channels."""
    (tmp_path / "roadwatch.toml").write_text(
        '[monitor]\nrules_file = "rules.toml"\n[[mail.subscriptions]]\nto = "a@example.org"\ncauses = ["fogg"]\n'
        '[[mail.channels]]\nname = "ops"\nurl = "nothing"\n',
        encoding="utf-8",
    )
    (tmp_path / "cameras.toml").write_text("[[cameras]]\n", encoding="utf-8")
    (tmp_path / "rules.toml").write_text('[[rules]]\nname = "mine"\nmetric = "acuracy"\n', encoding="utf-8")
    done = _run(tmp_path, "config", "check")
    assert done.returncode == 2
    for said in (
        "cameras.toml: camera number 1",
        "rules.toml: rule 'mine'",
        "a@example.org: 'fogg' is no cause",
        "channel 'ops': Apprise cannot read its URL",
    ):
        assert said in done.stderr


def test_sound_settings_say_what_they_name(tmp_path: Path) -> None:
    done = _run(tmp_path, "config", "check", "--json")
    assert (done.returncode, json.loads(done.stdout)["cameras"]) == (0, [])
    assert "accuracy" in json.loads(done.stdout)["rules"]


def test_the_version_is_the_distribution_s(tmp_path: Path) -> None:
    done = _run(tmp_path, "--version")
    assert (done.returncode, done.stdout) == (0, f"roadwatch {version('roadwatch')}\n")


@pytest.mark.parametrize(
    "command", [("config", "show"), ("config", "check"), ("--version",), ("--help",)], ids=" ".join
)
def test_a_full_disk_is_told_without_a_traceback(tmp_path: Path, command: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "roadwatch", *command],
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["error: the output cannot be written or read: No space left on device"]


INTERRUPT_AN_IMPORT = """
import os, signal, sys

class Interrupt:
    def find_spec(self, name, *_):
        if name == "typer":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
from roadwatch.cli import main
"""


def test_ctrl_c_while_modules_are_imported_ends_without_a_traceback(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPT_AN_IMPORT], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (130, "")


HEARTBEATS = [
    (0, 0, "well"),
    (-60, 1, "not well: last sign of life 6"),
    (3600, 1, "not well: last sign of life in"),
]


@pytest.mark.parametrize(("offset_s", "code", "said"), HEARTBEATS)
def test_a_service_is_well_whose_last_sign_of_life_was_just_now(
    tmp_path: Path, offset_s: float, code: int, said: str
) -> None:
    file = tmp_path / "alive"
    file.touch()
    os.utime(file, (time.time() + offset_s,) * 2)
    done = _run(tmp_path, "health", ROADWATCH_SERVICE__HEARTBEAT_FILE=str(file))
    assert done.stdout.startswith(said)
    assert done.returncode == code


def test_a_folder_is_no_sign_of_life(tmp_path: Path) -> None:
    done = _run(tmp_path, "health", ROADWATCH_SERVICE__HEARTBEAT_FILE=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert "service.heartbeat_file" in done.stderr
