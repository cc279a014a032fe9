"""`roadwatch config`: the settings in force, and their faults."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from roadwatch.context import AsJson, console, errors, print_json, settings_of
from schemas.errors import ConfigurationError

if TYPE_CHECKING:
    from roadwatch.checking import Checked

app = typer.Typer(no_args_is_help=True)


@app.command()
def check(
    context: typer.Context,
    elsewhere: Annotated[
        bool,
        typer.Option(
            "--elsewhere", help="Only warn of secrets, recordings and other files that are not on this machine."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read settings, cameras, rules, subscriptions and channels, and name every fault; exit code 2 when there is any.

    Nothing is connected to. Files that the settings name have to be on this machine, as they are where the services run.
    """
    from roadwatch.checking import check as checked

    found = checked(context.obj.settings_file, os.environ, elsewhere=elsewhere)
    for warning in found.warnings:
        errors.print(f"warning: {warning}", markup=False, highlight=False, soft_wrap=True)
    if as_json:
        print_json({name: getattr(found, name) for name in ("faults", "warnings", "cameras", "rules")})
    if found.faults:
        raise ConfigurationError("settings", found.faults)
    if not as_json:
        _say(found)


def _say(found: "Checked") -> None:
    described = f"{len(found.cameras)} cameras" if found.cameras else f"no cameras ({found.cameras_file} is not there)"
    text = f"The settings are sound; {described}, {len(found.rules)} rules."
    console.print(text, markup=False, highlight=False, soft_wrap=True)


@app.command()
def show(context: typer.Context) -> None:
    """Print the settings in force as JSON; passwords and channels' URLs are hidden."""
    print_json(settings_of(context).model_dump(mode="json"))
