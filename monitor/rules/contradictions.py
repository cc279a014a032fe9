"""What keys of a rule allow by themselves, and cannot beside each other: a table of checks, each of some keys.

A check is left out where a key that it looks at is faulty: what others say of each other is told at once nonetheless.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final

from monitor.rules.history import FIRST, HELD
from monitor.rules.measures import BY_NAME, DIMENSIONS, measure_of, metrics_like, place_of
from monitor.rules.rule import Rule
from monitor.rules.words import WORDS, unknown_words
from monitor.statistics.sequences import STARTS
from runtime.faults import nearest

Check = Callable[[Rule, Sequence[Rule]], Iterator[str]]
"""Of a rule and those further up."""

REFERENCES: Final = (
    "'first_days:14', 'before:28' (1 to 99 days) or 'qualification:0.972/500', a figure and its pictures"
)


def contradictions(rule: Rule, before: Sequence[Rule], faulty: Collection[str] = ()) -> Iterator[str]:
    """Each of them in a line; `faulty` are keys whose values are not those that somebody wrote."""
    unsound = set(faulty)
    for keys, check in CHECKS:
        if unsound.isdisjoint(keys):
            found = list(check(rule, before))
            yield from found
            unsound.update(keys if found and len(keys) == 1 else ())


def _about_name(rule: Rule, before: Sequence[Rule]) -> Iterator[str]:
    if rule.name in [other.name for other in before]:
        yield f"name = {rule.name!r}: another rule has it"


def _about_unless(rule: Rule, before: Sequence[Rule]) -> Iterator[str]:
    known = [other.name for other in before]
    for name in rule.unless:
        if name not in known:
            yield f"unless = {name!r}: no rule further up; {', '.join(known) or 'this is the first'}"


def _about_metric(rule: Rule, _before: Sequence[Rule]) -> Iterator[str]:
    if measure_of(rule.metric) is None:
        meant = nearest(rule.metric, metrics_like(rule.metric), BY_NAME)
        yield f"metric = {rule.metric!r}: no such metric; {meant}{', where * is a class' if '*' in meant else ''}"


def _about_scope(rule: Rule, _before: Sequence[Rule]) -> Iterator[str]:
    if place_of(rule.scope) is None:
        yield f"scope = {rule.scope!r}: one of all, camera, slice, {', '.join(DIMENSIONS)}"


def _about_reference(rule: Rule, _before: Sequence[Rule]) -> Iterator[str]:
    beside = rule.beside
    if rule.reference is not None and beside is None:
        yield f"reference = {rule.reference!r}: one of {REFERENCES}"
    if beside and beside.kind == "first_days" and beside.days > FIRST:
        yield f"reference = {rule.reference!r}: at most the first {FIRST} days are kept"


def _about_place(rule: Rule, _before: Sequence[Rule]) -> Iterator[str]:
    if rule.place not in rule.measure.places:
        yield f"scope = {rule.scope!r}: {rule.metric} is told of {' and '.join(rule.measure.places)}"


def _about_bound(rule: Rule, _before: Sequence[Rule]) -> Iterator[str]:
    if rule.bound not in rule.measure.bounds:
        yield f"bound = {rule.bound!r}: {rule.metric} has {', '.join(rule.measure.bounds)}"


def _about_days_alone(rule: Rule, _before: Sequence[Rule]) -> Iterator[str]:
    if rule.measure.sums == "alone" and rule.window > 1:
        yield f"window = {rule.window}: {rule.metric} is told of single days: 1, and for_days for several in a row"


def _about_days_weighed(rule: Rule, _before: Sequence[Rule]) -> Iterator[str]:
    if rule.weighs_days and rule.window > STARTS:
        yield f"window = {rule.window}: bound = 'anytime' weighs at most {STARTS} days"


def _about_days_in_a_row(rule: Rule, _before: Sequence[Rule]) -> Iterator[str]:
    if rule.bound == "anytime" and rule.for_days > 1:
        yield f"for_days = {rule.for_days}: bound = 'anytime' weighs the days together: 1, and a longer window"


def _about_days_back(rule: Rule, _before: Sequence[Rule]) -> Iterator[str]:
    beside = rule.beside
    if (back := rule.window + rule.for_days - 1 + (beside.days if beside else 0)) > HELD:
        yield f"window, for_days and reference look {back} days back: at most {HELD}"


def _about_allowed(rule: Rule, _before: Sequence[Rule]) -> Iterator[str]:
    if (rule.threshold is None) == (rule.reference is None):
        yield "says neither threshold nor reference" if rule.threshold is None else "says both threshold and reference"


def _about_margin(rule: Rule, _before: Sequence[Rule]) -> Iterator[str]:
    if rule.margin and rule.reference is None:
        yield f"margin = {rule.margin}: only beside a reference"


def _about_threshold(rule: Rule, _before: Sequence[Rule]) -> Iterator[str]:
    if rule.threshold is not None and rule.measure.unit == "%" and not 0 <= rule.threshold <= 1:
        yield f"threshold = {rule.threshold}: {rule.metric} is a share, 0 to 1"


def _about_comparing(rule: Rule, _before: Sequence[Rule]) -> Iterator[str]:
    beside = rule.beside
    if beside and rule.measure.sums in ("alone", "count"):
        yield f"reference = {rule.reference!r}: {rule.metric} has none; a threshold"
    elif beside and beside.kind == "qualification" and rule.measure.sums == "mean":
        yield f"reference = {rule.reference!r}: {rule.metric} is not what a qualification measures; first_days or before"


def _about_least(rule: Rule, _before: Sequence[Rule]) -> Iterator[str]:
    beside = rule.beside
    if (
        beside
        and beside.kind == "qualification"
        and beside.n < rule.min_n
        and rule.measure.sums not in ("mean", "alone")
    ):
        yield f"reference = {rule.reference!r}: rests on {beside.n}, fewer than min_n = {rule.min_n}"


def _about_title(rule: Rule, _before: Sequence[Rule]) -> Iterator[str]:
    yield from _about_words("title", rule.title)


def _about_summary(rule: Rule, _before: Sequence[Rule]) -> Iterator[str]:
    yield from _about_words("summary", rule.summary)


def _about_words(key: str, template: str | None) -> Iterator[str]:
    if template is not None and (why := unknown_words(template)):
        yield f"{key} = {template!r}: {why}; it may name {', '.join(sorted(WORDS))}"


CHECKS: Final[tuple[tuple[tuple[str, ...], Check], ...]] = (
    (("name",), _about_name),
    (("unless",), _about_unless),
    (("metric",), _about_metric),
    (("scope",), _about_scope),
    (("reference",), _about_reference),
    (("metric", "scope"), _about_place),
    (("metric", "bound"), _about_bound),
    (("metric", "window"), _about_days_alone),
    (("metric", "bound", "window"), _about_days_weighed),
    (("bound", "for_days"), _about_days_in_a_row),
    (("window", "for_days", "reference"), _about_days_back),
    (("threshold", "reference"), _about_allowed),
    (("margin", "reference"), _about_margin),
    (("metric", "threshold"), _about_threshold),
    (("metric", "reference"), _about_comparing),
    (("metric", "reference", "min_n"), _about_least),
    (("title",), _about_title),
    (("summary",), _about_summary),
)
"The keys that each looks at; those of single keys first, for what they find faulty is nothing for the others."
