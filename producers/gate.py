"""The motion gate: which pictures of which vehicles are worth sending, and when each vehicle crossed its line."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import cv2
import numpy as np

from producers.blobs import Box, Road, blobs, covered
from producers.foreground import Foreground
from producers.source import Image, Picture
from producers.tracker import Track, Tracker, plausible
from producers.zones import Point, Zone, check_zones
from schemas.errors import ConfigurationError

WORK_PX = 288
"""The longer side of the part of the picture that is looked at, after scaling down: cars stay 15 pixels wide or more."""

HEADROOM = 2.0
"""Above a zone this much of its lane's width is looked at too: lorries stand in the lane but reach over its end."""

BESIDE = 1.0
"""Beside the zones this much of a lane's width is looked at too."""

MARGIN = 0.06
"""Added around a vehicle on each side, in parts of its size, as in the pictures the classifier was trained on."""

SEEN_BEFORE = 3
"""Pictures that must have shown a vehicle before one is sent; after its crossing the next sighting will do as well."""

FARTHER = 0.2
"""Between two pictures a vehicle moves on by this many lane widths, so that the last ones show it from near."""

SHARED = 0.5
"""A picture is not sent, the first after the crossing excepted, when another vehicle's box covers more of it."""

NEAR_LINE = 0.5
"""Ahead of the line, pictures are sent from this many lane widths on: farther away a vehicle is small."""


@dataclass(frozen=True, slots=True)
class GateSettings:
    """How many pictures of a vehicle are sent."""

    most_pictures: int = 8  # of one vehicle, its crossing included
    most_before: int = 1  # of these before the crossing
    interval_s: float = 0.18  # at least this long between two of them, whatever the camera's rate


@dataclass(frozen=True, slots=True)
class Sighting:
    """One vehicle in one picture, to be sent."""

    track: int  # number of the vehicle, counted by this gate from 1
    zone_id: str  # the zone it stands in; once crossed, the zone whose line it crossed
    box: Box  # x, y, width, height in pixels of the picture, tight around the vehicle
    crop: tuple[int, int, int, int]  # left, top, right, bottom: the box with its margin, inside the picture
    first: bool  # whether no picture of this vehicle was sent before
    last: bool  # whether its share of pictures is used up by this one
    crossed_at: datetime | None  # when its lower edge reached the line, UTC; None before
    crossed_now: bool  # whether this picture is the first after the crossing

    def cut(self, image: Image) -> Image:
        """Return the vehicle's part of the picture (a view; uint8, h×w×3, BGR)."""
        left, top, right, bottom = self.crop
        return image[top:bottom, left:right]


class Window:
    """The part of the picture that holds the zones, scaled down to the size in which motion is looked for."""

    def __init__(self, zones: Sequence[Zone], width: int, height: int) -> None:
        """`zones` are in pixels of a picture of this size."""
        corners = np.array([point for zone in zones for point in zone.area])
        lane_px = float(np.median([np.hypot(*np.subtract(*zone.line)) for zone in zones]))
        least = np.maximum(corners.min(axis=0) - (BESIDE * lane_px, HEADROOM * lane_px), 0)
        most = np.minimum(corners.max(axis=0) + BESIDE * lane_px, (width, height))
        self.left, self.top = (int(value) for value in least)
        self.right, self.bottom = (int(np.ceil(value)) for value in most)
        longest = max(self.right - self.left, self.bottom - self.top)
        self.scale = min(1.0, WORK_PX / longest)
        self.size = tuple(max(8, round(side * self.scale)) for side in (self.right - self.left, self.bottom - self.top))

    def view(self, image: Image) -> Image:
        """Return what the window shows of a picture."""
        part = image[self.top : self.bottom, self.left : self.right]
        return cv2.resize(part, self.size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)

    def inward(self, zone: Zone) -> Zone:
        """Return a zone in the window's pixels."""
        area = tuple(self._point(point) for point in zone.area)
        return Zone(zone.id, area, (self._point(zone.line[0]), self._point(zone.line[1])))

    def _point(self, point: tuple[float, float]) -> tuple[float, float]:
        return (point[0] - self.left) * self.scale, (point[1] - self.top) * self.scale

    def outward(self, box: Box) -> Box:
        """Return a box of the window in pixels of the picture."""
        x, y, width, height = (value / self.scale for value in box)
        return x + self.left, y + self.top, width, height


