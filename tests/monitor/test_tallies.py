"""Sums of tallies: of a day's cameras, or of a camera's days."""

from dataclasses import fields, replace

from monitor.metrics import cells
from monitor.tallies import added, added_slices, added_stages, by_weight, fair_cells
from schemas.records import ConfidenceBin, SignalCounts, Slice, StageLatency, Tally, WeightedCells

FULL = Tally(
    **{each.name: 2 for each in fields(Tally) if each.type in (int, "int")},
    passages={"car": 2},
    vehicle_cells=cells({("car", "car"): 2}),
    frame_cells=cells({("car", "truck"): 2}),
    confidence_sum=1.5,
    brightness_sum=200.0,
    latency_buckets={"7": 2},
    label_sources={"ann": 2},
    slices=(Slice("hour", "07", {"car": 2}, cells({("car", "car"): 2})),),
    confidences=(ConfidenceBin("car", 45, 2, 1.8, 2, 2),),
    signals=(SignalCounts("brightness", 2, 200.0, 20000.0, {"3": 2}),),
    stages=(StageLatency("queue", {"7": 2}),),
    weighted=(WeightedCells(4.0, cells({("car", "car"): 2}), cells({("car", "truck"): 2}), 1.8),),
)
"A tally of which no field is empty."


def test_every_field_is_added() -> None:
    """With nothing it stays what it is, with itself nothing stays: none is forgotten."""
    twice = added([FULL, FULL])
    assert added([FULL, Tally()]) == FULL
    assert [each.name for each in fields(Tally) if getattr(twice, each.name) == getattr(FULL, each.name)] == []
    assert [each.name for each in fields(Tally) if getattr(FULL, each.name) == getattr(Tally(), each.name)] == []


def test_slices_of_one_place_are_added() -> None:
    """Others stand beside them, sorted."""
    dark, bright = (Slice("light", value, {"car": 1}, cells({("car", "car"): 1})) for value in ("dark", "bright"))
    assert added_slices([dark, bright, dark]) == (
        bright,
        Slice("light", "dark", {"car": 2}, cells({("car", "car"): 2})),
    )


def test_stages_are_added_where_they_were_measured() -> None:
    """An older processor's camera adds none; buckets are in order."""
    queue, decode = StageLatency("queue", {"10": 1}), StageLatency("decode", {"-3": 1})
    both = added_stages([queue, decode, StageLatency("queue", {"9": 1, "10": 1})])
    assert both == (decode, StageLatency("queue", {"9": 1, "10": 2}))


def test_labels_are_added_by_what_they_stand_for() -> None:
    """Those of a camera without weights stand for themselves; what they are sure of follows from its confidences."""
    plain = replace(FULL, weighted=())
    assert by_weight(plain) == (WeightedCells(1.0, FULL.vehicle_cells, FULL.frame_cells, 1.8),)
    assert added([plain, plain]).weighted == ()
    assert [(each.weight, each.confidence_sum) for each in added([FULL, plain, FULL]).weighted] == [
        (1.0, 1.8),
        (4.0, 3.6),
    ]
    assert by_weight(Tally()) == ()


def test_a_fair_part_of_the_labels_is_what_slices_are_made_of() -> None:
    """Of hours, which have all vehicles; without weights it is all labels."""
    slices = tuple(Slice("hour", hour, {}, cells({("car", "car"): 3})) for hour in ("07", "08"))
    assert fair_cells(replace(FULL, slices=slices)) == cells({("car", "car"): 6})
    assert fair_cells(replace(FULL, slices=slices, weighted=())) == FULL.vehicle_cells
