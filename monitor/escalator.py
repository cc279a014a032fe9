"""Escalations on their way out: looked for every five minutes, tried until they are taken.

    a look ─► the alerts' topic ─► the deliveries ─► who is due? ─► errands ─┬─ taken ───► on record
      ▲                                                  ▲                   ├─ refused ─► on record, and in the log
      └──────── every five minutes, all anew ────────────┴── with backoff ───┴─ deferred

A look finds everything on the topics, so nothing is lost by a restart, and nobody is told who is on record. What waits
between two looks is dropped by the next if somebody has acknowledged it meanwhile.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Final

import structlog

from monitor.digests import Logged
from monitor.errands import Courier, Deliveries, Desk, Errand, Mailer, Surroundings
from monitor.escalation import Escalation, Scene, by_alert, escalations_of, followed_of
from monitor.mail import NO_MAIL, delivery_id
from monitor.silences import Silences
from schemas.records import Alert, Delivery

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 300.0

Alerts = Callable[[Collection[str]], Iterable[Logged]]
"Reads the alerts' topic from its beginning to its end: those of the ids with reports and findings, others without."


class Escalator:
    """Escalates; holds when it looked last, and what waits until it looks again."""

    def __init__(
        self,
        desk: Desk,
        mailer: Mailer,
        courier: Courier,
        deliveries: Deliveries,
        alerts: Alerts,
        silences: Callable[[], Silences],
        around: Surroundings,
    ) -> None:
        """`mailer` serves the errands; `silences` reads which ones people asked for."""
        self._subscribers = desk.subscribers
        self._mailer = mailer
        self._courier = courier
        self._deliveries = deliveries
        self._alerts = alerts
        self._silences = silences
        self._around = around
        self._looked_s: float | None = None
        self._errands: list[Errand] = []

    def forget(self) -> None:
        """Let go of what waits, and look at once when it is served again: another mailer may go on with it."""
        self._looked_s = None
        self._errands.clear()

    def serve(self, go_on: Callable[[], bool] = lambda: True) -> None:
        """Look if it is time to, and try each mail that is due, once, until `go_on` says no.

        Raises BrokerError where the topics cannot be read or the record cannot be written.
        """
        if not any(subscriber.after_hours for subscriber in self._subscribers):
            return
        self._courier.record_late()
        if self._looked_s is None or self._around.monotonic() - self._looked_s >= LOOK_EVERY_S:
            self._look()
        self._mailer.serve(self._errands, go_on)
        self._give_up()
        self._errands = [errand for errand in self._errands if errand.waiting]

    def _look(self) -> None:
        due = self._due()
        whole = self._whole({escalation.alert.alert_id for escalation in due})
        taken_s = {delivery_id(old.alert, name): old.taken_s for old in self._errands for name in old.waiting}
        errands = (self._errand(escalation, whole, taken_s) for escalation in due)
        self._errands = [errand for errand in errands if errand]
        self._looked_s = self._around.monotonic()

    def _due(self) -> list[Escalation]:
        followed = followed_of(self._alerts(()), self._subscribers)
        if not followed:
            return []
        told = self._deliveries.told({one.alert.alert_id for one in followed})
        scene = Scene(self._around.clock(), self._subscribers, by_alert(told), self._silences())
        return escalations_of(followed, scene)

    def _whole(self, ids: Collection[str]) -> dict[str, Alert]:
        """The alerts with their reports and findings: they are large, and few of them are told."""
        logged = self._alerts(ids) if ids else ()
        return {one.alert.alert_id: one.alert for one in logged if one.alert.alert_id in ids}

    def _errand(self, escalation: Escalation, whole: dict[str, Alert], taken_s: dict[str, float]) -> Errand | None:
        """None where the alert has changed its state since it was looked at; the next look sees to it."""
        alert, name = whole.get(escalation.alert.alert_id), escalation.recipient
        if alert is None or alert.state != escalation.alert.state:
            return None
        taken = taken_s.get(delivery_id(alert, name), self._around.monotonic())
        return Errand(alert, [name], taken_s=taken, waited=escalation.waited)

    def _give_up(self) -> None:
        """What is refused for good goes on record, or each look would find it again; the mailer has logged it."""
        for errand in self._errands:
            while errand.refusals:
                name, alert = errand.refusals[0].recipient, errand.alert
                log.error("escalation given up, it is not tried again", alert=alert.alert_id, recipient=name)
                identity = delivery_id(alert, name), alert.alert_id, name, NO_MAIL
                self._courier.record(Delivery(*identity, self._around.clock()))
                errand.refusals.pop(0)
