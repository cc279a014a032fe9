"""The challenger in shadow: sees its share of the frames that the champion sees, and nobody acts on what it says.

    frames ─► its share, by vehicle ─► decoded, classified ─► shadow-predictions

While nobody is challenger, nothing is read. Each tenure has a consumer group of its own, which begins at the newest
frame: a challenger is compared on what comes, not on days that are over; started again in the same tenure, it goes on
where it was.
"""

import socket
from collections.abc import Callable
from functools import partial
from hashlib import blake2b
from threading import Event
from typing import Final

import cv2
import structlog
from prometheus_client import Counter

from models.registry.history import Holder
from processors.following import Follower, Serving
from processors.frames import BatchResult, FrameBatches
from processors.memory import give_back
from processors.service import abstained, batches_of, reason_of
from processors.upkeep import following_challenger
from runtime.admin import TopicAdmin
from runtime.clients import Outgoing, Received
from runtime.registry import open_codec
from runtime.service import Pulse
from runtime.settings import Settings
from runtime.transactions import ExactlyOnceLoop, LoopOptions, Work
from schemas.codec import Codec
from schemas.errors import ModelError
from schemas.records import CLASSIFIED, Frame
from schemas.topics import FRAMES, SHADOW_PREDICTIONS

log = structlog.get_logger(__name__)

PREDICTED = Counter("roadwatch_shadow_predictions_total", "Frames that the challenger classified.", ["model_version"])
ABSTAINED = Counter(
    "roadwatch_shadow_abstentions_total", "Frames that the challenger gave no label.", ["model_version"]
)
UNREADABLE = Counter(
    "roadwatch_shadow_unreadable_frames_total",
    "Frames that the challenger's processor could not read; the champion's sends them to dead letters.",
    ["reason"],
)

WAIT_S: Final = 0.5
"How often it looks whether there is a challenger."


def run_shadow(settings: Settings, stop: Event, instance: str | None = None) -> None:
    """Classify the challenger's share of frames until `stop` is set; waits while nobody is challenger.

    Args and raises as `run_processor`; a challenger that fails in service is refused, and waited for another.
    """
    cv2.setNumThreads(1)
    TopicAdmin(settings.kafka).require()
    codec, pulse = open_codec(settings.kafka), Pulse(settings.service.heartbeat_file)
    with following_challenger(settings, codec) as follower:
        shadow = _Shadow(settings, codec, follower, instance or socket.gethostname())
        log.info("shadow is ready")
        while not stop.is_set():
            pulse.beat()
            if follower.serving:
                shadow.serve(follower.serving, stop, pulse.beat)
                give_back()
            stop.wait(WAIT_S)


class _Shadow:
    """Serves one tenure after the other."""

    def __init__(self, settings: Settings, codec: Codec, follower: Follower, instance: str) -> None:
        self._settings = settings
        self._codec = codec
        self._follower = follower
        self._instance = instance

    def serve(self, serving: Serving, stop: Event, alive: Callable[[], None]) -> None:
        """Return when the challenger is another, or failed, or the service stops."""
        if serving.holder is None:
            return
        batches = batches_of(
            self._settings, self._codec, serving.classifier, partial(is_chosen, share=serving.holder.share)
        )
        try:
            self._loop(serving.holder, batches).run(TenureEnd(stop, lambda: self._is_over(serving)), alive)
        except ModelError as error:
            self._follower.dismiss(serving, error)
        finally:
            batches.close()

    def _is_over(self, serving: Serving) -> bool:
        return self._follower.serving is not serving

    def _loop(self, holder: Holder, batches: FrameBatches) -> ExactlyOnceLoop:
        kafka, limits = self._settings.kafka, self._settings.processor
        options = LoopOptions(group_of(self._settings, holder), self._instance, limits.batch, begin="end")
        log.info("challenger in shadow", model=holder.version, share=holder.share, group=options.group)
        return ExactlyOnceLoop(kafka, kafka.names.of(FRAMES), options, _shadowed(batches))


def group_of(settings: Settings, holder: Holder) -> str:
    """The consumer group of one tenure."""
    return f"{settings.processor.group}-shadow-{holder.version}-{holder.since:%Y%m%dT%H%M%S}"


def is_chosen(frame: Frame, share: float) -> bool:
    """Whether a frame is in the challenger's share: by its vehicle, so that each is seen whole or not at all."""
    if frame.kind not in CLASSIFIED:
        return False
    digest = blake2b((frame.passage_id or frame.frame_id).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * 2**64


class TenureEnd(Event):
    """Is set when the service stops, and when something is over."""

    def __init__(self, stop: Event, over: Callable[[], bool]) -> None:
        super().__init__()
        self._stop = stop
        self._over = over

    def is_set(self) -> bool:
        """Look at both."""
        return self._stop.is_set() or self._over()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the service's stop alone, which is not kept waiting."""
        return self._stop.wait(timeout) or self.is_set()


def _shadowed(batches: FrameBatches) -> Work:
    def work(records: list[Received]) -> list[Outgoing]:
        result = batches.process(records)
        _count(result)
        return list(batches.predictions(result, SHADOW_PREDICTIONS))

    return work


def _count(result: BatchResult) -> None:
    for _, prediction in result.predictions:
        PREDICTED.labels(prediction.model_version).inc()
        if abstained(prediction):
            ABSTAINED.labels(prediction.model_version).inc()
    for item in result.unreadable:
        UNREADABLE.labels(reason_of(item)).inc()
