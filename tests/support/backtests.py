"""Recordings made in memory: a road's frames, what a live run made of them, and its labels."""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import cv2
import numpy as np

from models.bundle import Bundle, save_bundle
from monitor.offline import OfflineMonitor
from monitor.policies import policy, rules_of
from processors.classifier import Classifier
from processors.frames import FrameBatches
from producers.recordings.entries import TOPICS, entry_of
from producers.recordings.index import Chosen
from producers.recordings.writing import RecordingWriter
from runtime.clients import Received
from runtime.settings import MonitorSettings
from schemas.codec import Codec
from schemas.ids import frame_id, passage_id
from schemas.observations import pack
from schemas.records import Alert, AlertAction, Box, DayReport, Frame, Label, Observations, Record, Telemetry
from schemas.times import EPOCH
from schemas.topics import Names
from tests.models.bundles import tiny_bundle, tiny_graph
from tests.monitor.world import CLASSES, START, batches, traffic

PARTITIONS = 2
CODEC = Codec()
TOPIC_OF = {topic.record: name for name, topic in TOPICS.items() if name != "shadow-predictions"}


@dataclass(frozen=True, slots=True)
class Logged:
    """A record, and when it was logged."""

    at: datetime
    record: Record


def write_recording(
    folder: Path, logged: Iterable[Logged], *, pictures: bool = True, topics: Sequence[str] = ()
) -> Path:
    """Write records into a recording, by camera into partitions."""
    found = sorted(logged, key=lambda each: each.at)
    names = {TOPIC_OF[type(each.record)] for each in found} | set(topics)
    offsets: Counter[tuple[str, int]] = Counter()
    with RecordingWriter.begin(
        folder,
        origin="test",
        made_by="test",
        partitions=dict.fromkeys(sorted(names), PARTITIONS),
        chosen=Chosen(pictures=pictures),
    ) as writer:
        for each in found:
            name = TOPIC_OF[type(each.record)]
            number = partition_of(each.record)
            received = as_received(each, name, number, offsets[name, number])
            offsets[name, number] += 1
            numbered = entry_of(
                received, TOPICS[name], CODEC, lambda schema, name=name: writer.schema_number(name, schema)
            )
            writer.write(name, number, numbered)
        writer.seal(complete=True)
    return folder


def as_received(each: Logged, name: str, partition: int, offset: int) -> Received:
    """A record as Kafka would give it."""
    key = str(getattr(each.record, "camera_id", "")).encode()
    at_ms = (each.at - EPOCH) // timedelta(milliseconds=1)
    return Received(name, partition, offset, key, CODEC.encode(each.record), [], at_ms)


def partition_of(record: Record) -> int:
    """Where a camera's records lie."""
    return sum(str(getattr(record, "camera_id", "") or "").encode()) % PARTITIONS


def observed_days(
    cameras: Sequence[str] = ("north", "south"), days: int = 2, wrong: float = 0.1, seed: int = 1
) -> list[Logged]:
    """Observations and labels of a few days, without pictures."""
    rng, found = random.Random(seed), list[Logged]()
    for camera in cameras:
        road = traffic(camera, days, seed, wrong)
        for batch in batches(rng, road.predictions):
            at = max(prediction.captured_at for prediction in batch) + timedelta(milliseconds=80)
            found += [Logged(at, each) for each in pack(batch, CLASSES)]
        found += [Logged(label.labelled_at + timedelta(seconds=20), label) for label in road.labels]
    return found


def measured_days(cameras: Sequence[str] = ("north", "south"), days: int = 2) -> list[Logged]:
    """What their devices say each ten minutes: on the second day's noon the source is opened again and again."""
    found = list[Logged]()
    for camera in cameras:
        for number in range(days * 144):
            at = START + number * timedelta(minutes=10)
            lost = max(0, min(number - 216, 18)) * 5
            told = Telemetry(camera, at, "running", 31.0, None, (), 600 * number, 60 * number, {}, lost)
            found.append(Logged(at + timedelta(seconds=1), told))
    return found


