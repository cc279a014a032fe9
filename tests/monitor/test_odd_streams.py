"""Streams as restarts, wrong clocks and foreign writers make them: what cannot be counted is said, and all else goes on."""

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from monitor.cameras import Policy
from monitor.rows import LONGEST_PASSAGE
from schemas.errors import DecodingError
from schemas.ids import frame_id, passage_id
from schemas.observations import pack
from schemas.records import Alert, CameraDay, DayReport, Label, Passage, Prediction, Record
from tests.monitor.recorded import Chain, Logged, fed, live, offline, told
from tests.monitor.world import (
    CLASSES,
    START,
    Bus,
    end,
    heartbeat,
    label_of,
    passage,
    policy,
    prediction,
    promise,
)

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def of_epoch(epoch: str, frame: Prediction) -> Prediction:
    """A frame of another run."""
    return replace(frame, epoch=epoch, frame_id=frame_id(frame.camera_id, epoch, frame.sequence))


def frames_of(*parts: tuple[datetime, Iterable[Prediction]]) -> Chain:
    """Observations, as they were logged."""
    return [Logged(at, batch) for at, part in parts for batch in pack(part, CLASSES)]


def hours(camera: str, first: int, last: int, number: int = 1000) -> Chain:
    """A sign of life each hour, logged at once."""
    times = [(hour, START + hour * HOUR) for hour in range(first, last)]
    return frames_of(*((at, [heartbeat(camera, number + hour, at)]) for hour, at in times))


def in_order(rules: Policy, records: Iterable[Logged]) -> list[Record]:
    """What is told of a stream that is read in an order, and settled at last."""
    monitor = offline(rules)
    return [record for logged in records for record in fed(monitor, logged)] + monitor.settle()


def as_it_happens(rules: Policy, records: Iterable[Logged]) -> list[Record]:
    """What is told of it by a monitor that keeps up."""
    monitor, sent = offline(rules), list[Record]()
    for logged in records:
        sent += [*fed(monitor, logged), *monitor.settle()]
    return sent


# Runs of frames


def test_a_vehicle_whose_numbers_went_to_others_is_lost_and_nothing_else() -> None:
    """A recording was run again with other zones, under the same epoch, while the vehicle was there."""
    bus, at = Bus(), START + HOUR
    bus.observe(passage("gate", 10, at, ["car"]), 0)
    bus.observe([prediction("gate", 10, at, kind="sample"), *passage("gate", 11, at, ["car", "car"])], 1)
    bus.observe([heartbeat("gate", 20, START + DAY + HOUR)], 2)
    assert (bus.counts["lost_passages"], len(bus.of(Passage))) == (1, 1)
    assert [day.tally.passages for day in bus.closed()] == [{"car": 1}]


def test_a_vehicle_that_began_while_nothing_went_on_is_counted_although_its_first_frame_is_lost() -> None:
    """That frame was the last of its chunk, an hour before midnight and more: its name lies there."""
    bus = Bus()
    bus.observe([heartbeat("gate", i, START + 20 * HOUR + i * MINUTE) for i in range(63)], 0)
    bus.observe(passage("gate", 63, START + DAY + 20 * MINUTE, ["car"] * 4)[1:], 1)
    bus.label(label_of("gate", 63, "car", START + DAY + HOUR), 0)
    bus.observe([heartbeat("gate", 70, START + 2 * DAY + HOUR)], 2)
    tally = bus.closed()[-1].tally
    assert (tally.passages, [cell.count for cell in tally.vehicle_cells]) == ({"car": 1}, [1])


def test_a_camera_that_is_started_again_and_again_keeps_of_each_day_its_own_runs() -> None:
    """Not those of all days before it: its value is written with every record."""
    bus = Bus()
    for i in range(5 * 48):
        at = START + i * 30 * MINUTE
        bus.observe([of_epoch(f"run {i}", heartbeat("gate", 0, at))], i, logged_at=at)
    closed = json.loads(bus.values["gate"])["closed"].values()
    assert [day.tally.heartbeats for day in bus.closed()] == [48, 48, 48, 48]
    assert all(len(day[part]) <= 52 for day in closed for part in ("first", "last", "kept"))


