"""What was told of alerts: read from their topic, as often as each has changed."""

from collections.abc import Callable, Iterator

import structlog

from runtime.admin import TopicAdmin
from runtime.registry import open_codec
from runtime.settings import KafkaSettings
from runtime.spans import read_all
from schemas.errors import RecordError
from schemas.records import Alert
from schemas.topics import ALERTS

log = structlog.get_logger(__name__)

LeftOut = Callable[[int, RecordError], None]
"Told the offset of a record that cannot be read, and why."


def _logged(offset: int, error: RecordError) -> None:
    log.warning("an alert cannot be read", offset=offset, error=str(error))


def alerts_told(kafka: KafkaSettings, left_out: LeftOut = _logged) -> Iterator[Alert]:
    """Yield all states of all alerts, in order; what cannot be read is said, and left out.

    Raises TopicError where topics are missing, BrokerError where the cluster does not give them.
    """
    TopicAdmin(kafka).require()
    codec = open_codec(kafka)
    for received in read_all(kafka, kafka.names.of(ALERTS)):
        try:
            yield codec.decode(received.value, Alert)
        except RecordError as error:
            left_out(received.offset, error)
