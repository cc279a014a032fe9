"""What every command begins with: settings, logs, and how it is stopped."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Annotated, Literal

import typer
from rich.console import Console

from runtime.service import configure_logs, serve_metrics, stopping
from runtime.settings import Settings, load_settings
from schemas.errors import ConfigurationError

SUPERVISED = "ROADWATCH_SUPERVISED"
"Set for services that a supervisor starts: they stop when their standard input, which it holds open, ends."

console = Console()
errors = Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text for people.")]


@dataclass(frozen=True, slots=True)
class Given:
    """What was given before the command's name."""

    settings_file: Path | None
    "`--settings`; None for roadwatch.toml, if there is one."

    def load(self) -> Settings:
        """The settings; raises ConfigurationError naming all faults."""
        return load_settings(self.settings_file, os.environ)


def settings_of(context: typer.Context) -> Settings:
    """The settings for this command."""
    given: Given = context.obj
    return given.load()


def quiet_settings_of(context: typer.Context, level: Literal["warning", "info"] = "warning") -> Settings:
    """The settings for a command that draws what it does: nothing less than this is logged beside it."""
    settings = settings_of(context)
    configure_logs(settings.service.model_copy(update={"log_level": level}))
    return settings


@contextmanager
def service(context: typer.Context) -> Iterator[tuple[Settings, Event]]:
    """Settings, and an event that is set when the service shall stop: SIGTERM, Ctrl-C, or its supervisor's end."""
    settings = settings_of(context)
    configure_logs(settings.service)
    serve_metrics(settings.service)
    with stopping() as stop:
        if os.environ.get(SUPERVISED):
            Thread(target=_stop_at_end_of_input, args=(stop,), daemon=True).start()
        yield settings, stop


def _stop_at_end_of_input(stop: Event) -> None:
    """Read raw bytes: a buffered read would keep a lock that the interpreter wants at its end."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    stop.set()


def require_file(path: Path, option: str) -> None:
    """Raise ConfigurationError when a file that was named is not there."""
    if not path.is_file():
        raise ConfigurationError(option, [f"{path} is not there, or is no file"])


def printable(text: str) -> str:
    """Text without what might tell a terminal anything."""
    return "".join(letter if letter.isprintable() or letter == "\u00a0" else "�" for letter in text)


def print_json(value: object) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")
