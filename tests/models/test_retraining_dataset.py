"""What a head is taught and tried on: no vehicle and no neighbour on both sides, three pictures counting as one vehicle."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from models.archive.examples import Example, ExampleFrame, Truth
from models.retraining.dataset import (
    HELD_SHARE,
    NEAR,
    WHOLE_DAYS,
    Old,
    Passed,
    Sides,
    Vehicle,
    apart,
    blocks_of,
    check_classes,
    lesson,
    sample,
    split,
    vehicle_of,
)
from models.retraining.forgetting import CHANCE, Tried, forgetting
from models.retraining.judging import Said, findings
from models.retraining.paired import difference
from models.retraining.ties import block_folds, vehicle_shares, votes
from models.retraining.trying import said_of, shown_picture, shown_vehicle
from models.training.data import LabelledPicture
from models.verdicts import Verdicts
from schemas.errors import ConfigurationError, PictureError

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
LABELS = ("car", "truck")


def a_picture(
    name: str = "a", label: str = "car", camera: str = "gate", side: int = 10, level: int = 100
) -> LabelledPicture:
    """Return a grey square."""
    return LabelledPicture(name, np.full((side, side, 3), level, np.uint8), label, camera, name)


def a_vehicle(number: int, at: datetime = NOON, camera: str = "gate", pictures: int = 1, label: str = "") -> Vehicle:
    """Return a labelled vehicle; cars and trucks in turn."""
    shown = tuple(a_picture(f"{camera}:{number}:{k}", label or LABELS[number % 2], camera) for k in range(pictures))
    return Vehicle(
        f"{camera}:e:p{number}", label or LABELS[number % 2], camera, at.date().isoformat(), at, {"light": "dim"}, shown
    )


def a_day(count: int, every: timedelta, camera: str = "gate", at: datetime = NOON) -> list[Vehicle]:
    """Return vehicles that pass one after the other."""
    return [a_vehicle(number, at + number * every, camera) for number in range(count)]


def days(count: int, vehicles: int) -> list[Vehicle]:
    """Return so many vehicles of each of two cameras on each day."""
    starts = [(day, camera) for day in range(count) for camera in ("gate", "bridge")]
    return [
        replace(vehicle, example_id=f"{camera}:{day}:p{number}")
        for day, camera in starts
        for number, vehicle in enumerate(a_day(vehicles, timedelta(minutes=7), camera, NOON + timedelta(days=day)))
    ]


def test_neighbours_in_time_share_a_block() -> None:
    """A gap of two minutes parts blocks; so does another camera."""
    ends = [NOON, NOON + NEAR / 2, NOON + 2 * NEAR, NOON + 2.5 * NEAR]
    blocks = list(blocks_of(a_vehicle(number, at) for number, at in enumerate(ends)).values())
    assert blocks[0] == blocks[1] != blocks[2] == blocks[3]
    assert blocks_of([a_vehicle(1), a_vehicle(1, camera="bridge")])["bridge:e:p1"] != blocks[0]


def test_a_block_without_a_gap_ends_after_half_an_hour() -> None:
    assert len(set(blocks_of(a_day(120, timedelta(minutes=1))).values())) == 4


def test_from_three_days_on_a_block_is_a_cameras_whole_day() -> None:
    assert set(Counter(blocks_of(days(3, 20)).values()).values()) == {20}


@pytest.mark.parametrize("vehicles", [days(1, 100), days(2, 60), days(3, 40), days(10, 30)])
def test_a_fifth_is_held_out_and_no_neighbour_of_it_is_taught(vehicles: list[Vehicle]) -> None:
    """About a fifth, whole blocks of it, and of each class at least half stays."""
    found = split(vehicles)
    assert {vehicle.example_id for vehicle in found.taught}.isdisjoint(v.example_id for v in found.held_out)
    assert {found.blocks[v.example_id] for v in found.taught}.isdisjoint(
        found.blocks[v.example_id] for v in found.held_out
    )
    assert len(found.taught) + len(found.held_out) == len(vehicles)
    assert 0.5 * HELD_SHARE <= len(found.held_out) / len(vehicles) <= 1.6 * HELD_SHARE
    taught, everything = (Counter(vehicle.label for vehicle in part) for part in (found.taught, vehicles))
    assert all(taught[label] >= everything[label] / 2 for label in LABELS)


def test_of_few_vehicles_all_are_taught() -> None:
    assert split(days(2, 10)).held_out == ()


def test_the_split_does_not_depend_on_the_order() -> None:
    vehicles = days(2, 60)
    assert split(vehicles) == split(vehicles[::-1])


def test_a_neighbour_of_what_was_held_out_before_is_held_out_too() -> None:
    """Else what a later retraining is tried on would have a neighbour among what this one is taught."""
    before = a_vehicle(1000, NOON + timedelta(seconds=30))
    vehicles = a_day(30, timedelta(minutes=5))
    found = split(vehicles, Sides(held_out=(before.passed,)))
    assert [vehicle.example_id for vehicle in found.held_out] == ["gate:e:p0"]


def test_a_neighbour_of_what_was_taught_before_is_taught_too() -> None:
    """Whatever its block's name would say."""
    vehicles = a_day(100, timedelta(minutes=7))
    drawn = split(vehicles).held_out
    assert drawn
    near = tuple(replace(v.passed, example_id=f"{v.example_id}0", at=v.at + NEAR / 2) for v in drawn)
    assert {v.example_id for v in split(vehicles, Sides(taught=near)).held_out}.isdisjoint(v.example_id for v in drawn)


