"""The figures of an evaluation, against ones worked out by hand."""

import numpy as np
import pytest

from models.evaluation import Answers, calibration_error, evaluate, summarise, wilson_interval
from models.preprocessing import Image
from models.training.data import LabelledPicture
from models.verdicts import Verdicts


def answers(rows: list[tuple[str, str, float, str]]) -> Answers:
    """Return answers from rows of truth, said, confidence, source."""
    truth, said, confidence, source = zip(*rows, strict=True)
    return Answers(np.array(truth), np.array(said), np.array(confidence), np.array(source))


ROWS = [
    ("car", "car", 0.9, "toll"),
    ("truck", "car", 0.6, "toll"),
    ("truck", "truck", 0.8, "toll"),
    ("car", "truck", 0.7, "bridge"),
]


def test_each_source_has_its_own_figures() -> None:
    """Sources come sorted, and the overall figure is over all pictures."""
    found = summarise(answers(ROWS))
    assert [(score.source, score.n) for score in found.sources] == [("bridge", 1), ("toll", 3)]
    assert found.overall.accuracy == 0.5
    assert found.score("toll").accuracy == pytest.approx(2 / 3)


def test_recall_and_confusion_are_of_the_truth() -> None:
    """Recall divides by what is true; the matrix holds cells that are not empty."""
    toll = summarise(answers(ROWS)).score("toll")
    assert [(recall.label, recall.n, recall.recall) for recall in toll.recalls] == [("car", 1, 1.0), ("truck", 2, 0.5)]
    cells = {(cell.truth, cell.predicted): cell.count for cell in toll.confusion}
    assert cells == {("car", "car"): 1, ("truck", "car"): 1, ("truck", "truck"): 1}


def test_calibration_error_is_the_gap_between_confidence_and_truth() -> None:
    """Nine right of ten at .9 is honest; five right of ten at .9 is .4 off."""
    confidence = np.full(10, 0.9)
    assert calibration_error(np.arange(10) < 9, confidence) == pytest.approx(0, abs=1e-9)
    assert calibration_error(np.arange(10) < 5, confidence) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("right", "n", "low", "high"), [(0, 10, 0, 0.2775), (10, 10, 0.7225, 1), (50, 100, 0.4038, 0.5962)]
)
def test_wilson_interval(right: int, n: int, low: float, high: float) -> None:
    """The ends are those of published tables."""
    assert wilson_interval(right, n) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


def test_pictures_are_classified_in_batches() -> None:
    """No batch is larger than 256, and each picture meets its own verdict."""
    sizes = []

    def classify(images: list[Image]) -> Verdicts:
        sizes.append(len(images))
        bright = np.array([image.mean() > 127 for image in images], np.float32)
        return Verdicts(
            ("car", "truck"), np.stack([1 - bright, bright], axis=1), np.empty((len(images), 0), np.float32)
        )

    pictures = [
        LabelledPicture(str(k), np.full((2, 2, 3), 255 * (k % 2), np.uint8), ("car", "truck")[k % 2], "made", "made")
        for k in range(300)
    ]
    assert evaluate(classify, pictures).overall.accuracy == 1
    assert sizes == [256, 44]


def test_no_pictures_is_a_mistake() -> None:
    """An accuracy of nothing does not exist."""
    with pytest.raises(ValueError, match="no pictures"):
        evaluate(lambda _: pytest.fail("nothing to classify"), [])
