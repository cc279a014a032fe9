"""Counts the vehicles that pass in a recording, with the gate that live cameras use."""

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TextIO

from producers.gate import MotionGate, Sighting
from producers.source import Image, Source
from producers.zones import Zone

Classify = Callable[[Sequence[Image]], Sequence[str]]
"""Crops (uint8, h×w×3, BGR, any sizes) to one label each."""


@dataclass(slots=True)
class Pass:
    """One vehicle that crossed a line."""

    track: int  # its number in the gate
    zone_id: str  # the zone whose line it crossed
    zone: int  # index of that zone, from 0
    frame: int  # index of the picture nearest to the crossing
    crossed_at: datetime  # when its lower edge reached the line, UTC
    crops: list[Image] = field(default_factory=list)  # its pictures, uint8, h×w×3, BGR, in time order


def find_passes(source: Source, zones: Sequence[Zone]) -> list[Pass]:
    """Return the vehicles that cross a line in a source that ends, in the order of their crossing."""
    crops: dict[int, list[Image]] = {}
    passes: dict[int, Pass] = {}
    for frame, sighting, image in _sightings(source, zones):
        mine = crops.setdefault(sighting.track, [])
        mine.append(sighting.cut(image).copy())
        if sighting.crossed_now and sighting.crossed_at:
            index = [zone.id for zone in zones].index(sighting.zone_id)
            passes[sighting.track] = Pass(sighting.track, sighting.zone_id, index, frame, sighting.crossed_at, mine)
    return sorted(passes.values(), key=lambda found: (found.crossed_at, found.zone))


def _sightings(source: Source, zones: Sequence[Zone]) -> Iterator[tuple[int, Sighting, Image]]:
    gate: MotionGate | None = None
    times: list[tuple[datetime, int]] = []
    while picture := source.read():
        height, width = picture.image.shape[:2]
        gate = gate or MotionGate(zones, width, height)
        times = [*times[-64:], (picture.captured_at, picture.index)]
        for sighting in gate.look(picture):
            crossed_at = sighting.crossed_at or picture.captured_at
            yield min(times, key=lambda seen: abs(seen[0] - crossed_at))[1], sighting, picture.image


def write_passes(passes: Sequence[Pass], classify: Classify, out: TextIO) -> None:
    """Write a CSV with the columns frame, lane (from 1) and class, the vote of each vehicle's pictures."""
    writer = csv.writer(out)
    writer.writerow(("frame", "lane", "class"))
    for found in passes:
        votes = Counter(classify(found.crops))
        writer.writerow((found.frame, found.zone + 1, votes.most_common(1)[0][0]))
