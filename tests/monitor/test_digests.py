"""Digests: when one is due, and which alerts it tells."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from monitor.digests import (
    Digest,
    Habits,
    Logged,
    asked_of,
    cut_before,
    digest_id,
    digest_of,
    latest_cut,
    posts_of,
)
from monitor.mail import delivery_id
from monitor.subscriptions import Pace, Subscriber
from schemas.records import Alert, Severity
from tests.support.alerts import alert

ANNE, BEN = "anne@example.com", "ben@example.com"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
"A Tuesday."
HABITS = Habits(time(7), "UTC", 7)


def subscriber(digest: Pace | None = "daily", name: str = ANNE, least: Severity = "info", **more: Any) -> Subscriber:
    return Subscriber(name, least, frozenset(), digest=digest, **more)


def logged(days_ago: float, **changes: object) -> Logged:
    """An alert that was logged so many days before the last cut."""
    return Logged(alert(**changes), latest_cut(NOW, "daily", HABITS).at - timedelta(days=days_ago))


def told(digest: Digest) -> list[str]:
    return [name for name, _ in digest.told]


def ids(alerts: Sequence[Alert]) -> list[str]:
    return [one.alert_id for one in alerts]


def made(*log: Logged, known: Sequence[str] = (), subscribers: Sequence[Subscriber] = ()) -> Digest:
    """The first digest of the first post."""
    post = posts_of(subscribers or [subscriber()])[-1]
    return digest_of(post, latest_cut(NOW, post.pace, HABITS), log, known, HABITS)


def test_a_daily_digest_ends_at_the_last_time_of_day_that_has_passed() -> None:
    """Before seven it is still yesterday's."""
    assert latest_cut(NOW, "daily", HABITS).at == datetime(2026, 11, 24, 7, tzinfo=UTC)
    early = datetime(2026, 11, 24, 6, 59, 59, tzinfo=UTC)
    assert latest_cut(early, "daily", HABITS).day == "2026-11-23"


def test_a_weekly_digest_ends_on_monday() -> None:
    """On Monday before seven it is the Monday before."""
    assert latest_cut(NOW, "weekly", HABITS).day == "2026-11-23"
    assert latest_cut(datetime(2026, 11, 23, 6, tzinfo=UTC), "weekly", HABITS).day == "2026-11-16"


@pytest.mark.parametrize(
    ("day", "at", "utc_hours"),
    [("2026-03-29", time(2, 30), 1.5), ("2026-10-25", time(2, 30), 0.5), ("2026-07-01", time(7), 5)],
)
def test_a_day_has_one_cut_whatever_the_clocks_do(day: str, at: time, utc_hours: float) -> None:
    """A time that is skipped is an hour later; of one that is shown twice the first counts."""
    habits = Habits(at, "Europe/Berlin", 7)
    start = datetime.fromisoformat(f"{day}T00:00+00:00") - timedelta(hours=6)
    cuts = {latest_cut(start + timedelta(minutes=10 * n), "daily", habits) for n in range(36 * 6)}
    (cut,) = [cut for cut in cuts if cut.day == day]
    assert cut.at == datetime.fromisoformat(f"{day}T00:00+00:00") + timedelta(hours=utc_hours)


def test_what_was_logged_since_the_last_one_is_new() -> None:
    """And not what came after the cut, which is for the next."""
    digest = made(logged(0.5, alert_id="a"), logged(-0.1, alert_id="b"))
    assert ids(digest.new) == ["a"]
    assert told(digest) == [f"a|open/critical|{ANNE}"]


def test_the_newest_state_up_to_the_cut_is_told() -> None:
    """What is over since is told as open, and the next digest says that it is over."""
    over = alert(state="resolved")
    digest = made(logged(0.5), Logged(over, NOW))
    assert (ids(digest.new), digest.over) == ([over.alert_id], ())


def test_what_began_and_ended_is_told_once_as_over() -> None:
    digest = made(logged(0.5), logged(0.2, state="resolved"))
    assert (len(digest.new), len(digest.over)) == (0, 1)


def test_the_most_severe_comes_first_and_of_those_the_oldest() -> None:
    later = datetime(2026, 11, 23, 9, tzinfo=UTC)
    log = [
        logged(0.1, alert_id="info", severity="info"),
        logged(0.1, alert_id="later", since=later),
        logged(0.1, alert_id="first"),
    ]
    assert ids(made(*log).new) == ["first", "later", "info"]


def test_what_was_told_stands_under_still_open_and_is_nothing_to_tell() -> None:
    """No mail goes out for it."""
    for name in (delivery_id(alert(), ANNE), f"{alert().alert_id}|open/warning|{ANNE}"):
        digest = made(logged(0.5), known=[name])
        assert (digest.new, ids(digest.still), digest.told) == ((), [alert().alert_id], ())


def test_what_is_over_is_told_once() -> None:
    """Whether the subscription asks for it or not: a digest is the place for it."""
    over = logged(0.5, state="resolved")
    assert len(made(over).over) == 1
    assert made(over, known=[delivery_id(over.alert, ANNE)]).over == ()


def test_somebody_who_is_at_it_keeps_an_alert_from_no_digest() -> None:
    """It was never told, and is open."""
    digest = made(logged(0.5, state="acknowledged", by="ben"))
    assert told(digest) == [f"{alert().alert_id}|open/critical|{ANNE}"]


