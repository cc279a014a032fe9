"""Whose predictions count: those that were recorded, or a model's on the recorded pictures."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2

from models.bundle import SHIPPED, load_bundle
from processors.classifier import Classifier
from processors.frames import FrameBatches
from producers.recordings.recording import Recording
from runtime.clients import Received
from runtime.settings import ProcessorSettings
from schemas.codec import Codec
from schemas.errors import RecordingError
from schemas.ids import frame_id
from schemas.observations import pack
from schemas.records import Observations, Prediction
from schemas.topics import FRAMES, OBSERVATIONS, Names

Model = str | Path | None
"A bundle's folder, or the name of one that ships; None: what was recorded counts, where there is any."

SHIPS = "bundled"
"Classifies where nobody else is named, and nothing was observed."


def is_classified(recording: Recording, model: Model) -> bool:
    """Whether the recorded pictures are classified anew.

    Raises:
        RecordingError: the recording lacks what is needed.

    """
    index = recording.index
    held = {segment.topic for segment in index.segments}
    if model is None and OBSERVATIONS.name in held:
        return False
    if FRAMES.name in held and index.chosen.pictures:
        return True
    wanted = "no pictures, which a model could look at" if model else "neither observations nor pictures"
    raise RecordingError(f"{recording.where}: holds {wanted}; it holds {', '.join(sorted(held)) or 'nothing'}")


def bundle_folder(model: Model) -> Path:
    """Where a model lies; raises ModelError where there is none, or where it is damaged."""
    folder = SHIPPED.get(str(model or SHIPS)) or Path(str(model))
    load_bundle(folder)
    return folder.absolute()


@dataclass(frozen=True, slots=True)
class InProcess:
    """A processor's work without its topics."""

    batches: FrameBatches
    "Does it."

    def classified(self, frames: Sequence[Received]) -> Iterator[tuple[list[Prediction], Observations, list[int]]]:
        """Predictions, the same as one camera's columns, and when each row's frame was logged, milliseconds since 1970."""
        result = self.batches.process(frames)
        said = {prediction.frame_id: (prediction, record.timestamp_ms) for record, prediction in result.predictions}
        for columns in pack((prediction for prediction, _ in said.values()), result.labels):
            rows = [said[frame_id(columns.camera_id, columns.epoch, sequence)] for sequence in columns.sequences]
            yield [prediction for prediction, _ in rows], columns, [logged_ms for _, logged_ms in rows]


@contextmanager
def in_process(model: Model) -> Iterator[InProcess]:
    """A model at work; its predictions have no latency, for nobody waited.

    Raises:
        ModelError: there is none, or it may not serve.

    """
    cv2.setNumThreads(1)
    limits = ProcessorSettings()
    classifier = Classifier.load(load_bundle(bundle_folder(model)))
    batches = FrameBatches(
        classifier, Codec(), Names(), max_pixels=limits.max_pixels, threads=limits.threads, clock=lambda: 0.0
    )
    try:
        yield InProcess(batches)
    finally:
        batches.close()
