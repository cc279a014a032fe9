"""A pinhole camera over a flat road: metres in, pixels out, and back to the ground.

World axes: X to the right, Y along the road away from the camera, Z up, in metres; the road is Z = 0.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NEAREST_M = 0.5  # points nearer to the lens, or behind it, are held at this depth


@dataclass(frozen=True, slots=True)
class Camera:
    """Where the camera hangs and what it looks at."""

    # Position of the lens in metres (x, y, z).
    position: tuple[float, float, float]
    # The point in the middle of the picture, in metres.
    target: tuple[float, float, float]
    # Focal length in pixels.
    focal_px: float
    # Turn about the optical axis in degrees, positive turns the picture clockwise.
    roll_deg: float = 0.0
    # Turns of a camera that was knocked, in degrees: to the right, and upwards.
    pan_deg: float = 0.0
    tilt_deg: float = 0.0
    # Picture size in pixels.
    width: int = 640
    height: int = 360

    def axes(self) -> Floats:
        """Rows: the picture's right, down and forward directions in the world, float64, 3x3."""
        forward = np.subtract(self.target, self.position)
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, (0.0, 0.0, 1.0))
        right /= np.linalg.norm(right)
        down = np.cross(forward, right)
        turn = _turn(self.roll_deg, self.pan_deg, self.tilt_deg)
        return np.asarray(turn @ np.stack([right, down, forward]))

    def project(self, points: Floats) -> tuple[Floats, Floats]:
        """Pixels (n, 2) and depths in metres (n,) of world points (n, 3)."""
        return project(points, self.axes(), self)


def _turn(roll_deg: float, pan_deg: float, tilt_deg: float) -> Floats:
    roll, pan, tilt = np.radians([roll_deg, pan_deg, tilt_deg])
    about_forward = [[np.cos(roll), np.sin(roll), 0], [-np.sin(roll), np.cos(roll), 0], [0, 0, 1]]
    about_down = [[np.cos(pan), 0, -np.sin(pan)], [0, 1, 0], [np.sin(pan), 0, np.cos(pan)]]
    about_right = [[1, 0, 0], [0, np.cos(tilt), np.sin(tilt)], [0, -np.sin(tilt), np.cos(tilt)]]
    return np.asarray(np.array(about_forward) @ np.array(about_right) @ np.array(about_down))


def project(points: Floats, axes: Floats, camera: Camera) -> tuple[Floats, Floats]:
    """`Camera.project` with the axes already at hand."""
    seen = (points - np.asarray(camera.position)) @ axes.T
    depth = np.maximum(seen[:, 2], NEAREST_M)
    pixels = seen[:, :2] * (camera.focal_px / depth)[:, None]
    return np.add(pixels, (camera.width / 2, camera.height / 2)), depth


def ground_map(camera: Camera, scale: int) -> tuple[Floats, Floats, Floats]:
    """World X, world Y and distance (m) of the road under each pixel, float64, at `scale` times the size.

    Above the horizon the distance is infinite and X, Y are those of a far point.
    """
    columns = (np.arange(camera.width * scale) + 0.5) / scale - camera.width / 2
    rows = (np.arange(camera.height * scale) + 0.5) / scale - camera.height / 2
    across, down = np.meshgrid(columns / camera.focal_px, rows / camera.focal_px)
    axes = camera.axes()
    ray = across[..., None] * axes[0] + down[..., None] * axes[1] + axes[2]
    falls = ray[..., 2] < -1e-3
    reach = np.where(falls, camera.position[2] / np.maximum(-ray[..., 2], 1e-3), 1e3)
    x = camera.position[0] + ray[..., 0] * reach
    y = camera.position[1] + ray[..., 1] * reach
    return x, y, np.where(falls, reach, np.inf)
