"""Recordings from recordings: cut and merged."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.filesize import decimal
from rich.table import Table

from roadwatch.commands.record.places import made
from roadwatch.commands.record.times import instant
from roadwatch.commands.record.unsealed import say_unsealed
from roadwatch.context import AsJson, console, print_json, settings_of
from runtime.settings import MonitorSettings
from schemas.errors import ConfigurationError

if TYPE_CHECKING:
    from producers.recordings.index import Chosen, Index

STOPPED = 130
"Exit code when stopped before the end: nothing is left behind."


def cut(  # noqa: PLR0913, PLR0917  # each option is an argument
    context: typer.Context,
    recording: Annotated[Path, typer.Argument(help="A recording: a folder, or a .zip.", show_default=False)],
    out: Annotated[Path, typer.Argument(help="A folder that is not there or empty; or NAME.zip.", show_default=False)],
    begin: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="TIME",
            help="From this event time on: 2026-11-23T06:30+01:00, or a day, 2026-11-23, in monitor.timezone.",
            show_default=False,
        ),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="Until before this event time.", show_default=False)
    ] = None,
    camera: Annotated[
        list[str] | None,
        typer.Option(help="Of this camera only, on topics kept by camera; repeat it.", show_default=False),
    ] = None,
    topic: Annotated[
        list[str] | None,
        typer.Option(help="A topic by its name in the topic table; repeat it. If not given: all.", show_default=False),
    ] = None,
    pictures: Annotated[
        bool, typer.Option("--pictures/--no-pictures", help="Whether frames keep their pictures.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Cut a span out of a recording: replayed, it gives for the span what the whole gave.

    Vehicles across a border are kept whole, and labels stay with what they label, whenever they were given. Of each camera
    the picture is kept too that closes the last day: the first after --to and monitor.lateness.
    """
    from producers.recordings.cutting import cut as cut_out
    from producers.recordings.recording import open_recording

    monitor = settings_of(context).monitor
    chosen = _chosen(monitor.timezone, begin, end, camera or [], pictures)
    topics = frozenset(topic) if topic else None
    with _progress() as progress, made(out) as folder:
        whole = open_recording(recording)
        say_unsealed(whole)
        index = cut_out(whole, folder, chosen, topics, progress, _closing_us(chosen, monitor))
    _say("Cut", out, index, as_json)


def merge(
    recordings: Annotated[
        list[Path],
        typer.Argument(metavar="RECORDING… OUT", help="Recordings, and last the folder or NAME.zip to write."),
    ],
    as_json: AsJson = False,
) -> None:
    """Merge recordings of one cluster: pieces, overlapping cuts, or other topics and cameras of the same time."""
    from producers.recordings.merging import merge as merge_all
    from producers.recordings.recording import open_recording

    *sources, out = recordings
    if not sources:
        raise ConfigurationError("OUT", ["only one name is given; name the recordings, and last where to write"])
    with _progress() as progress, made(out) as folder:
        pieces = [open_recording(path) for path in sources]
        for piece in pieces:
            say_unsealed(piece)
        index = merge_all(pieces, folder, progress)
    _say("Merged", out, index, as_json)


COMMANDS: Mapping[str, Callable[..., None]] = {"cut": cut, "merge": merge}


def _chosen(timezone: str, begin: str | None, end: str | None, cameras: list[str], pictures: bool) -> "Chosen":
    from producers.recordings.index import Chosen
    from schemas.times import to_us

    first = instant(begin, timezone, "--from") if begin else None
    last = instant(end, timezone, "--to") if end else None
    if first and last and first >= last:
        raise ConfigurationError("--to", [f"{end} is not after --from {begin}"])
    return Chosen(
        cameras=tuple(sorted(set(cameras))) or None,
        from_us=to_us(first) if first else None,
        to_us=to_us(last) if last else None,
        pictures=pictures,
    )


def _closing_us(chosen: "Chosen", monitor: MonitorSettings) -> tuple[int, ...]:
    """From which event times on pictures close a day that ends with the span: to frames, and to labels."""
    if chosen.to_us is None:
        return ()
    waits = (monitor.lateness, monitor.lateness + monitor.label_patience)
    return tuple(sorted({chosen.to_us + wait // timedelta(microseconds=1) for wait in waits}))


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """Bars; once told to stop, the next word of progress ends the work, and what is half written is taken away."""
    from roadwatch.progress import counted
    from runtime.service import stopping

    with stopping() as stop, counted() as bars:

        def report(what: str, done: int, total: int) -> None:
            if stop.is_set():
                raise typer.Exit(STOPPED)
            bars(what, done, total)

        yield report


def _say(what: str, out: Path, index: "Index", as_json: bool) -> None:
    if as_json:
        print_json(_plain(out, index))
        return
    console.print(_table(what, index))
    if not index.segments:
        console.print("Nothing of the span is in the recording: what was written is empty.")
    elif all(segment.first_us is None for segment in index.segments):
        console.print("Nothing in it has an event time: of the span itself there is nothing.")
    ending = "" if index.complete else " (not complete, as what it was made of)"
    console.print(f"{what}: {out}{ending}", markup=False, highlight=False, soft_wrap=True)


def _plain(out: Path, index: "Index") -> dict[str, Any]:
    return {
        "out": str(out),
        "id": index.id,
        "origin": index.origin,
        "complete": index.complete,
        "empty": not index.segments,
        "topics": {name: dict(zip(("records", "bytes"), _sums(name, index), strict=True)) for name in index.topics},
    }


def _sums(name: str, index: "Index") -> tuple[int, int]:
    segments = [segment for segment in index.segments if segment.topic == name]
    return sum(segment.records for segment in segments), sum(segment.size for segment in segments)


def _table(what: str, index: "Index") -> Table:
    table = Table(title=what)
    table.add_column("topic")
    table.add_column("records", justify="right")
    table.add_column("on disk", justify="right")
    for name in index.topics:
        records, size = _sums(name, index)
        table.add_row(name, f"{records:,}", decimal(size))
    return table
