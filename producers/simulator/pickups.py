"""Parcel pick-ups: small electric trucks with a car's face and a box behind the cab, drawn only where a condition brings them."""

from typing import Final

import numpy as np

from producers.simulator.cars import TAIL, CarShape, car_body
from producers.simulator.shapes import PAINT, TAILLIGHT, Colour, Mesh, box

PICKUP: Final = "pickup"
SHAPE: Final = CarShape(4.4, 1.74, 1.62, 0.98, (0.20, 0.34, 0.50, 0.53), 0.96)
"Of the car that it is made of: the cab ends at its middle."
BOX_COLOURS: tuple[Colour, ...] = ((0.84, 0.84, 0.83), (0.30, 0.62, 0.80), (0.44, 0.30, 0.14))


def pickup_mesh(paint: Colour, rng: np.random.Generator) -> Mesh:
    """A pick-up in that paint, its box varied."""
    build = car_body(SHAPE, paint, rng)
    half, top = SHAPE.width / 2 * 0.98, float(rng.uniform(1.3, 1.6))
    colour = BOX_COLOURS[int(rng.integers(len(BOX_COLOURS)))]
    back, front = -SHAPE.length * 1.0, -SHAPE.length * 0.55
    box(build, (-half, back, 0.9), (half, front, top), colour, 3, PAINT)
    for side in (-1, 1):
        x = side * half * 0.8
        build.face(
            [
                (x - 0.07, back - 0.06, 0.7),
                (x + 0.07, back - 0.06, 0.7),
                (x + 0.07, back - 0.06, 0.85),
                (x - 0.07, back - 0.06, 0.85),
            ],
            TAIL,
            TAILLIGHT,
        )
    return build.mesh()
