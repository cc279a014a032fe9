"""Accuracy without labels: what it should be by hand, that its interval holds, and when it is not to be believed."""

import json
import math
import random
from collections import Counter, defaultdict
from collections.abc import Sequence

import pytest

from monitor.calibration import Evidence, together
from monitor.estimation import Estimate, Expectation, Reference, estimate, expectation, judged
from schemas.records import Cell, ConfidenceBin

Vehicle = tuple[str, str, float]
"Truth, verdict and confidence."


def of(predicted: str, confidence: float, count: int, labelled: int = 0, right: int = 0) -> ConfidenceBin:
    """Vehicles that all have one confidence."""
    return ConfidenceBin(predicted, min(int(confidence * 50), 49), count, confidence * count, labelled, right)


def counted(vehicles: Sequence[Vehicle], labelled: int = 0) -> list[ConfidenceBin]:
    """Their bins; the first ones are labelled."""
    parts: dict[tuple[str, int], list[tuple[float, int, int]]] = defaultdict(list)
    for place, (truth, said, sure) in enumerate(vehicles):
        parts[said, int(sure * 50)].append((sure, int(place < labelled), int(place < labelled and truth == said)))
    sums = {key: [math.fsum(column) for column in zip(*rows, strict=True)] for key, rows in parts.items()}
    return [
        ConfidenceBin(*key, len(parts[key]), total, int(known), int(right))
        for key, (total, known, right) in sums.items()
    ]


def _vehicle(rng: random.Random) -> Vehicle:
    odds = rng.gammavariate(6, 1) if rng.random() < 0.75 else rng.gammavariate(1.2, 1)
    sure = 1 / (1 + math.exp(-odds))
    said, other = rng.sample(("car", "truck"), 2)
    return said if rng.random() < sure else other, said, min(sure, 0.9999)


def _pool(size: int) -> dict[str, list[Vehicle]]:
    """Vehicles by class, of which the model is as sure as it should be, were half of them trucks."""
    rng = random.Random(0)
    vehicles = [_vehicle(rng) for _ in range(size)]
    return {label: [each for each in vehicles if each[0] == label] for label in ("car", "truck")}


POOL = _pool(20_000)


def seen(rng: random.Random, n: int, trucks: float = 0.5) -> list[Vehicle]:
    """Vehicles of a mix of classes, each class looking as it always does."""
    found = sum(rng.random() < trucks for _ in range(n))
    vehicles = rng.choices(POOL["truck"], k=found) + rng.choices(POOL["car"], k=n - found)
    rng.shuffle(vehicles)
    return vehicles


def mistaken(rng: random.Random, vehicles: Sequence[Vehicle], share: float) -> list[Vehicle]:
    """A share of them are not what they seem: another class, of which the model is as sure as ever."""
    other = {"car": "truck", "truck": "car"}
    return [(other[said] if rng.random() < share else truth, said, sure) for truth, said, sure in vehicles]


def accuracy(vehicles: Sequence[Vehicle]) -> float:
    """What labels of all of them say."""
    return sum(truth == said for truth, said, _ in vehicles) / len(vehicles)


def estimated(bins: Sequence[ConfidenceBin], reference: Reference, labelled: int | None = None) -> Estimate:
    """An estimate that there is."""
    found = estimate(bins, reference, labelled=labelled)
    assert found is not None
    return found


NOTHING = Reference.of([])
KNOWN = Reference.of(counted(seen(random.Random(9), 2000), 2000))


def test_without_a_reference_confidences_are_taken_at_their_word() -> None:
    """Six cars at .9 and four trucks at .8: .86, and each verdict's rest goes to the other class."""
    found = estimated([of("car", 0.9, 6), of("truck", 0.8, 4)], NOTHING)
    assert found.accuracy == pytest.approx(0.86)
    assert found.class_mix == pytest.approx({"car": 0.62, "truck": 0.38})
    assert [found.confusion[cell] for cell in sorted(found.confusion)] == pytest.approx([5.4, 0.8, 0.6, 3.2])


def test_what_is_no_car_is_of_another_class() -> None:
    """Where only one class is known."""
    assert estimated([of("car", 0.9, 10)], NOTHING).class_mix == pytest.approx({"another class": 0.1, "car": 0.9})