@pytest.mark.parametrize("labels_first", [True, False])
def test_a_day_that_is_complete_tells_nothing_more_whenever_its_labels_come(labels_first: bool) -> None:
    """Its source has ended, and begins again on the same day: with a gap, of which the day says nothing."""
    rules, at = policy(label_patience=2 * DAY), START + 10 * HOUR
    again = [of_epoch("f", heartbeat("gate", i if i < 20 else i + 50, at + i * MINUTE)) for i in range(40)]
    frames = [*hours("gate", 0, 10, 0), *frames_of((at, [end("gate", 10, at)]), (at + HOUR, again))]
    frames += frames_of(
        *((START + h * HOUR, [of_epoch("f", heartbeat("gate", h, START + h * HOUR))]) for h in (30, 50))
    )
    labels = [Logged(START + DAY + 2 * HOUR, promise("gate", START + DAY))]
    expected = as_it_happens(rules, live([frames, labels]))
    read = in_order(rules, [*labels, *frames] if labels_first else [*frames, *labels])
    assert told(read) == told(expected)
    assert any(isinstance(record, DayReport) for record in expected)


@pytest.mark.parametrize("labels_first", [True, False])
def test_a_label_of_what_was_never_seen_is_told_of_its_day_however_far_labels_are_read_ahead(
    labels_first: bool,
) -> None:
    """By more than `monitor.label_horizon`, as in a replay of weeks."""
    frames = hours("gate", 0, 24 * 10)
    given = START + DAY + HOUR
    labels = [Logged(given, label_of("gate", 500, "car", given)), Logged(START + 9 * DAY, promise("gate", START))]
    expected = as_it_happens(policy(), live([frames, labels]))
    read = in_order(policy(), [*labels, *frames] if labels_first else [*frames, *labels])
    assert told(read) == told(expected)
    unmatched = [r.scores.unmatched_labels for r in expected if isinstance(r, DayReport)]
    assert unmatched[:3] == [0, 1, 0]


def test_labels_of_what_never_was_are_forgotten_after_the_horizon() -> None:
    """Also those that say that they were given long after: of a camera that goes on, by when they were logged."""
    bus, late = Bus(), datetime(2099, 1, 1, tzinfo=UTC)
    bus.observe([heartbeat("gate", 0, START)], 0, logged_at=START)
    for i in range(9):
        thing = passage_id("gate", f"wrong {i}", i)
        label = Label(f"l{i}", "gate", None, thing, "car", "csv", 1.0, late, None)
        bus.label(label, i, START + HOUR + i * MINUTE)
    assert len([key for key in bus.values if "wrong" in key]) == 9
    for hour in range(1, 24 * 9):
        bus.observe([heartbeat("gate", hour, START + hour * HOUR)], hour, logged_at=START + hour * HOUR)
    assert [key for key in bus.values if "wrong" in key] == []
    assert bus.counts["forgotten_labels"] == 9
    assert len(json.loads(bus.values["gate"])["unseen"]) == 0


# How far a camera has come


def test_a_day_that_its_source_ended_is_known_as_far_as_it_came() -> None:
    """Not until midnight: alerts and silences of other cameras know the time by it."""
    bus = Bus()
    bus.observe([heartbeat("file", 0, START), heartbeat("file", 1, START + 10 * HOUR)], 0)
    bus.observe([end("file", 2, START + 10 * HOUR)], 1)
    assert [day.seen_until for day in bus.closed()] == [START + 10 * HOUR]


