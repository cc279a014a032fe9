"""Who gets which alerts."""

import pytest

from monitor.subscriptions import Subscriber, recipients_of
from schemas.records import Severity
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


def test_an_address_with_two_fitting_subscriptions_is_named_once() -> None:
    """Nobody gets a mail twice for subscribing twice."""
    names = ["a@example.com", "b@example.com", "a@example.com"]
    subscribers = [Subscriber(name, "info", frozenset()) for name in names]
    assert recipients_of(alert(), subscribers) == ["a@example.com", "b@example.com"]
