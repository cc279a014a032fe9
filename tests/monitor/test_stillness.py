"""Nothing of any camera is told by the clock, once, and through restarts of whoever looks."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from monitor.alerting import AlertBook
from monitor.mail import compose
from monitor.merging import STATE, take_action, take_look
from monitor.outcomes import Outcome, Position
from monitor.stillness import Stillness
from monitor.windows import Calendar
from schemas.records import Alert, AlertAction, AlertActionKind, CameraDay, Tally
from tests.monitor.world import START, Bus, heartbeat, write

HOUR = timedelta(hours=1)
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
OPENED, OVER = [("all-silent:20261125T120000Z", "open")], [("all-silent:20261125T120000Z", "resolved")]


@dataclass(slots=True)
class Monitor:
    """Whoever has the merger, with a clock that is set by hand and observations whose time is known."""

    after: timedelta = HOUR
    bus: Bus = field(default_factory=Bus)
    now: datetime = NOON
    newest: datetime | None = NOON
    sent: list[Alert] = field(default_factory=list)
    stillness: Stillness = field(init=False)
    acted: int = 0

    def __post_init__(self) -> None:
        """A camera has sent its first picture, and somebody looks."""
        self.bus.observe([heartbeat("north", 0, START)], 0)
        self.restart()
        self.look()

    def restart(self, after: timedelta | None = None) -> None:
        """All that is known is what was written."""
        self.after = self.after if after is None else after
        self.stillness = Stillness(self.after, Calendar("UTC"))

    def picture(self) -> None:
        """One comes now."""
        self.newest = self.now

    def rest(self, span: timedelta) -> list[tuple[str, str]]:
        """Nothing comes for a span; what is told then."""
        self.now += span
        return self.look()

    def look(self) -> list[tuple[str, str]]:
        """Look twice, for what the first one finds is told by the second."""
        told = self._write(self._looked()) + self._write(self._looked())
        self.sent += told
        return [(alert.alert_id, alert.state) for alert in told]

    def look_and_die(self) -> list[tuple[str, str]]:
        """Killed after telling, before the state is written."""
        return [(alert.alert_id, alert.state) for alert in _alerts(self._looked())]

    def act(self, kind: AlertActionKind, target: str, span: timedelta | None = None) -> list[tuple[str, str]]:
        """What a person does."""
        self.acted += 1
        action = AlertAction(kind, target, "anne", self.now, self.now + span if span else None, "")
        told = self._write(take_action(self.bus.merger, action, Position("", self.acted, 0)))
        return [(alert.alert_id, alert.state) for alert in told]

    def book(self) -> AlertBook:
        """As it was written."""
        return AlertBook.restore(json.loads(self.bus.merger[STATE])["book"])

    def _looked(self) -> Outcome:
        return take_look(self.stillness, self.bus.merger, self.now, self.newest)

    def _write(self, outcome: Outcome) -> list[Alert]:
        write(self.bus.merger, outcome)
        return _alerts(outcome)


def _alerts(outcome: Outcome) -> list[Alert]:
    return [record for record in outcome.outputs if isinstance(record, Alert)]


@pytest.fixture
def monitor() -> Monitor:
    return Monitor()


def test_an_hour_of_nothing_is_told_once_and_its_end_too(monitor: Monitor) -> None:
    assert monitor.rest(59 * HOUR / 60) == []
    assert monitor.rest(HOUR / 60) == OPENED
    assert monitor.rest(HOUR) == []
    monitor.picture()
    assert (monitor.look(), monitor.look()) == (OVER, [])
    opened, over = monitor.sent
    assert (opened.severity, opened.since, opened.cameras) == ("critical", NOON, ("north",))
    assert over.summary.startswith(
        "Pictures come again, seen 2 h after the last. Since 2026-11-25 12:00 UTC no picture"
    )
    assert (over.changed_at, over.value, over.actions) == (NOON + 2 * HOUR, 2.0, ())


def test_each_silence_is_one_of_its_own(monitor: Monitor) -> None:
    monitor.rest(HOUR)
    monitor.picture()
    monitor.look()
    assert monitor.rest(HOUR) == [("all-silent:20261125T130000Z", "open")]


def test_a_restart_repeats_nothing_and_resolves_what_was_open(monitor: Monitor) -> None:
    """Also when pictures came while nobody looked."""
    monitor.rest(HOUR)
    monitor.restart()
    assert monitor.rest(3 * HOUR) == []
    monitor.restart()
    monitor.picture()
    assert monitor.look() == OVER


def test_what_a_kill_leaves_half_told_is_told_again_the_same(monitor: Monitor) -> None:
    """The look before has written it."""
    monitor.now += HOUR
    assert monitor.look_and_die() == []  # found, and lost
    write(monitor.bus.merger, monitor._looked())
    assert monitor.look_and_die() == OPENED
    monitor.restart()
    assert monitor.look() == OPENED


def test_a_start_after_a_night_off_waits_for_something_to_come() -> None:
    """What was never heard is not missed; what has come since is."""
    monitor = Monitor(now=NOON + 9 * HOUR)
    assert monitor.rest(5 * HOUR) == []
    monitor.picture()
    assert monitor.look() == []
    assert monitor.rest(HOUR) == [("all-silent:20261126T020000Z", "open")]


def test_after_a_short_restart_cameras_have_as_long_as_ever(monitor: Monitor) -> None:
    """The silence began before it."""
    monitor.now += 59 * HOUR / 60
    monitor.restart()
    assert (monitor.look(), monitor.rest(59 * HOUR / 60)) == ([], [])
    assert monitor.rest(HOUR / 60) == OPENED


def test_before_the_first_picture_there_is_nothing_to_miss() -> None:
    assert Monitor(newest=None).rest(50 * HOUR) == []


def test_a_topic_that_was_emptied_ends_no_silence(monitor: Monitor) -> None:
    """Retention takes even the last observations."""
    monitor.rest(HOUR)
    monitor.newest = None
    assert monitor.rest(200 * HOUR) == []


def test_nobody_is_told_who_does_not_want_to_be() -> None:
    """Zero is for never; what was open then is over."""
    assert Monitor(timedelta(0)).rest(50 * HOUR) == []
    monitor = Monitor()
    monitor.rest(HOUR)
    monitor.restart(after=timedelta(0))
    assert monitor.look() == OVER


def test_sources_that_have_ended_are_not_waited_for(monitor: Monitor) -> None:
    """They have closed their days."""
    starts_at, ends_at = Calendar("UTC").bounds("2026-03-02")
    closed = CameraDay("north", "2026-03-02", "UTC", 1, starts_at, ends_at, Tally(), seen_until=ends_at)
    monitor.bus.hand_in(closed)
    assert monitor.rest(5 * HOUR) == []


def test_an_acknowledged_silence_is_told_as_such_and_resolved(monitor: Monitor) -> None:
    """A restart between the two forgets neither."""
    monitor.rest(HOUR)
    assert monitor.act("acknowledge", OPENED[0][0]) == [(OPENED[0][0], "acknowledged")]
    monitor.restart()
    assert monitor.rest(HOUR) == []
    monitor.picture()
    assert monitor.look() == OVER


def test_a_silenced_silence_is_told_when_that_is_over_by_the_clock(monitor: Monitor) -> None:
    """The stream's time stands still meanwhile."""
    monitor.act("silence", "rule=all-silent", 3 * HOUR)
    assert monitor.rest(2 * HOUR) == []
    assert monitor.rest(HOUR) == OPENED


def test_a_silenced_silence_that_is_over_is_never_told(monitor: Monitor) -> None:
    monitor.act("silence", "rule=all-silent", 3 * HOUR)
    monitor.rest(2 * HOUR)
    monitor.picture()
    assert (monitor.look(), monitor.rest(30 * HOUR / 60)) == ([], [])


def test_a_silent_camera_hides_no_silence_of_all(monitor: Monitor) -> None:
    monitor.act("silence", "camera=north", 30 * HOUR)
    assert monitor.rest(HOUR) == OPENED


def test_no_days_report_lists_it(monitor: Monitor) -> None:
    """A replay would not repeat it."""
    monitor.rest(HOUR)
    assert monitor.book().lines("2026-11-25") == ()


@pytest.mark.parametrize("state", ["open", "resolved"])
def test_the_mail_can_be_written(monitor: Monitor, state: str) -> None:
    """Without a day's report behind it."""
    monitor.rest(HOUR)
    monitor.picture()
    monitor.look()
    (alert,) = (alert for alert in monitor.sent if alert.state == state)
    mail = compose(alert, "a@b.org", "c@d.org", at=NOON, timezone="UTC")
    assert "No pictures have come of any camera" in mail["Subject"]
