"""What was told of alerts, and what people said of them: read from their topics."""

from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import TypeVar

import structlog

from monitor.silences import Silence, terms_of
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
        if silence := _silence(action):
            found[silence.target] = silence
        elif action.kind == "unsilence":
            found.pop(written(action.target), None)
    return sorted(found.values(), key=attrgetter("until", "target"))


def written(target: str) -> str:
    """A silence's target as silences write theirs; what is none as it is."""
    try:
        return ",".join(f"{key}={value}" for key, value in terms_of(target).items())
    except ValueError:
        return target


def _silence(action: AlertAction) -> Silence | None:
    """What an action silences; None where it does not, or the monitor has refused it."""
    if action.kind != "silence" or action.until is None:
        return None
    try:
        return Silence(terms_of(action.target), action.until, action.by, action.reason)
    except ValueError:
        return None


def _told(kafka: KafkaSettings, topic: Topic, kind: type[Some], left_out: LeftOut) -> Iterator[Some]:
    TopicAdmin(kafka).require()
    codec = open_codec(kafka)
    for received in read_all(kafka, kafka.names.of(topic)):
        try:
            yield codec.decode(received.value, kind)
        except RecordError as error:
            left_out(received.offset, error)
