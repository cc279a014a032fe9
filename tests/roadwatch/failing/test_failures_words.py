"""Failures in words, on a terminal, and an alert's question."""

import io
from dataclasses import replace
from datetime import timedelta

import pytest
from rich.console import Console

from models.failures.groups import Analysis
from monitor.windows import Calendar
from roadwatch.failing.alarms import request_of
from roadwatch.failing.session import Failing
from roadwatch.failing.terminal import failures_view
from roadwatch.failing.words import headline, notes, second_line
from tests.support.failing import a_failing, a_group, name_of, nothing_failed
from tests.support.records import NOON, an_alert


def drawn(failing: Failing, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(failures_view(failing), highlight=False)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_the_groups_are_told_in_a_sentence() -> None:
    two = a_failing(analysis=Analysis(20, 4, 0.8, (a_group(0, 1, 2), a_group(3, loss=0.25)), ()))
    assert second_line(two).startswith("2 groups hold 100\u00a0% of the loss; the dearest costs 15.0 points: trucks")
    assert second_line(a_failing()).startswith("One group holds 75\u00a0% of the loss: trucks taken for cars, night")
    alone = a_failing(analysis=Analysis(20, 4, 0.8, (), tuple(map(name_of, range(4)))))
    assert "nothing in common" in second_line(alone)
    assert (headline(nothing_failed())[:12], second_line(nothing_failed())) == ("Right on all", "")


def test_what_is_missing_is_named_and_counted() -> None:
    said = notes(
        a_failing(
            labelled=1020,
            abstained=2,
            unpictured=tuple(map(name_of, range(7))),
            left_out={"damaged": (name_of(9),)},
            unreadable=1,
        )
    )
    for number, told in enumerate(
        (
            "On 2 the model abstained",
            "stand for 1,000 more",
            "Of 7 failures no picture",
            "Left out, damaged: 1",
            "1 record could",
        )
    ):
        assert told in said[number]
    assert "and 2 more" in said[2]
    assert notes(nothing_failed()) == []


def test_labels_that_stand_for_others_are_said_to() -> None:
    """Else nobody could work out how 4 wrong of 20 make the accuracy that is told."""
    plain = a_failing()
    known = {name: replace(each, weight=2.0 if each.failed else 1.0) for name, each in plain.judged.items()}
    assert not any("stand for different" in note for note in notes(plain))
    assert "stand for different" in notes(replace(plain, judged=known))[0]


def test_a_terminal_shows_groups_and_what_would_help() -> None:
    said = drawn(a_failing())
    for told in (
        "Wrong on 4 of 20",
        "trucks taken for",
        "15.0 points",
        "60\u00a0%",
        "labels: Label vehicles",
        "single failures",
    ):
        assert told in said
    assert "Right on all of 20 labelled vehicles: nothing failed." in drawn(nothing_failed())


def test_names_from_outside_draw_nothing_on_a_terminal() -> None:
    """Neither rich's markup nor a terminal's own."""
    said = drawn(a_failing(analysis=Analysis(20, 1, 0.8, (a_group(0, name="[red]\x1b[31m"),), ())))
    assert "[red]" in said
    assert "\x1b" not in said


@pytest.mark.parametrize(
    ("camera_id", "cameras", "asked"),
    [
        (None, (), ()),
        ("gate", (), ("gate",)),
        (None, ("bridge", "gate"), ("bridge", "gate")),
        ("gate", ("gate", "bridge"), ("bridge", "gate")),
    ],
)
def test_an_alert_asks_about_its_day_and_its_cameras(
    camera_id: str | None, cameras: tuple[str, ...], asked: tuple[str, ...]
) -> None:
    """One that concerns no camera in particular asks about all."""
    found = request_of(an_alert(camera_id=camera_id, cameras=cameras), Calendar("UTC"))
    assert (found.day, found.cameras, found.about) == ("2026-03-02", asked, "Accuracy 42.0 % on 2026-03-02")


def test_what_lasts_for_days_is_asked_about_when_it_was_noticed() -> None:
    """An incident that is still open three days later; a day's accuracy is noticed when the day is over."""
    lasting = an_alert(raised_at=NOON, day="2026-03-05")
    assert request_of(lasting, Calendar("UTC")).day == "2026-03-02"
    assert request_of(an_alert(raised_at=NOON + timedelta(days=1)), Calendar("UTC")).day == "2026-03-02"
