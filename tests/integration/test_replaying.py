"""Recordings sent to a real Kafka: each record once, whatever happens on the way."""

import copy
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from producers.recordings.planning import Wish, plan_of
from producers.recordings.recording import Recording
from producers.recordings.replayer import Control, Progress
from producers.recordings.timeline import Timeline
from runtime.admin import TopicAdmin
from runtime.broker import LocalBroker
from runtime.settings import KafkaSettings
from schemas.codec import Codec, Schema, schema_of, schema_text
from schemas.errors import BrokerError, ConfigurationError, RecordingError, SupersededError
from schemas.records import Frame, Label
from schemas.replayed import logged_ms
from schemas.times import to_us
from tests.support.records import NOON, a_frame, a_label
from tests.support.replays import LOGGED_MS, a_replayer, a_road, entry, expected, recorded, replay, shown, there
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

BOTH = ("frames", "labels")


def _assert_all_there(recording: Recording, kafka: KafkaSettings) -> None:
    """A broker says that a transaction is committed before it marks its partitions: the last may be seen a little later."""
    for topic in BOTH:
        wished = expected(recording, topic)
        eventually(partial(_has, kafka, topic, len(wished)), 10)
        assert shown(there(kafka, topic)) == wished


def _has(kafka: KafkaSettings, topic: str, count: int) -> bool:
    return len(there(kafka, topic)) >= count


def _command(kafka: KafkaSettings, recording: Path, *options: str) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "ROADWATCH_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "ROADWATCH_KAFKA__TOPIC_PREFIX": kafka.topic_prefix,
    }
    command = [sys.executable, "-m", "roadwatch", "replay", str(recording), *options]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_keys_values_headers_order_and_partitions_survive(kafka: KafkaSettings, tmp_path: Path) -> None:
    """And a header says when each record was first logged."""
    recording = a_road(tmp_path / "road")
    outcome = replay(recording, kafka)
    assert (outcome.finished, dict(outcome.sent)) == (True, {"frames": 60, "labels": 60})
    _assert_all_there(recording, kafka)


def test_with_fewer_partitions_a_cameras_records_stay_in_order_and_side_by_side(
    kafka: KafkaSettings, tmp_path: Path
) -> None:
    """All topics go by key then."""
    narrow = kafka.model_copy(update={"topic_prefix": f"{kafka.topic_prefix}-narrow", "camera_partitions": 2})
    TopicAdmin(narrow).create()
    replay(a_road(tmp_path / "road"), narrow)
    lie: dict[bytes | None, set[int]] = defaultdict(set)
    for topic in BOTH:
        for record in there(narrow, topic):
            lie[record.key].add(record.partition)
    assert {key: len(partitions) for key, partitions in lie.items()} == {b"gate": 1, b"bridge": 1}
    sequences = [Codec().decode(r.value, Frame).sequence for r in there(narrow, "frames") if r.key == b"gate"]
    assert sequences == list(range(30))


def test_a_replay_that_was_stopped_goes_on(kafka: KafkaSettings, tmp_path: Path) -> None:
    """At whatever speed, and once only: what is finished cannot be resumed."""
    recording = a_road(tmp_path / "road")
    stopped = replay(recording, kafka, speed=50, stop_at=40)
    resumed = replay(recording, kafka, resume=True)
    assert (stopped.finished, resumed.finished, resumed.begun_at) == (False, True, stopped.done)
    assert stopped.done + sum(resumed.sent.values()) == 120
    _assert_all_there(recording, kafka)
    with pytest.raises(ConfigurationError, match="no unfinished replay"):
        replay(recording, kafka, resume=True)


def test_a_replay_that_was_killed_goes_on(kafka: KafkaSettings, tmp_path: Path) -> None:
    """What its last transaction left half done is undone: nothing is doubled, and nothing is missing."""
    recording = a_road(tmp_path / "road")
    process = _command(kafka, tmp_path / "road", "--speed", "2")
    assert eventually(lambda: len(there(kafka, "frames")) > 5)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert len(there(kafka, "frames")) < 60
    resumed = _command(kafka, tmp_path / "road", "--at-once", "--resume", "--json")
    out, err = resumed.communicate(timeout=60)
    assert resumed.returncode == 0, err
    told = json.loads(out)
    assert (told["finished"], told["sent"] + told["sent_before"]) == (True, 120)
    _assert_all_there(recording, kafka)


def test_ctrl_c_says_how_to_go_on(kafka: KafkaSettings, tmp_path: Path) -> None:
    """It ends after the transaction at hand, without a traceback."""
    a_road(tmp_path / "road")
    process = _command(kafka, tmp_path / "road", "--speed", "2")
    assert eventually(lambda: bool(there(kafka, "frames")))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert f"roadwatch replay {tmp_path / 'road'} --speed 2 --resume" in out
    assert "Traceback" not in err


@pytest.mark.chaos
def test_a_target_that_goes_away_is_waited_for(tmp_path: Path) -> None:
    """In one process; nothing is doubled, and nothing is missing."""
    with LocalBroker(tmp_path / "broker", environment=os.environ) as broker:
        kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
        TopicAdmin(kafka).create()
        recording = a_road(tmp_path / "road", 60)
        seen: list[Progress] = []
        control = Control(Timeline(10, time.monotonic), threading.Event(), seen.append)
        replayer = a_replayer(recording, kafka)
        with ThreadPoolExecutor(1) as pool:
            sending = pool.submit(replayer.run, control)
            assert eventually(lambda: bool(seen) and seen[-1].done > 20)
            broker.stop()
            assert eventually(lambda: seen[-1].trouble is not None, 40)
            broker.start()
            assert sending.result(90).finished
        _assert_all_there(recording, kafka)


