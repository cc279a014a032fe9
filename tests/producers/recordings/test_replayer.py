"""What a replay sends: chosen, refused, named and closed, without a cluster."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from producers.recordings.closing import BEYOND_THE_END
from producers.recordings.index import Chosen
from producers.recordings.planning import Wish, keeping_partitions, partitions_to_create, plan_of
from producers.recordings.recording import Recording
from producers.recordings.sequence import Sequence
from schemas.errors import ConfigurationError, TopicError
from schemas.records import Frame, Label, Observations
from schemas.times import to_us
from schemas.topics import Names
from tests.support.records import NOON, a_frame, a_label, a_prediction, an_alert
from tests.support.replays import LOGGED_MS, a_batch, a_road, entry, recorded

NAMES = Names("road")
SAMPLES = {
    "frames": a_frame(picture=b"x"),
    "observations": a_batch(0),
    "predictions": a_prediction(),
    "labels": a_label(),
    "alerts": an_alert(),
}


def _recording(folder: Path, *topics: str, pictures: bool = True) -> Recording:
    chains = {(name, 0): [entry(SAMPLES[name], 0)] for name in topics}
    return recorded(folder / "kept", chains, chosen=Chosen(pictures=pictures))


@pytest.mark.parametrize(
    ("there", "pictures", "sent"),
    [
        (("frames", "observations", "labels", "predictions"), True, {"frames", "labels"}),
        (("frames", "observations", "labels"), False, {"observations", "labels"}),
        (("observations", "predictions"), True, {"observations"}),
        (("labels",), True, {"labels"}),
    ],
)
def test_a_pipeline_gets_what_it_takes_in(
    there: tuple[str, ...], pictures: bool, sent: set[str], tmp_path: Path
) -> None:
    """Of frames and observations one, for the one makes the other; what is left out is known."""
    plan = plan_of(_recording(tmp_path, *there, pictures=pictures), Wish())
    assert set(plan.topics) == sent
    assert set(plan.left_out) == set(there) - sent


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (Wish(topics=("nonsense",)), "nonsense: not recorded"),
        (Wish(topics=("labels",)), "labels: not recorded; there are alerts, frames"),
        (Wish(), "nothing that a pipeline takes in"),
        (Wish(topics=("frames",)), "send observations instead"),
        (Wish(topics=("alerts",), shift_to="now"), "alerts name days"),
        (Wish(topics=("alerts",), close=True), "cameras end on frames or observations"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_sent(wish: Wish, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=said):
        plan_of(_recording(tmp_path, "frames", "alerts", pictures=False), wish)


def test_a_replay_is_known_by_what_it_sends(tmp_path: Path) -> None:
    """Whatever defines its sequence is in its name, so that only the same can be gone on with."""
    recording = a_road(tmp_path / "road", 3)
    wishes = [
        Wish(),
        Wish(cameras=frozenset({"gate"})),
        Wish(from_us=1),
        Wish(topics=("labels",)),
        Wish(shift_to="now"),
        Wish(shift_to=NOON),
        Wish(close=True),
    ]
    names = {plan_of(recording, wish).name("id", prefix) for wish in wishes for prefix in ("a", "b")}
    assert len(names) == 2 * len(wishes)


@pytest.mark.parametrize(
    ("counts", "kept"),
    [
        ({"road.frames": 4, "road.labels": 4, "road.models": 1}, {"frames", "labels", "models"}),
        ({"road.frames": 2, "road.labels": 2, "road.models": 1}, {"models"}),
        ({"road.frames": 8, "road.labels": 8, "road.models": 2}, set()),
    ],
)
def test_partitions_are_kept_where_there_are_as_many(counts: dict[str, int], kept: set[str], tmp_path: Path) -> None:
    """Otherwise all topics of cameras go by key, so that a camera's records lie side by side."""
    index = a_road(tmp_path / "road", 2).index
    index = index.model_copy(
        update={"topics": {**index.topics, "models": index.topics["labels"].model_copy(update={"partitions": 1})}}
    )
    assert keeping_partitions(index, ["frames", "labels", "models"], NAMES, counts) == kept


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({}, "2 topics do not exist on the target: road.frames, road.labels"),
        ({"road.frames": 4, "road.labels": 2}, "road.frames 4, road.labels 2"),
    ],
)
def test_a_target_that_does_not_fit_is_refused(counts: dict[str, int], said: str, tmp_path: Path) -> None:
    with pytest.raises(TopicError, match=said):
        keeping_partitions(a_road(tmp_path / "road", 2).index, ["frames", "labels"], NAMES, counts)


