"""The surroundings of a test: a broker, topics of its own on it, processors of the candidate, a writer and a reader.

Stack                      a local broker, or the one that is given, for the whole qualification
└── Line                   topics and processors for one part of it; gone afterwards
    send ──► frames ──► processors ──► predictions, dead letters ──► collect
"""

import os
import re
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from roadwatch.interrupts import uninterrupted
from roadwatch.local import require_running
from roadwatch.qualification.worker import Worker, WorkerOptions
from runtime.admin import TopicAdmin
from runtime.broker import LocalBroker
from runtime.clients import Reader, Received, Writer
from runtime.settings import KafkaSettings
from schemas.codec import Codec
from schemas.records import Frame, Prediction
from schemas.topics import FRAMES, PREDICTIONS

WINDOW = 64
"Frames under way at once, where the pace is the processor's."
PATIENCE_S = 60.0
"How long nothing may come back before what is under way counts as lost."
PREFIX = "qualify-"
"Of a qualification's topics; when it began follows, then what nobody else has."
NAMED = re.compile(rf"{PREFIX}(\d{{10,}})-[0-9a-f]{{8}}\.")
LEFT_BEHIND_S = 24 * 3600.0
"Topics that are older were left behind."
SETTLE_S = 4.0
"A consumer learns of another in its group with its next heartbeat, every three seconds."

CODEC = Codec()


@dataclass(frozen=True, slots=True)
class Arrival:
    """What became of a frame, as it came back."""

    frame_id: str
    "The frame."
    prediction: Prediction | None
    "What was said of it; None: it is a dead letter."
    at: float
    "When it was received, wall clock, seconds since 1970."
    written_at: float
    "When the processor wrote it, likewise."


@dataclass(frozen=True, slots=True)
class LineOptions:
    """How many share the work."""

    workers: int = 1
    "Processors."
    partitions: int = 4
    "Of the topics."
    threads: int = 2
    "Of each processor."


class Line:
    """Topics with processors at work; made by `Stack.line`."""

    def __init__(self, kafka: KafkaSettings, workers: Sequence[Worker], check_broker: Callable[[], None]) -> None:
        self.kafka = kafka
        self.workers = workers
        self._check_broker = check_broker
        self._writer = Writer(kafka, CODEC)
        names = (kafka.names.of(PREDICTIONS), kafka.names.dead_letters_of(FRAMES))
        self._reader = Reader(kafka, names, f"{kafka.topic_prefix}-reader")

    def send(self, frame: Frame) -> None:
        """Send a frame as it is."""
        self._writer.send(FRAMES, frame.camera_id, frame)

    def collect(self, timeout_s: float, most: int = 500) -> list[Arrival]:
        """What has come back, waiting at most `timeout_s` for the first.

        Raises WorkerError where a processor has ended, LocalStackError where the broker has.
        """
        self.watch()
        records = self._reader.read(most, timeout_s)
        now = time.time()
        return [_arrival(record, now, self.kafka) for record in records]

    def watch(self) -> None:
        """Look after the processors and the broker, as `collect` does."""
        self._check_broker()
        for worker in self.workers:
            worker.watch()

    def through(
        self,
        frames: Iterable[Frame],
        *,
        window: int = WINDOW,
        patience_s: float = PATIENCE_S,
        done: Callable[[int], None] = lambda _: None,
    ) -> list[Arrival]:
        """Send frames, `window` of them under way at once, and return what came back.

        Each is captured as it is sent. After `patience_s` without an arrival it counts as lost what is under way, and
        returns; `done` is told how many have come.
        """
        arrivals: list[Arrival] = []
        sent = 0
        for frame in frames:
            if not self._gather(arrivals, sent - window + 1, patience_s, done):
                return arrivals
            self.send(captured_now(frame))
            sent += 1
        self._gather(arrivals, sent, patience_s, done)
        return arrivals

    def _gather(self, arrivals: list[Arrival], wanted: int, patience_s: float, done: Callable[[int], None]) -> bool:
        """Collect until so many have come; whether they have."""
        deadline = time.monotonic() + patience_s
        while len(arrivals) < wanted:
            if time.monotonic() > deadline:
                return False
            if new := self.collect(0.2):
                arrivals += new
                deadline = time.monotonic() + patience_s
                done(len(arrivals))
        return True

    def close(self) -> None:
        """Let go of the broker."""
        self._writer.close()
        self._reader.close()


