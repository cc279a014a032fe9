"""Sessions with the broker: one after the other, for as long as the service lives."""

import time
from collections.abc import Callable
from threading import Event

import structlog
from confluent_kafka import KafkaException

from schemas.errors import BrokerError, RegistryUnavailableError

log = structlog.get_logger(__name__)

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 10.0
SETTLED_S = 60.0
"A session that lasted so long was a good one: the next wait is short again."


def run_sessions(session: Callable[[], None], stop: Event) -> None:
    """Run `session` until `stop` is set: one that breaks with Kafka or the registry is followed by a new one.

    The wait between them doubles. A session that returns by itself ends the run; other errors are not caught.
    """
    wait_s = FIRST_WAIT_S
    while not stop.is_set():
        started = time.monotonic()
        try:
            session()
        except (KafkaException, BrokerError, RegistryUnavailableError) as error:
            wait_s = FIRST_WAIT_S if time.monotonic() - started > SETTLED_S else min(wait_s * 2, LONGEST_WAIT_S)
            log.warning("kafka session lost, starting a new one", error=str(error), wait_s=wait_s)
            stop.wait(wait_s)
        else:
            return
