"""A picture, or a frame on the cluster, and the model to explain it with.

FRAME_ID ──► predictions: who classified it, where it lies ──► frames: its picture ─┐
PICTURE  ───────────────────────────────────────────────────────────────────────────┴─► models.explanation
"""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import cv2

from models.bundle import BUNDLED, SHIPPED, Bundle, load_bundle, read_manifest
from models.explanation import Explanation, drawn, occlusion_map
from models.registry.history import resolve
from models.registry.opening import open_registry
from models.registry.store import Registry
from processors.classifier import Classifier
from processors.pictures import MAX_BYTES, decode
from runtime.admin import TopicAdmin
from runtime.clients import Received
from runtime.registry import open_codec
from runtime.settings import KafkaSettings, Settings
from runtime.spans import read_all, read_at
from schemas.errors import ConfigurationError, DecodingError, PictureError, RecordError
from schemas.ids import FrameRef, parse_id
from schemas.records import Frame, Prediction
from schemas.topics import FRAMES, PREDICTIONS, Topic

READ_S: Final = 600.0
"The longest that a topic is searched."
SAID_EVERY: Final = 500
"Records between two words of progress."

LONGEST_NAME: Final = 80
"In a drawing's head, characters."

R = TypeVar("R", Frame, Prediction)

Progress = Callable[[str, int], None]
"Told the topic that is searched, and how many of its records were."


@dataclass(frozen=True, slots=True)
class Picture:
    """What is to be explained."""

    name: str
    "The frame's id, or the file's name."
    jpeg: bytes
    "Encoded."
    predicted_by: str | None
    "The version that classified the frame; None for a file, and for a frame that nobody has classified."


@dataclass(frozen=True, slots=True)
class Chosen:
    """The model to explain with."""

    bundle: Bundle
    "Read and found whole."
    why: str
    "Why this one."


@dataclass(frozen=True, slots=True)
class Explained:
    """An explanation and whose it is."""

    name: str
    "The frame's id, or the file's name."
    version: str
    "The model's."
    why: str
    "Why this model."
    explanation: Explanation
    "What decided."

    def save(self, out: Path) -> None:
        """Write it as a PNG; raises ConfigurationError where it cannot be written."""
        page = drawn(self.explanation, (_shortened(self.name), f"{self.version}: {self.why}"))
        try:
            out.write_bytes(cv2.imencode(".png", page)[1].tobytes())
        except OSError as error:
            raise ConfigurationError("--out", [f"{out}: {error.strerror}"]) from error


def explained(settings: Settings, picture: Picture, chosen: Chosen) -> Explained:
    """Explain a picture; raises PictureError for what is no picture, ModelError for a model that may not serve."""
    image = decode(picture.jpeg, max_pixels=settings.processor.max_pixels)
    explanation = occlusion_map(Classifier.load(chosen.bundle).classify, image)
    return Explained(picture.name, chosen.bundle.version, chosen.why, explanation)


def picture_of(settings: Settings, target: str, progress: Progress) -> Picture:
    """Return the picture of a file or, by its id, of a frame on the cluster.

    Raises:
        ConfigurationError: it is neither, or the frame is not there.
        PictureError: the file is larger than a picture may be.
        BrokerError: the cluster does not give it.

    """
    path = Path(target)
    if path.is_file():
        return Picture(path.name, _read(path), None)
    try:
        ref = parse_id(target)
    except DecodingError as error:
        raise ConfigurationError("PICTURE", [f"{target!r} is neither a file nor a frame's id: {error}"]) from error
    if ref.passage:
        raise ConfigurationError("PICTURE", [f"{target} is a passage; name one of its frames, without the p"])
    return _frame_picture(settings.kafka, target, ref, progress)


def model_for(settings: Settings, picture: Picture, bundle: Path | None, version: str | None) -> Chosen:
    """Return the model asked for, else the one that classified the frame, else the champion, else the one that ships.

    Raises ModelError where it cannot be had.
    """
    if bundle:
        return Chosen(load_bundle(bundle), f"from {bundle.name}")
    if version is not None and version in SHIPPED:
        return Chosen(load_bundle(SHIPPED[version]), "it ships")
    registry = open_registry(settings.models)
    if version:
        return Chosen(registry.load(resolve(registry.state(), version)), "as asked for")
    return _predictor(registry, picture.predicted_by) or _serving(settings, registry, picture.predicted_by)


