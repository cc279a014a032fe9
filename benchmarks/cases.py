"""What is compared: each promise about cost that the design makes."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from threading import Event

import cv2

from benchmarks.measure import Comparison, compare
from models.bundle import BUNDLED, load_bundle
from processors.classifier import Classifier
from processors.frames import FrameBatches
from processors.pictures import examine
from producers.gate import MotionGate
from producers.simulator import SimulatorSource, training_crops
from producers.zones import Zone
from runtime.admin import TopicAdmin
from runtime.clients import Outgoing, Received, Writer
from runtime.settings import KafkaSettings
from runtime.transactions import ExactlyOnceLoop, LoopOptions
from schemas.codec import Codec
from schemas.ids import frame_id, passage_id
from schemas.observations import pack
from schemas.records import Box, Frame, Prediction
from schemas.topics import FRAMES

COUNT = 1024
BATCH = 256
THREADS = 2
MAX_PIXELS = 40_000_000
CODEC = Codec()
EPOCH = "benchmark"


def frames() -> list[Frame]:
    """Simulated crops as a camera would push them."""
    return [_frame(n, image) for n, (image, _, _) in enumerate(training_crops(1, COUNT))]


def _frame(sequence: int, image: object) -> Frame:
    return Frame(
        frame_id=frame_id("gate", EPOCH, sequence),
        camera_id="gate",
        epoch=EPOCH,
        sequence=sequence,
        kind="vehicle",
        captured_at=datetime(2026, 3, 2, tzinfo=UTC),
        zone_id="lane",
        passage_id=passage_id("gate", EPOCH, sequence // 8 * 8),
        crossed_at=None,
        box=Box(0, 0, 64, 64),
        source_width=640,
        source_height=360,
        encoding="jpeg",
        picture=bytes(cv2.imencode(".jpg", image)[1]),  # type: ignore[call-overload]
    )


def batches_of(classifier: Classifier) -> FrameBatches:
    """The processor's own work."""
    return FrameBatches(classifier, CODEC, KafkaSettings().names, max_pixels=MAX_PIXELS, threads=THREADS)


def exactly_once_beside_bare(kafka: KafkaSettings, made: list[Frame], classifier: Classifier) -> Comparison:
    """The whole processor over Kafka, beside decoding and inference alone."""

    def over_kafka() -> int:
        settings = kafka.model_copy(update={"topic_prefix": f"b{uuid.uuid4().hex[:8]}"})
        TopicAdmin(settings).create()
        with Writer(settings, CODEC) as writer:
            for frame in made:
                writer.send(FRAMES, frame.camera_id, frame)
        _process_all(settings, classifier, len(made))
        return len(made)

    def bare() -> int:
        for start in range(0, len(made), BATCH):
            classifier.classify([examine(frame.picture)[0] for frame in made[start : start + BATCH]])
        return len(made)

    return compare("exactly-once processor, beside decoding and inference alone", over_kafka, bare, runs=3)


def _process_all(kafka: KafkaSettings, classifier: Classifier, count: int) -> None:
    batches, stop, done = batches_of(classifier), Event(), 0

    def work(records: list[Received]) -> Iterator[Outgoing]:
        nonlocal done
        done += len(records)
        if done >= count:
            stop.set()
        yield from batches.outgoing(batches.process(records))

    options = LoopOptions(kafka.topic_prefix, "1", BATCH)
    ExactlyOnceLoop(kafka, kafka.names.of(FRAMES), options, work).run(stop)
    batches.close()


def observations_beside_predictions(made: list[Frame], classifier: Classifier) -> Comparison:
    """Encoding a batch as columns, beside encoding its predictions one by one."""
    said = _predictions(made, classifier)

    def columns() -> int:
        return len([CODEC.encode(batch) for batch in pack(said, classifier.labels)]) and len(said)

    def one_by_one() -> int:
        return len([CODEC.encode(prediction) for prediction in said])

    return compare("observations as columns, beside predictions one by one", columns, one_by_one)


def _predictions(made: list[Frame], classifier: Classifier) -> list[Prediction]:
    records = [Received("frames", 0, n, b"gate", CODEC.encode(frame), [], 0) for n, frame in enumerate(made)]
    batches = batches_of(classifier)
    result = batches.process(records)
    batches.close()
    return [prediction for _, prediction in result.predictions]


def gate_beside_decoding() -> Comparison:
    """The motion gate on a picture, beside decoding it from JPEG."""
    source = SimulatorSource("gate", seed=1, start=datetime(2026, 3, 2, tzinfo=UTC), days=1, passages_per_day=10)
    zones = [Zone(name, tuple(area), line) for name, area, line in source.zones()]
    pictures = [picture for picture in iter(source.read, None) if picture is not None][:400]
    encoded = [bytes(cv2.imencode(".jpg", picture.image)[1]) for picture in pictures]

    def gate() -> int:
        watching = MotionGate(zones, 640, 360)
        return len([watching.look(picture) for picture in pictures])

    def decoding() -> int:
        return len([examine(picture)[0] for picture in encoded])

    return compare("motion gate, beside decoding the same picture from JPEG", gate, decoding, runs=3)


def comparisons(kafka: KafkaSettings) -> Iterator[Comparison]:
    """All of them, one after the other."""
    cv2.setNumThreads(1)
    classifier = Classifier.load(load_bundle(BUNDLED))
    made = frames()
    yield observations_beside_predictions(made, classifier)
    yield gate_beside_decoding()
    yield exactly_once_beside_bare(kafka, made, classifier)
