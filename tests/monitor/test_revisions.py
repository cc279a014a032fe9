"""Labels that come after their day has closed make a revision of it, which says what changed."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from monitor import told
from schemas.records import CameraDay, DayReport, Label, Prediction
from tests.monitor.world import (
    NOW,
    START,
    Bus,
    end,
    frame_label_of,
    heartbeat,
    label_of,
    passage,
    policy,
    promise,
    traffic,
)

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def closed_day(**changes: object) -> Bus:
    """Two vehicles at noon, both called cars, the first labelled in time; the day has closed."""
    bus = Bus(policy(**changes))
    bus.observe(
        [*passage("north", 0, START + 12 * HOUR, ["car"] * 3), *passage("north", 3, START + 13 * HOUR, ["car"] * 3)], 0
    )
    bus.label(label_of("north", 0, "car", START + 12 * HOUR), 0, NOW - timedelta(seconds=1))
    bus.observe([heartbeat("north", 6, START + DAY + HOUR)], 1)
    return bus


def late(bus: Bus, label: Label, offset: int = 1, after: timedelta = 2 * MINUTE) -> None:
    """A label that is logged some time after the day closed."""
    bus.label(label, offset, NOW + after)


def done(bus: Bus, offset: int = 9) -> None:
    """The source says that it has sent what it has."""
    bus.label(Label("done", "north", None, None, None, "test", 1.0, START + DAY, None), offset, NOW + HOUR)


def revisions(bus: Bus) -> list[tuple[int, float | None, int]]:
    """Each report's revision, accuracy, and how many vehicles it rests on."""
    reports = [record for record in bus.of(DayReport) if isinstance(record, DayReport)]
    return [(report.revision, report.scores.accuracy, report.scores.labelled) for report in reports]


def test_a_late_label_makes_a_revision() -> None:
    """Once its source is done, or a minute of the log has passed."""
    bus = closed_day()
    late(bus, label_of("north", 3, "truck", START + 20 * HOUR))
    assert revisions(bus) == [(1, 1.0, 1)]
    done(bus)
    assert revisions(bus) == [(1, 1.0, 1), (2, 0.5, 2)]


def test_a_revision_says_what_it_changes() -> None:
    bus = closed_day()
    late(bus, label_of("north", 3, "truck", START + 20 * HOUR))
    done(bus)
    first, second = [record for record in bus.of(DayReport) if isinstance(record, DayReport)]
    assert first.changes == ()
    assert any("2" in change and "50" in change for change in second.changes)
    assert second.labels["late"] == 1


@pytest.mark.parametrize("kind", ["frames", "labels"])
def test_a_later_label_brings_the_revision_as_well(kind: str) -> None:
    """Nobody has to say that he is done; frames bring none, for they may be read before the labels."""
    bus = closed_day()
    late(bus, label_of("north", 3, "truck", START + 20 * HOUR))
    if kind == "frames":
        bus.observe([heartbeat("north", 7, START + DAY + 2 * HOUR)], 2, NOW + 4 * MINUTE)
    else:
        late(bus, promise("north", START + DAY), 2, 4 * MINUTE)
    assert [revision for revision, _, _ in revisions(bus)] == ([1] if kind == "frames" else [1, 2])


@pytest.mark.parametrize("what", ["repeated", "corrected", "withdrawn", "unseen"])
def test_what_becomes_of_late_labels(what: str) -> None:
    """One that comes again changes nothing; a correction and a withdrawal do; one for nothing is left out."""
    bus, word = closed_day(), label_of("north", 0, "car", START + 12 * HOUR)
    newer = replace(word, label_id="newer", labelled_at=START + 15 * HOUR)
    labels = {
        "repeated": word,
        "corrected": replace(newer, label="truck"),
        "withdrawn": replace(newer, label=None),
        "unseen": label_of("north", 77, "car", START + 12 * HOUR),
    }
    late(bus, labels[what])
    done(bus)
    expected = {"repeated": [], "corrected": [(2, 0.0, 1)], "withdrawn": [(2, None, 0)], "unseen": []}
    assert revisions(bus) == [(1, 1.0, 1), *expected[what]]


def test_a_label_after_the_horizon_is_counted_and_left_out() -> None:
    """Two days of the log after the day has closed, where one is allowed."""
    bus = closed_day(label_horizon=DAY)
    late(bus, label_of("north", 3, "truck", START + 20 * HOUR), after=2 * DAY)
    bus.label(Label("done", "north", None, None, None, "test", 1.0, START + DAY, None), 9, NOW + 3 * DAY)
    assert revisions(bus) == [(1, 1.0, 1)]
    assert bus.counts["forgotten_labels"] == 1