def filmed_days(camera: str = "gate", days: int = 2, vehicles: int = 12) -> list[Logged]:
    """Frames and labels: trucks are bright and cars are dark, by and large."""
    rng, found = np.random.default_rng(5), list[Logged]()
    sequence = 0
    for day in range(days):
        for number in range(vehicles):
            at = START + timedelta(days=day, hours=1, minutes=50 * number)
            truth = "truck" if rng.random() < 0.5 else "car"
            shade = rng.normal(150 if truth == "truck" else 100, 18)
            found += [
                Logged(frame.captured_at + timedelta(milliseconds=30), frame)
                for frame in _vehicle(rng, camera, sequence, at, shade)
            ]
            label = Label(f"l{sequence}", camera, None, passage_id(camera, "e", sequence), truth, "test", 1.0, at, None)
            found.append(Logged(at + timedelta(minutes=1), label))
            sequence += 3
    end = replace(
        _frame(rng, camera, sequence, START + timedelta(days=days), 0, 120),
        kind="end",
        passage_id=None,
        crossed_at=None,
    )
    return [*found, Logged(end.captured_at + timedelta(milliseconds=30), end)]


def _vehicle(rng: np.random.Generator, camera: str, first: int, at: datetime, shade: float) -> list[Frame]:
    return [_frame(rng, camera, first + i, at + timedelta(seconds=i), first, shade) for i in range(3)]


def _frame(rng: np.random.Generator, camera: str, sequence: int, at: datetime, first: int, shade: float) -> Frame:
    grey = np.clip(rng.normal(shade, 12, (40, 60, 3)), 0, 255).astype(np.uint8)
    return Frame(
        frame_id=frame_id(camera, "e", sequence),
        camera_id=camera,
        epoch="e",
        sequence=sequence,
        kind="vehicle",
        captured_at=at,
        zone_id="lane",
        passage_id=passage_id(camera, "e", first),
        crossed_at=at if sequence > first else None,
        box=Box(0, 0, 60 + sequence - first, 40),
        source_width=640,
        source_height=360,
        encoding="jpeg",
        picture=bytes(cv2.imencode(".jpg", grey)[1]),
    )


def live_run(logged: Sequence[Logged], bundle: Bundle, settings: MonitorSettings, seed: int = 3) -> list[Logged]:
    """What processors and a monitor make of frames and labels, in batches of their own: their records, when logged."""
    observed = _observed([each for each in logged if isinstance(each.record, Frame)], bundle, random.Random(seed))
    return [*observed, *judged([*logged, *observed], settings)]


def judged(logged: Sequence[Logged], settings: MonitorSettings) -> list[Logged]:
    """What a monitor makes of observations, labels, telemetry, and of what people say of its alerts."""
    monitor = OfflineMonitor(policy(settings), rules_of(settings))
    sent = [record for each in sorted(logged, key=lambda each: each.at) for record in _taken(monitor, each)]
    last = max(each.at for each in logged)
    sent += monitor.finish()
    return [Logged(last, record) for record in sent if isinstance(record, DayReport | Alert)]


def _taken(monitor: OfflineMonitor, logged: Logged) -> list[Record]:
    match logged.record:
        case Observations() as batch:
            return monitor.observations(as_received_by_monitor(batch), logged.at)
        case Label() as label:
            return monitor.label(label, logged.at)
        case Telemetry() as telemetry:
            return monitor.telemetry(telemetry, logged.at)
        case AlertAction() as action:
            return monitor.settle() + monitor.action(action)
    return []


def as_received_by_monitor(batch: Observations) -> Observations:
    """A batch after its way over the wire, where floats have 32 bits."""
    return CODEC.decode(CODEC.encode(batch), Observations)


def _observed(frames: Sequence[Logged], bundle: Bundle, rng: random.Random) -> list[Logged]:
    work = FrameBatches(Classifier.load(bundle), CODEC, Names("live"), max_pixels=10_000, threads=1)
    found, at = list[Logged](), 0
    while at < len(frames):
        some = frames[at : at + rng.randint(1, 7)]
        at += len(some)
        received = [as_received(each, "live.frames", partition_of(each.record), at + i) for i, each in enumerate(some)]
        result = work.process(received)
        timed = [
            replace(said, timings=replace(said.timings, total_ms=rng.uniform(4, 90))) for _, said in result.predictions
        ]
        done = some[-1].at + timedelta(milliseconds=40)
        found += [Logged(done, each) for each in pack(timed, result.labels)]
    work.close()
    return found


def tiny(folder: Path, version: str, scale: float = 0.1) -> Path:
    """A bundle's folder: a model that calls bright pictures trucks; of a negative scale it is always wrong."""
    made = tiny_bundle(tiny_graph(scale=scale))
    save_bundle(replace(made, version=version, card=replace(made.card, version=version)), folder)
    return folder
