"""Who answers what is asked in the story: the simulator, which knows every vehicle that crossed a line.

crossing of a passage ─► true crossings of that lane ─► the nearest, if it is near enough ─► its class
"""

from collections.abc import Iterable
from datetime import datetime

from producers.camera import simulator_of
from producers.cameras import CameraConfig
from producers.truth import SAME_CROSSING


class Oracle:
    """Knows what passed simulated cameras."""

    def __init__(self, cameras: Iterable[CameraConfig]) -> None:
        """Draws nothing: traffic follows from the cameras' seeds."""
        self._roads = {camera.id: simulator_of(camera) for camera in cameras}

    def class_of(self, camera_id: str, zone_id: str | None, crossed_at: datetime) -> str | None:
        """The class of the vehicle that crossed a zone's line then; None where nobody did."""
        road = self._roads.get(camera_id)
        if road is None:
            return None
        near = road.passages(crossed_at - SAME_CROSSING, crossed_at + SAME_CROSSING)
        there = [(abs(true.crossed_at - crossed_at), true.label) for true in near if true.lane == zone_id]
        return min(there)[1] if there else None
