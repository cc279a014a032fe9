"""A day's examples from what is on the topics: judged as the monitor judges, with the frames that say most."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest

from models.archive.examples import Example
from monitor.passages import certainty, verdict
from monitor.rows import row_of
from monitor.windows import Calendar
from roadwatch.labelling.gathering import FRAMES, Gathering
from schemas.errors import ConfigurationError
from schemas.ids import frame_id, passage_id
from schemas.observations import Observation
from schemas.records import Passage, Prediction, Statistics
from tests.support.records import EPOCH, NOON, a_prediction

DAY = "2026-03-02"
UTC_DAYS = Calendar("UTC")
PASSAGE = passage_id("gate", EPOCH, 0)


def seen(sequence: int, label: str | None = "car", *, width: int = 60, **changes: Any) -> Prediction:
    """A frame of the passage, crossed at its second."""
    statistics = Statistics(120.0, 40.0, 200.0, width, 40, 0.5)
    changes = {"statistics": statistics, "crossed_at": NOON + timedelta(seconds=1) if sequence else None, **changes}
    return a_prediction(sequence, label, **changes)


def sample(sequence: int, label: str | None = "car", kind: str = "sample", **changes: Any) -> Prediction:
    """A whole picture."""
    return seen(sequence, label, passage_id=None, zone_id=None, kind=kind, crossed_at=None, **changes)


def passage(**changes: Any) -> Passage:
    """The monitor's word on the passage."""
    made = {
        "passage_id": PASSAGE, "camera_id": "gate", "zone_id": "lane-1", "first_at": NOON,
        "crossed_at": NOON + timedelta(seconds=2), "last_at": NOON, "label": "truck", "confidence": 0.625,
        "votes": {"car": 1, "truck": 3}, "frames": 4, "model_version": "road-2",
    }  # fmt: skip
    return Passage(**{**made, **changes})


def gathered(
    predictions: Iterable[Prediction], *passages: Passage, day: str | None = DAY, **options: Any
) -> list[Example]:
    gathering = Gathering(UTC_DAYS, day, **options)
    for each in passages:
        gathering.passed(each)
    for prediction in predictions:
        gathering.predicted(prediction)
    return [each.example for each in gathering.examples()]


def test_frames_of_a_passage_make_one_example_with_its_largest() -> None:
    widths = (50, 90, 70, 80, 60)
    (example,) = gathered(seen(n, width=width) for n, width in enumerate(widths))
    assert (example.example_id, example.camera_id, example.day, example.zone_id) == (PASSAGE, "gate", DAY, "lane-1")
    assert [frame.frame_id for frame in example.frames] == [frame_id("gate", EPOCH, n) for n in (1, 2, 3)]
    assert len(example.frames) == FRAMES
    assert (example.at, example.predicted, example.dissent) == (NOON + timedelta(seconds=1), "car", 0.0)


def test_the_monitors_word_holds_where_it_is_there() -> None:
    (example,) = gathered([seen(0), seen(1)], passage())
    assert (example.predicted, example.confidence, example.dissent) == ("truck", 0.625, 0.25)
    assert (example.at, example.model_version) == (NOON + timedelta(seconds=2), "road-2")


MIXED = [
    seen(0, "truck", width=30, probabilities={"car": 0.45, "truck": 0.55}),
    seen(1, "car", width=90, probabilities={"car": 0.51234567, "truck": 0.48765433}),
    seen(2, "truck", width=60, probabilities={"car": 0.3, "truck": 0.7}),
    seen(3, None, width=200, probabilities={"car": 0.9, "truck": 0.1}),
]


def test_without_it_the_frames_vote_as_the_monitors_do() -> None:
    """The larger weigh more; one on which the model abstains has no vote."""
    (example,) = gathered(MIXED)
    rows = [row_of(_observation(each), _probabilities(each)) for each in MIXED]
    label = verdict(rows)
    assert label is not None
    assert (example.predicted, example.confidence) == (label, pytest.approx(certainty(rows, label), abs=1e-5))
    assert example.dissent == pytest.approx(1 / 3)


def _probabilities(prediction: Prediction) -> dict[str, float]:
    return {name: round(p, 5) for name, p in prediction.probabilities.items()} if prediction.label else {}


def _observation(each: Prediction) -> Observation:
    seen_of, spent = each.statistics, each.timings
    return Observation(
        each.camera_id, each.epoch, each.sequence, each.kind, each.captured_at, each.crossed_at, each.zone_id, 0,
        each.label, each.confidence, seen_of.brightness, seen_of.contrast, seen_of.sharpness, seen_of.width,
        seen_of.height, spent.total_ms, each.model_version,
    )  # fmt: skip


