"""Rules judge reports: when they speak, of whom, and when they are silent."""

import json
from dataclasses import replace

import pytest

from monitor.metrics import cells
from monitor.rules import History, judge, shipped_rules
from monitor.statistics.weighted import effective, strata_of, value_of
from schemas.records import DayReport, EstimatedAccuracy, SignalScores, WeightedCells
from tests.monitor.rules.days import (
    Counts,
    a_finding,
    a_report,
    a_rule,
    a_slice,
    broken,
    day_number,
    judged,
    rules_of,
    with_findings,
)

GOOD, BAD, FEW = (95, 100), (50, 100), (5, 9)


def all_days(*days: Counts) -> list[object]:
    """Reports on days in a row of one camera."""
    return [a_report(number, {"a": counts}) for number, counts in enumerate(days)]


def test_a_figure_below_its_threshold_breaks_a_rule() -> None:
    """And one that reaches it keeps it."""
    first, second = judged((a_rule(),), all_days((59, 100), (60, 100)))
    assert [(b.rule, b.value, b.threshold, b.samples) for b in first.breaches] == [("rule", 0.59, 0.6, 100)]
    assert (second.breaches, second.kept) == ((), {"rule"})


def test_on_too_few_a_rule_says_nothing() -> None:
    """Neither that it is broken nor that it is kept."""
    (judgement,) = judged((a_rule(),), all_days(FEW))
    assert (judgement.breaches, judgement.kept) == ((), frozenset())


def test_each_camera_is_judged_for_itself() -> None:
    report = a_report(0, {"a": BAD, "b": GOOD, "c": FEW})
    (judgement,) = judged((a_rule(scope="camera"),), [report])
    assert [breach.camera_id for breach in judgement.breaches] == ["a"]
    assert judgement.kept == {"rule:b"}


def test_slices_of_one_dimension_or_of_all_are_judged() -> None:
    report = a_report(0, {"a": GOOD}, [a_slice("hour=07", -0.4), a_slice("zone=exit", -0.5), a_slice("hour=08", 0.0)])
    assert broken((a_rule(scope="slice"),), [report]) == [["rule:hour=07", "rule:zone=exit"]]
    assert broken((a_rule(scope="hour"),), [report]) == [["rule:hour=07"]]


def test_a_window_adds_the_days_up() -> None:
    """9 labels a day are too few, those of three days are not; the good day before them is out of sight."""
    days = all_days(GOOD, (3, 9), (3, 9), (3, 9))
    assert broken((a_rule(window=3, min_n=27),), days) == [[], [], [], ["rule"]]


def test_several_days_in_a_row_are_what_it_asks_for() -> None:
    """A day without labels breaks the row, as a good one does."""
    days = all_days(BAD, BAD, GOOD, BAD, (0, 0), BAD, BAD, BAD)
    assert broken((a_rule(for_days=3),), days) == [[], [], [], [], [], [], [], ["rule"]]
    assert broken((a_rule(for_days=2),), days)[1] == ["rule"]


def test_a_day_that_is_missing_is_no_day_in_a_row() -> None:
    days = [a_report(number, {"a": BAD}) for number in (0, 2, 3)]
    assert broken((a_rule(for_days=2),), days) == [[], [], ["rule"]]


def test_a_confidence_bound_wants_the_whole_interval_below() -> None:
    """55 of 100 may be 65 in truth; 45 of 100 may not."""
    assert broken((a_rule(bound="confidence"),), all_days((55, 100), (45, 100))) == [[], ["rule"]]


def test_a_rule_is_silent_where_another_says_it_already() -> None:
    """Of all cameras, or of the same one; it is not kept either."""
    rules = rules_of({"name": "all"}, {"name": "each", "scope": "camera", "unless": ["all"]})
    both, one = judged(rules, [a_report(0, {"a": BAD, "b": BAD}), a_report(1, {"a": BAD, "b": (900, 1000)})])
    assert [breach.subject for breach in both.breaches] == ["all"]
    assert both.kept == frozenset()
    assert [breach.subject for breach in one.breaches] == ["each:a"]


def test_a_rule_speaks_of_a_camera_where_the_other_spoke_of_another() -> None:
    rules = rules_of({"name": "worse", "scope": "camera", "threshold": 0.4}, {"scope": "camera", "unless": ["worse"]})
    report = a_report(0, {"a": (30, 100), "b": (50, 100), "c": GOOD})
    assert broken(rules, [report]) == [["worse:a", "rule:b"]]


