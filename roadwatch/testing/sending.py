"""A recording, sent to a test's cluster."""

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from threading import Event, Timer

from producers.recordings.planning import Wish, called, keeping_partitions, plan_of
from producers.recordings.recording import Recording
from producers.recordings.replayer import Control, Replayer
from producers.recordings.routes import Routes
from producers.recordings.timeline import Timeline
from runtime.registry import open_codec
from runtime.settings import KafkaSettings
from runtime.spans import partitions_of
from schemas.errors import LocalStackError


def send(
    recording: Recording,
    kafka: KafkaSettings,
    topics: Collection[str],
    *,
    cameras: Collection[str] | None,
    speed: float | None,
    timeout_s: float,
) -> None:
    """Send what is wanted of a recording, and end its cameras; returns when the cluster has it.

    Raises:
        ConfigurationError: nothing of the recording is chosen.
        RecordingError: it is torn, or of a schema that cannot be read.
        BrokerError: the cluster refuses a record.
        LocalStackError: not all of it was sent in time.

    """
    wish = Wish(tuple(topics), cameras=None if cameras is None else frozenset(cameras), close=True)
    plan = plan_of(recording, wish)
    names = [called(name, kafka.names) for name in plan.topics]
    keeping = keeping_partitions(recording.index, plan.topics, kafka.names, partitions_of(kafka, names))
    routes = Routes.of(plan, kafka.names, keeping, open_codec(kafka))
    replayer = Replayer(recording, plan, kafka, routes)
    with _set_after(timeout_s) as stop:
        outcome = replayer.run(Control(Timeline(speed, time.monotonic), stop))
    if not outcome.finished:
        raise LocalStackError(
            f"{outcome.done} of {replayer.sequence.most} records of {recording.where} were sent to"
            f" {kafka.bootstrap_servers} within {timeout_s:.0f} s (timeout_s)"
        )


@contextmanager
def _set_after(seconds: float) -> Iterator[Event]:
    event = Event()
    timer = Timer(seconds, event.set)
    timer.daemon = True
    timer.start()
    try:
        yield event
    finally:
        timer.cancel()
