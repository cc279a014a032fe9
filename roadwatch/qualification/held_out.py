"""Held-out pictures, and the frames that carry them."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from models.qualification.cases import ErrorCase
from models.qualification.robustness import stratified
from models.training.data import LabelledPicture, pictures_sha256
from producers.cameras import CameraConfig
from producers.framing import jpeg
from schemas.errors import ConfigurationError
from schemas.ids import frame_id, passage_id
from schemas.records import Box, Frame

JPEG_QUALITY: Final[int] = CameraConfig.model_fields["jpeg_quality"].default
"A camera's."
ZONE: Final = "held-out"


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Pictures that no model under test was trained on."""

    pictures: tuple[LabelledPicture, ...]
    "In a fixed order."
    about: str
    "Where from and how many, in words."
    sha256: str
    "Of labels and pixels."
    spoilt: tuple[LabelledPicture, ...] = ()
    "Those of them that weather or night have spoilt already."

    def to_corrupt(self, count: int) -> list[LabelledPicture]:
        """Return a sample to corrupt besides: half of it at most is of pictures that are spoilt already."""
        spoilt = set(map(id, self.spoilt))
        good = [picture for picture in self.pictures if id(picture) not in spoilt]
        some = stratified(self.spoilt, count // 2 if good else count)
        return [*stratified(good, count - len(some)), *some]


def held_out(
    name: str,
    pictures: Sequence[LabelledPicture],
    is_spoilt: Callable[[LabelledPicture], bool] = lambda _picture: False,
) -> HeldOut:
    """Describe pictures; raises ConfigurationError where there are none.

    `is_spoilt` tells those that weather or night have spoilt already.
    """
    if not pictures:
        raise ConfigurationError(name, ["no held-out pictures: a zip with labels.csv, or a folder with car/*.jpg"])
    sources = Counter(picture.source for picture in pictures)
    told = ", ".join(f"{source} {count}" for source, count in sorted(sources.items()))
    about = f"{name}: {len(pictures)} pictures ({told})"
    return HeldOut(tuple(pictures), about, pictures_sha256(pictures), tuple(filter(is_spoilt, pictures)))


def require_known(data: HeldOut, version: str, labels: Sequence[str]) -> None:
    """Raise ConfigurationError where pictures show classes that a version does not have."""
    found = Counter(picture.label for picture in data.pictures if picture.label not in labels)
    if found:
        faults = [
            f"{count} pictures are {label!r}: {version} knows {', '.join(labels)}" for label, count in found.items()
        ]
        raise ConfigurationError("--data", faults)


def frames_of(pictures: Sequence[LabelledPicture], epoch: str) -> Iterator[Frame]:
    """One frame for each picture, in order, each source a camera; encoded as a camera does, one by one."""
    numbers: Counter[str] = Counter()
    for picture in pictures:
        camera = camera_of(picture.source)
        height, width = picture.image.shape[:2]
        yield a_frame(camera, epoch, numbers[camera], jpeg(picture.image, JPEG_QUALITY), (width, height))
        numbers[camera] += 1


def hard_frame(case: ErrorCase, number: int) -> Frame:
    """The frame of a picture that is hard to take."""
    return a_frame("hard", "errors", number, case.jpeg, (64, 64))


def a_frame(camera: str, epoch: str, sequence: int, picture: bytes, size: tuple[int, int]) -> Frame:
    """A vehicle's frame, alone in its passage; `size` is its width and height."""
    return Frame(
        frame_id=frame_id(camera, epoch, sequence),
        camera_id=camera,
        epoch=epoch,
        sequence=sequence,
        kind="vehicle",
        captured_at=datetime.now(UTC),
        zone_id=ZONE,
        passage_id=passage_id(camera, epoch, sequence),
        crossed_at=None,
        box=Box(0, 0, *size),
        source_width=size[0],
        source_height=size[1],
        encoding="jpeg",
        picture=picture,
    )


def camera_of(source: str) -> str:
    """A camera's id for a source's name, which may hold anything."""
    return re.sub(r"[^a-z0-9._-]+", "-", source.lower())[:64] or "camera"
