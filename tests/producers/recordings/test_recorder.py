"""What of a stream is chosen, and when a recording is gone on with."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from producers.recordings.container import UNREAD, Entry
from producers.recordings.entries import TOPICS, entry_of, reader_of
from producers.recordings.index import Chosen, Index, RecordedTopic
from producers.recordings.recorder import INTERNAL, USUAL, Ending, differences, is_time, selection_of, without_picture
from runtime.clients import Received
from schemas.codec import Codec, Schema, schema_of
from schemas.records import Frame, Record
from schemas.times import to_us
from schemas.topics import FRAMES, LABELS, TABLE
from tests.support.records import NOON, a_frame, a_label

NOON_US = to_us(NOON)
SECOND = 1_000_000
CHOSEN = Chosen(cameras=("bridge", "gate"), from_us=NOON_US, to_us=NOON_US + 60 * SECOND)


def _entry(record: Record, key: bytes | None = b"gate") -> Entry:
    topic = next(topic for topic in TABLE if topic.record is type(record))
    received = Received(topic.name, 0, 7, key, Codec().encode(record), [], 0)
    return entry_of(received, topic, Codec(), lambda _: 0)


def _index(**changes: Any) -> Index:
    told = {
        "id": "a-recording",
        "made_by": "test",
        "created": NOON,
        "origin": "roadwatch",
        "chosen": CHOSEN,
        "topics": {"frames": RecordedTopic(partitions=4), "labels": RecordedTopic(partitions=4)},
    }
    return Index(**{**told, **changes})


@pytest.mark.parametrize(
    ("topic", "changes", "wanted"),
    [
        ("labels", {}, True),
        ("labels", {"key": b"yard"}, False),
        ("labels", {"key": None}, False),
        ("alerts", {"key": b"day-accuracy"}, True),
        ("labels", {"first_us": None, "last_us": None}, True),
        ("labels", {"first_us": NOON_US - 1, "last_us": NOON_US - 1}, False),
        ("labels", {"first_us": NOON_US + 60 * SECOND, "last_us": NOON_US + 60 * SECOND}, False),
        ("observations", {"first_us": NOON_US - SECOND, "last_us": NOON_US}, True),
        ("observations", {"first_us": NOON_US + 59 * SECOND, "last_us": NOON_US + 61 * SECOND}, True),
        ("observations", {"first_us": NOON_US - SECOND, "last_us": NOON_US + 99 * SECOND}, True),
    ],
)
def test_cameras_and_spans_choose(topic: str, changes: dict[str, Any], wanted: bool) -> None:
    """Camera gate, at noon, unless said otherwise; batches are wanted where any of them is."""
    assert selection_of(CHOSEN).wants(topic, replace(_entry(a_label()), **changes)) is wanted


def test_a_frame_without_its_picture_is_the_same_frame() -> None:
    schema = schema_of(Frame)
    bare = without_picture(_entry(a_frame(picture=b"\xff\xd8" * 500)), FRAMES, {0: schema})
    plain: Schema = {name: part for name, part in schema.items() if not name.startswith("__")}
    assert bare == _entry(a_frame())
    assert reader_of("frames", RecordedTopic(partitions=1, schemas=(plain,))).record(bare) == a_frame()


def test_only_frames_have_pictures() -> None:
    assert without_picture(_entry(a_label()), LABELS, {}) == _entry(a_label())


@pytest.mark.parametrize("changes", [{"schema": UNREAD}, {"body": b"torn"}])
def test_a_frame_that_cannot_be_read_is_left_out_with_its_picture(changes: dict[str, Any]) -> None:
    assert without_picture(replace(_entry(a_frame()), **changes), FRAMES, {0: schema_of(Frame)}) is None


def test_the_same_can_be_gone_on_with() -> None:
    assert differences(_index(), "roadwatch", {"labels": 4, "frames": 4}, CHOSEN) == []


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"origin": "other"}, "origin: the recording there has roadwatch, and other is asked for"),
        ({"partitions": {"frames": 4}}, "topics: the recording there has frames, labels, and frames is asked for"),
        ({"partitions": {"frames": 8, "labels": 4}}, "partitions of frames: the recording there has 4, and 8 is"),
        (
            {"chosen": CHOSEN.model_copy(update={"cameras": None})},
            "cameras: the recording there has bridge, gate, and all",
        ),
        ({"chosen": CHOSEN.model_copy(update={"from_us": None})}, "from: the recording there has 2026-03-02T12:00:00"),
        (
            {"chosen": CHOSEN.model_copy(update={"pictures": False})},
            "pictures: the recording there has True, and False",
        ),
    ],
)
def test_what_was_asked_for_otherwise_is_named(asked: dict[str, Any], said: str) -> None:
    same = {"origin": "roadwatch", "partitions": {"frames": 4, "labels": 4}, "chosen": CHOSEN}
    faults = differences(_index(), **{**same, **asked})
    assert [fault for fault in faults if fault.startswith(said)] == faults != []


@pytest.mark.parametrize(
    ("ending", "now"),
    [
        (Ending(), True),
        (Ending(follow=True), False),
        (Ending(follow=True, until=NOON), True),
        (Ending(follow=True, until=NOON + timedelta(seconds=1)), False),
    ],
)
def test_when_the_ends_are_fixed(ending: Ending, now: bool) -> None:
    """At once, never, or when its time has come."""
    assert is_time(ending, NOON) is now


def test_every_topic_is_usual_or_internal() -> None:
    assert set(USUAL) | (INTERNAL & TOPICS.keys()) == TOPICS.keys()
    assert not set(USUAL) & INTERNAL
