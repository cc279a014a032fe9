"""The table of rules, as a team writes it in TOML: read, with every fault named at once.

[[rules]]
name = "trucks"                 what its alerts are called
metric = "recall:truck"         see measures
threshold = 0.7                 or reference = "before:28" and margin = 0.05
min_n = 100
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from monitor.rules.history import FIRST, HELD
from monitor.rules.measures import BY_NAME, DIMENSIONS, measure_of, place_of
from monitor.rules.rule import Rule, Rules
from monitor.rules.words import WORDS, unknown_words
from monitor.statistics.sequences import STARTS
from schemas.errors import ConfigurationError

SHIPPED: Final = Path(__file__).with_name("shipped.toml")
"The rules that come with the distribution."
MAX_BYTES: Final = 256 * 1024
"Of a table."
TABLES: Final = ("rules", "monitor")
"What a file may hold: rules, and settings of the monitor to try them with."
KEYS: Final = tuple(field.name for field in fields(Rule))
"What a rule may say."
REFERENCES: Final = (
    "'first_days:14', 'before:28' (1 to 99 days) or 'qualification:0.972/500', a figure and its pictures"
)

MESSAGES: Final = {
    "name": "small letters, digits and hyphens, at most 40",
    "threshold": "a number, or 'min_accuracy'",
    "min_n": "a whole number from 1 on, or 'min_labels'",
}
"What some keys may hold, where that can be said better than by their type."


def shipped_rules(min_accuracy: float, min_labels: int) -> Rules:
    """The rules that come with the distribution, with these in the place of the settings that they name."""
    return load_rules(SHIPPED, min_accuracy, min_labels)


def load_rules(path: Path, min_accuracy: float, min_labels: int) -> Rules:
    """The rules of a file, in which `"min_accuracy"` and `"min_labels"` stand for these.

    Raises:
        ConfigurationError: names each fault with its rule, key and value.

    """
    return parse_rules(read_table(path), str(path), min_accuracy, min_labels)


def read_table(path: Path) -> dict[str, Any]:
    """What a file says; raises ConfigurationError where it cannot be read, or is no TOML."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise ConfigurationError(str(path), ["no such file"]) from error
    except OSError as error:
        raise ConfigurationError(str(path), [f"cannot be read: {error.strerror}"]) from error
    if len(raw) > MAX_BYTES:
        raise ConfigurationError(str(path), [f"more than the {MAX_BYTES} bytes that are allowed"])
    try:
        return tomllib.loads(raw.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigurationError(str(path), [f"not TOML: {error}"]) from error


def parse_rules(table: Mapping[str, Any], where: str, min_accuracy: float, min_labels: int) -> Rules:
    """The rules of what a file says; raises as `load_rules`."""
    faults = [f"[{key}]: a file of rules holds [[rules]], and [monitor] beside" for key in table if key not in TABLES]
    filled = {"min_accuracy": float(min_accuracy), "min_labels": min_labels}
    rules: list[Rule] = []
    for called, row in _rows(table.get("rules"), faults):
        found = list(_unknown(row))
        if (rule := _rule(row, filled, found)) is not None:
            found += _contradictions(rule, rules)
            rules.append(rule)
        faults += [f"{called}: {fault}" for fault in found]
    if faults:
        raise ConfigurationError(where, faults)
    return tuple(rules)


def _rows(rows: Any, faults: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each rule with what it is called in faults."""
    if not isinstance(rows, list) or not rows:
        faults.append("no [[rules]]: nothing would raise an alert about a day")
        return
    for number, row in enumerate(rows, 1):
        if isinstance(row, dict):
            yield f"rule {row['name']!r}" if row.get("name") else f"rule number {number}", row
        else:
            faults.append(f"rule number {number} = {row!r}: a rule is a table, [[rules]] on a line of its own")


def _unknown(row: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted(row.keys() - set(KEYS)):
        yield f"{key} = {row[key]!r}: no such key; one of {', '.join(KEYS)}"


def _rule(row: Mapping[str, Any], filled: Mapping[str, float], faults: list[str]) -> Rule | None:
    known = _unsaid(row) | {key: _filled(key, value, filled) for key, value in row.items() if key in KEYS}
    try:
        return _rule_reader().validate_python(known)
    except ValidationError as error:
        faults += [_fault(row, dict(detail)) for detail in error.errors()]
        return None


def _unsaid(row: Mapping[str, Any]) -> dict[str, Any]:
    """What is meant where a rule does not say it: evidence looks back as far as it can."""
    measure = measure_of(str(row.get("metric")))
    weighs = row.get("bound") == "anytime" and measure is not None and measure.sums == "share"
    return {"window": STARTS} if weighs else {}


def _filled(key: str, value: Any, filled: Mapping[str, float]) -> Any:
    """A setting's value where its name stands in its place."""
    place = {"min_accuracy": "threshold", "min_labels": "min_n"}
    return filled[value] if isinstance(value, str) and place.get(value) == key else value


def _fault(row: Mapping[str, Any], detail: Mapping[str, Any]) -> str:
    key = str(detail["loc"][0])
    message = f"{detail['msg'][0].lower()}{detail['msg'][1:]}"
    return f"{key} = {row[key]!r}: {MESSAGES.get(key, message)}" if key in row else f"{key}: {message}"


@cache
def _rule_reader() -> TypeAdapter[Rule]:
    return TypeAdapter(Rule)


# What each key allows by itself, and cannot beside the others


def _contradictions(rule: Rule, before: Iterable[Rule]) -> Iterator[str]:
    known = [other.name for other in before]
    if rule.name in known:
        yield f"name = {rule.name!r}: another rule has it"
    for name in rule.unless:
        if name not in known:
            yield f"unless = {name!r}: no rule further up; {', '.join(known) or 'this is the first'}"
    yield from _about_what(rule)
    yield from _about_words(rule)


def _about_what(rule: Rule) -> Iterator[str]:
    if measure_of(rule.metric) is None:
        yield f"metric = {rule.metric!r}: one of {', '.join(BY_NAME)}, where * is a class or a signal"
    if place_of(rule.scope) is None:
        yield f"scope = {rule.scope!r}: one of all, camera, slice, {', '.join(DIMENSIONS)}"
    if measure_of(rule.metric) is None or place_of(rule.scope) is None:
        return
    yield from _about_places(rule)
    yield from _about_days(rule)
    yield from _about_allowed(rule)


def _about_places(rule: Rule) -> Iterator[str]:
    measure = rule.measure
    if rule.place not in measure.places:
        yield f"scope = {rule.scope!r}: {rule.metric} is told of {' and '.join(measure.places)}"
    if rule.bound not in measure.bounds:
        yield f"bound = {rule.bound!r}: {rule.metric} has {', '.join(measure.bounds)}"


def _about_days(rule: Rule) -> Iterator[str]:
    measure, beside = rule.measure, rule.beside
    if measure.sums == "alone" and rule.window > 1:
        yield f"window = {rule.window}: {rule.metric} is told of single days: 1, and for_days for several in a row"
    if rule.weighs_days and rule.window > STARTS:
        yield f"window = {rule.window}: bound = 'anytime' weighs at most {STARTS} days"
    if rule.bound == "anytime" and rule.for_days > 1:
        yield f"for_days = {rule.for_days}: bound = 'anytime' weighs the days together: 1, and a longer window"
    if beside and beside.kind == "first_days" and beside.days > FIRST:
        yield f"reference = {rule.reference!r}: at most the first {FIRST} days are kept"
    if (back := rule.window + rule.for_days - 1 + (beside.days if beside else 0)) > HELD:
        yield f"window, for_days and reference look {back} days back: at most {HELD}"


def _about_allowed(rule: Rule) -> Iterator[str]:
    if (rule.threshold is None) == (rule.reference is None):
        yield "says neither threshold nor reference" if rule.threshold is None else "says both threshold and reference"
    if rule.margin and rule.reference is None:
        yield f"margin = {rule.margin}: only beside a reference"
    if rule.reference is not None:
        yield from _about_reference(rule)
    if rule.threshold is not None and rule.measure.unit == "%" and not 0 <= rule.threshold <= 1:
        yield f"threshold = {rule.threshold}: {rule.metric} is a share, 0 to 1"


def _about_reference(rule: Rule) -> Iterator[str]:
    beside = rule.beside
    if beside is None:
        yield f"reference = {rule.reference!r}: one of {REFERENCES}"
    elif rule.measure.sums in ("alone", "count"):
        yield f"reference = {rule.reference!r}: {rule.metric} has none; a threshold"
    elif beside.kind == "qualification" and rule.measure.sums == "mean":
        yield f"reference = {rule.reference!r}: {rule.metric} is not what a qualification measures; first_days or before"
    elif beside.kind == "qualification" and beside.n < rule.min_n:
        yield f"reference = {rule.reference!r}: rests on {beside.n}, fewer than min_n = {rule.min_n}"


def _about_words(rule: Rule) -> Iterator[str]:
    for key, template in (("title", rule.title), ("summary", rule.summary)):
        if template is not None and (why := unknown_words(template)):
            yield f"{key} = {template!r}: {why}; it may name {', '.join(sorted(WORDS))}"
