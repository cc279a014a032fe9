"""A metric over some days of the history."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from monitor.metrics import wilson
from monitor.rules.history import History, day_back
from monitor.rules.measures import Measure


class Total(NamedTuple):
    """A figure over one day or more."""

    value: float
    "In the metric's unit."
    n: int
    "What it rests on."
    right: int
    "Of a share, its part; 0 for what is none."
    low: float
    "Lower end of its 95 % interval; the value, where there is none."
    high: float
    "Upper end."
    sure: bool = False
    "Whether the report holds it to be beyond doubt, however often it was looked at."
    weighed: bool = False
    "Whether labels stand for different numbers of vehicles, so that n are those of a plain sample that tell as much."

    def better_end(self, measure: Measure) -> float:
        """The end of the interval on the good side: where this is bad, all of it is."""
        return self.high if measure.harm == "below" else self.low


def share(part: int, whole: int) -> Total:
    """A part of a whole, with Wilson's interval."""
    return Total(part / whole, whole, part, *wilson(part, whole))


def share_of_labels(part: float, whole: float) -> Total:
    """The same of what labels that stand for different numbers of vehicles are worth."""
    return Total(part / whole, round(whole), round(part), *wilson(part, whole), weighed=True)


def total(
    history: History, subject: str, measure: Measure, days: Sequence[str], *, as_evidence: bool = False
) -> Total | None:
    """The figure of all these days together; None where there is none."""
    if measure.sums == "classes":
        return _mean_of_classes(history, subject, measure, days)
    figures = [figure for day in days if (figure := history.figure(day, subject, measure.name)) is not None]
    if not figures:
        return None
    match measure.sums:
        case "share":
            return _share_of([evidence(figure) for figure in figures] if as_evidence else figures)
        case "mean":
            return _mean(figures)
        case _:
            return _alone(figures[-1])


def counted(history: History, subject: str, measure: Measure, first: str, last: str) -> Total | None:
    """How many there were from one day to another, resting on those before; None unless each of these days is known."""
    days = history.days(first, last)
    if not days or day_back(last, len(days) - 1) != first:
        return None
    now, before = (
        sum(figure[0] for day in some if (figure := history.figure(day, subject, measure.name)) is not None)
        for some in (days, history.days("", day_back(first, 1)))
    )
    return _plain(now, before)


def evidence(figure: Sequence[float]) -> Sequence[float]:
    """A share's part and whole, as far as bets may count them: labels with weights by the heaviest."""
    part, whole, *fair = figure
    return (part * fair[0], whole * fair[0], 1.0) if fair else (part, whole)


def _share_of(figures: Sequence[Sequence[float]]) -> Total:
    part, whole = (math.fsum(figure[place] for figure in figures) for place in (0, 1))
    if any(len(figure) > 2 for figure in figures):
        return share_of_labels(part, whole)
    return share(round(part), round(whole))


def _mean(figures: Sequence[Sequence[float]]) -> Total:
    n = sum(figure[1] for figure in figures)
    return _plain(figures[0][0] if len(figures) == 1 else sum(value * n for value, n in figures) / n, n)


def _alone(figure: Sequence[float]) -> Total:
    value, n, *ends = figure
    low, high, *sure = ends or (value, value)
    return Total(value, round(n), 0, low, high, any(sure))


def _plain(value: float, n: float) -> Total:
    return Total(value, round(n), 0, value, value)


def _mean_of_classes(history: History, subject: str, measure: Measure, days: Sequence[str]) -> Total | None:
    """As in a day's scores: each class counts the same; a class that nobody labelled, or predicted, has no say."""
    shares = [
        _share_of([figure for day in days if (figure := history.figure(day, subject, metric)) is not None]).value
        for metric in history.classes(days, subject, measure.name)
    ]
    labelled = [figure[1] for day in days if (figure := history.figure(day, subject, "accuracy")) is not None]
    return _plain(sum(shares) / len(shares), sum(labelled)) if shares else None
