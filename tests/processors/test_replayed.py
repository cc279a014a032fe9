"""Frames that come again give the same predictions, however they are cut into batches."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.bundle import load_bundle
from processors.classifier import Classifier
from processors.frames import FrameBatches
from processors.service import batches_of
from runtime.clients import Received
from runtime.settings import Settings
from schemas.codec import Codec
from schemas.records import Observations, Prediction, Timings
from schemas.replayed import LOGGED_AT, logged_at_header, logged_ms
from schemas.topics import OBSERVATIONS, PREDICTIONS, Topic
from tests.support.records import a_frame

CODEC, NAMES = Codec(), Settings().kafka.names
BUNDLED = Path(__file__).parents[2] / "models" / "bundled" / "fast"
UNTIMED = Timings(0.0, 0.0, 0.0, 0.0)
NOW_MS = 2_000_000


def pictures(count: int) -> Iterator[bytes]:
    rng = np.random.default_rng(5)
    for _ in range(count):
        blocks = rng.integers(0, 256, (6, 8, 3), np.uint8)
        yield bytes(cv2.imencode(".jpg", cv2.resize(blocks, (96, 72), interpolation=cv2.INTER_LINEAR))[1])


def record(offset: int, picture: bytes, *headers: tuple[str, bytes]) -> Received:
    frame = a_frame(offset, picture=picture)
    return Received("frames", 0, offset, b"gate", CODEC.encode(frame), list(headers), NOW_MS)


@pytest.fixture(scope="module")
def batches() -> Iterator[FrameBatches]:
    made = batches_of(Settings(), CODEC, Classifier.load(load_bundle(BUNDLED)))
    yield made
    made.close()


def written(batches: FrameBatches, records: list[Received], topic: Topic) -> list[Received]:
    """What a batch puts on a topic."""
    outgoing = batches.outgoing(batches.process(records))
    return [
        Received(out.topic, 0, n, out.key, out.value, out.headers, NOW_MS)
        for n, out in enumerate(out for out in outgoing if out.topic == NAMES.of(topic))
    ]


def said(batches: FrameBatches, records: list[Received], size: int) -> list[Prediction]:
    """Predictions of records read so many at a time, without their timings."""
    cuts = [records[start : start + size] for start in range(0, len(records), size)]
    found = [CODEC.decode(out.value, Prediction) for cut in cuts for out in written(batches, cut, PREDICTIONS)]
    return [replace(prediction, timings=UNTIMED) for prediction in found]


@pytest.mark.parametrize("size", [2, 3, 7, 20])
def test_predictions_do_not_depend_on_the_batch(batches: FrameBatches, size: int) -> None:
    """To the last bit: a recording replayed faster is read in larger batches."""
    records = [record(n, picture) for n, picture in enumerate(pictures(20))]
    assert said(batches, records, size) == said(batches, records, 1)


def test_a_prediction_says_when_its_replayed_frame_was_first_logged(batches: FrameBatches) -> None:
    """Whoever reads it judges clocks by that, not by the time of the replay."""
    replayed = record(0, next(pictures(1)), logged_at_header(1_000))
    [prediction] = written(batches, [replayed], PREDICTIONS)
    assert logged_ms(prediction.timestamp_ms, prediction.headers) == 1_000


def test_a_batch_of_observations_was_logged_with_the_last_of_its_frames(batches: FrameBatches) -> None:
    """A batch cannot have been there before all of it was."""
    records = [record(n, p, logged_at_header(1_000 + n)) for n, p in enumerate(pictures(3))]
    [observations] = written(batches, records, OBSERVATIONS)
    assert len(CODEC.decode(observations.value, Observations).sequences) == 3
    assert logged_ms(observations.timestamp_ms, observations.headers) == 1_002


def test_what_is_no_replay_says_nothing_of_one(batches: FrameBatches) -> None:
    """Kafka's own timestamp holds."""
    [observations] = written(batches, [record(0, next(pictures(1)))], OBSERVATIONS)
    assert observations.header(LOGGED_AT) is None
