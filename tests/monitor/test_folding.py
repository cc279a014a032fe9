"""What one record does to its camera."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from monitor.cameras import Camera
from monitor.cameras import decoded as camera_decoded
from monitor.labelling import KEPT_DAYS, MOST, MOST_WORDS
from schemas.codec import Codec
from schemas.errors import DecodingError
from schemas.labels import HEAVIEST, LIGHTEST
from schemas.records import Alert, CameraDay, DayReport, Passage
from tests.monitor.world import (
    CLASSES,
    NOW,
    START,
    Bus,
    end,
    frame_label_of,
    heartbeat,
    label_of,
    milliseconds,
    passage,
    policy,
    prediction,
    promise,
    traffic,
)

MINUTE = timedelta(minutes=1)


def test_a_passage_is_over_after_its_timeout() -> None:
    """One record with the vote of its frames; not a moment earlier."""
    bus = Bus()
    bus.observe(passage("north", 0, START, ["car", "truck", "truck"]), 0)
    bus.observe([heartbeat("north", 3, START + timedelta(seconds=17))], 1)
    assert bus.of(Passage) == []
    bus.observe([heartbeat("north", 4, START + timedelta(seconds=18))], 2)
    (found,) = bus.of(Passage)
    assert isinstance(found, Passage)
    assert (found.label, found.votes, found.frames) == ("truck", {"car": 1, "truck": 2}, 3)
    assert found.crossed_at == START + timedelta(seconds=1)


def test_a_vehicle_that_never_crossed_is_no_passage() -> None:
    """It turned away."""
    bus = Bus()
    bus.observe([*passage("north", 0, START, ["car"]), end("north", 1, START + MINUTE)], 0)
    assert bus.of(Passage) == []


def test_a_vehicle_counts_on_the_day_it_crosses() -> None:
    """Its frames count on the days they were taken."""
    bus, midnight = Bus(), START + timedelta(days=1)
    bus.observe(passage("north", 0, midnight - timedelta(milliseconds=500), ["car", "car"]), 0)
    bus.observe([end("north", 2, midnight + MINUTE)], 1)
    first, second = bus.closed()
    assert (first.tally.frames, first.tally.passages) == (1, {})
    assert (second.tally.frames, second.tally.passages, second.tally.passage_frames) == (1, {"car": 1}, 2)


def test_a_day_closes_once_lateness_has_passed() -> None:
    """The frame that closes it is the first at or after its end and the lateness."""
    bus, midnight = Bus(), START + timedelta(days=1)
    bus.observe([heartbeat("north", 0, START), heartbeat("north", 1, midnight + 9 * MINUTE)], 0)
    assert bus.closed() == []
    bus.observe([heartbeat("north", 2, midnight + 10 * MINUTE)], 1)
    assert [day.day for day in bus.closed()] == ["2026-03-02"]


def test_a_day_announces_itself() -> None:
    """Revision 0, with its first frame."""
    bus = Bus()
    bus.observe([heartbeat("north", 0, START), heartbeat("north", 1, START + MINUTE)], 0)
    assert [(day.day, day.revision) for day in bus.of(CameraDay) if isinstance(day, CameraDay)] == [("2026-03-02", 0)]


def test_a_late_frame_is_counted_and_changes_nothing() -> None:
    """Its day has closed."""
    bus, midnight = Bus(), START + timedelta(days=1)
    bus.observe([heartbeat("north", 0, START), heartbeat("north", 1, midnight + 11 * MINUTE)], 0)
    bus.observe([prediction("north", 2, START + MINUTE, kind="sample")], 1)
    assert bus.counts["late_frames"] == 1
    assert len(bus.closed()) == 1


@pytest.mark.parametrize("promised_first", [True, False])
def test_whether_a_frame_is_late_does_not_depend_on_labels(promised_first: bool) -> None:
    """Its day's frames are complete, whether the day has closed by its labels' promise or still waits for it."""
    bus, midnight = Bus(policy(label_patience=timedelta(days=1))), START + timedelta(days=1)
    bus.observe([*passage("north", 0, START, ["car", "car"]), heartbeat("north", 2, midnight + 11 * MINUTE)], 0)
    if promised_first:
        bus.label(promise("north", midnight), 0)
    bus.observe([prediction("north", 3, START + MINUTE, kind="sample")], 1)
    if not promised_first:
        bus.label(promise("north", midnight), 0)
    (day,) = bus.closed()
    assert (day.tally.frames, bus.counts["late_frames"]) == (2, 1)


@pytest.mark.parametrize("promised_first", [True, False])
def test_a_label_after_its_days_promise_is_late(promised_first: bool) -> None:
    """Also where the day's frames come later than both."""
    bus, midnight = Bus(policy(label_patience=timedelta(days=1))), START + timedelta(days=1)
    frames = [*passage("north", 0, START, ["car", "car"]), heartbeat("north", 2, midnight + 11 * MINUTE)]
    if not promised_first:
        bus.observe(frames, 0)
    bus.label(promise("north", midnight), 0)
    bus.label(label_of("north", 0, "car", START + MINUTE), 1)
    if promised_first:
        bus.observe(frames, 0)
    (day,) = bus.closed()
    assert (day.tally.labels, day.tally.vehicle_cells, day.tally.unmatched_labels) == (0, (), 0)


