"""What confidences are worth, and when labels prove that they no longer are."""

import random

import pytest

from monitor.calibration import Calibrator, Evidence, Outcome, fitted, merged, reliability, together, wagered
from schemas.records import ConfidenceBin


def of(predicted: str, confidence: float, count: int, labelled: int = 0, right: int = 0) -> ConfidenceBin:
    """Vehicles that all have one confidence."""
    return ConfidenceBin(predicted, min(int(confidence * 50), 49), count, confidence * count, labelled, right)


OVERCONFIDENT = (of("car", 0.61, 20, 20, 10), of("car", 0.95, 80, 80, 64))


def chances(calibrator: Calibrator, predicted: str, confidences: list[float]) -> list[float]:
    """What these confidences are worth."""
    return [calibrator.point(predicted, confidence).chance for confidence in confidences]


def test_bins_add_up_whatever_their_order() -> None:
    """To the last bit: cameras hand in their days in any order."""
    parts = [of("car", 0.9 + step / 1e3, 3, 2, 1) for step in range(10)] + [of("bus", 0.7, 1)]
    assert merged(parts) == merged(reversed(parts)) == merged([*merged(parts[:4]), *merged(parts[4:])])


def test_a_diagram_has_the_gap_of_each_row() -> None:
    """Eighty at .95 of which .8 are right; twenty at .61 of which half are."""
    diagram = reliability(OVERCONFIDENT)
    assert [(row.low, row.n) for row in diagram.rows if row.n] == [(0.6, 20), (0.9, 80)]
    assert [round(row.gap, 9) for row in diagram.rows if row.n] == [0.11, 0.15]
    assert diagram.rows[9].accuracy_low < 0.8 < diagram.rows[9].accuracy_high


def test_the_figures_of_a_diagram_weigh_its_rows_by_vehicles() -> None:
    """By hand: .2 × .11 + .8 × .15, and so on."""
    diagram = reliability(OVERCONFIDENT)
    assert diagram.calibration_error == pytest.approx(0.142)
    assert diagram.overconfidence == pytest.approx(0.142)
    assert diagram.largest_gap == pytest.approx(0.15)
    assert diagram.brier == pytest.approx((10 * 0.39**2 + 10 * 0.61**2 + 64 * 0.05**2 + 16 * 0.95**2) / 100)


def test_doubt_where_there_was_none_to_be_is_a_negative_overconfidence() -> None:
    """The calibration error has no sign; this has."""
    diagram = reliability([of("car", 0.7, 50, 50, 45)])
    assert diagram.overconfidence == pytest.approx(-0.2)
    assert diagram.calibration_error == pytest.approx(0.2)


def test_a_row_of_few_vehicles_is_no_largest_gap() -> None:
    """One wrong vehicle alone would be the largest of all."""
    assert reliability([*OVERCONFIDENT, of("car", 0.79, 1, 1, 0)]).largest_gap == pytest.approx(0.15)


def test_a_diagram_without_labels_says_nothing() -> None:
    """Unlabelled vehicles do not count."""
    diagram = reliability([of("car", 0.9, 5)])
    assert (diagram.n, diagram.calibration_error, diagram.brier) == (0, None, None)
    assert {row.accuracy for row in diagram.rows} == {None}


@pytest.mark.parametrize("bins", [[], [of("car", 0.55, 3), of("car", 0.93, 40), of("car", 0.999, 900)]])
def test_without_labels_a_confidence_is_worth_what_it_says(bins: list[ConfidenceBin]) -> None:
    """Where vehicles were seen, between them and beyond, and of verdicts that never were."""
    asked = [0.51, 0.55, 0.8, 0.93, 0.9991]
    assert chances(fitted(bins), "car", asked) == pytest.approx(asked)


