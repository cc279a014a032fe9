"""Solids made of flat faces: the material vehicles are built from.

A face belongs to a convex part; parts are painted from far to near within a layer, faces in their order,
so that a decal (a window, a lamp) lies on the face it follows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Colour = tuple[float, float, float]  # BGR, 0..1
Point3 = tuple[float, float, float]  # x right, y forward (0 at the front edge), z up; metres

MATT, PAINT, GLASS, HEADLIGHT, TAILLIGHT = range(5)


@dataclass(frozen=True, slots=True)
class Mesh:
    """A vehicle's faces, ready to be projected; all arrays are float64 or int64."""

    # Corners of all faces, one after the other (n, 3), metres in the vehicle's own axes.
    corners: Floats
    # Where each face's corners begin, with the end appended (faces + 1,).
    starts: NDArray[np.int64]
    # Middle and outward normal of each face (faces, 3).
    middles: Floats
    normals: Floats
    # Colour of each face (faces, 3), BGR 0..1.
    colours: Floats
    # MATT, PAINT, GLASS, HEADLIGHT or TAILLIGHT of each face.
    materials: NDArray[np.int64]
    # Painting layer of each face, and the middle of the part it belongs to.
    layers: NDArray[np.int64]
    part_middles: Floats
    # Length, width and height in metres.
    size: tuple[float, float, float]


@dataclass(slots=True)
class Builder:
    """Collects faces; `mesh()` freezes them."""

    corners: list[Floats] = field(default_factory=list)
    colours: list[Colour] = field(default_factory=list)
    materials: list[int] = field(default_factory=list)
    layers: list[int] = field(default_factory=list)
    centres: list[Floats] = field(default_factory=list)
    outward: list[float] = field(default_factory=list)
    layer: int = 1
    centre: Floats = field(default_factory=lambda: np.zeros(3))

    def part(self, layer: int, centre: Point3) -> None:
        """Begins a convex part: the faces that follow belong to it."""
        self.layer, self.centre = layer, np.array(centre)

    def face(self, points: Sequence[Point3], colour: Colour, material: int = MATT, inward: bool = False) -> None:
        """Adds one flat convex face; `inward` for the inside of an open box."""
        self.corners.append(np.array(points, dtype=np.float64))
        self.colours.append(colour)
        self.materials.append(material)
        self.layers.append(self.layer)
        self.centres.append(self.centre)
        self.outward.append(-1.0 if inward else 1.0)

    def mesh(self) -> Mesh:
        """The faces as arrays."""
        corners = np.concatenate(self.corners)
        counts = np.array([len(points) for points in self.corners])
        starts = np.concatenate([[0], np.cumsum(counts)])
        middles = np.add.reduceat(corners, starts[:-1]) / counts[:, None]
        centres = np.array(self.centres)
        low, high = corners.min(axis=0), corners.max(axis=0)
        return Mesh(
            corners=corners,
            starts=starts,
            middles=middles,
            normals=_normals(corners, starts[:-1], middles - centres) * np.array(self.outward)[:, None],
            colours=np.array(self.colours),
            materials=np.array(self.materials),
            layers=np.array(self.layers),
            part_middles=centres,
            size=(float(high[1] - low[1]), float(high[0] - low[0]), float(high[2])),
        )


def _normals(corners: Floats, firsts: NDArray[np.int64], outward: Floats) -> Floats:
    along, across = corners[firsts + 1] - corners[firsts], corners[firsts + 2] - corners[firsts]
    normals = np.cross(along, across)
    normals /= np.maximum(np.linalg.norm(normals, axis=1), 1e-9)[:, None]
    flipped = (normals * outward).sum(axis=1) < 0
    normals[flipped] *= -1
    return normals