@pytest.mark.parametrize("promised_first", [True, False])
def test_an_end_completes_its_days_for_good(promised_first: bool) -> None:
    """A source that begins anew on the same day comes too late for it."""
    bus = Bus(policy(label_patience=timedelta(days=1)))
    if promised_first:
        bus.label(promise("north", START + timedelta(days=1)), 0)
    bus.observe([heartbeat("north", 0, START), end("north", 1, START)], 0)
    again = replace(heartbeat("north", 0, START + MINUTE), epoch="f", frame_id="north:f:0")
    bus.observe([again], 1)
    if not promised_first:
        bus.label(promise("north", START + timedelta(days=1)), 0)
    assert [day.tally.heartbeats for day in bus.closed()] == [1]
    assert bus.counts["late_frames"] == 1


def test_a_day_without_patience_waits_until_labels_are_read() -> None:
    """Those logged before its last frames count, and no later ones."""
    bus = Bus()
    frames = [*passage("north", 0, START, ["car", "car"]), end("north", 2, START + MINUTE)]
    assert bus.observe(frames, 0, labels_read=False).waits
    bus.label(label_of("north", 0, "truck", START + MINUTE), 0, NOW - MINUTE)
    assert bus.closed() == []
    bus.label(label_of("north", 0, "car", START + 2 * MINUTE), 1, NOW + MINUTE)
    (day,) = bus.closed()
    assert [(c.truth, c.count) for c in day.tally.vehicle_cells] == [("truck", 1)]


def test_labels_may_be_far_ahead_of_their_frames() -> None:
    """As when a backlog's labels are read first."""
    bus, first = Bus(), 1_000_000
    bus.label(label_of("north", first, "car", START + MINUTE), 0)
    bus.observe([heartbeat("north", 0, START)], 0)
    bus.observe([*passage("north", first, START, ["car", "car"]), end("north", first + 2, START + MINUTE)], 1)
    (day,) = bus.closed()
    assert [(c.truth, c.count) for c in day.tally.vehicle_cells] == [("car", 1)]


def test_a_frame_from_the_future_is_refused() -> None:
    """It would close every open day. What the future is says the record's own time, whenever it is read."""
    bus = Bus()
    bus.observe([heartbeat("north", 0, START)], 0)
    outcome = bus.observe([heartbeat("north", 1, START + 6 * MINUTE)], 1, logged_at=START)
    assert "ahead of when it was logged" in outcome.faults[0]
    assert "monitor.max_skew" in outcome.faults[0]
    assert bus.closed() == []


def test_a_record_taken_in_before_changes_nothing() -> None:
    """Offsets at or before the last are skipped."""
    bus = Bus()
    bus.observe(passage("north", 0, START, ["car", "car"]), 5)
    outcome = bus.observe([end("north", 2, START + MINUTE)], 5)
    assert (outcome.outputs, outcome.writes) == ([], {})


@pytest.mark.parametrize("early", [True, False])
def test_a_label_finds_its_passage_before_or_after(early: bool) -> None:
    """Ids say where the passage lies."""
    bus, label = Bus(), label_of("north", 0, "truck", START + MINUTE)
    if early:
        bus.label(label, 0)
    bus.observe(passage("north", 0, START, ["car", "car"]), 0)
    if not early:
        bus.label(label, 0)
    bus.observe([end("north", 2, START + MINUTE)], 1)
    tally = bus.closed()[0].tally
    assert [(c.truth, c.predicted, c.count) for c in tally.vehicle_cells] == [("truck", "car", 1)]
    assert [(c.truth, c.predicted, c.count) for c in tally.frame_cells] == [("truck", "car", 2)]


