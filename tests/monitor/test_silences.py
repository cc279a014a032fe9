"""What is silent, for how long, and how a silence is asked for."""

import json
from datetime import datetime, timedelta

import pytest

from monitor.silences import MOST, Silences, terms_of
from schemas.records import AlertAction
from tests.support.alerts import NOON, alert

LATER = NOON + timedelta(hours=2)


def action(target: str, until: datetime | None = LATER) -> AlertAction:
    return AlertAction("silence", target, "anne", NOON, until, "roadworks")


def silent(*targets: str) -> Silences:
    silences = Silences()
    for target in targets:
        silences.add(action(target))
    return silences


@pytest.mark.parametrize(
    ("target", "covered"),
    [
        ("camera=gate-north", True),
        ("camera=gate-south", False),
        ("rule=incident", True),
        ("cause=fog", True),
        ("cause=fog,camera=gate-north", True),
        ("cause=fog, camera=gate-south", False),
        ("rule=accuracy,cause=fog", False),
    ],
)
def test_a_silence_holds_for_what_it_names(target: str, covered: bool) -> None:
    """A comma is an "and"."""
    told = alert(rule="incident", cause="fog", cameras=("gate-north",))
    assert silent(target).cover(told, NOON) is covered


def test_a_silent_camera_does_not_hide_another() -> None:
    """An alert of two cameras is silent when both are."""
    both = alert(cause="fog", cameras=("gate-north", "gate-south"))
    assert not silent("camera=gate-north").cover(both, NOON)
    assert silent("camera=gate-north", "camera=gate-south").cover(both, NOON)


def test_a_camera_is_not_all_cameras() -> None:
    """What concerns all together is not silenced with one of them."""
    assert not silent("camera=gate-north").cover(alert(camera_id=None, cameras=("gate-north",)), NOON)


def test_a_silence_ends() -> None:
    assert not silent("camera=gate-north").cover(alert(), LATER)


def test_a_silence_can_be_ended_before() -> None:
    """However its parts are ordered."""
    silences = silent("cause=fog,camera=gate-north")
    silences.remove("camera=gate-north,cause=fog")
    assert not silences.cover(alert(cause="fog"), NOON)


def test_the_same_target_again_moves_the_end() -> None:
    silences = silent("camera=gate-north")
    silences.add(action("camera=gate-north", LATER + timedelta(hours=1)))
    assert silences.cover(alert(), LATER)
    assert len(silences.snapshot()) == 1


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("", "camera=…, cause=…, rule=…"),
        ("gate", "'gate' is nothing that can be silenced"),
        ("camera=", "'camera=' is nothing"),
        ("zone=a", "'zone=a' is nothing"),
        ("camera=a,camera=b", "camera is named twice"),
        ("cause=frog", "'frog' is no cause; causes are moved, fog"),
    ],
)
def test_bad_targets_are_refused(target: str, message: str) -> None:
    """The message names what was seen and what is allowed."""
    with pytest.raises(ValueError, match=message):
        terms_of(target)


def test_a_silence_without_an_end_is_refused() -> None:
    """It would be forgotten."""
    with pytest.raises(ValueError, match="needs an end"):
        Silences().add(action("camera=gate-north", None))


def test_what_is_not_silent_cannot_be_ended() -> None:
    with pytest.raises(ValueError, match="silent is cause=fog"):
        silent("cause=fog").remove("camera=gate-north")


def test_there_are_not_too_many() -> None:
    silences = silent(*(f"camera=c{n}" for n in range(MOST)))
    with pytest.raises(ValueError, match="end one of them"):
        silences.add(action("camera=one-more"))


def test_silences_survive_a_restart_and_are_forgotten() -> None:
    silences = silent("cause=fog,camera=gate-north")
    again = Silences.restore(json.loads(json.dumps(silences.snapshot())))
    assert again.snapshot() == silences.snapshot()
    again.forget(LATER)
    assert again.snapshot() == []
