"""The live view shows what the records said."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from rich.console import Console

from roadwatch.demo.state import RunState
from roadwatch.demo.view import Teller, live_view
from schemas.records import CameraDay, Tally
from tests.support.records import a_prediction, an_alert


def _drawn(state: RunState, now: float) -> str:
    console = Console(width=140, record=True, quiet=False, file=None, force_terminal=False)
    with console.capture() as capture:
        console.print(live_view(state, now))
    return capture.get()


def test_rates_count_the_last_seconds_only() -> None:
    state = RunState(started=0.0)
    for n in range(30):
        state.feed(a_prediction(n), now=10.0 + n / 10)
    assert state.cameras["gate"].rate(now=13.0) == 10.0
    assert state.cameras["gate"].rate(now=60.0) == 0.0


def test_the_view_names_camera_class_and_alert() -> None:
    state = RunState(started=0.0)
    state.feed(a_prediction(label="truck"), now=1.0)
    state.feed(an_alert(), now=2.0)
    drawn = _drawn(state, now=3.0)
    assert "gate" in drawn
    assert "truck" in drawn
    assert "Accuracy 42.0 % on 2026-03-02" in drawn


def test_each_alert_is_told_once() -> None:
    console = Console(width=140, force_terminal=False)
    teller, state = Teller(console), RunState(started=0.0)
    state.feed(an_alert(), now=1.0)
    with console.capture() as capture:
        teller.tell(state)
        teller.tell(state)
    assert capture.get().count("Accuracy 42.0 %") == 1


def test_an_alert_that_is_over_is_told_once_more_as_such() -> None:
    console = Console(width=140, force_terminal=False)
    teller, state = Teller(console), RunState(started=0.0)
    with console.capture() as capture:
        for told in (an_alert(), an_alert(title="Accuracy 41.0 %"), an_alert(state="resolved")):
            state.feed(told, now=1.0)
            teller.tell(state)
    assert [line[:15].strip() for line in capture.get().splitlines()] == ["alert: critical", "alert: over"]


def test_the_first_mail_is_timed_from_the_start() -> None:
    state = RunState(started=5.0)
    assert state.first_mail_s is None
    state.mailed("first", now=12.0)
    state.mailed("second", now=20.0)
    assert state.first_mail_s == 7.0


def test_an_alert_told_again_takes_its_own_place_and_its_end_another() -> None:
    """Also where it has become worse."""
    first, state = an_alert(), RunState(started=0.0)
    for told in (first, replace(first, title="worse"), replace(first, state="resolved", title="over")):
        state.feed(told, now=1.0)
    assert [alert.title for alert in state.alerts.values()] == ["worse", "over"]


def test_an_alert_is_one_mail_whatever_becomes_of_it() -> None:
    """Hints are for the report alone, until they become worse."""
    first, state = an_alert(), RunState(started=0.0)
    hint = replace(first, alert_id="hint", severity="info")
    for told in (first, replace(first, state="acknowledged"), first, replace(first, state="resolved"), hint):
        state.feed(told, now=1.0)
    assert state.to_be_mailed == {first.alert_id}
    state.feed(replace(hint, severity="warning"), now=2.0)
    assert state.to_be_mailed == {first.alert_id, "hint"}


def test_each_day_that_pictures_tell_of_gets_a_report() -> None:
    """From the first news of it; what devices alone tell of gets none."""
    state = RunState(started=0.0)
    for revision, part, day in (
        (0, "pictures", "2026-03-02"),
        (1, "pictures", "2026-03-02"),
        (0, "device", "2026-03-03"),
    ):
        at = datetime(2026, 3, int(day[-2:]), tzinfo=UTC)
        state.feed(CameraDay("gate", day, "UTC", revision, at, at + timedelta(days=1), Tally(), part=part), now=1.0)
    assert state.days == {"2026-03-02"}
