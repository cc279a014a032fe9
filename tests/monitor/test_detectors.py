"""What every detector promises, and that ours are River's, step for step."""

import json
import math
import random
import statistics
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from river.drift import ADWIN
from river.drift import PageHinkley as RiverPageHinkley
from river.drift.binary import HDDMA

from monitor.bets import AdwinAndBets, HddmAndBets
from monitor.drift import Adwin, Change, Detector, HddmA, PageHinkley, SnapshotError

Draw = Callable[[random.Random], float]
MANY = 100_000
BEFORE = 1000


class Patient(PageHinkley):
    """Fed values whose usual mean is not known: errors of 0 or 1."""

    DELTA, THRESHOLD, PRIOR = 0.1, 8.0, 0


class Rivers(PageHinkley):
    """With River's own parameters."""

    DELTA, THRESHOLD, PRIOR, LIMIT = 0.005, 50.0, 0, math.inf


DETECTORS: list[type[Detector]] = [Adwin, HddmA, PageHinkley, Patient, AdwinAndBets, HddmAndBets]
OF_ERRORS: list[type[Detector]] = [Adwin, HddmA, Patient, HddmAndBets]


def stream(draw: Draw, count: int, seed: int) -> Iterator[float]:
    """The same values each time."""
    rng = random.Random(seed)
    return (draw(rng) for _ in range(count))


def errors(share: float) -> Draw:
    """0 or 1, so many of them 1."""
    return lambda rng: float(rng.random() < share)


def levels(mean: float) -> Draw:
    """Normal, of deviation a quarter: what a picture's signal does about its usual value."""
    return lambda rng: rng.gauss(mean, 0.25)


def confidences(mean: float) -> Draw:
    """Skewed as confidences are, in units of a quarter."""
    return lambda rng: rng.betavariate(12 * mean, 12 * (1 - mean)) / 0.25


def few_unsure(share: float) -> Draw:
    """Confidences as a real model's on simulated roads: nearly all next to 1, so many about a half; units of a quarter."""
    return lambda rng: rng.uniform(0.5, 0.65) / 0.25 if rng.random() < share else rng.uniform(0.97, 1.0) / 0.25


def dissent(share: float) -> Draw:
    """The share of five frames that dissent, in units of a half."""
    return lambda rng: sum(rng.random() < share for _ in range(5)) / 5 / 0.5


def found(kind: type[Detector], before: Draw, after: Draw, seed: int = 1, known: int = BEFORE) -> tuple[int, Change]:
    """How many values after the change it was found, and what; values come one each second."""
    detector = kind()
    values = [*stream(before, known, seed), *stream(after, 3 * BEFORE, seed + 100)]
    changes = ((i, detector.update(value, i * 1_000_000)) for i, value in enumerate(values))
    return next((i + 1 - known, change) for i, change in changes if change)


@pytest.mark.parametrize("draw", [errors(0.1), errors(0.5), levels(0.0)], ids=["rare errors", "coin", "levels"])
@pytest.mark.parametrize("kind", [Adwin, HddmA, PageHinkley, AdwinAndBets, HddmAndBets])
def test_a_stationary_stream_raises_hardly_an_alarm(kind: type[Detector], draw: Draw) -> None:
    """At most one in a hundred thousand values."""
    detector = kind()
    assert sum(detector.update(value, i) is not None for i, value in enumerate(stream(draw, MANY, 3))) <= 1


@pytest.mark.parametrize(
    ("kind", "draw"),
    [
        (Adwin, confidences(0.93)),
        (Adwin, confidences(0.7)),
        (HddmA, dissent(0.02)),
        (Patient, errors(0.1)),
        (AdwinAndBets, confidences(0.93)),
        (AdwinAndBets, confidences(0.7)),
        (AdwinAndBets, few_unsure(0.1)),
        (HddmAndBets, dissent(0.02)),
        (HddmAndBets, errors(0.02)),
        (HddmAndBets, errors(0.1)),
    ],
)
def test_the_signal_that_it_is_meant_for_raises_none(kind: type[Detector], draw: Draw) -> None:
    """In a hundred thousand values, while nothing changes."""
    detector = kind()
    assert not any(detector.update(value, i) for i, value in enumerate(stream(draw, MANY, 4)))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Adwin, [104, 136, 168]),
        (HddmA, [92, 170, 21]),
        (Patient, [47, 93, 37]),
        (HddmAndBets, [92, 170, 21]),
    ],
)
def test_errors_that_rise_from_a_tenth_to_three_are_found_at_a_known_value(
    kind: type[Detector], expected: list[int]
) -> None:
    """Streams are seeded: the delays are exact."""
    assert [found(kind, errors(0.1), errors(0.3), seed)[0] for seed in (1, 2, 3)] == expected


def test_on_a_quiet_road_a_day_of_vehicles_is_enough() -> None:
    """Or little more: after three days of 24, six in ten have become unsure."""

    def median_delay(kind: type[Detector]) -> float:
        return statistics.median(found(kind, few_unsure(0.05), few_unsure(0.6), seed, 72)[0] for seed in range(21))

    assert [median_delay(AdwinAndBets), median_delay(Adwin)] == [28, 48]


def test_bets_tell_what_the_values_were() -> None:
    """In the signal's own units, not in those of how bad they are."""
    detector = AdwinAndBets()
    changes = [detector.update(3.9 if i < 60 else 2.4, i) for i in range(90)]
    (change,) = filter(None, changes)
    assert (change.before, change.after) == (pytest.approx(3.9), pytest.approx(2.4))
    assert (change.since_us, change.values) == (60, 7)


