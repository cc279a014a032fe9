"""`roadwatch demo`: the whole system, watched for a minute."""

import math
import time
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from roadwatch.context import AsJson, console, errors, print_json, print_whole, require_file
from roadwatch.demo.scenario import clip_table, write_simulation, write_video
from roadwatch.demo.state import RunState
from roadwatch.demo.view import Teller, day_table, live_view
from roadwatch.progress import counted, downloads
from schemas.errors import ConfigurationError, SourceError

Zones = Annotated[
    list[str] | None,
    typer.Option(
        "--zone", help="A zone of the clip: 'lane-1: x,y x,y x,y x,y / x,y x,y', pixels or fractions; may be repeated."
    ),
]

FOLDER, STORY_FOLDER = Path("roadwatch-data/demo"), Path("roadwatch-data/story")

NEXT = """\
What to try next
  roadwatch demo --video CLIP --zone 'road: 0.1,0.3 0.9,0.3 0.9,0.9 0.1,0.9'    your own clip
  roadwatch up                                                               your own cameras, from cameras.toml
  {folder}/cameras.toml, {folder}/roadwatch.toml                 what this run was made of: copy and change them
  {folder}/inbox, {folder}/logs                                  its mails, and what each service said"""


def demo(
    video: Annotated[Path | None, typer.Option(help="Run on this clip instead of simulated cameras.")] = None,
    zone: Zones = None,
    speed: Annotated[
        float | None, typer.Option(help="How many times faster than recorded the clip runs; all at once if not given.")
    ] = None,
    story: Annotated[
        bool, typer.Option("--story", help="Five days of a model that fails on a new road and learns it; some minutes.")
    ] = False,
    folder: Annotated[
        Path | None,
        typer.Option(
            help="What the run leaves behind is kept here; what an earlier run left is deleted first.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the whole system: a real Kafka, four cameras, three days in a minute, and a mail.

    Day 1 is clear. On day 2 fog comes to one camera, and is found. On day 3 a storm darkens all of
    them: the day's accuracy falls below its threshold, and a mail says so. Nothing is scripted but the weather.

    With --story the loop closes: fog, a new camera and a new kind of truck come, the day's accuracy falls, labels are
    asked for and given, the failures analysed, the model retrained, tested, run in shadow, and promoted by evidence. A
    page tells it.
    """
    from roadwatch.demo.folder import take
    from roadwatch.demo.run import LocalRun, RunOptions
    from roadwatch.interrupts import sigterm_as_interrupt

    if story:
        tell_story(folder or STORY_FOLDER, as_json=as_json, others={"--video": video, "--zone": zone, "--speed": speed})
        return
    if video:
        require_clip(video, zone or [], speed)
    else:
        _require_none("--video", "not given, and there is no clip", {"--zone": zone, "--speed": speed})
    folder = folder or FOLDER
    take(folder)
    write = partial(write_video, folder, str(video), zone or [], speed) if video else partial(write_simulation, folder)
    with sigterm_as_interrupt(), downloads("Apache Kafka") as progress:
        errors.print("Starting Apache Kafka and the services …", highlight=False)
        with LocalRun(RunOptions(folder, write), progress) as run:
            watch(run.follow(), quiet=as_json)
    if as_json:
        print_json(summary(run.state))
    else:
        _conclude(run.state, folder)


def tell_story(folder: Path, *, as_json: bool, others: Mapping[str, object]) -> None:
    """Run the story in a folder, its page written anew after each day."""
    from roadwatch.demo.folder import take
    from roadwatch.interrupts import sigterm_as_interrupt
    from roadwatch.story.page import story_page
    from roadwatch.story.run import Telling, tell
    from runtime.service import configure_logs
    from runtime.settings import ServiceSettings

    _require_none("--story", "is given, and the story has its own cameras", others)
    take(folder)
    configure_logs(ServiceSettings(log_level="warning"))
    out, page = errors if as_json else console, folder / "story.html"
    with sigterm_as_interrupt(), downloads("Apache Kafka") as fetching, counted() as progress:
        telling = Telling(partial(out.print, markup=False, highlight=False), progress, fetching)
        for told in tell(folder, telling):
            page.write_text(story_page(told), encoding="utf-8")
    if as_json:
        print_json({**told.plain(), "page": str(page)})
    else:
        console.print(f"\n{page} tells it, in {told.took_s:.0f} s.", highlight=False)


def require_clip(video: Path, zones: Sequence[str], speed: float | None) -> None:
    """Raise ConfigurationError where a clip cannot be read, or not as it is asked."""
    from producers.cameras import read_camera
    from producers.sources import open_source

    require_file(video, "--video")
    if speed is not None and not (math.isfinite(speed) and speed >= 0):
        raise ConfigurationError("--speed", [f"{speed:g} is no speed: 1 is as it was recorded, 0 without waiting"])
    (camera,) = tomllib.loads(clip_table(str(video), zones, speed))["cameras"]
    read_camera(camera)
    try:
        open_source(str(video)).close()
    except SourceError as error:
        raise ConfigurationError("--video", [str(error)]) from error


def _require_none(option: str, why: str, others: Mapping[str, object]) -> None:
    if given := [name for name, value in others.items() if value is not None]:
        raise ConfigurationError(option, [f"{why}: leave out {name}, which is for a clip" for name in given])


def watch(states: Iterable[RunState], *, quiet: bool = False) -> None:
    """Draw a run on a terminal; elsewhere tell it in lines."""
    drawn = console.is_terminal and not quiet
    teller = Teller(errors if quiet else console)
    with Live(console=console, refresh_per_second=4, screen=False) if drawn else nullcontext() as live:
        for state in states:
            if live:
                live.update(live_view(state, time.monotonic()))
            else:
                teller.tell(state)


def summary(state: RunState) -> dict[str, object]:
    """A run's outcome as plain values."""
    return {
        "frames": state.frames,
        "passages": len(state.passages),
        "days": {day: _day(state, day) for day in sorted(state.reports)},
        "alerts": [
            {
                "rule": alert.rule,
                "severity": alert.severity,
                "camera": alert.camera_id,
                "day": alert.day,
                "title": alert.title,
            }
            for alert in state.alerts.values()
        ],
        "mails": [subject for _, subject in state.mails],
        "first_mail_s": state.first_mail_s,
    }


def _day(state: RunState, day: str) -> dict[str, object]:
    scores = state.reports[day].scores
    return {"passages": scores.passages, "labelled": scores.labelled, "accuracy": scores.accuracy, "f1": scores.f1}


def _conclude(state: RunState, folder: Path) -> None:
    from monitor.inbox import read_mails

    print_whole(day_table(state.reports.values()))
    mails = list(read_mails(folder / "inbox"))
    for mail in mails[-1:]:
        shown = Panel(Text(mail.text.strip()), title=Text(mail.subject), subtitle=Text(str(mail.path)), expand=False)
        print_whole(shown)
    if state.first_mail_s is not None:
        console.print(
            f"{len(mails)} mails; the first came {state.first_mail_s:.0f} s after the start.", highlight=False
        )
    console.print(NEXT.format(folder=folder), markup=False, highlight=False, soft_wrap=True)
