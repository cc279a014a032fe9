"""A day's signals beside those of the days before: which of them differ, and by enough to matter.

    day ────────┐
    days before ┴─► effect: difference of means in standard deviations ─► p: Kolmogorov and Smirnov, or χ² ─► Holm

What the detectors in monitor.drift cannot see is found here: a change of the distribution that leaves its mean, and one
too small to be seen within hours. Significance alone says nothing where thousands of values prove a difference that
nobody would care for: the effect decides first.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from monitor.signals import BY_NAME, CLASS_MIX
from monitor.usual import Hours
from schemas.records import SignalCounts, SignalScores

MATTERS: Final = 0.3
"An effect from here on matters: between Cohen's small (.2) and medium (.5)."
PROVEN: Final = 0.01
"A corrected p below this is no chance."
LEAST_SPREAD: Final = 0.25
"Of a signal's unit, and of a half at most: what varies less counts as if it varied so much."
PICTURES_A_DAY: Final = 24
"Whole pictures of one hour resemble each other: a day's count as so many independent ones."
FEWEST: Final = 5
"Classes that are rarer, in the day and the reference together, prove nothing."
CERTAIN: Final = 1e-6
"Terms of a series that are smaller are left out."


def added_signals(parts: Iterable[Sequence[SignalCounts]]) -> tuple[SignalCounts, ...]:
    """The sum of several days' or cameras' counts, sorted by signal."""
    by_signal: defaultdict[str, list[SignalCounts]] = defaultdict(list)
    for part in parts:
        for counts in part:
            by_signal[counts.signal].append(counts)
    return tuple(_added(name, held) for name, held in sorted(by_signal.items()))


def _added(signal: str, parts: Sequence[SignalCounts]) -> SignalCounts:
    buckets: defaultdict[str, int] = defaultdict(int)
    for part in parts:
        for bucket, count in part.buckets.items():
            buckets[bucket] += count
    return SignalCounts(
        signal=signal,
        count=sum(part.count for part in parts),
        total=sum(part.total for part in parts),
        squares=sum(part.squares for part in parts),
        buckets=dict(sorted(buckets.items(), key=lambda item: _order(item[0]))),
    )


def _order(bucket: str) -> tuple[int, str]:
    return (int(bucket), "") if bucket.isdecimal() else (0, bucket)


def compared(
    days: Mapping[str, Sequence[SignalCounts]], references: Mapping[str, Sequence[Sequence[SignalCounts]]]
) -> dict[str, tuple[SignalScores, ...]]:
    """Each camera's signals of a day beside those of its days before.

    All cameras' and signals' tests of the day count as one family: in all of them together, chance makes a signal
    differ on one day in a hundred.
    """
    pairs = [pair for camera, day in sorted(days.items()) for pair in _pairs(camera, day, references.get(camera, ()))]
    corrected = holm([pair.p for pair in pairs if pair.p is not None])
    scores: dict[str, list[SignalScores]] = {camera: [] for camera in days}
    for pair in pairs:
        scores[pair.camera_id].append(_scored(pair, None if pair.p is None else corrected.pop(0)))
    return {camera: tuple(each) for camera, each in scores.items()}


@dataclass(frozen=True, slots=True)
class Pair:
    """A signal's day and its reference."""

    camera_id: str
    "The camera."
    signal: str
    "The signal."
    count: int
    "Values of the day."
    mean: float
    "Of the day; of class-mix, the share of the class that comes last in the alphabet."
    deviation: float
    "Standard deviation of the day."
    reference: float | None
    "The reference's mean; None without one."
    effect: float | None
    "Difference of means in standard deviations of the reference; None without one."
    p: float | None
    "Of both being one distribution; None without a reference."


def _pairs(camera_id: str, day: Sequence[SignalCounts], before: Sequence[Sequence[SignalCounts]]) -> Iterable[Pair]:
    reference = {counts.signal: counts for counts in added_signals(before)}
    for counts in sorted(day, key=lambda each: each.signal):
        compare = _mix if counts.signal == CLASS_MIX.name else _values
        yield compare(camera_id, counts, reference.get(counts.signal))


def _scored(pair: Pair, p: float | None) -> SignalScores:
    differs = pair.effect is not None and p is not None and abs(pair.effect) >= MATTERS and p < PROVEN
    return SignalScores(
        signal=pair.signal,
        count=pair.count,
        mean=pair.mean,
        deviation=pair.deviation,
        reference=pair.reference,
        effect=pair.effect,
        p=p,
        differs=differs,
    )


def _values(camera_id: str, day: SignalCounts, before: SignalCounts | None) -> Pair:
    mean, deviation = _moments(day)
    if before is None:
        return Pair(camera_id, day.signal, day.count, mean, deviation, None, None, None)
    usual, spread = _moments(before)
    effect = (mean - usual) / max(spread, _least_spread(day.signal, usual))
    return Pair(camera_id, day.signal, day.count, mean, deviation, usual, effect, _likeness(day, before))


