"""What a rule about a share costs: how often it is wrong, and how long a real fall stays unseen."""

import math
from itertools import accumulate, repeat
from typing import Final

from monitor.rules.reading import share
from monitor.rules.rule import Rule
from monitor.rules.seeing import evidence_of, is_broken
from monitor.statistics.sequences import STARTS

LONGEST: Final = 365
"Days that somebody might wait for an alert."
WEIGHED: Final = 2 * STARTS
"Days after which evidence that has not sufficed never will, on a typical course: all in sight is as it is."


def chance_of_an_alarm(rule: Rule, truth: float, n: int) -> float:
    """The chance that a day with n labels raises an alert, the days before being like it; exact (binomial).

    A window's days are one share. Windows overlap: of several in a row, nothing is known.
    """
    assert rule.window == 1 or rule.for_days == 1  # noqa: S101  # the caller's part
    return float(_chance_of_a_day(rule, truth, n * rule.window) ** rule.for_days)


def days_until(rule: Rule, truth: float, n: int, sure: float = 0.95) -> int | None:
    """Days with n labels by which a fall to `truth` has raised an alert with a chance of `sure`; None: not in a year."""
    broken = _chance_of_a_day(rule, truth, n)
    runs, alerted = [1.0, *repeat(0.0, rule.for_days - 1)], 0.0
    for day in range(1, LONGEST + 1):
        alerted += runs[-1] * broken
        runs = [math.fsum(runs) * (1 - broken), *(chance * broken for chance in runs[:-1])]
        if alerted >= sure:
            return day
    return None


def days_until_proof(rule: Rule, truth: float, before: float, n: int) -> int | None:
    """Days with n labels until a fall from `before` to `truth` is proved on a typical course; None: never on such.

    The reference, where there is one, is of as many labels a day.
    """
    beside = rule.beside
    rests_on = (beside.n or beside.days * n) if beside else 0
    usual = share(round(rests_on * before), rests_on) if beside else None
    days = [*repeat((round(before * n), n), STARTS), *_typical(truth, n)]
    found = (
        day for day in range(1, WEIGHED + 1) if evidence_of(rule, days[: STARTS + day][-rule.window :], usual).fires
    )
    return next(found, None)


def _typical(truth: float, n: int) -> list[tuple[int, int]]:
    """Days of n, each as near to the true share as whole vehicles allow."""
    so_far = [round(total) for total in accumulate(repeat(truth * n, WEIGHED))]
    return [(now - before, n) for before, now in zip([0, *so_far], so_far, strict=False)]


def _chance_of_a_day(rule: Rule, truth: float, n: int) -> float:
    return math.fsum(_binomial(right, n, truth) for right in range(n + 1) if is_broken(rule, share(right, n)))


def _binomial(right: int, n: int, truth: float) -> float:
    if truth in (0.0, 1.0):
        return float(right == n * truth)
    ways = math.lgamma(n + 1) - math.lgamma(right + 1) - math.lgamma(n - right + 1)
    return math.exp(ways + right * math.log(truth) + (n - right) * math.log1p(-truth))
