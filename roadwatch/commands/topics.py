"""`roadwatch topics`: the topic table, carried to the cluster and compared with it."""

from typing import TypedDict

import typer
from rich.table import Table

from roadwatch.context import AsJson, console, print_json, print_whole, settings_of, unbroken
from runtime.admin import ExistingTopic, TopicAdmin
from runtime.settings import Settings
from schemas.errors import TopicError
from schemas.topics import WantedTopic

app = typer.Typer(no_args_is_help=True)


@app.command()
def create(context: typer.Context, as_json: AsJson = False) -> None:
    """Create the topics that are missing, and register their schemas where a registry is configured."""
    from runtime.registry import open_codec

    settings = settings_of(context)
    created = TopicAdmin(settings.kafka).create()
    open_codec(settings.kafka)
    if as_json:
        print_json({"created": created})
    else:
        console.print(
            f"{len(created)} topics created: {', '.join(created)}" if created else "All topics are there already."
        )


@app.command("list")
def show(context: typer.Context, as_json: AsJson = False) -> None:
    """Show the topic table beside the cluster."""
    settings = settings_of(context)
    admin = TopicAdmin(settings.kafka)
    existing = admin.existing()
    lines = [line_of(wanted, existing.get(wanted.name)) for wanted in admin.wanted()]
    if as_json:
        print_json(lines)
    else:
        print_whole(topic_table(settings, lines))


@app.command()
def check(context: typer.Context, as_json: AsJson = False) -> None:
    """Say what differs from the topic table; exit code 1 when anything does."""
    admin = TopicAdmin(settings_of(context).kafka)
    if as_json:
        faults = admin.faults()
        print_json({"faults": faults})
        raise typer.Exit(1 if faults else 0)
    try:
        admin.require()
    except TopicError as error:
        console.print(str(error), markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
    console.print("All topics are as the table says.")


class Line(TypedDict):
    """A topic, wanted and found."""

    topic: str
    partitions: int | None
    wanted_partitions: int
    config: dict[str, str]


def line_of(wanted: WantedTopic, existing: ExistingTopic | None) -> Line:
    """Say what is wanted of a topic, and what was found; None for nothing."""
    return Line(
        topic=wanted.name,
        partitions=existing.partitions if existing else None,
        wanted_partitions=wanted.partitions,
        config=wanted.config,
    )


def topic_table(settings: Settings, lines: list[Line]) -> Table:
    """A line for each topic; their names are never broken."""
    table = Table(title=f"Topics at {settings.kafka.bootstrap_servers}")
    for column in ("topic", "partitions", "cleanup", "retention", "largest record"):
        table.add_column(column, overflow="fold")
    for line in lines:
        config = line["config"]
        table.add_row(
            line["topic"],
            str(line["partitions"] or "missing"),
            config["cleanup.policy"],
            _days(int(config["retention.ms"])),
            f"{int(config['max.message.bytes']) // 1024} KiB",
        )
    return unbroken(table, 0)


def _days(milliseconds: int) -> str:
    return "for good" if milliseconds < 0 else f"{milliseconds / 86_400_000:g} days"


@app.command()
def asyncapi(context: typer.Context) -> None:
    """Print an AsyncAPI 3.0 document of all topics, as JSON."""
    from importlib.metadata import version

    from schemas.asyncapi import asyncapi as document

    settings = settings_of(context)
    print_json(document(settings.kafka.names, settings.kafka.bootstrap_servers, version("roadwatch")))
