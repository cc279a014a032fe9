"""Escalation: which alerts nobody has acknowledged for so long that somebody else is told of them.

              told to the team        to the lead, after 4 h         to the on-call channel, after 12 h
    ─────────────────●──────────────────────●─────────────────────────────────●──────────────►
    newest state    open                   open                              acknowledged: nothing is told

The time runs by the wall clock, from the first delivery on record that told anybody that the alert is open: event times
of a replay lie a year back. It does not run before the alert came into its state, so that one which was over and is back,
or which somebody was at before it became worse, has its whole time again. What nobody was told of has no time.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from monitor.digests import Logged
from monitor.mail import NO_MAIL, delivery_id, ids_told, tells_open
from monitor.silences import Silences
from monitor.subscriptions import Subscriber, recipients_of
from schemas.records import Alert, AlertAction, Delivery

ENDING_IS_NEWS: Final = timedelta(days=7)
"An alert that was over earlier is not told as over: whoever subscribes anew is spared the past."


@dataclass(frozen=True, slots=True)
class Escalation:
    """Somebody who is to be told of an alert, after others."""

    alert: Alert
    "Open, or resolved where they were told that it is open."
    recipient: str
    "An address or a channel."
    waited: timedelta | None
    "How long nobody has acknowledged it; None where it is over."


@dataclass(frozen=True, slots=True)
class Scene:
    """What is known when alerts are looked at."""

    now: datetime
    "The wall clock, UTC."
    subscribers: Sequence[Subscriber]
    "All of them; those without `after_hours` are told by others."
    told: Mapping[str, Sequence[Delivery]]
    "What is on record, by alert."
    silences: Silences
    "Those that people asked for. Here they end by the wall clock."

    def of(self, alert: Alert, recipient: str) -> list[Subscriber]:
        """The subscriptions by which a recipient waits for an alert."""
        return [s for s in self.subscribers if s.after_hours and s.address == recipient and s.follows(alert)]

    def knows(self, alert: Alert, recipient: str) -> bool:
        """Whether the recipient was told of the alert in its state, or never will be."""
        known = {delivery.delivery_id for delivery in self.told.get(alert.alert_id, ())}
        return not known.isdisjoint(ids_told(alert, recipient))

    def mailed_open(self, alert: Alert, recipient: str) -> bool:
        """Whether a mail of its own, and not a digest, told the recipient that the alert is open."""
        opening = delivery_id(replace(alert, state="open"), recipient)
        deliveries = self.told.get(alert.alert_id, ())
        return any(each.delivery_id == opening and each.message_id != NO_MAIL for each in deliveries)

    def waited(self, alert: Alert) -> timedelta | None:
        """How long nobody has acknowledged an open alert; None where nobody was told of it."""
        times = [each.delivered_at for each in self.told.get(alert.alert_id, ()) if tells_open(each)]
        if not times:
            return None
        first = min(times)
        return self.now - max(first, alert.changed_at or first)


def followed_of(logged: Iterable[Logged], subscribers: Sequence[Subscriber]) -> list[Logged]:
    """The alerts for which anybody waits, each as it was logged last."""
    newest = {one.alert.alert_id: one for one in logged}
    waiting = [subscriber for subscriber in subscribers if subscriber.after_hours]
    return [one for one in newest.values() if any(subscriber.follows(one.alert) for subscriber in waiting)]


def by_alert(deliveries: Iterable[Delivery]) -> dict[str, list[Delivery]]:
    """Deliveries by the alert that they tell of."""
    found = defaultdict[str, list[Delivery]](list)
    for delivery in deliveries:
        found[delivery.alert_id].append(delivery)
    return dict(found)


def silences_of(actions: Iterable[AlertAction]) -> Silences:
    """The silences that people asked for, in the order of their topic; what is wrong is for the monitor to refuse."""
    silences = Silences()
    for action in actions:
        try:
            _heed(action, silences)
        except ValueError:
            continue
    return silences


def _heed(action: AlertAction, silences: Silences) -> None:
    silences.forget(action.at)
    match action.kind:
        case "silence":
            silences.add(action)
        case "unsilence":
            silences.remove(action.target)
        case "acknowledge":
            pass


def escalations_of(followed: Iterable[Logged], scene: Scene) -> list[Escalation]:
    """Who is to be told of which alerts now, once they are taken."""
    pairs = ((one, name) for one in followed for name in _waiting_for(one.alert, scene))
    found = (_escalation(one, name, scene) for one, name in pairs)
    return [escalation for escalation in found if escalation]


def _waiting_for(alert: Alert, scene: Scene) -> list[str]:
    """Whoever waits for an alert, is not told of it at once, and was not told."""
    at_once = recipients_of(alert, scene.subscribers)
    names = dict.fromkeys(s.address for s in scene.subscribers if s.after_hours and s.follows(alert))
    return [name for name in names if name not in at_once and not scene.knows(alert, name)]


def _escalation(one: Logged, recipient: str, scene: Scene) -> Escalation | None:
    match one.alert.state:
        case "open":
            return _unheeded(one.alert, recipient, scene)
        case "resolved":
            return _over(one, recipient, scene)
        case "acknowledged":
            return None


def _unheeded(alert: Alert, recipient: str, scene: Scene) -> Escalation | None:
    waited = scene.waited(alert)
    soonest = min(subscriber.after_hours for subscriber in scene.of(alert, recipient))
    if waited is None or waited < timedelta(hours=soonest) or scene.silences.cover(alert, scene.now):
        return None
    return Escalation(alert, recipient, waited)


def _over(one: Logged, recipient: str, scene: Scene) -> Escalation | None:
    wished = any(subscriber.resolved for subscriber in scene.of(one.alert, recipient))
    fresh = one.at >= scene.now - ENDING_IS_NEWS
    told = wished and fresh and scene.mailed_open(one.alert, recipient)
    return Escalation(one.alert, recipient, None) if told else None