def test_an_open_alert_is_told_again_when_its_reminder_is_due() -> None:
    """As often as it would be mailed."""
    old = logged(0.5, day="2026-12-01", raised_at=datetime(2026, 11, 24, tzinfo=UTC))
    once = made(old, known=[delivery_id(old.alert, ANNE)])
    assert told(once) == [f"{old.alert.alert_id}|open#1/critical|{ANNE}"]
    assert (once.new, len(once.still)) == ((), 1)
    assert made(old, known=[delivery_id(old.alert, ANNE), *told(once)]).told == ()


def test_only_what_is_subscribed_to_is_told() -> None:
    """By severity, as anywhere."""
    log = [logged(0.5, alert_id="a", severity="warning"), logged(0.5, alert_id="b")]
    assert ids(made(*log, subscribers=[subscriber(least="critical")]).new) == ["b"]


def test_what_is_told_at_once_is_left_out() -> None:
    """Also while that mail still waits for its server; as a line of what is open it stands there once it is delivered."""
    both = [subscriber(None, least="critical"), subscriber()]
    log = [logged(0.5, alert_id="a", severity="warning"), logged(0.5, alert_id="b")]
    assert ids(made(*log, subscribers=both).new) == ["a"]
    delivered = [delivery_id(log[1].alert, ANNE)]
    assert ids(made(*log, subscribers=both, known=delivered).still) == ["b"]


def test_a_digest_does_not_leave_to_an_escalation_what_that_may_never_tell() -> None:
    """Once it was told by that, it is still open."""
    both = [subscriber(), subscriber(None, resolved=True, after_hours=4)]
    assert ids(made(logged(0.1), subscribers=both).new) == [alert().alert_id]
    assert ids(made(logged(0.1, state="resolved"), subscribers=both).over) == [alert().alert_id]
    assert ids(made(logged(0.1), known=[delivery_id(alert(), ANNE)], subscribers=both).still) == [alert().alert_id]


def test_a_weekly_digest_leaves_out_what_a_daily_one_tells() -> None:
    both = [subscriber("weekly"), subscriber("daily", least="critical")]
    assert [post.pace for post in posts_of(both)] == ["daily", "weekly"]
    log = [logged(2, alert_id="a", severity="warning"), logged(2, alert_id="b")]
    assert ids(made(*log, subscribers=both).new) == ["a"]


def test_two_subscriptions_of_a_recipient_are_one_digest() -> None:
    """As two that fit are one mail; somebody else's is another."""
    posts = posts_of([subscriber(), subscriber(least="critical"), subscriber(name=BEN)])
    assert [(post.recipient, len(post.subscribers)) for post in posts] == [(ANNE, 2), (BEN, 1)]


def test_a_first_digest_tells_what_is_older_than_its_period_as_still_open() -> None:
    """Nobody is sent ninety days of the past."""
    digest = made(logged(1.5, alert_id="old"), logged(0.5, alert_id="a"), logged(3, alert_id="o", state="resolved"))
    assert (ids(digest.new), ids(digest.still), digest.over) == (["a"], ["old"], ())


@pytest.mark.parametrize(("first_days_ago", "expected"), [(1, ["a"]), (3, ["a", "b"]), (60, ["a", "b", "c"])])
def test_a_digest_catches_up_a_week_but_not_to_before_the_first(first_days_ago: int, expected: list[str]) -> None:
    """Of what earlier ones missed: 1, 2.5 and 7.5 days old here; 8.5 is too old."""
    (post,) = posts_of([subscriber()])
    first = latest_cut(NOW - timedelta(days=first_days_ago), "daily", HABITS)
    log = [logged(age, alert_id=name) for age, name in ((0.9, "a"), (2.5, "b"), (7.5, "c"), (8.5, "d"))]
    digest = made(*log, known=[digest_id(post, first.day)])
    assert sorted(ids(digest.new)) == expected


def test_a_daily_digest_knows_of_weekly_ones_before() -> None:
    """Whoever wants it daily from Thursday on misses nothing since Monday."""
    (post,) = posts_of([subscriber("weekly")])
    log = [logged(0.9, alert_id="a"), logged(1.5, alert_id="b")]
    assert ids(made(*log, known=[digest_id(post, "2026-11-16")]).new) == ["a", "b"]


def test_all_that_matters_is_asked_of_the_record() -> None:
    """A delivery that is not asked for would be told again."""
    (post,) = posts_of([subscriber()])
    cut = latest_cut(NOW, "daily", HABITS)
    log = [logged(0.5, alert_id="a"), logged(0.5, alert_id="b", state="resolved")]
    asked = asked_of(post, cut, log, HABITS)
    assert {digest_id(post, cut.day), digest_id(post, cut_before(cut, "daily", HABITS).day)} < asked
    assert {f"a|open|{ANNE}", f"b|resolved|{ANNE}", *told(made(*log))} < asked


def test_a_week_before_a_monday_is_the_monday_before() -> None:
    cut = latest_cut(NOW, "weekly", HABITS)
    assert cut_before(cut, "weekly", HABITS) == replace(cut, day="2026-11-16", at=cut.at - timedelta(days=7))
