"""A day's counts, and the frames that somebody should look at."""

from dataclasses import replace
from typing import Any

from monitor.chunks import Row
from monitor.counting import STAGES, DayCounts
from monitor.judged import UNSURE_KEPT, WRONG_KEPT, Judged, Worst
from monitor.labelling import Decision
from monitor.metrics import cells
from schemas.records import Cell, ConfidenceBin

CAR = Judged(1, "gate:e:1", "car", 0.9, "car", (("hour", "07"), ("light", "dark")))
FRAME = Row(
    "vehicle", 1, 0, None, "left", "car", {"car": 0.75, "truck": 0.25}, 4096, 100.0, 50, "v1", stages=(1, 2, 3, 4)
)


def judged(number: int, confidence: float, truth: str | None) -> Judged:
    """Something that the model calls a car."""
    return Judged(number, f"gate:e:{number}", "car", confidence, truth, ())


def named(worst: Worst) -> list[tuple[str, str]]:
    """Which, and why."""
    return [(each.frame_id, each.why) for each in worst.frames()]


def counted(*frames: tuple[Row, str | None]) -> DayCounts:
    """A day of some frames and their truths."""
    counts = DayCounts()
    for row, truth in frames:
        counts.frame(row, truth)
    return counts


def decision(**changes: Any) -> Decision:
    """What labels say of one thing."""
    return replace(Decision("car", "ann", late=False, contradicted=False, withdrawn=False), **changes)


def test_the_surest_mistakes_are_the_worst_and_then_the_least_sure() -> None:
    """What is labelled and right is no matter, however unsure."""
    worst = Worst()
    for each in (judged(1, 0.6, "truck"), judged(2, 0.9, "truck"), judged(3, 0.5, None), judged(4, 0.4, "car")):
        worst.add(each)
    assert named(worst) == [("gate:e:2", "wrong"), ("gate:e:1", "wrong"), ("gate:e:3", "unsure")]


def test_only_some_are_kept_whatever_their_order() -> None:
    """The six surest mistakes, and the three that the model was least sure of."""
    forth, back = Worst(), Worst()
    seen = [judged(i, 0.5 + i / 100, ("truck", None)[i % 2]) for i in range(40)]
    for one, other in zip(seen, reversed(seen), strict=True):
        forth.add(one)
        back.add(other)
    assert named(forth) == named(back)
    assert [name for name, _ in named(forth)] == [f"gate:e:{i}" for i in (38, 36, 34, 32, 30, 28, 1, 3, 5)]
    assert len(named(forth)) == WRONG_KEPT + UNSURE_KEPT


def test_frames_add_up() -> None:
    """Refused ones, and those that are not classified, are in no figure of the model."""
    refused, idle = FRAME._replace(label=None), FRAME._replace(kind="heartbeat", label=None)
    tally = counted((FRAME, "truck"), (FRAME, None), (refused, None), (idle, None)).tally()
    assert (tally.frames, tally.abstained, tally.confidence_sum, tally.brightness_sum) == (2, 1, 1.5, 200.0)
    assert tally.frame_cells == (Cell("truck", "car", 1),)
    assert tally.latency_buckets == {"50": 2}
    assert [stage.stage for stage in tally.stages] == [*STAGES]
    assert tally.stages[0].buckets == {"1": 2}


def test_a_vehicle_is_in_its_slices_and_in_its_bin() -> None:
    """Seen as a vehicle in each; labelled, in the confusion of each."""
    counts = DayCounts()
    counts.passage(CAR, frames=4, dissenting=1, refused=2)
    tally = counts.tally()
    assert (tally.passages, tally.passage_frames, tally.dissenting_frames) == ({"car": 1}, 4, 1)
    assert {(each.dimension, each.value): each.cells for each in tally.slices} == dict.fromkeys(
        CAR.properties, cells({("car", "car"): 1})
    )
    assert tally.confidences == (ConfidenceBin("car", 45, 1, 0.9, 1, 1),)


def test_a_single_frame_is_no_passage() -> None:
    """It is judged all the same, and is in slices where it is labelled."""
    counts = DayCounts()
    counts.judged(CAR._replace(truth="truck"))
    counts.judged(CAR._replace(truth=None, properties=(("hour", "08"),)))
    tally = counts.tally()
    assert (tally.passages, tally.vehicle_cells) == ({}, (Cell("truck", "car", 1),))
    assert [each.value for each in tally.slices] == ["07", "dark"]
    assert [(each.count, each.labelled, each.right) for each in tally.confidences] == [(2, 1, 0)]
    assert counts.errors == [(1, "gate:e:1", True)]


def test_labels_count_by_what_befell_them() -> None:
    """What was taken back is no label; what contradicts counts for the one that is believed."""
    counts = DayCounts()
    for each in (decision(late=True), decision(contradicted=True), decision(label=None, source="", withdrawn=True)):
        counts.label(each)
    tally = counts.tally()
    assert (tally.labels, tally.late_labels, tally.contradicted, tally.withdrawn) == (2, 1, 1, 1)
    assert tally.label_sources == {"ann": 2}


def a_weighted_day() -> DayCounts:
    """400 labels that stand for one vehicle each, of which half are wrong, and 100 right ones that stand for ten."""
    counts = DayCounts()
    for number in range(400):
        counts.judged(judged(number, 0.6, ("car", "truck")[number % 2])._replace(properties=(("hour", "07"),)))
    for number in range(400, 500):
        counts.judged(judged(number, 0.98, "car")._replace(properties=(("hour", "07"),), weight=10.0))
    return counts


def test_labels_are_counted_by_what_they_stand_for() -> None:
    """All of them, with what the model thought of them; a frame's label by its own weight."""
    counts = a_weighted_day()
    counts.frame(FRAME, "car", 10.0)
    one, ten = counts.tally().weighted
    assert (one.weight, one.cells) == (1.0, cells({("car", "car"): 200, ("truck", "car"): 200}))
    assert (ten.weight, ten.cells, ten.frame_cells) == (10.0, cells({("car", "car"): 100}), cells({("car", "car"): 1}))
    assert (round(one.confidence_sum), round(ten.confidence_sum)) == (240, 98)
    assert sum(cell.count for cell in counts.tally().vehicle_cells) == 500


def test_what_has_no_weights_counts_a_fair_part_of_the_labels() -> None:
    """Slices, confidences and errors: all of the heaviest, and of the others one in ten; one in seven is wrong, not two."""
    counts = a_weighted_day()
    tally = counts.tally()
    (hour,), labelled = tally.slices, sum(each.labelled for each in tally.confidences)
    assert sum(cell.count for cell in hour.cells) == labelled == len(counts.errors)
    assert 125 < labelled < 155
    assert 0.09 < sum(wrong for _, _, wrong in counts.errors) / labelled < 0.19
    assert counts.tally() == tally


def test_labels_of_one_weight_all_count() -> None:
    """A plain sample is fair."""
    counts = DayCounts()
    for number in range(20):
        counts.judged(judged(number, 0.9, "car")._replace(weight=7.0))
    assert len(counts.errors) == sum(each.labelled for each in counts.tally().confidences) == 20
    assert [each.weight for each in counts.tally().weighted] == [7.0]
