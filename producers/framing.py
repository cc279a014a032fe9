"""Pictures and sightings to Frame records: cut, encoded, numbered and named."""

from datetime import datetime

import cv2

from producers.source import Image, Picture
from schemas.ids import frame_id, passage_id
from schemas.records import Box, Frame, FrameKind

WIDEST_SIGN_OF_LIFE = 640
"""Heartbeats and ends are for the eye and for the picture's statistics: wider ones are scaled down, pixels."""

PASSAGES_KEPT = 1024
"""Vehicles whose passage is remembered; far more than can be under way before one camera."""


def jpeg(image: Image, quality: int) -> bytes:
    """A picture (uint8, H×W×3, BGR) as JPEG; `quality` is 1 to 100."""
    _, data = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, quality))
    return data.tobytes()


def narrowed(image: Image, widest: int) -> Image:
    """The picture, scaled down to `widest` pixels where it is wider."""
    height, width = image.shape[:2]
    if width <= widest:
        return image
    size = (widest, max(1, round(height * widest / width)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype("uint8", copy=False)


class Framer:
    """Makes one camera's frames and counts them.

    A frame's number is taken when it is made: one that is refused later leaves a gap that tells of it.
    """

    def __init__(self, camera_id: str, epoch: str, jpeg_quality: int) -> None:
        self._camera_id = camera_id
        self._epoch = epoch
        self._quality = jpeg_quality
        self._next = 0
        self._passages: dict[int, str] = {}

    def whole(self, picture: Picture, kind: FrameKind) -> Frame:
        """A frame of the whole picture; one that is only a sign of life is made small."""
        image = picture.image if kind == "sample" else narrowed(picture.image, WIDEST_SIGN_OF_LIFE)
        return self._frame(picture, kind, image)

    def vehicle(
        self, picture: Picture, crop: Image, box: Box, zone_id: str, track: int, crossed_at: datetime | None
    ) -> Frame:
        """A frame of a vehicle under way.

        Args:
            picture: The whole picture that shows it.
            crop: The vehicle with a margin, uint8, H×W×3, BGR.
            box: Where the crop lies in the whole picture.
            zone_id: The zone that it is in.
            track: The vehicle's number; all its frames share a passage.
            crossed_at: When it crossed the zone's line; None before that.

        """
        name = self._passage(track)
        return self._frame(picture, "vehicle", crop, box=box, zone_id=zone_id, passage=name, crossed_at=crossed_at)

    def forget_passages(self) -> None:
        """Take no vehicle number for one that was seen before: they are counted anew."""
        self._passages.clear()

    def _passage(self, track: int) -> str:
        if track not in self._passages:
            self._passages[track] = passage_id(self._camera_id, self._epoch, self._next)
        if len(self._passages) > PASSAGES_KEPT:
            del self._passages[next(iter(self._passages))]
        return self._passages[track]

    def _frame(
        self,
        picture: Picture,
        kind: FrameKind,
        image: Image,
        *,
        box: Box | None = None,
        zone_id: str | None = None,
        passage: str | None = None,
        crossed_at: datetime | None = None,
    ) -> Frame:
        sequence, self._next = self._next, self._next + 1
        height, width = picture.image.shape[:2]
        return Frame(
            frame_id=frame_id(self._camera_id, self._epoch, sequence),
            camera_id=self._camera_id,
            epoch=self._epoch,
            sequence=sequence,
            kind=kind,
            captured_at=picture.captured_at,
            zone_id=zone_id,
            passage_id=passage,
            crossed_at=crossed_at,
            box=box,
            source_width=width,
            source_height=height,
            encoding="jpeg",
            picture=jpeg(image, self._quality),
        )
