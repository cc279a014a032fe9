"""Figures meet the thresholds that a team wrote."""

from pathlib import Path

import pytest

from models.qualification.figures import PARTS, Fault, Figure, Measured
from models.qualification.judgement import judge
from models.qualification.thresholds import Threshold, load_thresholds, parse_thresholds
from schemas.errors import ConfigurationError
from tests.models.qualified import measured, measurements

DOCUMENT = Path(__file__).parents[2] / "docs" / "qualification.md"


def answers(line: str, *figures: Figure, champion: Measured | None = None) -> list[str]:
    """Judge the accuracy part by one line; `champion` is its part."""
    table = parse_thresholds(f"[accuracy]\n{line}".encode(), "t.toml")
    beside = None if champion is None else (champion,)
    judgement = judge(table, measurements(measured("accuracy", *figures), champion=beside))
    return [check.answer for check in judgement.parts[0].checks]


def test_the_table_that_comes_along_speaks_of_every_part() -> None:
    table = load_thresholds()
    assert {line.part for line in table.lines} == set(PARTS)
    assert len(table.sha256) == 64


@pytest.mark.parametrize("line", load_thresholds().lines, ids=lambda line: line.figure)
def test_the_documents_name_each_line(line: Threshold) -> None:
    """Each figure of the table stands in the documents, with a reason."""
    assert f"`{line.figure}`" in DOCUMENT.read_text(encoding="utf-8")


FIGURE = Figure("accuracy", 0.93, 0.89, 0.96, 120)


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("accuracy = { min = 0.93 }", "met"),
        ("accuracy = { min = 0.931 }", "missed"),
        ("accuracy = { max = 0.93 }", "met"),
        ("accuracy = { max = 0.9 }", "missed"),
        ('accuracy = { min = 0.9, use = "low" }', "missed"),
        ('accuracy = { min = 0.95, use = "high" }', "met"),
        ("accuracy = { min = 0.9, min_n = 121 }", "missed"),
        ("accuracy = { min = 0.9, min_n = 120 }", "met"),
        ("accuracy = { min = 0.99, ignore_below_n = 121 }", "not judged"),
        ("accuracy = { min_ratio_to_champion = 1.0 }", "not judged"),
        ("accuracy = { min = 0.99, only_with_champion = true }", "not judged"),
        ("recall = { min = 0.9 }", "missed"),
        ("recall = { min = 0.9, optional = true }", "not judged"),
    ],
)
def test_a_line_is_met_missed_or_not_judged(line: str, answer: str) -> None:
    """Without a champion; at the bound itself it is met."""
    assert answers(line, FIGURE) == [answer]


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("accuracy = { min_ratio_to_champion = 0.98 }", "met"),
        ("accuracy = { min_ratio_to_champion = 1.0 }", "missed"),
        ("accuracy = { max_ratio_to_champion = 1.0 }", "met"),
    ],
)
def test_a_ratio_is_to_the_champions_value(line: str, answer: str) -> None:
    assert answers(line, FIGURE, champion=measured("accuracy", Figure("accuracy", 0.94))) == [answer]


def test_one_line_may_want_several_things() -> None:
    """Each bound is a check of its own."""
    line = "accuracy = { min = 0.95, max = 0.99, min_ratio_to_champion = 0.5 }"
    assert answers(line, FIGURE, champion=measured("accuracy", FIGURE)) == ["missed", "met", "met"]


def test_a_star_stands_for_one_word() -> None:
    """`accuracy.*` is every source, and no size."""
    figures = [Figure(name, 0.5) for name in ("accuracy", "accuracy.toll", "accuracy.bridge", "accuracy.size.small")]
    assert answers('"accuracy.*" = { min = 0.9 }', *figures) == ["missed", "missed"]


def test_a_value_that_could_not_be_measured_is_missed() -> None:
    assert answers("accuracy = { min = 0.0 }", Figure("accuracy", None)) == ["missed"]
    assert answers('accuracy = { min = 0.0, use = "low" }', Figure("accuracy", 1.0)) == ["missed"]
    assert answers("accuracy = { min = 0.0 }", Figure("accuracy", float("nan"))) == ["missed"]


def test_a_fault_fails_its_part_whatever_the_thresholds() -> None:
    table = parse_thresholds(b"[latency]\np50_ms = { max = 10 }", "t.toml")
    found = measurements(Measured("errors", (), faults=(Fault("it crashed"),)), Measured("accuracy", ()))
    judgement = judge(table, found)
    assert [part.part for part in judgement.parts if part.approved] == ["accuracy"]


def test_a_part_that_was_not_run_is_not_approved() -> None:
    judgement = judge(load_thresholds(), measurements())
    assert judgement.refused == PARTS
    assert judgement.advice[0].startswith("Not run: accuracy, errors")


FAULTS = {
    "no TOML": ("[accuracy", "is no TOML"),
    "no lines": ("", "no line: every candidate would be approved"),
    "no part": (
        "[acuracy]\naccuracy = { min = 0.9 }",
        "[acuracy]: no part of a qualification; one of accuracy, errors",
    ),
    "no table": ("accuracy = 3", "accuracy = 3: a part is a table"),
    "a bare number": ("[accuracy]\naccuracy = 0.9", "accuracy.accuracy = 0.9: a line is a table"),
    "an unknown key": (
        "[accuracy]\naccuracy = { mim = 0.9 }",
        "accuracy.accuracy: no key 'mim' (0.9); one of min, max",
    ),
    "a text for a number": ("[accuracy]\naccuracy = { min = 'x' }", "accuracy.accuracy: min = 'x': input should be"),
    "an endless number": ("[accuracy]\naccuracy = { min = inf }", "accuracy.accuracy: min = inf: input should be"),
    "an unknown end": (
        "[accuracy]\naccuracy = { min = 1, use = 'mid' }",
        "use = 'mid': input should be 'value', 'low'",
    ),
    "no bound": ("[accuracy]\naccuracy = { use = 'low' }", "says neither min nor max"),
    "bounds that exclude": ("[accuracy]\naccuracy = { min = 2, max = 1 }", "min = 2.0 is above max = 1.0"),
    "no quotes": ("[accuracy]\nrecall.truck = { min = 0.9 }", 'put "recall.truck" in quotes'),
}


@pytest.mark.parametrize(("table", "message"), FAULTS.values(), ids=FAULTS)
def test_a_fault_names_key_and_value(table: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        parse_thresholds(table.encode(), "t.toml")
    assert message in refusal.value.faults[0]
    assert refusal.value.where == "t.toml"


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as refusal:
        parse_thresholds(b"[a]\n[accuracy]\nx = 1\ny = {}\nz = { min = 'q', nim = 2 }", "t.toml")
    assert len(refusal.value.faults) == 5
