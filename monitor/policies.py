"""The settings as the pure core wants them: apart from the app, so that whoever folds without Kafka loads no Faust."""

from collections import Counter
from collections.abc import Collection

from monitor.cameras import Policy
from monitor.rules import Rules, load_rules, shipped_rules
from monitor.subscriptions import CHANNEL, Subscriber, channel_of
from monitor.windows import Calendar
from runtime.settings import MailSettings, MonitorSettings, Subscription
from schemas.errors import ConfigurationError


def policy(settings: MonitorSettings) -> Policy:
    """When passages and days are over."""
    return Policy(
        calendar=Calendar(settings.timezone),
        lateness=settings.lateness,
        label_patience=settings.label_patience,
        passage_timeout=settings.passage_timeout,
        max_skew=settings.max_skew,
        label_horizon=settings.label_horizon,
        revise_every=settings.revise_every,
        trust=tuple(sorted(settings.label_trust.items())),
    )


def rules_of(settings: MonitorSettings) -> Rules:
    """What raises an alert about a day; raises ConfigurationError naming every fault of the rules' file."""
    if settings.rules_file is None:
        return shipped_rules(settings.min_accuracy, settings.min_labels)
    return load_rules(settings.rules_file, settings.min_accuracy, settings.min_labels)


def subscribers_of(mail: MailSettings) -> tuple[Subscriber, ...]:
    """Who gets which alerts.

    Raises ConfigurationError naming each subscription with a cause or a channel that there is not, each name that two
    channels have, and that nobody is told first of what others wait for.
    """
    names = [channel.name for channel in mail.channels]
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    found, faults = list[Subscriber](), [f"two channels are called {name!r}; give one another name" for name in twice]
    for wish in mail.subscriptions:
        try:
            found.append(_subscriber(wish, names))
        except ValueError as error:
            faults.append(f"{_recipient(wish)}: {error}")
    if mail.subscriptions and all(wish.after_hours for wish in mail.subscriptions):
        faults.append("all have after_hours, and wait for somebody to be told first; leave it out of one")
    if faults:
        raise ConfigurationError("mail.subscriptions", faults)
    return tuple(found)


def _subscriber(wish: Subscription, channels: Collection[str]) -> Subscriber:
    if wish.to is not None and channel_of(wish.to) is not None:
        raise ValueError("no mail address; a channel is named by `channel`, and not by `to`")
    if wish.channel is not None and wish.channel not in channels:
        raise ValueError(f"{wish.channel!r} is no channel; mail.channels has {', '.join(channels) or 'none'}")
    cameras, causes = frozenset(wish.cameras), frozenset(wish.causes)
    return Subscriber(
        _recipient(wish), wish.min_severity, cameras, causes, wish.resolved, wish.digest, wish.after_hours
    )


def _recipient(wish: Subscription) -> str:
    return f"{CHANNEL}{wish.channel}" if wish.to is None else wish.to
