"""`roadwatch config`: the settings in force, and their faults."""

import typer

from roadwatch.context import AsJson, console, print_json, settings_of

app = typer.Typer(no_args_is_help=True)


@app.command()
def check(context: typer.Context, as_json: AsJson = False) -> None:
    """Read settings and cameras, and name every fault; exit code 2 when there is any."""
    from producers.cameras import load_cameras

    settings = settings_of(context)
    cameras = load_cameras(settings.cameras_file) if settings.cameras_file.exists() else ()
    if as_json:
        print_json({"faults": [], "cameras": [camera.id for camera in cameras]})
    else:
        described = f"{len(cameras)} cameras" if cameras else f"no cameras ({settings.cameras_file} is not there)"
        console.print(f"The settings are sound; {described}.")


@app.command()
def show(context: typer.Context) -> None:
    """Print the settings in force as JSON; passwords are hidden."""
    print_json(settings_of(context).model_dump(mode="json"))
