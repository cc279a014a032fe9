"""Every command helps; a person's mistake ends in a message, never in a traceback."""

import json
import os
import subprocess
import sys
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
        "cameras.toml: camera ''",
        "rules.toml: rule 'mine'",
        "a@example.org: 'fogg' is no cause",
        "channel 'ops': Apprise cannot read its URL",
    ):
        assert said in done.stderr


def test_sound_settings_say_what_they_name(tmp_path: Path) -> None:
    done = _run(tmp_path, "config", "check", "--json")
    assert (done.returncode, json.loads(done.stdout)["cameras"]) == (0, [])
    assert "accuracy" in json.loads(done.stdout)["rules"]
