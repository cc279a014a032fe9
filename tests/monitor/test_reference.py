"""A day's signals beside those of the days before: enough to matter, and no chance."""

import random
from collections.abc import Sequence

import pytest

from monitor.reference import added_signals, chi_square, compared, holm, kolmogorov_smirnov
from monitor.signals import Tallies
from schemas.records import SignalCounts, SignalScores

Counts = tuple[SignalCounts, ...]


def day(
    seed: int, *, vehicles: int = 200, confidence: float = 0.93, trucks: float = 0.4, contrast: float = 40.0
) -> Counts:
    """A camera's day: vehicles, and a picture each minute, those of an hour alike."""
    rng, tallies = random.Random(seed), Tallies()
    for _ in range(vehicles):
        label = "truck" if rng.random() < trucks else "car"
        tallies.passage(label, rng.betavariate(12 * confidence, 12 * (1 - confidence)), rng.randrange(2), 5, 0)
    for _ in range(24):
        weather = rng.gauss(0, 6)
        for _ in range(60):
            tallies.picture(120 + weather, contrast + weather + rng.gauss(0, 1), 900, 0.5)
    return tallies.counts()


USUAL = [day(seed) for seed in range(14)]


def scores(today: Counts, before: Sequence[Counts] = USUAL) -> dict[str, SignalScores]:
    """The day beside those before, by signal."""
    return {each.signal: each for each in compared({"gate": today}, {"gate": before})["gate"]}


def differing(today: Counts) -> list[str]:
    """The signals that differ."""
    return [name for name, score in scores(today).items() if score.differs]


def test_an_ordinary_day_differs_in_nothing() -> None:
    """Not one of fifty."""
    assert [differing(day(seed)) for seed in range(100, 150)] == [[]] * 50


@pytest.mark.parametrize(
    ("today", "expected"),
    [
        (day(20, confidence=0.85), ["confidence"]),
        (day(20, trucks=0.7), ["class-mix"]),
        (day(20, contrast=28.0), ["contrast"]),
    ],
    ids=["less sure", "more trucks", "veiled"],
)
def test_a_day_that_differs_is_told_with_its_signal(today: Counts, expected: list[str]) -> None:
    """And with no other."""
    assert differing(today) == expected


def test_a_small_change_does_not_matter_however_many_values_prove_it() -> None:
    """Twenty thousand vehicles, a hundredth less sure."""
    many = scores(day(20, vehicles=20_000, confidence=0.92), [day(21, vehicles=20_000)])["confidence"]
    assert many.p is not None
    assert many.p < 1e-6
    assert not many.differs


def test_a_large_change_of_few_values_is_no_proof() -> None:
    """Eight vehicles, twelve hundredths less sure."""
    few = scores(day(23, vehicles=8, confidence=0.81))["confidence"]
    assert few.effect is not None
    assert few.effect < -0.3
    assert not few.differs


def test_pictures_of_one_hour_prove_as_little_as_one() -> None:
    """A picture each minute gives no smaller p than one each hour would."""
    score = scores(day(24, contrast=36.0))["contrast"]
    assert score.count == 1440
    assert score.p is not None
    assert score.p > 0.01


def test_the_figures_are_those_of_the_values() -> None:
    """Effect: the difference of means in the reference's standard deviations."""
    tallies, before = Tallies(), Tallies()
    for confidence in (0.5, 0.7):
        tallies.passage("car", confidence, 0, 5, 0)
    for confidence in (0.6, 1.0):
        before.passage("car", confidence, 0, 5, 0)
    score = scores(tallies.counts(), [before.counts()])["confidence"]
    assert (score.mean, score.deviation) == pytest.approx((0.6, 0.1))
    assert (score.reference, score.effect) == pytest.approx((0.8, -1.0))


def test_the_share_of_the_last_class_stands_for_the_mix() -> None:
    """Of two classes its effect is that of any other signal; a class may be missing on a day."""
    score = scores(day(25, trucks=0.0), [day(26, vehicles=10_000, trucks=0.5)])["class-mix"]
    assert (score.mean, score.deviation) == (0.0, 0.0)
    assert score.reference == pytest.approx(0.5, abs=0.02)
    assert score.effect == pytest.approx(-1, abs=0.05)


def test_without_days_before_nothing_differs() -> None:
    """On a camera's first day."""
    first = scores(day(1), [])["brightness"]
    assert (first.reference, first.effect, first.p, first.differs) == (None, None, None, False)
    assert first.mean == pytest.approx(120, abs=5)


def test_the_more_is_tested_the_more_it_takes() -> None:
    """Cameras of one day are one family."""
    odd, usual = day(20, confidence=0.89), {"a": USUAL, "b": USUAL, "c": USUAL}
    alone = compared({"a": odd}, usual)["a"]
    together = compared({"c": day(31), "a": odd, "b": day(30)}, usual)
    assert [*together] == ["c", "a", "b"]
    assert all(one.p <= other.p for one, other in zip(alone, together["a"], strict=True) if one.p and other.p)
    assert any(one.p < other.p for one, other in zip(alone, together["a"], strict=True) if one.p and other.p)


def test_days_add_up_in_any_order() -> None:
    """Bucket by bucket, signals and buckets sorted."""
    one, other = day(1), day(2)
    assert [each.buckets for each in added_signals([one, other])] == [
        each.buckets for each in added_signals([other, one])
    ]
    assert [each.count for each in added_signals([one, one])] == [2 * each.count for each in one]
    assert added_signals([one]) == one


def test_p_values_are_those_of_scipy() -> None:
    """To what buckets and approximations cost."""
    from scipy import stats

    rng = random.Random(7)
    one, other = ([rng.gauss(mean, 4) for _ in range(300)] for mean in (20, 20.9))
    ours = kolmogorov_smirnov(
        *({str(i): sum(int(v * 20) == i for v in each) for i in range(800)} for each in (one, other))
    )
    assert ours == pytest.approx(stats.ks_2samp(one, other).pvalue, rel=0.3)
    for a, b in (([30, 20], [100, 140]), ([30, 20, 9], [100, 140, 20]), ([9, 9, 9, 9], [20, 25, 30, 35])):
        theirs = stats.chi2_contingency([a, b], correction=False).pvalue
        names = "abcd"[: len(a)]
        assert chi_square(dict(zip(names, a, strict=True)), dict(zip(names, b, strict=True))) == pytest.approx(theirs)


def test_holm_corrects_the_smallest_most() -> None:
    """Holm's own procedure, and never a smaller p for a larger one."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []
