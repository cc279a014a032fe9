"""The settings as the pure core wants them: apart from the app, so that whoever folds without Kafka loads no Faust."""

from monitor.cameras import Policy
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
    )
