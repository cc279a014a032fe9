"""The command line: `roadwatch --help`."""

import sys
from collections.abc import Callable
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


@app.callback()
def given(
    context: typer.Context,
    settings: Annotated[
        Path | None, typer.Option(help="The settings file; roadwatch.toml in this folder, if there is one.")
    ] = None,
) -> None:
    """Keep what stands before the command's name."""
    context.obj = Given(settings)


def main() -> None:
    """Run the command line: a person's mistake ends in a message and exit code 1 or 2, never in a traceback."""
    try:
        app()
    except ConfigurationError as error:
        _say(error)
        sys.exit(2)
    except RoadwatchError as error:
        _say(error)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _say(error: RoadwatchError) -> None:
    errors.print("[bold red]error:[/] ", end="")
    errors.print(str(error), markup=False, highlight=False, soft_wrap=True)
