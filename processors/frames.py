"""One batch of frames to its predictions, observations and dead letters: everything between read and write.

bytes ─► Frame ─► picture ─► verdict ─► Prediction ─┬─► predictions, one record a frame
  │        │         │                              └─► observations, one record a batch and camera
  └────────┴─────────┴─ unreadable ─► frames.dlq, with its reason
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import structlog
from numpy.typing import NDArray

from models.verdicts import Verdicts
from processors.pictures import examine
from runtime.clients import Headers, Outgoing, Received
from schemas.codec import Codec
from schemas.dead_letters import dead_letter_headers
from schemas.errors import PictureError, RecordError, RoadwatchError
from schemas.observations import pack
from schemas.records import CLASSIFIED, DeadLetter, Frame, Origin, Prediction, Statistics, Timings
from schemas.replayed import LOGGED_AT, logged_at_header, logged_ms
from schemas.topics import FRAMES, OBSERVATIONS, PREDICTIONS, Names, Topic

log = structlog.get_logger(__name__)

Image = NDArray[np.uint8]
HANDED_ON = ("traceparent", LOGGED_AT)
"Headers that a prediction takes from its frame."


class FrameClassifier(Protocol):
    """What classifies pictures: `processors.classifier.Classifier`, or a table of verdicts in a test."""

    @property
    def version(self) -> str:
        """The bundle's version."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, in the order of probabilities."""
        ...

    def classify(self, images: Sequence[Image]) -> Verdicts:
        """Verdicts on pictures, uint8 H×W×3 BGR."""
        ...


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame whose picture was decoded."""

    received: Received
    "The record."
    frame: Frame
    "What it held."
    image: Image
    "uint8, H×W×3, BGR."
    statistics: Statistics
    "Of the picture."
    decode_ms: float
    "How long that took."
    at_ms: float
    "When the batch was read, wall clock, milliseconds since 1970."


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that ends here."""

    received: Received
    "The record."
    error: RoadwatchError
    "Why."


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the model says of one picture."""

    label: str | None
    "The most probable class; None where the model abstains."
    probabilities: dict[str, float]
    "Of each class."

    @property
    def confidence(self) -> float | None:
        """The label's probability; None where label is."""
        return None if self.label is None else self.probabilities[self.label]


