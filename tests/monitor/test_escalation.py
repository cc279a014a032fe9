"""Escalation: who is told of which alerts that nobody has acknowledged."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from monitor.digests import Logged
from monitor.escalation import Escalation, Scene, by_alert, escalations_of, followed_of, silences_of
from monitor.mail import NO_MAIL, delivery_id, digested_id
from monitor.silences import MOST, Silences
from monitor.subscriptions import Subscriber
from schemas.records import Alert, AlertAction, AlertActionKind, AlertState, Delivery
from tests.support.alerts import alert

TEAM, LEAD, ON_CALL = "team@example.com", "lead@example.com", "channel:on-call"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def after(hours: float, name: str = LEAD, **more: Any) -> Subscriber:
    """Somebody who waits so many hours for others."""
    return Subscriber(name, more.pop("least", "info"), more.pop("cameras", frozenset()), after_hours=hours, **more)


def told(hours_ago: float, name: str = TEAM, state: AlertState = "open", reminder: int = 0) -> Delivery:
    """A mail about the alert, so long ago."""
    identity = delivery_id(alert(state=state), name, reminder), alert().alert_id, name, "<mail>"
    return Delivery(*identity, NOW - hours_ago * HOUR)


def found(
    *deliveries: Delivery,
    waiting: Sequence[Subscriber] = (after(4),),
    silences: Silences | None = None,
    logged_at: datetime = NOW,
    **changes: object,
) -> list[Escalation]:
    """Who is told of the alert."""
    followed = followed_of([Logged(alert(**changes), logged_at)], waiting)
    return escalations_of(followed, Scene(NOW, waiting, by_alert(deliveries), silences or Silences()))


def names(escalations: Sequence[Escalation]) -> list[str]:
    return [escalation.recipient for escalation in escalations]


@pytest.mark.parametrize(("hours_ago", "expected"), [(3.99, []), (4, [LEAD]), (400, [LEAD])])
def test_what_was_told_so_long_ago_is_escalated(hours_ago: float, expected: list[str]) -> None:
    assert names(found(told(hours_ago))) == expected


def test_it_says_how_long_nobody_has_acknowledged_it() -> None:
    """From the first who was told: a reminder, or somebody told later, begins nothing anew."""
    (escalation,) = found(told(2, reminder=1), told(7), told(5, name="other@example.com"))
    assert escalation == Escalation(alert(), LEAD, 7 * HOUR)


@pytest.mark.parametrize("state", ["acknowledged", "resolved"])
def test_what_somebody_is_at_or_is_over_is_not_escalated(state: AlertState) -> None:
    assert found(told(9), state=state) == []


def test_the_newest_state_counts() -> None:
    """Whatever stands on the topic before it."""
    states: tuple[AlertState, ...] = ("open", "acknowledged")
    followed = followed_of([Logged(alert(state=state), NOW) for state in states], [after(4)])
    assert escalations_of(followed, Scene(NOW, [after(4)], by_alert([told(9)]), Silences())) == []


@pytest.mark.parametrize("deliveries", [(), (told(9, state="resolved"),), (replace(told(9), message_id=NO_MAIL),)])
def test_what_nobody_was_told_of_is_not_escalated(deliveries: tuple[Delivery, ...]) -> None:
    """That it is over, or a mail that was refused, told nobody that it is open."""
    assert found(*deliveries) == []


def test_a_digest_tells_too() -> None:
    """Whoever it told has had the time since."""
    digested = replace(told(5), delivery_id=digested_id(alert(severity="warning"), TEAM))
    assert names(found(digested)) == [LEAD]


@pytest.mark.parametrize(
    "subscriber",
    [
        after(4, least="critical"),
        after(4, cameras=frozenset({"gate-south"})),
        after(4, causes=frozenset({"fog"})),
        after(0),
        Subscriber(LEAD, "info", frozenset(), digest="daily"),
    ],
)
def test_only_what_is_subscribed_to_is_escalated(subscriber: Subscriber) -> None:
    """Severity, camera and cause, and that somebody waits at all."""
    assert found(told(9), waiting=[subscriber], severity="warning") == []


def test_each_step_of_a_chain_has_its_time() -> None:
    """All count from the first who was told, also of those who wait."""
    chain = [Subscriber(TEAM, "info", frozenset()), after(4), after(12, ON_CALL)]
    assert names(found(told(5), waiting=chain)) == [LEAD]
    assert names(found(told(12.5), told(8, LEAD), waiting=chain)) == [ON_CALL]
    assert names(found(told(13), waiting=chain)) == [LEAD, ON_CALL]


def test_of_two_subscriptions_the_sooner_one_counts() -> None:
    """And it is one escalation."""
    both = [after(12), after(4, least="critical")]
    assert names(found(told(5), waiting=both)) == [LEAD]
    assert found(told(5), waiting=both, severity="warning") == []


@pytest.mark.parametrize(
    "known", [told(1, LEAD), replace(told(1, LEAD), delivery_id=digested_id(alert(), LEAD)), told(8, LEAD)]
)
def test_whoever_was_told_is_not_told_again(known: Delivery) -> None:
    """At once, by a digest, or by an escalation."""
    assert found(told(9), known) == []


def test_what_became_worse_since_a_digest_is_escalated_to_whom_it_told() -> None:
    """They know of a warning."""
    digested = replace(told(9, LEAD), delivery_id=digested_id(alert(severity="warning"), LEAD))
    assert names(found(digested)) == [LEAD]


def test_whoever_is_told_at_once_is_left_to_that() -> None:
    """Their mail may still wait for a server, and would come twice."""
    assert found(told(9), waiting=[after(4), Subscriber(LEAD, "critical", frozenset())]) == []


def test_an_alert_that_came_back_has_its_whole_time_again() -> None:
    """As one that somebody was at before it became worse: it counts from there on."""
    assert found(told(90), changed_at=NOW - 3 * HOUR) == []
    (escalation,) = found(told(90), changed_at=NOW - 5 * HOUR)
    assert escalation.waited == 5 * HOUR


def test_a_replay_of_last_year_is_not_escalated_at_once() -> None:
    """When it was told counts, not when it was."""
    past = NOW - timedelta(days=365)
    assert found(told(1), since=past, raised_at=past, changed_at=past) == []


def action(kind: AlertActionKind, target: str, hours: float = 0) -> AlertAction:
    """What somebody asked for an hour ago, for so many hours from now on."""
    return AlertAction(kind, target, by="anne", at=NOW - HOUR, until=NOW + hours * HOUR, reason="")


def test_what_is_silent_is_not_escalated_before_it_is_so_no_more() -> None:
    silent = silences_of([action("silence", "camera=gate-north", 1)])
    over = silences_of([action("silence", "camera=gate-north", -0.5)])
    ended = silences_of([action("silence", "camera=gate-north", 1), action("unsilence", "camera=gate-north")])
    assert [names(found(told(9), silences=each)) for each in (silent, over, ended)] == [[], [LEAD], [LEAD]]


def test_a_wrong_action_silences_nothing_and_spares_the_others() -> None:
    """The monitor has refused it."""
    wrong = [action("unsilence", "camera=gate"), action("silence", "frog"), action("acknowledge", "a")]
    assert found(told(9), silences=silences_of([*wrong, action("silence", "rule=daily-accuracy", 1)])) == []


def test_silences_that_were_over_do_not_crowd_out_those_that_hold() -> None:
    """The topic keeps ninety days of them, and there are not so many at once."""
    past = [replace(action("silence", f"camera={n}"), at=NOW - 3 * HOUR, until=NOW - 2 * HOUR) for n in range(MOST)]
    assert found(told(9), silences=silences_of([*past, action("silence", "camera=gate-north", 1)])) == []


ENDED: dict[str, Any] = {"state": "resolved", "waiting": [after(4, resolved=True)]}


def test_whoever_was_escalated_to_hears_when_it_is_over() -> None:
    """Once."""
    assert found(told(9), told(5, LEAD), **ENDED) == [Escalation(alert(state="resolved"), LEAD, None)]
    assert found(told(9), told(5, LEAD), told(1, LEAD, "resolved"), **ENDED) == []


@pytest.mark.parametrize(
    ("opening", "changes"),
    [
        ((), {}),
        ((replace(told(5, LEAD), message_id=NO_MAIL),), {}),
        ((replace(told(5, LEAD), delivery_id=digested_id(alert(), LEAD)),), {}),
        ((told(5, LEAD),), {"waiting": [after(4)]}),
        ((told(900, LEAD),), {"logged_at": NOW - timedelta(days=8)}),
    ],
)
def test_nobody_else_does(opening: tuple[Delivery, ...], changes: dict[str, Any]) -> None:
    """Not told that it is open, refused, told by a digest, not asked for, or over for more than a week."""
    assert found(told(901), *opening, **{**ENDED, **changes}) == []


def test_alerts_for_which_nobody_waits_are_not_looked_up() -> None:
    others: list[Alert] = [alert(alert_id="a", severity="info"), alert(alert_id="b")]
    followed = followed_of([Logged(one, NOW) for one in others], [after(4, least="warning")])
    assert [one.alert.alert_id for one in followed] == ["b"]