def _moments(counts: SignalCounts) -> tuple[float, float]:
    """Mean and standard deviation."""
    mean = counts.total / counts.count
    return mean, math.sqrt(max(counts.squares / counts.count - mean * mean, 0.0))


def _least_spread(name: str, mean: float) -> float:
    """The signal's least standard deviation, near its mean."""
    signal = BY_NAME[name]
    level = signal.scaled(mean)
    return signal.unscaled(level + LEAST_SPREAD * min(signal.unit, 0.5)) - mean


def _likeness(day: SignalCounts, before: SignalCounts) -> float:
    independent = 1.0
    if BY_NAME[day.signal].habit is Hours:
        independent = min(1.0, PICTURES_A_DAY / day.count)
    return kolmogorov_smirnov(day.buckets, before.buckets, independent)


def kolmogorov_smirnov(one: Mapping[str, int], other: Mapping[str, int], independent: float = 1.0) -> float:
    """The p of two samples being of one distribution, from counts by numbered bucket; a little too large, as buckets are.

    Stephens' approximation of the limit (Journal of the Royal Statistical Society B 32, 1970). `independent` is the
    share of the values that count.
    """
    n, m = sum(one.values()), sum(other.values())
    size = math.sqrt(n * m / (n + m) * independent)
    at = (size + 0.12 + 0.11 / size) * _distance(one, n, other, m)
    total, sign = 0.0, 2.0
    for k in range(1, 101):
        term = math.exp(-2 * k * k * at * at)
        total, sign = total + sign * term, -sign
        if term < CERTAIN:
            break
    return min(max(total, 0.0), 1.0)


def _distance(one: Mapping[str, int], n: int, other: Mapping[str, int], m: int) -> float:
    """The largest distance of the two distribution functions."""
    gap = most = 0.0
    for bucket in sorted({*one, *other}, key=int):
        gap += one.get(bucket, 0) / n - other.get(bucket, 0) / m
        most = max(most, abs(gap))
    return most


def _mix(camera_id: str, day: SignalCounts, before: SignalCounts | None) -> Pair:
    last = max({*day.buckets, *(before.buckets if before else ())})
    share = day.buckets.get(last, 0) / day.count
    deviation = math.sqrt(share * (1 - share))
    if before is None:
        return Pair(camera_id, day.signal, day.count, share, deviation, None, None, None)
    usual = before.buckets.get(last, 0) / before.count
    effect = math.copysign(_cohens_w(day, before), share - usual)
    return Pair(
        camera_id, day.signal, day.count, share, deviation, usual, effect, chi_square(day.buckets, before.buckets)
    )


def _cohens_w(day: SignalCounts, before: SignalCounts) -> float:
    """The effect size of a difference in shares (Cohen, 1988); of two classes it is that of the difference of means."""
    total = 0.0
    for label in sorted({*day.buckets, *before.buckets}):
        seen, known = day.buckets.get(label, 0), before.buckets.get(label, 0)
        difference = seen / day.count - known / before.count
        total += difference * difference * (day.count + before.count) / (seen + known)
    return math.sqrt(total)


def chi_square(one: Mapping[str, int], other: Mapping[str, int]) -> float:
    """The p of two samples being of one distribution, from counts by class (Pearson's χ² test of homogeneity)."""
    labels = [label for label in sorted({*one, *other}) if one.get(label, 0) + other.get(label, 0) >= FEWEST]
    pairs = [(one.get(label, 0), other.get(label, 0)) for label in labels]
    n, m = sum(a for a, _ in pairs), sum(b for _, b in pairs)
    if min(n, m) == 0 or len(pairs) < 2:
        return 1.0
    statistic = sum((a * math.sqrt(m / n) - b * math.sqrt(n / m)) ** 2 / (a + b) for a, b in pairs)
    return _chi_square_tail(statistic, len(pairs) - 1)


def _chi_square_tail(statistic: float, freedom: int) -> float:
    """The probability of a larger χ²: the regularized upper incomplete gamma function, from one degree or two upwards."""
    half = statistic / 2
    a = 0.5 if freedom % 2 else 1.0
    tail = math.erfc(math.sqrt(half)) if freedom % 2 else math.exp(-half)
    while a < freedom / 2:
        tail += math.exp(a * math.log(half) - half - math.lgamma(a + 1)) if half else 0.0
        a += 1
    return tail


def holm(ps: Sequence[float]) -> list[float]:
    """Each p corrected for there being several (Holm, "A simple sequentially rejective multiple test procedure", 1979)."""
    corrected, least = [0.0] * len(ps), 0.0
    for rank, i in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        least = max(least, min(1.0, (len(ps) - rank) * ps[i]))
        corrected[i] = least
    return corrected
