"""The settings as the pure core wants them: apart from the app, so that whoever folds without Kafka loads no Faust."""

from monitor.cameras import Policy
from monitor.rules import Rules, load_rules, shipped_rules
from monitor.subscriptions import Subscriber
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
    """Who gets which alerts; raises ConfigurationError naming each subscription with a cause that there is not."""
    found, faults = list[Subscriber](), list[str]()
    for wish in mail.subscriptions:
        try:
            found.append(_subscriber(wish))
        except ValueError as error:
            faults.append(f"{wish.to}: {error}")
    if faults:
        raise ConfigurationError("mail.subscriptions", faults)
    return tuple(found)


def _subscriber(wish: Subscription) -> Subscriber:
    return Subscriber(wish.to, wish.min_severity, frozenset(wish.cameras), frozenset(wish.causes), wish.resolved)
