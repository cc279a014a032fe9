"""Columns hold what the predictions said, in camera order."""

from dataclasses import replace
from datetime import timedelta

from schemas.observations import pack, rows
from schemas.records import Statistics, Timings
from tests.support.records import NOON, a_prediction

CLASSES = ("car", "truck")


def test_rows_say_what_the_predictions_said() -> None:
    prediction = a_prediction(3, "truck", crossed_at=NOON)
    (batch,) = pack([prediction], CLASSES)
    (row,) = rows(batch)
    assert (row.frame_id, row.passage_id, row.zone_id) == (prediction.frame_id, prediction.passage_id, "lane-1")
    assert (row.label, row.confidence, row.crossed_at) == ("truck", 0.75, NOON)


def test_a_heartbeat_has_neither_label_nor_zone_nor_passage() -> None:
    (batch,) = pack([a_prediction(0, None, kind="heartbeat", zone_id=None, passage_id=None)], CLASSES)
    (row,) = rows(batch)
    assert (row.label, row.confidence, row.zone_id, row.passage_id) == (None, None, None, None)


def test_each_camera_gets_its_own_record_in_its_order() -> None:
    predictions = [a_prediction(n, camera_id=camera) for n in range(3) for camera in ("b", "a")]
    batches = list(pack(predictions, CLASSES))
    assert [(batch.camera_id, batch.sequences) for batch in batches] == [("a", (0, 1, 2)), ("b", (0, 1, 2))]


def test_a_new_epoch_or_model_begins_a_new_record() -> None:
    predictions = [a_prediction(0), a_prediction(1, epoch="later"), a_prediction(2, model_version="other")]
    assert len(list(pack(predictions, CLASSES))) == 3


def test_times_survive_to_the_microsecond() -> None:
    at = NOON + timedelta(microseconds=123457)
    (batch,) = pack([a_prediction(0, captured_at=at)], CLASSES)
    assert next(rows(batch)).captured_at == at


def test_pictures_and_timings_are_kept() -> None:
    picture = Statistics(120.0, 40.0, 200.0, 640, 360, noise=2.5, sketch=bytes(range(144)))
    prediction = a_prediction(0, statistics=picture, timings=Timings(1.0, 2.0, 3.0, 7.0))
    (row,) = (row for batch in pack([prediction], CLASSES) for row in rows(batch))
    assert (row.noise, row.sketch) == (2.5, bytes(range(144)))
    assert (row.queue_ms, row.decode_ms, row.inference_ms, row.latency_ms) == (1.0, 2.0, 3.0, 7.0)


def test_what_an_older_processor_did_not_measure_is_missing() -> None:
    """Its columns are empty."""
    (batch,) = pack([a_prediction(0), a_prediction(1)], CLASSES)
    older = replace(batch, noise=(), sketch=(), queue_ms=(), decode_ms=(), inference_ms=())
    for row in rows(older):
        assert (row.noise, row.sketch) == (0.0, b"")
        assert (row.queue_ms, row.decode_ms, row.inference_ms) == (None, None, None)