def test_a_day_that_went_on_is_known_until_its_end() -> None:
    """However far the camera has come since."""
    bus = Bus()
    bus.observe([heartbeat("gate", 0, START), heartbeat("gate", 1, START + DAY + HOUR)], 0)
    assert [day.seen_until for day in bus.closed()] == [START + DAY]


# Clocks


def ahead(first: int, last: int, by: timedelta = 2 * DAY) -> Chain:
    """A sign of life each hour, whose camera's clock is ahead."""
    times = [(hour, START + hour * HOUR) for hour in range(first, last)]
    return frames_of(*((at, [heartbeat("gate", hour, at + by)]) for hour, at in times))


def clocks(records: Iterable[Record]) -> list[tuple[str, str, datetime]]:
    """Alerts about clocks: camera, state, and since when or until when it is so."""
    alerts = [record for record in records if isinstance(record, Alert) and record.cause == "clock"]
    return [(alert.cameras[0], alert.state, alert.changed_at or alert.since) for alert in alerts]


def apart(records: Iterable[Record]) -> list[CameraDay]:
    """Camera-days in which the gate says that its clock is wrong."""
    days = [record for record in records if isinstance(record, CameraDay) and record.camera_id == "gate"]
    return [day for day in days if day.part == "device"]


def test_a_clock_that_is_ahead_from_the_first_frame_on_raises_an_alert() -> None:
    """By the log's time, for the camera's own is not known; no report waits for its pictures."""
    sent = as_it_happens(policy(), live([hours("other", 0, 30), ahead(1, 30)]))
    assert {*clocks(sent)} == {("gate", "open", START + HOUR)}
    assert [(r.day, [c.camera_id for c in r.cameras]) for r in sent if isinstance(r, DayReport)] == [
        ("2026-03-02", ["other"])
    ]


def test_a_wrong_clock_is_told_once_a_day_and_not_with_every_frame() -> None:
    """So that its alert stays while it lasts."""
    sent = as_it_happens(policy(), live([hours("other", 0, 24 * 6), ahead(1, 24 * 6)]))
    assert [day.seen_until for day in apart(sent)] == [START + HOUR + n * DAY for n in range(6)]
    assert {state for _, state, _ in clocks(sent)} == {"open"}


@pytest.mark.parametrize("right", [lambda at: at, lambda at: at - 2000 * DAY], ids=["now", "years ago"])
def test_a_clock_that_is_set_right_is_over(right: Callable[[datetime], datetime]) -> None:
    """Also where what is believed then is a recording of former years."""
    beats = [(START + hour * HOUR, right(START + hour * HOUR)) for hour in range(6, 20)]
    set_right = frames_of(*((at, [heartbeat("gate", 100 + n, said)]) for n, (at, said) in enumerate(beats)))
    sent = as_it_happens(policy(), live([hours("other", 0, 20), [*ahead(1, 6), *set_right]]))
    (began, *_, over) = clocks(sent)
    assert (began[:2], over[:2]) == (("gate", "open"), ("gate", "resolved"))
    assert over[2] <= START + 12 * HOUR


@pytest.mark.parametrize("turn", range(6))
def test_wrong_clocks_are_told_the_same_in_whatever_order_cameras_are_read(turn: int) -> None:
    """One that was never right, one that ended before, and one that goes on."""
    ended = [*hours("dock", 0, 5), *frames_of((START + 5 * HOUR, [end("dock", 1005, START + 5 * HOUR)]))]
    wrong = frames_of(*((START + h * HOUR, [heartbeat("dock", 2000 + h, START + 3 * DAY)]) for h in range(7, 30)))
    labels: Chain = [Logged(START + 8 * HOUR, label_of("dock", 7, "car", START + 8 * HOUR))]
    chains = [ahead(1, 30), [*ended, *wrong], labels, hours("other", 0, 60)]
    chains = [chains[(turn + i) % 4] for i in range(4)]
    expected = as_it_happens(policy(), live(chains))
    assert told(in_order(policy(), (logged for chain in chains for logged in chain))) == told(expected)
    assert {camera for camera, *_ in clocks(expected)} == {"gate", "dock"}