def test_a_vehicle_that_was_taught_is_never_held_out() -> None:
    """Corrected labels, and those of a day that are learnt again."""
    vehicles = a_day(100, timedelta(minutes=7))
    assert split(vehicles, Sides(taught=tuple(v.passed for v in vehicles))).held_out == ()


def test_days_are_counted_over_the_whole_lineage() -> None:
    """A new label of a camera's day that is held out is held out, though this round has one day."""
    before = [v.passed for v in days(3, 2)]
    held = tuple(v for v in before if (v.camera_id, v.day) == ("gate", "2026-11-24"))
    late = a_day(40, timedelta(minutes=3), "gate", NOON + timedelta(days=1, hours=6))
    found = split(late, Sides(tuple(v for v in before if v not in held), held))
    assert (len(found.taught), len(found.held_out)) == (0, 40)


def test_what_is_near_to_both_sides_is_on_neither() -> None:
    """A minute after one that was taught, and a minute before one that was held out."""
    taught, held = (a_vehicle(number, NOON + number * NEAR / 2).passed for number in (0, 2))
    found = split([a_vehicle(1, NOON + NEAR / 2), a_vehicle(9, NOON + 9 * NEAR)], Sides((taught,), (held,)))
    assert [v.example_id for v in found.between] == ["gate:e:p1"]
    assert [v.example_id for v in found.taught] == ["gate:e:p9"]


def test_a_cameras_day_that_was_parted_by_minutes_is_taught_once_blocks_are_days() -> None:
    """But for the neighbours of what is held out in it."""
    taught, held = (a_vehicle(k, NOON + timedelta(hours=6 * k)).passed for k in (0, 1))
    others = tuple(a_vehicle(10 + day, NOON + timedelta(days=day)).passed for day in (1, 2))
    late = [a_vehicle(20 + k, NOON + timedelta(hours=5, minutes=k)) for k in (0, 59)]
    found = split(late, Sides((taught, *others), (held,)))
    assert [len(side) for side in (found.taught, found.held_out, found.between)] == [1, 0, 1]


def a_round(rng: np.random.Generator, number: int, newest: int, dense: bool) -> list[Vehicle]:
    """Return vehicles of some cameras on some days up to the newest, at any time of day, some of them at midnight."""
    seconds = 4 * 3600 if dense else 24 * 3600
    start = NOON.replace(hour=22 if dense else 0)
    return [
        replace(a_vehicle(k), example_id=f"{camera}:{number}:p{k}", camera_id=camera, at=at, day=at.date().isoformat())
        for k in range(int(rng.integers(5, 150)))
        for camera in [("gate", "bridge", "quarry")[int(rng.integers(3))]]
        for day in [int(rng.integers(max(0, newest - 2), newest + 1))]
        for at in [start + timedelta(days=day, seconds=int(rng.integers(seconds)))]
    ]


