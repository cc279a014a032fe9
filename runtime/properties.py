"""librdkafka's properties, as settings give them: read with their secrets, and checked without a connection."""

import logging
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from runtime.settings import KafkaSettings, value_of
from schemas.errors import ConfigurationError

SILENT: Final = logging.getLogger("librdkafka")
"librdkafka's own lines repeat, at every try, what its error callback says."
SILENT.propagate = False
SILENT.addHandler(logging.NullHandler())

WHERE: Final = "kafka.properties"
SECRET: Final = re.compile(r"password|secret|key|jaas|token|oauthbearer")
"Of names whose values are not said."
TOGETHER: Final = "Failed to create"
"How librdkafka begins where each property is right, and all of them do not go together."


def properties_of(settings: KafkaSettings) -> dict[str, str]:
    """The user's properties, those of files read.

    Raises:
        ConfigurationError: names every file that cannot be read, else every property that librdkafka refuses.

    """
    own, faults = _read(settings)
    if faults := faults or [*_refused(tuple(sorted(own.items())))]:
        raise ConfigurationError(WHERE, faults)
    return own


def missing_files(settings: KafkaSettings) -> list[str]:
    """A fault for each property whose file cannot be read."""
    return _read(settings)[1]


def refused(settings: KafkaSettings) -> list[str]:
    """A fault for each property that librdkafka refuses; those whose file cannot be read are left out."""
    own, faults = _read(settings)
    return [*_refused(tuple(sorted(own.items())), whole=not faults)]


def _read(settings: KafkaSettings) -> tuple[dict[str, str], list[str]]:
    """The properties, those of files read, and a fault for each that cannot be."""
    own: dict[str, str] = {}
    faults: list[str] = []
    for name, value in settings.properties.items():
        try:
            own[name] = value_of(value)
        except ConfigurationError as error:
            faults += [f"{name}: {line}" for line in error.lines]
    return own, faults


@cache
def _refused(own: tuple[tuple[str, str], ...], *, whole: bool = True) -> tuple[str, ...]:
    """What librdkafka says of each property by itself, where it minds them; of all together where it minds none alone."""
    together = tuple(_said(dict(own), together=True))
    if not together:
        return ()
    alone = tuple(f"{name}: {said}{_seen(name, value)}" for name, value in own for said in _said({name: value}))
    return alone or (together if whole else ())


def _said(properties: Mapping[str, str], *, together: bool = False) -> Iterator[str]:
    """What librdkafka minds when a client is made, which has nobody to connect to."""
    quiet: dict[str, Any] = {"log_level": 0, "logger": SILENT}
    try:
        AdminClient(quiet | dict(properties))
    except KafkaException as error:
        reason = str(error.args[0].str())
        if together or not reason.startswith(TOGETHER):
            yield f"librdkafka refuses {'them' if together else 'it'}: {reason}"
    except TypeError as error:  # what only a program can give, such as a callback
        yield f"no setting: {error}"


def _seen(name: str, value: str) -> str:
    return "" if SECRET.search(name) else f" (seen: {value!r})"
