"""Streams on a real Kafka, kept in a folder: every record as it was, whatever breaks meanwhile."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from confluent_kafka import Producer

from producers.recordings.container import UNREAD, Entry
from producers.recordings.entries import outgoing_of, reader_of
from producers.recordings.index import Chosen
from producers.recordings.recorder import USUAL, Ending, Tally, record
from producers.recordings.recording import Located, open_recording
from runtime.admin import TopicAdmin
from runtime.broker import LocalBroker
from runtime.clients import Outgoing, Received, Writer, client_properties
from runtime.settings import KafkaSettings
from runtime.spans import read_all
from schemas.codec import Codec
from schemas.errors import ConfigurationError, TopicError
from schemas.records import Frame
from schemas.times import to_us
from schemas.topics import ALERTS, FRAMES, LABELS, PREDICTIONS
from tests.support.records import NOON, a_frame, a_label, a_prediction, an_alert
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

ALL = Chosen()
NOW = Ending()


def _send(kafka: KafkaSettings, sequences: Sequence[int], camera: str = "gate") -> None:
    with Writer(kafka, Codec()) as writer:
        for n in sequences:
            writer.send(FRAMES, camera, a_frame(n, camera, picture=b"\xff\xd8" * 50), [("traceparent", b"00-ab")])
            writer.send(PREDICTIONS, camera, a_prediction(n, camera_id=camera))
            writer.send(LABELS, camera, a_label(label_id=f"{camera}-{n}", camera_id=camera))
        writer.send(ALERTS, "day-accuracy", an_alert())
        writer.flush()


def _record(kafka: KafkaSettings, folder: Path, *topics: str, chosen: Chosen = ALL, more: bool = False) -> Tally:
    return record(kafka, folder, topics or USUAL, chosen, NOW, threading.Event(), more=more)


def _entries(folder: Path, topic: str) -> list[Located]:
    return [located for located in open_recording(folder).entries() if located.topic == topic]


def _offsets(folder: Path, topic: str) -> list[tuple[int, int]]:
    return sorted((located.partition, located.offset) for located in _entries(folder, topic))


def _on_kafka(kafka: KafkaSettings, topic: str) -> list[Received]:
    return list(read_all(kafka, f"{kafka.topic_prefix}.{topic}"))


def _back(folder: Path, topic: str) -> list[Outgoing]:
    recording = open_recording(folder)
    reader = reader_of(topic, recording.index.topics[topic])
    return [outgoing_of(located.entry, reader, "t", Codec()) for located in _entries(folder, topic)]


def test_every_record_is_kept_as_it_was(kafka: KafkaSettings, tmp_path: Path) -> None:
    """Keys, bytes, headers, offsets and timestamps, of every topic."""
    _send(kafka, range(20))
    _send(kafka, range(20), "bridge")
    assert _record(kafka, tmp_path / "r").complete
    for topic in ("frames", "predictions", "labels", "alerts"):
        on_kafka = _on_kafka(kafka, topic)
        kept = {(one.partition, one.offset): one.entry for one in _entries(tmp_path / "r", topic)}
        assert {place: _seen(entry) for place, entry in kept.items()} == {
            (one.partition, one.offset): (one.key, one.timestamp_ms, tuple(one.headers)) for one in on_kafka
        }
        assert sorted(back.value for back in _back(tmp_path / "r", topic)) == sorted(one.value for one in on_kafka)


def _seen(entry: Entry) -> tuple[bytes | None, int, tuple[tuple[str, bytes], ...]]:
    return entry.key, entry.logged_ms, entry.headers


def test_a_killed_recording_goes_on_where_it_was(kafka: KafkaSettings, tmp_path: Path) -> None:
    """Killed twice in mid-stream: nothing is doubled, nothing is lost."""
    for begin in (0, 100):
        _send(kafka, range(begin, begin + 100))
        with _follow(kafka, tmp_path / "r") as following:
            assert eventually(lambda: any((tmp_path / "r").glob("predictions/*.avro")), 30)
            _send(kafka, range(1000 + begin, 1100 + begin))
            following.kill()
    _record(kafka, tmp_path / "r")
    for topic in ("frames", "predictions", "labels"):
        assert _offsets(tmp_path / "r", topic) == sorted((one.partition, one.offset) for one in _on_kafka(kafka, topic))


def _follow(kafka: KafkaSettings, folder: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "roadwatch", "record", str(folder), "--follow", *options]
    return subprocess.Popen(command, env=_environment(kafka), stdout=subprocess.PIPE, text=True)


def _environment(kafka: KafkaSettings) -> dict[str, str]:
    return {
        **os.environ,
        "ROADWATCH_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "ROADWATCH_KAFKA__TOPIC_PREFIX": kafka.topic_prefix,
    }


def test_ctrl_c_seals_what_was_followed_and_says_so(kafka: KafkaSettings, tmp_path: Path) -> None:
    _send(kafka, range(10))
    with _follow(kafka, tmp_path / "r", "--topic", "labels", "--json") as following:
        assert eventually(lambda: any((tmp_path / "r").glob("labels/*.avro")), 30)
        following.send_signal(signal.SIGINT)
        said, _ = following.communicate(timeout=30)
    assert following.returncode == 0
    assert '"records": 10' in said
    assert open_recording(tmp_path / "r").index.complete


def test_a_topic_that_does_not_exist_is_named(kafka: KafkaSettings, tmp_path: Path) -> None:
    admin = TopicAdmin(kafka)
    admin.delete([kafka.names.of(LABELS)])
    assert eventually(lambda: kafka.names.of(LABELS) not in admin.existing())
    with pytest.raises(TopicError, match=rf"{kafka.topic_prefix}\.labels; run 'roadwatch topics create'"):
        _record(kafka, tmp_path / "r", "frames", "labels")
    assert not (tmp_path / "r").exists()


def test_a_span_without_records_gives_an_empty_recording(kafka: KafkaSettings, tmp_path: Path) -> None:
    _send(kafka, range(5))
    tally = _record(kafka, tmp_path / "r", "frames", chosen=Chosen(from_us=to_us(NOON.replace(year=2030))))
    assert (tally.complete, sum(tally.kept.values()), tally.passed_over) == (True, 0, {"frames": 5})
    assert open_recording(tmp_path / "r").index.segments == ()


def test_cameras_and_spans_are_chosen(kafka: KafkaSettings, tmp_path: Path) -> None:
    _send(kafka, range(10))
    _send(kafka, range(10), "bridge")
    span = Chosen(cameras=("bridge",), from_us=to_us(NOON) + 3_000_000, to_us=to_us(NOON) + 6_000_000)
    _record(kafka, tmp_path / "r", "frames", chosen=span)
    found = [
        reader_of("frames", open_recording(tmp_path / "r").index.topics["frames"]).record(one.entry)
        for one in _entries(tmp_path / "r", "frames")
    ]
    assert [(frame.camera_id, frame.sequence) for frame in found if isinstance(frame, Frame)] == [
        ("bridge", 3),
        ("bridge", 4),
        ("bridge", 5),
    ]


def test_pictures_may_be_left_out(kafka: KafkaSettings, tmp_path: Path) -> None:
    _send(kafka, range(3))
    _record(kafka, tmp_path / "r", "frames", chosen=Chosen(pictures=False))
    reader = reader_of("frames", open_recording(tmp_path / "r").index.topics["frames"])
    assert [reader.record(one.entry) for one in _entries(tmp_path / "r", "frames")] == [a_frame(n) for n in range(3)]


def test_a_complete_recording_goes_on_only_when_told_to(kafka: KafkaSettings, tmp_path: Path) -> None:
    _send(kafka, range(5))
    _record(kafka, tmp_path / "r", "labels")
    _send(kafka, range(5))
    with pytest.raises(ConfigurationError, match="is complete"):
        _record(kafka, tmp_path / "r", "labels")
    assert _record(kafka, tmp_path / "r", "labels", more=True).kept == {"labels": 5}
    assert len(_offsets(tmp_path / "r", "labels")) == 10


def test_what_expired_is_noted_as_a_gap(kafka: KafkaSettings, tmp_path: Path) -> None:
    """Ten were kept, ten came and went unseen, five are there."""
    _send(kafka, range(10))
    _record(kafka, tmp_path / "r", "labels")
    _send(kafka, range(10))
    _delete_before(kafka, "labels", 20)
    _send(kafka, range(5))
    _record(kafka, tmp_path / "r", "labels", more=True)
    gaps = [(gap.topic, gap.first, gap.last) for gap in open_recording(tmp_path / "r").index.gaps]
    assert gaps == [("labels", 10, 19)]
    assert len(_offsets(tmp_path / "r", "labels")) == 15


def _delete_before(kafka: KafkaSettings, topic: str, offset: int) -> None:
    from confluent_kafka import TopicPartition
    from confluent_kafka.admin import AdminClient

    partition = next(one.partition for one in _on_kafka(kafka, topic))
    client = AdminClient(client_properties(kafka))
    asked = client.delete_records([TopicPartition(f"{kafka.topic_prefix}.{topic}", partition, offset)])
    for future in asked.values():
        future.result()


def test_aborted_records_are_passed_and_the_end_is_reached(kafka: KafkaSettings, tmp_path: Path) -> None:
    """Control records and aborted ones take offsets: the end of a partition is beyond its last record."""
    producer = Producer({**client_properties(kafka), "transactional.id": f"{kafka.topic_prefix}-x"})
    producer.init_transactions()
    for n, end in enumerate((producer.commit_transaction, producer.abort_transaction)):
        producer.begin_transaction()
        producer.produce(kafka.names.of(LABELS), Codec().encode(a_label(label_id=str(n))), b"gate")
        producer.flush()
        end()
    assert _record(kafka, tmp_path / "r", "labels").kept == {"labels": 1}
    assert eventually(lambda: 4 in _positions_after(kafka, tmp_path / "r"))
    assert len(_offsets(tmp_path / "r", "labels")) == 1


def _positions_after(kafka: KafkaSettings, folder: Path) -> list[int]:
    """An abort is written a moment after it was acknowledged."""
    assert _record(kafka, folder, "labels", more=True).kept == {}
    return list(open_recording(folder).index.topics["labels"].positions.values())


def test_bytes_that_are_no_record_are_kept_as_they_are(kafka: KafkaSettings, tmp_path: Path) -> None:
    with Writer(kafka, Codec()) as writer:
        writer.send_bytes(Outgoing(kafka.names.of(LABELS), b"gate", b"no label at all", []))
        writer.send_bytes(Outgoing(kafka.names.of(LABELS), b"gate", b"", []))
    tally = _record(kafka, tmp_path / "r", "labels")
    assert (tally.kept, tally.unread) == ({"labels": 2}, {"labels": 1})
    assert [one.entry.schema for one in _entries(tmp_path / "r", "labels")] == [UNREAD, UNREAD]
    assert [back.value for back in _back(tmp_path / "r", "labels")] == [b"no label at all", b""]


def test_a_full_disk_is_said_and_after_room_was_made_it_goes_on(kafka: KafkaSettings, tmp_path: Path) -> None:
    """The disk is full at 300 KB a file, in the middle of the frames."""
    with Writer(kafka, Codec()) as writer:
        for n in range(100):
            writer.send(FRAMES, "gate", a_frame(n, picture=b"\xff\xd8" * 5000))
        writer.flush()
    limited = f"ulimit -f 300; exec {sys.executable} -m roadwatch record {tmp_path / 'r'}"
    failed = subprocess.run(
        ["/bin/bash", "-c", limited], check=False, env=_environment(kafka), capture_output=True, text=True
    )
    assert failed.returncode == 1
    assert "cannot be written: File too large; what is" in failed.stderr.replace("\n", " ")
    assert "Traceback" not in failed.stderr
    _record(kafka, tmp_path / "r")
    assert [offset for _, offset in _offsets(tmp_path / "r", "frames")] == list(range(100))


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[LocalBroker]:
    broker = LocalBroker(tmp_path / "broker", environment=os.environ)
    broker.start()
    yield broker
    broker.stop()


@pytest.mark.chaos
def test_a_broker_that_restarts_costs_no_record(own_broker: LocalBroker, tmp_path: Path) -> None:
    kafka = KafkaSettings(bootstrap_servers=own_broker.bootstrap_servers)
    TopicAdmin(kafka).create()
    stop, seen = threading.Event(), []
    asked = (kafka, tmp_path / "r", ("labels",), ALL, Ending(follow=True), stop)
    recording = threading.Thread(target=record, args=asked, kwargs={"progress": seen.append})
    _send(kafka, range(30))
    recording.start()
    try:
        assert eventually(lambda: bool(seen) and seen[-1].kept == {"labels": 30}, 30)
        own_broker.stop()
        own_broker.start()
        _send(kafka, range(30, 60))
        assert eventually(lambda: seen[-1].kept == {"labels": 60}, 60)
    finally:
        stop.set()
        recording.join()
    assert [offset for _, offset in _offsets(tmp_path / "r", "labels")] == list(range(60))