def neighbours(some: set[Passed], others: set[Passed]) -> list[Passed]:
    """Return those of `some` that are within two minutes of one of `others`, compared one by one."""
    return [a for a in some if any(a.camera_id == b.camera_id and abs(a.at - b.at) < NEAR for b in others)]


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_ever_on_both_sides_in_any_rounds_of_a_lineage(seed: int) -> None:
    """No vehicle, no neighbour, and no camera's day that came when days were blocks; whatever comes in whatever order."""
    rng = np.random.default_rng(seed)
    taught: set[Passed] = set()
    held: set[Passed] = set()
    days_on_both: set[tuple[str, str]] = set()
    for number in range(8):
        again = [
            replace(a_vehicle(k), example_id=p.example_id, camera_id=p.camera_id, at=p.at, day=p.day)
            for k, p in enumerate(sorted(taught, key=lambda p: p.example_id)[:: int(rng.integers(3, 9))])
        ]
        vehicles = [*a_round(rng, number, int(rng.integers(number // 2 + 1)), dense=seed % 2 == 0), *again]
        found = split(vehicles, Sides(tuple(taught), tuple(held)))
        assert len(found.taught) + len(found.held_out) + len(found.between) == len(vehicles)
        taught |= {v.passed for v in found.taught}
        held |= {v.passed for v in found.held_out}
        assert taught.isdisjoint(held)
        assert neighbours(taught, held) == []
        both = {(p.camera_id, p.day) for p in taught} & {(p.camera_id, p.day) for p in held}
        if len({p.day for p in taught | held}) < WHOLE_DAYS:
            days_on_both = both
        assert both == days_on_both
    assert held
    assert taught


def test_what_is_near_to_others_is_told_apart() -> None:
    """Of the same camera, on either side; two minutes are far enough."""
    others = [a_vehicle(0), a_vehicle(1, camera="bridge", at=NOON + 5 * NEAR)]
    vehicles = [a_vehicle(k, NOON + k * NEAR / 2) for k in (-2, -1, 1, 2, 10)]
    assert apart(vehicles, others) == (vehicles[0], vehicles[3], vehicles[4])


def test_a_vehicle_with_three_pictures_counts_once() -> None:
    new = split([a_vehicle(1, pictures=3), a_vehicle(2)])
    found = lesson(new, Old())
    assert found.ties.shares == pytest.approx([1 / 3, 1 / 3, 1 / 3, 1])
    assert found.replay_share == 0
    assert vehicle_shares(["a", "b", "a"]) == (0.5, 1, 0.5)


def test_old_vehicles_count_no_more_than_new_ones_and_simulated_ones_a_tenth() -> None:
    """Of ten new vehicles and two old ones, old ones have a sixth; of a thousand, four tenths."""
    new = split(a_day(10, timedelta(minutes=3)))
    few = lesson(new, Old((a_vehicle(50, pictures=2),), (a_picture("base"),), tuple(map(a_picture, "xyz"))))
    assert few.replay_share == pytest.approx(2 / 12 + 0.1)
    assert few.ties.shares[10:] == pytest.approx(
        [2 / 12 / 2 * 0.75, 2 / 12 / 2 * 0.25] * 2 + [0.1 / 3 * 0.75, 0.1 / 3 * 0.25] * 3
    )
    many = lesson(new, Old(base=tuple(map(a_picture, map(str, range(1000))))))
    assert many.replay_share == 0.4
    assert len(many.ties.vehicles) == len(many.pictures) + len(many.replay)


def test_an_old_vehicle_comes_with_its_largest_picture_and_a_changed_copy_of_it() -> None:
    old = replace(a_vehicle(50), pictures=(a_picture("far"), a_picture("near", side=40)))
    found = lesson(split(a_day(10, timedelta(minutes=3))), Old((old,)))
    assert [picture.name for picture in found.replay] == ["near", "near"]
    assert found.replay[0].image is old.pictures[1].image
    assert not np.array_equal(found.replay[1].image, found.replay[0].image)
    assert len(set(found.ties.vehicles[10:])) == len(set(found.ties.blocks[10:])) == 1


def test_parts_hold_whole_blocks_and_are_alike_in_size() -> None:
    blocks = [f"block {number // 7}" for number in range(100)]
    parts = block_folds(blocks, list(map(str, range(100))), 5, seed=1)
    assert {len(set(parts[k : k + 7].tolist())) for k in range(0, 98, 7)} == {1}
    assert max(Counter(parts.tolist()).values()) - min(Counter(parts.tolist()).values()) <= 7


def test_pictures_of_one_vehicle_are_in_one_part_where_all_are_of_one_block() -> None:
    parts = block_folds(["block"] * 20, [str(number // 2) for number in range(20)], 5, seed=1)
    assert len(set(parts.tolist())) == 5
    assert (parts[::2] == parts[1::2]).all()


def test_a_vehicles_pictures_vote_by_area() -> None:
    """Twice as wide, four times the weight."""
    pictures = [a_picture("a", side=20), a_picture("b", side=10), a_picture("c")]
    found = votes(["v", "v", "u"], pictures, np.array([[1.0, 0], [0, 1], [0.3, 0.7]]))
    np.testing.assert_allclose(found.probabilities, [[0.8, 0.2], [0.3, 0.7]])
    assert found.first.tolist() == [0, 2]


def an_example(frames: int = 2) -> Example:
    """Return an example whose second frame is damaged."""
    shown = tuple(
        ExampleFrame(f"gate:e:{k}", NOON, bytes([k]), 10, 10, 90, 40, 50, 2, "car", {"car": 0.9}) for k in range(frames)
    )
    return Example(
        "gate:e:p0", "gate", "2026-11-23", "lane", NOON, "car", 0.9, 0, "road-1", shown, None, {"light": "dim"}
    )


def decode(raw: bytes) -> np.ndarray:
    """Refuse all but the first frame."""
    if raw != b"\0":
        raise PictureError("undecodable", "torn")
    return np.zeros((10, 12, 3), np.uint8)


def test_a_picture_that_cannot_be_decoded_is_left_out_and_a_vehicle_without_any_too() -> None:
    found = vehicle_of(an_example(), "truck", decode)
    assert found is not None
    assert [(picture.name, picture.label, picture.scene) for picture in found.pictures] == [
        ("gate:e:0", "truck", "gate:e:p0")
    ]
    assert vehicle_of(replace(an_example(), frames=an_example().frames[1:]), "truck", decode) is None


def test_classes_that_the_model_does_not_have_are_refused_by_name() -> None:
    truths = [Truth(f"gate:e:p{k}", label, 1, NOON, ("me",)) for k, label in enumerate(("car", "bus", "bus", "tram"))]
    with pytest.raises(ConfigurationError) as refusal:
        check_classes(truths, LABELS)
    assert "2 are 'bus', such as that of gate:e:p1: the model knows car, truck" in str(refusal.value)
    assert "1 are 'tram'" in str(refusal.value)


def test_a_sample_takes_as_many_of_each_camera_and_changes_little() -> None:
    """One name more takes the place of one at most."""
    names = [f"gate:{k}" for k in range(90)] + [f"bridge:{k}" for k in range(10)]
    kind = lambda name: name.partition(":")[0]  # noqa: E731  # as the production code has it
    drawn = sample(names, 30, kind, 1)
    assert Counter(map(kind, drawn)) == {"gate": 20, "bridge": 10}
    assert len(set(drawn) - set(sample([*names, "gate:more"], 30, kind, 1))) <= 1


def test_the_interval_of_a_difference_holds_its_promise() -> None:
    """95 of 100, drawn 2,000 times from models that are alone right on 6 and 3 of 100 vehicles."""
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(2000):
        who = rng.choice(3, 120, p=[0.06, 0.03, 0.91])
        found = difference((who != 1).tolist(), (who != 0).tolist())
        held += found.low <= -0.03 <= found.high
    assert 0.93 <= held / 2000 <= 0.99


def tried(count: int, lost: int, won: int, camera: str) -> list[Tried]:
    """Return old vehicles of a camera, some of which one model alone is right on."""
    outcomes = [(True, False)] * lost + [(False, True)] * won + [(True, True)] * (count - lost - won)
    return [Tried((("camera", camera),), before, after) for before, after in outcomes]


def test_a_slice_that_falls_beyond_chance_is_forgotten_and_named() -> None:
    changes = forgetting([*tried(300, 2, 2, "gate"), *tried(100, 14, 0, "bridge")])
    assert [(change.slice, change.forgotten) for change in changes] == [
        (("all", ""), True),
        (("camera", "bridge"), True),
        (("camera", "gate"), False),
    ]
    assert "camera bridge: of 100 old vehicles the parent alone is right on 14, the candidate alone on 0, -14.0" in str(
        changes[1]
    )


@pytest.mark.parametrize(("count", "lost", "won"), [(100, 2, 0), (1000, 9, 0), (40, 3, 0), (500, 30, 29)])
def test_what_may_be_chance_or_is_within_the_margin_is_kept(count: int, lost: int, won: int) -> None:
    assert not any(change.forgotten for change in forgetting(tried(count, lost, won, "gate")))


def test_steps_that_are_each_within_the_margin_are_forgotten_together() -> None:
    """Twelve falls of .8 point: none is called, what they make since the first is, and says since whom."""
    right = [True] * 600
    for step in range(12):
        after = [*right[: 600 - 5 * (step + 1)], *([False] * 5 * (step + 1))]
        assert not any(
            change.forgotten for change in forgetting([Tried((), *pair) for pair in zip(right, after, strict=True)])
        )
        right = after
    changes = forgetting([Tried((), True, now) for now in right], chance=CHANCE / 2, before="road-1")
    found = findings(said(90, 95), 10, (0.5, 0.4), (), 2, changes)
    assert found.refusals == (
        "it has forgotten step by step all: of 600 old vehicles road-1 alone is right on 60, the candidate alone on 0,"
        f" -10.0 points ({changes[0].change.low * 100:+.1f} to {changes[0].change.high * 100:+.1f})",
    )


def test_slices_of_few_vehicles_are_not_looked_at_by_themselves() -> None:
    assert [change.slice for change in forgetting(tried(19, 19, 0, "gate"))] == [("all", "")]


def test_equally_good_heads_are_seldom_called_forgetful() -> None:
    """Ten slices, models that differ on a twentieth by chance alone: 50 of 1,000 at most."""
    rng = np.random.default_rng(6)
    called = 0
    for _ in range(300):
        who = rng.choice(3, 600, p=[0.025, 0.025, 0.95])
        slices = rng.integers(0, 10, 600)
        called += any(
            change.forgotten
            for change in forgetting(
                [Tried((("camera", str(s)),), w != 1, w != 0) for s, w in zip(slices, who, strict=True)]
            )
        )
    assert called / 300 <= 0.05


def said(before: int, after: int, count: int = 100) -> Said:
    """Return vehicles, cars and trucks in turn, of which so many are told rightly before and after."""
    truth = tuple(LABELS[k % 2] for k in range(count))
    return Said(truth, *(tuple(label if k < n else None for k, label in enumerate(truth)) for n in (before, after)))


@pytest.mark.parametrize(
    ("before", "after", "losses", "reason"),
    [
        (90, 80, (0.5, 0.4), "worse than its parent"),
        (90, 89, (0.5, 0.4), ""),
        (90, 90, (0.4, 0.4), "bring nothing"),
        (50, 60, (1.5, 0.7), "cannot be learnt"),
        (10, 95, (2.5, 0.4), "classes are swapped"),
        (40, 95, (2.5, 0.4), ""),
        (60, 95, (0.5, 0.4), ""),
    ],
)
def test_a_head_that_is_worse_or_no_better_is_not_worth_testing(
    before: int, after: int, losses: tuple[float, float], reason: str
) -> None:
    found = findings(said(before, after), 10, losses, (), 2)
    assert (found.before, found.after) == (before / 100, after / 100)
    assert reason in " ".join(found.refusals)
    assert bool(found.refusals) == bool(reason)


def by_level(images: list[np.ndarray]) -> Verdicts:
    """Call bright pictures trucks, and abstain from black ones."""
    bright = np.array([[1 - image.mean() / 255, image.mean() / 255] for image in images], np.float32)
    return Verdicts(LABELS, bright, np.empty((len(images), 0), np.float32), np.array([image.any() for image in images]))


def test_a_vehicle_is_told_by_its_pictures_that_are_given_a_label() -> None:
    """A black picture does not vote, and a vehicle of black ones alone is told nothing."""
    shown = [a_picture("a", level=0, side=40), a_picture("b", level=200)]
    vehicles = [shown_vehicle(replace(a_vehicle(1), pictures=tuple(part))) for part in (shown, shown[:1])]
    assert said_of(by_level, vehicles) == ("truck", None)  # type: ignore[arg-type]
    assert dict(vehicles[0].slices) == {"camera": "gate", "class": "car", "brightness": "dark", "light": "dim"}
    assert dict(shown_picture(shown[1]).slices) == {"camera": "gate", "class": "car", "brightness": "bright"}
