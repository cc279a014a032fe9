"""A batch is seen by one model: the newest, or where that fails on it, the next in line."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from models.registry.store import Registry
from processors.classifier import Classifier
from processors.following import Follower, Workshop
from processors.service import Champion, Model, NamedModel, _counted, batches_of
from runtime.clients import Outgoing, Received
from runtime.settings import Settings
from schemas.codec import Codec
from schemas.errors import ModelError
from schemas.records import ModelEvent, Prediction
from schemas.topics import PREDICTIONS
from tests.processors.versions import NOON, frail_graph, promote, registry_of, version
from tests.support.records import a_frame

CODEC = Codec()


def picture(value: int) -> bytes:
    return bytes(cv2.imencode(".jpg", np.full((40, 60, 3), value, np.uint8))[1])


def frames(*values: int) -> list[Received]:
    """Records of frames of these brightnesses."""
    made = [a_frame(n, picture=picture(value)) for n, value in enumerate(values)]
    return [Received("frames", 0, n, b"gate", CODEC.encode(frame), [], 0) for n, frame in enumerate(made)]


def worked(model: Model, records: list[Received]) -> list[Prediction]:
    """The predictions of a batch."""
    batches = batches_of(Settings(), CODEC, model.newest())
    try:
        outgoing: list[Outgoing] = list(_counted(batches, model)(records))
    finally:
        batches.close()
    name = Settings().kafka.names.of(PREDICTIONS)
    return [CODEC.decode(record.value, Prediction) for record in outgoing if record.topic == name]


@pytest.fixture
def told() -> list[ModelEvent]:
    """What the follower says."""
    return []


@pytest.fixture
def champion(tmp_path: Path, told: list[ModelEvent]) -> Champion:
    """The frail one, which came after a."""
    address = str(tmp_path / "registry")
    registry = registry_of(address, version("a"), version("frail", frail_graph()))
    for name in ("a", "frail"):
        promote(registry, name)
    follower = Follower(
        "champion",
        Workshop(Registry(address), Classifier.load, told.append, lambda: NOON, "here", lambda: version("shipped")),
    )
    follower.start()
    return Champion(follower)


def test_the_newest_model_sees_a_batch(champion: Champion) -> None:
    assert [said.model_version for said in worked(champion, frames(90, 200))] == ["frail", "frail"]


def test_a_batch_on_which_the_champion_fails_is_seen_whole_by_the_one_before(
    champion: Champion, told: list[ModelEvent]
) -> None:
    """The black picture's neighbours too; the failed one is refused, and does not come back."""
    assert [said.model_version for said in worked(champion, frames(90, 0, 200))] == ["a", "a", "a"]
    assert [(event.kind, event.version) for event in told] == [
        ("loaded", "frail"),
        ("refused", "frail"),
        ("loaded", "a"),
    ]
    assert [said.model_version for said in worked(champion, frames(90))] == ["a"]


def test_a_model_that_the_settings_name_is_not_replaced() -> None:
    """The processor ends, and says why."""
    named = NamedModel(Classifier.load(version("frail", frail_graph())))
    with pytest.raises(ModelError, match="frail: the graph gives probabilities that are no numbers"):
        worked(named, frames(90, 0))
