"""Streams into a recording."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.filesize import decimal
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from roadwatch.commands.record.places import require_folder
from roadwatch.commands.record.times import duration, instant
from roadwatch.context import AsJson, console, errors, print_json, settings_of
from runtime.settings import Settings
from schemas.errors import ConfigurationError
from schemas.times import to_us

if TYPE_CHECKING:
    from producers.recordings.index import Chosen, Index
    from producers.recordings.recorder import Ending, Tally

STOPPED = 130
"Exit code of a recording that was stopped before its end, as of any program that Ctrl-C ends."


def keep(  # noqa: PLR0913, PLR0917  # each option is an argument
    context: typer.Context,
    folder: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="A folder of its own; made where it is not there.", show_default=False),
    ],
    topic: Annotated[
        list[str] | None,
        typer.Option(
            help="A topic by its name in the topic table, without the prefix; repeat it. If not given: frames, predictions,"
            " observations, passages, labels, telemetry, reports, alerts and models.",
            show_default=False,
        ),
    ] = None,
    camera: Annotated[
        list[str] | None,
        typer.Option(help="Of this camera only, on topics kept by camera; repeat it.", show_default=False),
    ] = None,
    begin: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="TIME",
            help="From this event time on: 2026-11-23T06:30+01:00, or a day, 2026-11-23, in monitor.timezone. Records without"
            " event time, such as a model's steps, are always kept.",
        ),
    ] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Until before this event time.")] = None,
    pictures: Annotated[
        bool, typer.Option("--pictures/--no-pictures", help="Whether frames keep their pictures.")
    ] = True,
    follow: Annotated[
        bool,
        typer.Option(
            "--follow",
            help="Go on with what comes, until Ctrl-C, or until --for or --to has passed on the clock. Otherwise: up to what"
            " is there now.",
        ),
    ] = False,
    lasting: Annotated[
        str | None, typer.Option("--for", metavar="DURATION", help="Follow for so long: 90s, 10m, 2h, 1d.")
    ] = None,
    more: Annotated[bool, typer.Option("--more", help="Go on also with a recording that is complete.")] = False,
    as_json: AsJson = False,
) -> None:
    """Keep the streams of the cluster in a folder.

    A recording that was stopped, killed or ran out of disk is gone on with by the same command: nothing is doubled or lost.
    One that was followed until Ctrl-C is complete, and is gone on with by --more. Exit code 130: stopped before its end.
    """
    from producers.recordings.recorder import record
    from producers.recordings.recording import open_recording
    from runtime.service import configure_logs, stopping

    settings = settings_of(context)
    configure_logs(settings.service)
    require_folder(folder, "FOLDER")
    wanted = _Wanted(topic or [], camera or [], begin, end, pictures)
    topics, chosen = wanted.topics(), wanted.chosen(settings)
    ending = _ending(follow, lasting, chosen)
    with stopping() as stop, _progress() as progress:
        tally = record(settings.kafka, folder, topics, chosen, ending, stop, more=more, progress=progress)
    _say(folder, open_recording(folder).index, tally, as_json)
    raise typer.Exit(0 if tally.complete else STOPPED)


COMMANDS: Mapping[str, Callable[..., None]] = {"keep": keep}


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What of the streams, as it was written."""

    topic: list[str]
    camera: list[str]
    begin: str | None
    end: str | None
    pictures: bool

    def topics(self) -> tuple[str, ...]:
        from producers.recordings.entries import TOPICS
        from producers.recordings.recorder import USUAL

        if unknown := [name for name in self.topic if name not in TOPICS]:
            raise ConfigurationError(
                "--topic", [f"no topic {name!r}; there are {', '.join(TOPICS)}" for name in unknown]
            )
        return tuple(dict.fromkeys(self.topic)) or USUAL

    def chosen(self, settings: Settings) -> "Chosen":
        from producers.recordings.index import Chosen

        first = instant(self.begin, settings.monitor.timezone, "--from") if self.begin else None
        last = instant(self.end, settings.monitor.timezone, "--to") if self.end else None
        if first and last and first >= last:
            raise ConfigurationError("--to", [f"{self.end} is not after --from {self.begin}"])
        return Chosen(
            cameras=tuple(sorted(set(self.camera))) or None,
            from_us=to_us(first) if first else None,
            to_us=to_us(last) if last else None,
            pictures=self.pictures,
        )


def _ending(follow: bool, lasting: str | None, chosen: "Chosen") -> "Ending":
    from producers.recordings.recorder import Ending

    if lasting is not None:
        return Ending(follow=True, until=datetime.now(UTC) + duration(lasting, "--for"))
    if not follow or chosen.to_us is None:
        return Ending(follow)
    return Ending(follow=True, until=datetime.fromtimestamp(chosen.to_us / 1e6, UTC))


@contextmanager
def _progress() -> Iterator[Callable[["Tally"], None]]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as progress:
        task = progress.add_task("Recording")
        rate = _Rate(datetime.now(UTC))
        yield lambda tally: progress.update(task, description=rate.line(tally, datetime.now(UTC)))


@dataclass(slots=True)
class _Rate:
    """Records a second since the last look."""

    at: datetime
    records: int = 0

    def line(self, tally: "Tally", now: datetime) -> str:
        records = sum(tally.kept.values())
        rate = (records - self.records) / max((now - self.at).total_seconds(), 1e-3)
        self.at, self.records = now, records
        return f"Recording: {records:,} records, {decimal(sum(tally.size.values()))}, {rate:,.0f} a second"


def _say(folder: Path, index: "Index", tally: "Tally", as_json: bool) -> None:
    if as_json:
        print_json(_plain(folder, index, tally))
        return
    console.print(_table(index, tally))
    for line in _lines(folder, index, tally):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _plain(folder: Path, index: "Index", tally: "Tally") -> dict[str, Any]:
    return {
        "folder": str(folder),
        "id": index.id,
        "complete": tally.complete,
        "topics": {name: _figures(name, index, tally) for name in index.topics},
        "gaps": [gap.model_dump() for gap in index.gaps],
    }


def _figures(name: str, index: "Index", tally: "Tally") -> dict[str, int]:
    segments = [segment for segment in index.segments if segment.topic == name]
    return {
        "partitions": index.topics[name].partitions,
        "kept": tally.kept.get(name, 0),
        "passed_over": tally.passed_over.get(name, 0),
        "unread": tally.unread.get(name, 0),
        "records": sum(segment.records for segment in segments),
        "bytes": sum(segment.size for segment in segments),
    }


def _table(index: "Index", tally: "Tally") -> Table:
    table = Table(title="Recorded")
    table.add_column("topic")
    for column in ("partitions", "kept now", "not chosen", "in the recording", "on disk"):
        table.add_column(column, justify="right")
    for name in index.topics:
        found = _figures(name, index, tally)
        counts = (found[column] for column in ("partitions", "kept", "passed_over", "records"))
        table.add_row(name, *(f"{count:,}" for count in counts), decimal(found["bytes"]))
    return table


def _lines(folder: Path, index: "Index", tally: "Tally") -> Iterator[str]:
    for gap in index.gaps:
        yield f"{gap.topic}/{gap.partition}: offsets {gap.first} to {gap.last} were gone before they could be recorded."
    for name, count in tally.unread.items():
        yield (
            f"{name}: cannot be read here, and kept as they are: {count}; where a registry knows their schemas, set"
            " kafka.schema_registry.url"
        )
    if not index.segments:
        yield "No record was there that was asked for: the recording is empty."
    if tally.complete:
        yield f"Complete: {folder}"
    else:
        yield f"Stopped before the end: what is in {folder} is kept, and the same command goes on with it."
