"""Small recordings, made without Kafka, and what a replay of them left on a cluster."""

import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from producers.recordings.container import Entry
from producers.recordings.entries import TIMES, TOPICS
from producers.recordings.index import Chosen
from producers.recordings.planning import Plan, Wish, keeping_partitions, plan_of
from producers.recordings.recording import Recording, open_recording
from producers.recordings.replayer import Control, Outcome, Progress, Replayer
from producers.recordings.routes import Routes
from producers.recordings.timeline import Timeline
from producers.recordings.writing import RecordingWriter
from runtime.admin import TopicAdmin
from runtime.clients import Received
from runtime.settings import KafkaSettings
from runtime.spans import read_all
from schemas.codec import Codec, Schema, schema_of
from schemas.observations import pack
from schemas.records import Observations, Record
from schemas.times import to_us
from tests.support.records import NOON, a_frame, a_label, a_prediction

LOGGED_MS = to_us(NOON) // 1000
"When the first record was logged."


def entry(
    record: Record, offset: int, *, logged_ms: int = LOGGED_MS, schema: int = 0, body: bytes | None = None
) -> Entry:
    """A record as it is kept: a second later for each offset."""
    found = getattr(record, TIMES[type(record)])
    times = found if isinstance(found, tuple) else (found,)
    key = str(getattr(record, "camera_id", "key")).encode()
    plain = Codec().split(Codec().encode(record), type(record))[1] if body is None else body
    headers = (("traceparent", b"00-%d" % offset), ("twice", b"1"), ("twice", b"2"))
    at_ms = logged_ms + offset * 1000
    return Entry(offset, at_ms, to_us(min(times)), to_us(max(times)), key, headers, schema, plain)


def recorded(
    folder: Path,
    chains: Mapping[tuple[str, int], Iterable[Entry]],
    *,
    partitions: int = 4,
    schemas: Mapping[str, Schema] | None = None,
    chosen: Chosen | None = None,
) -> Recording:
    """A recording of entries by topic and partition; `schemas` are what a topic's were written with, where not ours."""
    counts = {topic: partitions for topic, _ in chains}
    with RecordingWriter.begin(
        folder, origin="test", made_by="test", partitions=counts, chosen=chosen or Chosen()
    ) as writer:
        for (topic, partition), entries in chains.items():
            writer.schema_number(topic, (schemas or {}).get(topic) or schema_of(TOPICS[topic].record))
            for one in entries:
                writer.write(topic, partition, one)
        writer.seal(complete=True)
    return open_recording(folder)


def a_road(folder: Path, count: int = 30, partitions: int = 4) -> Recording:
    """Frames and labels of two cameras, a second apart; partitions as no partitioner would choose them."""
    cameras = {0: "gate", 3: "bridge"}
    frames = {
        ("frames", p): [entry(a_frame(n, camera, picture=b"\xff" * 50), n) for n in range(count)]
        for p, camera in cameras.items()
    }
    labels = {
        ("labels", p): [entry(a_label(camera_id=camera, label_id=f"{camera}-{n}"), n) for n in range(count)]
        for p, camera in cameras.items()
    }
    return recorded(folder, {**frames, **labels}, partitions=partitions)


def a_batch(first: int, count: int = 3, camera_id: str = "gate") -> Observations:
    """Observations of consecutive frames."""
    return next(pack([a_prediction(n, camera_id=camera_id) for n in range(first, first + count)], ("car", "truck")))


def a_replayer(recording: Recording, kafka: KafkaSettings, wish: Wish | None = None) -> Replayer:
    """What sends a recording to the topics of a test."""
    plan = plan_of(recording, wish or Wish())
    return Replayer(recording, plan, kafka, routes(recording, plan, kafka))


def routes(recording: Recording, plan: Plan, kafka: KafkaSettings) -> Routes:
    """The ways of its records."""
    counts = {name: topic.partitions for name, topic in TopicAdmin(kafka).existing().items()}
    return Routes.of(plan, kafka.names, keeping_partitions(recording.index, plan.topics, kafka.names, counts), Codec())


def replay(
    recording: Recording,
    kafka: KafkaSettings,
    wish: Wish | None = None,
    *,
    speed: float | None = None,
    stop_at: int | None = None,
    resume: bool = False,
) -> Outcome:
    """Send a recording, at once if no speed is given; told to stop once so many records are done."""
    stop = threading.Event()

    def tell(now: Progress) -> None:
        if stop_at is not None and now.done >= stop_at:
            stop.set()

    control = Control(Timeline(speed, time.monotonic), stop, tell)
    return a_replayer(recording, kafka, wish).run(control, resume=resume)


def there(kafka: KafkaSettings, topic: str) -> list[Received]:
    """What lies on a topic, by partition and offset."""
    return sorted(read_all(kafka, kafka.names.of(TOPICS[topic])), key=lambda record: (record.partition, record.offset))


def expected(recording: Recording, topic: str) -> list[tuple[int, bytes | None, bytes, list[tuple[str, bytes]]]]:
    """What should lie there: partition, key, value and headers, by partition and in order."""
    kind = TOPICS[topic].record
    located = sorted(
        (one for one in recording.entries() if one.topic == topic), key=lambda one: (one.partition, one.offset)
    )
    return [
        (
            one.partition,
            one.entry.key,
            Codec().joined(one.entry.body, kind),
            [*one.entry.headers, ("roadwatch-logged-at", b"%d" % one.entry.logged_ms)],
        )
        for one in located
    ]


def shown(received: Iterable[Received]) -> list[tuple[int, bytes | None, bytes, list[tuple[str, bytes]]]]:
    """Records as `expected` puts them."""
    return [(one.partition, one.key, one.value, one.headers) for one in received]