def test_what_was_silenced_itself_silences_others() -> None:
    """The chain holds: whoever would have spoken is heard by those below."""
    rules = rules_of({"name": "one"}, {"name": "two", "unless": ["one"]}, {"name": "three", "unless": ["two"]})
    assert broken(rules, all_days(BAD)) == [["one"]]


def test_a_revision_takes_the_place_of_the_day() -> None:
    """Late labels count once."""
    rule, history = a_rule(window=2, min_n=100), History()
    judge((rule,), a_report(0, {"a": (40, 90)}), history)
    judge((rule,), a_report(0, {"a": (45, 100)}, revision=2), history)
    (breach,) = judge((rule,), a_report(1, {"a": (5, 10)}), history).breaches
    assert (breach.samples, breach.value) == (110, 50 / 110)


def test_a_late_revision_is_judged_by_the_days_before_it() -> None:
    """What came after is no part of its window."""
    rule, history = a_rule(window=7), History()
    for report in all_days(GOOD, GOOD, (0, 100), (0, 100)):
        judge((rule,), report, history)
    assert judge((rule,), a_report(1, {"a": GOOD}, revision=2), history).kept == {"rule"}


def test_worse_than_the_days_before() -> None:
    """By more than the margin; without days before it says nothing."""
    rule = a_rule(reference="before:3", margin=0.05)
    first, *others = judged((rule,), all_days(GOOD, GOOD, (91, 100), (88, 100)))
    assert (first.breaches, first.kept) == ((), frozenset())
    assert [len(judgement.breaches) for judgement in others] == [0, 0, 1]
    (breach,) = others[-1].breaches
    assert breach.threshold == pytest.approx(281 / 300 - 0.05)


