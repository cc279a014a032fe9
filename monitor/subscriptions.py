"""Who gets which alerts."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final, Literal

from monitor.causes import CAUSES
from runtime.faults import nearest
from schemas.records import Alert, Severity

RANKS: dict[Severity, int] = {"info": 0, "warning": 1, "critical": 2}

Pace = Literal["daily", "weekly"]
"""How often a digest goes out."""

CHANNEL: Final = "channel:"
"What stands before a channel's name, where an address stands for a mail."


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Somebody who is told of some alerts."""

    address: str
    "Where the mails go, with or without a name; `channel:NAME` for a channel."
    min_severity: Severity
    "The least severe alert that is mailed."
    cameras: frozenset[str]
    "Only alerts of these cameras and of all cameras together; empty for every camera."
    causes: frozenset[str] = frozenset()
    "Only alerts with one of these causes (see causes.toml); empty for every alert, also without a cause."
    resolved: bool = False
    "Whether they are told at once when an alert is over."
    digest: Pace | None = None
    "How often they get a digest; None: each alert at once."
    after_hours: float = 0
    "They are told of an alert that somebody else was told of so long ago, and nobody has acknowledged; 0: at once."

    def __post_init__(self) -> None:
        if unknown := sorted(self.causes - CAUSES.keys()):
            raise ValueError(f"{unknown[0]!r} is no cause; causes are {', '.join(CAUSES)}")

    def wants(self, alert: Alert) -> bool:
        """Whether the alert is news for them, severe enough, about a camera of theirs, and has a cause of theirs.

        Nothing is for whoever hears only of what nobody acknowledges: see monitor.escalation.
        """
        news = alert.state == "open" or (alert.state == "resolved" and self.resolved)
        return news and not self.after_hours and self.follows(alert)

    def follows(self, alert: Alert) -> bool:
        """Whether the alert is severe enough, about a camera of theirs, and has a cause of theirs, whatever its state."""
        severe = RANKS[alert.severity] >= RANKS[self.min_severity]
        caused = not self.causes or alert.cause in self.causes
        return severe and caused and self._concerns(alert)

    def _concerns(self, alert: Alert) -> bool:
        cameras = {alert.camera_id, *alert.cameras}
        return not self.cameras or alert.camera_id is None or not self.cameras.isdisjoint(cameras)


def recipients_of(alert: Alert, subscribers: Iterable[Subscriber]) -> list[str]:
    """The addresses and channels that the alert goes to at once, each once, in the subscribers' order."""
    at_once = (subscriber for subscriber in subscribers if subscriber.digest is None)
    return list(dict.fromkeys(subscriber.address for subscriber in at_once if subscriber.wants(alert)))


def unknown_cameras(recipient: str, cameras: Iterable[str], known: Collection[str]) -> list[str]:
    """A fault for each camera that somebody wants alerts of, and that there is not."""
    return [
        f"{recipient}: there is no camera {camera!r}; {nearest(camera, known)}"
        for camera in dict.fromkeys(cameras)
        if camera not in known
    ]


def channel_of(recipient: str) -> str | None:
    """The name of the channel that a recipient is; None for an address."""
    return recipient.removeprefix(CHANNEL) if recipient.startswith(CHANNEL) else None
