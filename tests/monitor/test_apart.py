"""Alerts that no record of the stream makes, beside those that the stream makes."""

import random
from collections import deque

import pytest

from monitor.alerting import AlertBook
from monitor.alerting.apart import OVER_KEPT
from schemas.records import Alert
from tests.monitor.test_alerting import Desk, random_life
from tests.support.alerts import DAWN, alert, minutes


@pytest.mark.parametrize("seed", range(3))
def test_what_is_kept_apart_changes_nothing_else(seed: int) -> None:
    """Neither what is sent of the stream nor what days' reports list, though silences come and go all the time."""
    plain, mixed = Desk(), Desk(restarts=True)
    deque(random_life(random.Random(seed), plain, 300), maxlen=0)
    for step in random_life(random.Random(seed), mixed, 300):
        _be_still(mixed.book, step)
    assert mixed.sent == plain.sent
    days = [f"2026-11-{day}" for day in range(23, 30)]
    assert [mixed.book.lines(day) for day in days] == [plain.book.lines(day) for day in days]


def _be_still(book: AlertBook, step: int) -> None:
    """A silence begins, is told, and is over, in three steps."""
    at = DAWN + minutes(step)
    if step % 3 == 0:
        book.apart.open(_silence(step))
    for entry in [*book.apart.live("all-silent")][: step % 3 == 2]:
        entry.resolve(at, "2026-11-23", "")
    assert [each.state for each in book.due(at)] == (["open"], [], ["resolved"])[step % 3]


def _silence(number: int) -> Alert:
    return alert(alert_id=f"all-silent:{number}", rule="all-silent", camera_id=None, report=None)


def test_a_name_that_is_no_alert_is_told_which_are() -> None:
    """Those that are kept apart, too."""
    desk = Desk()
    desk.book.apart.open(_silence(7))
    with pytest.raises(ValueError, match="open are all-silent:7"):
        desk.act("acknowledge", "all-silent:8")


def test_few_that_are_over_are_kept() -> None:
    desk = Desk()
    for number in range(3 * OVER_KEPT):
        desk.book.apart.open(_silence(number)).resolve(DAWN, "2026-11-23", "")
    assert len(desk.book.snapshot()["apart"]) <= OVER_KEPT + 1
