"""What is wrong with a camera's stream and pictures, frame by frame."""

import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from monitor.integrity import COLUMNS, ROWS, SETTLE, Integrity, Pace, Seen, View
from schemas.records import Finding
from schemas.times import from_us, to_us

START = datetime(2026, 3, 2, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
FAULT = START + 2 * DAY + 10 * HOUR, START + 2 * DAY + 15 * HOUR
"When the faults of pictures begin and end."


def scene(seed: int) -> np.ndarray:
    """A view, 9×16, of mean 0 and deviation 1: broad shapes, no noise."""
    small = np.random.default_rng(seed).normal(size=(4, 6))
    rows, columns = np.linspace(0, 3, ROWS), np.linspace(0, 5, COLUMNS)
    wide = np.array([np.interp(columns, range(6), row) for row in small])
    full = np.array([np.interp(rows, range(4), column) for column in wide.T]).T
    return (full - full.mean()) / full.std()


ROAD = scene(1)


def picture(number: int, at: datetime, view: np.ndarray = ROAD, kind: str = "heartbeat") -> Seen:
    """A whole picture: bright and sharp by day, dark and grainy by night, each with its own noise."""
    rng, night = np.random.default_rng([7, number]), not 6 <= at.hour < 20
    light = 16.0 if night else 120.0 + 10 * math.sin(at.hour) + rng.normal(0, 2)
    contrast = (11.0 if night else 30.0) * (1 + rng.normal(0, 0.03))
    sketch = np.clip(light + 0.7 * contrast * view + rng.normal(0, 0.5, view.shape), 0, 255).astype(np.uint8)
    return Seen(
        frame_id=f"gate:e:{number}",
        kind=kind,  # type: ignore[arg-type]
        epoch="e",
        sequence=number,
        at_us=to_us(at),
        brightness=light,
        contrast=contrast,
        sharpness=150.0 if night else 1.4 * contrast**2 * (1 + rng.normal(0, 0.03)),
        noise=7.0 if night else 2.0,
        sketch=sketch.tobytes(),
        width=640,
        height=360,
        label=None,
        probabilities={},
        model_version="v1",
    )


def pictures(days: float, every: timedelta = 10 * MINUTE, start: datetime = START) -> list[Seen]:
    """Days of heartbeats; each ninth shows a vehicle."""
    count = int(timedelta(days=days) / every)
    return [
        with_vehicle(picture(n, start + n * every)) if n % 9 == 4 else picture(n, start + n * every)
        for n in range(count)
    ]


def with_vehicle(seen: Seen) -> Seen:
    """A lorry in the middle."""
    return covered(seen, slice(3, 7), slice(5, 11), 40)


def covered(seen: Seen, rows: slice, columns: slice, luma: int) -> Seen:
    """Something before the view."""
    sketch = np.frombuffer(seen.sketch, np.uint8).reshape(ROWS, COLUMNS).copy()
    sketch[rows, columns] = luma
    return replace(seen, sketch=sketch.tobytes())


def crop(number: int, at: datetime = START, **changes: object) -> Seen:
    """A vehicle's crop."""
    known = replace(
        picture(number, at), kind="vehicle", sketch=b"", label="car", probabilities={"car": 0.9, "truck": 0.1}
    )
    return replace(known, **changes)  # type: ignore[arg-type]


def run(frames: Iterable[Seen], known: Integrity | None = None) -> list[Finding]:
    """What is found in a stream."""
    integrity = known or Integrity.fresh()
    return [finding for frame in frames for finding in integrity.see("gate", frame)]


def restored(frames: Iterable[Seen]) -> list[Finding]:
    """Likewise, taken down to JSON and up again after each frame."""
    integrity, found = Integrity.fresh(), []
    for frame in frames:
        integrity = Integrity.restore(json.loads(json.dumps(integrity.snapshot())))
        found += integrity.see("gate", frame)
    return found


def signals(findings: Iterable[Finding]) -> list[str]:
    """`black` where it begins, `black/` where it is over."""
    return [finding.signal + ("/" if finding.until else "") for finding in findings]


# Whole pictures

Fault = Callable[[Seen], Seen]


def black(seen: Seen) -> Seen:
    """No light."""
    return replace(seen, brightness=1.0 + seen.sequence % 2, contrast=0.5, sharpness=2.0, sketch=bytes(144))


def white(seen: Seen) -> Seen:
    """Too much of it."""
    return replace(seen, brightness=249.0, contrast=9.0, sharpness=40.0 + seen.sequence % 2, sketch=b"\xfe" * 144)


def frozen(seen: Seen) -> Seen:
    """One picture again and again."""
    return replace(picture(1, FAULT[0]), frame_id=seen.frame_id, sequence=seen.sequence, at_us=seen.at_us)


def blurred(seen: Seen) -> Seen:
    """Edges are gone, and a little of the contrast."""
    return replace(seen, contrast=0.85 * seen.contrast, sharpness=0.15 * seen.sharpness)


def turned(seen: Seen) -> Seen:
    """The same, of elsewhere."""
    return picture(seen.sequence, from_us(seen.at_us), scene(2))


def knocked(seen: Seen) -> Seen:
    """The same scene, two columns and a row further."""
    return picture(seen.sequence, from_us(seen.at_us), np.roll(ROAD, (1, 2), axis=(0, 1)))


def small(seen: Seen) -> Seen:
    """A quarter of the pixels."""
    return replace(seen, width=320, height=180)


def fog(seen: Seen) -> Seen:
    """Half of the contrast, far things gone: the view is another, and edges are washed out."""
    far = np.where(np.arange(ROWS)[:, None] < 5, 1.6, ROAD)
    veiled = picture(seen.sequence, from_us(seen.at_us), far)
    return replace(
        veiled, brightness=1.2 * seen.brightness, contrast=0.6 * seen.contrast, sharpness=0.2 * seen.sharpness
    )


def dusk(seen: Seen) -> Seen:
    """Half as bright as usual."""
    levels = {"brightness": 0.5 * seen.brightness, "contrast": 0.5 * seen.contrast, "sharpness": 0.25 * seen.sharpness}
    return replace(seen, sketch=bytes(cell // 2 for cell in seen.sketch), **levels)


def leaf(seen: Seen) -> Seen:
    """Something covers the left third."""
    return covered(seen, slice(0, ROWS), slice(0, 5), 30)


def grain(seen: Seen) -> Seen:
    """Noise looks sharp."""
    return replace(seen, noise=20.0, sharpness=1.8 * seen.sharpness)


FOUND: dict[str, Fault] = {
    "black": black,
    "blown-out": white,
    "frozen": frozen,
    "blurred": blurred,
    "moved": turned,
    "size": small,
}
UNFOUND: tuple[Fault, ...] = (fog, dusk, leaf, grain)


def during(
    fault: Fault, frames: Iterable[Seen], begins: datetime = FAULT[0], ends: datetime = FAULT[1]
) -> Iterator[Seen]:
    """A stream with a fault in it for a time."""
    for seen in frames:
        yield fault(seen) if to_us(begins) <= seen.at_us < to_us(ends) else seen


def test_quiet_days_give_nothing() -> None:
    """Nights, vehicles, and noise."""
    assert run(pictures(days=8)) == []


@pytest.mark.parametrize(("signal", "fault"), FOUND.items())
def test_a_fault_of_pictures_is_found_once_and_over_once(signal: str, fault: Fault) -> None:
    """Under one id, since its first picture, until the first sound one; with a frame that shows it."""
    begun, over = run(during(fault, pictures(days=4)))
    assert (begun.signal, begun.finding_id, begun.until) == (signal, over.finding_id, None)
    assert (begun.since, over.until) == FAULT
    assert begun.found_at - begun.since <= 50 * MINUTE
    assert begun.example
    assert begun.note


@pytest.mark.parametrize("fault", UNFOUND)
def test_what_is_no_fault_of_the_camera_gives_nothing(fault: Fault) -> None:
    """Weather, light, and what hangs before a part of the view are for the signals of the pictures."""
    assert run(during(fault, pictures(days=4))) == []


def test_a_knocked_camera_is_seen_by_the_shift_of_its_view() -> None:
    """The note says how much more like the usual view it is when it is shifted."""
    begun, _ = run(during(knocked, pictures(days=4)))
    assert begun.signal == "moved"
    assert "when it is shifted" in begun.note


@pytest.mark.parametrize("fault", FOUND.values())
def test_one_bad_picture_is_no_trouble(fault: Fault) -> None:
    """Nor are two, a while apart."""
    at = FAULT[0]
    once = during(fault, during(fault, pictures(days=4), at, at + 10 * MINUTE), at + HOUR, at + HOUR + 10 * MINUTE)
    assert run(once) == []


@pytest.mark.parametrize("signal", ["black", "blown-out", "blurred", "moved", "size"])
def test_a_trouble_does_not_flap(signal: str) -> None:
    """A single sound picture does not end it."""
    at = FAULT[0] + 2 * HOUR
    halves = during(FOUND[signal], during(FOUND[signal], pictures(days=3), FAULT[0], at), at + 10 * MINUTE, FAULT[1])
    assert signals(run(halves)) == [signal, f"{signal}/"]


def test_a_new_view_is_taken_for_usual_after_a_day() -> None:
    """The finding says so; afterwards the new view is quiet, and turning back is a move that lasts a day again."""
    found = run(during(turned, pictures(days=8), ends=FAULT[0] + 3 * DAY))
    assert signals(found) == ["moved", "moved/", "moved", "moved/"]
    assert found[1].until == FAULT[0] + DAY
    assert found[1].note.endswith("taken for usual from now on")
    assert found[2].since == FAULT[0] + 3 * DAY


def test_a_new_size_is_taken_for_usual_after_a_day() -> None:
    """Likewise."""
    found = run(during(small, pictures(days=5), ends=START + 9 * DAY))
    assert signals(found) == ["size", "size/"]
    assert found[0].note == "whole pictures of 640×360 have become 320×180"


def test_a_night_that_is_always_black_is_told_once() -> None:
    """On the first one nobody knows; an unlit road is no covered lens."""
    frames = pictures(days=5, start=START + 12 * HOUR)
    dark = [black(seen) if not 6 <= from_us(seen.at_us).hour < 20 else seen for seen in frames]
    assert signals(run(dark)) == ["black", "black/"]


def test_pictures_of_an_older_processor_are_not_compared() -> None:
    """Without sketches there is no view and no stillness."""
    same = [replace(frozen(seen), sketch=b"") for seen in pictures(days=3)]
    assert run(same) == []


def test_a_view_follows_its_scene_and_forgets_vehicles() -> None:
    """One grey level a picture: a running median."""
    view, road, lorry = View(), picture(1, START + 12 * HOUR), with_vehicle(picture(2, START + 12 * HOUR))
    view.learn(0, road.sketch, None)
    for seen in [lorry, *[road] * 3]:
        view.learn(0, seen.sketch, view.likeness(seen.sketch))
    likeness = view.likeness(road.sketch)
    assert likeness
    assert likeness.match > 0.99


# The stream

ORDERS: tuple[tuple[list[int], list[str]], ...] = (
    ([*range(100)], []),
    ([*range(20), *range(34, 60)], ["gap: 14 frames missing between 19 and 34"]),
    ([0, *range(2, 30)], ["gap: 1 frame missing between 0 and 2"]),
    ([*range(10), 12, *range(14, 40)], ["gap: 2 frames missing between 9 and 12"]),
    ([1, 0, *range(2, 20)], ["repeat: frame 0 came again after 1"]),
    ([0, 2, 1, *range(3, 20)], ["disorder: frame 1 came after 2"]),
    ([0, *range(2, 2 + SETTLE), 1, *range(2 + SETTLE, 30)], [f"disorder: frame 1 came after {1 + SETTLE}"]),
    ([*range(20), 19, *range(20, 30)], ["repeat: frame 19 came again after 19"]),
    ([*range(20), *range(20)], ["repeat: frame 0 came again after 19"]),
    ([5, *range(6, 20)], []),
)


@pytest.mark.parametrize(("numbers", "expected"), ORDERS)
def test_numbers_of_frames_tell_what_is_missing(numbers: list[int], expected: list[str]) -> None:
    """Once for each kind of trouble; late is neither missing nor repeated; nobody knows where the first epoch began."""
    found = run(crop(number, START + place * timedelta(seconds=1)) for place, number in enumerate(numbers))
    assert [f"{finding.signal}: {finding.note}" for finding in found if not finding.until] == expected


def test_a_bad_hour_is_one_finding() -> None:
    """Every third frame is lost for two hours; when none was lost for an hour, it says how many were lost in all."""
    numbers = [n for n in range(600) if n > 240 or n % 3]
    begun, over = run(crop(number, START + number * timedelta(seconds=30)) for number in numbers)
    assert (begun.signal, begun.samples, begun.example) == ("gap", 1, "gate:e:4")
    assert (over.finding_id, over.samples) == (begun.finding_id, 80)
    assert over.note.endswith("in all 80 frames")
    assert over.until
    assert 2 * HOUR < over.until - START < 2 * HOUR + 5 * MINUTE


def test_a_gap_at_the_end_is_told_with_it() -> None:
    """No more frames will come to wait for."""
    found = run([crop(0), crop(1), replace(crop(4), kind="end")])
    assert [finding.note for finding in found] == ["2 frames missing between 1 and 4"]


@pytest.mark.parametrize(("first", "expected"), [(0, []), (3, ["3 frames missing before 3"])])
def test_an_epoch_counts_from_zero(first: int, expected: list[str]) -> None:
    """A new run of frames is no disorder, and both may overlap for a moment."""
    old, new = (
        [crop(n) for n in range(20)],
        [replace(crop(n), epoch="f", frame_id=f"gate:f:{n}") for n in range(first, 20)],
    )
    found = run([*old[:10], new[0], *old[10:], *new[1:]])
    assert [finding.note for finding in found] == expected


def test_repeated_pictures_are_not_frozen() -> None:
    """They are the same frames."""
    frames = pictures(days=1)
    assert signals(run([*frames, *frames[-9:]])) == ["repeat"]


def without(frames: Iterable[Seen], begins: datetime, ends: datetime) -> list[Seen]:
    """A stream that pauses, its numbers without a gap."""
    kept = [seen for seen in frames if not to_us(begins) <= seen.at_us < to_us(ends)]
    return [replace(seen, sequence=n, frame_id=f"gate:e:{n}") for n, seen in enumerate(kept)]


def test_a_pause_is_told_when_it_is_over() -> None:
    """By one finding, which is over as it is found."""
    (found,) = run(without(pictures(days=3, every=MINUTE * 5), *FAULT))
    assert (found.signal, found.since, found.until, found.found_at) == (
        "stalled",
        FAULT[0] - 5 * MINUTE,
        FAULT[1],
        FAULT[1],
    )
    assert found.note == "no frame came for 5.1 h; one each 5 min is usual"


def test_an_end_is_no_stall() -> None:
    """Whatever comes next begins anew."""
    frames = without(pictures(days=3), *FAULT)
    last = max(n for n, seen in enumerate(frames) if seen.at_us < to_us(FAULT[0]))
    frames[last] = replace(frames[last], kind="end")
    assert run(frames) == []


def test_a_quiet_night_after_a_busy_day_is_neither_a_stall_nor_a_new_pace() -> None:
    """A camera may send a heartbeat each minute by day and each ten minutes by night."""
    frames = [
        seen for seen in pictures(days=5, every=MINUTE) if 6 <= from_us(seen.at_us).hour < 23 or seen.sequence % 10 == 0
    ]
    assert run(replace(seen, sequence=n) for n, seen in enumerate(frames)) == []


@pytest.mark.parametrize("every", [MINUTE, 10 * MINUTE])
def test_a_new_pace_is_told_and_taken_for_usual_after_a_day(every: timedelta) -> None:
    """Twice as often, or half as often: once."""
    before, after = pictures(days=2, every=every * 2), pictures(days=3, every=every, start=START + 2 * DAY)
    frames = (
        [*before, *after]
        if every == MINUTE
        else [*pictures(days=2, every=every), *pictures(3, 2 * every, START + 2 * DAY)]
    )
    found = run(replace(seen, sequence=n) for n, seen in enumerate(frames))
    assert signals(found) == ["rate", "rate/"]
    assert found[1].note.endswith("taken for usual from now on")


def test_a_pace_weighs_intervals_by_the_time_that_they_cover() -> None:
    """A hundred seconds in hundred pieces are as much as in one."""
    pace = Pace(0)
    for seconds in [1] * 100 + [100]:
        pace.learn(seconds * 1_000_000)
    assert pace.usual_s(0.4) == pytest.approx(1, rel=0.05)
    assert pace.usual_s(0.6) == pytest.approx(100, rel=0.05)


def hazed(seen: Seen) -> Seen:
    """Half the contrast, a sixth of the edges, and a glow instead of the view."""
    glow = np.clip(seen.brightness + 8 * scene(5), 0, 255).astype(np.uint8)
    return replace(seen, contrast=seen.contrast / 2, sharpness=seen.sharpness / 6, sketch=glow.tobytes())


def test_a_camera_that_was_learned_in_haze_was_not_moved_when_it_lifts() -> None:
    """What is usual is learned anew, so that a knock is found two days later."""
    frames = [hazed(seen) if seen.at_us < to_us(START + 3 * DAY) else seen for seen in pictures(days=5)]
    knocked = [picture(len(frames) + n, START + 5 * DAY + 9 * HOUR + n * 10 * MINUTE, scene(9)) for n in range(12)]
    integrity = Integrity.fresh()
    assert run(frames, integrity) == []
    assert "moved" in signals(run(knocked, integrity))


def shifted(frames: Iterable[Seen], by: timedelta, since: datetime, until: datetime) -> list[Seen]:
    """The same by a clock that was wrong for a while."""
    span, (first, last) = to_us(START + by) - to_us(START), (to_us(since), to_us(until))
    return [replace(seen, at_us=seen.at_us + span) if first <= seen.at_us < last else seen for seen in frames]


def test_a_clock_that_steps_back_is_wrong_until_it_steps_forward_again() -> None:
    """The pause that this makes is no stall."""
    frames = shifted(pictures(days=3, every=MINUTE), -HOUR, *FAULT)
    for found in (run(frames), restored(frames)):
        assert signals(found) == ["clock", "clock/"]
        assert (found[0].note, found[0].after) == ("the camera's time stepped back by 59 min", -3540)
        assert found[1].note.endswith("; it stepped forward by 61 min")
        assert found[1].until == FAULT[1]


def test_a_clock_that_stepped_back_and_stays_is_believed_after_a_day() -> None:
    """Nobody will set it; what is late by it is no fault any more."""
    found = run(shifted(pictures(days=5, every=MINUTE), -HOUR, FAULT[0], START + 9 * DAY))
    begun, over = (finding for finding in found if finding.signal == "clock")
    assert begun.until is None
    assert over.until is not None
    assert DAY - HOUR <= over.until - over.since <= DAY + HOUR


def test_a_camera_stalls_although_its_clock_is_wrong() -> None:
    """A pause of any other length is one."""
    frames = shifted(pictures(days=3, every=MINUTE), -HOUR, *FAULT)
    hole = FAULT[0] + 1 * HOUR, FAULT[0] + 3 * HOUR
    kept = [seen for seen in frames if not to_us(hole[0]) <= seen.at_us < to_us(hole[1])]
    found = run(replace(seen, sequence=n) for n, seen in enumerate(kept))
    assert signals(found) == ["clock", "stalled/", "clock/"]


def test_frames_from_the_future_are_the_clocks_fault_and_not_missing() -> None:
    """Their numbers are known, their times are not believed."""
    integrity, frames = Integrity.fresh(), pictures(days=3, every=MINUTE)
    found = run(frames[:2000], integrity)
    for seen in frames[2000:2300]:
        found += integrity.refused("gate", seen.frame_id, seen.at_us + 10**10, seen.at_us, goes_on=True)
    found += run(frames[2300:], integrity)
    assert signals(found) == ["clock", "clock/"]
    assert (found[0].found_at, found[0].note) == (
        from_us(frames[1999].at_us),
        "frames are 2.8 h ahead of when they were logged",
    )
    assert found[1].samples == 300


BROKEN: tuple[tuple[dict[str, object], str], ...] = (
    ({"brightness": math.nan}, "brightness nan"),
    ({"brightness": 256.0}, "brightness 256"),
    ({"contrast": -1.0}, "contrast -1"),
    ({"sharpness": math.inf}, "sharpness inf"),
    ({"noise": -0.1}, "noise -0.1"),
    ({"width": 0}, "0×360"),
    ({"sketch": b"1"}, "sketch of 1 bytes"),
    ({"probabilities": {"car": 0.9, "truck": 0.3}}, "sum to 1.2"),
    ({"probabilities": {"car": math.nan, "truck": 0.1}}, "sum to nan"),
    ({"probabilities": {"car": 1.5, "truck": -0.5}}, "the least -0.5"),
)


@pytest.mark.parametrize(("change", "expected"), BROKEN)
def test_figures_that_cannot_be_are_told_once(change: dict[str, object], expected: str) -> None:
    """However many frames have them; the state stays plain JSON."""
    integrity = Integrity.fresh()
    frames = [
        crop(n, START + n * MINUTE, **change) if 20 <= n < 40 else crop(n, START + n * MINUTE) for n in range(120)
    ]
    begun, over = run(frames, integrity)
    assert (begun.signal, over.samples) == ("values", 20)
    assert expected in begun.note
    json.dumps(integrity.snapshot(), allow_nan=False)


def test_a_broken_picture_teaches_nothing() -> None:
    """What is usual stays what it was."""
    frames = [replace(seen, brightness=math.nan) if seen.sequence % 2 else seen for seen in pictures(days=2)]
    assert {finding.signal for finding in run(frames)} == {"values"}


def test_a_class_that_a_model_never_had_is_told_and_another_models_is_not() -> None:
    """Each version has its own classes."""
    other = {"bus": 0.5, "car": 0.5}
    frames = [
        crop(0),
        crop(1, model_version="v2", label="bus", probabilities=other),
        crop(2),
        crop(3, label="bus", probabilities=other),
    ]
    (found,) = run([*frames, crop(4, label="bus", probabilities=other)])
    assert (found.signal, found.note, found.example) == ("labels", "model v1 had no class bus before", "gate:e:3")


# State


def eventful() -> list[Seen]:
    """Days with something of everything."""
    frames = [*during(turned, during(blurred, pictures(days=5)), FAULT[0] + DAY, FAULT[1] + DAY)]
    frames = [
        *during(black, during(small, frames, START + 5 * HOUR, START + 8 * HOUR), START + 12 * HOUR, START + 14 * HOUR)
    ]
    frames = without(frames, START + 35 * HOUR, START + 39 * HOUR)
    return [*frames[:100], frames[101], frames[100], *frames[105:300], frames[299], *frames[300:]]


def test_a_restored_state_continues_identically() -> None:
    """Taken down after each frame, it finds the same and knows the same."""
    steady = Integrity.fresh()
    found = run(eventful(), steady)
    assert {finding.signal for finding in found} == {
        "black",
        "size",
        "disorder",
        "gap",
        "repeat",
        "stalled",
        "blurred",
        "moved",
    }
    assert restored(eventful()) == found


def test_findings_have_ids_of_their_own_and_are_over_once() -> None:
    """Each is begun once and over once."""
    found = run(eventful())
    begun = [finding.finding_id for finding in found if not finding.until]
    over = [finding.finding_id for finding in found if finding.until]
    assert len(begun) == len(set(begun))
    assert len(over) == len(set(over))
    assert {*begun} - {*over} == set()


def test_a_state_is_small() -> None:
    """It is written with each record."""
    integrity = Integrity.fresh()
    run(pictures(days=8), integrity)
    assert len(json.dumps(integrity.snapshot(), separators=(",", ":"))) < 3000
