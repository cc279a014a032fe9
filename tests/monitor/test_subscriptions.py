"""Who gets which alerts."""

import pytest

from monitor.policies import subscribers_of
from monitor.subscriptions import Subscriber, channel_of, recipients_of, unknown_cameras
from runtime.settings import MailSettings, Subscription
from schemas.errors import ConfigurationError
from schemas.records import AlertState, Severity
from tests.support.alerts import alert


@pytest.mark.parametrize(
    ("severity", "least", "wanted"),
    [
        ("critical", "warning", True),
        ("warning", "warning", True),
        ("info", "warning", False),
        ("warning", "critical", False),
    ],
)
def test_severity_decides(severity: Severity, least: Severity, wanted: bool) -> None:
    """An alert is mailed to those whose least severity it reaches."""
    assert Subscriber("team@example.com", least, frozenset()).wants(alert(severity=severity)) is wanted


@pytest.mark.parametrize(
    ("cameras", "camera_id", "wanted"),
    [
        ((), "gate-north", True),
        (("gate-north",), "gate-north", True),
        (("gate-south",), "gate-north", False),
        (("gate-south",), None, True),
    ],
)
def test_cameras_decide(cameras: tuple[str, ...], camera_id: str | None, wanted: bool) -> None:
    """A subscription to some cameras gets theirs, and what concerns all together."""
    assert Subscriber("team@example.com", "info", frozenset(cameras)).wants(alert(camera_id=camera_id)) is wanted


@pytest.mark.parametrize(("cameras", "wanted"), [(("ramp",), True), (("gate-north",), True), (("south",), False)])
def test_an_alert_of_several_cameras_is_for_whoever_has_one_of_them(cameras: tuple[str, ...], wanted: bool) -> None:
    """Fog at two cameras is one alert, and both their people get it."""
    both = alert(cameras=("gate-north", "ramp"))
    assert Subscriber("team@example.com", "info", frozenset(cameras)).wants(both) is wanted


@pytest.mark.parametrize(
    ("causes", "cause", "wanted"), [((), "", True), (("fog",), "fog", True), (("fog",), "", False)]
)
def test_causes_decide(causes: tuple[str, ...], cause: str, wanted: bool) -> None:
    """A subscription to some causes gets theirs alone."""
    subscriber = Subscriber("team@example.com", "info", frozenset(), causes=frozenset(causes))
    assert subscriber.wants(alert(cause=cause)) is wanted


@pytest.mark.parametrize(
    ("state", "resolved", "wanted"),
    [("open", False, True), ("resolved", False, False), ("resolved", True, True), ("acknowledged", True, False)],
)
def test_only_whoever_asks_hears_that_it_is_over(state: AlertState, resolved: bool, wanted: bool) -> None:
    """And nobody gets a mail because somebody is at it."""
    subscriber = Subscriber("team@example.com", "info", frozenset(), resolved=resolved)
    assert subscriber.wants(alert(state=state)) is wanted


def test_a_cause_that_is_none_is_refused() -> None:
    """It would never be mailed."""
    with pytest.raises(ValueError, match="'frog' is no cause; causes are moved, fog"):
        Subscriber("team@example.com", "info", frozenset(), causes=frozenset({"frog"}))


def test_an_address_with_two_fitting_subscriptions_is_named_once() -> None:
    """Nobody gets a mail twice for subscribing twice."""
    names = ["a@example.com", "b@example.com", "a@example.com"]
    subscribers = [Subscriber(name, "info", frozenset()) for name in names]
    assert recipients_of(alert(), subscribers) == ["a@example.com", "b@example.com"]


def test_whoever_has_a_digest_is_told_nothing_at_once() -> None:
    """Unless by another subscription."""
    daily = Subscriber("a@example.com", "info", frozenset(), digest="daily")
    assert recipients_of(alert(), [daily]) == []
    assert recipients_of(alert(), [daily, Subscriber("a@example.com", "critical", frozenset())]) == ["a@example.com"]


@pytest.mark.parametrize("state", ["open", "resolved"])
def test_whoever_waits_for_others_is_told_nothing_at_once(state: AlertState) -> None:
    """Neither that it is open, nor that it is over; but it is theirs."""
    later = Subscriber("a@example.com", "info", frozenset(), resolved=True, after_hours=4)
    assert recipients_of(alert(state=state), [later]) == []
    assert later.follows(alert(state=state))


@pytest.mark.parametrize("state", ["open", "acknowledged", "resolved"])
def test_what_somebody_follows_they_follow_to_its_end(state: AlertState) -> None:
    """A digest tells what is over, too."""
    assert Subscriber("team@example.com", "info", frozenset(), digest="daily").follows(alert(state=state))


def test_somebody_has_to_be_told_first() -> None:
    """Or those who wait would wait for ever."""
    waiting = tuple(Subscription(to=name, after_hours=4) for name in ("a@example.com", "b@example.com"))
    with pytest.raises(ConfigurationError, match="all have after_hours, and wait for somebody to be told first"):
        subscribers_of(MailSettings(subscriptions=waiting))
    first = Subscription(to="c@example.com", digest="daily")
    assert [s.after_hours for s in subscribers_of(MailSettings(subscriptions=(*waiting, first)))] == [4, 4, 0]


def test_a_camera_that_there_is_not_is_told_once() -> None:
    assert unknown_cameras("a@example.org", ["gat", "gate", "gat"], ["gate"]) == [
        "a@example.org: there is no camera 'gat'; the nearest: gate"
    ]


def test_a_channel_is_told_from_an_address() -> None:
    assert (channel_of("channel:ops"), channel_of("ops@example.com")) == ("ops", None)
