"""What broken rules say: texts that a person can act on."""

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.breaches import Breach
from monitor.rules import shipped_rules
from monitor.rules.words import WORDS, unknown_words
from schemas.records import DayReport
from tests.monitor.rules.days import a_finding, a_report, a_rule, a_slice, judged, with_findings


def told(report: DayReport, *before: DayReport, **row: object) -> Breach:
    """What a rule says of a report, which it is broken by, after those before."""
    return judged((a_rule(**row),), [*before, report])[-1].breaches[0]


def test_a_bad_day_is_told_in_words() -> None:
    """How many, how sure, where it is worst, and what may explain it."""
    plain = a_report(0, {"a": (20, 60), "b": (31, 40)})
    breach = judged(shipped_rules(0.6, 50), [with_findings(plain, a_finding(plain))])[0].breaches[0]
    assert breach.title == "Accuracy fell to 51.0% on 2026-03-02, below 60%"
    assert breach.summary == (
        "On 2026-03-02, 51 of 100 labelled vehicles were classified rightly: 51.0%, where at least 60% is asked for."
        " So many samples put the true accuracy between 41% and 61% (95 % confidence). Worst first: a 33%, b 78%."
        " At a brightness went from 120 to 180 about 07:00 UTC."
    )
    assert breach.actions == (
        "Look at frames of a from 2026-03-02: is the picture veiled, dark, bumped or dirty?",
        "If the picture is bad, clean or realign the camera; if the weather is, expect it to pass and watch the next"
        " day.",
        "If the picture is good, check that the labels are right, then label more frames and retrain the model.",
    )


def test_a_bad_camera_is_told_by_name() -> None:
    report = a_report(0, {"a": (30, 60), "b": (400, 400)})
    (breach,) = judged(shipped_rules(0.6, 50), [report])[0].breaches
    assert breach.title == "a: accuracy fell to 50.0% on 2026-03-02, below 60%"
    assert breach.summary == (
        "On 2026-03-02, 30 of 60 labelled vehicles at a were classified rightly: 50.0%, where at least 60% is asked for."
        " So many samples put the true accuracy between 38% and 62% (95 % confidence)."
    )
    assert breach.actions[0].startswith("Look at frames of a from 2026-03-02")


@pytest.mark.parametrize(
    ("row", "title"),
    [
        ({"window": 7}, "Accuracy fell to 50.0% in the 7 days up to 2026-03-02, below 60%"),
        ({"metric": "recall:car"}, "Recall of car fell to 50.0% on 2026-03-02, below 60%"),
        ({"metric": "latency_p95_ms", "threshold": 1500}, "P95 latency rose to 2,000 ms on 2026-03-02, above 1,500 ms"),
        ({"reference": "qualification:0.97/500"}, "Accuracy fell to 50.0% on 2026-03-02, from 97.0%"),
        ({"threshold": 0.5001}, "Accuracy fell to 50.00% on 2026-03-02, below 50%"),
        ({"title": "{camera}: only {right} of {samples}"}, "all cameras: only 500 of 1000"),
    ],
)
def test_a_title_says_what_where_and_when(row: dict[str, object], title: str) -> None:
    report = a_report(0, {"a": (500, 1000)})
    report = replace(report, scores=replace(report.scores, latency_p95_ms=2000.0))
    assert told(report, **row).title == title


def test_days_in_a_row_are_counted() -> None:
    days = [a_report(number, {"a": (50, 100)}) for number in range(3)]
    assert told(days[2], *days[:2], for_days=3).title.endswith("on 2026-03-04, below 60%, 3 days in a row")
    assert told(days[2], *days[:2], for_days=3).since == days[0].starts_at


def test_a_proof_says_since_when_and_how_sure() -> None:
    days = [a_report(number, {"a": (9, 10) if number < 4 else (1, 10)}) for number in range(8)]
    breach = told(days[-1], *days[:-1], bound="anytime")
    assert breach.title == "Accuracy is below 60% beyond doubt: 10.0% from 2026-03-06 to 2026-03-09"
    assert breach.samples == 40
    assert breach.since == days[4].starts_at
    assert "at most 5 % of all spans of 90 days raise such an alarm" in breach.summary


def test_what_is_worse_than_before_says_what_was() -> None:
    days = [a_report(number, {"a": (95, 100)}) for number in range(4)]
    bad = a_report(4, {"a": (60, 100)})
    breach = told(bad, *days, reference="before:4", margin=0.05, bound="anytime", window=1)
    assert breach.title.startswith("Accuracy is worse than in the 4 days before beyond doubt: 60.0%")
    assert "In the 4 days before it was 95.0%, over 400 labelled vehicles." in breach.summary


def test_a_slice_is_named_and_its_actions_are_about_it() -> None:
    report = a_report(0, {"a": (90, 100)}, [a_slice("hour=07", -0.25)])
    (breach,) = judged(shipped_rules(0.6, 50), [report])[0].breaches
    assert (breach.rule, breach.slice, breach.camera_id) == ("slice", "hour=07", None)
    assert breach.title == "Vehicles with hour=07 fare worse than all others: -25.0 points"
    assert breach.actions[0].startswith("Look at labelled frames with hour=07 from 2026-03-02")


def test_a_finding_of_an_earlier_day_says_its_day() -> None:
    plain = a_report(1, {"a": (50, 100)})
    old = a_finding(plain, since=plain.starts_at - timedelta(hours=3))
    frozen = a_finding(plain, hour=9, kind="integrity", signal="frozen")
    summary = told(with_findings(plain, old, frozen)).summary
    assert "At a brightness went from 120 to 180 about 2026-03-02 21:00 UTC." in summary
    assert "At a, frozen was found about 09:00 UTC." in summary


@pytest.mark.parametrize("template", ["{nobody}", "{value:.1q}", "{", "{0}", "{value.real.x}", "{day[x]}"])
def test_a_template_that_cannot_be_filled_is_known_at_once(template: str) -> None:
    assert unknown_words(template)


def test_every_word_that_a_template_may_name_is_there() -> None:
    """In every shipped rule that is broken here, and in one without a word of its own."""
    template = " ".join(f"{{{word}}}" for word in WORDS)
    for row in ({}, {"scope": "camera"}, {"reference": "qualification:0.97/500"}):
        assert told(a_report(0, {"a": (50, 100)}), title=template, summary=template, **row).title
