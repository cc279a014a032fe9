"""Who gets which alerts."""

from collections.abc import Iterable
from dataclasses import dataclass

from schemas.records import Alert, Severity

RANKS: dict[Severity, int] = {"info": 0, "warning": 1, "critical": 2}


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Somebody who gets mails about some alerts."""

    address: str
    "Where the mails go, with or without a name."
    min_severity: Severity
    "The least severe alert that is mailed."
    cameras: frozenset[str]
    "Only alerts of these cameras and of all cameras together; empty for every camera."

    def wants(self, alert: Alert) -> bool:
        """Whether the alert is severe enough, and about a camera of theirs."""
        severe = RANKS[alert.severity] >= RANKS[self.min_severity]
        return severe and (not self.cameras or alert.camera_id is None or alert.camera_id in self.cameras)


def recipients_of(alert: Alert, subscribers: Iterable[Subscriber]) -> list[str]:
    """The addresses that the alert goes to, each once, in the subscribers' order."""
    return list(dict.fromkeys(subscriber.address for subscriber in subscribers if subscriber.wants(alert)))
