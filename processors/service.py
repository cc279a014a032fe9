"""The processor as a service: the exactly-once loop over frames, its counters, its sign of life."""

import socket
from threading import Event

import cv2
import structlog
from prometheus_client import Counter, Histogram

from models.bundle import BUNDLED, load_bundle
from processors.classifier import Classifier
from processors.frames import BatchResult, FrameBatches
from runtime.admin import TopicAdmin
from runtime.clients import Outgoing, Received
from runtime.registry import open_codec
from runtime.service import Pulse
from runtime.settings import Settings
from runtime.transactions import ExactlyOnceLoop, LoopOptions, Work
from schemas.topics import FRAMES

log = structlog.get_logger(__name__)

PREDICTED = Counter("roadwatch_predictions_total", "Frames classified.", ["camera", "model_version", "label"])
UNREADABLE = Counter("roadwatch_unreadable_frames_total", "Frames sent to dead letters.", ["reason"])
LATENCY = Histogram(
    "roadwatch_frame_seconds",
    "From the producer's send to the prediction.",
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 60),
)


def run_processor(settings: Settings, stop: Event, instance: str | None = None) -> None:
    """Classify frames until `stop` is set.

    Args:
        settings: The cluster, the model, the loop's sizes.
        stop: Set it to end after the batch at hand.
        instance: Names this worker within its group for good; None: the host's name. Two workers of a group never
            share one.

    Raises:
        BrokerUnavailableError: nobody answers.
        TopicError: topics are missing or not as the table says.
        ModelError: the bundle may not serve.

    """
    cv2.setNumThreads(1)
    TopicAdmin(settings.kafka).require()
    classifier = Classifier.load(load_bundle(settings.processor.bundle or BUNDLED))
    batches = FrameBatches(
        classifier,
        open_codec(settings.kafka),
        settings.kafka.names,
        max_pixels=settings.processor.max_pixels,
        threads=settings.processor.threads,
    )
    options = LoopOptions(settings.processor.group, instance or socket.gethostname(), settings.processor.batch)
    loop = ExactlyOnceLoop(settings.kafka, settings.kafka.names.of(FRAMES), options, _counted(batches))
    log.info("processor is ready", model=classifier.version, instance=options.instance)
    try:
        loop.run(stop, Pulse(settings.service.heartbeat_file).beat)
    finally:
        batches.close()


def _counted(batches: FrameBatches) -> Work:
    def work(records: list[Received]) -> list[Outgoing]:
        result = batches.process(records)
        _count(result)
        return list(batches.outgoing(result))

    return work


def _count(result: BatchResult) -> None:
    for _, prediction in result.predictions:
        PREDICTED.labels(prediction.camera_id, prediction.model_version, prediction.label or prediction.kind).inc()
        LATENCY.observe(prediction.timings.total_ms / 1000)
    for item in result.unreadable:
        UNREADABLE.labels(getattr(item.error, "reason", type(item.error).__name__)).inc()