def _predictor(registry: Registry, version: str | None) -> Chosen | None:
    if version is None:
        return None
    if version == read_manifest(BUNDLED).version:
        return Chosen(load_bundle(BUNDLED), "it classified the frame")
    return Chosen(registry.load(version), "it classified the frame") if version in registry.state().versions else None


def _serving(settings: Settings, registry: Registry, missed: str | None) -> Chosen:
    """What serves now; where another classified the frame, that is said."""
    after = f"; {missed}, which classified the frame, is not registered" if missed else ""
    if settings.processor.bundle:
        return Chosen(load_bundle(settings.processor.bundle), f"it serves by the settings{after}")
    champion = registry.state().holders.get("champion")
    if champion:
        return Chosen(registry.load(champion.version), f"the champion{after}")
    return Chosen(load_bundle(BUNDLED), f"the model that ships{after}")


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigurationError("PICTURE", [f"{path}: {error.strerror}"]) from error
    if len(content) > MAX_BYTES:
        raise PictureError("too_many_bytes", f"{path}: more than the {MAX_BYTES} bytes that are allowed")
    return content


def _frame_picture(kafka: KafkaSettings, frame_id: str, ref: FrameRef, progress: Progress) -> Picture:
    TopicAdmin(kafka).require()
    search = _Search(kafka, frame_id, ref.camera_id, progress)
    prediction = search.newest_prediction()
    frame = (search.frame_of(prediction) if prediction else None) or search.frame()
    if frame is not None:
        return Picture(frame_id, frame.picture, prediction.model_version if prediction else None)
    raise ConfigurationError("PICTURE", [_absence(kafka, frame_id, prediction)])


def _absence(kafka: KafkaSettings, frame_id: str, prediction: Prediction | None) -> str:
    topic, days = kafka.names.of(FRAMES), f"{FRAMES.retention}".removesuffix(", 0:00:00")
    if prediction is None:
        return (
            f"{frame_id} is on neither {topic} nor the predictions: was it taken by this cluster's camera, and lately?"
        )
    taken = f"{prediction.captured_at:%Y-%m-%d %H:%M:%S} UTC"
    return f"{frame_id} of {taken} is no longer on {topic}, which keeps pictures for {days}: give the picture's file"


class _Search:
    """Finds a camera's records by their frame's id; what does not hold the id's bytes is not even decoded."""

    def __init__(self, kafka: KafkaSettings, frame_id: str, camera_id: str, progress: Progress) -> None:
        self._kafka = kafka
        self._codec = open_codec(kafka)
        self._frame_id = frame_id
        self._key = camera_id.encode()
        self._progress = progress

    def newest_prediction(self) -> Prediction | None:
        """A recording played again is predicted again: the last one holds."""
        return next(iter(deque(self._found(PREDICTIONS, Prediction), maxlen=1)), None)

    def frame_of(self, prediction: Prediction) -> Frame | None:
        """The frame, where its prediction says that it lies; None where it is no more."""
        origin = prediction.origin
        record = read_at(self._kafka, origin.topic, origin.partition, origin.offset)
        return next(self._decoded(record, Frame), None) if record else None

    def frame(self) -> Frame | None:
        """The frame, wherever it lies: played again, it may lie elsewhere than its prediction says."""
        with closing(self._found(FRAMES, Frame)) as found:
            return next(found, None)

    def _found(self, topic: Topic, kind: type[R]) -> Generator[R]:
        name = self._kafka.names.of(topic)
        for number, record in enumerate(read_all(self._kafka, name, READ_S)):
            if number % SAID_EVERY == 0:
                self._progress(name, number)
            if record.key == self._key and self._frame_id.encode() in record.value:
                yield from self._decoded(record, kind)

    def _decoded(self, record: Received, kind: type[R]) -> Iterator[R]:
        """The id's bytes may also be a part of another's: `gate:1` of `gate:12`."""
        with suppress(RecordError):  # what cannot be read is not the frame; the processor sent it to dead letters
            found = self._codec.decode(record.value, kind)
            if found.frame_id == self._frame_id:
                yield found


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"…{name[1 - LONGEST_NAME :]}"
