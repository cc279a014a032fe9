"""`roadwatch camera`: films with the cameras of cameras.toml, or with one that is described on the spot."""

import logging
import os
import re
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from roadwatch.context import service
from runtime.settings import Settings
from schemas.errors import ConfigurationError

if TYPE_CHECKING:
    from producers.cameras import CameraConfig


SOURCE_THREAD = "camera "
"How the names of live sources' threads begin."


def camera(  # noqa: PLR0913, PLR0917  # each option is an argument
    context: typer.Context,
    only: Annotated[
        list[str] | None, typer.Option(help="Film only with this camera of cameras.toml; repeatable.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            help="A video, a folder of pictures, rtsp://…, http://…, usb:0 or sim:gate, instead of cameras.toml."
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--id", help="That camera's id; made from its source if not given.")
    ] = None,
    zone: Annotated[
        list[str] | None,
        typer.Option(
            help="A lane and its line: 'NAME: x,y x,y x,y x,y / x,y x,y', in pixels or fractions; repeatable."
        ),
    ] = None,
    gate: Annotated[
        bool | None, typer.Option("--gate/--no-gate", help="Push passing vehicles, or every n-th whole picture.")
    ] = None,
    every: Annotated[int | None, typer.Option(help="n, with --no-gate.")] = None,
    speed: Annotated[
        float | None, typer.Option(help="Event time per wall time of a recording: 1 as it happened, 0 without waiting.")
    ] = None,
    loop: Annotated[bool | None, typer.Option("--loop", help="Begin a recording again at its end.")] = None,
    start: Annotated[
        str | None, typer.Option(help="Event time of a recording's first picture, such as 2026-03-02T06:00:00Z.")
    ] = None,
) -> None:
    """Film: pictures in, frames and telemetry out to Kafka.

    Without --source all cameras of cameras.toml run, a thread each; one that fails says why, and the others go on. A
    recording ends by itself, and read again it gives the same frames under the same ids. A live camera that vanishes is
    waited for.

    roadwatch camera --source clip.mp4 --zone "lane-1: 0.4,0.3 0.6,0.3 0.8,0.9 0.2,0.9" --speed 0
    """
    from producers.camera import run_cameras
    from runtime.service import Pulse

    described = {"id": name, "zones": zone, "gate": gate, "every": every, "speed": speed, "loop": loop, "start": start}
    given = {option: value for option, value in described.items() if value is not None}
    with service(context) as (settings, stop):
        cameras = [_described(source, given)] if source else _chosen(settings, only or [], given)
        run_cameras(cameras, settings, stop, Pulse(settings.service.heartbeat_file).beat)
    _leave_stuck_drivers()


def _leave_stuck_drivers() -> None:
    """End at once where OpenCV still tries to connect: Python's orderly end would abort the process in its midst.

    Everything is sent and said by now; such a thread holds nothing but the attempt.
    """
    if any(thread.daemon and thread.name.startswith(SOURCE_THREAD) for thread in threading.enumerate()):
        logging.shutdown()
        os._exit(0)


def _described(source: str, given: Mapping[str, object]) -> "CameraConfig":
    from producers.cameras import read_camera

    return read_camera({"id": _id_of(source), "source": source, **given})


def _id_of(source: str) -> str:
    """An id from a source: of an address only its kind, because the rest may hold a password."""
    if "://" in source:
        return "camera"
    text = source if ":" in source else Path(source).stem
    return re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-._") or "camera"


def _chosen(settings: Settings, only: Sequence[str], given: Mapping[str, object]) -> "list[CameraConfig]":
    from producers.cameras import load_cameras

    if given:
        raise ConfigurationError(
            "command line", [f"--{name}: describes a camera, and there is no --source" for name in given]
        )
    cameras = load_cameras(settings.cameras_file)
    known = [camera.id for camera in cameras]
    if faults := [
        f"--only {name!r}: no such camera; there are {', '.join(known)}" for name in only if name not in known
    ]:
        raise ConfigurationError(str(settings.cameras_file), faults)
    return [camera for camera in cameras if not only or camera.id in only]
