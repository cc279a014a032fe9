"""Vehicles by number: kind, colour and measures follow from a seed alone."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from producers.simulator.cars import CARS, car_mesh, random_paint, tinted
from producers.simulator.pickups import PICKUP, pickup_mesh
from producers.simulator.shapes import Mesh
from producers.simulator.trucks import TRUCKS, random_cab_colour, truck_mesh

CAR, TRUCK = "car", "truck"
CAR_SHARES = (0.32, 0.28, 0.14, 0.26)
TRUCK_SHARES = (0.24, 0.13, 0.18, 0.11, 0.12, 0.22)


@dataclass(frozen=True, slots=True)
class Vehicle:
    """One vehicle."""

    # "car" or "truck".
    label: str
    # Its kind, such as "saloon" or "tipper".
    kind: str
    # Name of its paint.
    colour: str
    # Its faces.
    mesh: Mesh


@lru_cache(maxsize=512)
def vehicle_of(label: str, seed: int, kind: str | None = None) -> Vehicle:
    """The vehicle of that label and seed; a truck may be told its `kind`, one that is never drawn otherwise."""
    rng = np.random.default_rng(seed)
    if label == CAR:
        kind = list(CARS)[int(rng.choice(len(CARS), p=CAR_SHARES))]
        name, paint = random_paint(rng)
        return Vehicle(CAR, kind, name, car_mesh(kind, paint, rng))
    if kind == PICKUP:
        name, paint = random_paint(rng)
        return Vehicle(TRUCK, PICKUP, name, pickup_mesh(paint, rng))
    kind = kind or TRUCKS[int(rng.choice(len(TRUCKS), p=TRUCK_SHARES))]
    name, paint = random_cab_colour(rng)
    return Vehicle(TRUCK, kind, name, truck_mesh(kind, tinted(paint, rng), rng))
