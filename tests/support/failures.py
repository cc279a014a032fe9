"""Judged vehicles of a simulated day, of which some fail for a cause that is put in."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np

from models.failures.groups import Judged
from tests.support.examples import MORNING, an_example, an_example_frame

MINUTES = 5
"From one vehicle of a camera to its next."
SIZE = 8
"Of an embedding: class, kind, picture, and noise."


@dataclass(frozen=True)
class Picture:
    """How pictures look, on average."""

    brightness: float = 120.0
    contrast: float = 50.0
    sharpness: float = 400.0
    noise: float = 1.0
    light: str = "bright"
    weather: str = "clear"


CLEAR = Picture()
DIRTY = Picture(contrast=25.0, sharpness=80.0)
NIGHT = Picture(brightness=50.0, contrast=35.0, noise=6.0, light="dark", weather="night")
FOG = Picture(brightness=160.0, contrast=20.0, sharpness=120.0, weather="veiled")


def a_vehicle(
    number: int,
    camera: str = "gate",
    truth: str = "car",
    *,
    fails: bool = False,
    picture: Picture = CLEAR,
    strange: bool = False,
    weight: float = 1.0,
    **changes: Any,
) -> Judged:
    """A vehicle as the model sees it; a strange one lies off both classes."""
    rng = np.random.default_rng([number, sum(camera.encode())])
    predicted = {"car": "truck", "truck": "car"}[truth] if fails else truth
    at = MORNING + timedelta(minutes=MINUTES * number)
    frames = tuple(_frame(2 * number + k, camera, picture, rng) for k in range(2))
    scene = {"camera": camera, "hour": f"{at:%H}", "light": picture.light, "weather": picture.weather}
    made = {
        "predicted": predicted,
        "confidence": float(rng.uniform(0.9, 1)),
        "at": at,
        "frames": frames,
        "scene": scene,
        **changes,
    }
    return Judged(an_example(number, camera, **made), truth, _embedding(predicted, picture, strange, rng), weight)


def _frame(sequence: int, camera: str, picture: Picture, rng: np.random.Generator) -> Any:
    return an_example_frame(
        sequence,
        camera,
        brightness=picture.brightness + rng.normal(0, 4),
        contrast=picture.contrast + rng.normal(0, 3),
        sharpness=picture.sharpness * float(np.exp(rng.normal(0, 0.15))),
        noise=picture.noise * float(np.exp(rng.normal(0, 0.1))),
    )


def _embedding(predicted: str, picture: Picture, strange: bool, rng: np.random.Generator) -> Any:
    values = rng.normal(0, 0.15, SIZE)
    values[0] += 1 if predicted == "truck" else -1
    values[1] += 2.5 * strange
    values[2] += (picture.contrast - CLEAR.contrast) / 15
    values[3] += np.log(picture.noise) / 1.5
    return values.astype(np.float32)


def a_day(cameras: Sequence[str] = ("gate", "ramp", "street"), vehicles: int = 100) -> dict[str, Judged]:
    """Cars and trucks in turn at each camera, all told rightly, by id."""
    return by_id(a_vehicle(k, camera, ("car", "truck")[k % 2]) for camera in cameras for k in range(vehicles))


def by_id(judged: Iterable[Judged]) -> dict[str, Judged]:
    """Each once, so that one may stand in for another."""
    return {each.example.example_id: each for each in judged}


def dirty(camera: str = "gate", begin: int = 20, count: int = 24) -> dict[str, Judged]:
    """A dirty lens: for a while cars are taken for trucks."""
    numbers = range(begin, begin + count)
    return by_id(a_vehicle(k, camera, "car", fails=k % 2 == 0, picture=DIRTY) for k in numbers)


def by_night(camera: str, begin: int = 60, count: int = 24) -> dict[str, Judged]:
    """Grain by night: trucks are taken for cars."""
    numbers = range(begin, begin + count)
    return by_id(a_vehicle(k, camera, "truck", fails=k % 2 == 0, picture=NIGHT) for k in numbers)


def strange(camera: str, begin: int = 1, count: int = 6) -> dict[str, Judged]:
    """Trucks of a new kind, all day long, in clear pictures."""
    numbers = range(begin, begin + 10 * count, 10)
    return by_id(a_vehicle(k, camera, "truck", fails=True, strange=True) for k in numbers)
