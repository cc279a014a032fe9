"""`roadwatch failures`: what failed on a day has in common, what it costs, and what would help."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from roadwatch.context import AsJson, console, print_json, quiet_settings_of
from roadwatch.progress import counted
from schemas.errors import ConfigurationError

if TYPE_CHECKING:
    from roadwatch.failing.request import FailuresRequest
    from runtime.settings import Settings

FOLDER = Path("roadwatch-data/failures")
DAYS = "latest, yesterday, or 2026-11-23"


def failures(  # noqa: PLR0913, PLR0917  # each option is an argument
    context: typer.Context,
    day: Annotated[
        str | None, typer.Argument(metavar="DAY", help=f"A day: {DAYS}; latest if not given.", show_default=False)
    ] = None,
    camera: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Only of this camera; several times for several.")
    ] = None,
    alert: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Of an alert's day and cameras, as 'roadwatch alerts list' names it."),
    ] = None,
    most: Annotated[
        int, typer.Option(min=20, max=100_000, help="So many examples are looked at: failures first, right ones drawn.")
    ] = 2000,
    shown: Annotated[int, typer.Option(min=0, max=50, help="So many examples of each group are shown.")] = 6,
    seed: Annotated[int, typer.Option(min=0, help="Another one draws others.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help=f"The folder for page and JSON; {FOLDER}/DAY if not given.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Group a day's failures: what they have in common, what each group costs, and what would help.

    All vehicles of the day whose truth is known are looked at: labels come from the ledger and from the topic, pictures
    from the cluster or, where they are gone there, from the archive. A page shows each group with examples, and what in
    their pictures decided.
    """
    from roadwatch.failing.page import write_page
    from roadwatch.failing.session import failures_of
    from roadwatch.failing.terminal import failures_view
    from roadwatch.failing.words import plain
    from roadwatch.interrupts import sigterm_as_interrupt
    from roadwatch.qualification.outcome import require_writable

    settings = quiet_settings_of(context)
    asked = replace(_asked(settings, day, camera, alert), most=most, shown=shown, seed=seed)
    folder = out or FOLDER / asked.day
    require_writable(folder if folder.exists() else folder.parent)
    with sigterm_as_interrupt(), counted() as progress:
        found = failures_of(settings, asked, progress)
    page = write_page(found, folder)
    if as_json:
        print_json({**plain(found), "page": str(page)})
        return
    console.print(failures_view(found), highlight=False, soft_wrap=True)
    console.print(
        f"{page} is the page; failures.json beside it says the same.", markup=False, highlight=False, soft_wrap=True
    )


def _asked(settings: "Settings", day: str | None, camera: list[str] | None, alert: str | None) -> "FailuresRequest":
    """Whose failures: of a day, or of an alert; cameras that are named go before the alert's."""
    from monitor.windows import Calendar
    from roadwatch.failing.alarms import alert_of, request_of
    from roadwatch.failing.request import FailuresRequest

    cameras = tuple(sorted(set(camera or ())))
    if alert is None:
        return FailuresRequest(_day(settings, day or "latest"), cameras)
    if day is not None:
        raise ConfigurationError("--alert", [f"an alert has its day; leave out {day}, or leave out --alert"])
    asked = request_of(alert_of(settings.kafka, alert), Calendar(settings.monitor.timezone))
    return replace(asked, cameras=cameras or asked.cameras)


def _day(settings: "Settings", text: str) -> str:
    """The day that was named; the cluster is asked only for the latest."""
    from roadwatch.reporting.days import span_of
    from roadwatch.reporting.reading import Cluster

    reported = list(Cluster(settings).reports()) if text == "latest" else []
    span = span_of(text, "DAY", datetime.now(ZoneInfo(settings.monitor.timezone)).date(), reported)
    if not span.is_one:
        raise ConfigurationError("DAY", [f"{text} is more than a day; failures are analysed day by day"])
    return span.short
