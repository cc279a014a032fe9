"""What a mail says: its subject, its text and HTML parts, its headers."""

import math
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from html.parser import HTMLParser

import pytest

from monitor.mail import compose, message_id
from monitor.mail_figures import CAMERAS_SHOWN, Letter, letter_of
from monitor.mail_html import html_of
from monitor.mail_text import subject_of, text_of
from schemas.records import Alert, CameraScores
from tests.support.alerts import NOON, alert, report, scores

SENDER, TEAM = "roadwatch@example.com", "team@example.com"
NBSP = "\u00a0"


def letter(**changes: object) -> Letter:
    return letter_of(alert(**changes), "UTC")


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
def test_each_part_says_what_where_since_when_how_bad_and_what_to_do(part: object) -> None:
    """Text and HTML tell the same."""
    shown = part(letter())  # type: ignore[operator]  # both parts are functions of a letter
    for expected in ("gate-north", "23 Nov 2026, 00:00 CET", "critical", f"41.5{NBSP}%", f"60{NBSP}%", "212 labelled"):
        assert expected in shown
    assert "Clean or realign the camera." in shown


@pytest.mark.parametrize("part", [text_of, html_of])
def test_a_day_without_labels_says_no_labels(part: object) -> None:
    """Nobody reads `None` in a mail."""
    shown = part(letter())  # type: ignore[operator]  # both parts are functions of a letter
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


def test_a_drift_is_held_against_what_was_before() -> None:
    """Nobody has set a bound for it."""
    assert letter(rule="drift", metric="brightness", value=19.0, threshold=100.5).compared == "before: 100.5"


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
    parser.feed(html_of(letter()))
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
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
