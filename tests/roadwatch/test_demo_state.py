"""The live view shows what the records said."""

from dataclasses import replace

from rich.console import Console

from roadwatch.demo.state import RunState
from roadwatch.demo.view import Teller, live_view
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


def test_the_first_mail_is_timed_from_the_start() -> None:
    state = RunState(started=5.0)
    assert state.first_mail_s is None
    state.mailed("first", now=12.0)
    state.mailed("second", now=20.0)
    assert state.first_mail_s == 7.0


def test_a_revision_takes_its_days_place() -> None:
    first = an_alert()
    state = RunState(started=0.0)
    state.feed(first, now=1.0)
    state.feed(replace(first, title="again"), now=2.0)
    assert [alert.title for alert in state.alerts.values()] == ["again"]