def test_labels_outweigh_the_models_own_word() -> None:
    """Ten labels a verdict are its own, spread as vehicles are: 8 of the 88 at .95, 2 of the 22 at .61."""
    expected = [(10 + 2 * 0.61) / 22, (64 + 8 * 0.95) / 88]
    assert chances(fitted(OVERCONFIDENT), "car", [0.61, 0.95]) == pytest.approx(expected)


def test_the_more_confident_is_never_worth_less() -> None:
    """Neighbours that say otherwise are pooled; between and beyond points, too."""
    rng = random.Random(1)
    bins = [of("car", 0.5 + step / 50, 9, 9, rng.randrange(10)) for step in range(25)]
    worth = chances(fitted(bins), "car", [step / 500 for step in range(200, 501)])
    assert worth == sorted(worth)
    assert 0 < worth[0] < worth[-1] < 1


def test_verdicts_are_calibrated_apart() -> None:
    """A model may be honest about cars and boast about trucks."""
    calibrator = fitted([of("car", 0.9, 1000, 1000, 900), of("truck", 0.9, 1000, 1000, 600)])
    assert chances(calibrator, "car", [0.9]) == pytest.approx([0.9])
    assert chances(calibrator, "truck", [0.9]) == pytest.approx([0.603], abs=1e-3)


def test_few_labels_leave_more_doubt() -> None:
    """A hundredfold number of labels, a tenth of the doubt."""
    few, many = (fitted([of("car", 0.9, n, n, n * 9 // 10)]).point("car", 0.9) for n in (1000, 100_000))
    assert few.doubt == pytest.approx(10 * many.doubt, rel=0.01)


def stream(seed: int, told: float, true: float, labels: int) -> Evidence:
    """Label after label of vehicles that are right with one chance and were told another."""
    rng, evidence = random.Random(seed), Evidence()
    for _ in range(labels):
        right = rng.random() < true
        evidence = together(evidence, wagered([Outcome(told, int(right), int(not right))], told))
    return evidence


def test_true_chances_are_hardly_ever_called_broken() -> None:
    """Looked at after each of 300 labels, in a hundred streams; five were allowed."""
    assert sum(stream(seed, 0.95, 0.95, 300).is_broken for seed in range(100)) <= 5


def test_chances_that_were_too_high_are_found_after_a_known_number_of_labels() -> None:
    """The stream is seeded: the number is exact."""
    assert stream(1, 0.95, 0.75, 100).broken_at == 8


def test_chances_that_were_too_low_break_nothing() -> None:
    """A model that does better than it says harms nobody."""
    assert stream(2, 0.8, 0.95, 2000).log_e < 0


def test_evidence_once_found_stays() -> None:
    """Even where later labels speak for the model."""
    evidence = together(stream(1, 0.95, 0.75, 100), wagered([Outcome(0.95, 2000, 0)], 0.95))
    assert (evidence.is_broken, evidence.broken_at) == (True, 8)
    assert evidence.log_e < 0


def test_the_order_of_a_days_labels_changes_nothing() -> None:
    """They are counts; nobody knows it."""
    outcomes = [Outcome(0.9, 5, 2), Outcome(0.99, 30, 0), Outcome(0.6, 1, 3)]
    assert wagered(outcomes, 0.9) == wagered(reversed(outcomes), 0.9)


def test_a_day_without_labels_is_no_evidence() -> None:
    """Nothing was bet."""
    assert wagered([Outcome(0.9, 0, 0)], 0.9) == Evidence()


def test_labels_that_come_in_parts_say_what_they_say_at_once() -> None:
    """A wealth is a product over the labels: to look between them costs nothing."""
    first, later = [Outcome(0.9, 5, 1), Outcome(0.6, 2, 2)], [Outcome(0.9, 20, 4)]
    parts, whole = together(wagered(first, 0.8), wagered(later, 0.8)), wagered([*first, *later], 0.8)
    assert parts.log_wealth == pytest.approx(whole.log_wealth)
    assert (parts.labelled, parts.right, parts.expected) == (34, 27, pytest.approx(whole.expected))
