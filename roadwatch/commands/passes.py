"""`roadwatch passes`: the vehicles in a clip, found by the whole system."""

import csv
import sys
import tempfile
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from roadwatch.commands.demo import watch
from roadwatch.context import errors, require_file
from roadwatch.demo.scenario import START, write_video
from roadwatch.progress import downloads
from schemas.records import Passage


def passes(
    video: Annotated[Path, typer.Argument(help="The clip.")],
    zone: Annotated[
        list[str], typer.Option(help="A lane of the clip, as for `roadwatch demo`; repeat it, innermost first.")
    ],
    out: Annotated[Path | None, typer.Option(help="Write the CSV here; to standard output if not given.")] = None,
) -> None:
    """List the vehicles that cross the lanes' lines in a clip: frame, lane and class, as CSV.

    The clip goes the whole way: camera, a real Kafka, processor and monitor.
    """
    from roadwatch.demo.run import LocalRun, RunOptions
    from roadwatch.interrupts import sigterm_as_interrupt

    require_file(video, "VIDEO")
    with tempfile.TemporaryDirectory(prefix="roadwatch-passes-") as folder, sigterm_as_interrupt():
        write = partial(write_video, Path(folder), str(video), zone, None)
        with downloads("Apache Kafka") as progress, LocalRun(RunOptions(Path(folder), write), progress) as run:
            watch(run.follow(), quiet=True)
    lines = rows(run.state.passages, [text.partition(":")[0].strip() for text in zone], frames_per_second(video))
    write_csv(lines, out)
    errors.print(f"{len(lines)} vehicles", highlight=False)


def rows(passages: Iterable[Passage], zones: Sequence[str], fps: float) -> list[tuple[int, int, str]]:
    """Frame (0-based), lane (1-based, in the order of the zones) and class of each passage, in order."""
    found = (
        (round((passage.crossed_at - START).total_seconds() * fps), zones.index(passage.zone_id) + 1, passage.label)
        for passage in passages
    )
    return sorted(found)


def write_csv(lines: Sequence[tuple[int, int, str]], out: Path | None) -> None:
    """Write the CSV to a file, or to standard output."""
    if out is None:
        _write(lines, sys.stdout)
        return
    with out.open("w", newline="", encoding="utf-8") as file:
        _write(lines, file)


def frames_per_second(video: Path) -> float:
    """A clip's own frame rate."""
    import cv2

    capture = cv2.VideoCapture(str(video))
    try:
        return float(capture.get(cv2.CAP_PROP_FPS))
    finally:
        capture.release()


def _write(lines: Sequence[tuple[int, int, str]], file: object) -> None:
    writer = csv.writer(file)  # type: ignore[arg-type]  # anything with write()
    writer.writerow(("frame", "lane", "class"))
    writer.writerows(lines)
