"""`roadwatch alerts`: what is open, and what people say of it."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from roadwatch.announcing import login
from roadwatch.commands.record.times import duration
from roadwatch.context import AsJson, console, errors, print_json, print_whole, printable, settings_of, unbroken
from schemas.errors import ConfigurationError, RecordError

if TYPE_CHECKING:
    from runtime.settings import Settings
    from schemas.records import Alert, AlertActionKind

app = typer.Typer(no_args_is_help=True)

COLOURS = {"critical": "bold red", "warning": "yellow", "info": "cyan"}
Why = Annotated[str, typer.Option("--reason", help="Why, for others to read.")]
Who = Annotated[str | None, typer.Option("--by", help="Who says so; the name of your login if not given.")]


@app.callback()
def alerts() -> None:
    """Alerts: what is open, and what people say of it."""


@app.command("list")
def list_alerts(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Resolved ones too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List alerts, the newest first."""
    found = [alert for alert in _known(settings_of(context)) if everything or alert.state != "resolved"]
    found.sort(key=lambda alert: (alert.raised_at, alert.alert_id), reverse=True)
    if as_json:
        print_json([asdict(alert) | {"report": None} for alert in found])
    elif found:
        print_whole(alert_table(found))
    else:
        console.print("No alert is open." if not everything else "There are no alerts.")


@app.command("ack")
def acknowledge(
    context: typer.Context,
    alert_id: Annotated[str, typer.Argument(help="Which, as `roadwatch alerts list` names it.", show_default=False)],
    by: Who = None,
    reason: Why = "",
) -> None:
    """Say that somebody is at an alert: it reminds nobody any more."""
    settings = settings_of(context)
    known = {alert.alert_id for alert in _known(settings) if alert.state != "resolved"}
    if alert_id not in known:
        raise ConfigurationError(
            "ALERT_ID", [f"{alert_id!r} is not open; open are {', '.join(sorted(known)) or 'none'}"]
        )
    _send(settings, "acknowledge", alert_id, by, None, reason)
    console.print(f"{alert_id} is acknowledged.", markup=False, highlight=False)


@app.command()
def silence(
    context: typer.Context,
    target: Annotated[
        str,
        typer.Argument(
            help="camera=gate, cause=fog, rule=accuracy; several with commas hold together.", show_default=False
        ),
    ],
    span: Annotated[str, typer.Option("--for", help="How long: 30m, 12h, 7d, 1w.")] = "1d",
    by: Who = None,
    reason: Why = "",
) -> None:
    """Send no alerts of a kind for a while; what is still open then is sent."""
    until = datetime.now(UTC) + duration(span, "--for")
    _send(settings_of(context), "silence", _checked(target), by, until, reason)
    console.print(f"Silent until {until:%Y-%m-%d %H:%M} UTC: {target}", markup=False, highlight=False)


@app.command()
def unsilence(
    context: typer.Context,
    target: Annotated[str, typer.Argument(help="What was silenced, as it was named.", show_default=False)],
    by: Who = None,
) -> None:
    """End a silence."""
    _send(settings_of(context), "unsilence", _checked(target), by, None, "")
    console.print(f"No longer silent: {target}", markup=False, highlight=False)


def _checked(target: str) -> str:
    from monitor.silences import terms_of

    try:
        terms_of(target)
    except ValueError as error:
        raise ConfigurationError("TARGET", [str(error)]) from error
    return target


def _known(settings: "Settings") -> "list[Alert]":
    """Each alert in its newest state."""
    from roadwatch.told import alerts_told

    return list({alert.alert_id: alert for alert in alerts_told(settings.kafka, _say_left_out)}.values())


def _say_left_out(offset: int, error: RecordError) -> None:
    errors.print(f"left out, offset {offset}: {error}", markup=False, highlight=False, soft_wrap=True)


def _send(
    settings: "Settings", kind: "AlertActionKind", target: str, by: str | None, until: datetime | None, reason: str
) -> None:
    from runtime.admin import TopicAdmin
    from runtime.clients import Writer
    from runtime.registry import open_codec
    from schemas.records import AlertAction
    from schemas.topics import ALERT_ACTIONS

    TopicAdmin(settings.kafka).require()
    action = AlertAction(kind, target, by or login(), datetime.now(UTC), until, reason)
    with Writer(settings.kafka, open_codec(settings.kafka)) as writer:
        writer.send(ALERT_ACTIONS, target, action)
        writer.flush()


def alert_table(found: "list[Alert]") -> Table:
    """A line for each alert; their ids are never broken."""
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("Alert", "State", "Severity", "Since (UTC)", "Cause", "What"):
        table.add_column(heading, overflow="fold")
    for alert in found:
        name, cause, title = (Text(printable(text)) for text in (alert.alert_id, alert.cause or "–", alert.title))
        severity = Text(alert.severity, COLOURS[alert.severity])
        table.add_row(name, alert.state, severity, f"{alert.since:%Y-%m-%d %H:%M}", cause, title)
    return unbroken(table, 0)