@pytest.mark.parametrize(("existing", "wanted"), [({}, 6), ({"road.telemetry": 3}, 3), ({"other.frames": 9}, 6)])
def test_missing_topics_get_as_many_partitions_as_others(existing: dict[str, int], wanted: int, tmp_path: Path) -> None:
    """As those that are there, or else as were recorded."""
    index = a_road(tmp_path / "road", 2, partitions=6).index
    assert partitions_to_create(index, ["frames", "labels"], existing, NAMES) == wanted


def test_the_first_event_time_becomes_the_wanted_one(tmp_path: Path) -> None:
    """The first of what is chosen."""
    recording = a_road(tmp_path / "road", 9)
    later = to_us(NOON + timedelta(seconds=4))
    sequence = Sequence(recording, plan_of(recording, Wish(topics=("frames",), from_us=later)))
    assert sequence.shift(datetime(2030, 1, 1, tzinfo=UTC)) == datetime(2030, 1, 1, tzinfo=UTC) - NOON - timedelta(
        seconds=4
    )


def test_cameras_that_broke_off_are_ended(tmp_path: Path) -> None:
    """With a promise and an `end` frame of the next number; who ended by itself is left alone."""
    gate = [entry(a_frame(n, "gate", picture=b"x"), n) for n in range(3)]
    bridge = [entry(a_frame(0, "bridge", picture=b"x"), 0), entry(a_frame(1, "bridge", kind="end", picture=b"x"), 1)]
    recording = recorded(tmp_path / "road", {("frames", 0): gate, ("frames", 3): bridge})
    plan = plan_of(recording, Wish(close=True))
    *_, promised, ended = Sequence(recording, plan)
    promise, end = plan.readers["labels"].record(promised.entry), plan.readers["frames"].record(ended.entry)
    assert isinstance(promise, Label)
    assert promise.complete_until == NOON + timedelta(seconds=2) + BEYOND_THE_END
    assert end == replace(
        a_frame(3, "gate", kind="end", picture=b"x"),
        captured_at=NOON + timedelta(seconds=2),
        box=None,
        zone_id=None,
        passage_id=None,
    )
    assert isinstance(end, Frame)
    assert (ended.partition, ended.entry.key, ended.logged_ms) == (0, b"gate", LOGGED_MS + 2001)
    assert len(list(Sequence(recording, plan))) == 7


def test_a_camera_ends_on_observations_too(tmp_path: Path) -> None:
    """With a batch of one row."""
    recording = recorded(tmp_path / "road", {("observations", 1): [entry(a_batch(0), 0), entry(a_batch(3), 1)]})
    plan = plan_of(recording, Wish(close=True))
    *_, ended = Sequence(recording, plan)
    end = plan.readers["observations"].record(ended.entry)
    assert isinstance(end, Observations)
    assert (end.kinds, end.sequences, end.captured_at) == (("end",), (6,), (NOON + timedelta(seconds=5),))


def test_what_has_nothing_chosen_says_what_there_is(tmp_path: Path) -> None:
    recording = a_road(tmp_path / "road", 2)
    sequence = Sequence(recording, plan_of(recording, Wish(cameras=frozenset({"nobody"}), shift_to=NOON)))
    with pytest.raises(ConfigurationError, match="event times are 2026-03-02 12:00:00"):
        sequence.shift(NOON)