def box(build: Builder, low: Point3, high: Point3, colour: Colour, layer: int = 1, material: int = MATT) -> None:
    """A box between two corners, without its underside; the part begun before goes on after it."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    before = build.layer, build.centre
    build.part(layer, ((x0 + x1) / 2, (y0 + y1) / 2, (z0 + z1) / 2))
    build.face([(x0, y0, z0), (x0, y1, z0), (x0, y1, z1), (x0, y0, z1)], colour, material)
    build.face([(x1, y0, z0), (x1, y1, z0), (x1, y1, z1), (x1, y0, z1)], colour, material)
    build.face([(x0, y0, z0), (x1, y0, z0), (x1, y0, z1), (x0, y0, z1)], colour, material)
    build.face([(x0, y1, z0), (x1, y1, z0), (x1, y1, z1), (x0, y1, z1)], colour, material)
    build.face([(x0, y0, z1), (x1, y0, z1), (x1, y1, z1), (x0, y1, z1)], colour, material)
    build.layer, build.centre = before


@dataclass(frozen=True, slots=True)
class Station:
    """One cross-section of a hull: two heights and the half-widths at bottom, shoulder and top."""

    # Metres along the vehicle, 0 at the front, negative behind.
    y: float
    # Heights in metres of underside, shoulder and top edge.
    bottom: float
    shoulder: float
    top: float
    # Half-widths in metres at these heights.
    half_bottom: float
    half_shoulder: float
    half_top: float

    def ring(self) -> list[Point3]:
        """Corners from the left underside over the top to the right underside."""
        left = [
            (-self.half_bottom, self.y, self.bottom),
            (-self.half_shoulder, self.y, self.shoulder),
            (-self.half_top, self.y, self.top),
        ]
        return left + [(-x, y, z) for x, y, z in reversed(left)]


def hull(build: Builder, stations: Sequence[Station], colour: Colour, layer: int = 1) -> None:
    """A painted body over cross-sections from front to rear, closed at both ends."""
    length = (stations[0].y + stations[-1].y) / 2
    build.part(layer, (0.0, length, (stations[0].bottom + stations[0].top) / 2))
    for ahead, behind in pairwise(stations):
        front, back = ahead.ring(), behind.ring()
        for k in range(5):
            build.face([front[k], front[k + 1], back[k + 1], back[k]], colour, PAINT)
    for end in (stations[0], stations[-1]):
        ring = end.ring()
        build.face([ring[0], ring[1], ring[4], ring[5]], colour, PAINT)
        build.face([ring[1], ring[2], ring[3], ring[4]], colour, PAINT)


def wheel(build: Builder, x: float, y: float, radius: float, outside: float) -> None:
    """A tyre and rim on the vehicle's side; `outside` is -1 left, +1 right."""
    thick = 0.22
    inner = x - outside * thick
    box(build, (min(x, inner), y - radius * 0.7, 0.0), (max(x, inner), y + radius * 0.7, radius), TYRE, 0)
    before = build.layer, build.centre
    build.part(3, (inner, y, radius))
    for share, colour in ((1.18, ARCH), (1.0, TYRE), (0.62, RIM), (0.2, ARCH)):
        build.face(_disc(x, y, radius, radius * share), colour)
    build.layer, build.centre = before


def _disc(x: float, y: float, height: float, radius: float) -> list[Point3]:
    turns = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    return [(x, y + radius * np.cos(a), max(0.0, height + radius * np.sin(a))) for a in turns]


def cylinder(
    build: Builder, y: tuple[float, float], middle_z: float, radii: tuple[float, float], colour: Colour
) -> None:
    """A lying tank from y[0] (front) to y[1]; `radii` across and up."""
    build.part(1, (0.0, (y[0] + y[1]) / 2, middle_z))
    turns = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    ring = [(radii[0] * np.cos(a), middle_z + radii[1] * np.sin(a)) for a in turns]
    for (x0, z0), (x1, z1) in zip(ring, ring[1:] + ring[:1], strict=True):
        build.face([(x0, y[0], z0), (x1, y[0], z1), (x1, y[1], z1), (x0, y[1], z0)], colour, PAINT)
    for end in y:
        build.face([(x, end, z) for x, z in ring], colour, MATT)


TYRE: Colour = (0.07, 0.07, 0.07)
ARCH: Colour = (0.03, 0.03, 0.03)
RIM: Colour = (0.45, 0.45, 0.44)
