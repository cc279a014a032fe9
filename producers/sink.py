"""Where a camera's records go: Kafka, or a list."""

from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from runtime.clients import Headers, check_size
from schemas.codec import Codec
from schemas.records import Record
from schemas.topics import Topic

R = TypeVar("R", bound=Record)


class FrameSink(Protocol):
    """Takes records in order; `runtime.clients.Writer` is one."""

    def send(self, topic: Topic, key: str, record: Record, headers: Headers | None = None) -> None:
        """Put a record on its topic.

        Raises:
            RecordTooLargeError: over the topic's limit; nothing was sent.
            BrokerUnavailableError: the broker takes no records, or did not take earlier ones.

        """
        ...

    def flush(self) -> None:
        """Wait until everything is acknowledged; raises BrokerUnavailableError."""
        ...


@dataclass(frozen=True, slots=True)
class Sent:
    """A record as a sink took it."""

    topic: Topic
    "Its line in the topic table."
    key: str
    "Its key."
    record: Record
    "The record."
    headers: dict[str, bytes]
    "By name."


@dataclass(slots=True)
class ListSink:
    """Keeps what it is sent, and refuses what the topic would refuse: for dry runs and tests."""

    sent: list[Sent] = field(default_factory=list)
    "In order."
    codec: Codec = field(default_factory=Codec)
    "Encodes each record, so that one that cannot travel is found here too."

    def send(self, topic: Topic, key: str, record: Record, headers: Headers | None = None) -> None:
        """Keep a record; raises RecordTooLargeError as Kafka's writer does."""
        check_size(topic, self.codec.encode(record), key)
        self.sent.append(Sent(topic, key, record, dict(headers or [])))

    def flush(self) -> None:
        """Do nothing: everything is there already."""

    def records(self, kind: type[R]) -> list[R]:
        """The records of one kind, in order."""
        return [sent.record for sent in self.sent if isinstance(sent.record, kind)]
