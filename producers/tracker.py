"""Follows vehicles from picture to picture and tells when each crosses its zone's line."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from producers.blobs import Blob, Box, covered
from producers.zones import Point, Zone

FORGOTTEN_S = 0.7
"""A vehicle not seen for this long has left, or is not worth waiting for: real traffic is elsewhere by then."""

FIRST_REACH = 1.2
"""How far a new track may jump, in lane widths: its speed is not known yet."""

REACH = 0.9
"""How far from its predicted place a known track is looked for, in lane widths."""


PIECE = 0.6
"""A new blob of which this part lies where a known vehicle must be is a piece of that vehicle."""

WIDEST, TALLEST = 1.7, 2.5
"""The largest box of one vehicle, in lane widths at its foot: a lorry seen from the side of the road."""

KNOWN = 3
"""Sightings after which a vehicle's way and size are known."""

UNDER_WAY = 0.05
"""A vehicle has come at least this far, in lane widths, when its crossing counts: leaves and lights do not travel."""


HIDDEN_S = 0.5
"""A vehicle first seen just behind the line had crossed it unseen, if its speed says so, within this time."""

HEADWAY_S = 0.5
"""Two vehicles in one lane follow each other no closer; what does is one vehicle seen in pieces."""

LONGEST_S = 1.0
"""A lorry that moves has passed the line within this time: what crosses later is another vehicle."""

INSIDE = 0.85
"""A foot in the upper part of another vehicle's box belongs to that vehicle."""


@dataclass(slots=True)
class Track:
    """One vehicle under way."""

    number: int  # counts the camera's tracks from 1
    blob: Blob  # its latest sighting
    seen_at: datetime  # when that was
    velocity: Point = (0.0, 0.0)  # of its foot, mask pixels per second; (0, 0) until seen twice
    sightings: int = 1  # pictures that showed it
    born: Point = (0.0, 0.0)  # foot at its first sighting
    crossed_at: datetime | None = None  # when its lower edge reached the line; None before
    zone: int = 0  # of the crossing once crossed, else of the latest sighting
    part: bool = False  # only a piece of a vehicle that another track has counted
    fresh: bool = True  # whether the latest picture showed it
    crossed_now: bool = False  # whether the crossing was found in the latest picture

    def expected(self, at: datetime) -> Point:
        """Return where its foot should be at a time, by constant velocity."""
        step_s = (at - self.seen_at).total_seconds()
        return self.blob.foot[0] + self.velocity[0] * step_s, self.blob.foot[1] + self.velocity[1] * step_s


