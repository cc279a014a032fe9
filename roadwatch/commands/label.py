"""`roadwatch label`: what frames and passages truly show: asked for, given, kept."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from zoneinfo import ZoneInfo

import typer
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from roadwatch.context import AsJson, console, errors, print_json, quiet_settings_of, service
from runtime.service import Pulse
from runtime.settings import Settings
from schemas.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from producers.label_import import Check
    from roadwatch.labelling.exporting import Exported
    from roadwatch.labelling.importing import Outcome
    from roadwatch.labelling.keeping import Kept
    from roadwatch.labelling.queue import Queue
    from schemas.records import DayReport

app = typer.Typer(no_args_is_help=True)

MOST_SHOWN = 200
"Wrong lines named on a terminal; JSON names all."
DAYS = "latest, yesterday, or 2026-11-23"


@app.callback()
def label() -> None:
    """Labels: what frames and passages truly show."""


@app.command("request")
def request_labels(
    context: typer.Context,
    day: Annotated[str, typer.Argument(metavar="DAY", help=f"A day: {DAYS}.")] = "latest",
    budget: Annotated[int, typer.Option(min=1, max=10_000, help="How many labels are asked for.")] = 60,
    camera: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Only of this camera; several times for several.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another one draws another sample of the same day.")] = 0,
    look_at: Annotated[
        int, typer.Option(min=0, help="So many pictures are looked at for outliers and near-duplicates.")
    ] = 1000,
    as_json: AsJson = False,
) -> None:
    """Ask for labels of a day: part of them drawn at random, part where a label teaches most.

    Their pictures are kept in the archive at once, for the cluster soon forgets them: ask while the day's frames are
    still there. Asked twice, it is the same request.
    """
    from models.archive.opening import open_archive
    from roadwatch.announcing import whoami
    from roadwatch.labelling.requesting import Wanted, requested
    from roadwatch.labelling.terminal import request_plain, request_view

    settings = quiet_settings_of(context)
    reports = _reports(settings)
    wanted = Wanted(
        day=_one_day(settings, day, reports, "DAY"),
        budget=budget,
        cameras=tuple(sorted(set(camera))) if camera else None,
        seed=seed,
        look_at=look_at,
        by=whoami(),
        at=datetime.now(UTC),
    )
    with _reading() as progress:
        found = requested(settings, open_archive(settings.archive), wanted, reports, progress)
    print_json(request_plain(found)) if as_json else console.print(request_view(found), soft_wrap=True)


@app.command("queue")
def show_queue(context: typer.Context, as_json: AsJson = False) -> None:
    """List what is asked for and not answered, the oldest day first, and why each was asked for."""
    from roadwatch.labelling.terminal import queue_plain, queue_view

    queue = _queue(quiet_settings_of(context))
    if as_json:
        print_json(queue_plain(queue, queue.open))
    elif queue.questions:
        console.print(queue_view(queue, queue.open), soft_wrap=True)
    else:
        console.print("Nothing was asked for yet: 'roadwatch label request DAY' does.", soft_wrap=True)


@app.command("export")
def export_labels(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(help="FILE.csv or FILE.json, its pictures beside it; FILE.zip for all in one.")
    ],
    kind: Annotated[
        Literal["csv", "coco", "label-studio"], typer.Option("--format", help="What the tool reads.")
    ] = "csv",
    day: Annotated[
        list[str] | None, typer.Option(metavar="DAY", help=f"Only of this day: {DAYS}; several times for several.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also what is answered, with its label.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write what is asked for and not answered, with its pictures, for people to label.

    csv: fill in the column label. coco: draw an annotation over the vehicle. label-studio: import the tasks into a project
    with the interface that is written beside them; what the model says is shown as its prediction.
    """
    from models.archive.opening import open_archive
    from roadwatch.labelling.exporting import export, written_to
    from roadwatch.labelling.queue import of_days

    settings = quiet_settings_of(context)
    if not force and (there := [each for each in written_to(file, kind) if each.exists()]):
        raise ConfigurationError(
            "FILE", [f"{there[0]} is there already, perhaps filled in; name another, or add --force"]
        )
    queue = _queue(settings)
    questions = of_days(queue.questions if everything else queue.open, _days(settings, day))
    if not questions:
        raise ConfigurationError("FILE", ["nothing is open; ask with 'roadwatch label request DAY', or add --all"])
    archive, _ = open_archive(settings.archive)
    found = export(archive, queue, questions, file, kind, _classes(settings))
    _say_exported(found, file, as_json)