def test_a_vehicle_on_which_the_model_abstained_is_an_example_without_an_answer() -> None:
    (example,) = gathered([seen(0, None), seen(1, None)])
    assert (example.predicted, example.confidence, example.dissent) == (None, 0.0, 0.0)


def test_a_vehicle_that_never_crossed_is_none() -> None:
    assert gathered([seen(0, crossed_at=None), seen(1, crossed_at=None)]) == []


def test_single_frames_are_examples_and_heartbeats_are_none() -> None:
    found = gathered([sample(0), sample(1, None, kind="heartbeat"), sample(2, "truck")])
    assert [(each.example_id, each.predicted, each.zone_id) for each in found] == [
        (frame_id("gate", EPOCH, 0), "car", None),
        (frame_id("gate", EPOCH, 2), "truck", None),
    ]
    assert found[0].at == NOON


def test_a_vehicle_counts_for_the_day_on_which_it_crossed() -> None:
    """Its frames may be of the day before; the timezone says where that ends."""
    late = timedelta(hours=11, minutes=59, seconds=59)
    over_midnight = [
        seen(0, captured_at=NOON + late),
        seen(1, captured_at=NOON + late, crossed_at=NOON + late + timedelta(seconds=3)),
    ]
    assert gathered(over_midnight) == []
    (example,) = gathered(over_midnight, day="2026-03-03")
    assert (example.day, len(example.frames)) == ("2026-03-03", 2)
    elsewhere = Gathering(Calendar("America/New_York"), DAY)
    for each in over_midnight:
        elsewhere.predicted(each)
    assert [each.example.scene["hour"] for each in elsewhere.examples()] == ["19"]


def test_frames_seen_again_in_a_replay_count_once_and_lie_where_they_lie_now() -> None:
    again = [seen(n, origin=seen(n).origin.__class__("roadwatch.frames", 0, 100 + n)) for n in range(2)]
    once, twice = gathered([seen(0), seen(1, "truck")]), gathered([seen(0), seen(1, "truck"), *again])
    assert (once[0].confidence, once[0].dissent) == (twice[0].confidence, twice[0].dissent)
    gathering = Gathering(UTC_DAYS, DAY)
    for each in (seen(0), seen(1), *again):
        gathering.predicted(each)
    assert [shown.origin.offset for each in gathering.examples() for shown in each.shown] == [100, 101]


def test_slices_are_those_of_a_report() -> None:
    """Light and weather by the camera's newest whole picture of the same run."""
    fog = Statistics(110.0, 20.0, 50.0, 640, 360)
    (example,) = gathered([sample(0, None, kind="heartbeat", statistics=fog), seen(4), seen(5)])
    assert example.scene == {
        "camera": "gate", "hour": "12", "light": "bright", "weather": "veiled", "zone": "gate/lane-1", "size": "medium",
    }  # fmt: skip
    (other,) = gathered([sample(0, None, kind="heartbeat", epoch="another run", statistics=fog), seen(4), seen(5)])
    assert (other.scene["light"], other.scene["weather"]) == ("unknown", "unknown")


def test_what_the_challenger_says_is_beside_it() -> None:
    """Of several challengers, the last."""
    gathering = Gathering(UTC_DAYS, DAY)
    for each in (seen(0), seen(1)):
        gathering.predicted(each)
    for each in (seen(0, "car", model_version="old"), seen(0, "truck", model_version="new")):
        gathering.challenged(each)
    assert [each.example.challenged for each in gathering.examples()] == ["truck"]
    assert gathered([seen(0), seen(1)])[0].challenged is None


def test_examples_that_are_wanted_by_name_are_found_on_any_day() -> None:
    """A frame of a passage too, and a vehicle that never crossed."""
    frame = frame_id("gate", EPOCH, 1)
    other = passage_id("gate", EPOCH, 5)
    frames = [seen(0), seen(1), seen(5, passage_id=other, crossed_at=None), seen(9, passage_id="gate:x:p9")]
    found = gathered(frames, day=None, wanted=frozenset({PASSAGE, frame, other}))
    assert [(each.example_id, len(each.frames)) for each in found] == [(frame, 1), (PASSAGE, 2), (other, 1)]
    assert {each.day for each in found} == {DAY}


def test_there_is_a_most_that_is_held() -> None:
    with pytest.raises(ConfigurationError, match="more than 2 vehicles and single frames; name fewer cameras"):
        gathered([sample(n) for n in range(3)], most=2)
