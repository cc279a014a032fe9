"""A recorded road: some days of cameras, their labels and telemetry, kept as a recording."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from producers.recordings.container import Entry
from producers.recordings.entries import TOPICS, entry_of
from producers.recordings.index import Chosen
from producers.recordings.writing import RecordingWriter
from runtime.clients import Received
from schemas.codec import Codec
from schemas.ids import frame_id, passage_id
from schemas.observations import pack
from schemas.records import Label, ModelEvent, Prediction, Record, Telemetry
from schemas.times import EPOCH
from tests.monitor.world import CLASSES, START, batches, frame_label_of, milliseconds, promise, traffic
from tests.support.records import NOON, a_frame, a_label

CAMERAS = ("east", "north", "west")
DAYS = 3
PARTITIONS = 2
TOPICS_KEPT = ("predictions", "observations", "labels", "telemetry", "models")
UNREADABLE = b"no record"
Chains = dict[tuple[str, int], list[Entry]]


@dataclass(frozen=True, slots=True)
class _Sent:
    """A record on its way into a partition; bytes for what is none."""

    at: datetime
    topic: str
    key: str
    record: Record | bytes


def a_road(
    folder: Path, seed: int = 0, *, cameras: Iterable[str] = CAMERAS, topics: Iterable[str] = TOPICS_KEPT
) -> Path:
    """Three days, a vehicle each 20 minutes, one of them across midnight; labels come late, some for what was never seen."""
    partitions = {name: PARTITIONS if TOPICS[name].by_camera else 1 for name in topics}
    with RecordingWriter.begin(
        folder, origin="road", made_by="test 1", partitions=partitions, chosen=Chosen()
    ) as writer:
        sent = [one for camera in cameras for one in _camera(camera, seed)]
        _write(writer, [one for one in [*sent, *_models()] if one.topic in partitions])
        writer.seal(complete=True)
    return folder


def _write(writer: RecordingWriter, sent: list[_Sent]) -> None:
    codec = Codec()
    for one in sorted(sent, key=lambda one: one.at):
        partition = CAMERAS.index(one.key) % PARTITIONS if one.key in CAMERAS else 0
        value = one.record if isinstance(one.record, bytes) else codec.encode(one.record)
        offset = (writer.position(one.topic, partition) or 0) + 1  # as transactions do, it leaves offsets out
        headers = [("traceparent", str(offset).encode())]
        received = Received(one.topic, partition, offset, one.key.encode(), value, headers, milliseconds(one.at))
        entry = entry_of(received, TOPICS[one.topic], codec, partial(writer.schema_number, one.topic))
        writer.write(one.topic, partition, entry)


def _camera(camera: str, seed: int) -> Iterator[_Sent]:
    rng = random.Random(f"{camera}{seed}")
    stream = traffic(camera, DAYS, seed, wrong=0.2)
    back = stream.predictions[0].captured_at - START + timedelta(seconds=1.5)
    predictions = [_earlier(one, back) for one in stream.predictions]
    for part in batches(rng, predictions):
        at = max(one.captured_at for one in part) + timedelta(seconds=1)
        yield from (_Sent(at, "predictions", camera, one) for one in part)
        yield from (_Sent(at, "observations", camera, batch) for batch in pack(part, CLASSES))
    yield from _labels(rng, camera, [*stream.labels, *_odd_labels(rng, camera, predictions)], back)
    yield from _telemetry(rng, camera)


def _earlier(one: Prediction, back: timedelta) -> Prediction:
    crossed_at = one.crossed_at and one.crossed_at - back
    return replace(one, captured_at=one.captured_at - back, crossed_at=crossed_at)


def _odd_labels(rng: random.Random, camera: str, predictions: list[Prediction]) -> Iterator[Label]:
    """Of heartbeats, of what was never seen, and promises that say nothing new."""
    for one in rng.sample([one for one in predictions if one.kind == "heartbeat"], 20):
        yield frame_label_of(camera, one.sequence, "truck", one.captured_at + timedelta(seconds=3))
    for number in range(20):
        at = START + timedelta(hours=rng.uniform(1, 70))
        yield frame_label_of(camera, 1_000_000 + number, "car", at)
        yield promise(camera, at - timedelta(hours=1))


def _labels(rng: random.Random, camera: str, labels: list[Label], back: timedelta) -> Iterator[_Sent]:
    for label in labels:
        late = timedelta(hours=rng.choice((0, 0, 0, 3, 30)) if label.label else 0, seconds=rng.randint(1, 50))
        yield _Sent(label.labelled_at + late, "labels", camera, replace(label, labelled_at=label.labelled_at - back))


def _telemetry(rng: random.Random, camera: str) -> Iterator[_Sent]:
    for hours in range(0, 24 * DAYS, 2):
        at = START + timedelta(hours=hours, seconds=rng.randint(0, 99))
        yield _Sent(at, "telemetry", camera, Telemetry(camera, at, "running", None, None, (), 1, 1, {}, 0))
        yield _Sent(at + timedelta(hours=rng.random()), rng.choice(TOPICS_KEPT[:-1]), camera, UNREADABLE)


def _models() -> Iterator[_Sent]:
    for hours in (1, 40):
        at = START + timedelta(hours=hours)
        yield _Sent(at, "models", "v1|promoted", ModelEvent("promoted", "v1", "champion", at, "test", ""))


def a_long_road(folder: Path, entries: int) -> Path:
    """Half frames, without pictures, five a second to a vehicle; half labels, of each frame."""
    partitions = {"frames": 1, "labels": 1}
    with RecordingWriter.begin(
        folder, origin="road", made_by="test 1", partitions=partitions, chosen=Chosen()
    ) as writer:
        for number in range(entries // 2):
            at = NOON + number * timedelta(seconds=0.2)
            passage = passage_id("gate", "e", number - number % 5)
            name = frame_id("gate", "e", number)
            frame = a_frame(number, frame_id=name, epoch="e", captured_at=at, passage_id=passage)
            label = a_label(label_id=name, frame_id=name, passage_id=None, labelled_at=at)
            _write(writer, [_Sent(at, "frames", "gate", frame), _Sent(at, "labels", "gate", label)])
        writer.seal(complete=True)
    return folder


def at_us(at: datetime) -> int:
    """Microseconds since 1970."""
    return (at - EPOCH) // timedelta(microseconds=1)


def a_moment(rng: random.Random) -> datetime:
    """Some moment of the road's days: often within a vehicle."""
    vehicle = START + timedelta(minutes=20 * rng.randrange(72 * DAYS), seconds=rng.uniform(-2, 4))
    return rng.choice((vehicle, vehicle, START + timedelta(seconds=rng.randrange(86_400 * DAYS)))).astimezone(UTC)
