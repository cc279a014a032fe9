"""The settings as the pure core wants them: apart from the app, so that whoever folds without Kafka loads no Faust."""

from monitor.cameras import Policy
from monitor.rules import Rules, load_rules, shipped_rules
from monitor.windows import Calendar
from runtime.settings import MonitorSettings


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