NO_VERDICT = Verdict(None, {})
"On what is not classified."


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What became of a batch: every frame that was chosen is in one of the two."""

    predictions: list[tuple[Received, Prediction]]
    "In the order of the batch."
    unreadable: list[Unreadable]
    "Likewise."
    labels: tuple[str, ...]
    "The classes of the model that saw the whole batch."


def every(_frame: Frame) -> bool:
    """Choose each frame."""
    return True


class FrameBatches:
    """Turns batches of frame records into records to write; all of a batch is seen by one model."""

    def __init__(
        self,
        classifier: FrameClassifier,
        codec: Codec,
        names: Names,
        *,
        max_pixels: int,
        threads: int,
        choose: Callable[[Frame], bool] = every,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`choose` leaves frames out before their pictures are decoded; `clock`: wall clock, seconds since 1970."""
        self._classifier = classifier
        self._choose = choose
        self._codec = codec
        self._names = names
        self._max_pixels = max_pixels
        self._clock = clock
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")

    def use(self, classifier: FrameClassifier) -> bool:
        """Classify by another model from the next batch on; whether it is another."""
        other = classifier is not self._classifier
        self._classifier = classifier
        return other

    def process(self, records: Sequence[Received]) -> BatchResult:
        """Decode and classify a batch; each camera's order is kept."""
        now_ms = self._clock() * 1000
        looked_at = list(self._pool.map(lambda record: self._look(record, now_ms), records))
        seen = [item for item in looked_at if isinstance(item, Seen)]
        return BatchResult(
            predictions=list(self._predict(seen)),
            unreadable=[item for item in looked_at if isinstance(item, Unreadable)],
            labels=self._classifier.labels,
        )

    def outgoing(self, result: BatchResult) -> Iterator[Outgoing]:
        """The records that a batch gives."""
        yield from self.predictions(result, PREDICTIONS)
        logged = _logged_at(result)
        for batch in pack((prediction for _, prediction in result.predictions), result.labels):
            headers = logged.get(batch.camera_id, [])
            yield Outgoing(self._names.of(OBSERVATIONS), batch.camera_id.encode(), self._codec.encode(batch), headers)
        for item in result.unreadable:
            yield self._dead_letter(item)

    def predictions(self, result: BatchResult, topic: Topic) -> Iterator[Outgoing]:
        """The batch's predictions alone, for a topic of them."""
        for received, prediction in result.predictions:
            yield self._prediction(received, prediction, topic)

    def close(self) -> None:
        """End the decoding threads."""
        self._pool.shutdown()

    def _look(self, record: Received, now_ms: float) -> Seen | Unreadable | None:
        """Decode one record; None for a frame that was not chosen."""
        started = time.perf_counter()
        try:
            frame = self._codec.decode(record.value, Frame)
            if not self._choose(frame):
                return None
            image, picture = examine(frame.picture, whole=frame.kind != "vehicle", max_pixels=self._max_pixels)
        except (RecordError, PictureError) as error:
            return Unreadable(record, error)
        return Seen(record, frame, image, picture, (time.perf_counter() - started) * 1000, now_ms)

    def _predict(self, seen: list[Seen]) -> Iterator[tuple[Received, Prediction]]:
        started = time.perf_counter()
        images = [item.image for item in seen if item.frame.kind in CLASSIFIED]
        verdicts = iter(self._classify(images))
        inference_ms = (time.perf_counter() - started) * 1000 / max(1, len(images))
        done_ms = self._clock() * 1000
        for item in seen:
            if item.frame.kind in CLASSIFIED:
                yield item.received, self._said(item, next(verdicts), inference_ms, done_ms)
            else:
                yield item.received, self._said(item, NO_VERDICT, 0.0, done_ms)

    def _classify(self, images: list[Image]) -> list[Verdict]:
        """A verdict on each picture; the batch is shared out among the threads."""
        if not images:
            return []
        size = max(1, -(-len(images) // self._threads))
        shares = [images[i : i + size] for i in range(0, len(images), size)]
        return [verdict for said in self._pool.map(self._classifier.classify, shares) for verdict in _verdicts(said)]

    def _said(self, item: Seen, verdict: Verdict, inference_ms: float, done_ms: float) -> Prediction:
        frame, record = item.frame, item.received
        return Prediction(
            frame_id=frame.frame_id,
            camera_id=frame.camera_id,
            epoch=frame.epoch,
            sequence=frame.sequence,
            kind=frame.kind,
            captured_at=frame.captured_at,
            zone_id=frame.zone_id,
            passage_id=frame.passage_id,
            crossed_at=frame.crossed_at,
            label=verdict.label,
            confidence=verdict.confidence,
            probabilities=verdict.probabilities,
            model_version=self._classifier.version,
            statistics=item.statistics,
            timings=Timings(
                queue_ms=max(0.0, item.at_ms - record.timestamp_ms),
                decode_ms=item.decode_ms,
                inference_ms=inference_ms,
                total_ms=max(0.0, done_ms - record.timestamp_ms),
            ),
            origin=Origin(record.topic, record.partition, record.offset),
        )

    def _prediction(self, record: Received, prediction: Prediction, topic: Topic) -> Outgoing:
        handed_on: Headers = [(name, value) for name, value in record.headers if name in HANDED_ON]
        value = self._codec.encode(prediction)
        return Outgoing(self._names.of(topic), prediction.camera_id.encode(), value, handed_on)

    def _dead_letter(self, item: Unreadable) -> Outgoing:
        record = item.received
        log.warning(
            "frame is unreadable, sent to dead letters",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            reason=str(item.error),
        )
        letter = DeadLetter(
            type(item.error).__name__, str(item.error), record.topic, record.partition, record.offset, "processor"
        )
        headers = [*record.headers, *dead_letter_headers(letter)]
        return Outgoing(self._names.dead_letters_of(FRAMES), record.key, record.value, headers)


def _logged_at(result: BatchResult) -> dict[str, Headers]:
    """By camera, for a batch's replayed frames: when the last of them was first logged."""
    latest: dict[str, int] = {}
    for record, prediction in result.predictions:
        if record.header(LOGGED_AT):
            camera, at = prediction.camera_id, logged_ms(record.timestamp_ms, record.headers)
            latest[camera] = max(at, latest.get(camera, at))
    return {camera: [logged_at_header(at)] for camera, at in latest.items()}


def _verdicts(said: Verdicts) -> Iterator[Verdict]:
    for label, row in zip(said.labels, said.probabilities.tolist(), strict=True):
        yield Verdict(label, dict(zip(said.classes, row, strict=True)))
