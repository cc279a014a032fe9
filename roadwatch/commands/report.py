"""`roadwatch report`: what the days' reports say."""

import json
import webbrowser
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from roadwatch.context import AsJson, console, errors, print_json, print_whole, quiet_settings_of
from schemas.errors import ConfigurationError, RoadwatchError

if TYPE_CHECKING:
    from roadwatch.reporting.days import Span
    from roadwatch.reporting.reading import Source
    from runtime.settings import Settings
    from schemas.records import DayReport

DAYS = "latest, yesterday, 2026-11-23, 2026-11-16..2026-11-22, or a week, 2026-W47"
KINDS = (".html", ".json")

Day = Annotated[str, typer.Argument(metavar="DAY", help=f"A day, or several: {DAYS}.")]
From = Annotated[
    Path | None,
    typer.Option("--recording", help="Read a recording, a folder or a zip file, not the cluster.", show_default=False),
]
First = Annotated[str | None, typer.Option("--from", metavar="DAY", help="The first day.", show_default=False)]
Last = Annotated[str | None, typer.Option("--to", metavar="DAY", help="The last day.", show_default=False)]


def show(context: typer.Context, day: Day = "latest", recording: From = None, as_json: AsJson = False) -> None:
    """Show a day's report: how right the model was, what was found, which alerts were raised; or several days summed up."""
    known = _read(context, recording)
    span = known.span(day, "DAY")
    if span.is_one:
        _show_day(known.those(span, "DAY")[0], as_json)
    else:
        _show_days(known, span, "DAY", as_json)


def list_days(
    context: typer.Context, begin: First = None, end: Last = None, recording: From = None, as_json: AsJson = False
) -> None:
    """List the days that are reported on, a line each: accuracy with its interval, estimate, vehicles, alerts."""
    from roadwatch.reporting.days import asked_of, there
    from roadwatch.reporting.figures import plain
    from roadwatch.reporting.ranges import day_line
    from roadwatch.reporting.terminal import days_table

    known = _read(context, recording)
    first, last = known.bound(begin, "--from"), known.bound(end, "--to")
    reports = known.reports
    lines = [day_line(reports[day]) for day in asked_of(reports, first, last)]
    if as_json:
        print_json([plain(line) for line in lines])
    elif lines:
        print_whole(days_table(lines))
    else:
        console.print(f"Nothing to list: {there(reports)}.", highlight=False, soft_wrap=True)


def export(
    context: typer.Context,
    day: Day = "latest",
    to: Annotated[
        Path | None,
        typer.Option(help="FILE.html, or FILE.json; report-DAY.html if not given.", metavar="FILE", show_default=False),
    ] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
    recording: From = None,
) -> None:
    """Write a day's report, or several days' summary, as one page with plots and pictures, which needs nothing else.

    The pictures are of the frames to look at, as long as they are kept.
    """
    if to and to.suffix not in KINDS:
        raise ConfigurationError("--to", [f"{to}: neither a page, FILE.html, nor FILE.json"])
    known = _read(context, recording)
    span = known.span(day, "DAY")
    file = to or Path(f"report-{span.short}.html")
    _write(file, known.document(span, "DAY", page=file.suffix == ".html"))
    console.print(f"{file}", markup=False, highlight=False, soft_wrap=True)
    if open_it:
        webbrowser.open(file.absolute().as_uri())


def sum_range(
    context: typer.Context,
    begin: Annotated[str, typer.Option("--from", metavar="DAY", help="The first day.", show_default=False)],
    end: Annotated[str, typer.Option("--to", metavar="DAY", help="The last day.", show_default=False)],
    recording: From = None,
    as_json: AsJson = False,
) -> None:
    """Sum several days up: what was said of what, accuracy by day and by camera, the worst days, the alerts.

    `roadwatch report export DAY..DAY` makes a page of the same.
    """
    from roadwatch.reporting.days import span_between

    known = _read(context, recording)
    span = span_between(known.day(begin, "--from"), known.day(end, "--to"), "--to")
    _show_days(known, span, "--from", as_json)


