"""The table of rules, as a team writes it in TOML: read, with every fault named at once.

[[rules]]
name = "trucks"                 what its alerts are called
metric = "recall:truck"         see measures
threshold = 0.7                 or reference = "before:28" and margin = 0.05
min_n = 100
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from monitor.rules.contradictions import contradictions
from monitor.rules.measures import measure_of
from monitor.rules.rule import Rule, Rules
from monitor.statistics.sequences import STARTS
from runtime.faults import nearest, words_of
from runtime.toml import read_toml
from schemas.errors import ConfigurationError

SHIPPED: Final = Path(__file__).with_name("shipped.toml")
"The rules that come with the distribution."
MAX_BYTES: Final = 256 * 1024
"Of a table."
TABLES: Final = ("rules", "monitor")
"What a file may hold: rules, and settings of the monitor to try them with."
KEYS: Final = tuple(field.name for field in fields(Rule))
"What a rule may say."
STAND_INS: Final[Mapping[str, Any]] = {"name": "one-without-a-name", "metric": "accuracy", "min_n": 1}
"Of what has to be given, and is faulty."
MESSAGES: Final = {
    "name": "small letters, digits and hyphens, at most 40",
    "threshold": "a number, or 'min_accuracy'",
    "min_n": "a whole number from 1 on, or 'min_labels'",
    "unless": "names of rules further up, a list",
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
    return read_toml(path, MAX_BYTES)


def parse_rules(table: Mapping[str, Any], where: str, min_accuracy: float, min_labels: int) -> Rules:
    """The rules of what a file says; raises as `load_rules`."""
    faults = [f"[{key}]: a file of rules holds [[rules]], and [monitor] beside" for key in table if key not in TABLES]
    filled = {"min_accuracy": float(min_accuracy), "min_labels": min_labels}
    rules: list[Rule] = []
    for called, row in _rows(table.get("rules"), faults):
        rule, found = _read(row, filled, rules)
        rules.append(rule)
        faults += [f"{called}: {fault}" for fault in found]
    if faults:
        raise ConfigurationError(where, faults)
    return tuple(rules)


def _read(row: Mapping[str, Any], filled: Mapping[str, float], before: Sequence[Rule]) -> tuple[Rule, list[str]]:
    """A rule as far as it is sound, and its faults: of keys by themselves, and of those that are sound beside others."""
    known = _unsaid(row) | {key: _filled(key, value, filled) for key, value in row.items() if key in KEYS}
    found = list(_unknown(row))
    try:
        rule, faulty = _rule_reader().validate_python(known), frozenset[str]()
    except ValidationError as error:
        details = error.errors(include_url=False)
        found += [_fault(row, detail) for detail in details]
        faulty = frozenset(str(detail["loc"][0]) for detail in details)
        sound = {key: value for key, value in known.items() if key not in faulty}
        rule = _rule_reader().validate_python({**STAND_INS, **sound})
    return rule, [*found, *contradictions(rule, before, faulty)]


def _rows(rows: Any, faults: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each rule with what it is called in faults."""
    if not isinstance(rows, list) or not rows:
        faults.append("no [[rules]]: nothing would raise an alert about a day")
        return
    names = [row.get("name") for row in rows if isinstance(row, dict)]
    for number, row in enumerate(rows, 1):
        if isinstance(row, dict):
            yield _called(row.get("name"), number, once=names.count(row.get("name")) == 1), row
        else:
            faults.append(f"rule number {number} = {row!r}: a rule is a table, [[rules]] on a line of its own")


def _called(name: Any, number: int, *, once: bool) -> str:
    """By its name, and by its place in the file where it has none, or one that others have, too."""
    if not name:
        return f"rule number {number}"
    return f"rule {name!r}" if once else f"rule {name!r} (number {number})"


def _unknown(row: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted(row.keys() - set(KEYS)):
        yield f"{key} = {row[key]!r}: no such key; {nearest(key, KEYS)}"


def _unsaid(row: Mapping[str, Any]) -> dict[str, Any]:
    """What is meant where a rule does not say it: evidence looks back as far as it can."""
    measure = measure_of(str(row.get("metric")))
    weighs = row.get("bound") == "anytime" and measure is not None and measure.sums == "share"
    return {"window": STARTS} if weighs else {}


def _filled(key: str, value: Any, filled: Mapping[str, float]) -> Any:
    """A setting's value where its name stands in its place."""
    place = {"min_accuracy": "threshold", "min_labels": "min_n"}
    return filled[value] if isinstance(value, str) and place.get(value) == key else value


def _fault(row: Mapping[str, Any], detail: ErrorDetails) -> str:
    key = str(detail["loc"][0])
    if key not in row:
        return f"{key}: {words_of(detail)}"
    return f"{key} = {row[key]!r}: {MESSAGES.get(key) or words_of(detail)}"


@cache
def _rule_reader() -> TypeAdapter[Rule]:
    return TypeAdapter(Rule)
