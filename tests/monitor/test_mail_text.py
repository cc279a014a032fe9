"""What a mail says: its subject, its text and HTML parts, its headers."""

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from html import unescape
from html.parser import HTMLParser

import pytest

from monitor.mail import (
    LARGEST_PICTURE,
    NO_MAIL,
    PICTURES_SHOWN,
    compose,
    delivery_id,
    message_id,
    reminder_of,
    tells_open,
)
from monitor.mail_figures import CAMERAS_SHOWN, Letter, lasting, letter_of
from monitor.mail_html import html_of
from monitor.mail_text import subject_of, text_of
from schemas.records import Alert, CameraScores, Delivery
from tests.support.alerts import NOON, alert, finding, fog, hour, report, scores

Part = Callable[[Letter], str]
JPEG = b"\xff\xd8\xff\xe0"

SENDER, TEAM = "roadwatch@example.com", "team@example.com"
NBSP = "\u00a0"


def letter(**changes: object) -> Letter:
    return letter_of(alert(**changes), "UTC")


def incident(**changes: object) -> Alert:
    """Fog at one camera, noticed during the day."""
    plain = alert(
        alert_id="incident:gate:1",
        rule="incident",
        severity="warning",
        camera_id="gate",
        cameras=("gate",),
        title="gate: fog, or a fogged lens",
        metric="contrast",
        value=18.3,
        threshold=41.2,
        samples=60,
        cause="fog",
        evidence=("Contrast fell from 41.2 to 18.3, by 56%.",),
        findings=fog(),
        report=None,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]  # a test names the fields it changes


def mail(subject: Alert, recipient: str = TEAM) -> EmailMessage:
    return compose(subject, SENDER, recipient, at=NOON, timezone="UTC")


def test_subject_names_severity_and_title() -> None:
    """A list view tells how bad it is and what it is about."""
    assert subject_of(alert()) == "[Roadwatch] critical: Accuracy fell to 42 % on gate-north"


def test_subject_of_a_resolved_alert_says_so() -> None:
    """Good news does not look like an alarm."""
    assert subject_of(alert(state="resolved")).startswith("[Roadwatch] resolved: ")


def test_subject_is_cut_when_too_long() -> None:
    """No subject of a thousand characters."""
    assert len(subject_of(alert(title="fog " * 200))) == 140


@pytest.mark.parametrize("part", [text_of, html_of])
def test_each_part_says_what_where_since_when_how_bad_and_what_to_do(part: Part) -> None:
    """Text and HTML tell the same."""
    shown = part(letter())
    for expected in ("gate-north", "23 Nov 2026, 00:00 CET", "critical", f"41.5{NBSP}%", f"60{NBSP}%", "212 labelled"):
        assert expected in shown
    assert "Clean or realign the camera." in shown


@pytest.mark.parametrize("part", [text_of, html_of])
def test_a_day_without_labels_says_no_labels(part: Part) -> None:
    """Nobody reads `None` in a mail."""
    shown = part(letter())
    assert "no labels" in shown
    assert "None" not in shown


def test_an_alert_without_a_report_has_no_figures() -> None:
    """What is noticed during a day comes without the day's table."""
    shown = html_of(letter(report=None))
    assert "figures:" not in shown
    assert "22 Nov 2026, 23:00 UTC" in shown


def test_value_and_threshold_are_never_shown_as_equal() -> None:
    """59.96 % against 60 % gets the digits that tell them apart."""
    assert letter(value=0.5996).value == f"59.96{NBSP}%"


def test_few_labels_show_whole_percents() -> None:
    """Of fifty vehicles a tenth of a percent says nothing."""
    assert letter(value=0.413, samples=50).value == f"41{NBSP}%"


def test_other_metrics_are_plain_numbers() -> None:
    """A brightness is no percentage, and gets no bar of a hundred."""
    dark = letter(metric="mean_brightness", value=61.2512, threshold=90.0)
    assert (dark.value, dark.compared, dark.measured) == ("61.25", "allowed: at least 90", "mean brightness")
    assert dark.share is None


@pytest.mark.parametrize(
    ("metric", "value", "threshold", "allowed"),
    [
        ("accuracy", 0.72, 0.6, "at least 60"),
        ("latency_p95_ms", 20.0, 10000.0, "at most 10,000"),
        ("refusals", 1.0, 0.0, "at most 0"),
    ],
)
def test_what_is_over_says_which_side_is_allowed(metric: str, value: float, threshold: float, allowed: str) -> None:
    """Though its newest value is on that side."""
    over = letter(metric=metric, value=value, threshold=threshold, state="resolved")
    assert over.compared.startswith(f"allowed: {allowed}")


