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
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.table import Table

from runtime.service import configure_logs, serve_metrics, stopping
from runtime.settings import Settings, load_settings
from schemas.errors import ConfigurationError

SUPERVISED = "ROADWATCH_SUPERVISED"
"Set for services that a supervisor starts: they stop when their standard input, which it holds open, ends."

console = Console(emoji=False)  # incident:school:… is an id, no picture of a school
errors = Console(stderr=True, emoji=False)

BOUNDLESS = 1_000_000
"Columns of a terminal that has no edge."

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
def service(context: typer.Context, *, metrics: bool = True) -> Iterator[tuple[Settings, Event]]:
    """Settings, and an event that is set when the service shall stop: SIGTERM, Ctrl-C, or its supervisor's end.

    `metrics` says whether it serves its own, where the settings name a port.
    """
    settings = settings_of(context)
    configure_logs(settings.service)
    if metrics:
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


def print_whole(view: RenderableType) -> None:
    """Print something as wide as it is where there is no terminal, and nothing cut off where there is one."""
    if console.is_terminal:
        console.print(view, highlight=False, crop=False)
        return
    width = Measurement.get(console, console.options.update(max_width=BOUNDLESS), view).maximum
    Console(emoji=False, width=width).print(view, highlight=False)


def unbroken(table: Table, *places: int) -> Table:
    """Give a table whose columns at these places are never broken: others fold first, then lines get too long.

    They hold what people copy, such as ids.
    """
    for column in (table.columns[place] for place in places):
        column.no_wrap = True
        column.min_width = max((cell_len(f"{cell}") for cell in column.cells), default=0)
    return table


def print_json(value: object) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")
