"""`roadwatch backtest`: what a recording's predictions, reports and alerts would have been with other models and rules."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from roadwatch.commands.record.unsealed import say_unsealed
from roadwatch.context import AsJson, console, errors, print_json, quiet_settings_of
from roadwatch.progress import counted
from schemas.errors import ConfigurationError

if TYPE_CHECKING:
    from rich.table import Table

    from producers.recordings.recording import Selection
    from roadwatch.backtesting.outcome import Ran
    from roadwatch.backtesting.trying import Result
    from runtime.settings import Settings

FOLDER = Path("roadwatch-data/backtest")

READ = ("frames", "observations", "labels", "telemetry")
"What was not passed over."
ROWS = ("right", "of labelled", "F1", "flip rate", "vehicles", "days", "alerts", "equal to live")


def backtest(  # noqa: PLR0913, PLR0917  # each option is an argument
    context: typer.Context,
    recording: Annotated[Path, typer.Argument(help="A recording: a folder, or a zip file of one.", show_default=False)],
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="A registered version, the beginning of one, 'champion', 'challenger', 'bundled', 'fast', a bundle's"
            " folder, or 'recorded' for the predictions of the recording; repeat it. 'recorded' if not given."
        ),
    ] = None,
    rules: Annotated[
        list[str] | None,
        typer.Option(
            help="A TOML file with a [monitor] table, whose values take the place of those in force, with [[rules]],"
            " which take the place of all rules, or both; or 'current' for what is in force; repeat it. 'current' if not"
            " given."
        ),
    ] = None,
    camera: Annotated[list[str] | None, typer.Option(help="Only this camera; repeat it.")] = None,
    begin: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="TIME",
            help="Only pictures taken from then on: 2026-11-23T06:30+01:00, or a day, 2026-11-23, in monitor.timezone.",
        ),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option("--to", metavar="TIME", help="Only pictures taken before then; labels count whenever given."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help=f"The folder for page and JSON; {FOLDER}/NAME if not given.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a recording's reports and alerts would have been with other models and other rules, side by side.

    Production is not touched: no broker is needed, and nothing is recorded in the registry. Models classify the
    recorded pictures; the same model and the same rules give the live run's own report, to the byte. With --camera,
    --from or --to there is no comparison with the live run, which saw all.
    """
    from producers.recordings.recording import open_recording
    from roadwatch.backtesting.trying import Request, backtest
    from roadwatch.backtesting.variants import chosen_models, chosen_rules
    from roadwatch.interrupts import sigterm_as_interrupt

    settings, folder = quiet_settings_of(context), out or FOLDER / recording.absolute().stem
    _require_writable(folder)
    rule_sets = chosen_rules(rules or [], settings)
    selection = _selection(settings, camera, begin, end)
    models = chosen_models(model or [], settings.models)
    say_unsealed(open_recording(recording))
    request = Request(recording, models, rule_sets, selection, settings.processor)
    with sigterm_as_interrupt(), counted() as progress:
        result = backtest(request, progress)
    result.save(folder)
    if as_json:
        print_json(result.plain)
    else:
        _print(result, folder)


def _require_writable(folder: Path) -> None:
    """Nobody should wait for a long backtest whose page cannot be kept."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        raise ConfigurationError("--out", [f"{folder}: {there} is no folder that can be written into"])


def _selection(settings: "Settings", cameras: Sequence[str] | None, begin: str | None, end: str | None) -> "Selection":
    from producers.recordings.recording import Selection
    from roadwatch.commands.record.times import instant
    from schemas.times import to_us

    first = instant(begin, settings.monitor.timezone, "--from") if begin else None
    last = instant(end, settings.monitor.timezone, "--to") if end else None
    if first and last and last <= first:
        raise ConfigurationError("--to", [f"{end} is not after --from {begin}"])
    return Selection(
        cameras=frozenset(cameras) if cameras else None,
        from_us=to_us(first) if first else None,
        to_us=to_us(last) if last else None,
    )


def _print(result: "Result", folder: Path) -> None:
    from roadwatch.backtesting.trying import DOCUMENT, PAGE

    first, *others = result.plain["answer"]
    console.print(f"[bold]{escape(first)}[/]", highlight=False, soft_wrap=True)
    for sentence in others:
        console.print(f"  - {escape(sentence)}", highlight=False, soft_wrap=True)
    console.print(_table(result))
    for name, number in _troubles(result):
        errors.print(f"[yellow]{number} {escape(name)}[/]", highlight=False)
    console.print(f"{folder / PAGE} is the page; {DOCUMENT} beside it says the same.", highlight=False, soft_wrap=True)


def _table(result: "Result") -> "Table":
    """The variants beside each other, a column each."""
    from rich.table import Table

    table = Table(title_justify="left")
    table.add_column("")
    for ran in result.comparison.ran:
        table.add_column(
            f"{escape(ran.variant.model.name)}\n{escape(ran.variant.rules.name)}", justify="right", overflow="fold"
        )
    columns = [_cells(result, ran) for ran in result.comparison.ran]
    for name, cells in zip(ROWS, zip(*columns, strict=True), strict=True):
        table.add_row(name, *cells)
    return table


def _cells(result: "Result", ran: "Ran") -> tuple[str, ...]:
    from roadwatch.backtesting.answering import percent

    scores, (equal, days) = ran.scores, result.comparison.equal_days(ran.variant.name)
    return (
        percent(scores.accuracy),
        str(scores.labelled),
        percent(scores.f1),
        percent(scores.flip_rate),
        str(ran.passages),
        str(len(ran.reports)),
        str(len(ran.alerts)),
        f"{equal} of {days} days" if days else "–",
    )


def _troubles(result: "Result") -> list[tuple[str, int]]:
    """What was passed over, which nobody should have to look for."""
    counts = result.comparison.outcome.counts
    return [(name, n) for name, n in sorted(counts.items()) if n and name not in READ]