class Stack:
    """A broker for as long as the context lasts."""

    def __init__(
        self,
        folder: Path,
        given: KafkaSettings | None,
        progress: Callable[[int, int], None] | None = None,
        *,
        shared: bool = False,
    ) -> None:
        """`given` is a cluster to use; None: a local broker in `folder`, whose download `progress` is told of.

        `shared`: lines of the same bundle, with nothing asked for besides, are one, until something goes wrong on it.
        """
        self._folder = folder
        self._given = given
        self._progress = progress
        self._shared = shared
        self._broker: LocalBroker | None = None
        self._kept: tuple[Path, Line] | None = None
        self._lines = ExitStack()

    def __enter__(self) -> Self:
        if self._given is None:
            self._broker = LocalBroker(self._folder / "broker", environment=os.environ)
            self._broker.start(self._progress)
        else:
            TopicAdmin(self._given).existing()  # says at once where nobody answers
        return self

    def __exit__(self, *_: object) -> None:
        self._drop()
        if self._broker:
            with uninterrupted():
                self._broker.stop()

    @contextmanager
    def line(self, bundle: Path, options: LineOptions = LineOptions()) -> Iterator[Line]:
        """Topics with processors of a bundle, ready to take frames; stopped and deleted at the end.

        Raises WorkerError where a processor does not come up.
        """
        if self._shared and options == LineOptions():
            with self._shared_line(bundle) as line:
                yield line
            return
        with self._own_line(bundle, options) as line:
            yield line

    @contextmanager
    def _shared_line(self, bundle: Path) -> Iterator[Line]:
        """The line of this bundle that is there; what went wrong on it is not handed on."""
        if self._kept is None or self._kept[0] != bundle:
            self._drop()
            self._kept = bundle, self._lines.enter_context(self._own_line(bundle, LineOptions()))
        try:
            yield self._kept[1]
        except BaseException:
            self._drop()
            raise

    def _drop(self) -> None:
        self._kept = None
        self._lines.close()

    @contextmanager
    def _own_line(self, bundle: Path, options: LineOptions) -> Iterator[Line]:
        with ExitStack() as cleanup:
            kafka = self._kafka(options.partitions)
            admin = TopicAdmin(kafka)
            if self._given:  # a local broker goes with all its topics
                cleanup.callback(_delete, admin)
                _delete_left_behind(admin)
            admin.create()
            workers: list[Worker] = []
            cleanup.callback(_stop_all, workers)
            numbers = range(1, options.workers + 1)
            workers.extend(Worker(self._worker(bundle, kafka, number, options)) for number in numbers)
            line = Line(kafka, workers, self._check_broker)
            cleanup.callback(line.close)
            self._await_all(workers)
            yield line

    def _kafka(self, partitions: int) -> KafkaSettings:
        """Settings with a prefix that nobody else has; subjects of a Schema Registry would outlive the test."""
        if self._broker:
            base = KafkaSettings(bootstrap_servers=self._broker.bootstrap_servers)
        else:
            base = self._given or KafkaSettings()
        own = {
            "topic_prefix": f"{PREFIX}{int(time.time())}-{uuid.uuid4().hex[:8]}",
            "camera_partitions": partitions,
            "schema_registry": None,
        }
        return base.model_copy(update=own)

    def _worker(self, bundle: Path, kafka: KafkaSettings, number: int, options: LineOptions) -> WorkerOptions:
        folder = self._folder / kafka.topic_prefix
        return WorkerOptions(bundle, kafka, f"worker-{number}", options.threads, folder)

    def _await_all(self, workers: Sequence[Worker]) -> None:
        for worker in workers:
            worker.await_ready(self._check_broker)
        if len(workers) > 1:
            time.sleep(SETTLE_S)

    def _check_broker(self) -> None:
        if self._broker:
            require_running(self._broker)


def captured_now(frame: Frame) -> Frame:
    """The frame, as if its picture were taken at this moment."""
    return replace(frame, captured_at=datetime.now(UTC))


def _arrival(record: Received, now: float, kafka: KafkaSettings) -> Arrival:
    written_at = record.timestamp_ms / 1000
    if record.topic == kafka.names.of(PREDICTIONS):
        prediction = CODEC.decode(record.value, Prediction)
        return Arrival(prediction.frame_id, prediction, now, written_at)
    return Arrival(CODEC.decode(record.value, Frame).frame_id, None, now, written_at)


def _stop_all(workers: Sequence[Worker]) -> None:
    with uninterrupted():
        for worker in workers:
            worker.ask_to_stop()
        for worker in workers:
            worker.stop()


def _delete(admin: TopicAdmin) -> None:
    """Delete what is there: the creation may have been stopped halfway."""
    with uninterrupted():
        existing = admin.existing()
        admin.delete(topic.name for topic in admin.wanted() if topic.name in existing)


def _delete_left_behind(admin: TopicAdmin) -> None:
    """Delete the topics of qualifications that were killed: no test lasts as long as a day."""
    since = time.time() - LEFT_BEHIND_S
    admin.delete(name for name in admin.existing() if (begun := _begun_at(name)) and begun < since)


def _begun_at(topic: str) -> int | None:
    """When the qualification began whose topic it is, seconds since 1970; None of other topics."""
    found = NAMED.match(topic)
    return int(found[1]) if found else None