def test_a_labelled_frame_without_a_passage_is_a_vehicle() -> None:
    """As when the gate is off."""
    bus = Bus()
    bus.observe([prediction("north", 0, START, kind="sample")], 0)
    bus.label(frame_label_of("north", 0, "car", START), 0)
    bus.observe([end("north", 1, START + MINUTE)], 1)
    assert [(c.truth, c.predicted, c.count) for c in bus.closed()[0].tally.vehicle_cells] == [("car", "car", 1)]


def test_the_later_of_two_labels_holds_whichever_comes_first() -> None:
    """Somebody corrected it."""
    wrong, right = label_of("north", 0, "car", START), label_of("north", 0, "truck", START + MINUTE)
    for order in ((wrong, right), (right, wrong), (wrong, right, right)):
        bus = Bus()
        bus.observe(passage("north", 0, START, ["car", "car"]), 0)
        for offset, label in enumerate(order):
            bus.label(label, offset)
        bus.observe([end("north", 2, START + MINUTE)], 1)
        assert [(c.truth, c.count) for c in bus.closed()[0].tally.vehicle_cells] == [("truck", 1)]


def test_a_label_for_what_was_never_seen_is_unmatched() -> None:
    """Counted once, on the day it was given."""
    bus = Bus()
    bus.observe([heartbeat("north", 0, START)], 0)
    bus.label(label_of("north", 40, "car", START + MINUTE), 0)
    bus.observe([end("north", 1, START + 2 * MINUTE)], 1)
    tally = bus.closed()[0].tally
    assert (tally.labels, tally.unmatched_labels) == (1, 1)


def test_a_label_for_a_closed_day_is_late() -> None:
    """Whether its chunk is still kept or not."""
    bus = Bus()
    bus.observe([*passage("north", 0, START, ["car", "car"]), end("north", 2, START + MINUTE)], 0)
    bus.label(label_of("north", 0, "car", START + MINUTE), 0)
    assert bus.counts["late_labels"] == 1


def test_a_label_of_another_camera_is_refused() -> None:
    """Its key is wrong."""
    label = replace(label_of("south", 0, "car", START), camera_id="north")
    with pytest.raises(DecodingError, match="south"):
        Bus().label(label, 0)


def test_a_patient_day_waits_for_its_labels_after_the_end() -> None:
    """The source has ended; the promise closes the day."""
    bus = Bus(policy(label_patience=timedelta(days=1)))
    bus.observe([*passage("north", 0, START, ["car", "car"]), end("north", 2, START + MINUTE)], 0)
    assert bus.closed() == []
    bus.label(label_of("north", 0, "car", START + MINUTE), 0)
    bus.label(promise("north", START + timedelta(days=1)), 1)
    assert bus.closed()[0].tally.labels == 1


def test_patience_ends() -> None:
    """Without any promise the day closes when its labels had their time."""
    bus = Bus(policy(label_patience=timedelta(hours=2)))
    times = [START, START + timedelta(hours=26), START + timedelta(hours=26, minutes=10)]
    for offset, at in enumerate(times):
        assert bus.closed() == []
        bus.observe([heartbeat("north", offset, at)], offset)
    assert [day.day for day in bus.closed()] == ["2026-03-02"]


def test_state_stays_small_over_days() -> None:
    """Days that no label can change leave nothing but the last hour behind."""
    bus = Bus(policy(label_horizon=timedelta(0)))
    for i in range(5 * 24 * 10):
        bus.observe([prediction("north", i, START + i * 6 * MINUTE, kind="sample")], i)
    assert len(bus.closed()) == 4
    assert len(bus.values) < 20


