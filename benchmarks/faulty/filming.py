"""A camera's day: simulated pictures through the real gate, and its frames through the real model."""

import logging
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from threading import Event

import cv2
import structlog

from benchmarks.faulty.shelf import Logged
from models.bundle import BUNDLED, load_bundle
from processors.classifier import Classifier
from processors.frames import FrameBatches
from producers.camera import equipment_of
from producers.cameras import CameraConfig, read_camera
from producers.filming import CameraLoop
from producers.labels import label_of
from producers.simulator.views import view_named
from producers.sink import ListSink
from runtime.clients import Received
from schemas.codec import Codec
from schemas.observations import pack
from schemas.records import Frame, Label, Observations, Prediction, Telemetry, Timings
from schemas.topics import FRAMES, Names

PASSAGES_A_DAY, TRUCK_SHARE, PICTURES_PER_SECOND = 24, 0.5, 4
"As few pictures as the gate needs to follow a vehicle: drawing them is the main cost."
HEARTBEAT_S = TELEMETRY_S = 600
BATCH_S = timedelta(seconds=10)
"Pictures of so long travel in one record."
PROMISES = timedelta(hours=1)
"Between two promises that are kept."
DELAY = timedelta(seconds=1)
"From the last picture of a record to its log."
TIMINGS = Timings(queue_ms=4.0, decode_ms=1.0, inference_ms=2.0, total_ms=8.0)
"In place of measured ones, that the same day gives the same bytes."
SECOND_SOURCE, SECOND_SHARE = "loop", 3
"One passage in so many is labelled by a second source too."


@dataclass(frozen=True, slots=True)
class Camera:
    """A simulated camera."""

    id: str
    "Its id."
    view: str
    "The simulator's view."
    seed: int
    "Its traffic, noise and weather."


@dataclass(frozen=True, slots=True)
class FilmedDay:
    """What a day's records follow from."""

    camera: Camera
    "Who films."
    day: datetime
    "The day's beginning, UTC."
    conditions: tuple[str, ...]
    "What befalls the camera, as the simulator reads it."

    @property
    def text(self) -> str:
        """All of it in one line."""
        camera = self.camera
        traffic = f"{PASSAGES_A_DAY} passages, {TRUCK_SHARE} trucks, {PICTURES_PER_SECOND}/s"
        return f"{camera} {self.day:%Y-%m-%d} {traffic} {' '.join(sorted(self.conditions))}"

    def config(self) -> CameraConfig:
        """The camera as a user would describe it; zones as fractions, should its pictures change their size."""
        camera = self.camera
        simulator = {
            "seed": camera.seed,
            "passages_per_day": PASSAGES_A_DAY,
            "truck_share": TRUCK_SHARE,
            "pictures_per_second": PICTURES_PER_SECOND,
            "truth": True,
            "conditions": list(self.conditions),
        }
        return read_camera(
            {
                "id": camera.id,
                "source": f"sim:{camera.view}",
                "start": self.day,
                "speed": 0,
                "heartbeat_s": HEARTBEAT_S,
                "telemetry_s": TELEMETRY_S,
                "zones": list(_zones(camera.view)),
                "simulator": simulator,
            }
        )


def film(day: FilmedDay) -> ListSink:
    """What the camera sends on that day, its frames numbered from 0."""
    _work_quietly()
    config, sink = day.config(), ListSink()
    CameraLoop(config, equipment_of(config, sink, Event())).run()
    return sink


def logged(sink: ListSink) -> list[Logged]:
    """What the monitor gets of it, in the order of its log."""
    seen = [Logged(max(batch.captured_at) + DELAY, batch) for batch in _observed(sink.records(Frame))]
    told = [Logged(label.labelled_at + 2 * DELAY, label) for label in _labels(sink.records(Label))]
    device = [Logged(t.measured_at + DELAY, t) for t in sink.records(Telemetry) if t.state != "ended"]
    return sorted([*seen, *told, *device], key=lambda record: record.at)


def _work_quietly() -> None:
    """On one core, and without a line for each camera that has ended."""
    cv2.setNumThreads(1)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))


def _zones(view: str) -> Iterator[dict[str, object]]:
    camera = view_named(view).camera
    for name, area, line in view_named(view).zones():
        corners, ends = ([(x / camera.width, y / camera.height) for x, y in points] for points in (area, line))
        yield {"id": name, "area": corners, "line": ends}


def _observed(frames: Iterable[Frame]) -> Iterator[Observations]:
    """Without the frame that says that no more will come: the next day's do."""
    records = [_received(number, frame) for number, frame in enumerate(frames) if frame.kind != "end"]
    result = eyes().process(records)
    predictions = [replace(prediction, timings=TIMINGS) for _, prediction in result.predictions]
    for batch in _batches(predictions):
        yield from pack(batch, result.labels)


def _received(offset: int, frame: Frame) -> Received:
    return Received(FRAMES.name, 0, offset, frame.camera_id.encode(), Codec().encode(frame), [], 0)


def _batches(predictions: Sequence[Prediction]) -> Iterator[list[Prediction]]:
    batch: list[Prediction] = []
    for prediction in predictions:
        if batch and prediction.captured_at - batch[0].captured_at > BATCH_S:
            yield batch
            batch = []
        batch.append(prediction)
    yield batch


@cache
def eyes() -> FrameBatches:
    """The shipped model, once a process."""
    classifier = Classifier.load(load_bundle(BUNDLED))
    return FrameBatches(classifier, Codec(), Names(), max_pixels=40_000_000, threads=1, clock=lambda: 0.0)


def _labels(labels: Iterable[Label]) -> Iterator[Label]:
    """The truth, now and then a promise, and the second source's labels; not the last promise, which is for good."""
    promised: datetime | None = None
    for label in labels:
        if label.label is None:
            if label.complete_until is None or label.complete_until > label.labelled_at:
                continue
            if promised is not None and label.labelled_at - promised < PROMISES:
                continue
            promised = label.labelled_at
        yield label
        yield from _by_second_source(label)


def _by_second_source(label: Label) -> Iterator[Label]:
    if label.label and label.passage_id and zlib.crc32(label.passage_id.encode()) % SECOND_SHARE == 0:
        yield label_of(label.passage_id, label.label, source=SECOND_SOURCE, labelled_at=label.labelled_at)
