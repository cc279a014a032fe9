"""Failures with sensible values, so that a test says only what matters to it."""

from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from models.failures.groups import Advice, Analysis, Group, Judged, Trait
from roadwatch.failing.looking import Looked
from roadwatch.failing.request import FailuresRequest
from roadwatch.failing.session import Failing
from tests.support.examples import DAY, an_example

JPEG = cv2.imencode(".jpg", np.full((40, 60, 3), 90, np.uint8))[1].tobytes()


def judged(number: int, truth: str = "car", **changes: Any) -> Judged:
    """A vehicle that was said to be a car; its embedding follows from its number."""
    embedding = np.random.default_rng(number).normal(size=16).astype(np.float32)
    return replace(Judged(an_example(number), truth, embedding), **changes)


def name_of(number: int) -> str:
    """The id of the vehicle of that number."""
    return an_example(number).example_id


def a_group(*numbers: int, **changes: Any) -> Group:
    """Trucks taken for cars by night."""
    made = Group(
        name="trucks taken for cars, night",
        members=tuple(map(name_of, numbers)),
        loss=0.75,
        cost=0.15,
        failure_rate=0.6,
        confusions={("truck", "car"): len(numbers)},
        traits=(Trait("light", "night", 1.0, 0.25),),
        advice=(Advice("labels", "Label vehicles like these and retrain."),),
    )
    return replace(made, **changes)


def a_failing(**changes: Any) -> Failing:
    """Twenty labelled vehicles, four of them wrong: three in a group, of one of which no picture is kept, and one alone."""
    known = [judged(number, "truck" if number < 4 else "car") for number in range(20)]
    looked = Looked(JPEG, JPEG, "car", 0.75)
    made = Failing(
        asked=FailuresRequest(DAY),
        examples=50,
        labelled=20,
        failed=4,
        abstained=0,
        accuracy=0.8,
        timezone="Europe/Berlin",
        analysis=Analysis(20, 4, 0.8, (a_group(0, 1, 2),), (name_of(3),)),
        judged={each.example.example_id: each for each in known},
        left_out={},
        unreadable=0,
        looked={name_of(number): looked for number in (0, 1, 3)},
        unpictured=(name_of(2),),
        model="road-test",
        why="it classified the frame",
    )
    return replace(made, **changes)


def nothing_failed() -> Failing:
    """Twenty labelled vehicles, all right."""
    return a_failing(
        failed=0, accuracy=1.0, analysis=Analysis(20, 0, 1.0, (), ()), looked={}, unpictured=(), model="", why=""
    )
