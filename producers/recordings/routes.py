"""From entries to records for the target: the topic, the partition, the framing, and the time where it is moved."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from producers.recordings.container import UNREAD, Entry
from producers.recordings.entries import Reader, outgoing_of
from producers.recordings.planning import Plan, called
from producers.recordings.recording import Located
from producers.recordings.shifting import shifted
from runtime.clients import Outgoing
from schemas.codec import Codec
from schemas.errors import ConfigurationError
from schemas.replayed import logged_at_header
from schemas.topics import Names

MILLISECOND: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Route:
    """The way of one topic's records."""

    reader: Reader
    "Reads them."
    target: str
    "The topic that they go to."
    keeps_partition: bool
    "Whether they go where they were recorded; by key otherwise."


@dataclass(frozen=True, slots=True)
class Routes:
    """Makes the records that are sent."""

    by_topic: Mapping[str, Route]
    "In the order of the topic table."
    codec: Codec
    "The target's."

    @classmethod
    def of(cls, plan: Plan, names: Names, keeping: frozenset[str], codec: Codec) -> "Routes":
        """The ways of a plan's topics, of which those `keeping` keep their partitions."""
        routes = {name: Route(reader, called(name, names), name in keeping) for name, reader in plan.readers.items()}
        return cls(routes, codec)

    def outgoing(self, located: Located, shift: timedelta | None) -> Outgoing:
        """An entry as it is sent, its times moved where wanted.

        Raises:
            UnknownSchemaError, DecodingError: it does not read as the record that it is.
            ConfigurationError: a time is moved beyond the calendar.

        """
        route = self.by_topic[located.topic]
        entry = located.entry
        made = self._moved(entry, route, shift) if shift else outgoing_of(entry, route.reader, route.target, self.codec)
        if not route.keeps_partition:
            return made
        return Outgoing(made.topic, made.key, made.value, made.headers, located.partition)

    def _moved(self, entry: Entry, route: Route, shift: timedelta) -> Outgoing:
        headers = [*entry.headers, logged_at_header(max(0, entry.logged_ms + shift // MILLISECOND))]
        if entry.schema == UNREAD or not entry.body:
            return Outgoing(route.target, entry.key, entry.body, headers)
        try:
            record = shifted(route.reader.record(entry), shift)
        except OverflowError as error:
            raise ConfigurationError("--shift-to", [f"moves a time by {shift}, beyond the calendar"]) from error
        return Outgoing(route.target, entry.key, self.codec.encode(record), headers)
