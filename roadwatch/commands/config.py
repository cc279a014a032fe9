"""`roadwatch config`: the settings in force, and their faults."""

from collections.abc import Callable
from typing import TypeVar

import typer

from roadwatch.context import AsJson, console, print_json, settings_of
from schemas.errors import ConfigurationError

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True)


@app.command()
def check(context: typer.Context, as_json: AsJson = False) -> None:
    """Read settings, cameras, rules, subscriptions and channels, and name every fault; exit code 2 when there is any."""
    from monitor.channels import open_channels
    from monitor.policies import rules_of, subscribers_of
    from producers.cameras import load_cameras

    settings, faults = settings_of(context), list[str]()
    cameras = _sound(faults, lambda: load_cameras(settings.cameras_file) if settings.cameras_file.exists() else ())
    rules = _sound(faults, lambda: rules_of(settings.monitor))
    _sound(faults, lambda: subscribers_of(settings.mail))
    _sound(faults, lambda: tuple(open_channels(settings.mail)))
    if faults:
        raise ConfigurationError("settings", faults)
    if as_json:
        print_json({"faults": [], "cameras": [camera.id for camera in cameras], "rules": [rule.name for rule in rules]})
    else:
        described = f"{len(cameras)} cameras" if cameras else f"no cameras ({settings.cameras_file} is not there)"
        console.print(f"The settings are sound; {described}, {len(rules)} rules.")


def _sound(faults: list[str], read: Callable[[], tuple[T, ...]]) -> tuple[T, ...]:
    """What is read; nothing of what has faults, which join those that are known."""
    try:
        return read()
    except ConfigurationError as error:
        faults += [f"{error.where}: {fault}" for fault in error.faults]
        return ()


@app.command()
def show(context: typer.Context) -> None:
    """Print the settings in force as JSON; passwords and channels' URLs are hidden."""
    print_json(settings_of(context).model_dump(mode="json"))
