"""The command line: `roadwatch --help`."""

import sys

INTERRUPTED = 130

try:
    import errno
    import os
    from collections.abc import Callable
    from importlib.metadata import version
    from pathlib import Path
    from typing import Annotated

    import typer

    from roadwatch.commands import (
        alerts,
        backtest,
        camera,
        config,
        demo,
        failures,
        label,
        ledger,
        models,
        passes,
        record,
        replay,
        report,
        rules,
        services,
        topics,
        up,
    )
    from roadwatch.context import Given, errors
    from schemas.errors import ConfigurationError, RoadwatchError
except KeyboardInterrupt:  # most of a short command's time is spent here
    sys.exit(INTERRUPTED)

OUTSIDE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO}
"What a disk or its permissions refuse: told as it is, since no change of the program would help."

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Classify the vehicles that road cameras see, on Kafka, and watch how well the model does.

Begin with **roadwatch demo**: a real Kafka, four simulated cameras, three days in a minute, and a mail.
Then **roadwatch up** runs the same services on your cameras (cameras.toml).

Settings come from roadwatch.toml and from the environment, ROADWATCH_KAFKA__BOOTSTRAP_SERVERS=kafka:9092 say;
**roadwatch config show** prints those in force.""",
)
app.add_typer(topics.app, name="topics", help="The topics on the cluster.")
app.add_typer(label.app, name="label", help="Labels: what frames and passages truly show.")
app.add_typer(models.app, name="models", help="A model's life: trained, registered, qualified, promoted, rolled back.")
app.add_typer(rules.app, name="rules", help="What raises an alert about a day: checked, explained, tried.")
app.add_typer(alerts.app, name="alerts", help="Alerts: listed, acknowledged, silenced for a while.")
app.add_typer(record.app, name="record", help="Streams kept in a folder: recorded, looked at, cut and merged.")
app.add_typer(report.app, name="report", help="The days' reports: shown, listed, summed up, and as pages with plots.")
app.add_typer(config.app, name="config", help="The settings in force.")
COMMANDS: tuple[Callable[..., None], ...] = (
    demo.demo,
    up.up,
    services.broker,
    camera.camera,
    services.process,
    services.monitor,
    services.mail,
    services.inbox,
    services.health,
    passes.passes,
    ledger.ledger,
    replay.replay,
    backtest.backtest,
    failures.failures,
)
for command in COMMANDS:
    app.command()(command)


def _say_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"roadwatch {version('roadwatch')}\n")
        raise typer.Exit


@app.callback()
def given(
    context: typer.Context,
    settings: Annotated[
        Path | None, typer.Option(help="The settings file; roadwatch.toml in this folder, if there is one.")
    ] = None,
    _version: Annotated[
        bool, typer.Option("--version", help="Say which version this is.", is_eager=True, callback=_say_version)
    ] = False,
) -> None:
    """Keep what stands before the command's name."""
    context.obj = Given(settings)


def main() -> None:
    """Run the command line: a person's mistake ends in a message and exit code 1 or 2, never in a traceback."""
    try:
        _run()
    except ConfigurationError as error:
        _say(str(error))
        sys.exit(2)
    except RoadwatchError as error:
        _say(str(error))
        sys.exit(1)
    except BrokenPipeError:
        _leave_output()
        sys.exit(1)
    except OSError as error:
        if error.errno not in OUTSIDE:
            raise
        _leave_output()
        _say(f"{error.filename or 'the output'} cannot be written or read: {error.strerror}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _run() -> None:
    try:
        app()
    finally:
        if sys.stdout:  # None where it was closed
            sys.stdout.flush()  # what a full disk refuses is said by us, and not by the interpreter as it ends


def _leave_output() -> None:
    """What is still held back for standard output goes nowhere: nobody can take it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(text: str) -> None:
    errors.print("[bold red]error:[/] ", end="")
    errors.print(text, markup=False, highlight=False, soft_wrap=True)