class Tracker:
    """Joins each picture's blobs to tracks, nearest pairs first, and finds line crossings.

    A crossing is a change of side of the foot between two sightings, on the line's own length; its time is
    interpolated between them. Each vehicle crosses once.
    """

    def __init__(self, zones: Sequence[Zone]) -> None:
        """`zones` are in the blobs' pixels."""
        self.zones = tuple(zones)
        self._tracks: list[Track] = []
        self._gone: list[Track] = []  # ended lately; remembered so that no vehicle is counted again
        self._last_number = 0

    def expected(self, at: datetime) -> list[Box]:
        """Return where the vehicles that are known well enough should be at a time."""
        return [
            _moved(track, at)
            for track in self._tracks
            if track.sightings >= KNOWN and not track.part and plausible(track.blob.box, track.blob.lane_px)
        ]

    def update(self, found: Sequence[Blob], at: datetime) -> tuple[list[Track], list[Track]]:
        """Return the tracks under way and those that just ended, after a picture taken at `at`."""
        ended = [track for track in self._tracks if (at - track.seen_at).total_seconds() > FORGOTTEN_S]
        self._tracks = [track for track in self._tracks if track not in ended]
        self._gone = [track for track in self._gone + ended if (at - track.seen_at).total_seconds() <= 2 * FORGOTTEN_S]
        for track in self._tracks:
            track.fresh = track.crossed_now = False
        pairs = self._pairs(found, at)
        rest = _others(found, [blob for _, blob in pairs])
        for track, blob in pairs:
            self._see(track, blob, at)
        for blob in rest:
            if not any(covered(blob.box, known.box) >= PIECE for _, known in pairs):
                self._tracks.append(self._begin(blob, at))
        return list(self._tracks), ended

    def _pairs(self, found: Sequence[Blob], at: datetime) -> list[tuple[Track, Blob]]:
        scored = sorted(
            (
                (_distance(track, blob, at), t, b)
                for t, track in enumerate(self._tracks)
                for b, blob in enumerate(found)
            ),
        )
        used_tracks: set[int] = set()
        used_blobs: set[int] = set()
        pairs: list[tuple[Track, Blob]] = []
        for cost, t, b in scored:
            if cost > 1 or t in used_tracks or b in used_blobs:
                continue
            used_tracks.add(t)
            used_blobs.add(b)
            pairs.append((self._tracks[t], found[b]))
        return pairs

    def _begin(self, blob: Blob, at: datetime) -> Track:
        self._last_number += 1
        return Track(self._last_number, blob, at, born=blob.foot, zone=blob.zone)

    def _see(self, track: Track, blob: Blob, at: datetime) -> None:
        step_s = max((at - track.seen_at).total_seconds(), 1e-3)
        before = track.blob.foot
        moved = ((blob.foot[0] - before[0]) / step_s, (blob.foot[1] - before[1]) / step_s)
        gain = 1.0 if track.sightings == 1 else 0.5
        (old_x, old_y), (new_x, new_y) = track.velocity, moved
        track.velocity = old_x + gain * (new_x - old_x), old_y + gain * (new_y - old_y)
        if track.crossed_at is None:
            track.zone = blob.zone
            self._cross(track, before, blob, at, step_s)
        track.blob, track.seen_at, track.fresh = blob, at, True
        track.sightings += 1

    def _cross(self, track: Track, before: Point, blob: Blob, at: datetime, step_s: float) -> None:
        """Find the line between the last two sightings; for a vehicle that came out of hiding, also just before it."""
        hidden_s = HIDDEN_S if track.sightings == 1 else 0.0
        start = before[0] - track.velocity[0] * hidden_s, before[1] - track.velocity[1] * hidden_s
        hit = crossing(self.zones, start, blob.foot)
        if hit is None or math.dist(track.born, blob.foot) < UNDER_WAY * blob.lane_px:
            return
        track.zone, part = hit
        track.crossed_at = at - timedelta(seconds=(step_s + hidden_s) * (1 - part))
        known = [other for other in self._tracks + self._gone if self._same_vehicle(track, blob, at, other)]
        track.crossed_now = not known
        track.part = any(other.seen_at == at for other in known)
        if known and not track.part:
            self._go_on_as(track, known[-1])

    def _go_on_as(self, track: Track, lost: Track) -> None:
        """Let a vehicle keep its number when what was followed so far, a piece of it, is seen no more."""
        track.number, track.crossed_at = lost.number, lost.crossed_at
        self._tracks = [other for other in self._tracks if other is not lost]

    def _same_vehicle(self, track: Track, blob: Blob, at: datetime, other: Track) -> bool:
        """Whether a crossing repeats that of another track: too soon after it in one lane, or inside its vehicle."""
        if other is track or other.part or other.crossed_at is None or track.crossed_at is None:
            return False
        after_s = abs((track.crossed_at - other.crossed_at).total_seconds())
        if after_s >= LONGEST_S:
            return False
        outline = left, top, width, height = _moved(other, at)
        if other.zone != track.zone:
            return covered(blob.box, outline) >= PIECE
        if after_s < HEADWAY_S:
            return True
        x, y = blob.foot
        return left <= x <= left + width and top <= y <= top + INSIDE * height


def _others(found: Sequence[Blob], taken: Sequence[Blob]) -> list[Blob]:
    numbers = {id(blob) for blob in taken}
    return [blob for blob in found if id(blob) not in numbers]


def _moved(track: Track, at: datetime) -> Box:
    """Return the box of a track as it should lie at a time."""
    x, y = track.expected(at)
    left, top, width, height = track.blob.box
    return left + x - track.blob.foot[0], top + y - track.blob.foot[1], width, height


def plausible(box: Box, lane_px: float) -> bool:
    """Whether a box is not too large for one vehicle."""
    return box[2] <= WIDEST * lane_px and box[3] <= TALLEST * lane_px


def _distance(track: Track, blob: Blob, at: datetime) -> float:
    """Return how far a blob is from where a track should be, in parts of the track's reach."""
    reach = FIRST_REACH if track.sightings == 1 else REACH
    return math.dist(blob.foot, track.expected(at)) / (reach * max(blob.lane_px, track.blob.lane_px))


def crossing(zones: Sequence[Zone], start: Point, end: Point) -> tuple[int, float] | None:
    """Return which zone's line the way from start to end crosses, and after which part of the way; None if none.

    Where the crossing lies beside every line's length (a wheel on the verge), the nearest within half a line counts.
    """
    best: tuple[float, int, float] | None = None
    for index, zone in enumerate(zones):
        (x1, y1), (x2, y2) = zone.line
        along = (x2 - x1, y2 - y1)
        sides = [along[0] * (y - y1) - along[1] * (x - x1) for x, y in (start, end)]
        if (sides[0] < 0) == (sides[1] < 0):
            continue
        part = sides[0] / (sides[0] - sides[1])
        x, y = start[0] + part * (end[0] - start[0]), start[1] + part * (end[1] - start[1])
        place = ((x - x1) * along[0] + (y - y1) * along[1]) / (along[0] ** 2 + along[1] ** 2)
        beside = abs(place - 0.5)
        if beside <= 1 and (best is None or beside < best[0]):
            best = (beside, index, part)
    return (best[1], best[2]) if best else None
