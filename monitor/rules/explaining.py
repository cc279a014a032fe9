"""A rule in sentences, and what it costs in numbers: for whoever writes a table of rules."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from monitor.rules.chances import chance_of_an_alarm, days_until, days_until_proof
from monitor.rules.rule import Rule
from monitor.rules.words import limit_of, reference_in_words, shown
from monitor.statistics.sequences import HORIZON, TOLERANCE

ABOVE: Final = (0.05, 0.1, 0.2)
"How far above the threshold a true share may lie, for the chance of a false alarm."
FALLS: Final = (0.1, 0.2)
"How far below it a share may fall, or below the reference."
USUAL: Final = 0.9
"The share before a fall."
TIMES: Final = (1, 2, 4, 10)
"Labels of a day in multiples of the least number that a rule asks for."
PARTS: Final = (5, 2, 1)
"Of that number a day, for rules that weigh days together."


@dataclass(frozen=True, slots=True)
class FalseAlarm:
    """How often a rule is wrong."""

    truth: float
    "The true share, which the threshold allows."
    n: int
    "Labels a day; a window of several holds as many times that."
    chance: float
    "Of an alert, each day."


@dataclass(frozen=True, slots=True)
class Catch:
    """How fast a rule is right."""

    truth: float
    "The share after a fall."
    n: int
    "Labels a day."
    days: int | None
    "Until an alert; None: hardly ever."


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a rule means."""

    sentences: tuple[str, ...]
    "What it looks at, when it fires, what it promises."
    false_alarms: tuple[FalseAlarm, ...]
    "Exact; empty where no chance can be told."
    catches: tuple[Catch, ...]
    "Likewise."


def explained(rule: Rule) -> Explanation:
    """A rule in sentences and numbers."""
    return Explanation(tuple(_sentences(rule)), tuple(_false_alarms(rule)), tuple(_catches(rule)))


def _sentences(rule: Rule) -> Iterator[str]:
    yield f"It looks at {rule.measure.what} {_where(rule)}, {_when(rule)}."
    yield f"It fires ({rule.severity}) when {_condition(rule)}{_in_a_row(rule)}, {_enough(rule)}."
    if rule.unless:
        yield f"It is silent where {' or '.join(rule.unless)} fires, about the same or about all cameras."
    if rule.weighs_days:
        yield _promise(rule)
    elif not _has_chances(rule):
        yield "No chance of a false alarm can be told: roadwatch rules backtest says what it would have raised."


def _where(rule: Rule) -> str:
    match rule.scope:
        case "all":
            return "of all cameras together"
        case "camera":
            return "of each camera"
        case "slice":
            return "of each slice, as the report cuts them"
        case dimension:
            return f"of each {dimension}"


def _when(rule: Rule) -> str:
    return "on the report's day" if rule.window == 1 else f"in the last {rule.window} days"


def _condition(rule: Rule) -> str:
    if rule.bound == "anytime":
        return f"it is beyond doubt {_compared(rule)}"
    held = "it" if rule.bound == "point" else "all of its 95 % confidence interval"
    return f"{held} is {_compared(rule)}"


def _compared(rule: Rule) -> str:
    measure, beside = rule.measure, reference_in_words(rule)
    if rule.threshold is not None:
        return f"{measure.harm} {limit_of(rule.threshold, measure.unit)}"
    margin = f"{100 * rule.margin:g} points" if measure.unit == "%" else shown(rule.margin, measure.unit)
    return f"more than {margin} worse than in {beside}" if rule.margin else f"worse than in {beside}"


def _enough(rule: Rule) -> str:
    if rule.measure.sums == "count":
        return f"after {rule.min_n} or more in the days before"
    return f"on {rule.min_n} {rule.measure.counts} or more"


def _in_a_row(rule: Rule) -> str:
    return f", {rule.for_days} days in a row" if rule.for_days > 1 else ""


def _promise(rule: Rule) -> str:
    """As monitor.statistics.sequences promises."""
    if rule.threshold is not None:
        true = f"the true share is {limit_of(rule.threshold + TOLERANCE, rule.measure.unit)} or more"
    else:
        true = "the true share is not so much worse than that of its reference"
    often = f"at most {100 * rule.alpha:g} % of all spans of {HORIZON} days see a false alarm"
    moves = rule.beside is not None and rule.beside.kind == "before"
    return (
        f"While {true}, {often}, however many labels a day has and however often it is judged."
        f"{' A reference that moves with the days spends a part of that anew as it moves.' if moves else ''}"
    )


def _has_chances(rule: Rule) -> bool:
    """Shares of vehicles that labels are drawn from, held against a fixed threshold by themselves, each once."""
    measure = rule.measure
    drawn = measure.sums == "share" and len(measure.bounds) > 1 and measure.harm == "below"
    once = rule.window == 1 or rule.for_days == 1
    return drawn and once and rule.bound != "anytime" and rule.threshold is not None


def _false_alarms(rule: Rule) -> Iterator[FalseAlarm]:
    if not _has_chances(rule):
        return
    assert rule.threshold is not None  # noqa: S101  # as was asked just now
    for truth in (round(rule.threshold + above, 4) for above in ABOVE if rule.threshold + above <= 1):
        for n in _labels_a_day(rule):
            yield FalseAlarm(truth, n, chance_of_an_alarm(rule, truth, n))


def _catches(rule: Rule) -> Iterator[Catch]:
    if not (rule.weighs_days or (_has_chances(rule) and rule.window == 1)):
        return
    allowed = USUAL if rule.threshold is None else rule.threshold
    for truth in (round(allowed - fall, 4) for fall in FALLS if fall <= allowed):
        for n in _labels_a_day(rule):
            yield Catch(truth, n, _days(rule, truth, n))


def _labels_a_day(rule: Rule) -> list[int]:
    if rule.weighs_days:
        return [*(max(rule.min_n // part, 1) for part in PARTS), rule.min_n * TIMES[-1]]
    least = math.ceil(rule.min_n / rule.window)
    return [least * times for times in TIMES]


def _days(rule: Rule, truth: float, n: int) -> int | None:
    if rule.weighs_days:
        return days_until_proof(rule, truth, USUAL, n)
    return days_until(rule, truth, n)