def test_a_second_process_takes_a_replay_over(kafka: KafkaSettings, tmp_path: Path) -> None:
    """The first says so and ends; together they send each record once."""
    recording = a_road(tmp_path / "road")
    errors: list[Exception] = []
    begun = threading.Event()

    def first() -> None:
        try:
            control = Control(Timeline(5, time.monotonic), threading.Event(), lambda _: begun.set())
            a_replayer(recording, kafka).run(control)
        except SupersededError as error:
            errors.append(error)

    thread = threading.Thread(target=first)
    thread.start()
    assert begun.wait(20)
    replay(recording, kafka, resume=True)
    thread.join(30)
    assert len(errors) == 1
    _assert_all_there(recording, kafka)


def test_times_move_together(kafka: KafkaSettings, tmp_path: Path) -> None:
    """Event times and when records were logged; ids stay, also when it is gone on with."""
    recording = a_road(tmp_path / "road")
    wish = Wish(shift_to=NOON.replace(year=2031))
    by = NOON.replace(year=2031) - NOON
    stopped = replay(recording, kafka, wish, speed=50, stop_at=40)
    assert replay(recording, kafka, wish, resume=True).shift == stopped.shift == by
    frames = there(kafka, "frames")
    decoded = [Codec().decode(record.value, Frame) for record in frames if record.key == b"gate"]
    assert decoded == [a_frame(n, picture=b"\xff" * 50, captured_at=a_frame(n).captured_at + by) for n in range(30)]
    logged = [logged_ms(0, record.headers) for record in frames if record.key == b"gate"]
    assert logged == [LOGGED_MS + to_us(NOON + by) // 1000 - to_us(NOON) // 1000 + n * 1000 for n in range(30)]


def _without(field: str) -> Schema:
    """Our label's schema as if an older program had written it without a field."""
    schema = copy.deepcopy(json.loads(schema_text(Label)))
    schema["fields"] = [one for one in schema["fields"] if one["name"] != field]
    return dict(schema)


def test_records_of_an_older_schema_are_resolved(kafka: KafkaSettings, tmp_path: Path) -> None:
    """The target's readers know ours alone."""
    label = a_label()
    body = Codec().split(Codec().encode(label), Label)[1]
    # complete_until is the last field and has a default: without its one byte for None, the body is an older program's.
    kept = [entry(label, 0, body=body[:-1])]
    recording = recorded(tmp_path / "old", {("labels", 1): kept}, schemas={"labels": _without("complete_until")})
    replay(recording, kafka)
    assert [Codec().decode(record.value, Label) for record in there(kafka, "labels")] == [label]


def test_a_schema_that_cannot_be_resolved_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    recording = recorded(
        tmp_path / "old", {("labels", 1): [entry(a_label(), 0)]}, schemas={"labels": _without("label_id")}
    )
    with pytest.raises(RecordingError, match=r"labels was written with a schema .* label_id"):
        plan_of(recording, Wish())
    assert schema_of(Label) not in recording.index.topics["labels"].schemas


def test_a_missing_topic_is_named_or_created(kafka: KafkaSettings, tmp_path: Path) -> None:
    """With the remedy; created, it has the recording's partitions."""
    a_road(tmp_path / "road", 3, partitions=6)
    prefix = f"{kafka.topic_prefix}-fresh"
    refused = _command(kafka, tmp_path / "road", "--at-once", "--prefix", prefix)
    _, err = refused.communicate(timeout=60)
    assert (refused.returncode, f"{prefix}.frames, {prefix}.labels" in err, "--create" in err) == (1, True, True)
    created = _command(kafka, tmp_path / "road", "--at-once", "--prefix", prefix, "--create")
    _, err = created.communicate(timeout=60)
    assert (created.returncode, "set kafka.camera_partitions to 6" in err) == (0, True)
    assert f"kafka.topic_prefix = '{prefix}'" in err
    assert "hold records already" not in err
    fresh = kafka.model_copy(update={"topic_prefix": prefix})
    assert TopicAdmin(fresh).existing()[f"{prefix}.frames"].partitions == 6
    assert len(there(fresh, "frames")) == 6


def test_topics_that_hold_records_already_are_named(kafka: KafkaSettings, tmp_path: Path) -> None:
    """Nobody should double a stream, or send yesterday into today's, without being told."""
    a_road(tmp_path / "road", 3)
    told = [_command(kafka, tmp_path / "road", "--at-once").communicate(timeout=60)[1] for _ in range(2)]
    held = f"besides: {kafka.topic_prefix}.frames, {kafka.topic_prefix}.labels. For topics of their own"
    assert [held in err for err in told] == [False, True]


def test_a_record_that_the_target_refuses_ends_the_replay(kafka: KafkaSettings, tmp_path: Path) -> None:
    """It is not waited for as if the target were away, and nothing of its transaction is seen."""
    kept = [entry(a_frame(n, picture=b"x" * (3_000_000 if n == 3 else 10)), n) for n in range(5)]
    recording = recorded(tmp_path / "large", {("frames", 0): kept})
    with pytest.raises(BrokerError, match="refuses a record of key b'gate'"):
        replay(recording, kafka)
    assert there(kafka, "frames") == []


def test_a_torn_recording_is_sent_up_to_the_tear(kafka: KafkaSettings, tmp_path: Path) -> None:
    """And says where it is torn."""
    road = tmp_path / "road"
    a_road(road)
    segment = next(road.glob("labels/3-*.avro"))
    segment.write_bytes(segment.read_bytes()[:-30])
    process = _command(kafka, road, "--at-once")
    _, err = process.communicate(timeout=60)
    assert (process.returncode, "labels/3-0000.avro" in err, "Traceback" in err) == (1, True, False)
