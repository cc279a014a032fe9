"""Evidence that accuracy is too low, with a new start every day; it may be looked at after any label. Pure.

    day       … d-3   d-2   d-1    d
                 ├──────────────────►   each start: a player who bets, from that morning on, that accuracy is below
                       ├────────────►   the floor. Where it is not, no bet makes money on average.
                             ├──────►
                                   ├►   evidence: what the players of the last STARTS days own, together

A player's wealth is the likelihood ratio of the labels since the start, of accuracies below the floor to the floor
itself, mixed over several of them (Robbins, 1970). It depends on counts alone: the order of a day's labels, unknown
here, does not matter, nor how many came before one looked (Ville, 1939; Waudby-Smith and Ramdas, 2023). A new start a
day is what notices a fall after good weeks, in which an older player lost everything: a sum of e-processes, the
Shiryaev-Roberts e-detector of Shin, Ramdas and Rinaldo (2023), over the starts of three weeks.

What is promised. Each of the `horizon + STARTS - 1` starts that can be seen in any `horizon` days gets an equal part of
one unit to bet with. While every label, whatever came before it, is right with a chance of at least the floor, the unit
grows 1 / alpha fold at any time with a chance of at most alpha. So at most alpha of any `horizon` days in a row raise a
false alarm, accuracy being at least the floor in them and in the STARTS - 1 days before: with any number of labels a
day, looked at after every label, late ones included, as long as no label is late for being right or wrong.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from monitor.statistics.intervals import lower_bound

Days = Sequence[tuple[float, float]]
"""Labelled vehicles of each day, oldest first: right, all. A day without labels is (0, 0).

Where a day's labels stand for different numbers of vehicles, each counts as its weight by the day's heaviest
(`monitor.statistics.weighted.fair_count`): what is promised holds for such parts of labels as well."""

ALPHA: Final = 0.05
HORIZON: Final = 90
"Days in which alpha may be spent once."
STARTS: Final = 21
"""Days that a player bets. Of falls from 85 to 55 %, under a floor of 60 %, 69 % are found in four weeks of 50 labels a
day, so 55 % with 14 days and 75 % with 28; of falls to 40 %, 90.5 % in three days with any of them."""
ODDS: Final = ((0.1, 0.05), (0.3, 0.10), (0.7, 0.75), (1.5, 0.10))
"""By how much the accuracies bet on are below the floor, as a difference of log odds, and their parts of the wealth.

From 60 %: 58, 53, 43 and 25 %. Most is put on what a hundred labels can tell, 15 to 20 points; the largest tells a
breakdown from twenty labels, the smallest two points from thousands."""
TOLERANCE: Final = 0.01
"""How far accuracy must lie above the floor of `below` for its promise to hold: a point.

Without it, of falls from 85 to 40 % under a floor of 60 %, 85 % are found within three days of 50 labels, and 89.5 %
with exact boundaries by dynamic programming over the counts, which then find slower falls less often. With it, 90.5 %
are found."""
REFERENCE: Final = 0.5
"The part of alpha that is kept for the reference's own chance: half finds most, for references of 350 labels and more."


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known against `accuracy is at least the floor`."""

    log_e: float
    "Natural logarithm of what the players own together, of one unit."
    threshold: float
    "Where it suffices: the logarithm of 1 / alpha."
    floor: float
    "The accuracy bet against, from 0 to 1."
    since: int | None
    "Index of the day that the evidence is strongest from; None without labels."
    right: float
    "Vehicles rightly classified since then."
    n: float
    "Labelled vehicles since then."

    @property
    def fires(self) -> bool:
        """Whether it suffices."""
        return self.log_e >= self.threshold


def below(days: Days, floor: float, alpha: float = ALPHA, horizon: int = HORIZON) -> Evidence:
    """Evidence that accuracy is now below a floor.

    At most alpha of any `horizon` days in a row fire falsely, in which accuracy stays TOLERANCE above the floor. At
    exactly the floor of 60 %, with 50 labels a day, 3.5 % of 90 days fire when looked at once a day and 8.5 % when
    looked at after every label (benchmarks/alarms.py). `under` promises alpha at its floor itself, and finds less.
    """
    return under(days, floor + TOLERANCE, alpha, horizon)


