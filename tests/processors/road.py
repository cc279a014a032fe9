"""A road on which frames never rest while its models change, for tests on a real Kafka."""

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import cv2
import numpy as np

from models.registry.store import Registry
from runtime.clients import Reader, Writer
from runtime.settings import Settings
from runtime.spans import read_all
from schemas.codec import Codec
from schemas.ids import passage_id
from schemas.records import Frame, ModelEvent, ModelEventKind
from schemas.topics import FRAMES, MODELS, PREDICTIONS, Topic
from tests.processors.versions import promote
from tests.support.records import EPOCH, a_frame
from tests.support.waiting import eventually

CODEC = Codec()
PICTURE = bytes(cv2.imencode(".jpg", np.full((40, 60, 3), 200, np.uint8))[1])
EVERY_S = 0.005
FRAMES_A_VEHICLE = 5


@dataclass
class Road:
    """A camera that never rests, a registry, and what comes of the frames."""

    settings: Settings
    registry: Registry
    sent: list[Frame] = field(default_factory=list)
    stack: ExitStack = field(default_factory=ExitStack)
    readers: dict[str, Reader] = field(default_factory=dict)
    seen: dict[str, list[Any]] = field(default_factory=dict)

    def drive(self, ended: threading.Event) -> None:
        """Send frames until told to end."""
        with Writer(self.settings.kafka, CODEC) as writer:
            while not ended.wait(EVERY_S):
                writer.send(FRAMES, "gate", self._next())

    def _next(self) -> Frame:
        number = len(self.sent)
        vehicle = passage_id("gate", EPOCH, number // FRAMES_A_VEHICLE * FRAMES_A_VEHICLE)
        self.sent.append(a_frame(number, picture=PICTURE, passage_id=vehicle))
        return self.sent[-1]

    def ring(self, kind: ModelEventKind, name: str) -> None:
        """Say that something happened to a version, as `roadwatch models` does."""
        with Writer(self.settings.kafka, CODEC, linger_ms=0) as writer:
            writer.send(MODELS, f"{name}|{kind}", ModelEvent(kind, name, "champion", datetime.now(UTC), "test", ""))

    def promote(self, name: str) -> None:
        """Make a version champion."""
        promote(self.registry, name)
        self.ring("promoted", name)

    def rollback(self) -> None:
        """Give it back to the one before."""
        entry = self.registry.rollback("champion", at=datetime.now(UTC), by="test")
        self.ring("rolled_back", entry.step.version)

    def records(self, topic: Topic) -> list[Any]:
        """All that is on a topic; only for topics that have come to rest."""
        kafka = self.settings.kafka
        return [CODEC.decode(record.value, topic.record) for record in read_all(kafka, kafka.names.of(topic))]

    def so_far(self, topic: Topic) -> list[Any]:
        """What was read from a topic up to now, and a little more."""
        seen = self.seen.setdefault(topic.name, [])
        for record in self._reader(topic).read(5000, 0.3):
            seen.append(CODEC.decode(record.value, topic.record))
        return seen

    def _reader(self, topic: Topic) -> Reader:
        if topic.name not in self.readers:
            name, group = self.settings.kafka.names.of(topic), f"test-{uuid.uuid4().hex[:8]}"
            self.readers[topic.name] = self.stack.enter_context(Reader(self.settings.kafka, [name], group))
        return self.readers[topic.name]

    def versions(self, topic: Topic = PREDICTIONS) -> list[str]:
        """Whose predictions were read up to now."""
        return [said.model_version for said in self.so_far(topic)]

    def advances(self, most: int) -> bool:
        """Whether frames are predicted: all but the newest so many."""
        return len(self.so_far(PREDICTIONS)) >= len(self.sent) - most

    def await_version(self, name: str, topic: Topic = PREDICTIONS) -> None:
        """Return when a version serves."""
        assert eventually(lambda: self.versions(topic)[-1:] == [name]), f"{name} does not serve"

    def await_event(self, kind: ModelEventKind, name: str) -> None:
        """Return when something has happened to a version."""
        assert eventually(lambda: (kind, name) in [(event.kind, event.version) for event in self.so_far(MODELS)])


@contextmanager
def running(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """A service in a thread; what it raises fails the test."""
    stop, failures = threading.Event(), list[BaseException]()

    def run() -> None:
        try:
            work(stop)
        except BaseException as error:
            failures.append(error)
            raise

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)
    assert not failures
    assert not thread.is_alive()