def test_worse_than_the_first_days() -> None:
    """However long ago they were: the days before do not become the measure of a slow decline."""
    falling = [(98 - number // 4, 100) for number in range(160)]
    rule = a_rule(reference="first_days:14", margin=0.1)
    days = [found for found in broken((rule,), all_days(*falling)) if found]
    assert len(days) == 160 - 48
    rule = a_rule(reference="before:14", margin=0.1)
    assert not any(broken((rule,), all_days(*falling)))


def test_worse_than_in_qualification() -> None:
    rule = a_rule(reference="qualification:0.97/500", margin=0.05)
    assert broken((rule,), all_days((93, 100), (91, 100))) == [[], ["rule"]]
    sure = replace(rule, bound="confidence")
    assert broken((sure,), all_days((91, 100), (80, 100))) == [[], ["rule"]]


def test_a_slice_is_told_when_it_is_worse_beyond_doubt() -> None:
    """The report says whether it is; the rule how much matters."""
    rule = a_rule(metric="gap", scope="slice", threshold=-0.1, bound="anytime")
    found = [a_slice("hour=07", -0.2), a_slice("hour=08", -0.2, discovered=False), a_slice("hour=09", -0.05)]
    (judgement,) = judged((rule,), [a_report(0, {"a": GOOD}, found)])
    assert [breach.slice for breach in judgement.breaches] == ["hour=07"]
    assert judgement.kept == {"rule:hour=08"}


def test_a_slice_that_was_told_counts_as_kept_when_it_surely_is_no_longer_so_bad() -> None:
    """Its interval, 10 points to either side, has to leave the threshold behind."""
    rule = a_rule(metric="gap", scope="slice", threshold=-0.1, bound="anytime")
    days = [a_report(n, {"a": GOOD}, [a_slice("hour=07", gap)]) for n, gap in enumerate((-0.2, -0.05, 0.05))]
    assert [(len(each.breaches), len(each.kept)) for each in judged((rule,), days)] == [(1, 0), (0, 0), (0, 1)]


def test_a_slice_that_is_a_camera_is_told_as_one_and_only_once() -> None:
    rules = rules_of(
        {"name": "camera", "scope": "camera"},
        {"name": "slice", "metric": "gap", "scope": "slice", "threshold": -0.1, "unless": ["camera"]},
    )
    gaps = [a_slice("camera=a", -0.4), a_slice("camera=b", -0.2)]
    (judgement,) = judged(rules, [a_report(0, {"a": BAD, "b": GOOD}, gaps)])
    assert [(breach.rule, breach.camera_id) for breach in judgement.breaches] == [("camera", "a"), ("slice", "b")]


def test_a_source_of_labels_that_falls_silent_is_told() -> None:
    """After seven days; where there never were labels, nobody is missed."""
    rule = a_rule(metric="labels", window=7, threshold=1, min_n=50)
    silent = [(0, 0)] * 7
    assert broken((rule,), all_days(GOOD, *silent)) == [*([[]] * 7), ["rule"]]
    assert not any(broken((rule,), all_days(*silent, *silent)))


def test_an_estimate_that_labels_have_broken_is_not_judged() -> None:
    rule = a_rule(metric="estimated_accuracy", bound="confidence")
    low = EstimatedAccuracy(0.5, 0.4, 0.55, 400, {"car": 1.0}, "")
    reports = [a_report(n, {"a": GOOD}, estimate=replace(low, breaks=why)) for n, why in enumerate(("", "labels"))]
    assert broken((rule,), reports) == [["rule"], []]
    assert broken((a_rule(metric="estimate_broken", threshold=0),), reports) == [[], ["rule"]]


def test_a_changed_picture_is_told_of_its_camera() -> None:
    rule = a_rule(metric="drift:brightness", scope="camera", threshold=2.0)
    report = a_report(0, {"a": GOOD, "b": GOOD})
    first, second = report.cameras
    signal = SignalScores("brightness", 900, 60.0, 9.0, 110.0, -3.1, 0.0, differs=True)
    assert broken((rule,), [replace(report, cameras=(replace(first, signals=(signal,)), second))]) == [["rule:a"]]


@pytest.mark.parametrize(
    ("metric", "threshold", "value"),
    [
        ("f1", 0.5, pytest.approx(1 / 3)),
        ("recall", 0.6, 0.5),
        ("precision", 0.6, 0.5),
        ("recall:car", 0.6, 0.5),
        ("precision:truck", 0.5, 0.0),
        ("f1:car", 0.7, pytest.approx(2 / 3)),
        ("flip_rate", 0.1, 0.2),
        ("mean_confidence", 0.9, 0.8),
        ("latency_p95_ms", 100, 250.0),
        ("calibration_error", 0.1, 0.2),
        ("unmatched_labels", 0.1, 0.2),
        ("passages", 500, 200),
    ],
)
def test_a_metric_is_read_as_the_report_says(metric: str, threshold: float, value: float) -> None:
    """Today's figures, and those of the window that is made of today alone."""
    report = a_report(1, {"a": BAD})
    told = {"flip_rate": 0.2, "mean_confidence": 0.8, "latency_p95_ms": 250.0, "unmatched_labels": 25}
    report = replace(report, scores=replace(report.scores, **told), calibration_error=0.2)
    rule = a_rule(metric=metric, threshold=threshold)
    (*_, judgement) = judged((rule,), [a_report(0, {"a": GOOD}), report])
    assert [(breach.metric, breach.value) for breach in judgement.breaches] == [(metric, value)]


def test_an_alert_tells_since_when_a_finding_may_explain_it() -> None:
    """The earliest harmful one of the day; without one, since the day began."""
    plain = a_report(0, {"a": BAD})
    harmless = a_finding(plain, hour=3, worse=False)
    report = with_findings(plain, harmless, a_finding(plain, hour=7), a_finding(plain, hour=5, signal="contrast"))
    assert [b.since for j in judged((a_rule(),), [plain, report]) for b in j.breaches] == [
        plain.starts_at,
        a_finding(plain, hour=5).since,
    ]


def test_a_restored_history_goes_on_as_if_nothing_had_been() -> None:
    """After every day, through JSON."""
    rules = (*shipped_rules(0.6, 50), a_rule(name="first", reference="first_days:5"))
    days = [a_report(n, {"a": (90 - n, 100), "b": GOOD}, [a_slice("hour=07", -0.2)]) for n in range(40)]
    history, said = History(), []
    for report in days:
        history = History.restore(json.loads(json.dumps(history.snapshot())))
        said.append(judge(rules, report, history))
    assert said == judged(rules, days)


def test_the_history_is_bounded() -> None:
    """120 days of accuracy and labels, of other figures what the rules look back; a camera that is gone is forgotten."""
    rules = (*shipped_rules(0.6, 50), a_rule(name="first", scope="camera", reference="first_days:5"))
    history = History()
    for number in range(400):
        cameras = {"a": GOOD} if number > 20 else {"a": GOOD, "gone": GOOD}
        judge(rules, a_report(number, cameras, [a_slice(f"hour={hour:02}", 0.0) for hour in range(24)]), history)
    plain = history.snapshot()
    assert len(plain) == 120 + 5
    assert not any("camera:gone" in subjects for subjects in plain.values())
    assert sum("slice:hour=07" in subjects for subjects in plain.values()) == 1
    assert len(json.dumps(plain)) < 30_000
    assert plain[day_number(0)] == {"camera:a": {"accuracy": [95, 100]}}


def test_a_late_revision_finds_what_its_window_looks_back_on() -> None:
    """Also of a figure that newer days need no longer."""
    rule, history = a_rule(metric="recall", window=3, min_n=250), History()
    for number in range(12):
        judge((rule,), a_report(number, {"a": GOOD}), history)
    assert judge((rule,), a_report(2, {"a": GOOD}, revision=2), history).kept == {"rule"}


def weighted(number: int, easy: Counts, hard: Counts) -> DayReport:
    """A day of one camera: labels of sure vehicles stand for ten each, those of others for one."""
    told = a_report(number, {"a": (easy[0] + hard[0], easy[1] + hard[1])})
    parts = tuple(
        WeightedCells(weight, cells({("car", "car"): right, ("car", "truck"): n - right}), (), 0.9 * n)
        for weight, (right, n) in ((1.0, hard), (10.0, easy))
    )
    strata = strata_of(parts)
    found = replace(told.scores, weighted=parts, accuracy=value_of(strata), effective=effective(strata))
    return replace(told, scores=found, cameras=(replace(told.cameras[0], scores=found),))


def test_weighted_labels_are_judged_by_the_vehicles_that_they_stand_for() -> None:
    """70 of 100 labels are right, as hard ones were asked for; of the vehicles 93 in 100 are."""
    rule = a_rule(threshold=0.8)
    (plain,), (judgement,) = judged((rule,), all_days((70, 100))), judged((rule,), [weighted(0, (40, 40), (30, 60))])
    assert [breach.subject for breach in plain.breaches] == ["rule"]
    assert (judgement.breaches, judgement.kept) == ((), {"rule"})


def test_bounds_rest_on_what_weighted_labels_are_worth() -> None:
    """100 labels, of which twenty stand for most vehicles: a plain sample of few would tell as much."""
    report = weighted(0, (10, 20), (80, 80))
    (breach,) = judged((a_rule(threshold=0.66),), [report])[0].breaches
    assert (breach.value, breach.samples) == (pytest.approx(180 / 280), round(report.scores.effective or 0))
    assert 20 < breach.samples < 50
    assert judged((a_rule(threshold=0.7, bound="confidence"),), [report])[0].breaches == ()
    assert "of a plain sample" in breach.summary


def test_evidence_counts_each_weighted_label_by_the_heaviest() -> None:
    """A label that stands for a tenth is a tenth of one; a fall is found, and good days beside it are not."""
    rule = a_rule(bound="anytime", window=7)
    found = judged((rule,), [weighted(number, (15, 40), (20, 60)) for number in range(4)])
    (breach,) = found[-1].breaches
    assert breach.value == pytest.approx(170 / 460)
    assert breach.samples % 46 == 0
    assert broken((rule,), [weighted(number, (38, 40), (20, 60)) for number in range(4)]) == [[]] * 4


def test_weighted_and_plain_days_add_up_by_what_they_are_worth() -> None:
    """The history is plain JSON."""
    history, rules = History(), (a_rule(window=2, threshold=0.9),)
    plain, day = a_report(0, {"a": (50, 100)}), weighted(1, (40, 40), (30, 60))
    judge(rules, plain, history)
    (breach,) = judge(rules, day, History.restore(json.loads(json.dumps(history.snapshot())))).breaches
    worth = day.scores.effective or 0.0
    assert breach.value == pytest.approx((50 + worth * 430 / 460) / (100 + worth))


def test_a_classs_figures_go_by_weights_as_well() -> None:
    """Recall of cars is the accuracy here; precision of trucks is that of a class that there was none of."""
    rules = (a_rule(name="r", metric="recall:car", threshold=0.95), a_rule(name="f", metric="f1:car", threshold=0.97))
    (judgement,) = judged(rules, [weighted(0, (40, 40), (30, 60))])
    assert {breach.rule: breach.value for breach in judgement.breaches} == {
        "r": pytest.approx(430 / 460),
        "f": pytest.approx(2 * 430 / (430 + 460)),
    }