def test_scores_follow_from_the_expected_confusion() -> None:
    """Of 6.2 cars, 5.4 are found; of six that are called so, as many are cars."""
    cars, _ = estimated([of("car", 0.9, 6), of("truck", 0.8, 4)], NOTHING).classes
    assert (cars.precision, cars.recall, cars.f1) == pytest.approx((0.9, 5.4 / 6.2, 10.8 / 12.2))


def test_a_reference_teaches_what_confidences_are_worth() -> None:
    """A model that says .95 and is right in .8 of 2,000; its own word counts as ten labels."""
    reference = Reference.of([of(label, 0.95, 1000, 1000, 800) for label in ("car", "truck")])
    found = estimated([of("car", 0.95, 50), of("truck", 0.95, 50)], reference)
    assert found.accuracy == pytest.approx(0.8, abs=2e-3)


def test_another_mix_of_classes_is_found_and_allowed_for() -> None:
    """Where nine in ten are cars, a car is surer to be one than its confidence says, a truck less."""
    day = seen(random.Random(1), 4000, trucks=0.1)
    found = estimated(counted(day), KNOWN)
    trucks = Counter(truth for truth, _, _ in day)["truck"] / len(day)
    assert found.class_mix["truck"] == pytest.approx(trucks, abs=0.02)
    precisions = [scores.precision for scores in found.classes]
    assert precisions == pytest.approx([precision_of(day, label) for label in ("car", "truck")], abs=0.04)


def precision_of(vehicles: Sequence[Vehicle], label: str) -> float:
    """Of those called so, the share that is."""
    called = [truth == said for truth, said, _ in vehicles if said == label]
    return sum(called) / len(called)


def test_intervals_hold_what_labels_would_say() -> None:
    """On about 95 of 100 days, with and without another mix of classes; each day has a reference of its own."""
    rng, held = random.Random(3), []
    for mix in [0.5, 0.2, 0.8] * 70:
        day = seen(rng, rng.choice((100, 1000)), mix)
        found = estimated(counted(day), Reference.of(counted(seen(rng, 400), 400)))
        held.append(found.low - 1e-9 <= accuracy(day) <= found.high + 1e-9)
    assert 0.93 <= sum(held) / len(held) <= 0.97


def test_few_labels_of_a_day_leave_more_room() -> None:
    """Which vehicles are drawn to be labelled is chance, too."""
    day = counted(seen(random.Random(4), 1000))
    every, some = estimated(day, KNOWN), estimated(day, KNOWN, labelled=50)
    assert (every.accuracy, every.n, some.n) == (some.accuracy, 1000, 50)
    assert some.high - some.low > 2 * (every.high - every.low)


def test_a_smaller_reference_leaves_more_room() -> None:
    """What it says of confidences is less certain."""
    small, day = Reference.of(counted(seen(random.Random(9), 100), 100)), counted(seen(random.Random(4), 1000))
    few, many = estimated(day, small), estimated(day, KNOWN)
    assert few.high - few.low > 1.5 * (many.high - many.low)


def test_days_of_cameras_add_up() -> None:
    """An estimate of all cameras is one of the sum of their bins, in any order, to the last bit."""
    one, other = counted(seen(random.Random(5), 200)), counted(seen(random.Random(6), 300, 0.2))
    assert estimate([*one, *other], KNOWN) == estimate([*other[::-1], *one[::-1]], KNOWN)


def test_a_day_without_vehicles_has_no_accuracy() -> None:
    """Nor have labels of nobody; and nobody labels more than there are."""
    assert estimate([], KNOWN) is estimate([], NOTHING) is None
    assert estimate([of("car", 0.9, 5)], KNOWN, labelled=0) is None
    with pytest.raises(ValueError, match="6 labelled vehicles of 5"):
        estimate([of("car", 0.9, 5)], KNOWN, labelled=6)


@pytest.mark.parametrize("reference", [NOTHING, KNOWN])
def test_one_vehicle_is_right_or_wrong(reference: Reference) -> None:
    """Neither can be left out where it is unsure; it does not prove that all are cars."""
    found = estimated([of("car", 0.8, 1)], reference)
    assert (found.low, found.high) == (0.0, 1.0)
    assert 0.05 < found.class_mix[[*found.class_mix][1]] < 0.95


