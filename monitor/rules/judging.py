"""What the rules say of a day's report: pure, and the same for the same reports in the same order."""

from dataclasses import dataclass, field
from typing import Final

from monitor.breaches import Breach, Judgement
from monitor.rules.history import ALWAYS, ANY, HELD, Depth, Depths, History, day_back
from monitor.rules.rule import Rule, Rules
from monitor.rules.seeing import Seen, Spot, see, spots
from monitor.rules.words import actions_of, concerned, harmful, summary_of, title_of, words_of
from monitor.windows import Calendar
from schemas.records import DayReport

LATE: Final = 14
"Days that a report may be revised after newer ones were judged, and finds what rules look back on."


def judge(rules: Rules, report: DayReport, history: History) -> Judgement:
    """Take a report, or its new revision, into the history, and judge it by that."""
    history.put(report, depths_of(rules))
    judging = _Judging(report, history)
    for rule in rules:
        judging.take(rule)
    return Judgement(tuple(judging.breaches), frozenset(judging.kept))


def depths_of(rules: Rules) -> Depths:
    """How long the history has to keep what rules look at."""
    depths = dict(ALWAYS)
    for rule in rules:
        for metric in _metrics(rule):
            known, wanted = depths.get((rule.place, metric), Depth(0)), _depth(rule)
            depths[rule.place, metric] = Depth(max(known.days, wanted.days), max(known.first, wanted.first))
    return depths


def _metrics(rule: Rule) -> tuple[str, ...]:
    return (f"{rule.metric}:{ANY}", "accuracy") if rule.measure.sums == "classes" else (rule.metric,)


def _depth(rule: Rule) -> Depth:
    beside = rule.beside
    if rule.measure.sums == "count":
        return Depth(HELD)
    days = rule.window + rule.for_days - 1 + (beside.days if beside and beside.kind == "before" else 0)
    first = beside.days if beside and beside.kind == "first_days" else 0
    return Depth(days + LATE if days > 1 else 1, first)


@dataclass(slots=True)
class _Judging:
    """A judgement as it grows, rule by rule."""

    report: DayReport
    "What is judged."
    history: History
    "With the report in it."
    breaches: list[Breach] = field(default_factory=list)
    "In the table's order."
    kept: set[str] = field(default_factory=set)
    "Subjects of rules that are kept."
    _broken: set[tuple[str, str]] = field(default_factory=set)
    "Rules and where they are broken, told or not."

    def take(self, rule: Rule) -> None:
        """Judge by one more rule."""
        for spot in spots(rule, self.history, self.report.day):
            seen = see(rule, spot, self.history, self.report.day)
            if seen is None:
                continue
            if seen.kept:
                self.kept.add(_subject(rule, spot))
            elif seen.broken and (first := self._in_a_row(rule, spot, seen)) is not None:
                self._break(rule, spot, seen, first)

    def _in_a_row(self, rule: Rule, spot: Spot, seen: Seen) -> str | None:
        """The first day that a broken rule tells of; None where it was not broken on each of the days before."""
        first = seen.since_day
        for back in range(1, rule.for_days):
            earlier = see(rule, spot, self.history, day_back(self.report.day, back))
            if earlier is None or not earlier.broken:
                return None
            first = earlier.since_day
        return first

    def _break(self, rule: Rule, spot: Spot, seen: Seen, first: str) -> None:
        self._broken.add((rule.name, spot.subject))
        said = {(name, subject) for name in rule.unless for subject in spot.within}
        if not said & self._broken:
            self.breaches.append(_breach(rule, spot, seen, self.report, first))


def _breach(rule: Rule, spot: Spot, seen: Seen, report: DayReport, first: str) -> Breach:
    words = words_of(rule, spot, seen, report)
    starts_at = Calendar(report.timezone).bounds(first)[0]
    found = harmful(concerned(spot, report), starts_at) if spot.slice is None else []
    return Breach(
        rule=rule.name,
        camera_id=spot.camera_id,
        slice=spot.slice,
        day=report.day,
        since=min((finding.since for finding in found), default=starts_at),
        severity=rule.severity,
        metric=rule.metric,
        value=seen.now.value,
        threshold=seen.allowed,
        samples=seen.now.n,
        title=title_of(rule, words),
        summary=summary_of(rule, words),
        actions=actions_of(rule, words),
    )


def _subject(rule: Rule, spot: Spot) -> str:
    """As Breach.subject."""
    return ":".join(filter(None, (rule.name, spot.camera_id, spot.slice)))
