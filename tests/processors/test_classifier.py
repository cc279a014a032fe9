"""The classifier refuses graphs that may not serve, and gives one answer however pictures are batched."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from models.bundle import BUNDLED, load_bundle
from models.evaluation import Evaluation, evaluate
from models.preprocessing import Image
from models.training.data import read_pictures
from processors.classifier import Classifier
from schemas.errors import ModelError
from tests.models.bundles import tiny_bundle, tiny_graph
from tests.processors.versions import fixed_graph


@pytest.fixture(scope="module")
def bundled() -> Classifier:
    """The shipped model."""
    return Classifier.load(load_bundle(BUNDLED))


def pictures(count: int) -> list[Image]:
    """Return pictures of many sizes and colours."""
    rng = np.random.default_rng(3)
    shapes = rng.integers(8, 200, (count, 2))
    return [rng.integers(0, 256, (height, width, 3), np.uint8) for height, width in shapes]


def test_a_verdict_names_the_most_probable_class() -> None:
    """Dark is a car and bright is a truck, to the tiny model."""
    dark, bright = np.zeros((9, 30, 3), np.uint8), np.full((40, 8, 3), 255, np.uint8)
    verdicts = Classifier.load(tiny_bundle()).classify([dark, bright])
    assert verdicts.labels == ("car", "truck")
    assert verdicts.probabilities.dtype == np.float32
    assert (verdicts.confidences > 0.99).all()


def test_a_batch_and_single_pictures_agree(bundled: Classifier) -> None:
    """Neither the batch's size nor its neighbours change a verdict, also past a chunk of 32."""
    images = pictures(70)
    together = bundled.classify(images).probabilities
    alone = np.concatenate([bundled.classify([image]).probabilities for image in images])
    assert together.shape == (70, 2)
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_threads_share_a_classifier(bundled: Classifier) -> None:
    """Eight calls at once give what one gives."""
    images = pictures(24)
    expected = bundled.classify(images).probabilities
    with ThreadPoolExecutor(4) as pool:
        for verdicts in pool.map(bundled.classify, [images] * 8):
            np.testing.assert_array_equal(verdicts.probabilities, expected)


def test_no_pictures_give_no_verdicts(bundled: Classifier) -> None:
    """An empty batch is no mistake."""
    verdicts = bundled.classify([])
    assert (len(verdicts), verdicts.labels, verdicts.probabilities.shape) == (0, (), (0, 2))


def test_the_embedding_comes_along(bundled: Classifier) -> None:
    """A row of 192 for each picture."""
    assert bundled.classify(pictures(3)).embedding.shape == (3, 192)


UNFIT = {
    "no ONNX": (b"not a graph", "refuses the graph"),
    "torn": (tiny_graph()[:-20], "refuses the graph"),
    "labels too few": (tiny_graph(outputs=3), r"gives \[3\] probabilities for the labels car, truck"),
    "float input": (tiny_graph(element=TensorProto.FLOAT), "not images of uint8"),
    "no softmax": (tiny_graph(softmax=False), "each row should sum to 1"),
    "not finite": (tiny_graph(scale=float("nan")), "no numbers"),
    "one batch size": (fixed_graph(4), "the graph fails on a batch of 1"),
}


@pytest.mark.parametrize(("model", "fault"), UNFIT.values(), ids=UNFIT)
def test_a_graph_that_may_not_serve_is_refused(model: bytes, fault: str) -> None:
    """The fault shows at loading, not at the first frame, and names the bundle."""
    with pytest.raises(ModelError, match=f"tiny-1: .*{fault}"):
        Classifier.load(tiny_bundle(model))


def test_a_graph_that_says_another_thing_than_when_it_was_made_is_refused() -> None:
    """Whole files and a fitting shape do not help it."""
    with pytest.raises(ModelError, match="tiny-1: fails its self-test"):
        Classifier.load(replace(tiny_bundle(), expected=((0.5, 0.5),) * 4))


@pytest.mark.parametrize(
    "image", [np.zeros((9, 9), np.uint8), np.zeros((9, 9, 3), np.float32), np.zeros((0, 9, 3), np.uint8)]
)
def test_what_is_no_picture_is_a_callers_mistake(bundled: Classifier, image: Image) -> None:
    """The message names dtype and shape."""
    with pytest.raises(ValueError, match=r"a picture is \w+ of shape"):
        bundled.classify([image])


@pytest.fixture(scope="module")
def on_the_test_split(bundled: Classifier, shared_data: Path) -> Evaluation:
    """The shipped model's figures on real pictures that it was not trained on."""
    return evaluate(bundled.classify, read_pictures(shared_data / "road-vehicles" / "test.zip"))


@pytest.mark.parametrize(
    ("source", "least"), [("highways", 0.93), ("overpass", 0.93), ("junction", 0.96), ("tollroad", 0.94)]
)
def test_the_shipped_model_is_right_on_every_source(on_the_test_split: Evaluation, source: str, least: float) -> None:
    """Scenes never seen in training too."""
    assert on_the_test_split.score(source).accuracy >= least


def test_the_shipped_model_is_right_overall_and_honest(on_the_test_split: Evaluation) -> None:
    """At least 96 in 100, and its confidence tells as much."""
    assert on_the_test_split.overall.n == 841
    assert on_the_test_split.overall.accuracy >= 0.96
    assert on_the_test_split.overall.calibration_error < 0.03


def test_the_card_tells_the_figures_that_are_measured(on_the_test_split: Evaluation) -> None:
    """What the card says of each real source is what the shipped file does."""
    card = load_bundle(BUNDLED).card
    for score in on_the_test_split.sources:
        assert card.evaluation.score(score.source).accuracy == pytest.approx(score.accuracy, abs=0.01)