def worse(
    days: Days,
    reference_right: int,
    reference_n: int,
    margin: float = 0.0,
    alpha: float = ALPHA,
    horizon: int = HORIZON,
) -> Evidence:
    """Evidence that accuracy is now lower than that of a reference, less a margin.

    The reference is a sample of its own: labels of a test, or of days before those given. Its exact lower bound
    (Clopper and Pearson, 1934) is the floor, above its true accuracy with a chance of at most half of alpha; the other
    half is that of a false alarm above the floor. So at most alpha of any `horizon` days judged by one reference fire
    falsely, in which accuracy is at least the reference's true one less the margin. A reference that moves, as the
    last seven days do, spends its half of alpha each time that it is drawn anew. For an accuracy that is known and not
    sampled there is `under`.
    """
    floor = lower_bound(reference_right, reference_n, alpha * REFERENCE) - margin
    return under(days, floor, alpha * (1 - REFERENCE), horizon)


def under(days: Days, floor: float, alpha: float = ALPHA, horizon: int = HORIZON) -> Evidence:
    """Evidence that accuracy is now under a known share; where it is not, at most alpha of `horizon` days fire."""
    spans = list(_spans(days))
    values = [log_wealth(right, n, floor) for _, right, n in spans]
    strongest = max(range(len(spans)), key=values.__getitem__)
    since, right, n = spans[strongest]
    return Evidence(
        log_e=log_sum(values) - math.log(horizon + STARTS - 1),
        threshold=-math.log(alpha),
        floor=floor,
        since=since if n else None,
        right=right,
        n=n,
    )


def confidence_sequence(right: int, n: int, alpha: float = ALPHA) -> tuple[float, float]:
    """A confidence sequence of one day's accuracy, or of days from a fixed one on: both bounds, for counts so far.

    However often it is looked at while labels come in, the true accuracy ever lies outside with a chance of at most
    alpha: every share is kept against which a bettor who spreads wealth over all shares (Jeffreys' prior; Robbins,
    1970) has not yet won 1 / alpha. Of 50 labels, 43 right, it is 66.0 to 96.8 % where Wilson's interval, good for one
    look, is 73.8 to 93.0 %. A rule that looks at each of several days spends alpha on every day.
    """
    if n == 0:
        return 0.0, 1.0
    spread, enough = _log_beta(right + 0.5, n - right + 0.5) - _log_beta(0.5, 0.5), -math.log(alpha)
    least = spread - enough
    return _edge(right, n, least, 0.0), _edge(right, n, least, 1.0)


def log_wealth(right: float, n: float, floor: float) -> float:
    """What a player with one unit owns after so many labels, as a logarithm."""
    return log_sum([math.log(part) + log_ratio(right, n, floor, odds) for odds, part in ODDS])


def log_ratio(right: float, n: float, floor: float, odds: float) -> float:
    """The log likelihood ratio of labels, of an accuracy whose log odds are lower by so much, to the floor itself.

    With exp(-odds × right) by its mean, 1 - floor + floor × exp(-odds) a label: where accuracy is above the floor, the
    product is smaller on average. A floor of nothing, or of less, cannot be bet against.
    """
    within = min(max(floor, 0.0), 1.0)
    return -odds * right - n * math.log1p(within * math.expm1(-odds))


def log_sum(logs: Sequence[float]) -> float:
    """The logarithm of a sum of numbers that are given as logarithms."""
    most = max(logs)
    return most + math.log(sum(math.exp(log - most) for log in logs))


def _spans(days: Days) -> Iterator[tuple[int, float, float]]:
    """From each start to now, the latest first: its day, right, all."""
    right: float = 0
    n: float = 0
    for since in reversed(range(max(0, len(days) - STARTS), max(1, len(days)))):
        day = days[since] if days else (0, 0)
        right, n = right + day[0], n + day[1]
        yield since, right, n


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _edge(right: int, n: int, least: float, outside: float) -> float:
    """Halve the way from the sample's share to an end of the line, to a millionth; what is given lies outside."""
    inside = right / n
    while abs(outside - inside) > 1e-6:
        middle = (inside + outside) / 2
        kept = right * math.log(middle) + (n - right) * math.log1p(-middle) > least
        inside, outside = (middle, outside) if kept else (inside, middle)
    return outside
