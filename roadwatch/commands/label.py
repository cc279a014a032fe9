"""`roadwatch label`: what frames and passages truly show."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from roadwatch.context import AsJson, console, errors, print_json, settings_of
from runtime.settings import Settings
from schemas.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from producers.label_import import Check, Defaults

app = typer.Typer(no_args_is_help=True)

TICK_S = 0.005
"Kafka stamps records by the millisecond: what ends an import is stamped later than its labels."
MOST_SHOWN = 200
"Wrong lines named on a terminal; JSON names all."


@app.callback()
def label() -> None:
    """Labels: what frames and passages truly show."""


@app.command("import")
def import_labels(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A CSV file; its first line names the columns.", show_default=False)],
    source: Annotated[str, typer.Option(help="Who gave the labels, where a line does not say.")] = "csv",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check the file; send nothing.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Send the right lines and leave out the wrong.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send the labels of a CSV file.

    Columns: frame_id or passage_id, and label (or "withdrawn", which takes back what the source said); source, weight
    and labelled_at (with its zone) if wanted. Nothing is sent unless every line is right; a label that was sent before
    counts once. Days that have been reported get a new revision.
    """
    from producers.label_import import check_file

    settings = settings_of(context)
    defaults = _defaults(settings, source)
    check = check_file(file, defaults)
    refused = bool(check.faults) and not skip_bad
    if refused and not as_json:
        raise ConfigurationError(str(file), _shown(check))
    sent = 0 if dry_run or refused else _send(settings, file, defaults, check.good)
    _say(check, sent, as_json, dry_run)
    raise typer.Exit(2 if refused else 0)


def _defaults(settings: Settings, source: str) -> "Defaults":
    """The classes are those of the model that serves."""
    from models.bundle import BUNDLED, read_manifest
    from producers.label_import import Defaults

    manifest = read_manifest(settings.processor.bundle or BUNDLED)
    return Defaults(manifest.labels, source, datetime.now(UTC))


def _send(settings: Settings, file: Path, defaults: "Defaults", total: int) -> int:
    from producers.label_import import read_lines
    from producers.labels import done_of
    from runtime.admin import TopicAdmin
    from runtime.clients import Writer
    from runtime.registry import open_codec
    from schemas.topics import LABELS

    TopicAdmin(settings.kafka).require()
    sent, sources = 0, {}
    with Writer(settings.kafka, open_codec(settings.kafka)) as writer, _progress(total) as advance:
        for line in read_lines(file, defaults):
            if line.label is not None:
                writer.send(LABELS, line.label.camera_id, line.label)
                sources[line.label.camera_id] = line.label.source
                sent += 1
                advance()
        writer.flush()
        time.sleep(TICK_S)
        for camera_id, source in sources.items():
            writer.send(LABELS, camera_id, done_of(camera_id, source, datetime.now(UTC)))
        writer.flush()
    return sent


@contextmanager
def _progress(total: int) -> Iterator["Callable[[], None]"]:
    columns = (TextColumn("Sending labels"), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True) as progress:
        task = progress.add_task("labels", total=total)
        yield lambda: progress.advance(task)


def _shown(check: "Check") -> list[str]:
    shown = check.faults[:MOST_SHOWN]
    rest = len(check.faults) - len(shown)
    return [*shown, f"and {rest} more; --json names all"] if rest else shown


def _say(check: "Check", sent: int, as_json: bool, dry_run: bool) -> None:
    if as_json:
        print_json({"right": check.good, "wrong": check.bad, "sent": sent, "faults": check.faults})
        return
    for fault in _shown(check):
        errors.print(f"left out: {fault}", markup=False, highlight=False, soft_wrap=True)
    done = "nothing was sent (dry run)" if dry_run else f"{sent} labels sent"
    console.print(f"{check.good} right lines, {check.bad} wrong: {done}.")