def sum_week(
    context: typer.Context,
    week: Annotated[
        str | None,
        typer.Argument(metavar="WEEK", help="Such as 2026-W47; the newest report's if not given.", show_default=False),
    ] = None,
    recording: From = None,
    as_json: AsJson = False,
) -> None:
    """Sum a week up, Monday to Sunday, as `roadwatch report range` does."""
    from roadwatch.reporting.days import week_around

    known = _read(context, recording)
    span = known.span(week, "WEEK") if week else week_around(known.span("latest", "WEEK").first)
    _show_days(known, span, "WEEK", as_json)


COMMANDS: Mapping[str, Callable[..., None]] = {
    "show": show,
    "list": list_days,
    "export": export,
    "range": sum_range,
    "week": sum_week,
}
app = typer.Typer(no_args_is_help=True)
for name, command in COMMANDS.items():
    app.command(name)(command)


@dataclass(frozen=True, slots=True)
class _Known:
    """The reports that there are, and where they come from."""

    settings: "Settings"
    "In force."
    source: "Source"
    "Cluster or recording."
    reports: "Mapping[str, DayReport]"
    "By day, in order."

    def span(self, text: str, option: str) -> "Span":
        """The days that a text means; raises ConfigurationError for none."""
        from roadwatch.reporting.days import span_of

        return span_of(text, option, self._today, list(self.reports))

    def day(self, text: str, option: str) -> date:
        """The one day that a text means; raises ConfigurationError for none."""
        from roadwatch.reporting.days import day_meant

        return day_meant(text, option, self._today, list(self.reports))

    def bound(self, text: str | None, option: str) -> str | None:
        """The same as it is written; None for no text."""
        return f"{self.day(text, option)}" if text else None

    @property
    def _today(self) -> date:
        return datetime.now(ZoneInfo(self.settings.monitor.timezone)).date()

    def those(self, span: "Span", option: str) -> "list[DayReport]":
        """The reports of these days; raises ConfigurationError where there is none."""
        from roadwatch.reporting.days import reports_of

        return reports_of(span, self.reports, option)

    def document(self, span: "Span", option: str, *, page: bool) -> str:
        """A page, or JSON, of these days."""
        from roadwatch.reporting.figures import plain
        from roadwatch.reporting.page import range_page
        from roadwatch.reporting.ranges import summary

        reports = self.those(span, option)
        if span.is_one:
            return self._page(reports[0]) if page else _text(plain(reports[0]))
        told = summary(span, reports)
        return range_page(told) if page else _text(told.plain)

    def _page(self, report: "DayReport") -> str:
        from roadwatch.reporting.cards import cards
        from roadwatch.reporting.days import days_before
        from roadwatch.reporting.page import BEFORE, day_page

        before = [self.reports[day] for day in days_before(report.day, BEFORE) if day in self.reports]
        return day_page(report, before, self._pictures(report), cards(self.settings.models, report.model_versions))

    def _pictures(self, report: "DayReport") -> Mapping[str, bytes]:
        """A page without pictures is better than none."""
        frames = {frame.frame_id: frame.captured_at for camera in report.cameras for frame in camera.worst}
        try:
            return self.source.pictures(frames)
        except RoadwatchError as error:
            errors.print(f"Without pictures: {error}", markup=False, highlight=False, soft_wrap=True)
            return {}


def _read(context: typer.Context, recording: Path | None) -> _Known:
    from roadwatch.reporting.reading import Cluster, Recorded

    settings = quiet_settings_of(context)
    source = Recorded(recording, settings) if recording else Cluster(settings)
    return _Known(settings, source, source.reports())


def _show_day(report: "DayReport", as_json: bool) -> None:
    from roadwatch.reporting.figures import plain
    from roadwatch.reporting.terminal import day_view

    if as_json:
        print_json(plain(report))
    else:
        print_whole(day_view(report))


def _show_days(known: _Known, span: "Span", option: str, as_json: bool) -> None:
    from roadwatch.reporting.ranges import summary
    from roadwatch.reporting.terminal import range_view

    told = summary(span, known.those(span, option))
    if as_json:
        print_json(told.plain)
    else:
        print_whole(range_view(told))


def _write(file: Path, content: str) -> None:
    try:
        file.write_text(content, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError("--to", [f"{file}: {error.strerror}"]) from error


def _text(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"
