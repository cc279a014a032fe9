"""`roadwatch replay`: a recording, sent to a cluster."""

import re
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from roadwatch.commands.record.unsealed import say_unsealed
from roadwatch.context import AsJson, console, errors, print_json, service
from runtime.settings import KafkaSettings
from schemas.errors import ConfigurationError

if TYPE_CHECKING:
    from producers.recordings.planning import Plan, Wish
    from producers.recordings.recording import Recording
    from producers.recordings.replayer import Outcome, Progress, Replayer

STOPPED = 130
"Exit code of a replay that was stopped before its end."
Moment = datetime | Literal["now"] | None
"What the first event time becomes; None: times are kept."
BEHIND_S = 0.5
"A replay that is less behind is on time."


def replay(  # noqa: PLR0913, PLR0917  # each option is an argument
    context: typer.Context,
    recording: Annotated[Path, typer.Argument(help="The recording: a folder, or a zip file.", show_default=False)],
    speed: Annotated[
        float | None, typer.Option(help="Logged time per wall time; 1, as it was logged, if not given.")
    ] = None,
    at_once: Annotated[bool, typer.Option("--at-once", help="Wait for nothing.")] = False,
    topic: Annotated[
        list[str] | None,
        typer.Option(
            help="Send this topic; repeatable. Frames or else observations, labels and telemetry if not given."
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Send every recorded topic.")] = False,
    camera: Annotated[list[str] | None, typer.Option(help="Send only what is of this camera; repeatable.")] = None,
    begin: Annotated[
        str | None, typer.Option("--from", help="From this event time on: 2026-03-02T06:00Z, or a day.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="Until before this event time.")] = None,
    shift_to: Annotated[
        str | None, typer.Option(help="Move all event times so that the first becomes this; a time, a day, or 'now'.")
    ] = None,
    prefix: Annotated[
        str | None, typer.Option(help="Call the topics NAME.frames and so on, instead of by kafka.topic_prefix.")
    ] = None,
    create: Annotated[
        bool, typer.Option("--create", help="Create missing topics, with the recording's partitions.")
    ] = False,
    close: Annotated[
        bool, typer.Option("--close", help="In the end, end every camera that did not: its days close.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the same replay, which was stopped or killed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Send a recording to a cluster: each record once, in the order in which it was logged.

    Keys, headers and ids stay; a header, roadwatch-logged-at, keeps when a record was first logged. Records go to the
    partitions that they were recorded in where the target has as many, and by their keys otherwise.

    A target that goes away is waited for. After a kill or Ctrl-C, the same command with --resume goes on (Kafka keeps for a
    week how far it came); nothing is doubled or missing for whoever reads committed records.

    A span is one of event times, of labels when they were given; roadwatch record cut keeps vehicles whole with theirs.
    --shift-to leaves ids as they are, so that frames sent before, or again, are the same frames to a monitor: shift
    into fresh topics, with --prefix; services read those with the same kafka.topic_prefix. --create makes all topics of
    the table, those keyed by camera with as many partitions as such topics have on the target, or had in the recording;
    kafka.camera_partitions of the services that read them must be the same number.

    roadwatch replay friday --speed 10 --prefix again --create
    """
    from producers.recordings.planning import plan_of
    from producers.recordings.recording import open_recording
    from producers.recordings.replayer import Control
    from producers.recordings.timeline import Timeline

    timeline = Timeline(_speed(speed, at_once=at_once), time.monotonic)
    with service(context) as (settings, stop):
        when = partial(_when, timezone=settings.monitor.timezone)
        span = when(begin, option="--from"), when(end, option="--to")
        moment: Moment = "now" if shift_to == "now" else when(shift_to, option="--shift-to")
        kept = open_recording(recording)
        say_unsealed(kept)
        plan = plan_of(kept, _wish(topic, camera, span, moment, every=every, close=close))
        target = _target(settings.kafka, prefix)
        if create:
            _create(kept, plan, target)
        counts = _partitions(target)
        replayer = _prepared(kept, plan, target, counts)
        if create and target.topic_prefix != settings.kafka.topic_prefix:
            _say_how_to_serve(target)
        if not resume:
            _say_held(plan, target, counts)
        _say_left_out(plan)
        with _shown(replayer, plan) as tell:
            outcome = replayer.run(Control(timeline, stop, tell), resume=resume)
    _sum_up(outcome, plan, target, as_json=as_json)
    if not outcome.finished:
        raise typer.Exit(STOPPED)


# What was asked for


def _speed(speed: float | None, *, at_once: bool) -> float | None:
    """Logged time per wall time; None for all at once."""
    if speed is not None and at_once:
        raise ConfigurationError("command line", ["--speed and --at-once: choose one"])
    if speed is not None and not 0 < speed < float("inf"):
        raise ConfigurationError("--speed", [f"{speed:g} is no speed above 0, such as 10; --at-once waits for nothing"])
    return None if at_once else speed or 1.0


def _wish(
    topics: list[str] | None,
    cameras: list[str] | None,
    span: tuple[datetime | None, datetime | None],
    shift_to: Moment,
    *,
    every: bool,
    close: bool,
) -> "Wish":
    from producers.recordings.planning import Wish
    from schemas.times import to_us

    if topics and every:
        raise ConfigurationError("command line", ["--topic and --all: choose one"])
    begin, end = span
    if begin and end and begin >= end:
        raise ConfigurationError("command line", [f"--from {begin} is not before --to {end}"])
    return Wish(
        topics=tuple(dict.fromkeys(topics or ())),
        every=every,
        cameras=frozenset(cameras) if cameras else None,
        from_us=to_us(begin) if begin else None,
        to_us=to_us(end) if end else None,
        shift_to=shift_to,
        close=close,
    )


def _when(text: str | None, *, option: str, timezone: str) -> datetime | None:
    from roadwatch.commands.record.times import instant

    return None if text is None else instant(text, timezone, option)


def _target(kafka: KafkaSettings, prefix: str | None) -> KafkaSettings:
    if prefix is None:
        return kafka
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,150}", prefix):
        raise ConfigurationError("--prefix", [f"{prefix!r}: topics are called by letters, digits, dots, - and _"])
    return kafka.model_copy(update={"topic_prefix": prefix})


# The target


def _prepared(recording: "Recording", plan: "Plan", target: KafkaSettings, counts: Mapping[str, int]) -> "Replayer":
    """What sends, once the target's topics are seen to take it."""
    from producers.recordings.planning import keeping_partitions
    from producers.recordings.replayer import Replayer
    from producers.recordings.routes import Routes
    from runtime.registry import open_codec

    keeping = keeping_partitions(recording.index, plan.topics, target.names, counts)
    if by_key := [name for name in plan.topics if name not in keeping]:
        _tell(f"By key, not to the recorded partitions, of which the target has another number: {', '.join(by_key)}.")
    return Replayer(recording, plan, target, Routes.of(plan, target.names, keeping, open_codec(target)))


def _partitions(target: KafkaSettings) -> dict[str, int]:
    from runtime.admin import TopicAdmin

    return {name: topic.partitions for name, topic in TopicAdmin(target).existing().items()}


def _create(recording: "Recording", plan: "Plan", target: KafkaSettings) -> None:
    from producers.recordings.planning import partitions_to_create
    from runtime.admin import TopicAdmin

    count = partitions_to_create(recording.index, plan.topics, _partitions(target), target.names)
    count = count or target.camera_partitions
    created = TopicAdmin(target.model_copy(update={"camera_partitions": count})).create()
    if created and count != target.camera_partitions:
        _tell(
            f"{len(created)} topics created, with {count} partitions for cameras: set kafka.camera_partitions to {count}"
            " for the services that read them."
        )


# What is shown


def _tell(line: str) -> None:
    errors.print(line, markup=False, highlight=False, soft_wrap=True)


def _say_left_out(plan: "Plan") -> None:
    if plan.left_out:
        _tell(f"Left out: {', '.join(plan.left_out)}: services make such anew; --all sends them too.")


def _say_how_to_serve(target: KafkaSettings) -> None:
    _tell(f"Services read {target.topic_prefix}.* with kafka.topic_prefix = {target.topic_prefix!r} in their settings.")


def _say_held(plan: "Plan", target: KafkaSettings, counts: Mapping[str, int]) -> None:
    """Which topics hold records already; readers get those that are sent besides."""
    from producers.recordings.planning import called
    from runtime.offsets import Offsets

    names, offsets = [called(name, target.names) for name in plan.topics], Offsets(target)
    places = [(name, partition) for name in names for partition in range(counts[name])]
    first, ends = offsets.first(places), offsets.ends(places)
    if held := [name for name in names if any(ends[place] > first[place] for place in places if place[0] == name)]:
        _tell(
            f"These hold records already, and get those of the recording besides: {', '.join(held)}."
            " For topics of their own: --prefix NAME --create."
        )


@contextmanager
def _shown(replayer: "Replayer", plan: "Plan") -> "Iterator[Callable[[Progress], None]]":
    """A bar: records, event time, and how far behind."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bars:
        task = bars.add_task("Replaying", total=replayer.sequence.most if plan.selection.is_whole else None)
        yield lambda now: bars.update(task, completed=now.done, description=_told(now))


def _told(now: "Progress") -> str:
    if now.trouble:
        return f"Replaying: waiting, {now.trouble}"
    at = f" {now.at:%Y-%m-%d %H:%M:%S}" if now.at else ""
    return f"Replaying{at}" + (f", {now.behind_s:.1f} s behind" if now.behind_s >= BEHIND_S else "")


def _sum_up(outcome: "Outcome", plan: "Plan", target: KafkaSettings, *, as_json: bool) -> None:
    if as_json:
        print_json(_plain(outcome, plan, target))
        return
    for line in _lines(outcome, target):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _plain(outcome: "Outcome", plan: "Plan", target: KafkaSettings) -> dict[str, object]:
    return {
        "finished": outcome.finished,
        "sent": sum(outcome.sent.values()),
        "sent_by_topic": dict(sorted(outcome.sent.items())),
        "sent_before": outcome.begun_at,
        "unread": outcome.unread,
        "left_out": list(plan.left_out),
        "prefix": target.topic_prefix,
        "bootstrap_servers": target.bootstrap_servers,
        "shifted_by_s": outcome.shift.total_seconds() if outcome.shift is not None else None,
        "last_at": outcome.last_at,
        "outages": outcome.outages,
        "behind_s": round(outcome.behind_s, 3),
        "most_behind_s": round(outcome.most_behind_s, 3),
        "seconds": round(outcome.seconds, 3),
    }


def _lines(outcome: "Outcome", target: KafkaSettings) -> Iterator[str]:
    sent = sum(outcome.sent.values())
    topics = ", ".join(f"{name} {count:,}" for name, count in sorted(outcome.sent.items()))
    yield (
        f"{sent:,} records sent to {target.topic_prefix}.* at {target.bootstrap_servers} in {outcome.seconds:.1f} s"
        + (f": {topics}" if topics else "")
    )
    if outcome.begun_at:
        yield f"{outcome.begun_at:,} had been sent before."
    if outcome.unread:
        yield f"{outcome.unread:,} of them are no records of their topic, and were sent as they were."
    if outcome.shift:
        yield f"Event times were moved by {outcome.shift}."
    if outcome.outages:
        yield f"The target went away {outcome.outages} times, and was gone on with from where it was."
    if outcome.most_behind_s >= BEHIND_S:
        yield f"{outcome.behind_s:.1f} s behind at the end, {outcome.most_behind_s:.1f} s at the most: it went as fast as it could."
    if not outcome.finished:
        yield f"Stopped before the end. Go on with: {_going_on()}"


def _going_on() -> str:
    given = [argument for argument in sys.argv[1:] if argument != "--resume"]
    return shlex.join(["roadwatch", *given, "--resume"])
