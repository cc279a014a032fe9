"""Frames to predictions, on a real Kafka, with the real model."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np
import pytest

from processors.service import run_processor
from runtime.clients import Outgoing, Writer
from runtime.settings import KafkaSettings, Settings
from runtime.spans import read_all
from schemas.codec import Codec
from schemas.dead_letters import read_dead_letter
from schemas.observations import rows
from schemas.records import Frame, Observations, Prediction
from schemas.topics import FRAMES, OBSERVATIONS, PREDICTIONS
from tests.support.records import a_frame
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration
CODEC = Codec()


def _picture(seed: int = 0) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    return bytes(cv2.imencode(".jpg", noise)[1])


def _frames(count: int, camera_id: str = "gate") -> list[Frame]:
    return [a_frame(n, camera_id, picture=_picture(n)) for n in range(count)]


def _send(kafka: KafkaSettings, frames: list[Frame]) -> None:
    with Writer(kafka, CODEC) as writer:
        for frame in frames:
            writer.send(FRAMES, frame.camera_id, frame)


@contextmanager
def _processing(settings: Settings, instance: str = "1") -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=run_processor, args=(settings, stop, instance))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _predictions(kafka: KafkaSettings) -> list[Prediction]:
    return [CODEC.decode(record.value, Prediction) for record in read_all(kafka, kafka.names.of(PREDICTIONS))]


def _wait_for(kafka: KafkaSettings, count: int) -> list[Prediction]:
    assert eventually(lambda: len(_predictions(kafka)) >= count)
    return _predictions(kafka)


def test_each_frame_has_one_prediction_in_camera_order(settings: Settings) -> None:
    _send(settings.kafka, _frames(40, "a") + _frames(40, "b"))
    with _processing(settings):
        found = _wait_for(settings.kafka, 80)
    for camera in ("a", "b"):
        assert [p.sequence for p in found if p.camera_id == camera] == list(range(40))


def test_a_prediction_says_where_its_frame_lies(settings: Settings) -> None:
    _send(settings.kafka, _frames(5))
    with _processing(settings):
        found = _wait_for(settings.kafka, 5)
    frames = {
        (r.partition, r.offset): CODEC.decode(r.value, Frame)
        for r in read_all(settings.kafka, settings.kafka.names.of(FRAMES))
    }
    assert all(frames[p.origin.partition, p.origin.offset].frame_id == p.frame_id for p in found)


def test_observations_hold_the_same_as_predictions(settings: Settings) -> None:
    _send(settings.kafka, _frames(20))
    with _processing(settings):
        found = _wait_for(settings.kafka, 20)
    batches = [
        CODEC.decode(r.value, Observations) for r in read_all(settings.kafka, settings.kafka.names.of(OBSERVATIONS))
    ]
    seen = [(row.frame_id, row.label) for batch in batches for row in rows(batch)]
    assert seen == [(p.frame_id, p.label) for p in found]


def test_heartbeats_are_measured_and_not_classified(settings: Settings) -> None:
    beat = a_frame(0, kind="heartbeat", zone_id=None, passage_id=None, box=None, picture=_picture())
    _send(settings.kafka, [beat])
    with _processing(settings):
        (found,) = _wait_for(settings.kafka, 1)
    assert found.label is None
    assert found.statistics.brightness > 0


def test_unreadable_frames_end_as_dead_letters_with_their_reason(settings: Settings) -> None:
    """Broken JPEG bytes, no Avro at all, and a record of a future schema; the good ones beside them are predicted."""
    future = b"\xc3\x01" + b"\x07" * 8 + b"of the future"
    name = settings.kafka.names.of(FRAMES)
    with Writer(settings.kafka, CODEC) as writer:
        writer.send(FRAMES, "gate", a_frame(0, picture=_picture()))
        writer.send(FRAMES, "gate", a_frame(1, picture=_picture()[:50]))
        writer.send_bytes(Outgoing(name, b"gate", b"no avro", [("traceparent", b"00-1-2-01")]))
        writer.send_bytes(Outgoing(name, b"gate", future, []))
        writer.send(FRAMES, "gate", a_frame(2, picture=_picture()))
    with _processing(settings):
        found = _wait_for(settings.kafka, 2)
    assert [p.sequence for p in found] == [0, 2]
    letters = list(read_all(settings.kafka, f"{name}.dlq"))
    reasons = [read_dead_letter(letter.headers).error for letter in letters]
    assert reasons == ["PictureError", "DecodingError", "UnknownSchemaError"]
    assert letters[1].value == b"no avro"
    assert letters[1].header("traceparent") == b"00-1-2-01"


def test_two_processors_share_the_cameras(settings: Settings) -> None:
    """A second one joins and leaves in the middle: a rebalance each time, and each frame has one prediction."""
    cameras = [f"camera-{n}" for n in range(8)]
    with _processing(settings, "1"):
        _send(settings.kafka, [frame for camera in cameras for frame in _frames(10, camera)])
        with _processing(settings, "2"):
            _send(settings.kafka, [a_frame(n, camera, picture=_picture()) for camera in cameras for n in range(10, 20)])
        found = _wait_for(settings.kafka, 160)
    assert sorted(p.frame_id for p in found) == sorted({p.frame_id for p in found})
    assert len(found) == 160
