"""`roadwatch up`: all services on this machine, until stopped."""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from roadwatch.context import console, errors, service
from roadwatch.local import SERVERS, say_elsewhere, usual_port, writable
from roadwatch.progress import downloads
from roadwatch.supervisor import Service, Supervisor
from runtime.settings import ServiceSettings, Settings
from schemas.errors import ConfigurationError

LAST_PORT = 65535


def up(
    context: typer.Context,
    folder: Annotated[Path, typer.Option(help="Keeps the broker's topics, mails and logs.")] = Path(
        "roadwatch-data/up"
    ),
    processors: Annotated[int, typer.Option(min=1, help="How many processors share the frames.")] = 1,
) -> None:
    """Run everything on this machine: your cameras, processors, monitor and mailer, until Ctrl-C.

    A challenger, where the model registry has one, is run in shadow beside the champion. A camera that cannot be read
    as it is described ends alone; the others go on.

    Where the settings name no Kafka (kafka.bootstrap_servers), a local one is started, at 127.0.0.1:9092 if that is
    free, where all commands look; where they name no mail server (mail.host), mails go into a local inbox. Cameras come
    from cameras.toml.

    Metrics (service.metrics_port) have a port for each service, from that one upwards: processors, shadow, monitor,
    mailer, cameras. A heartbeat file (service.heartbeat_file) is refused: it is for services that run by themselves.
    """
    with service(context, metrics=False) as (settings, stop), ExitStack() as stack:
        without_heartbeat(settings.service)
        services = measured(_services(settings, processors), settings.service.metrics_port)
        writable(folder, "--folder")
        overrides = {**_broker(settings, folder, stack), **_inbox(settings, folder, stack)}
        supervisor = Supervisor(
            services,
            settings_file=context.obj.settings_file,
            log_folder=folder / "logs",
            environment={**os.environ, **overrides},
        )
        stack.enter_context(supervisor)
        _say_begun(services, folder)
        while not stop.wait(0.5):
            for said in supervisor.check():
                errors.print(said, markup=False, highlight=False, soft_wrap=True)


def without_heartbeat(settings: ServiceSettings) -> None:
    """Raise ConfigurationError where all services would touch one file: it could not tell which of them is well."""
    if settings.heartbeat_file is not None:
        fault = f"{settings.heartbeat_file}: all services would touch it, and it would tell of none whether it is well"
        remedy = "leave it out; `up` itself watches them, and starts again what fails"
        raise ConfigurationError("service.heartbeat_file", [f"{fault}; {remedy}"])


def measured(services: Sequence[Service], first: int | None) -> list[Service]:
    """The services, each with a port for its metrics: the first one and those after it, cameras' last.

    Raises:
        ConfigurationError: there are not so many ports.

    """
    if not first:
        return list(services)
    if first + len(services) - 1 > LAST_PORT:
        raise ConfigurationError(
            "service.metrics_port", [f"{first}: {len(services)} services need a port each, and {LAST_PORT} is the last"]
        )
    order = sorted(services, key=lambda each: each.alone)
    ports = {each.name: first + place for place, each in enumerate(order)}
    return [replace(each, metrics_port=ports[each.name]) for each in services]


def _broker(settings: Settings, folder: Path, stack: ExitStack) -> dict[str, str]:
    """Start a broker where none is named, create what topics are missing; what services must be told of it."""
    from runtime.admin import TopicAdmin
    from runtime.broker import LocalBroker

    if "bootstrap_servers" in settings.kafka.model_fields_set:
        return {}
    broker = LocalBroker(folder / "broker", environment=os.environ, preferred_port=usual_port(settings.kafka))
    stack.callback(broker.stop)
    with downloads("Apache Kafka") as progress:
        broker.start(progress)
    servers = broker.bootstrap_servers
    TopicAdmin(settings.kafka.model_copy(update={"bootstrap_servers": servers})).create()
    console.print(f"Kafka answers at [bold]{servers}[/].")
    say_elsewhere(servers, settings.kafka)
    return {SERVERS: servers}


def _inbox(settings: Settings, folder: Path, stack: ExitStack) -> dict[str, str]:
    """Start an inbox where no mail server is named; what services must be told of it."""
    from monitor.inbox import Inbox

    if "host" in settings.mail.model_fields_set:
        return {}
    inbox = stack.enter_context(Inbox(folder / "inbox", port=0))
    console.print(f"Mails are kept in {folder / 'inbox'}.", markup=False, soft_wrap=True)
    return {"ROADWATCH_MAIL__HOST": "127.0.0.1", "ROADWATCH_MAIL__PORT": str(inbox.port)}


def _services(settings: Settings, processors: int) -> list[Service]:
    """In the order in which they stop: who writes before who reads."""
    from producers.cameras import load_cameras

    cameras = load_cameras(settings.cameras_file) if settings.cameras_file.exists() else ()
    if not cameras:
        console.print(f"No cameras: {settings.cameras_file} is not there. docs/cameras.md says what to write into it.")
    return [
        *(Service(f"camera-{each.id}", ("camera", "--only", each.id), ends=True, alone=True) for each in cameras),
        *(Service(f"processor-{n}", ("process", "--instance", str(n))) for n in range(1, processors + 1)),
        Service("shadow", ("process", "--shadow")),
        Service("monitor", ("monitor",)),
        Service("mailer", ("mail",)),
    ]


def _say_begun(services: Sequence[Service], folder: Path) -> None:
    ports = sorted((each.metrics_port, each.name) for each in services if each.metrics_port is not None)
    if ports:
        told = ", ".join(f"{name} {port}" for port, name in ports)
        console.print(f"Metrics: {told}.", markup=False, highlight=False, soft_wrap=True)
    console.print(
        f"{len(services)} services run; their logs are in {folder / 'logs'}. Ctrl-C stops them.",
        markup=False,
        soft_wrap=True,
    )
