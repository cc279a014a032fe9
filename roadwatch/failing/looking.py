"""What the model saw in examples' pictures: embeddings of many, and of a few what decided.

cluster ──► pictures ──► embeddings, their mean for each example
archive ──┘        └───► the frame that was told wrong ──► small picture, and a map beside it
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final, TypeVar

import cv2
import numpy as np

from models.archive.archive import Archive
from models.archive.examples import Example, ExampleFrame
from models.explanation import LEAST, Explanation, coloured, occlusion_map
from models.failures.groups import Judged
from models.preprocessing import Image
from processors.classifier import Classifier
from processors.pictures import decode
from roadwatch.failing.request import Progress
from roadwatch.labelling.days import DayExamples
from roadwatch.labelling.embedding import Embedding, embeddings_of
from roadwatch.labelling.fetching import pictures_of, with_pictures
from roadwatch.reporting.pictures import HEIGHT, QUALITY, small_pictures
from runtime.settings import Settings
from schemas.errors import PictureError

AT_ONCE: Final = 200
"Examples whose pictures are held at once, some thirty kilobytes each."
STEPS: Final = 10
"Places of the patch along each side: a map as small as a thumbnail shows no more, and takes half the time of 14."

Thing = TypeVar("Thing")
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Looked:
    """An example as it is shown."""

    picture: bytes
    "Its frame that was told wrong, or its largest; a small JPEG."
    decided: bytes
    "The same in grey, red where it speaks for `label`, blue where against; a small JPEG."
    label: str
    "The class that the frame was given, or is most like."
    probability: float
    "Of that class, on this frame alone."


@dataclass(slots=True)
class Looking:
    """Looks at pictures through a model."""

    settings: Settings
    "Where the cluster is, and how large a picture may be."
    archive: Archive
    "Where pictures are that the cluster has no more."
    found: DayExamples
    "Where the others lie."
    model: Classifier
    "Whose network sees."
    damaged: list[str] = field(default_factory=list)
    "What is wrong with examples of the archive that were left out."
    _seen: set[str] = field(default_factory=set)

    def embedded(self, judged: Sequence[Judged], progress: Progress) -> tuple[Judged, ...]:
        """Return the same, those with an embedding of which there is a picture."""
        means: dict[str, Embedding | None] = {}
        for together in _chunks(judged, AT_ONCE):
            pictured = list(self._pictured([each.example for each in together]))
            self._seen.update(each.example_id for each in pictured)
            for example, mean in zip(pictured, _side_by_side(self._mean, pictured), strict=True):
                means[example.example_id] = mean
                progress("looking at pictures", len(means), len(judged))
        return tuple(_with(each, means.get(each.example.example_id)) for each in judged)

    def explained(self, examples: Sequence[Example], progress: Progress) -> dict[str, Looked]:
        """Return how examples are shown, by their ids, those of which there is a picture."""
        pictured = [each for together in _chunks(examples, AT_ONCE) for each in self._pictured(together)]
        shown: dict[str, Looked] = {}
        for number, (example, looked) in enumerate(
            zip(pictured, _side_by_side(self._looked, pictured), strict=True), 1
        ):
            shown |= {} if looked is None else {example.example_id: looked}
            progress("explaining", number, len(pictured))
        return shown

    def has_seen(self, example: Example) -> bool:
        """Whether there was a picture of it."""
        return example.example_id in self._seen

    def _pictured(self, examples: Sequence[Example]) -> Iterator[Example]:
        """The examples with pictures, from the cluster where they are there."""
        pictures = dict(pictures_of(self.settings.kafka, self.found.origins_of(examples)))
        there = list(with_pictures(examples, pictures))
        yield from there
        seen = {each.example_id for each in there}
        yield from self.archive.read(
            (each.example_id for each in examples if each.example_id not in seen), self.damaged.append
        )

    def _mean(self, example: Example) -> Embedding | None:
        """The mean of what the network saw of its pictures."""
        pictures = [(frame.frame_id, frame.picture) for frame in example.frames]
        seen = [embedding for _, embedding in embeddings_of(self.model.classify, pictures, self._max_pixels)]
        return np.asarray(np.mean(seen, axis=0), np.float32) if seen else None

    def _looked(self, example: Example) -> Looked | None:
        """The frame that tells most, and what decided in it."""
        frame = max(example.frames, key=lambda frame: _telling(frame, example))
        try:
            image = decode(frame.picture, max_pixels=self._max_pixels)
        except PictureError:
            return None
        small = small_pictures({frame.frame_id: frame.picture}, self._max_pixels)[frame.frame_id]
        found = occlusion_map(self.model.classify, image, steps=STEPS)
        return Looked(small, overlaid(found), found.maps[0].label, found.maps[0].probability)

    @property
    def _max_pixels(self) -> int:
        return self.settings.processor.max_pixels


def overlaid(explanation: Explanation) -> bytes:
    """Return the picture in grey under its first map's colours, as a JPEG no higher than a small picture."""
    image, heat = explanation.image, explanation.maps[0].heat
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return _jpeg(coloured(np.asarray(grey, np.uint8), heat / max(LEAST, float(np.abs(heat).max()))))


def _jpeg(image: Image) -> bytes:
    if (share := HEIGHT / image.shape[0]) < 1:
        image = np.asarray(cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA), np.uint8)
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1])


def _telling(frame: ExampleFrame, example: Example) -> tuple[bool, int]:
    """A frame that was given the example's verdict tells more than another, a large one more than a small one."""
    return frame.predicted == example.predicted, frame.width * frame.height


def _with(judged: Judged, embedding: Embedding | None) -> Judged:
    return judged if embedding is None else replace(judged, embedding=embedding)


def _chunks(things: Iterable[Thing], size: int) -> Iterator[list[Thing]]:
    left = iter(things)
    while together := list(islice(left, size)):
        yield together


def _side_by_side(work: Callable[[Thing], Made], things: Sequence[Thing]) -> Iterator[Made]:
    """Give what comes of each, in order, a thread for each core; what has not begun is given up with the reader."""
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        waiting = [threads.submit(work, thing) for thing in things]
        try:
            yield from (each.result() for each in waiting)
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