@app.command("import")
def import_labels(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(help="CSV, COCO, or Label Studio's JSON: its content says which.", show_default=False)
    ],
    source: Annotated[
        str | None,
        typer.Option(help="Who gave the labels, where the file does not say; the format's name if not given."),
    ] = None,
    camera: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="The file is to be of this camera alone; several times for several."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check the file; send nothing.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Send the right lines and leave out the wrong.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take the labels of a file: into the ledger, and onto the topic.

    CSV has the columns frame_id or passage_id, and label (or "withdrawn", which takes back what the source said); source,
    weight and labelled_at (with its zone) if wanted. What was asked for weighs as its request says. Nothing is sent
    unless every line is right; a label that was sent before counts once. Days that have been reported get a new revision.
    """
    from models.archive.opening import open_archive
    from roadwatch.labelling.importing import Import, Wanted

    settings = quiet_settings_of(context)
    cameras = frozenset(camera) if camera else None
    importing = Import(
        settings, open_archive(settings.archive), Wanted(file, _classes(settings), datetime.now(UTC), source, cameras)
    )
    found = importing.check()
    refused = bool(found.check.faults) and not skip_bad
    if refused and not as_json:
        raise ConfigurationError(str(file), _shown(found.check))
    if not dry_run and not refused:
        with _sending(found.check.good) as advance:
            importing.send(found, advance)
    _say_imported(found, as_json, dry_run)
    raise typer.Exit(2 if refused else 0)


@app.command("keep")
def keep_labels(
    context: typer.Context,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what comes, as a service.")] = False,
    every: Annotated[float, typer.Option(min=1, help="Following, how often it looks, seconds.")] = 300.0,
    share: Annotated[
        float, typer.Option(min=0, max=1, help="Of so many labelled vehicles the pictures are kept, always the same.")
    ] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Keep labels that came on the topic from elsewhere: their words, and their pictures while the cluster has them.

    It goes on where it left off. With --follow it runs until SIGTERM or Ctrl-C.
    """
    from models.archive.opening import open_archive
    from roadwatch.labelling.keeping import Keeper

    if follow:
        with service(context) as (settings, stop):
            keeper = Keeper(settings, open_archive(settings.archive), share)
            keeper.follow(stop, every, Pulse(settings.service.heartbeat_file).beat)
        return
    settings = quiet_settings_of(context)
    found = Keeper(settings, open_archive(settings.archive), share).keep()
    print_json(asdict(found)) if as_json else console.print(_kept(found), soft_wrap=True, highlight=False)


def _reports(settings: Settings) -> "Mapping[str, DayReport]":
    from roadwatch.reporting.reading import Cluster

    return Cluster(settings).reports()


def _one_day(settings: Settings, text: str, reports: "Mapping[str, DayReport]", option: str) -> str:
    from roadwatch.reporting.days import span_of

    span = span_of(text, option, datetime.now(ZoneInfo(settings.monitor.timezone)).date(), list(reports))
    if not span.is_one:
        raise ConfigurationError(option, [f"{text} is more than a day; labels are asked for day by day"])
    return span.short


def _days(settings: Settings, given: list[str] | None) -> frozenset[str] | None:
    """The days that were named; the cluster is asked only where one is named by its report."""
    if not given:
        return None
    reports = _reports(settings) if "latest" in given else {}
    return frozenset(_one_day(settings, text, reports, "--day") for text in given)


def _queue(settings: Settings) -> "Queue":
    from models.archive.opening import open_archive
    from roadwatch.labelling.queue import queue_of

    _, ledger = open_archive(settings.archive)
    return queue_of(ledger.requests(), ledger.labels(), settings.monitor.label_trust)


def _classes(settings: Settings) -> tuple[str, ...]:
    from roadwatch.labelling.classes import classes_served

    return classes_served(settings)


@contextmanager
def _reading() -> Iterator["Callable[[str, int], None]"]:
    """Which topic is read, and how many of its records were."""
    with errors.status("Reading …") as status:
        yield lambda topic, number: status.update(f"Reading {topic}: {number} records")


@contextmanager
def _sending(total: int) -> Iterator["Callable[[], None]"]:
    columns = (TextColumn("Sending labels"), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True) as progress:
        task = progress.add_task("labels", total=total)
        yield lambda: progress.advance(task)


def _shown(check: "Check") -> list[str]:
    shown = check.faults[:MOST_SHOWN]
    rest = len(check.faults) - len(shown)
    return [*shown, f"and {rest} more; --json names all"] if rest else shown


def _say_imported(found: "Outcome", as_json: bool, dry_run: bool) -> None:
    if as_json:
        print_json(found.plain())
        return
    for fault in _shown(found.check):
        errors.print(f"left out: {fault}", markup=False, highlight=False, soft_wrap=True)
    for sentence in found.sentences(dry_run):
        console.print(sentence, markup=False, highlight=False, soft_wrap=True)


def _say_exported(found: "Exported", file: Path, as_json: bool) -> None:
    if as_json:
        print_json({"file": str(file), **asdict(found)})
        return
    beside = f", {found.pictures} pictures beside them" if found.pictures else ", their pictures within"
    console.print(f"{file}: {found.examples} examples{beside}.", highlight=False, soft_wrap=True)
    for what in (*found.damaged, *(f"left out, no picture is kept: {name}" for name in found.missing)):
        errors.print(what, markup=False, highlight=False, soft_wrap=True)


def _kept(found: "Kept") -> str:
    return (
        f"{found.labels} labels read, {found.new} of them new; pictures of {found.kept} examples kept,"
        f" {found.there} were kept before, {found.gone} are no longer on the cluster"
        f"{f', {found.thinned} are outside the share' if found.thinned else ''}"
        f"{f', {found.unreadable} records were unreadable' if found.unreadable else ''}."
    )
