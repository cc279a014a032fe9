"""The monitor on a real Kafka: right figures, each report once, however often it is killed."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from runtime.clients import Outgoing, Received, Writer, read_all
from runtime.settings import Settings
from schemas.codec import Codec
from schemas.dead_letters import read_dead_letter
from schemas.observations import pack
from schemas.records import DayReport, Passage
from schemas.topics import LABELS, OBSERVATIONS, PASSAGES, REPORTS, Topic
from tests.monitor.world import CLASSES, Traffic, batches, traffic

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
CAMERAS = ("north", "south", "west")
DAYS = 3
VEHICLES = DAYS * 72
"Of each camera."


@contextmanager
def monitor(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """A monitor in a process of its own, killed at the end if it still runs."""
    process = subprocess.Popen([sys.executable, "-m", "tests.monitor.process"], cwd=ROOT, env=_environment(settings))
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _environment(settings: Settings) -> dict[str, str]:
    return os.environ | {
        "ROADWATCH_KAFKA__BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers,
        "ROADWATCH_KAFKA__TOPIC_PREFIX": settings.kafka.topic_prefix,
        "ROADWATCH_MONITOR__GROUP": settings.monitor.group,
        "ROADWATCH_MONITOR__DATA_FOLDER": str(settings.monitor.data_folder),
        "ROADWATCH_MONITOR__LABEL_PATIENCE": "P2D",
    }


def records(settings: Settings, topic: Topic) -> list[Received]:
    """Everything on a topic."""
    return list(read_all(settings.kafka, settings.kafka.names.of(topic)))


def reports(settings: Settings) -> list[DayReport]:
    """Every report that was sent."""
    return [Codec().decode(record.value, DayReport) for record in records(settings, REPORTS)]


def wait_until(done: Callable[[], bool], timeout_s: float = 120) -> None:
    """Look every half second, and fail after the timeout."""
    deadline = time.monotonic() + timeout_s
    while not done():
        assert time.monotonic() < deadline, f"nothing came of it in {timeout_s:.0f} s"
        time.sleep(0.5)


def feed(settings: Settings, seed: int, slices: int = 1) -> Iterator[int]:
    """Write all cameras' streams and labels, in slices of event time."""
    streams = [traffic(camera, DAYS, seed) for camera in CAMERAS]
    rng = random.Random(seed)
    with Writer(settings.kafka, Codec()) as writer:
        for i in range(slices):
            for stream in streams:
                _write(writer, rng, _slice(stream, i, slices))
            writer.flush()
            yield i


def _slice(stream: Traffic, i: int, slices: int) -> Traffic:
    frames, labels = stream.predictions, stream.labels
    return Traffic(
        frames[len(frames) * i // slices : len(frames) * (i + 1) // slices],
        labels[len(labels) * i // slices : len(labels) * (i + 1) // slices],
    )


def _write(writer: Writer, rng: random.Random, stream: Traffic) -> None:
    for batch in batches(rng, stream.predictions):
        for observations in pack(batch, CLASSES):
            writer.send(OBSERVATIONS, observations.camera_id, observations)
    for label in stream.labels:
        writer.send(LABELS, label.camera_id, label)


def is_complete(settings: Settings) -> bool:
    """Whether the last day's report has all vehicles of all cameras."""
    found = {report.day: report.scores.labelled for report in reports(settings)}
    return sum(found.values()) == VEHICLES * len(CAMERAS)


def has_passages(settings: Settings, least: int) -> bool:
    """Whether more than so many passages were sent."""
    return len(records(settings, PASSAGES)) > least


def assert_exact(settings: Settings) -> None:
    """Each revision once, and the last one right."""
    found = reports(settings)
    assert max(Counter((report.day, report.revision) for report in found).values()) == 1
    assert {report.day: report.scores.passages for report in found} == {report.day: 216 for report in found}
    passages = [Codec().decode(record.value, Passage) for record in records(settings, PASSAGES)]
    assert len({passage.passage_id for passage in passages}) == VEHICLES * len(CAMERAS)


def test_days_are_reported_and_the_service_stops_when_told(settings: Settings) -> None:
    """Three cameras over three days; SIGTERM ends the process with success."""
    with monitor(settings) as process:
        list(feed(settings, seed=1))
        wait_until(lambda: is_complete(settings))
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert_exact(settings)


def test_kills_change_nothing(settings: Settings) -> None:
    """Kill -9 between slices of the stream, wherever the monitor is at that moment."""
    rng = random.Random(7)
    for i in feed(settings, seed=2, slices=5):
        with monitor(settings):
            wait_until(partial(has_passages, settings, 120 * i))
            time.sleep(rng.uniform(0.0, 1.0))
    with monitor(settings):
        wait_until(lambda: is_complete(settings))
    assert_exact(settings)


def test_what_cannot_be_read_is_put_aside(settings: Settings) -> None:
    """A dead letter keeps key and bytes, and says why; the stream goes on."""
    with Writer(settings.kafka, Codec()) as writer:
        writer.send_bytes(Outgoing(settings.kafka.names.of(OBSERVATIONS), b"north", b"no record", [("trace", b"1")]))
    name = settings.kafka.names.dead_letters_of(OBSERVATIONS)
    with monitor(settings):
        wait_until(lambda: bool(list(read_all(settings.kafka, name))))
    letter = next(read_all(settings.kafka, name))
    assert (letter.key, letter.value, letter.header("trace")) == (b"north", b"no record", b"1")
    assert read_dead_letter(letter.headers).error == "DecodingError"
