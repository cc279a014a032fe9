"""`roadwatch up`: all services on this machine, until stopped."""

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from roadwatch.context import console, service
from roadwatch.progress import downloads
from roadwatch.supervisor import Service, Supervisor
from runtime.settings import Settings


def up(
    context: typer.Context,
    folder: Annotated[Path, typer.Option(help="Keeps the broker's topics, mails and logs.")] = Path(
        "roadwatch-data/up"
    ),
    processors: Annotated[int, typer.Option(min=1, help="How many processors share the frames.")] = 1,
) -> None:
    """Run everything on this machine: your cameras, processors, monitor and mailer, until Ctrl-C.

    A challenger, where the model registry has one, is run in shadow beside the champion.

    Where the settings name no Kafka (kafka.bootstrap_servers), a local one is started; where they name no mail server
    (mail.host), mails go into a local inbox. Cameras come from cameras.toml.
    """
    with service(context) as (settings, stop), ExitStack() as stack:
        overrides = {**_broker(settings, folder, stack), **_inbox(settings, folder, stack)}
        services = _services(settings, processors)
        supervisor = Supervisor(
            services,
            settings_file=context.obj.settings_file,
            log_folder=folder / "logs",
            environment={**os.environ, **overrides},
        )
        stack.enter_context(supervisor)
        console.print(f"{len(services)} services run; their logs are in {folder / 'logs'}. Ctrl-C stops them.")
        while not stop.wait(0.5):
            supervisor.check()


def _broker(settings: Settings, folder: Path, stack: ExitStack) -> dict[str, str]:
    """Start a broker where none is named, create what topics are missing; what services must be told of it."""
    from runtime.admin import TopicAdmin
    from runtime.broker import LocalBroker

    if "bootstrap_servers" in settings.kafka.model_fields_set:
        return {}
    broker = LocalBroker(folder / "broker", environment=os.environ)
    stack.callback(broker.stop)
    with downloads("Apache Kafka") as progress:
        broker.start(progress)
    servers = broker.bootstrap_servers
    TopicAdmin(settings.kafka.model_copy(update={"bootstrap_servers": servers})).create()
    console.print(f"Kafka answers at [bold]{servers}[/].")
    return {"ROADWATCH_KAFKA__BOOTSTRAP_SERVERS": servers}


def _inbox(settings: Settings, folder: Path, stack: ExitStack) -> dict[str, str]:
    """Start an inbox where no mail server is named; what services must be told of it."""
    from monitor.inbox import Inbox

    if "host" in settings.mail.model_fields_set:
        return {}
    inbox = stack.enter_context(Inbox(folder / "inbox", port=0))
    console.print(f"Mails are kept in {folder / 'inbox'}.")
    return {"ROADWATCH_MAIL__HOST": "127.0.0.1", "ROADWATCH_MAIL__PORT": str(inbox.port)}


def _services(settings: Settings, processors: int) -> list[Service]:
    from producers.cameras import load_cameras

    cameras = load_cameras(settings.cameras_file) if settings.cameras_file.exists() else ()
    if not cameras:
        console.print(f"No cameras: {settings.cameras_file} is not there. docs/cameras.md says what to write into it.")
    return [
        *(Service(f"camera-{camera.id}", ("camera", "--only", camera.id), ends=True) for camera in cameras),
        *(Service(f"processor-{n}", ("process", "--instance", str(n))) for n in range(1, processors + 1)),
        Service("shadow", ("process", "--shadow")),
        Service("monitor", ("monitor",)),
        Service("mailer", ("mail",)),
    ]
