"""An alert's failures: its day, and the cameras that it concerns."""

from collections.abc import Iterable
from typing import Final

from monitor.windows import Calendar
from roadwatch.failing.request import FailuresRequest
from roadwatch.told import alerts_told
from runtime.settings import KafkaSettings
from schemas.errors import ConfigurationError
from schemas.records import Alert

MOST_NAMED: Final = 10
"Alerts that are named where the one that was asked for is not known."


def request_of(alert: Alert, calendar: Calendar) -> FailuresRequest:
    """Return what an alert asks for; of one that concerns no camera in particular, all cameras.

    Its day is the one that it concerns; of what lasts for days, the one on which it was noticed.
    """
    own = (alert.camera_id,) if alert.camera_id else ()
    day = min(alert.day, calendar.day_of(alert.raised_at))
    return FailuresRequest(day, tuple(sorted({*alert.cameras, *own})), about=alert.title)


def alert_of(kafka: KafkaSettings, alert_id: str) -> Alert:
    """Return an alert in its newest state.

    Raises:
        ConfigurationError: there is none of that id.
        BrokerError: the cluster does not give it.

    """
    known = {alert.alert_id: alert for alert in alerts_told(kafka)}
    if alert_id not in known:
        raise ConfigurationError("--alert", [f"{alert_id!r} is not known; {_there(known.values())}"])
    return known[alert_id]


def _there(known: Iterable[Alert]) -> str:
    newest = sorted(known, key=lambda alert: (alert.raised_at, alert.alert_id), reverse=True)
    if not newest:
        return "there are no alerts"
    named = ", ".join(alert.alert_id for alert in newest[:MOST_NAMED])
    rest = len(newest) - MOST_NAMED
    return f"there are {named}{f' and {rest} more' if rest > 0 else ''}"
