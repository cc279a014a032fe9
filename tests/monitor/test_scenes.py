"""The properties by which vehicles are sliced."""

import pytest

from monitor.chunks import Row
from monitor.scenes import hour_of, light_of, size_of, weather_of


def scene(brightness: float, contrast: float) -> Row:
    """A whole picture."""
    return Row("heartbeat", 0, None, None, None, None, {}, 640 * 360, brightness, 0, "v1", contrast)


@pytest.mark.parametrize(
    ("brightness", "contrast", "light", "weather"),
    [
        (59.9, 50.0, "dark", "night"),
        (60.0, 30.0, "dim", "clear"),
        (94.9, 29.9, "dim", "veiled"),
        (95.0, 45.0, "bright", "clear"),
        (59.9, 10.0, "dark", "night"),
    ],
)
def test_light_and_weather_are_those_of_a_whole_picture(
    brightness: float, contrast: float, light: str, weather: str
) -> None:
    """By night contrast tells of lamps: there is no weather."""
    seen = scene(brightness, contrast)
    assert (light_of(seen), weather_of(seen)) == (light, weather)


def test_nothing_is_known_without_a_picture() -> None:
    """Nor of the weather in one whose contrast was not measured."""
    assert (light_of(None), weather_of(None)) == ("unknown", "unknown")
    assert (light_of(scene(120.0, 0.0)), weather_of(scene(120.0, 0.0))) == ("bright", "unknown")


@pytest.mark.parametrize(("pixels", "size"), [(48 * 48 - 1, "small"), (48 * 48, "medium"), (112 * 112, "large")])
def test_sizes_are_areas_of_crops(pixels: int, size: str) -> None:
    assert size_of(pixels) == size


def test_hours_have_two_digits() -> None:
    """So that they sort."""
    assert [hour_of(hour) for hour in (0, 7, 23)] == ["00", "07", "23"]
