"""Exactly once, on a real Kafka."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest

from runtime.clients import Outgoing, Reader, Received, Writer
from runtime.settings import KafkaSettings
from runtime.spans import read_all
from runtime.transactions import ExactlyOnceLoop, LoopOptions, Work
from schemas.codec import Codec
from schemas.records import Label
from schemas.topics import LABELS, TELEMETRY
from tests.support.records import a_label

pytestmark = pytest.mark.integration
COUNT = 300


def _send_labels(kafka: KafkaSettings) -> None:
    with Writer(kafka, Codec()) as writer:
        for n in range(COUNT):
            writer.send(LABELS, f"camera-{n % 7}", a_label(label_id=f"label-{n}"))


@contextmanager
def _looping(kafka: KafkaSettings, work: Work, instance: str = "1") -> Iterator[None]:
    loop = ExactlyOnceLoop(kafka, kafka.names.of(LABELS), LoopOptions(f"{kafka.topic_prefix}-loop", instance, 50), work)
    stop = threading.Event()
    thread = threading.Thread(target=loop.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _copy(kafka: KafkaSettings, records: Iterable[Received]) -> list[Outgoing]:
    return [Outgoing(kafka.names.of(TELEMETRY), record.key, record.value, []) for record in records]


def _copied(kafka: KafkaSettings, expected: int) -> list[str]:
    """Label ids that came out, as a reader of committed records sees them."""
    with Reader(kafka, [kafka.names.of(TELEMETRY)], f"{kafka.topic_prefix}-check") as reader:
        found: list[str] = []
        for _ in range(100):
            found += [Codec().decode(record.value, Label).label_id for record in reader.read(500, 0.2)]
            if len(found) >= expected:
                break
        return found


def test_each_record_comes_out_once(kafka: KafkaSettings) -> None:
    _send_labels(kafka)
    with _looping(kafka, lambda records: _copy(kafka, records)):
        found = _copied(kafka, COUNT)
    assert sorted(found) == sorted(f"label-{n}" for n in range(COUNT))


def test_a_batch_that_dies_half_written_leaves_nothing_to_be_seen(kafka: KafkaSettings) -> None:
    """Work fails after the first batches; another worker takes over, and nothing is doubled or lost."""
    _send_labels(kafka)
    batches = 0

    def dying(records: list[Received]) -> list[Outgoing]:
        nonlocal batches
        batches += 1
        if batches == 3:
            raise SystemExit
        return _copy(kafka, records)

    with _looping(kafka, dying):
        pass
    with _looping(kafka, lambda records: _copy(kafka, records)):
        found = _copied(kafka, COUNT)
    assert sorted(found) == sorted(f"label-{n}" for n in range(COUNT))


def test_two_workers_share_and_a_leaver_loses_nothing(kafka: KafkaSettings) -> None:
    """A rebalance in the middle of the stream."""
    with _looping(kafka, lambda records: _copy(kafka, records), "1"):
        with _looping(kafka, lambda records: _copy(kafka, records), "2"):
            _send_labels(kafka)
        found = _copied(kafka, COUNT)
    assert sorted(found) == sorted(f"label-{n}" for n in range(COUNT))


def test_everything_on_a_topic_is_read_to_its_end(kafka: KafkaSettings) -> None:
    _send_labels(kafka)
    assert len(list(read_all(kafka, kafka.names.of(LABELS)))) == COUNT
    assert list(read_all(kafka, kafka.names.of(TELEMETRY))) == []
