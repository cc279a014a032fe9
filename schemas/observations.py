"""Predictions packed into columns, and back: one record a batch and camera, for readers to whom records are dear."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from schemas.ids import frame_id, parse_id, passage_id
from schemas.records import FrameKind, Observations, Prediction

NONE = -1
"Stands for None in the columns of numbers."


@dataclass(frozen=True, slots=True)
class Observation:
    """One row: what the monitor needs to know of one prediction."""

    camera_id: str
    "The camera."
    epoch: str
    "The frame's epoch."
    sequence: int
    "The frame's number in its epoch."
    kind: FrameKind
    "The frame's kind."
    captured_at: datetime
    "When the picture was taken."
    crossed_at: datetime | None
    "When the vehicle crossed the line; None before that."
    zone_id: str | None
    "The zone; None for whole pictures."
    passage: int | None
    "The sequence of the passage's first frame; None for whole pictures."
    label: str | None
    "The predicted class; None for what is not classified, and where the model abstains."
    confidence: float | None
    "Its probability; None where label is."
    brightness: float
    "Mean luma, 0 to 255."
    contrast: float
    "Standard deviation of luma."
    sharpness: float
    "Variance of the Laplacian."
    width: int
    "The picture's width, pixels."
    height: int
    "The picture's height, pixels."
    latency_ms: float
    "From the producer's send to the prediction, wall clock."
    model_version: str
    "The bundle that served."
    noise: float = 0.0
    "Standard deviation of the grain; 0 where an older processor did not measure it."
    sketch: bytes = b""
    "16 × 9 luma of whole pictures; empty for crops, and where an older processor did not draw one."
    queue_ms: float | None = None
    "From the producer's send to the processor's receipt; None where an older processor did not say."
    decode_ms: float | None = None
    "Decoding and statistics; likewise."
    inference_ms: float | None = None
    "The batch's inference, divided among its frames; likewise."

    @property
    def frame_id(self) -> str:
        """The frame's id."""
        return frame_id(self.camera_id, self.epoch, self.sequence)

    @property
    def passage_id(self) -> str | None:
        """The passage's id; None for whole pictures."""
        return None if self.passage is None else passage_id(self.camera_id, self.epoch, self.passage)


def pack(predictions: Iterable[Prediction], classes: tuple[str, ...]) -> Iterator[Observations]:
    """Columns of consecutive predictions of one camera, epoch, model and partition.

    Order is kept within a camera, not between cameras. `classes` is the model's order of classes.
    """
    for _, group in groupby(sorted(predictions, key=_batch_of), key=_batch_of):
        yield _pack(list(group), classes)


def rows(batch: Observations) -> Iterator[Observation]:
    """The rows of a batch, in camera order."""
    for i in range(len(batch.sequences)):
        yield _row(batch, i)


def _batch_of(prediction: Prediction) -> tuple[str, str, str, str, int]:
    origin = prediction.origin
    return (prediction.camera_id, prediction.epoch, prediction.model_version, origin.topic, origin.partition)


def _pack(predictions: list[Prediction], classes: tuple[str, ...]) -> Observations:
    first = predictions[0]
    zones = tuple(sorted({p.zone_id for p in predictions if p.zone_id is not None}))
    return Observations(
        camera_id=first.camera_id,
        epoch=first.epoch,
        model_version=first.model_version,
        topic=first.origin.topic,
        partition=first.origin.partition,
        classes=classes,
        zones=zones,
        offsets=tuple(p.origin.offset for p in predictions),
        sequences=tuple(p.sequence for p in predictions),
        kinds=tuple(p.kind for p in predictions),
        captured_at=tuple(p.captured_at for p in predictions),
        crossed_at=tuple(p.crossed_at for p in predictions),
        zone=tuple(_index(zones, p.zone_id) for p in predictions),
        passage=tuple(NONE if p.passage_id is None else parse_id(p.passage_id).sequence for p in predictions),
        label=tuple(_index(classes, p.label) for p in predictions),
        probabilities=tuple(p.probabilities.get(name, 0.0) for p in predictions for name in classes),
        brightness=tuple(p.statistics.brightness for p in predictions),
        contrast=tuple(p.statistics.contrast for p in predictions),
        sharpness=tuple(p.statistics.sharpness for p in predictions),
        width=tuple(p.statistics.width for p in predictions),
        height=tuple(p.statistics.height for p in predictions),
        latency_ms=tuple(p.timings.total_ms for p in predictions),
        noise=tuple(p.statistics.noise for p in predictions),
        sketch=tuple(p.statistics.sketch for p in predictions),
        queue_ms=tuple(p.timings.queue_ms for p in predictions),
        decode_ms=tuple(p.timings.decode_ms for p in predictions),
        inference_ms=tuple(p.timings.inference_ms for p in predictions),
    )


def _index(names: tuple[str, ...], name: str | None) -> int:
    return NONE if name is None else names.index(name)


def _row(batch: Observations, i: int) -> Observation:
    label, zone, passage = batch.label[i], batch.zone[i], batch.passage[i]
    return Observation(
        camera_id=batch.camera_id,
        epoch=batch.epoch,
        sequence=batch.sequences[i],
        kind=batch.kinds[i],
        captured_at=batch.captured_at[i],
        crossed_at=batch.crossed_at[i],
        zone_id=None if zone == NONE else batch.zones[zone],
        passage=None if passage == NONE else passage,
        label=None if label == NONE else batch.classes[label],
        confidence=None if label == NONE else batch.probabilities[i * len(batch.classes) + label],
        brightness=batch.brightness[i],
        contrast=batch.contrast[i],
        sharpness=batch.sharpness[i],
        width=batch.width[i],
        height=batch.height[i],
        latency_ms=batch.latency_ms[i],
        model_version=batch.model_version,
        noise=batch.noise[i] if batch.noise else 0.0,
        sketch=batch.sketch[i] if batch.sketch else b"",
        queue_ms=batch.queue_ms[i] if batch.queue_ms else None,
        decode_ms=batch.decode_ms[i] if batch.decode_ms else None,
        inference_ms=batch.inference_ms[i] if batch.inference_ms else None,
    )