def test_bets_see_nothing_in_what_is_better() -> None:
    """Fewer that are unsure: news that may take its time."""
    detector = AdwinAndBets()
    values = [*stream(few_unsure(0.6), 72, 1), *stream(few_unsure(0.0), 20, 2)]
    assert not any(detector.update(value, i) for i, value in enumerate(values))


@pytest.mark.parametrize("kind", DETECTORS)
@pytest.mark.parametrize("shift", [2.0, -2.0])
def test_a_shift_of_the_mean_is_found_and_its_direction_told(kind: type[Detector], shift: float) -> None:
    """Of two units, after twenty values at most."""
    delay, change = found(kind, levels(0.0), levels(shift))
    assert delay <= 20
    assert (change.after - change.before) * shift > 0
    assert abs(change.before) < 0.2


@pytest.mark.parametrize("kind", OF_ERRORS)
def test_when_it_began_is_told_to_some_fifty_values(kind: type[Detector]) -> None:
    """And how many values have come since, and of what mean."""
    delay, change = found(kind, errors(0.1), errors(0.4))
    assert abs(change.since_us / 1_000_000 - BEFORE) <= 50
    assert change.values == delay + BEFORE - change.since_us // 1_000_000
    assert change.after == pytest.approx(0.4, abs=0.15)


@pytest.mark.parametrize("kind", DETECTORS)
def test_after_a_change_it_begins_anew(kind: type[Detector]) -> None:
    """As if it had never seen a value."""
    detector = kind()
    changed = next(i for i in range(1000) if detector.update(0.0 if i < 500 else 3.0, i))
    assert changed < 550
    assert detector.snapshot() == kind().snapshot()


@pytest.mark.parametrize("kind", DETECTORS)
def test_a_restored_detector_continues_identically(kind: type[Detector]) -> None:
    """Taken down to JSON after every value, it says the same."""
    steady, values = kind(), [*stream(levels(0.0), 200, 4), *stream(levels(2.0), 200, 5)]
    restored: Detector = kind()
    for i, value in enumerate(values):
        restored = kind.restore(json.loads(json.dumps(restored.snapshot())))
        assert restored.update(value, i) == steady.update(value, i)
    assert restored.snapshot() == steady.snapshot()


@pytest.mark.parametrize("kind", DETECTORS)
@pytest.mark.parametrize("damage", ["state", "sum"])
def test_a_damaged_snapshot_is_refused(kind: type[Detector], damage: str) -> None:
    """A single character is enough; nothing of it reaches River, which would abort."""
    detector = kind()
    detector.update(0.5, 1)
    whole = detector.snapshot()
    for at, character in enumerate(whole[damage]):
        torn = whole[damage][:at] + ("0" if character != "0" else "1") + whole[damage][at + 1 :]
        with pytest.raises(SnapshotError, match="checksum"):
            kind.restore({**whole, damage: torn})


def test_a_snapshot_of_other_parameters_is_refused() -> None:
    """What has added up beyond one limit means nothing beyond another."""
    with pytest.raises(SnapshotError, match=r"0\.1 8\.0 0 4\.0"):
        Patient.restore(Rivers().snapshot())


@pytest.mark.parametrize(
    ("kind", "most"), [(Adwin, 2600), (HddmA, 220), (PageHinkley, 180), (AdwinAndBets, 2800), (HddmAndBets, 400)]
)
def test_a_snapshot_is_small(kind: type[Detector], most: int) -> None:
    """It is written with every record: bytes after a thousand values."""
    detector = kind()
    for i, value in enumerate(stream(levels(0.0), 1000, 6)):
        detector.update(value, 1_772_409_600_000_000 + i)
    assert len(json.dumps(detector.snapshot())) <= most


def test_a_single_value_proves_nothing_however_far_it_is() -> None:
    """Each counts for four units at most; the change is told of as it is."""
    detector = PageHinkley()
    assert not any(detector.update(50.0 if i % 10 == 0 else 0.0, i) for i in range(1000))
    changes = [detector.update(50.0, 1000 + i) for i in range(5)]
    (change,) = filter(None, changes)
    assert (change.after, change.values) == (50.0, 5)
    assert change.before == pytest.approx(0, abs=0.5)


def test_a_change_that_creeps_is_found_too() -> None:
    """Though no value is far beyond the mean of all."""
    detector = HddmA()
    changes = [detector.update(0.5 if i < 3000 else 0.56, i) for i in range(9000)]
    (change,) = filter(None, changes)
    assert change.after > change.before


def changes_of(kind: type[Detector], values: list[float]) -> list[int]:
    """Where it finds changes."""
    detector = kind()
    return [i for i, value in enumerate(values) if detector.update(value, i)]


def rivers_changes(detector: ADWIN | RiverPageHinkley | HDDMA, values: list[float]) -> list[int]:
    """Where River's class finds them."""
    return [i for i, value in enumerate(values) if detector.update(value) or detector.drift_detected]


@pytest.mark.parametrize("seed", range(5))
def test_ours_find_what_rivers_classes_find(seed: int) -> None:
    """At the same values of streams that change their mean every few hundred."""
    rng = random.Random(seed)
    means = [rng.random() for _ in range(12)]
    bits = [bit for mean in means for bit in stream(errors(mean), 400, rng.randrange(1000))]
    levelled = [level for mean in means for level in stream(levels(4 * mean), 400, rng.randrange(1000))]
    assert changes_of(HddmA, bits) == rivers_changes(HDDMA(HddmA.CONFIDENCE, two_sided_test=True), bits)
    assert changes_of(Rivers, levelled) == rivers_changes(RiverPageHinkley(alpha=1.0), levelled)
    assert len(changes_of(Rivers, levelled)) >= len([1 for a, b in pairwise(means) if abs(a - b) > 0.2])
