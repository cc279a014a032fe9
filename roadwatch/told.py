"""What was told of alerts, and what people said of them: read from their topics."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from operator import attrgetter
from typing import TypeVar

import structlog

from monitor.silences import Silence, target_of, terms_of
from runtime.admin import TopicAdmin
from runtime.registry import open_codec
from runtime.settings import KafkaSettings
from runtime.spans import read_all
from schemas.errors import RecordError
from schemas.records import Alert, AlertAction, Record
from schemas.topics import ALERT_ACTIONS, ALERTS, Topic

log = structlog.get_logger(__name__)

Some = TypeVar("Some", bound=Record)
LeftOut = Callable[[int, RecordError], None]
"Told the offset of a record that cannot be read, and why."


def _logged(offset: int, error: RecordError) -> None:
    log.warning("an alert cannot be read", offset=offset, error=str(error))


def alerts_told(kafka: KafkaSettings, left_out: LeftOut = _logged) -> Iterator[Alert]:
    """Yield all states of all alerts, in order; what cannot be read is said, and left out.

    Raises TopicError where topics are missing, BrokerError where the cluster does not give them.
    """
    yield from _told(kafka, ALERTS, Alert, left_out)


def silences_told(kafka: KafkaSettings, left_out: LeftOut = _logged) -> list[Silence]:
    """What was silenced and never ended by hand, also what is over by now, in the order in which it ends.

    Raises as alerts_told does.
    """
    found: dict[str, Silence] = {}
    for action in sorted(_told(kafka, ALERT_ACTIONS, AlertAction, left_out), key=attrgetter("at")):
        with suppress(ValueError):  # the monitor has refused it
            _heed(action, found)
    return sorted(found.values(), key=attrgetter("until", "target"))


def _heed(action: AlertAction, found: dict[str, Silence]) -> None:
    match action.kind:
        case "silence" if action.until is not None:
            silence = Silence(terms_of(action.target), action.until, action.by, action.reason)
            found[silence.target] = silence
        case "unsilence":
            found.pop(target_of(terms_of(action.target)), None)


def _told(kafka: KafkaSettings, topic: Topic, kind: type[Some], left_out: LeftOut) -> Iterator[Some]:
    TopicAdmin(kafka).require()
    codec = open_codec(kafka)
    for received in read_all(kafka, kafka.names.of(topic)):
        try:
            yield codec.decode(received.value, kind)
        except RecordError as error:
            left_out(received.offset, error)
