"""A model that is told pictures like none that it knows gives them no label, and everything goes on."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from models.preprocessing import Image
from processors.classifier import Classifier
from processors.frames import BatchResult, FrameBatches
from processors.service import ABSTAINED, _count
from runtime.clients import Received
from runtime.settings import KafkaSettings
from schemas.codec import Codec
from schemas.errors import ModelError
from schemas.observations import rows
from schemas.records import Observations
from schemas.topics import OBSERVATIONS
from tests.processors.versions import shy_graph, version
from tests.support.records import a_frame

CODEC = Codec()
BLUE: Image = np.full((40, 60, 3), (250, 0, 0), np.uint8)
RED: Image = np.full((40, 60, 3), (0, 0, 250), np.uint8)


def shy() -> Classifier:
    """Knows blue pictures alone."""
    return Classifier.load(version("shy-1", shy_graph(), abstain_below=100.0))


def processed(*images: Image) -> tuple[BatchResult, list[Observations]]:
    """What becomes of pictures, and the observations of them."""
    frames = [a_frame(n, picture=bytes(cv2.imencode(".jpg", image)[1])) for n, image in enumerate(images)]
    records = [Received("frames", 0, n, b"gate", CODEC.encode(frame), [], 0) for n, frame in enumerate(frames)]
    batches = FrameBatches(shy(), CODEC, KafkaSettings().names, max_pixels=10_000, threads=2)
    result = batches.process(records)
    name = KafkaSettings().names.of(OBSERVATIONS)
    sent = [CODEC.decode(out.value, Observations) for out in batches.outgoing(result) if out.topic == name]
    batches.close()
    return result, sent


def test_unfamiliar_pictures_have_no_label_and_keep_their_probabilities() -> None:
    verdicts = shy().classify([BLUE, RED])
    assert verdicts.labels == (verdicts.best[0], None)
    assert verdicts.probabilities.shape == (2, 2)


def test_a_model_without_a_bound_gives_each_picture_a_label() -> None:
    verdicts = Classifier.load(version("sure-1", shy_graph())).classify([BLUE, RED])
    assert verdicts.familiar is None
    assert None not in verdicts.labels


def test_no_pictures_give_no_verdicts() -> None:
    assert shy().classify([]).labels == ()


def test_a_bound_without_a_familiarity_to_hold_it_against_is_refused() -> None:
    with pytest.raises(ModelError, match=r"bold-1: gives .*, not familiarity"):
        Classifier.load(version("bold-1", abstain_below=0.5))


def test_a_prediction_says_that_the_model_abstained() -> None:
    result, _ = processed(BLUE, RED)
    known, unknown = (prediction for _, prediction in result.predictions)
    assert known.label == "car"
    assert known.confidence == known.probabilities["car"]
    assert (unknown.label, unknown.confidence) == (None, None)
    assert sum(unknown.probabilities.values()) == pytest.approx(1)


def test_observations_carry_no_vote_of_it() -> None:
    _, (batch,) = processed(BLUE, RED)
    assert [(row.label, row.confidence is None) for row in rows(batch)] == [("car", False), (None, True)]


def test_abstentions_are_counted() -> None:
    counter = ABSTAINED.labels("gate", "shy-1")
    before = counter._value.get()
    result, _ = processed(RED, BLUE, RED)
    _count(result)
    assert counter._value.get() == before + 2


def test_heartbeats_are_no_abstentions() -> None:
    result, _ = processed(RED)
    record, prediction = result.predictions[0]
    counter = ABSTAINED.labels("gate", "shy-1")
    before = counter._value.get()
    _count(replace(result, predictions=[(record, replace(prediction, kind="heartbeat"))]))
    assert counter._value.get() == before
