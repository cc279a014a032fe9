"""What would help, in order, and the evidence for it."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from models.failures.analysis import analysed
from models.failures.groups import Group, Judged, Remedy
from tests.support.failures import CLEAR, DIRTY, FOG, NIGHT, Picture, a_day, a_vehicle, by_id, by_night, dirty, strange

Day = Mapping[str, Judged]


def the_group(day: Day) -> Group:
    """The only one."""
    (group,) = analysed([*day.values()]).groups
    return group


def remedies(group: Group) -> list[Remedy]:
    """In order."""
    return [advice.remedy for advice in group.advice]


def seen_at(camera: str, picture: Picture, begin: int = 20, count: int = 24) -> Day:
    """For a while every second car fails there."""
    numbers = range(begin, begin + count)
    return by_id(a_vehicle(k, camera, "car", fails=k % 2 == 0, picture=picture) for k in numbers)


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (DIRTY, ["camera", "augmentation"]),
        (replace(DIRTY, weather="veiled"), ["camera", "augmentation"]),
        (FOG, ["augmentation", "camera"]),
        (NIGHT, ["augmentation"]),
    ],
)
def test_one_cameras_pictures_are_the_cameras_fault_but_for_fog_and_night(
    picture: Picture, expected: list[Remedy]
) -> None:
    """Fog brightens what it veils, dirt does not."""
    assert remedies(the_group({**a_day(), **seen_at("gate", picture)})) == expected


def test_what_befalls_several_cameras_wants_augmentation() -> None:
    group = the_group({**a_day(), **seen_at("gate", DIRTY), **seen_at("ramp", DIRTY)})
    assert remedies(group) == ["augmentation"]
    assert "low in contrast and blurred, on gate and ramp" in group.advice[0].text


def test_clear_pictures_want_labels() -> None:
    """Trucks of a new kind, that lie far off all that went right."""
    group = the_group({**a_day(), **strange("gate"), **strange("ramp")})
    assert remedies(group) == ["labels"]
    assert "Label more vehicles like these 12" in group.advice[0].text
    assert "farther off what is known than 100% of those" in group.advice[0].text


def test_evidence_is_counted() -> None:
    """Camera, how its pictures look, and how its other cars fare."""
    text = the_group({**a_day(), **dirty()}).advice[0].text
    assert "Look at camera gate" in text
    assert "low in contrast and blurred" in text
    assert "no other of 3 cameras fails like this" in text
    assert "50 of 50 others of class car there went right" in text


def test_a_single_camera_is_not_compared_with_others() -> None:
    assert "no other" not in the_group({**a_day(("gate",)), **dirty()}).advice[0].text


def test_a_threshold_is_named_where_failures_are_less_sure() -> None:
    """With what it avoids and what it costs."""
    unsure = {k: _with_confidence(v, 0.6) if v.failed else v for k, v in dirty().items()}
    group = the_group({**a_day(), **unsure, "gate:2026-11-23:p1": _with_confidence(a_vehicle(1), 0.605)})
    assert remedies(group) == ["camera", "augmentation", "threshold"]
    assert group.advice[-1].text == (
        "Abstain below a confidence of 0.61: that avoids 12 of its 12 wrong verdicts, and costs 1 of 288 right ones."
    )


def test_no_threshold_where_right_verdicts_are_no_surer() -> None:
    same = {k: _with_confidence(v, 0.8) for k, v in {**a_day(), **dirty()}.items()}
    assert "threshold" not in remedies(the_group(same))


def test_no_threshold_for_what_the_model_abstained_from() -> None:
    mute = {
        k: replace(v, example=replace(v.example, predicted=None, confidence=0.0)) if v.failed else v
        for k, v in dirty().items()
    }
    assert "threshold" not in remedies(the_group({**a_day(), **mute}))


def test_many_cameras_are_counted_not_named() -> None:
    cameras = [f"camera-{k}" for k in range(8)]
    night = {name: each for camera in cameras for name, each in by_night(camera, count=8).items()}
    group = the_group({**a_day(cameras, 60), **night})
    assert "most of them on 7 cameras" in group.advice[0].text


def test_every_group_of_failures_is_given_advice() -> None:
    """Even where nothing went right, and nothing but verdicts is known."""
    bare = [
        replace(each, embedding=np.zeros(0, np.float32), example=replace(each.example, frames=(), scene={}))
        for each in seen_at("gate", CLEAR).values()
        if each.failed
    ]
    (group,) = analysed(bare).groups
    assert remedies(group) == ["labels"]


def _with_confidence(each: Judged, confidence: float) -> Judged:
    return replace(each, example=replace(each.example, confidence=confidence))