@pytest.mark.parametrize("bins", [[of("car", 1.0, 700)], [of("car", 0.0, 3)], [of("bus", 0.7, 40)]])
@pytest.mark.parametrize("reference", [NOTHING, KNOWN])
def test_days_of_one_verdict_have_an_estimate(bins: list[ConfidenceBin], reference: Reference) -> None:
    """All alike, at the ends of the scale, or of a class that the reference never saw."""
    found = estimated(bins, reference)
    assert 0 <= found.low <= found.accuracy <= found.high <= 1
    assert sum(found.class_mix.values()) == pytest.approx(1)
    assert sum(found.confusion.values()) == pytest.approx(found.n)


def test_of_three_classes_the_reference_says_what_wrong_verdicts_are() -> None:
    """A wrong bus is mostly a truck: where buses fail, trucks are thought to be."""
    known = [of(label, 0.8, 500, 500, 400) for label in ("bus", "car", "truck")]
    cells = [Cell("truck", "bus", 99), Cell("car", "truck", 50), Cell("bus", "truck", 50), Cell("truck", "car", 100)]
    found = estimated([of("bus", 0.8, 100), of("car", 0.8, 100), of("truck", 0.8, 100)], Reference.of(known, cells))
    assert found.accuracy == pytest.approx(0.8, abs=0.01)
    assert found.confusion["truck", "bus"] == pytest.approx(20, abs=1)
    assert found.confusion["car", "bus"] < 0.2


def stream(share: float, days: int) -> tuple[Evidence, list[ConfidenceBin]]:
    """Days of ten labels in a hundred vehicles, a share of which are not what they seem; and the last day's bins."""
    rng, evidence, bins = random.Random(7), Evidence(), [of("car", 0.9, 1)]
    for _ in range(days):
        bins = counted(mistaken(rng, seen(rng, 100), share), 10)
        evidence = together(evidence, judged(bins, expectation(bins, KNOWN)))
    return evidence, bins


def test_labels_break_an_estimate_whose_assumption_is_gone() -> None:
    """Vehicles of a new kind, of which the model is as sure as ever: found within two days."""
    evidence, bins = stream(0.25, 4)
    found = estimate(bins, KNOWN, evidence)
    assert found is not None
    assert found.breaks == (
        "of 40 labelled vehicles 26 were right (65.0%), where 36.5 (91.4%) are the fewest to be expected;"
        " 20 labels were enough to tell"
    )


def test_labels_that_bear_it_out_break_nothing() -> None:
    """Thirty days of them."""
    evidence, bins = stream(0.0, 30)
    found = estimate(bins, KNOWN, evidence)
    assert found is not None
    assert (found.breaks, evidence.labelled) == (None, 300)


def test_a_day_without_labels_is_no_evidence() -> None:
    """Nor is one without vehicles."""
    for bins in ([of("car", 0.9, 50)], []):
        assert judged(bins, expectation(bins, KNOWN)) == Evidence()


def test_a_hopeful_reference_of_few_labels_is_no_evidence() -> None:
    """Ten labels, all right; then 88 of 100 are. A reference of two thousand would have known better."""
    day = [of("car", 0.95, 100, 100, 88)]
    hopeful, sure = (Reference.of([of("car", 0.95, n, n, n)]) for n in (10, 2000))
    assert not judged(day, expectation(day, hopeful)).is_broken
    assert judged(day, expectation(day, sure)).is_broken


def test_what_was_expected_stands_whatever_is_learned_later() -> None:
    """Only vehicles that were not there before are asked about anew."""
    told = expectation([of("car", 0.95, 100)], KNOWN)
    wiser = Reference.of([of("car", 0.95, 2000, 2000, 1000)])
    assert expectation([of("car", 0.95, 100, 50, 20)], wiser, told) is told
    more = expectation([of("car", 0.95, 100), of("truck", 0.9, 30)], wiser, told)
    assert more.chances["car", 47] == told.chances["car", 47] > 0.9
    assert (more.chances.keys() - told.chances.keys(), more.mean) == ({("truck", 45)}, told.mean)


def test_an_expectation_comes_back_from_its_snapshot() -> None:
    """Exactly, for a revision after a restart must say what it would have said before."""
    told = expectation(counted(seen(random.Random(3), 300)), KNOWN)
    assert Expectation.restore(json.loads(json.dumps(told.snapshot()))) == told
