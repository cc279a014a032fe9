"""Retraining as a service: at a pace, or while an alert says that the model is not right often enough.

    a day has passed ──────────┐
    an accuracy alert is open ─┴─► nobody is challenger, twenty labels more than last time ─► retrained

Whether it is worth it is for `retrained` to say. What is compared in shadow is left in peace until it is decided.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from threading import Event
from typing import Final

import structlog

from models.archive.opening import open_archive
from models.registry.opening import open_registry
from roadwatch.retraining.request import Progress, Retrained, RetrainRequest
from roadwatch.retraining.session import retrained
from roadwatch.retraining.testing import CHALLENGER
from roadwatch.told import alerts_told
from runtime.settings import KafkaSettings, Settings
from schemas.errors import ConfigurationError, RoadwatchError

log = structlog.get_logger(__name__)

LOOK: Final = timedelta(minutes=1)
"Between two looks at the alerts."
MORE_LABELS: Final = 20
"Than at the last try: as few as a retraining takes."
METRIC: Final = "accuracy"
"Of the alerts that call for it."


@dataclass(frozen=True, slots=True)
class Pace:
    """When it is tried."""

    every: timedelta | None = None
    "At the start, and after each of these; None: not by the clock."
    on_alert: bool = False
    "Whether it is tried while an accuracy alert is open."
    look: timedelta = LOOK
    "Between two looks."


def followed(
    settings: Settings, asked: RetrainRequest, pace: Pace, stop: Event, progress: Progress
) -> Iterator[Retrained]:
    """Yield what came of each retraining, until `stop` is set."""
    due_at, labels = time.monotonic() if pace.every else float("inf"), 0
    while not stop.is_set():
        if time.monotonic() >= due_at or (pace.on_alert and is_alarmed(settings.kafka)):
            due_at = time.monotonic() + pace.every.total_seconds() if pace.every else due_at
            count = _labels(settings)
            if count >= labels + MORE_LABELS and _is_free(settings):
                found, is_done = _tried(settings, asked, progress)
                labels = count if is_done else labels
                yield from found
        stop.wait(min(pace.look.total_seconds(), max(0.0, due_at - time.monotonic())))


def is_alarmed(kafka: KafkaSettings) -> bool:
    """Whether an alert about accuracy is open or acknowledged; a broker that is away, and it is not known."""
    try:
        newest = {alert.alert_id: alert for alert in alerts_told(kafka) if alert.metric == METRIC}
    except RoadwatchError as error:
        log.warning("alerts cannot be read", error=str(error))
        return False
    return any(alert.state != "resolved" for alert in newest.values())


def _labels(settings: Settings) -> int:
    """Count the labels that were given."""
    try:
        return len(open_archive(settings.archive)[1].labels())
    except RoadwatchError as error:
        log.warning("labels cannot be read", error=str(error))
        return -1


def _is_free(settings: Settings) -> bool:
    """Whether nobody is compared in shadow now."""
    try:
        holder = open_registry(settings.models).state().holders.get(CHALLENGER)
    except RoadwatchError as error:
        log.warning("the registry cannot be read", error=str(error))
        return False
    if holder is not None:
        log.info("not retrained: a challenger is compared", challenger=holder.version)
    return holder is None


def _tried(settings: Settings, asked: RetrainRequest, progress: Progress) -> tuple[list[Retrained], bool]:
    """Retrain; say what came of it, and whether the same labels need not be tried again."""
    try:
        return [retrained(settings, asked, progress)], True
    except ConfigurationError as error:
        log.info("not retrained", reason="; ".join(error.faults))
        return [], True
    except RoadwatchError as error:
        log.warning("a retraining failed; the next try goes on there", error=str(error))
        return [], False