def test_a_change_is_held_against_what_was_before() -> None:
    """Nobody has set a bound for it."""
    shown = letter_of(incident(), "UTC")
    assert (shown.value, shown.measured, shown.compared) == ("18.3", "contrast", "before: 41.2")


def test_a_fault_without_a_number_shows_none() -> None:
    """That a camera is dead is no measurement."""
    dead = incident(findings=(finding("stalled", 60, 960),), metric="stalled")
    assert letter_of(dead, "UTC").value == ""
    assert "Time without a frame:" not in text_of(letter_of(dead, "UTC"))


@pytest.mark.parametrize("part", [text_of, html_of])
def test_each_part_names_the_cause_and_what_speaks_for_it(part: Part) -> None:
    """The mail about accuracy tells why."""
    shown = part(letter(cause="fog", evidence=("Contrast fell from 41.2 to 18.3, by 56%.",)))
    assert "The likely cause: fog, or a fogged lens" in shown
    assert "Contrast fell from 41.2 to 18.3, by 56%." in shown


def test_where_all_cameras_are_concerned_the_cause_says_which() -> None:
    reason = letter(camera_id=None, cause="fog", cameras=("gate", "ramp")).reason
    assert reason is not None
    assert reason.name == "The likely cause: fog, or a fogged lens, at gate and ramp"


def test_a_cause_of_another_version_is_shown_as_it_is() -> None:
    """A mailer may be older than the monitor."""
    reason = letter(cause="spiders").reason
    assert reason is not None
    assert reason.name == "The likely cause: spiders"


@pytest.mark.parametrize("part", [text_of, html_of])
def test_each_part_draws_the_hours_of_a_bad_day(part: Part) -> None:
    """One sees at a glance when it was."""
    shown = part(letter())
    assert "Accuracy by hour of the day" in shown
    assert "20% of 20" in shown


def test_hours_below_the_floor_are_marked() -> None:
    (hours,) = letter().plots
    assert [bar.label for bar in hours.bars if bar.mark == "bad"] == ["08", "09", "10", "11"]


def test_too_few_hours_are_not_drawn() -> None:
    """Two bars are no plot."""
    assert letter(report=report(slices=(hour(7, 20, 0.2), hour(8, 20, 0.9), hour(9, 2, 0.5)))).plots == ()


@pytest.mark.parametrize("part", [text_of, html_of])
def test_each_part_draws_what_has_changed(part: Part) -> None:
    """Before and since, for each signal."""
    shown = part(letter_of(incident(), "UTC"))
    assert all(text in shown for text in ("What has changed", "contrast", "41.2", "18.3", "sharpness"))


def test_several_cameras_are_told_apart_in_a_plot() -> None:
    (plot,) = letter_of(incident(findings=(*fog()[:1], *fog(camera_id="ramp")[:1])), "UTC").plots
    assert [bar.label for bar in plot.bars] == ["contrast", "gate", "contrast", "ramp"]


def test_many_cameras_are_not_all_named() -> None:
    facts = dict(letter_of(incident(cameras=tuple(f"c{n}" for n in range(12))), "UTC").facts)
    assert facts["Where"] == "c0, c1, c2, c3, c4, c5, c6, c7, and 4 more"


def test_not_a_number_can_be_shown() -> None:
    """An odd value does not keep the mail from going out."""
    assert "nan" in html_of(letter(value=math.nan, metric="mean_brightness"))


def test_unknown_zone_and_day_do_not_stop_the_mail() -> None:
    """A report of a machine with other time zones is still mailed."""
    shown = text_of(letter(report=replace(report(), timezone="Mars/Base", day="sol 12")))
    assert "UTC" in shown
    assert "sol 12" in shown


def test_html_escapes_what_came_from_outside() -> None:
    """A camera's name cannot bring in a script."""
    shown = html_of(letter(camera_id="<script>x</script>", title='"><img src=x>', summary="a < b"))
    assert "<script" not in shown
    assert "<img" not in shown


def test_html_loads_nothing_from_elsewhere() -> None:
    """No picture, font or link is fetched when the mail is opened."""
    shown = html_of(letter())
    assert not [word for word in ("http:", "https:", "src=", "url(", "@import") if word in shown]


def test_html_is_well_formed() -> None:
    """Every element that is opened is closed, in order."""
    parser = _Balance()
    parser.feed(html_of(letter(cause="fog", evidence=("a < b",), findings=fog())))
    assert parser.open == []