def test_a_fall_of_confidence_alerts_before_the_day_closes() -> None:
    """One alert, once evidence was gathered for its cause."""
    bus = Bus()
    for i in range(400):
        confidence = (0.95 if i < 200 else 0.6) + (i % 5) / 100
        bus.observe([prediction("north", i, START + i * MINUTE, kind="sample", confidence=confidence)], i)
    alert, *more = [record for record in bus.of(Alert) if isinstance(record, Alert)]
    assert {alert.alert_id} | {other.alert_id for other in more} == {alert.alert_id}
    assert (alert.rule, alert.state, alert.camera_id, alert.cause) == ("incident", "open", "north", "new-vehicles")
    assert (alert.value < 0.7, alert.threshold > 0.9) == (True, True)
    assert bus.closed() == []


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf"), 1e200, 1e-200])
def test_a_label_that_stands_for_no_number_of_vehicles_is_refused(weight: float) -> None:
    """What it weighs is said."""
    with pytest.raises(DecodingError, match=re.escape(f"has the weight {weight}")):
        Bus().label(replace(label_of("north", 0, "car", START), weight=weight), 0)


@pytest.mark.parametrize(("light", "heavy"), [(1.0, HEAVIEST), (LIGHTEST, 1.0), (LIGHTEST, HEAVIEST)])
def test_a_day_closes_with_the_lightest_and_the_heaviest_labels(light: float, heavy: float) -> None:
    """Whatever is let in can be counted, and reported."""
    bus, stream = Bus(), traffic("north", 1, 1)
    for offset, label in enumerate(stream.labels):
        bus.label(replace(label, weight=heavy if offset % 9 == 0 else light), offset)
    bus.observe(stream.predictions, 0)
    (report,) = bus.of(DayReport)
    assert Codec().encode(report)


@pytest.mark.parametrize("text", ["a" * 300_000, "white van, plate B-XY 1", ""])
def test_a_label_whose_text_is_no_class_is_refused(text: str) -> None:
    """A camera-day and a report name each class: they would not fit into a record."""
    with pytest.raises(DecodingError, match="a class has up to 32 of a-z"):
        Bus().label(label_of("north", 0, text, START), 0)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("classes", lambda i: {"label": f"plate-{i}"}),
        ("sources", lambda i: {"source": f"loop-{i}"}),
        ("weights", lambda i: {"weight": 1 + i / 1000}),
    ],
)
def test_labels_name_so_many_classes_sources_and_weights_and_no_more(
    kind: str, change: Callable[[int], dict[str, Any]]
) -> None:
    """The next one is refused, one that was named before is not; and what is not named for days makes room."""
    camera, most = Camera("north"), MOST[kind]
    labels = [replace(label_of("north", i, "car", START), **change(i)) for i in range(most + 1)]
    for label in labels[:most]:
        camera.variety.admit(label, milliseconds(NOW))
    with pytest.raises(DecodingError, match=f"have named {most} {kind} within {KEPT_DAYS} days"):
        camera.variety.admit(labels[most], milliseconds(NOW))
    known = camera_decoded(camera.encoded()).variety
    known.admit(labels[0], milliseconds(NOW + timedelta(days=1)))
    known.admit(labels[most], milliseconds(NOW + timedelta(days=KEPT_DAYS)))
    assert len(known.known[kind]) == 2


def test_a_refused_label_leaves_what_is_known_as_it_is() -> None:
    """Nothing is written, so that the service and a backtest go on alike."""
    bus = Bus()
    bus.label(label_of("north", 0, "car", START), 0)
    before = dict(bus.values)
    with pytest.raises(DecodingError):
        bus.label(label_of("north", 0, "no class", START), 1)
    assert bus.values == before


def test_so_many_words_are_kept_of_one_vehicle_and_no_more() -> None:
    """A source that changes its mind without end fills no chunk."""
    bus = Bus()
    for i in range(MOST_WORDS):
        bus.label(label_of("north", 0, CLASSES[i % 2], START + timedelta(seconds=i)), i)
    with pytest.raises(DecodingError, match=f"one more than {MOST_WORDS}"):
        bus.label(label_of("north", 0, "car", START + MINUTE * 60), MOST_WORDS)


def test_a_labels_weight_comes_with_its_day() -> None:
    """From the label's record to the tally, through the chunk that keeps it."""
    bus = Bus()
    bus.observe(passage("north", 0, START, ["car", "car"]), 0)
    bus.label(replace(label_of("north", 0, "car", START + MINUTE), weight=12.5), 0)
    bus.observe([end("north", 2, START + MINUTE)], 1)
    (part,) = bus.closed()[0].tally.weighted
    assert (part.weight, [cell.count for cell in part.cells], [cell.count for cell in part.frame_cells]) == (
        12.5,
        [1],
        [2],
    )
