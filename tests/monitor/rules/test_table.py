"""Tables of rules in TOML: read, with every fault named."""

import re
from pathlib import Path

import pytest

from monitor.rules import load_rules, shipped_rules
from monitor.rules.measures import BY_NAME, COUNTED, MEASURES, measure_of
from monitor.rules.table import KEYS, MAX_BYTES
from monitor.statistics.sequences import STARTS
from schemas.errors import ConfigurationError
from tests.monitor.rules.days import a_rule, rules_of

DOCUMENT = Path(__file__).parents[3] / "docs" / "rules.md"
RULE = '[[rules]]\nname = "trucks"\nmetric = "recall:truck"\nthreshold = 0.7\nmin_n = 50\n'


def faults(row: dict[str, object]) -> list[str]:
    """Of a rule with these keys."""
    with pytest.raises(ConfigurationError) as caught:
        a_rule(**row)
    return caught.value.faults


def test_the_shipped_rules_take_threshold_and_least_number_from_the_settings() -> None:
    """The plain rule, and the others that speak of the same threshold."""
    rules = {rule.name: rule for rule in shipped_rules(0.8, 20)}
    assert {
        (rules[name].threshold, rules[name].min_n) for name in ("accuracy", "accuracy-sure", "camera-accuracy")
    } == {(0.8, 20)}
    assert (rules["accuracy"].severity, rules["camera-accuracy"].severity) == ("critical", "warning")


def test_a_file_of_rules_is_read(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text(RULE)
    (rule,) = load_rules(tmp_path / "rules.toml", 0.6, 50)
    assert (rule.name, rule.metric, rule.threshold, rule.min_n, rule.severity) == (
        "trucks",
        "recall:truck",
        0.7,
        50,
        "warning",
    )
    assert rule.measure.what == "recall of truck"


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"name": "A b"}, "rule 'A b': name = 'A b': small letters, digits and hyphens, at most 40"),
        ({"metric": "acuracy"}, "rule 'rule': metric = 'acuracy': no such metric; the nearest: accuracy"),
        ({"metric": "recall:"}, "rule 'rule': metric = 'recall:': no such metric; the nearest: recall"),
        ({"metric": "recall:*"}, "rule 'rule': metric = 'recall:*': no such metric; the nearest: recall:*"),
        ({"metric": "recal:truck"}, "metric = 'recal:truck': no such metric; the nearest: recall:truck"),
        ({"metric": "speed"}, "metric = 'speed': no such metric; there are accuracy, frame_accuracy, precision"),
        (
            {"metric": "drift:britness", "scope": "camera"},
            "metric = 'drift:britness': no such metric; the nearest: drift:brightness",
        ),
        ({"metric": "drift:errors", "scope": "camera"}, "metric = 'drift:errors': no such metric"),
        ({"scope": "cameras"}, "rule 'rule': scope = 'cameras': one of all, camera, slice, zone, hour"),
        ({"scope": "hour", "metric": "f1"}, "rule 'rule': scope = 'hour': f1 is told of all and camera"),
        ({"bound": "sure"}, "rule 'rule': bound = 'sure': one of 'point', 'confidence' or 'anytime'"),
        ({"bound": "confidence", "metric": "f1"}, "rule 'rule': bound = 'confidence': f1 has point"),
        ({"bound": "anytime", "for_days": 2}, "rule 'rule': for_days = 2: bound = 'anytime' weighs the days together"),
        ({"bound": "anytime", "window": 90}, "rule 'rule': window = 90: bound = 'anytime' weighs at most"),
        ({"window": 0}, "rule 'rule': window = 0: 1 or more"),
        ({"window": 91}, "rule 'rule': window = 91: 90 at most"),
        ({"window": True}, "rule 'rule': window = True: a whole number"),
        ({"min_n": "many"}, "rule 'rule': min_n = 'many': a whole number from 1 on, or 'min_labels'"),
        ({"threshold": "min_labels"}, "rule 'rule': threshold = 'min_labels': a number, or 'min_accuracy'"),
        ({"threshold": 60}, "rule 'rule': threshold = 60.0: accuracy is a share, 0 to 1"),
        ({"threshold": float("nan")}, "rule 'rule': threshold = nan: a number"),
        ({"margin": 0.05}, "rule 'rule': margin = 0.05: only beside a reference"),
        ({"reference": "before:7", "threshold": 0.5}, "rule 'rule': says both threshold and reference"),
        ({"reference": "last week"}, "rule 'rule': reference = 'last week': one of 'first_days:14', 'before:28'"),
        ({"reference": "first_days:29"}, "rule 'rule': reference = 'first_days:29': at most the first 28 days"),
        ({"reference": "qualification:0.97/5"}, "rests on 5, fewer than min_n = 10"),
        ({"reference": "before:90", "window": 60}, "window, for_days and reference look 150 days back: at most 120"),
        ({"metric": "labels", "reference": "before:7"}, "reference = 'before:7': labels has none; a threshold"),
        ({"severity": "fatal"}, "severity = 'fatal': one of 'info', 'warning' or 'critical'"),
        ({"unless": ["later"]}, "unless = 'later': no rule further up; this is the first"),
        ({"treshold": 0.5}, "treshold = 0.5: no such key; the nearest: threshold"),
        ({"title": "{who}"}, "title = '{who}': there is no 'who'; it may name "),
    ],
)
def test_a_fault_names_the_rule_the_key_the_value_and_what_is_allowed(row: dict[str, object], fault: str) -> None:
    (said,) = faults(row)
    assert fault in said


