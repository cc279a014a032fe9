"""The places that can be watched: where the camera hangs, its lanes, its counting line and surroundings."""

import zlib
from dataclasses import dataclass, replace

import numpy as np

from producers.simulator.geometry import Camera

Point = tuple[float, float]
ZoneShape = tuple[str, list[Point], tuple[Point, Point]]

APPROACHING = -1
RECEDING = 1


@dataclass(frozen=True, slots=True)
class Lane:
    """One lane of traffic, straight along the road."""

    # Name, also the zone's id.
    name: str
    # Middle of the lane in metres, to the right of the road's axis.
    x_m: float
    # APPROACHING or RECEDING.
    heading: int
    # Width in metres.
    width_m: float = 3.5


@dataclass(frozen=True, slots=True)
class View:
    """One camera's place."""

    # Name, as in VIEWS.
    name: str
    # The camera.
    camera: Camera
    # Its lanes, from left to right.
    lanes: tuple[Lane, ...]
    # Where the counting line crosses the road, in metres along it.
    line_y_m: float
    # The zone's length along the road beyond and before the line, in metres.
    zone_m: tuple[float, float]
    # Vehicles are drawn between these places along the road, in metres.
    near_y_m: float
    far_y_m: float
    # Mean speed in metres a second.
    speed_m_s: float
    # Direction to the sun (x, y, z), not normalised.
    sun: tuple[float, float, float]
    # What stands beside the road: "toll", "town", "forest", "fields".
    surroundings: str
    # Grey of the asphalt, 0..1.
    asphalt: float = 0.36
    # Metres between the lane ends and the kerb or verge, left and right.
    shoulder_m: tuple[float, float] = (1.2, 1.2)
    # A solid stop line lies on the counting line.
    stop_line: bool = False
    # Width of a median between the two headings in metres, 0 without one.
    median_m: float = 0.0

    def number(self) -> int:
        """A number of this view for seeding, the same on every machine."""
        return zlib.crc32(self.name.encode())

    def road_edges(self) -> tuple[float, float]:
        """Left and right end of the asphalt in metres."""
        first, last = self.lanes[0], self.lanes[-1]
        left = first.x_m - first.width_m / 2 - self.shoulder_m[0]
        return left, last.x_m + last.width_m / 2 + self.shoulder_m[1]

    def zones(self) -> list[ZoneShape]:
        """(lane name, area polygon, line to cross) of each lane, in pixels of the unbumped picture."""
        return [self._zone(lane) for lane in self.lanes]

    def _zone(self, lane: Lane) -> ZoneShape:
        left, right = lane.x_m - lane.width_m / 2, lane.x_m + lane.width_m / 2
        far, near = self.line_y_m + self.zone_m[0], self.line_y_m - self.zone_m[1]
        corners = [(left, far), (right, far), (right, near), (left, near)]
        line = self._pixels([(left, self.line_y_m), (right, self.line_y_m)])
        return lane.name, self._pixels(corners), (line[0], line[1])

    def _pixels(self, ground: list[Point]) -> list[Point]:
        points = np.array([(x, y, 0.0) for x, y in ground])
        pixels, _ = self.camera.project(points)
        limit = (self.camera.width - 1, self.camera.height - 1)
        return [(float(x), float(y)) for x, y in np.clip(pixels, 0, limit).round(1)]

    def bumped(self, intensity: float) -> "View":
        """The view after a knock: the camera looks elsewhere, the road stays where it is."""
        if intensity <= 0:
            return self
        side = 1 if self.number() % 2 else -1
        knocked = replace(
            self.camera,
            roll_deg=self.camera.roll_deg + 9.0 * side * intensity,
            pan_deg=5.0 * side * intensity,
            tilt_deg=4.0 * intensity,
        )
        return replace(self, camera=knocked)


GATE = View(
    name="gate",
    camera=Camera(position=(-4.6, 0, 5.6), target=(-0.2, 19.5, 1.5), focal_px=740),
    lanes=(Lane("left", -1.8, APPROACHING), Lane("right", 1.8, APPROACHING)),
    line_y_m=14.5,
    zone_m=(14.0, 3.0),
    near_y_m=4.0,
    far_y_m=62.0,
    speed_m_s=9.0,
    sun=(-0.55, -0.35, 0.8),
    surroundings="toll",
    asphalt=0.42,
    stop_line=True,
)

JUNCTION = View(
    name="junction",
    camera=Camera(position=(13.5, -2.0, 10.5), target=(0.2, 17.0, 0.0), focal_px=640),
    lanes=(Lane("left", -1.75, APPROACHING), Lane("right", 1.75, APPROACHING)),
    line_y_m=15.0,
    zone_m=(10.0, 4.0),
    near_y_m=-4.0,
    far_y_m=52.0,
    speed_m_s=10.0,
    sun=(0.3, 0.6, 0.9),
    surroundings="town",
    asphalt=0.52,
    shoulder_m=(0.6, 0.6),
    stop_line=True,
)

OVERPASS = View(
    name="overpass",
    camera=Camera(position=(0.5, 0, 8.2), target=(0.3, 26.0, 1.5), focal_px=690),
    lanes=(
        Lane("inner", -3.6, APPROACHING),
        Lane("middle", 0.0, APPROACHING),
        Lane("outer", 3.6, APPROACHING),
    ),
    line_y_m=19.0,
    zone_m=(16.0, 4.0),
    near_y_m=5.0,
    far_y_m=78.0,
    speed_m_s=19.0,
    sun=(0.75, 0.25, 0.65),
    surroundings="forest",
    asphalt=0.34,
    shoulder_m=(1.0, 2.6),
)

HIGHWAY = View(
    name="highway",
    camera=Camera(position=(0.6, 0, 8.8), target=(0.2, 30.0, 3.2), focal_px=680),
    lanes=(
        Lane("away outer", -8.2, RECEDING),
        Lane("away inner", -4.6, RECEDING),
        Lane("inner", 3.8, APPROACHING),
        Lane("outer", 7.4, APPROACHING),
    ),
    line_y_m=24.0,
    zone_m=(18.0, 5.0),
    near_y_m=9.0,
    far_y_m=95.0,
    speed_m_s=22.0,
    sun=(-0.4, 0.55, 0.75),
    surroundings="fields",
    asphalt=0.30,
    shoulder_m=(2.4, 2.4),
    median_m=2.6,
)

STREET = View(
    name="street",
    camera=Camera(position=(6.6, 0, 4.8), target=(-0.6, 19.0, 1.6), focal_px=720),
    lanes=(Lane("away", -1.75, RECEDING), Lane("towards", 1.75, APPROACHING)),
    line_y_m=15.0,
    zone_m=(14.0, 3.0),
    near_y_m=4.0,
    far_y_m=60.0,
    speed_m_s=11.0,
    sun=(0.2, -0.7, 0.75),
    surroundings="town",
    asphalt=0.46,
    shoulder_m=(0.8, 0.8),
)

VIEWS = {view.name: view for view in (GATE, JUNCTION, OVERPASS, HIGHWAY, STREET)}


def view_named(name: str) -> View:
    """The view of that name. Raises ValueError naming those that exist."""
    if name not in VIEWS:
        raise ValueError(f"simulator view {name!r} does not exist; choose one of {', '.join(VIEWS)}")
    return VIEWS[name]
