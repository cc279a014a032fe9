"""Truth as labels: the right vehicle, once, and promises that hold.

frames    ·──·──×──·       × crossing: the label is sent here
promise   │                never beyond the first frame of a passage without a label
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from producers.framing import Framer
from producers.simulator.truth import TruePassage, TrueVehicle
from producers.source import Picture
from producers.truth import BEYOND_THE_END, OVER_AFTER, TruthLabels, overlap
from schemas.records import Box, Frame, Label

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
FRAMER = Framer("sim", "e", 80)


def second(number: float) -> datetime:
    """A time after the start."""
    return START + timedelta(seconds=number)


def vehicle(name: str, label: str, left: float) -> TrueVehicle:
    """A true vehicle of 40 × 30 pixels at (left, 20)."""
    passage = TruePassage(name, label, "kind", "red", "lane", START, START, START, 10.0)
    return TrueVehicle(passage, (left, 20.0, 40.0, 30.0))


def frame(track: int, at: datetime, left: int, crossed: bool = False) -> Frame:
    """A frame of what the gate saw at (left, 20)."""
    picture = Picture(at, np.zeros((64, 200, 3), np.uint8), 0)
    box = Box(left, 20, 40, 30)
    made = FRAMER.vehicle(picture, picture.image[:30, :40], box, "lane", track, at if crossed else None)
    return replace(made, passage_id=f"sim:e:p{track}")


def truth_of(*vehicles: TrueVehicle) -> TruthLabels:
    """Labels for a camera that always sees these vehicles."""
    return TruthLabels("sim", lambda _: vehicles)


def feed(truth: TruthLabels, frames: Sequence[Frame]) -> list[Label]:
    """The labels that frames complete, one picture each."""
    return [label for seen in frames for label in truth.labels(seen.captured_at, [seen])]


@pytest.mark.parametrize(
    ("box", "share"), [((0.0, 0.0, 10.0, 10.0), 1.0), ((5.0, 0.0, 10.0, 10.0), 1 / 3), ((20.0, 0.0, 5.0, 5.0), 0.0)]
)
def test_overlap_is_intersection_over_union(box: tuple[float, float, float, float], share: float) -> None:
    assert overlap(Box(0, 0, 10, 10), box) == pytest.approx(share)


def test_a_passage_is_labelled_once_at_its_crossing() -> None:
    """Not before it, and not again while it drives on."""
    truth = truth_of(vehicle("v1", "truck", 50))
    labels = feed(truth, [frame(1, second(n), 50, crossed=n >= 2) for n in range(30)])
    assert [(label.passage_id, label.label, label.source) for label in labels] == [("sim:e:p1", "truck", "simulator")]
    assert (labels[0].labelled_at, labels[0].weight) == (second(2), 1.0)


def test_the_vehicle_that_overlaps_most_gives_the_label() -> None:
    """Beside a car, the truck's frames show the truck."""
    truth = truth_of(vehicle("v1", "car", 75), vehicle("v2", "truck", 52))
    assert [label.label for label in feed(truth, [frame(1, second(0), 50, crossed=True)])] == ["truck"]


def test_a_passage_that_never_crosses_is_labelled_when_it_is_over() -> None:
    truth = truth_of(vehicle("v1", "car", 50))
    assert feed(truth, [frame(1, second(0), 50)]) == []
    later = second(1) + OVER_AFTER
    assert [label.passage_id for label in truth.labels(later, [])] == ["sim:e:p1"]


def test_what_no_vehicle_made_gets_no_label_and_is_counted() -> None:
    truth = truth_of(vehicle("v1", "car", 150))
    assert feed(truth, [frame(1, second(9), 10, crossed=True)]) == []
    assert truth.unknown == 1


@pytest.mark.parametrize(("seconds", "labels"), [(0.5, ["truck"]), (1.5, [])])
def test_where_no_box_fits_the_crossing_tells(seconds: float, labels: list[str]) -> None:
    """Lamps in the dark: a true vehicle crossed the same line within a second."""
    truth = truth_of(vehicle("v1", "truck", 150))
    assert [label.label for label in feed(truth, [frame(1, second(seconds), 10, crossed=True)])] == labels


def test_a_promise_waits_for_passages_without_a_label() -> None:
    """With an open passage it stands at that passage's first frame; afterwards it follows the pictures."""
    truth = truth_of(vehicle("v1", "car", 50))
    feed(truth, [frame(1, second(0), 50), frame(1, second(3), 50)])
    assert truth.promise(second(3)).complete_until == second(0)
    feed(truth, [frame(1, second(4), 50, crossed=True)])
    assert truth.promise(second(5)).complete_until == second(5)


def test_promises_never_go_back() -> None:
    truth = truth_of(vehicle("v1", "car", 50))
    first = truth.promise(second(9)).complete_until
    feed(truth, [frame(1, second(5), 50)])
    assert truth.promise(second(10)).complete_until == first


def test_the_end_labels_what_is_left_and_promises_all() -> None:
    """The last promise lies past the end of the last day in any time zone."""
    truth = truth_of(vehicle("v1", "car", 50))
    feed(truth, [frame(1, second(0), 50)])
    *labels, promise = truth.end(second(1))
    assert [label.passage_id for label in labels] == ["sim:e:p1"]
    assert (promise.label, promise.complete_until) == (None, second(1) + BEYOND_THE_END)


def test_two_runs_give_the_same_records() -> None:
    """Labels and promises follow from event time alone."""
    runs = []
    for _ in range(2):
        truth = truth_of(vehicle("v1", "car", 50))
        runs.append(
            [*feed(truth, [frame(1, second(0), 50, crossed=True)]), truth.promise(second(1)), *truth.end(second(2))]
        )
    assert runs[0] == runs[1]
