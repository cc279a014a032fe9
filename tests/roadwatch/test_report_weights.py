"""Reports of labels that stand for different numbers of vehicles say so, on the terminal, on the page, over several days."""

from dataclasses import replace
from datetime import date

import pytest

from monitor.metrics import cells
from roadwatch.reporting.days import Span
from roadwatch.reporting.figures import accuracy, camera_accuracy, counts_of_truth, headline
from roadwatch.reporting.page import day_page
from roadwatch.reporting.ranges import summary
from schemas.records import DayReport, WeightedCells
from tests.monitor.rules.days import a_report

PARTS = (
    WeightedCells(1.0, cells({("car", "car"): 30, ("truck", "car"): 30}), (), 36.0),
    WeightedCells(10.0, cells({("car", "car"): 30, ("truck", "truck"): 10}), (), 39.0),
)
"100 labels, of which 70 are right; of the 460 vehicles 430 are."


def weighted(number: int) -> DayReport:
    """A day of one camera."""
    told = a_report(number, {"gate": (70, 100)})
    confusion = cells({("car", "car"): 60, ("truck", "car"): 30, ("truck", "truck"): 10})
    found = replace(told.scores, accuracy=430 / 460, confusion=confusion, weighted=PARTS, effective=180.0)
    return replace(told, scores=found, cameras=(replace(told.cameras[0], scores=found),))


def test_the_headline_says_what_labels_are_worth() -> None:
    """And does not count right ones."""
    share = accuracy(weighted(0))
    assert headline(share) == (
        "Right on 93.5\u00a0% of the vehicles; by 100 labels, which tell as much as 180 of a plain sample"
    )


def test_a_cameras_accuracy_is_weighted_as_well() -> None:
    """With the interval of as many labels as its own are worth."""
    report = weighted(0)
    share = camera_accuracy(report, "gate", report.cameras[0].scores)
    assert share
    assert (share.value, share.n) == (pytest.approx(430 / 460), 100)
    assert share.low == pytest.approx(0.889, abs=0.005)


def test_the_true_mix_is_that_of_the_vehicles() -> None:
    """330 cars and 130 trucks, in proportion to what labels are worth."""
    truths = counts_of_truth(weighted(0).scores)
    assert truths["truck"] / sum(truths.values()) == pytest.approx(130 / 460)


def test_days_with_and_without_weights_count_as_much_as_their_labels_tell() -> None:
    """A plain day of 60 labels beside one whose labels are worth 180."""
    plain = a_report(1, {"gate": (30, 60)})
    told = summary(Span(date(2026, 3, 2), date(2026, 3, 3)), [weighted(0), plain])
    assert told.accuracy
    assert (told.accuracy.value, told.accuracy.n) == (pytest.approx((180 * 430 / 460 + 30) / 240), 160)
    assert told.cameras[0].accuracy == told.accuracy
    car = next(each for each in told.classes if each.label == "car")
    assert car.recall == pytest.approx((180 * 330 / 460 + 30) / (180 * 330 / 460 + 60))


def test_the_page_says_that_labels_have_weights() -> None:
    """A page without does not."""
    pages = [day_page(report, [], {}, {}) for report in (weighted(0), a_report(1, {"gate": (30, 60)}))]
    assert ["stand for different numbers of vehicles" in page for page in pages] == [True, False]
    assert ["100 weighted labels" in page for page in pages] == [True, False]
