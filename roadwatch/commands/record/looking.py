"""`roadwatch record info` and `roadwatch record verify`: what a recording holds, and whether it is sound."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table
from rich.text import Text

from roadwatch.commands.record.places import made, require_folder, require_free
from roadwatch.context import AsJson, console, print_json
from schemas.times import from_us

if TYPE_CHECKING:
    from producers.recordings.index import Index
    from producers.recordings.summary import Summary, TopicSummary
    from producers.recordings.verifying import Found, Salvaged, Verification

RecordingPath = Annotated[
    Path,
    typer.Argument(metavar="RECORDING", help="A recording: its folder, or the zip file of it.", show_default=False),
]


def info(path: RecordingPath, as_json: AsJson = False) -> None:
    """Show what a recording holds: topics, records, spans, bytes, schemas and gaps. Reads its index alone."""
    from producers.recordings.recording import open_recording
    from producers.recordings.summary import summary_of

    recording = open_recording(path)
    summary = summary_of(recording)
    if as_json:
        print_json(_as_plain(recording.index, summary))
        return
    console.print(_table(path, summary))
    for line in filter(None, _remarks(recording.index, summary)):
        console.print(_printable(line), soft_wrap=True, highlight=False, markup=False)


def verify(
    path: RecordingPath,
    salvage: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Keep what is whole as a new recording in this folder.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read every byte of a recording and say whether it is sound; exit code 1 if not.

    With --salvage, what is whole of an unsound one is kept: of each segment what stands before its first fault.
    """
    from producers.recordings.verifying import verify as verified
    from roadwatch.progress import counted

    if salvage:
        require_folder(salvage, "--salvage")
        require_free(salvage)
    with counted() as report:
        found = verified(path, lambda done, total: report("Verifying", done, total))
    kept = _salvaged(path, salvage) if salvage and not found.sound else None
    if as_json:
        print_json({**asdict(found), "sound": found.sound, "salvaged": asdict(kept) if kept else None})
    else:
        _tell(found, kept)
    raise typer.Exit(0 if found.sound else 1)


def _salvaged(path: Path, folder: Path) -> "Salvaged":
    from producers.recordings.index import this_program
    from producers.recordings.verifying import salvage
    from roadwatch.interrupts import sigterm_as_interrupt
    from roadwatch.progress import counted

    with sigterm_as_interrupt(), counted() as report, made(folder) as beside:
        kept = salvage(
            path, beside, made_by=this_program(), progress=lambda done, total: report("Salvaging", done, total)
        )
    return replace(kept, folder=folder)


def _tell(found: "Verification", kept: "Salvaged | None") -> None:
    for line in [found.index, *(_line(one) for one in found.found if one.state != "ok")]:
        if line:
            console.print(_printable(line), soft_wrap=True, highlight=False, markup=False)
    files = sum(one.state == "ok" for one in found.found)
    verdict = "Sound" if found.sound else "Not sound"
    console.print(
        f"{verdict}: {found.records} entries are whole, {files} of {len(found.found)} files as they should be."
    )
    if kept:
        console.print(f"Kept {kept.records} entries in {kept.folder}; lost {kept.lost}.", soft_wrap=True, markup=False)


def _line(one: "Found") -> str:
    if one.state == "stranger":
        return one.fault
    offsets = f", offsets {one.lost_offsets[0]} to {one.lost_offsets[1]}" if one.lost_offsets else ""
    lost = f"; {one.lost} are lost{offsets}" if one.lost else ""
    return f"{one.fault}: {one.records} entries are whole, to byte {one.end} of {one.size}{lost}"


def _table(path: Path, summary: "Summary") -> Table:
    table = Table(title=Text(str(path)))
    for name in ("topic", "records", "MB", "logged, UTC", "event time, UTC"):
        justify: Literal["right", "left"] = "right" if name in ("records", "MB") else "left"
        table.add_column(name, justify=justify, no_wrap="UTC" not in name, overflow="fold")
    for topic in summary.topics:
        table.add_row(*_row(topic))
    table.add_section()
    table.add_row("in all", str(summary.records), f"{summary.bytes / 1e6:.1f}")
    return table


def _row(topic: "TopicSummary") -> tuple[str, ...]:
    logged = tuple(1000 * ms for ms in topic.logged_ms) if topic.logged_ms else None
    size = f"{topic.bytes / 1e6:.1f}"
    return topic.topic, str(topic.records), size, _span(logged), _span(topic.event_us)


def _remarks(index: "Index", summary: "Summary") -> list[str]:
    chosen = index.chosen
    said = {
        f"Recorded from {index.origin!r} by {index.made_by}, begun {index.created:%Y-%m-%d %H:%M:%S} UTC.": True,
        "Not complete: it is still made, or was stopped; the same command goes on with it.": not index.complete,
        f"{len(summary.unsealed)} segments are not sealed: still written, or left behind by a kill.": summary.unsealed,
        "Without pictures.": not chosen.pictures,
        f"Of the cameras {', '.join(chosen.cameras or ())} alone.": chosen.cameras is not None,
        f"Of the event time {_span((chosen.from_us, chosen.to_us), ' – ')} alone.": chosen.from_us or chosen.to_us,
    }
    return [*(line for line, holds in said.items() if holds), *map(_schemas, summary.topics), *_gaps(summary)]


def _schemas(topic: "TopicSummary") -> str:
    """Whether a topic's records were written by another version."""
    others = [written for written in topic.schemas if written != "as ours"]
    return f"{topic.topic}: schemas of another version: {len(others)} of {len(topic.schemas)}." if others else ""


def _gaps(summary: "Summary") -> list[str]:
    gaps = [gap for topic in summary.topics for gap in topic.gaps]
    lines = [f"{gap.topic}, partition {gap.partition}: offsets {gap.first} to {gap.last} are missing." for gap in gaps]
    return [*lines[:10], f"… and {len(lines) - 10} gaps more."] if len(lines) > 10 else lines


def _as_plain(index: "Index", summary: "Summary") -> dict[str, object]:
    told = index.model_dump(
        mode="json", include={"id", "version", "made_by", "created", "origin", "chosen", "complete"}
    )
    topics = [
        {**asdict(topic), "gaps": [gap.model_dump(mode="json") for gap in topic.gaps]} for topic in summary.topics
    ]
    return {
        **told,
        "records": summary.records,
        "bytes": summary.bytes,
        "unsealed": list(summary.unsealed),
        "topics": topics,
    }


def _span(span: tuple[int | None, ...] | None, between: str = "\n") -> str:
    return between.join("…" if us is None else _time(us) for us in span) if span else ""


def _printable(line: str) -> str:
    """A line without what a stranger's recording may say to a terminal."""
    return "".join(letter if letter.isprintable() else "�" for letter in line)


def _time(us: int) -> str:
    """A time, microseconds since 1970, or what stands there instead of one."""
    try:
        return f"{from_us(us):%Y-%m-%d %H:%M}"
    except OverflowError:
        return f"{us} µs"


COMMANDS: Mapping[str, Callable[..., None]] = {"info": info, "verify": verify}
