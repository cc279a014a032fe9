"""The processor as a service: the exactly-once loop over frames, its counters, its sign of life."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import Protocol

import cv2
import structlog
from prometheus_client import Counter, Histogram

from models.bundle import load_bundle
from processors.classifier import Classifier
from processors.following import Follower
from processors.frames import BatchResult, FrameBatches, FrameClassifier, Unreadable, every
from processors.memory import give_back
from processors.upkeep import following_champion
from runtime.admin import TopicAdmin
from runtime.clients import Outgoing, Received
from runtime.registry import open_codec
from runtime.service import Pulse
from runtime.settings import Settings
from runtime.transactions import ExactlyOnceLoop, LoopOptions, Work
from schemas.codec import Codec
from schemas.errors import ModelError
from schemas.records import CLASSIFIED, Frame, Prediction
from schemas.topics import FRAMES

log = structlog.get_logger(__name__)

PREDICTED = Counter("roadwatch_predictions_total", "Frames classified.", ["camera", "model_version", "label"])
ABSTAINED = Counter(
    "roadwatch_abstentions_total",
    "Frames that the model gave no label, for they are like none that it knows.",
    ["camera", "model_version"],
)
UNREADABLE = Counter("roadwatch_unreadable_frames_total", "Frames sent to dead letters.", ["reason"])
LATENCY = Histogram(
    "roadwatch_frame_seconds",
    "From the producer's send to the prediction.",
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 60),
)


def run_processor(settings: Settings, stop: Event, instance: str | None = None) -> None:
    """Classify frames until `stop` is set, by the registry's champion or by the bundle that the settings name.

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
    codec = open_codec(settings.kafka)
    options = LoopOptions(settings.processor.group, instance or socket.gethostname(), settings.processor.batch)
    with _model(settings, codec) as model:
        batches = batches_of(settings, codec, model.newest())
        loop = ExactlyOnceLoop(settings.kafka, settings.kafka.names.of(FRAMES), options, _counted(batches, model))
        log.info("processor is ready", model=model.newest().version, instance=options.instance)
        pulse = Pulse(settings.service.heartbeat_file)
        try:
            loop.run(stop, lambda: _turn(batches, model, pulse))
        finally:
            batches.close()


def batches_of(
    settings: Settings, codec: Codec, classifier: FrameClassifier, choose: Callable[[Frame], bool] = every
) -> FrameBatches:
    """The work on batches, as the settings want it."""
    limits = settings.processor
    return FrameBatches(
        classifier,
        codec,
        settings.kafka.names,
        max_pixels=limits.max_pixels,
        threads=limits.threads,
        choose=choose,
    )


class Model(Protocol):
    """The model that serves, now this one and now that."""

    def newest(self) -> FrameClassifier:
        """The one that is to see the next batch."""
        ...

    def failed(self, error: ModelError) -> None:
        """Find another for the batch that the newest has failed on; raises the error where there is none."""
        ...


class NamedModel:
    """The one that the settings name, for good."""

    def __init__(self, classifier: FrameClassifier) -> None:
        self._classifier = classifier

    def newest(self) -> FrameClassifier:
        """Always the same."""
        return self._classifier

    def failed(self, error: ModelError) -> None:
        """Nobody else was named."""
        raise error


class Champion:
    """The registry's champion."""

    def __init__(self, follower: Follower) -> None:
        """Take a follower that has begun: it never lets go of its last model."""
        self._follower = follower
        self._taken = follower.serving

    def newest(self) -> FrameClassifier:
        """The one that the follower has now."""
        self._taken = self._follower.serving
        if self._taken is None:
            raise ModelError("no model serves: the champion's follower has not begun")
        return self._taken.classifier

    def failed(self, error: ModelError) -> None:
        """Refuse it."""
        if self._taken is not None:
            self._follower.dismiss(self._taken, error)


@contextmanager
def _model(settings: Settings, codec: Codec) -> Iterator[Model]:
    if settings.processor.bundle:
        yield NamedModel(Classifier.load(load_bundle(settings.processor.bundle)))
    else:
        with following_champion(settings, codec) as follower:
            yield Champion(follower)


def _turn(batches: FrameBatches, model: Model, pulse: Pulse) -> None:
    """Between two batches, and while none comes."""
    pulse.beat()
    _take_over(batches, model)


def _take_over(batches: FrameBatches, model: Model) -> None:
    """Let the newest model see the next batch; the one before is released with its memory."""
    if batches.use(model.newest()):
        give_back()


def _counted(batches: FrameBatches, model: Model) -> Work:
    def work(records: list[Received]) -> list[Outgoing]:
        result = _processed(batches, model, records)
        _count(result)
        return list(batches.outgoing(result))

    return work


def _processed(batches: FrameBatches, model: Model, records: list[Received]) -> BatchResult:
    """The batch as the newest model sees it; where that fails on it, as the next in line does."""
    while True:
        _take_over(batches, model)
        try:
            return batches.process(records)
        except ModelError as error:
            model.failed(error)


def _count(result: BatchResult) -> None:
    for _, prediction in result.predictions:
        camera, version = prediction.camera_id, prediction.model_version
        PREDICTED.labels(camera, version, _said(prediction)).inc()
        LATENCY.observe(prediction.timings.total_ms / 1000)
        if abstained(prediction):
            ABSTAINED.labels(camera, version).inc()
    for item in result.unreadable:
        UNREADABLE.labels(reason_of(item)).inc()


def _said(prediction: Prediction) -> str:
    return "none" if abstained(prediction) else prediction.label or prediction.kind


def abstained(prediction: Prediction) -> bool:
    """Whether the model saw the picture and gave it no label."""
    return prediction.kind in CLASSIFIED and prediction.label is None


def reason_of(item: Unreadable) -> str:
    """A short name for the counters."""
    return str(getattr(item.error, "reason", type(item.error).__name__))
