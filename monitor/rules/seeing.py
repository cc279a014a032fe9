"""What a rule sees at a spot on a day: a figure, what is allowed, and whether it is worse than that."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from monitor.rules.history import ALL, History, day_back
from monitor.rules.reading import Total, counted, evidence, share, share_of_labels, total
from monitor.rules.rule import Rule
from monitor.statistics.intervals import difference
from monitor.statistics.sequences import Days, Evidence, below, worse

GONE: Final = 0.0
"The logarithm of the evidence down to which a rule does not count as kept again: 1, where 20 suffices to break it at 5 %."


class Spot(NamedTuple):
    """Where a rule looks."""

    subject: str
    "As the history calls it."
    camera_id: str | None = None
    "The camera; None for all together, and for slices of all."
    slice: str | None = None
    "Such as `hour=07`; None for whole cameras."

    @property
    def within(self) -> tuple[str, ...]:
        """Subjects of which this is one, or a part: who is told of them needs no word of it."""
        return (self.subject, ALL, *([f"camera:{self.camera_id}"] if self.camera_id else []))


@dataclass(frozen=True, slots=True)
class Seen:
    """A figure beside what is allowed."""

    now: Total
    "The figure."
    allowed: float
    "The threshold, or what the reference and its margin come to."
    broken: bool
    "Whether it is worse."
    kept: bool
    "Whether it surely is not; neither, while evidence has not sufficed or is not gone."
    since_day: str
    "The first day that it is told of."
    usual: Total | None = None
    "The reference; None for a threshold."


def spots(rule: Rule, history: History, day: str) -> Iterator[Spot]:
    """Where a rule looks on a day, sorted."""
    for subject in history.subjects(day, rule.place):
        place, _, named = subject.partition(":")
        dimension, _, value = named.partition("=")
        if place == "all":
            yield Spot(subject)
        elif place == "camera":
            yield Spot(subject, camera_id=named)
        elif rule.scope in ("slice", dimension):
            yield Spot(subject, camera_id=value if dimension == "camera" else None, slice=named)


def see(rule: Rule, spot: Spot, history: History, day: str) -> Seen | None:
    """What a rule sees; None where it has too little to say anything."""
    first = day_back(day, rule.window - 1)
    now = _figure(rule, spot.subject, history, (first, day))
    usual = _usual(rule, spot.subject, history, first) if rule.reference else None
    if _is_too_little(rule, now) or (rule.reference and _is_too_little(rule, usual)):
        return None
    assert now is not None  # noqa: S101  # as was asked just now
    if rule.weighs_days:
        return _weighed(rule, _counts(rule, spot.subject, history, day), first, usual)
    broken = is_broken(rule, now) if usual is None else is_worse(rule, now, usual)
    kept = not broken and not (now.sure and now.low <= allowed_by(rule, usual))
    return Seen(now, allowed_by(rule, usual), broken, kept, first, usual)


def allowed_by(rule: Rule, usual: Total | None) -> float:
    """How far a figure may go: the threshold, or the reference less the margin, or more it."""
    if usual is None:
        assert rule.threshold is not None  # noqa: S101  # one of both is there
        return rule.threshold
    return usual.value + (-rule.margin if rule.measure.harm == "below" else rule.margin)


def evidence_of(rule: Rule, days: Days, usual: Total | None) -> Evidence:
    """What days, right and all of each, say against the threshold, or against the reference."""
    if usual is None:
        return below(days, allowed_by(rule, None), rule.alpha)
    return worse(days, usual.right, usual.n, rule.margin, rule.alpha)


def is_broken(rule: Rule, now: Total) -> bool:
    """Whether a figure, or the good end of its interval, is beyond the threshold."""
    held, allowed = now.better_end(rule.measure) if rule.bound == "confidence" else now.value, allowed_by(rule, None)
    beyond = held < allowed if rule.measure.harm == "below" else held > allowed
    return beyond and (rule.bound != "anytime" or now.sure)


def is_worse(rule: Rule, now: Total, usual: Total) -> bool:
    """Whether a figure is worse than another by more than the margin, beyond chance where the rule wants that."""
    low = high = now.value - usual.value
    if rule.bound == "confidence":
        low, high = difference(now.right, now.n, usual.right, usual.n)
    return high < -rule.margin if rule.measure.harm == "below" else low > rule.margin


def _is_too_little(rule: Rule, found: Total | None) -> bool:
    return found is None or found.n < rule.min_n


def _weighed(rule: Rule, days: Days, first: str, usual: Total | None) -> Seen | None:
    """As evidence has it; nothing while labels speak neither for nor against."""
    found = evidence_of(rule, days, usual)
    if found.since is None:
        return None
    since = day_back(first, -found.since)
    whole = isinstance(found.n, int) and isinstance(found.right, int)
    now = share(round(found.right), round(found.n)) if whole else share_of_labels(found.right, found.n)
    return Seen(now, allowed_by(rule, usual), found.fires, found.log_e <= GONE, since, usual)


def _counts(rule: Rule, subject: str, history: History, day: str) -> Days:
    """Part and whole of each day of the window, oldest first; (0, 0) where nothing is known."""
    days = (day_back(day, back) for back in reversed(range(rule.window)))
    return [_count(history.figure(each, subject, rule.metric) or (0, 0)) for each in days]


def _count(figure: Sequence[float]) -> tuple[float, float]:
    part, whole, *weighed = evidence(figure)
    return (part, whole) if weighed else (round(part), round(whole))


def _figure(rule: Rule, subject: str, history: History, span: tuple[str, str]) -> Total | None:
    if rule.measure.sums == "count":
        return counted(history, subject, rule.measure, *span)
    return total(history, subject, rule.measure, history.days(*span), as_evidence=rule.weighs_days)


def _usual(rule: Rule, subject: str, history: History, first: str) -> Total | None:
    """The reference, of the days before the window; None while it is not known."""
    beside, measure = rule.beside, rule.measure
    assert beside is not None  # noqa: S101  # the caller's part
    if beside.kind == "qualification":
        return share(round(beside.value * beside.n), beside.n)
    if beside.kind == "before":
        return _figure(rule, subject, history, (day_back(first, beside.days), day_back(first, 1)))
    days = history.days("", day_back(first, 1))
    found = history.told(days, subject, "accuracy" if measure.sums == "classes" else measure.name)[: beside.days]
    if len(found) < beside.days:
        return None
    return total(history, subject, measure, found, as_evidence=rule.weighs_days)