class MotionGate:
    """Watches one camera's zones and picks the pictures of passing vehicles that are worth sending.

    All zones are watched together, so that a lorry over two lanes is one vehicle. Pictures must come in time
    order; after a pause the vehicles of before are forgotten and the background is kept. No setting depends on
    the picture's size or rate: lengths are counted in lane widths, times in seconds of event time.
    """

    def __init__(self, zones: Sequence[Zone], width: int, height: int, settings: GateSettings | None = None) -> None:
        """`zones` may be in pixels or fractions of a picture of this size. Raises ConfigurationError with all faults."""
        faults = check_zones(zones, width, height) if zones else ["there is none; give at least one zone"]
        if faults:
            raise ConfigurationError("zones", faults)
        self.zones = tuple(zone.scaled(width, height) for zone in zones)
        self._settings = settings or GateSettings()
        self._size = (width, height)
        self._window = Window(self.zones, width, height)
        inner = [self._window.inward(zone) for zone in self.zones]
        self._road = Road(inner, *self._window.size)
        self._foreground = Foreground(self._road.lane_px)
        self._tracker = Tracker(inner)
        self._sent: dict[int, _Sent] = {}

    def look(self, picture: Picture) -> tuple[Sighting, ...]:
        """Return the vehicles of a picture that should be sent, nearest to the line first."""
        at = picture.captured_at
        mask = self._foreground.mask(self._window.view(picture.image), at)
        found = blobs(mask, self._road, self._tracker.expected(at))
        tracks, ended = self._tracker.update(found, at)
        for track in ended:
            self._sent.pop(track.number, None)
        return tuple(self._sighting(track, at) for track in tracks if self._wanted(track, tracks, at))

    def _wanted(self, track: Track, tracks: Sequence[Track], at: datetime) -> bool:
        if not track.fresh or track.part:
            return False
        sent = self._sent.get(track.number, _Sent())
        if track.crossed_at and not sent.crossed:
            return not track.crossed_now or (track.sightings >= SEEN_BEFORE and self._clear(track, tracks))
        if not self._may_follow(track, sent, at) or not self._clear(track, tracks):
            return False
        return track.crossed_at is not None or self._worth_before(track, sent)

    def _may_follow(self, track: Track, sent: "_Sent", at: datetime) -> bool:
        """Whether there is room for one more, and time and way enough since the last."""
        if sent.count >= self._settings.most_pictures:
            return False
        if sent.at is None or sent.foot is None:
            return True
        waited = (at - sent.at).total_seconds() >= self._settings.interval_s
        return waited and math.dist(sent.foot, track.blob.foot) >= FARTHER * track.blob.lane_px

    def _worth_before(self, track: Track, sent: "_Sent") -> bool:
        if sent.count >= self._settings.most_before or track.sightings < SEEN_BEFORE:
            return False
        zone = self._tracker.zones[track.zone]
        return line_distance(zone, track.blob.foot) <= NEAR_LINE * track.blob.lane_px

    def _clear(self, track: Track, tracks: Sequence[Track]) -> bool:
        """Whether the box shows the vehicle whole and alone: inside the window, of likely size, shared with nobody."""
        if not plausible(track.blob.box, track.blob.lane_px):
            return False
        others = (other.blob.box for other in tracks if other is not track and other.fresh)
        if any(covered(track.blob.box, other) > SHARED for other in others):
            return False
        x, y, width, height = track.blob.box
        return x > 1 and y > 1 and x + width < self._window.size[0] - 1 and y + height < self._window.size[1] - 1

    def _sighting(self, track: Track, at: datetime) -> Sighting:
        sent = self._sent.setdefault(track.number, _Sent())
        crossed_now = track.crossed_at is not None and not sent.crossed
        sent.count, sent.at, sent.foot = sent.count + 1, at, track.blob.foot
        sent.crossed = sent.crossed or crossed_now
        box = self._window.outward(track.blob.box)
        return Sighting(
            track=track.number,
            zone_id=self.zones[track.zone].id,
            box=box,
            crop=with_margin(box, *self._size),
            first=sent.count == 1,
            last=sent.count >= self._settings.most_pictures,
            crossed_at=track.crossed_at,
            crossed_now=crossed_now,
        )


@dataclass(slots=True)
class _Sent:
    count: int = 0  # pictures of a vehicle that were sent
    at: datetime | None = None  # when the latest was taken
    foot: Point | None = None  # where it stood then, pixels of the window
    crossed: bool = False  # whether one of them told of the crossing


def line_distance(zone: Zone, point: tuple[float, float]) -> float:
    """Return how far a point lies from the straight line through a zone's line."""
    (x1, y1), (x2, y2) = zone.line
    return abs((x2 - x1) * (point[1] - y1) - (y2 - y1) * (point[0] - x1)) / float(np.hypot(x2 - x1, y2 - y1))


def with_margin(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom of a box with the margin of a training crop, inside a picture of this size.

    >>> with_margin((100, 100, 50, 50), 640, 360)
    (97, 97, 153, 153)
    """
    x, y, w, h = box
    left, top = max(0, int(x - MARGIN * w)), max(0, int(y - MARGIN * h))
    return left, top, min(width, int(np.ceil(x + w + MARGIN * w))), min(height, int(np.ceil(y + h + MARGIN * h)))
