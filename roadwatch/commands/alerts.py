"""`roadwatch alerts`: what is open, and what people say of it."""

from contextlib import suppress
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
    from monitor.silences import Silence
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
    settings = settings_of(context)
    found = [alert for alert in _known(settings) if everything or alert.state != "resolved"]
    found.sort(key=lambda alert: (alert.raised_at, alert.alert_id), reverse=True)
    if as_json:
        print_json([asdict(alert) | {"report": None} for alert in found])
        return
    if found:
        print_whole(alert_table(found))
    else:
        console.print("No alert is open." if not everything else "There are no alerts.")
    _say_silences(_silences(settings))


@app.command()
def silences(context: typer.Context, as_json: AsJson = False) -> None:
    """List what is silenced, until when, by whom and why; also what is over by itself."""
    found, now = _silences(settings_of(context)), datetime.now(UTC)
    if as_json:
        print_json([_plain(each, now) for each in found])
    elif found:
        print_whole(silence_table(found, now))
    else:
        console.print("Nothing is silenced.")


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
    from monitor.silences import target_of

    until = datetime.now(UTC) + duration(span, "--for")
    settings, terms = settings_of(context), _terms(target)
    _check_rule(settings, terms.get("rule"))
    _send(settings, "silence", target_of(terms), by, until, reason)
    console.print(f"Silent until {until:%Y-%m-%d %H:%M} UTC: {target}", markup=False, highlight=False)
    _warn_of_camera(settings, terms.get("camera"))


@app.command()
def unsilence(
    context: typer.Context,
    target: Annotated[str, typer.Argument(help="What was silenced, as it was named.", show_default=False)],
    by: Who = None,
) -> None:
    """End a silence; exit code 1 where there is none."""
    from monitor.silences import target_of

    settings, plain = settings_of(context), target_of(_terms(target))
    lasting = [each.target for each in _lasting(_silences(settings))]
    if plain not in lasting:
        held = "; ".join(lasting) or "nothing"
        errors.print(f"{target} is not silent; silent is {held}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1)
    _send(settings, "unsilence", plain, by, None, "")
    console.print(f"No longer silent: {target}", markup=False, highlight=False)


def _terms(target: str) -> dict[str, str]:
    from monitor.silences import terms_of

    try:
        return terms_of(target)
    except ValueError as error:
        raise ConfigurationError("TARGET", [str(error)]) from error


def _check_rule(settings: "Settings", rule: str | None) -> None:
    """Raise ConfigurationError for a rule that raises no alerts here."""
    from monitor.alerting.entries import INCIDENT
    from monitor.model_alerts import RULE as REFUSED
    from monitor.policies import rules_of
    from monitor.stillness import RULE as SILENT
    from runtime.faults import nearest

    if rule is None or rule in (INCIDENT, REFUSED, SILENT):
        return
    known = [*(each.name for each in rules_of(settings.monitor)), INCIDENT, REFUSED, SILENT]
    if rule not in known:
        raise ConfigurationError("TARGET", [f"{rule!r} is no rule; {nearest(rule, known)}"])


def _warn_of_camera(settings: "Settings", camera: str | None) -> None:
    """Say of a camera that nobody here knows that it is not known: it may be described elsewhere."""
    from runtime.faults import nearest

    if camera is None or camera in (known := _cameras(settings)):
        return
    near = nearest(camera, sorted(known))
    said = f"No camera {camera!r} is in {settings.cameras_file}, or has had an alert{near and f'; {near}'}"
    errors.print(f"{said}. If it is described elsewhere, all is well.", markup=False, highlight=False, soft_wrap=True)


def _cameras(settings: "Settings") -> set[str]:
    from producers.cameras import named_in

    described: tuple[str, ...] = ()
    with suppress(ConfigurationError):  # what is wrong with the file is no reason not to silence a camera
        described = named_in(settings.cameras_file)
    told = {name for alert in _known(settings) for name in (alert.camera_id, *alert.cameras) if name}
    return {*described, *told}


def _silences(settings: "Settings") -> "list[Silence]":
    from roadwatch.told import silences_told

    return silences_told(settings.kafka, _say_left_out)


def _lasting(found: "list[Silence]") -> "list[Silence]":
    now = datetime.now(UTC)
    return [each for each in found if each.until > now]


def _say_silences(found: "list[Silence]") -> None:
    if n := len(_lasting(found)):
        holds = "silence holds" if n == 1 else "silences hold"
        console.print(f"{n} {holds}; `roadwatch alerts silences` lists them.", highlight=False)


def _plain(silence: "Silence", now: datetime) -> dict[str, object]:
    return {
        "target": silence.target,
        "until": silence.until,
        "by": silence.by,
        "reason": silence.reason,
        "over": silence.until <= now,
    }


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


def silence_table(found: "list[Silence]", now: datetime) -> Table:
    """A line for each silence; what they hold for is never broken."""
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("Silent", "Until (UTC)", "", "By", "Why"):
        table.add_column(heading, overflow="fold")
    for each in found:
        target, by, why = (Text(printable(text)) for text in (each.target, each.by, each.reason or "–"))
        table.add_row(target, f"{each.until:%Y-%m-%d %H:%M}", "over" if each.until <= now else "holds", by, why)
    return unbroken(table, 0)


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
