"""The parts of a backtest: several models at once, claims, columns, and the vehicles on which models differ."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from models.bundle import SHIPPED, load_bundle
from processors.classifier import Classifier
from processors.frames import FrameBatches
from roadwatch.backtesting.claiming import Claims
from roadwatch.backtesting.columns import as_sent, joined, part, timed, timings_of
from roadwatch.backtesting.differing import Vehicles, pairs, sign_test, truths_of, worst
from roadwatch.backtesting.predicting import Predictor, Together
from schemas.observations import pack
from schemas.records import Frame, Passage
from schemas.topics import Names
from tests.monitor.world import CLASSES, START, passage
from tests.support.backtests import CODEC, as_received, as_received_by_monitor, filmed_days, tiny
from tests.support.records import a_label, a_prediction


def test_several_models_at_once_say_what_each_says_alone(tmp_path: Path) -> None:
    """Pictures are decoded once; labels, probabilities and statistics are the very ones of the processor."""
    bundles = [load_bundle(folder) for folder in (*SHIPPED.values(), tiny(tmp_path / "a", "tiny-a"))]
    frames = [each for each in filmed_days(vehicles=5) if isinstance(each.record, Frame)]
    received = [as_received(each, "frames", 0, n) for n, each in enumerate(frames)]
    together = Together(
        [Classifier.load(each) for each in bundles], [each.abstain_below is not None for each in bundles]
    )
    predictor = Predictor(together, 10_000)
    (wide,) = predictor.wide_batches(predictor.predict(received).predictions)
    predictor.close()
    for number, bundle in enumerate(bundles):
        work = FrameBatches(Classifier.load(bundle), CODEC, Names("live"), max_pixels=10_000, threads=1)
        result = work.process(received)
        work.close()
        (alone,) = pack((prediction for _, prediction in result.predictions), result.labels)
        rows = range(len(alone.sequences))
        assert timed(predictor.narrow(wide, number), [timings_of(alone, row) for row in rows]) == alone


def test_what_was_recorded_is_claimed_in_its_batches_and_the_rest_is_left() -> None:
    claims = Claims()
    claims.hold([a_prediction(n) for n in range(6)], [100 + n for n in range(6)])
    (batch,) = pack([a_prediction(n) for n in (1, 2, 9)], ("car", "truck"))
    predictions, rows = claims.claim(batch)
    assert [prediction.sequence for prediction in predictions] == [1, 2]
    assert rows == [0, 1]
    assert [(prediction.sequence, at_ms) for prediction, at_ms in claims.rest()] == [
        (0, 100),
        (3, 103),
        (4, 104),
        (5, 105),
    ]
    assert len(claims) == 0


def test_a_frame_that_was_sent_twice_is_claimed_twice() -> None:
    claims = Claims()
    claims.hold([a_prediction(1), a_prediction(1)], [100, 200])
    (batch,) = pack([a_prediction(1), a_prediction(1)], ("car", "truck"))
    assert len(claims.claim(batch)[0]) == 2


def test_parts_of_a_batch_joined_are_the_batch() -> None:
    predictions = passage("gate", 0, START, ("car", "truck", "car"))
    (batch,) = pack([*predictions[:2], replace(predictions[2], zone_id="other")], CLASSES)
    (first,), (second,) = (
        list(pack(some, CLASSES)) for some in (predictions[:2], [replace(predictions[2], zone_id="other")])
    )
    assert joined([first, second]) == batch
    assert joined([part(batch, slice(0, 1)), part(batch, [1, 2])]) == batch


def test_a_batch_as_sent_is_what_comes_out_of_the_wire() -> None:
    (batch,) = pack([a_prediction(n) for n in range(3)], ("car", "truck"))
    third = replace(batch, brightness=(1 / 3, 2 / 3, 1e-3))
    assert as_sent(third) == as_received_by_monitor(third)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [(0, 0, None), (5, 5, 1.0), (6, 0, 0.03125), (1, 9, 0.021484375), (0, 10, 0.001953125)],
)
def test_the_sign_test_is_that_of_the_tables(a: int, b: int, expected: float | None) -> None:
    assert sign_test(a, b) == expected == sign_test(b, a)


def test_far_out_the_sign_test_goes_on_as_it_was() -> None:
    assert sign_test(530, 472) == pytest.approx(sign_test(530, 470), rel=0.25)


def test_vehicles_are_paired_whichever_model_comes_first_and_judged_by_their_newest_label() -> None:
    vehicles = Vehicles(2)
    for model, labels in ((1, ("car", "truck", "car")), (0, ("car", "car", "truck"))):
        for number, label in enumerate(labels):
            vehicles.take(model, _passage(number, label))
    vehicles.take(0, _passage(7, "car"))
    vehicles.finish()
    old = a_label("car", passage_id="gate:e:p1", label_id="old", labelled_at=START)
    truths = truths_of([replace(old, label="truck", labelled_at=START + timedelta(1)), old], {"gate:e:p1", "gate:e:p7"})
    (pair,) = pairs(vehicles, truths)
    assert (vehicles.compared, pair.differ, pair.labelled, pair.a_right, pair.b_right) == (4, 3, 1, 0, 1)
    assert worst(vehicles.differing, truths, 1)[0].passage_id == "gate:e:p1"


def _passage(number: int, label: str) -> Passage:
    return Passage(f"gate:e:p{number}", "gate", "lane", START, START, START, label, 0.9, {label: 3}, 3, "v1")
