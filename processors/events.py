"""The models topic, as a processor has to do with it: others' events ring, its own are told.

An event is a doorbell and nothing more: what has changed is read in the registry, which is looked at now and then in
any case.
"""

import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event

import structlog

from runtime.clients import Reader, Received, Writer
from runtime.sessions import run_sessions
from runtime.settings import KafkaSettings
from schemas.codec import Codec
from schemas.records import ModelEvent
from schemas.topics import MODELS

log = structlog.get_logger(__name__)

READ_S = 0.2
"How long a read waits for a ring, and how long a stop waits for a read."
LEAVE_S = 6.0
"How long a look that is under way may hold up the end: whoever told the service to stop kills it after ten seconds."
MOST_UNTOLD = 1000
"Events that wait for an absent broker; each is of a swap or a refusal, so there are few."
TOLD_BY_PROCESSORS = (b"|loaded", b"|refused")
"How the keys of events end that move no alias."


class ModelEvents:
    """Listens on the models topic, and writes to it."""

    def __init__(self, kafka: KafkaSettings, codec: Codec, group: str) -> None:
        """`group` begins the name of a consumer group of this process alone, which leaves nothing behind."""
        self._kafka = kafka
        self._codec = codec
        self._group = f"{group}-models-{uuid.uuid4().hex[:8]}"
        self._untold: deque[ModelEvent] = deque(maxlen=MOST_UNTOLD)

    def tell(self, event: ModelEvent) -> None:
        """Take an event to be sent as soon as the broker takes it; of too many, the oldest is lost, and said to be."""
        if len(self._untold) == MOST_UNTOLD:
            log.error("model event lost, the broker took none for too long", version=self._untold[0].version)
        self._untold.append(event)

    @contextmanager
    def ringing(self, look: Callable[[], None], every: timedelta) -> Iterator[None]:
        """Call `look` in a thread, at each ring and every so often, for as long as the context lasts."""
        ended = Event()
        run = threading.Thread(target=self._run, args=(look, every, ended), name="models", daemon=True)
        run.start()
        try:
            yield
        finally:
            ended.set()
            run.join(LEAVE_S)

    def _run(self, look: Callable[[], None], every: timedelta, ended: Event) -> None:
        run_sessions(lambda: self._session(look, every.total_seconds(), ended), ended)

    def _session(self, look: Callable[[], None], every_s: float, ended: Event) -> None:
        """Read the topic from its beginning: what rang before this session did, rings once more."""
        topics = [self._kafka.names.of(MODELS)]
        with Writer(self._kafka, self._codec, linger_ms=0, stop=ended) as writer, self._reader(topics) as reader:
            due = time.monotonic()
            while not ended.is_set():
                self._send(writer)
                if any(map(_rings, reader.read(500, READ_S))) or time.monotonic() >= due:
                    _guarded(look)
                    due = time.monotonic() + every_s

    def _reader(self, topics: list[str]) -> Reader:
        return Reader(self._kafka, topics, self._group)

    def _send(self, writer: Writer) -> None:
        """Send what is untold; what the broker does not take waits for the next session."""
        while self._untold:
            event = self._untold[0]
            writer.send(MODELS, f"{event.version}|{event.kind}", event)
            writer.flush()
            self._untold.popleft()


def _rings(record: Received) -> bool:
    return not (record.key or b"").endswith(TOLD_BY_PROCESSORS)


def _guarded(look: Callable[[], None]) -> None:
    """A look that fails in a way nobody thought of must not be the last one."""
    try:
        look()
    except Exception:
        log.exception("the look at the model registry failed, what serves goes on")
