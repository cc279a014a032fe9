"""Which days are meant, what their reports say in figures, and how they add up."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from roadwatch.reporting.days import Span, day_meant, day_of, reports_of, span_of, there, week_around
from roadwatch.reporting.figures import accuracy, camera_accuracy, headline
from roadwatch.reporting.ranges import Summary, summary
from roadwatch.reporting.reading import newest
from schemas.errors import ConfigurationError
from tests.support.reports import CAMERAS, MONDAY, a_bad_day, a_report, days_before


def a_summary() -> Summary:
    return summary(Span(MONDAY - timedelta(days=14), MONDAY), [*days_before(), a_bad_day()])


def test_accuracy_is_the_report_s_own_with_its_interval_where_it_has_one() -> None:
    report = a_report()
    given = replace(report.intervals[0], low=0.5, high=0.99)
    found = accuracy(replace(report, intervals=(given,)))
    assert found is not None
    assert found.bounds == "50.0 to 99.0"
    without = accuracy(replace(report, intervals=()))
    assert without is not None
    assert without.bounds == "86.8 to 92.1"


def test_without_labels_nobody_can_say() -> None:
    assert accuracy(days_before()[0]) is None
    assert headline(None).startswith("No vehicle is labelled")
    report = a_bad_day()
    assert camera_accuracy(report, "tunnel", report.cameras[3].scores) is None


def test_days_add_up() -> None:
    told = a_summary()
    days = [*days_before(), a_bad_day()]
    assert told.accuracy is not None
    assert told.accuracy.n == sum(day.scores.labelled for day in days)
    assert told.passages == sum(day.scores.passages for day in days)
    assert [line.camera_id for line in told.cameras] == sorted(CAMERAS)
    assert sum(each.support for each in told.classes) == told.accuracy.n


def test_the_worst_days_come_first_and_missing_ones_are_named() -> None:
    told = a_summary()
    assert told.worst_days[0].day == "2026-11-23"
    assert told.missing == ("2026-11-09",)


def test_an_alert_that_several_reports_tell_of_is_one() -> None:
    monday = a_bad_day()
    resolved = replace(monday.alerts[0], state="resolved")
    tuesday = a_report(MONDAY + timedelta(days=1), alerts=(resolved,))
    told = summary(Span(MONDAY, MONDAY + timedelta(days=1)), [monday, tuesday])
    first, *others = told.alerts
    assert (first.alert.alert_id, first.alert.state, first.days) == ("fog:gate-north", "resolved", 2)
    assert len(others) == 2


def test_a_finding_that_spans_midnight_is_counted_once() -> None:
    monday = a_bad_day()
    tuesday = replace(monday, day="2026-11-24")
    one, two = (summary(Span(MONDAY, MONDAY + timedelta(days=1)), days) for days in ([monday], [monday, tuesday]))
    assert [line.findings for line in two.cameras] == [line.findings for line in one.cameras]
    assert sum(line.findings for line in one.cameras)


def test_the_newest_revision_of_a_day_holds_whenever_it_comes() -> None:
    found = newest([a_bad_day(), None, a_report(), days_before()[0]])
    assert {day: report.revision for day, report in found.items()} == {"2026-11-10": 1, "2026-11-23": 2}
    assert list(found) == ["2026-11-10", "2026-11-23"]


MEANT = [
    ("latest", "2026-11-20"),
    ("yesterday", "2026-11-24"),
    ("2026-11-03", "2026-11-03"),
    ("2026-11-03..2026-11-05", "2026-11-03..2026-11-05"),
    ("2026-11-03..latest", "2026-11-03..2026-11-20"),
    ("latest..yesterday", "2026-11-20..2026-11-24"),
    ("2026-W47", "2026-11-16..2026-11-22"),
    ("2026-W1", "2025-12-29..2026-01-04"),
]


@pytest.mark.parametrize(("text", "short"), MEANT)
def test_days_are_understood(text: str, short: str) -> None:
    assert span_of(text, "DAY", date(2026, 11, 25), ["2026-11-19", "2026-11-20"]).short == short


@pytest.mark.parametrize(
    "text",
    [
        *("today", "2026-11-31", "2026-11-05..2026-11-03", "2026-W60", "2026-11-03..", "0001-01-01..2026-11-03"),
        *("0001-01-01", "9999-12-31", "0001-W01", "9999-W52", "9998-12-31..9999-01-01"),
    ],
)
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="DAY"):
        span_of(text, "DAY", date(2026, 11, 25), ["2026-11-19"])


def test_the_latest_of_nothing_says_why_there_is_none() -> None:
    with pytest.raises(ConfigurationError, match="no report yet"):
        span_of("latest", "DAY", MONDAY, [])


def test_a_day_without_a_report_says_which_have_one() -> None:
    reports = newest([a_report(), a_report(MONDAY - timedelta(days=3))])
    with pytest.raises(ConfigurationError, match="2026-11-20 to 2026-11-23, but for 2 days between"):
        reports_of(Span(date(2027, 1, 1), date(2027, 1, 1)), reports, "DAY")
    assert there(["2026-11-20"]) == "there are reports of 2026-11-20"


def test_a_week_begins_on_monday() -> None:
    assert week_around(date(2026, 11, 29)) == week_around(MONDAY) == Span(MONDAY, MONDAY + timedelta(days=6))


def test_a_single_day_may_be_a_word_but_no_week() -> None:
    today, reported = date(2026, 11, 25), ["2026-11-19", "2026-11-20"]
    assert day_meant("latest", "--from", today, reported) == date(2026, 11, 20)
    with pytest.raises(ConfigurationError, match="'2026-W47' is no day; write latest, yesterday, or a day, 2026-11-23"):
        day_meant("2026-W47", "--from", today, reported)


def test_where_no_word_is_taken_none_is_advised() -> None:
    with pytest.raises(ConfigurationError, match="'latest' is no day; write a day, 2026-11-23"):
        day_of("latest", "--from")