# What foreign writers send


def crossing(at: datetime) -> Callable[[Prediction], Prediction]:
    """Frames of a vehicle that crossed then."""
    return lambda frame: replace(frame, crossed_at=at)


def statistics(**changes: Any) -> Callable[[Prediction], Prediction]:
    """Frames with other figures."""
    return lambda frame: replace(frame, statistics=replace(frame.statistics, **changes))


def probably(share: float) -> Callable[[Prediction], Prediction]:
    """Frames of which the model says so much."""
    return lambda frame: replace(frame, confidence=share, probabilities={"car": share, "truck": 0.5})


WRONG: list[tuple[Callable[[Prediction], Prediction], str]] = [
    (crossing(datetime(1, 1, 1, tzinfo=UTC)), "of a vehicle that crossed at 0001-01-01"),
    (crossing(datetime(9999, 12, 31, 12, tzinfo=UTC)), "of a vehicle that crossed at 9999-12-31"),
    (crossing(START + 3 * HOUR), "of a vehicle that crossed at 2026-03-02T03"),
    (probably(math.nan), "its car is nan, which is no number"),
    (probably(math.inf), "its car is inf, which is no number"),
    (statistics(brightness=math.nan), "its brightness is nan"),
    (lambda frame: replace(frame, timings=replace(frame.timings, total_ms=math.inf)), "its latency_ms is inf"),
    (lambda frame: replace(frame, passage_id=passage_id("gate", "e", 1000)), "the vehicle that began with frame 1000"),
    (
        lambda frame: replace(
            frame, sequence=LONGEST_PASSAGE + 10, frame_id=frame_id("gate", "e", LONGEST_PASSAGE + 10)
        ),
        "the vehicle that began with frame 10",
    ),
]


@pytest.mark.parametrize(("changed", "why"), WRONG, ids=[why for _, why in WRONG])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/Havana"])
def test_a_frame_that_cannot_be_counted_is_left_out(
    changed: Callable[[Prediction], Prediction], why: str, zone: str
) -> None:
    """With the reason, and the day is reported without it."""
    bus = Bus(policy(calendar=replace(policy().calendar, timezone=zone)))
    first, *others = passage("gate", 10, START + HOUR, ["car"] * 3)
    outcome = bus.observe([first, *map(changed, others)], 0)
    assert len(outcome.faults) == 2
    assert why in outcome.faults[0]
    bus.observe([heartbeat("gate", LONGEST_PASSAGE * 2, START + 2 * DAY)], 1)
    assert bus.counts["refused_frames"] == 2
    assert sum(day.tally.frames for day in bus.closed()) == 1
    assert bus.of(DayReport)


def test_a_frame_that_shows_what_is_no_number_is_a_finding_too() -> None:
    """Whoever owns the camera learns of it."""
    bus = Bus()
    beats = [heartbeat("gate", i, START + i * MINUTE, brightness=math.nan if i == 5 else 120.0) for i in range(9)]
    bus.observe(beats, 0)
    days = [day for day in bus.of(CameraDay) if isinstance(day, CameraDay)]
    assert [finding.signal for finding in days[-1].findings] == ["values"]


TAKEN: dict[str, Callable[[Bus], object]] = {
    "a label": lambda bus: bus.label(Label("x", "gate:e:1", None, None, None, "csv", 1.0, START, START), 0),
    "a frame": lambda bus: bus.observe([heartbeat("gate:e:1", 0, START)], 0),
}


@pytest.mark.parametrize("take", TAKEN.values(), ids=TAKEN)
def test_a_camera_whose_name_holds_a_colon_is_refused(take: Callable[[Bus], object]) -> None:
    """Its key would be that of another's frames."""
    bus = Bus()
    with pytest.raises(DecodingError, match="its name must hold no colon"):
        take(bus)
    assert bus.values == {}
