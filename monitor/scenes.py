"""What surrounds a vehicle, in a few words: the properties by which vehicles are sliced.

light and weather are told by the newest whole picture of the camera, size by the vehicle's largest crop.
"""

from typing import Final

from monitor.chunks import Row

DARK, DIM = 60.0, 95.0
"Mean luma of a whole picture, 0 to 255: a lit road at night lies below the first, dusk and rain below the second."
VEILED: Final = 30.0
"Standard deviation of luma in whole pictures of daylight: fog and spray leave less, a clear day has over 40."
SMALL, MEDIUM = 48 * 48, 112 * 112
"Pixels of a crop: below the first a model of 80 to 160 pixels sees little more than a blot."
UNKNOWN: Final = "unknown"
"Before the first whole picture of a run of frames."


def light_of(scene: Row | None) -> str:
    """`dark`, `dim` or `bright`."""
    if scene is None:
        return UNKNOWN
    return "dark" if scene.brightness < DARK else "dim" if scene.brightness < DIM else "bright"


def weather_of(scene: Row | None) -> str:
    """`veiled` or `clear`; by night contrast tells of lamps, not of the air."""
    if scene is None or not scene.contrast:
        return UNKNOWN
    if light_of(scene) == "dark":
        return "night"
    return "veiled" if scene.contrast < VEILED else "clear"


def size_of(pixels: int) -> str:
    """`small`, `medium` or `large`."""
    return "small" if pixels < SMALL else "medium" if pixels < MEDIUM else "large"


def hour_of(hour: int) -> str:
    """`00` to `23`, in the calendar's time zone."""
    return f"{hour:02d}"
