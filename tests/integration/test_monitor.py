"""The monitor on a real Kafka: right figures, each report once, however often it is killed."""

import asyncio
import random
import resource
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from monitor.app import SESSION_TIMEOUT_S, monitor_app
from monitor.shell import Parcel
from runtime.admin import TopicAdmin
from runtime.clients import PARTITIONER, Outgoing, Received, Writer, client_properties
from runtime.settings import Settings
from runtime.spans import read_all
from schemas.codec import Codec
from schemas.dead_letters import read_dead_letter
from schemas.observations import pack
from schemas.records import Observations
from schemas.topics import LABELS, OBSERVATIONS, PASSAGES, REPORTS, Topic
from tests.monitor.world import CLASSES, Traffic, batches, traffic
from tests.support.monitors import judging, monitor, sent

pytestmark = pytest.mark.integration

CAMERAS = ("north", "south", "west")
DAYS = 3
VEHICLES = DAYS * 72
"Of each camera."


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Days wait for their labels."""
    return judging(settings, label_patience=timedelta(days=2))


def records(settings: Settings, topic: Topic) -> list[Received]:
    """Everything on a topic."""
    return list(read_all(settings.kafka, settings.kafka.names.of(topic)))


def wait_until(done: Callable[[], bool], timeout_s: float = 120) -> None:
    """Look every half second, and fail after the timeout."""
    deadline = time.monotonic() + timeout_s
    while not done():
        assert time.monotonic() < deadline, f"nothing came of it in {timeout_s:.0f} s"
        time.sleep(0.5)


def feed(settings: Settings, seed: int, slices: int = 1) -> Iterator[int]:
    """Write all cameras' streams and labels, in slices of event time."""
    streams = [traffic(camera, DAYS, seed) for camera in CAMERAS]
    rng = random.Random(seed)
    with Writer(settings.kafka, Codec()) as writer:
        for i in range(slices):
            for stream in streams:
                _write(writer, rng, _slice(stream, i, slices))
            writer.flush()
            yield i


