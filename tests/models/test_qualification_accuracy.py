"""Accuracy and consistency are measured from what a model says."""

from pathlib import Path

import numpy as np
import pytest

from models.bundle import BUNDLED, load_bundle
from models.preprocessing import Image
from models.qualification.accuracy import measure_accuracy
from models.qualification.consistency import agreement, measure_consistency
from models.qualification.figures import Measured, figure
from models.qualification.robustness import stratified
from models.training.data import read_pictures
from models.verdicts import Verdicts
from processors.classifier import Classifier
from tests.models.qualified import by_brightness, by_redness, pictures, verdicts


def value(measured: Measured, name: str) -> float | None:
    """Return a figure's value."""
    found = figure(measured, name)
    assert found is not None, name
    return found.value


EIGHT = pictures(8)  # car, truck, car, truck, …; two of bridge, two of toll.2, two of bridge, …
SAID = verdicts([0.1, 0.9, 0.2, 0.4, 0.8, 0.7, 0.1, 0.9])  # the fourth and the fifth are wrong


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("accuracy", 6 / 8),
        ("accuracy.bridge", 3 / 4),
        ("accuracy.toll_2", 3 / 4),
        ("accuracy.size.small", 6 / 8),
        ("accuracy.brightness.dark", 3 / 4),
        ("accuracy.brightness.bright", 3 / 4),
        ("recall.car", 3 / 4),
        ("recall.truck", 3 / 4),
        ("precision.truck", 3 / 4),
        ("f1.truck", 3 / 4),
        ("recall.truck.toll_2", 1 / 2),
        ("balanced_accuracy", 3 / 4),
        ("confusion.truck.car", 1),
        ("confusion.truck.truck", 3),
        ("abstained", 0),
        ("brier", np.mean([0.02, 0.02, 0.08, 0.72, 1.28, 0.18, 0.02, 0.02])),
        ("log_loss", -np.mean(np.log([0.9, 0.9, 0.8, 0.4, 0.2, 0.7, 0.9, 0.9]))),
    ],
)
def test_figures_of_accuracy(name: str, expected: float) -> None:
    """Six of eight are right; the figures can be reckoned by hand."""
    assert value(measure_accuracy(EIGHT, SAID), name) == pytest.approx(expected, abs=1e-6)


def test_the_surest_mistake_comes_first() -> None:
    found = measure_accuracy(EIGHT, SAID).mistakes
    assert [(m.picture, m.truth, m.said, round(m.confidence, 2)) for m in found] == [
        ("4.jpg", "car", "truck", 0.8),
        ("3.jpg", "truck", "car", 0.6),
    ]
    assert found[0].thumbnail.startswith(b"\xff\xd8")


def test_a_model_that_abstains_is_scored_on_what_it_answers() -> None:
    """It abstains from the two that it has wrong."""
    said = verdicts(SAID.probabilities[:, 1], familiar=[True, True, True, False, False, True, True, True])
    found = measure_accuracy(EIGHT, said)
    assert (value(found, "abstained"), value(found, "accuracy_answered"), value(found, "accuracy")) == (0.25, 1, 0.75)


def test_a_class_that_the_model_does_not_know_is_a_mistake() -> None:
    """Its log-likelihood is bounded."""
    bus = [*EIGHT[:7], type(EIGHT[0])("bus.jpg", EIGHT[0].image, "bus", "bridge", "scene")]
    found = measure_accuracy(bus, SAID)
    assert value(found, "recall.bus") == 0
    assert value(found, "log_loss") < 4


def test_pictures_without_an_answer_are_a_fault() -> None:
    assert measure_accuracy(EIGHT, SAID, unanswered=2).faults[0].what.startswith("2 held-out pictures")
    with pytest.raises(ValueError, match="8 verdicts for 7 pictures"):
        measure_accuracy(EIGHT[:7], SAID)


def test_a_steady_model_agrees_with_itself() -> None:
    """What does not change the brightness does not change what is said of it."""
    found = measure_consistency(by_brightness, pictures(24), reference=by_brightness)
    shares = ("twice", "alone", "full_precision", "shift.2", "shift.4", "jpeg.90", "jpeg.75", "jpeg.50", "flip")
    assert [value(found, name) for name in shares] == [1.0] * 9
    assert value(found, "largest_difference.full_precision") == 0
    assert found.faults == ()


def test_a_model_with_chance_in_it_is_a_fault() -> None:
    """A last digit is enough."""
    rng = np.random.default_rng(1)
    found = measure_consistency(lambda images: verdicts(rng.uniform(0, 1e-6, len(images))), pictures(8), threads=1)
    assert value(found, "alone") == 1
    assert "classified twice in one process" in found.faults[0].what


@pytest.mark.parametrize(("swap", "faults"), [(False, 0), (True, 1)])
def test_the_other_colour_order_is_a_fault(swap: bool, faults: int) -> None:
    """A model that takes RGB does better on swapped pictures."""

    def classify(images: list[Image]) -> Verdicts:
        return by_redness([image[..., ::-1] for image in images] if swap else images)

    assert len(measure_consistency(classify, pictures(40, colour=True)).faults) == faults


def test_a_model_without_colour_has_no_wrong_order() -> None:
    found = measure_consistency(by_brightness, pictures(40))
    assert value(found, "colour_order") == pytest.approx(0, abs=1e-6)
    assert found.faults == ()


def test_the_bundled_model_knows_its_colour_order(shared_data: Path) -> None:
    """On a hundred real pictures the order shows, though accuracy hardly tells."""
    zipped = shared_data / "road-vehicles" / "test.zip"
    chosen = stratified(list(read_pictures(zipped)), 100)
    classifier = Classifier.load(load_bundle(BUNDLED))
    assert measure_consistency(classifier.classify, chosen).faults == ()
    wrong = measure_consistency(lambda images: classifier.classify([image[..., ::-1] for image in images]), chosen)
    assert "colour order" in wrong.faults[0].what


def test_agreement_wants_as_many_answers() -> None:
    with pytest.raises(ValueError, match="runs: 2 verdicts against 1"):
        agreement("runs", verdicts([0.1, 0.9]), verdicts([0.1]))