def test_what_no_label_can_change_is_forgotten() -> None:
    """Its chunks, and what was told of it, are deleted one record later."""
    bus = closed_day(label_horizon=DAY)
    bus.observe([heartbeat("north", 64, START + DAY + 2 * HOUR)], 2, NOW + HOUR)
    assert {"north:e:0", "north:told:2026-03-02"} <= bus.values.keys()
    for i in range(2, 4):  # the second closes the day before it, whose chunks reach back for vehicles under way
        bus.observe([heartbeat("north", 64 * i, START + i * DAY + 2 * HOUR)], 1 + i, NOW + (1 + 2 * i) * DAY)
    bus.observe([heartbeat("north", 193, START + 3 * DAY + 3 * HOUR)], 9, NOW + 9 * DAY)
    assert not {"north:e:0", "north:told:2026-03-02"} & bus.values.keys()


def test_late_labels_of_one_minute_make_one_revision() -> None:
    """Ten of them."""
    bus = Bus(policy())
    bus.observe([p for i in range(10) for p in passage("north", 3 * i, START + (1 + i) * HOUR, ["car"] * 3)], 0)
    bus.observe([heartbeat("north", 30, START + DAY + HOUR), end("north", 31, START + DAY + 2 * HOUR)], 1)
    for i in range(10):
        late(bus, label_of("north", 3 * i, "car", START + 20 * HOUR), i, timedelta(seconds=i))
    done(bus, 10)
    assert len([day for day in bus.of(CameraDay) if isinstance(day, CameraDay) and day.revision > 1]) == 1


# What is kept of a day that was told


Logged = tuple[datetime, Label | list[Prediction]]


def restless(seed: int) -> Iterator[Logged]:
    """Two days whose labels come late, twice, from two sources, with weights, of frames too, and are taken back."""
    rng, stream = random.Random(seed), traffic("north", 2, seed, every=12 * MINUTE)
    for i in range(0, len(stream.predictions), 30):
        batch = stream.predictions[i : i + 30]
        yield batch[-1].captured_at + MINUTE, batch
    words = [label for label in stream.labels if label.label]
    words += [frame_label_of("north", frame.sequence, "car", frame.captured_at) for frame in stream.predictions[::9]]
    for word in words:
        at = word.labelled_at
        for number in range(rng.choice((0, 1, 1, 2))):
            at += rng.random() * rng.choice((MINUTE, 20 * HOUR, 2 * DAY))
            said, source = rng.choice(("car", "truck", word.label, None)), rng.choice(("ann", "bob"))
            changes = {"label": said, "source": source, "weight": rng.choice((1.0, 1.0, 3.5))}
            yield at, replace(word, label_id=f"{word.label_id} {number}", labelled_at=at, **changes)  # type: ignore[arg-type]


def told_days(seed: int, *, forgets: bool) -> list[CameraDay]:
    """Each camera-day that such a stream makes; a monitor that forgets keeps nothing of what it told."""
    bus = Bus(policy(revise_every=HOUR))
    for offset, (at, what) in enumerate(sorted(restless(seed), key=lambda logged: logged[0])):
        if isinstance(what, Label):
            bus.label(what, offset, at)
        else:
            bus.observe(what, offset, at)
        for key in [key for key in bus.values if ":told:" in key] if forgets else ():
            del bus.values[key]
    return bus.closed()


@pytest.mark.parametrize("seed", range(3))
def test_a_revision_says_what_a_walk_through_the_whole_day_says(seed: int) -> None:
    """To the byte, whichever chunks its labels touch."""
    kept, walked = (told_days(seed, forgets=forgets) for forgets in (False, True))
    assert kept == walked
    assert max(day.revision for day in kept) > 15


def test_a_revision_walks_only_what_its_labels_touch() -> None:
    """Chunks that nobody can read any more are not missed; without what was kept, they are."""
    bus = Bus(policy())
    bus.observe([p for i in range(80) for p in passage("north", 3 * i, START + i * 10 * MINUTE, ["car"] * 3)], 0)
    bus.observe([heartbeat("north", 240, START + DAY + HOUR)], 1)
    bus.values["north:e:0"] = b"torn"
    late(bus, label_of("north", 150, "truck", START + 20 * HOUR), 1)
    done(bus)
    assert [day.tally.labels for day in bus.closed()] == [0, 1]


@pytest.mark.parametrize("what", ["a kill", "another version"])
def test_what_was_kept_is_not_believed_blindly(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill may leave that of the revision that comes again; another version's is unknown: the day is walked."""
    bus = closed_day()
    late(bus, label_of("north", 3, "truck", START + 20 * HOUR))
    before = dict(bus.values)
    done(bus)
    if what == "a kill":
        bus.values = before | {key: data for key, data in bus.values.items() if ":told:" in key}
    else:
        bus.values = before
        monkeypatch.setattr(told, "SHAPE", told.SHAPE + 1)
    done(bus)
    first, second, again = bus.closed()
    assert (first.revision, second.tally.labels, again) == (1, 2, second)


def test_what_is_too_large_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The changelog would not take it."""
    monkeypatch.setattr(told, "LARGEST", 100)
    bus = closed_day()
    late(bus, label_of("north", 3, "truck", START + 20 * HOUR))
    done(bus)
    assert told.decoded(bus.values["north:told:2026-03-02"]) is None
    assert revisions(bus) == [(1, 1.0, 1), (2, 0.5, 2)]
