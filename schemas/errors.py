"""What can go wrong, as one tree: what a caller may handle has a class, what may be tried again says so.

RoadwatchError
├── ConfigurationError        settings, camera files, command lines: names every fault at once
├── RecordError               bytes that are no record, or a record that may not travel
│   ├── DecodingError         cannot be read: foreign framing, torn bytes, a value out of place
│   ├── UnknownSchemaError    framed with a schema this reader does not know
│   └── RecordTooLargeError   over its topic's limit, refused before it is sent
├── PictureError              a picture that cannot be decoded, or is too large to be
├── SourceError               a camera that stalls, vanishes or cannot be opened         (retriable)
├── ModelError                a bundle or graph that may not serve
│   └── ModelRegistryError    the model registry refuses, is damaged, or cannot be reached
├── ArchiveError              the archive of pictures and labels refuses, is damaged, or cannot be reached
├── BrokerError               Kafka refuses
│   ├── BrokerUnavailableError    nobody answers at the address                          (retriable)
│   └── TopicError            a topic is missing, or is not as the table says
├── SupersededError           another process has taken over what this one was sending
├── RegistryError             the Schema Registry refuses
├── RecordingError            a recording that is torn, was changed, is foreign, or cannot be written
├── MailError                 a mail was not delivered
│   └── MailDeferredError     the server may take it later                               (retriable)
└── LocalStackError           the local broker, its Java or its jars
"""

from typing import ClassVar


class RoadwatchError(Exception):
    """The root: its message is written for the person who reads it on a terminal."""

    retriable: ClassVar[bool] = False


class ConfigurationError(RoadwatchError):
    """Faults in what somebody wrote: a settings file, a camera's zones, a command line, a CSV."""

    def __init__(self, where: str, faults: list[str]) -> None:
        """`where` names the file or option; `faults` says each value seen and what to change."""
        self.where = where
        self.faults = list(faults)
        super().__init__(
            "\n".join([f"{where}: {len(self.faults)} to mend", *(f"  - {fault}" for fault in self.faults)])
        )

    @property
    def lines(self) -> list[str]:
        """Each fault with where it is, for a list of those of several places."""
        return [f"{self.where}: {fault}" for fault in self.faults]


class RecordError(RoadwatchError):
    """A record that cannot be read or may not be sent."""


class DecodingError(RecordError):
    """Bytes that are no record of the wanted kind."""


class UnknownSchemaError(RecordError):
    """A record framed with a schema that this reader cannot resolve, such as one of a future version."""


class RecordTooLargeError(RecordError):
    """A record over its topic's limit."""


class PictureError(RoadwatchError):
    """A picture that cannot be decoded, or is too large to be; `reason` is its short name in counters."""

    def __init__(self, reason: str, message: str) -> None:
        """`reason` is one of a few fixed words, for counters and dead letters."""
        self.reason = reason
        super().__init__(message)


class SourceError(RoadwatchError):
    """A camera that cannot be opened, has stopped giving pictures, or vanished."""

    retriable = True


class ModelError(RoadwatchError):
    """A model bundle or graph that may not serve."""


class ModelRegistryError(ModelError):
    """The model registry refuses a step, is damaged, or cannot be reached."""


class ArchiveError(RoadwatchError):
    """The archive of pictures and labels refuses, is damaged, or cannot be reached."""


class BrokerError(RoadwatchError):
    """Kafka refused a request."""


class BrokerUnavailableError(BrokerError):
    """No broker answers at the configured address."""

    retriable = True


class TopicError(BrokerError):
    """A topic is missing, or differs from the topic table."""


class SupersededError(RoadwatchError):
    """Another process has taken over what this one was sending."""


class RegistryError(RoadwatchError):
    """The Schema Registry refused a schema."""


class RegistryUnavailableError(RegistryError):
    """The Schema Registry does not answer: what it would have told is not known, and nothing is wrong with the record."""

    retriable = True


class RecordingError(RoadwatchError):
    """A recording of streams that cannot be read or written: torn, changed, foreign, of a newer version, a full disk."""


class MailError(RoadwatchError):
    """A mail that the server will not take."""


class MailDeferredError(MailError):
    """A mail that the server may take later."""

    retriable = True


class LocalStackError(RoadwatchError):
    """The local broker, its Java or its jars are not to be had, or do not start."""