def test_all_faults_are_named_at_once(tmp_path: Path) -> None:
    """Of all rules, and of what is no rule."""
    file = tmp_path / "rules.toml"
    file.write_text(f'[mail]\nport = 25\n{RULE}{RULE}[[rules]]\nmetric = "f2"\nmin_n = 0\n')
    with pytest.raises(ConfigurationError) as caught:
        load_rules(file, 0.6, 50)
    assert caught.value.where == str(file)
    assert caught.value.faults == [
        "[mail]: a file of rules holds [[rules]], and [monitor] beside",
        "rule 'trucks' (number 2): name = 'trucks': another rule has it",
        "rule number 3: name: has to be given",
        "rule number 3: min_n = 0: a whole number from 1 on, or 'min_labels'",
        "rule number 3: metric = 'f2': no such metric; there are " + ", ".join(BY_NAME) + ", where * is a class",
        "rule number 3: says neither threshold nor reference",
    ]


def test_a_faulty_value_hides_nothing_of_what_others_say() -> None:
    """What is said beside it is checked as far as it does not rest on it; what follows may name the rule."""
    with pytest.raises(ConfigurationError) as caught:
        rules_of(
            {"name": "a", "window": 0, "scope": "cameras", "title": "{who}", "unless": ["b"], "threshold": 60},
            {"name": "b", "unless": ["a"]},
        )
    assert [fault.partition("rule 'a': ")[2].split()[0] for fault in caught.value.faults] == [
        "window",
        "unless",
        "scope",
        "threshold",
        "title",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "no [[rules]]: nothing would raise an alert about a day"),
        ("rules = 5", "no [[rules]]"),
        ("rules = [5]", "rule number 1 = 5: a rule is a table"),
        ("[[rules]\n", "not TOML: "),
        ("#" * (MAX_BYTES + 1), "more than the 262144 bytes that are allowed"),
    ],
)
def test_what_holds_no_rules_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "rules.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=re.escape(fault)):
        load_rules(tmp_path / "rules.toml", 0.6, 50)
    with pytest.raises(ConfigurationError, match="no such file"):
        load_rules(tmp_path / "nowhere.toml", 0.6, 50)


def test_evidence_looks_back_as_far_as_it_can_where_a_rule_does_not_say() -> None:
    assert [a_rule(bound=bound).window for bound in ("point", "anytime")] == [1, STARTS]
    assert a_rule(bound="anytime", window=7).window == 7


def test_a_rule_may_be_silent_for_those_further_up_alone() -> None:
    first, second = rules_of({"name": "one"}, {"name": "two", "unless": ["one"]})
    assert (first.unless, second.unless) == ((), ("one",))


def test_every_key_and_metric_is_in_the_document() -> None:
    """As a line of its tables."""
    text = DOCUMENT.read_text(encoding="utf-8")
    metrics = [measure.name for measure in MEASURES]
    assert [name for name in (*KEYS, *metrics) if f"| `{name}" not in text] == []
    assert all(measure_of(name.replace("*", "car")) for name in metrics if name != "drift:*")
    assert [signal for signal in COUNTED if f"`{signal}`" not in text] == []


def test_the_documents_tables_are_rules(tmp_path: Path) -> None:
    """All TOML blocks of rules load together, and the shipped table is named as it is."""
    text = DOCUMENT.read_text(encoding="utf-8")
    blocks = [block for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL) if "[[rules]]" in block]
    (tmp_path / "rules.toml").write_text("\n".join(blocks))
    assert len(load_rules(tmp_path / "rules.toml", 0.6, 50)) >= 3
    assert [rule.name for rule in shipped_rules(0.6, 50) if f"| `{rule.name}`" not in text] == []
