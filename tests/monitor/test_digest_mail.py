"""What a digest says: its subject, its text and its HTML part."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, time

import pytest

from monitor.digest_mail import LISTED, Overview, compose_digest, html_of, overview_of, subject_of, text_of
from monitor.digests import Cut, Digest, Habits, Post, latest_cut
from monitor.subscriptions import Subscriber
from schemas.records import Alert
from tests.support.alerts import NOON, alert

Part = Callable[[Overview], str]
SENDER, TEAM = "roadwatch@example.com", "team@example.com"
POST = Post(TEAM, "daily", (Subscriber(TEAM, "info", frozenset(), digest="daily"),), ())
CUT = Cut("2026-11-24", datetime(2026, 11, 24, 6, tzinfo=UTC))
FOG = alert(
    alert_id="incident:gate:1",
    rule="incident",
    severity="warning",
    camera_id="gate",
    cameras=("gate", "ramp"),
    title="gate: fog, or a fogged lens",
    summary="Contrast fell from 41.2 to 18.3.",
    cause="fog",
    report=None,
)
OVER = replace(FOG, state="resolved", changed_at=datetime(2026, 11, 23, 9, 30, tzinfo=UTC))
HELD = replace(FOG, state="acknowledged", by="anne")


def digest(*new: Alert, over: tuple[Alert, ...] = (), still: tuple[Alert, ...] = ()) -> Digest:
    return Digest(POST, CUT, new, over, still, tuple((one.alert_id, one.alert_id) for one in (*new, *over)))


def overview(*new: Alert, over: tuple[Alert, ...] = (), still: tuple[Alert, ...] = ()) -> Overview:
    return overview_of(digest(*new, over=over, still=still), "Europe/Berlin")


@pytest.mark.parametrize(
    ("new", "over", "still", "counts"),
    [
        (3, 1, 2, "3 new alerts, 1 over, 2 still open"),
        (1, 0, 0, "1 new alert"),
        (0, 2, 1, "2 alerts over, 1 still open"),
        (0, 0, 1, "1 alert still open"),
    ],
)
def test_the_subject_counts_and_names_the_first(new: int, over: int, still: int, counts: str) -> None:
    """A list view tells how much there is and what is the worst of it."""
    made = overview(*[alert()] * new, over=(OVER,) * over, still=(FOG,) * still)
    first = alert().title if new else FOG.title
    assert subject_of(made) == f"[Roadwatch] {counts}: {first}"


def test_the_subject_is_cut_when_too_long() -> None:
    assert len(subject_of(overview(alert(title="fog " * 200)))) == 140


@pytest.mark.parametrize("part", [text_of, html_of])
@pytest.mark.parametrize(
    "expected",
    [
        "2 new alerts, 1 over, 1 still open",
        "The daily digest of alerts, up to 24 Nov 2026, 07:00 CET.",
        alert().title,
        "gate-north · since 23 Nov 2026, 00:00 CET",
        "likely cause: fog, or a fogged lens",
        "gate, ramp",
        "Contrast fell from 41.2 to 18.3.",
        "over 23 Nov 2026, 10:30 CET",
        "acknowledged by anne",
    ],
)
def test_each_part_says_what_where_since_when_and_why(part: Part, expected: str) -> None:
    """Text and HTML tell the same."""
    shown = part(overview(alert(cause="fog"), FOG, over=(OVER,), still=(HELD,)))
    assert expected in " ".join(shown.split())


def test_a_camera_that_the_title_names_is_not_named_again() -> None:
    (shown,) = overview(replace(FOG, cameras=("gate",))).parts
    assert shown.entries[0].facts == "Since 23 Nov 2026, 00:00 CET"


@pytest.mark.parametrize("part", [text_of, html_of])
def test_what_was_told_before_has_no_summary(part: Part) -> None:
    """One short line for each."""
    assert FOG.summary not in part(overview(alert(), still=(FOG,)))


@pytest.mark.parametrize("part", [text_of, html_of])
def test_of_very_many_some_are_listed_and_the_others_counted(part: Part) -> None:
    """Mail clients cut what is over 100 KB."""
    many = [alert(alert_id=str(n), title=f"Alert {n}.", summary="word " * 100) for n in range(1000)]
    made = overview(*many, over=tuple(replace(one, state="resolved") for one in many), still=tuple(many))
    shown = part(made)
    assert f"and {1000 - LISTED['new']} more: roadwatch alerts list" in shown
    assert f"and {1000 - LISTED['over']} more: roadwatch alerts list --all" in shown
    assert len(shown.encode()) < 100_000


def test_words_from_outside_are_no_markup() -> None:
    """A camera may be called anything."""
    bad = "<script>x</script>"
    shown = html_of(overview(alert(title=bad, summary=bad, camera_id=bad), still=(replace(HELD, by=bad, title=bad),)))
    assert "<script" not in shown


def test_text_from_outside_starts_no_line_of_its_own() -> None:
    """Nor another header."""
    mail = compose_digest(digest(alert(title="Fog\r\nBcc: all@example.com")), SENDER, at=NOON, timezone="UTC")
    assert mail["Bcc"] is None
    assert str(mail["Subject"]) == "[Roadwatch] 1 new alert: Fog Bcc: all@example.com"


def test_a_digest_is_named_by_its_day_pace_and_recipient() -> None:
    """Sent again with other words it is the same mail; another day's is another."""

    def name(made: Digest) -> str:
        return str(compose_digest(made, SENDER, at=NOON, timezone="UTC")["Message-ID"])

    tomorrow = latest_cut(datetime(2026, 11, 25, 9, tzinfo=UTC), "daily", Habits(time(7), "UTC", 7))
    made = digest(alert())
    assert name(made) == name(digest(FOG))
    others = [replace(made, cut=tomorrow), replace(made, post=replace(POST, pace="weekly"))]
    assert len({name(made), *map(name, others)}) == 3


def test_its_headers_say_to_whom_and_how_bad() -> None:
    mail = compose_digest(digest(FOG, alert()), SENDER, at=NOON, timezone="UTC")
    assert (mail["To"], mail["X-Roadwatch-Severity"], mail["Auto-Submitted"]) == (TEAM, "critical", "auto-generated")
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]


def test_a_mail_without_news_but_reminders_says_so_first() -> None:
    """What is still open is worth a mail when its reminder is due."""
    assert overview(still=(alert(),)).tone == "critical"