def test_more_cameras_than_fit_show_the_worst_and_the_one_concerned() -> None:
    """Mail clients cut long mails, so the table is bounded."""
    cameras = tuple(CameraScores(f"cam-{n:03}", scores(n, 200 - n), ()) for n in range(100))
    figures = letter(camera_id="cam-099", report=replace(report(), cameras=cameras)).figures
    assert figures is not None
    assert [row.name for row in figures.rows] == [
        "All cameras",
        *(f"cam-{n:03}" for n in range(CAMERAS_SHOWN - 1)),
        "cam-099",
    ]
    assert figures.cameras_left_out == 80


def test_findings_are_counted_as_in_the_report_where_they_harm() -> None:
    """What is harmless is listed behind them, and not counted."""
    found = (*fog(), finding("class-mix", 0.2, 0.3, worse=False))
    told = replace(report(), cameras=(CameraScores("gate", scores(9, 1), found),))
    figures = letter(report=told).figures
    assert figures is not None
    assert [row.values[-1] for row in figures.rows] == ["3", "3"]
    assert len(figures.changes) == 4


def test_confusion_matrix_has_a_row_for_each_true_class() -> None:
    """Rows are truth, columns predictions, missing cells zero."""
    figures = letter().figures
    assert figures is not None
    assert figures.matrix is not None
    assert (figures.matrix.labels, figures.matrix.counts) == (("car", "truck"), ((44, 62), (62, 44)))


