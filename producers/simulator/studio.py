"""One camera's pictures: an empty road under the day's light, vehicles placed on it, seen through the lens."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from producers.simulator.drawing import Placed, Stage, box_of, draw_vehicle, lamp_light
from producers.simulator.lens import exposed, scale_of
from producers.simulator.light import Light
from producers.simulator.scene import LAMP_SPACING_M, lit_scene, scene_of
from producers.simulator.views import View

Image = NDArray[np.uint8]
Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels


class Studio:
    """Renders a view; keeps the few lit backgrounds last used."""

    def __init__(self, view: View) -> None:
        """`view` is the unbumped view; a bump in the light's levels turns its camera."""
        self.view = view
        self._empty_road = lru_cache(maxsize=4)(self._light_road)
        self._stage = lru_cache(maxsize=4)(self._set_stage)

    def picture(self, vehicles: Sequence[Placed], light: Light, picture_seed: int) -> Image:
        """A picture (uint8, HxWx3, BGR) of these vehicles; equal arguments give equal bytes."""
        picture = self._empty_road(light).copy()
        stage = self._stage(light)
        for vehicle in sorted(vehicles, key=self._distance, reverse=True):
            draw_vehicle(picture, vehicle, stage)
        return exposed(picture, light, self.view.number(), picture_seed)

    def box(self, vehicle: Placed, light: Light) -> Box | None:
        """Where the vehicle stands in such a picture, clipped to it; None when it is outside."""
        box = box_of(vehicle, self._stage(light))
        if box is None:
            return None
        left, top, right, bottom = (edge * scale_of(light.levels) for edge in box)
        return left, top, right, bottom

    def _distance(self, placed: Placed) -> float:
        x, y, _ = self.view.camera.position
        return float(np.hypot(placed.x_m - x, placed.y_m - y))

    def _light_road(self, light: Light) -> Image:
        scene = scene_of(self.view.bumped(light.levels.bump))
        lamps = lamp_light(scene.ground_x, scene.ground_y, LAMP_SPACING_M) * (1 - scene.sky)
        return lit_scene(scene, light, lamps)

    def _set_stage(self, light: Light) -> Stage:
        camera = self.view.bumped(light.levels.bump).camera
        sun = np.array(self.view.sun) / np.linalg.norm(self.view.sun)
        return Stage(camera, camera.axes(), sun, light, LAMP_SPACING_M)
