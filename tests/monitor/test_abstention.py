"""Frames of vehicles that the model gave no label do not vote; a vehicle without any vote is no vehicle of either class."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from schemas.ids import passage_id
from schemas.records import Passage, Prediction, Tally
from tests.monitor.world import CLASSES, START, Bus, end, label_of, passage

NOBODY_KNOWS = dict.fromkeys(CLASSES, 0.5)


def vehicle(labels: Sequence[str | None]) -> list[Prediction]:
    """A passage's frames; the model abstains where None stands."""
    frames = passage("gate", 0, START, [label or "truck" for label in labels])
    return [
        frame if label else replace(frame, label=None, confidence=None, probabilities=NOBODY_KNOWS)
        for frame, label in zip(frames, labels, strict=True)
    ]


def day_of(labels: Sequence[str | None]) -> tuple[Bus, Tally]:
    """A day with this one vehicle, labelled a car."""
    bus = Bus()
    bus.observe(vehicle(labels), 1)
    bus.label(label_of("gate", 0, "car", START + timedelta(seconds=1)), 1)
    bus.observe([end("gate", len(labels), START + timedelta(days=2))], 2)
    (day,) = bus.closed()
    return bus, day.tally


def test_abstentions_do_not_vote() -> None:
    """Three abstentions, and two frames that say car: it is a car, and nobody dissents."""
    bus, tally = day_of([None, "car", None, "car", None])
    (found,) = bus.of(Passage)
    assert isinstance(found, Passage)
    assert (found.passage_id, found.label, found.votes, found.frames) == (
        passage_id("gate", "e", 0),
        "car",
        {"car": 2},
        5,
    )
    assert (tally.frames, tally.passage_frames, tally.dissenting_frames) == (2, 2, 0)
    assert [(cell.truth, cell.predicted, cell.count) for cell in tally.vehicle_cells] == [("car", "car", 1)]


def test_a_labelled_vehicle_without_a_verdict_counts_as_a_label_alone() -> None:
    """It was seen, so that its label is matched; there is no verdict to hold it against."""
    bus, tally = day_of([None, None, None])
    assert bus.of(Passage) == []
    assert (tally.labels, tally.unmatched_labels, tally.vehicle_cells, tally.passages) == (1, 0, (), {})
    assert tally.frames == 0