def _slice(stream: Traffic, i: int, slices: int) -> Traffic:
    frames, labels = stream.predictions, stream.labels
    return Traffic(
        frames[len(frames) * i // slices : len(frames) * (i + 1) // slices],
        labels[len(labels) * i // slices : len(labels) * (i + 1) // slices],
    )


def _write(writer: Writer, rng: random.Random, stream: Traffic) -> None:
    for batch in batches(rng, stream.predictions):
        for observations in pack(batch, CLASSES):
            writer.send(OBSERVATIONS, observations.camera_id, observations)
    for label in stream.labels:
        writer.send(LABELS, label.camera_id, label)


def feed_in_transactions(settings: Settings, seed: int) -> None:
    """Write all cameras' streams as the processor does, and before each fifth record one of a ghost, taken back."""
    rng, codec, name = random.Random(seed), Codec(), settings.kafka.names.of(OBSERVATIONS)
    streams = [traffic(camera, DAYS, seed) for camera in CAMERAS]
    batched = [pack(batch, CLASSES) for stream in streams for batch in batches(rng, stream.predictions)]
    producer = _transactional(settings)
    for i, observations in enumerate(record for records in batched for record in records):
        if i % 5 == 0:
            ghost = replace(observations, epoch="ghost")
            _transact(producer, name, codec, ghost, producer.abort_transaction)
        _transact(producer, name, codec, observations, producer.commit_transaction)
    with Writer(settings.kafka, codec) as writer:
        for label in (label for stream in streams for label in stream.labels):
            writer.send(LABELS, label.camera_id, label)


def _transactional(settings: Settings) -> Producer:
    properties = {"transactional.id": f"{settings.kafka.topic_prefix}-test", "partitioner": PARTITIONER}
    producer = Producer({**client_properties(settings.kafka), **properties, "linger.ms": 0, "retry.backoff.ms": 5})
    producer.init_transactions(30)
    return producer


def _transact(producer: Producer, topic: str, codec: Codec, record: Observations, end: Callable[[float], None]) -> None:
    producer.begin_transaction()
    producer.produce(topic, key=record.camera_id.encode(), value=codec.encode(record))
    producer.flush(10)
    end(10)


def has_committed_all(settings: Settings, topic: Topic) -> bool:
    """Whether the monitor's group has committed past the last record of each partition."""
    last = {record.partition: record.offset for record in records(settings, topic)}
    asked = [TopicPartition(settings.kafka.names.of(topic), partition) for partition in last]
    consumer = Consumer({**client_properties(settings.kafka), "group.id": settings.monitor.group})
    try:
        return all(at.offset > last[at.partition] for at in consumer.committed(asked, timeout=10))
    finally:
        consumer.close()


def is_complete(settings: Settings) -> bool:
    """Whether the last day's report has all vehicles of all cameras."""
    found = {report.day: report.scores.labelled for report in sent(settings, REPORTS)}
    return sum(found.values()) == VEHICLES * len(CAMERAS)


def has_passages(settings: Settings, least: int) -> bool:
    """Whether more than so many passages were sent."""
    return len(records(settings, PASSAGES)) > least


def assert_exact(settings: Settings) -> None:
    """Each revision once, and the last one right."""
    found = sent(settings, REPORTS)
    assert max(Counter((report.day, report.revision) for report in found).values()) == 1
    assert {report.day: report.scores.passages for report in found} == {report.day: 216 for report in found}
    assert len({passage.passage_id for passage in sent(settings, PASSAGES)}) == VEHICLES * len(CAMERAS)


def test_days_are_reported_and_the_service_stops_when_told(settings: Settings) -> None:
    """Three cameras over three days; SIGTERM ends the process with success."""
    with monitor(settings) as process:
        list(feed(settings, seed=1))
        wait_until(lambda: is_complete(settings))
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert_exact(settings)


def test_kills_change_nothing(settings: Settings) -> None:
    """Kill -9 between slices of the stream, wherever the monitor is at that moment."""
    rng = random.Random(7)
    for i in feed(settings, seed=2, slices=5):
        with monitor(settings):
            wait_until(partial(has_passages, settings, 120 * i))
            time.sleep(rng.uniform(0.0, 1.0))
    with monitor(settings):
        wait_until(lambda: is_complete(settings))
    assert_exact(settings)


def test_transactions_are_read_to_their_end(settings: Settings) -> None:
    """What was taken back is never seen, and neither it nor the markers hold a commit back."""
    with monitor(settings):
        feed_in_transactions(settings, seed=3)
        wait_until(lambda: is_complete(settings))
        wait_until(lambda: has_committed_all(settings, OBSERVATIONS), 15)
    assert_exact(settings)
    assert not [record for record in records(settings, PASSAGES) if b"ghost" in record.value]


def test_a_monitor_that_was_held_back_takes_up_again(settings: Settings) -> None:
    """Its session expires while it does not run; then it joins anew, and loses and doubles nothing."""
    with monitor(settings) as process:
        for i in feed(settings, seed=4, slices=2):
            wait_until(partial(has_passages, settings, 200 * (i + 1)))
            process.send_signal(signal.SIGSTOP)
            time.sleep((SESSION_TIMEOUT_S + 2) * i)
            process.send_signal(signal.SIGCONT)
        wait_until(lambda: is_complete(settings))
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert_exact(settings)


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_partitions_move_between_monitors(settings: Settings, ending: signal.Signals) -> None:
    """A second one on the same folder joins and leaves twice: state is restored where it goes, and where it comes back."""
    with monitor(settings):
        for i in feed(settings, seed=6, slices=2):
            with monitor(settings) as second:
                wait_until(partial(has_passages, settings, 250 * (i + 1)))
                second.send_signal(ending)
                second.wait(10)
        wait_until(lambda: is_complete(settings))
    assert_exact(settings)


def test_a_full_disk_ends_the_monitor_and_loses_nothing(settings: Settings, capfd: pytest.CaptureFixture[str]) -> None:
    """It says which folder; started with room, it goes on where it was."""
    with monitor(settings) as process:
        wait_until(lambda: "monitor started" in capfd.readouterr().err)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (32 * 1024, 32 * 1024))
        list(feed(settings, seed=8))
        assert process.wait(30) == 1
    assert f"cannot be kept in {settings.monitor.data_folder}" in capfd.readouterr().err
    with monitor(settings):
        wait_until(lambda: is_complete(settings))
    assert_exact(settings)


def _forget_offsets(settings: Settings) -> None:
    admin = AdminClient(client_properties(settings.kafka))
    admin.delete_consumer_groups([settings.monitor.group])[settings.monitor.group].result(10)


def test_a_state_without_committed_offsets_is_taken_up(settings: Settings) -> None:
    """As after a kill before the first commit: everything is read again from the beginning, and skipped or folded."""
    for _ in feed(settings, seed=5, slices=2):
        before = len(records(settings, PASSAGES))
        with monitor(settings) as process:
            wait_until(partial(has_passages, settings, before))
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        _forget_offsets(settings)
    with monitor(settings):
        wait_until(lambda: is_complete(settings))
    assert_exact(settings)


async def test_a_record_does_not_wait_for_ever_beside_one_of_a_new_topic(settings: Settings) -> None:
    """The producer learned of every topic but one that is made now: records for both arrive."""
    app = monitor_app(settings, Codec())
    app.conf.producer_linger = 1.0  # so that the answer about the new topic comes while the records wait
    app.finalize()
    producer = app.producer
    await producer.start()
    try:
        await producer._producer.client.force_metadata_update()  # type: ignore[attr-defined]
        TopicAdmin(settings.kafka.model_copy(update={"topic_prefix": f"{settings.kafka.topic_prefix}.new"})).create()
        names = (f"{settings.kafka.topic_prefix}.new.passages", settings.kafka.names.of(PASSAGES))
        sending = [asyncio.create_task(producer.send_and_wait(name, b"k", b"v", 0, None, None)) for name in names]
        _done, waiting = await asyncio.wait(sending, timeout=10)
        assert not waiting
    finally:
        await producer.stop()


async def test_outputs_keep_their_order(settings: Settings) -> None:
    """The first waits until the producer knows of its topic, large ones until a batch has room: none is overtaken."""
    app = monitor_app(settings, Codec())
    app.finalize()
    name, values = settings.kafka.names.of(REPORTS), [b"%05d" % i + b"x" * (i % 3 * 7_000) for i in range(60)]
    await app.producer.start()
    try:
        await app.producer._producer.client.force_metadata_update()  # type: ignore[attr-defined]
        await app.outbox.put([Parcel(name, 0, b"k", value, []) for value in values])
    finally:
        await app.producer.stop()
    assert [record.value for record in records(settings, REPORTS)] == values


def test_what_cannot_be_read_is_put_aside(settings: Settings) -> None:
    """A dead letter keeps key and bytes, and says why; the stream goes on."""
    with Writer(settings.kafka, Codec()) as writer:
        writer.send_bytes(Outgoing(settings.kafka.names.of(OBSERVATIONS), b"north", b"no record", [("trace", b"1")]))
    name = settings.kafka.names.dead_letters_of(OBSERVATIONS)
    with monitor(settings):
        wait_until(lambda: bool(list(read_all(settings.kafka, name))))
    letter = next(read_all(settings.kafka, name))
    assert (letter.key, letter.value, letter.header("trace")) == (b"north", b"no record", b"1")
    assert read_dead_letter(letter.headers).error == "DecodingError"