def test_mail_has_both_parts_and_its_headers() -> None:
    """A mail program shows the HTML, a terminal the text, and a filter finds the alert."""
    sent = message_from_bytes(mail(alert()).as_bytes())
    assert [part.get_content_type() for part in sent.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert sent["From"] == "Roadwatch <roadwatch@example.com>"
    assert sent["X-Roadwatch-Alert-Id"] == "daily-accuracy:gate-north:2026-11-23"
    assert (sent["X-Roadwatch-Severity"], sent["Auto-Submitted"]) == ("critical", "auto-generated")
    assert sent["Date"] == "Tue, 24 Nov 2026 12:00:00 +0000"


def test_message_id_depends_on_alert_state_and_recipient_alone() -> None:
    """A mail sent twice is recognised; different mails never share an id."""
    again = message_id(alert(title="new words", since=datetime(2020, 1, 1, tzinfo=UTC)), SENDER, TEAM)
    assert message_id(alert(), SENDER, TEAM) == again
    others = [(alert(alert_id="b"), TEAM), (alert(state="resolved"), TEAM), (alert(), "b@example.com")]
    assert len({again, *(message_id(other, SENDER, to) for other, to in others)}) == 4


def test_resolved_answers_the_mail_that_opened_the_alert() -> None:
    """Both stand in one thread."""
    assert mail(alert(state="resolved"))["In-Reply-To"] == mail(alert())["Message-ID"]
    assert mail(alert(state="resolved"))["References"] == mail(alert())["Message-ID"]


def pictured(*jpegs: bytes) -> EmailMessage:
    """A mail with pictures."""
    pictures = [(f"gate:e:{number}", jpeg) for number, jpeg in enumerate(jpegs)]
    sent = compose(incident(), SENDER, TEAM, at=NOON, timezone="UTC", pictures=pictures)
    return message_from_bytes(sent.as_bytes(), policy=SMTP)


def test_pictures_stand_in_the_html_and_are_named_in_the_text() -> None:
    """They travel with the mail: nothing is loaded from elsewhere."""
    sent = pictured(JPEG + b"one", JPEG + b"two")
    images = [part for part in sent.walk() if part.get_content_type() == "image/jpeg"]
    html, text = (sent.get_body((kind,)).get_content() for kind in ("html", "plain"))
    assert [image.get_content() for image in images] == [JPEG + b"one", JPEG + b"two"]
    assert all(f'src="cid:{image["Content-ID"][1:-1]}"' in html for image in images)
    assert all(image.get_content_disposition() == "inline" for image in images)
    assert "  - gate:e:0\n  - gate:e:1\n" in text.replace("\r", "")


@pytest.mark.parametrize(
    ("jpegs", "shown"),
    [
        ([JPEG] * (PICTURES_SHOWN + 2), PICTURES_SHOWN),
        ([JPEG + bytes(LARGEST_PICTURE), JPEG], 1),
        ([b"<script>", b""], 0),
    ],
)
def test_pictures_that_are_too_many_too_large_or_none_are_left_out(jpegs: list[bytes], shown: int) -> None:
    sent = pictured(*jpegs)
    assert [part.get_content_type() for part in sent.walk()].count("image/jpeg") == shown
    assert sent.get_body(("html",)).get_content().count("<img") == shown


@pytest.mark.parametrize(
    ("day", "days", "reminders"),
    [("2026-11-23", 7, 0), ("2026-11-29", 7, 0), ("2026-11-30", 7, 1), ("2026-12-08", 7, 2), ("2026-12-08", 0, 0)],
)
def test_reminders_are_counted_in_days_since_it_was_raised(day: str, days: int, reminders: int) -> None:
    """A report's alert is raised at the next day's first instant."""
    raised = alert(day=day, raised_at=datetime(2026, 11, 23, 23, tzinfo=UTC))
    assert reminder_of(raised, days, "Europe/Berlin") == reminders


def test_a_day_that_is_none_has_no_reminders() -> None:
    """What another version writes does not stop the mail."""
    assert reminder_of(alert(day="sol 12"), 7, "Mars/Base") == 0


def test_a_reminder_is_a_delivery_and_a_message_of_its_own() -> None:
    """In the thread of the first."""
    reminder = compose(alert(), SENDER, TEAM, at=NOON, timezone="UTC", reminder=2)
    assert delivery_id(alert(), TEAM, 2) == "daily-accuracy:gate-north:2026-11-23|open#2|team@example.com"
    assert reminder["Message-ID"] != mail(alert())["Message-ID"]
    assert reminder["References"] == mail(alert())["Message-ID"]


def test_an_escalation_is_the_first_mail_of_its_thread() -> None:
    """Whatever it says: a mail of the alert's end answers it."""
    escalated = compose(alert(), SENDER, TEAM, at=NOON, timezone="UTC", waited=timedelta(hours=4))
    assert escalated["Message-ID"] == mail(alert())["Message-ID"] == mail(alert(state="resolved"))["In-Reply-To"]


@pytest.mark.parametrize("part", [text_of, html_of])
def test_an_escalation_says_first_that_nobody_has_acknowledged_it(part: Part) -> None:
    """And how that is done, so that it can be copied into a shell."""
    said = part(letter_of(alert(alert_id="gate; reboot"), "UTC", waited=timedelta(hours=4)))
    sentence = said.index("Nobody has acknowledged this alert for 4 hours. Whoever takes it on says so by: ")
    assert said.index("Accuracy fell") < sentence < said.index("On 23 November")
    assert "roadwatch alerts ack 'gate; reboot'" in unescape(said)


@pytest.mark.parametrize(
    ("hours", "words"),
    [(0, "0 minutes"), (1 / 60, "1 minute"), (0.99, "59 minutes"), (1, "1 hour"), (71.9, "71 hours"), (72, "3 days")],
)
def test_how_long_is_said_in_words(hours: float, words: str) -> None:
    assert lasting(timedelta(hours=hours)) == words


@pytest.mark.parametrize(
    ("name", "told"),
    [("open", True), ("open#2", True), ("open/critical", True), ("open#1/info", True), ("resolved", False)],
)
def test_a_delivery_says_whether_it_told_that_an_alert_is_open(name: str, told: bool) -> None:
    """At once, as a reminder, or in a digest; an alert's id may hold whatever it likes."""
    delivery = Delivery(f"a|resolved|b|{name}|{TEAM}", "a|resolved|b", TEAM, "<mail>", NOON)
    assert tells_open(delivery) is told
    assert not tells_open(replace(delivery, message_id=NO_MAIL))


@pytest.mark.parametrize("field", ["alert_id", "title", "camera_id"])
def test_line_breaks_cannot_add_headers(field: str) -> None:
    """A newline in a name does not become a header of its own."""
    sent = message_from_bytes(mail(alert(**{field: "x\r\nBcc: all@example.com\r\n\r\nhello"})).as_bytes())
    assert sent["Bcc"] is None
    assert sent.is_multipart()


def test_line_breaks_in_an_address_cannot_add_headers() -> None:
    """Neither do those of a recipient."""
    assert message_from_bytes(mail(alert(), "a@example.com\r\nBcc: b@example.com").as_bytes())["Bcc"] is None


def test_names_outside_ascii_survive() -> None:
    """Umlauts arrive in subject and body."""
    sent = mail(alert(title="Genauigkeit fällt: Brücke Süd"))
    assert sent["Subject"].endswith("Brücke Süd")
    assert sent.as_bytes().isascii()


class _Balance(HTMLParser):
    """Keeps the elements that are open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in {"meta", "br", "img"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
