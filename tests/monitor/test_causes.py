"""Which cause explains what was found: tables of findings, and the words that come of them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.causes import (
    CAUSES,
    DEVICE,
    FAULTS,
    MODEL,
    PARTLY,
    PICTURES,
    STREAM,
    Cause,
    Context,
    diagnose,
    level_of,
    listed,
)
from schemas.records import Finding
from tests.support.alerts import DAWN, finding, fog, minutes

ALONE = Context(DAWN + minutes(60))
"A camera of which nothing else is known."
PROMOTED = Context(DAWN + minutes(60), "UTC", "v2", DAWN - minutes(5), cameras=4, alike=("ramp", "south"))
"Another model began to serve, and the answers changed at three of four cameras."

FOGGY = (("contrast", 41, 18), ("sharpness", 210, 60))
TABLE = [
    ("moved", [("moved", 0.1, 0.6)]),
    ("moved", [("structure", 0.05, 0.4), ("magnetometer", 48, 30)]),
    ("moved", [("moved", 0.1, 0.6), ("structure", 0.05, 0.4), ("contrast", 40, 50), ("confidence", 0.9, 0.7)]),
    ("fog", [*FOGGY, ("brightness", 90, 120)]),
    ("fog", [*FOGGY, ("confidence", 0.9, 0.6), ("flip", 0.1, 0.3), ("pressure", 1012, 1004)]),
    ("fog", [("contrast", 41, 25), ("sharpness", 210, 120)]),
    ("fog", [("structure", 0.11, 0.5), ("brightness", 83, 138), ("sharpness", 836, 169), ("contrast", 22.6, 15.4)]),
    ("fog", [("structure", 0.47, 1.07), ("brightness", 20, 32), ("contrast", 10.8, 7.1)]),
    ("clearer", [("sharpness", 137, 947), ("contrast", 17, 32), ("structure", 0.01, 0.37)]),
    ("clearer", [("sharpness", 34, 643), ("contrast", 9.4, 23.2), ("brightness", 155, 91)]),
    ("rain", [("noise", 2, 3), ("contrast", 41, 30)]),
    ("rain", [("noise", 2, 3), ("sharpness", 210, 260), ("contrast", 41, 30), ("confidence", 0.9, 0.8)]),
    ("rain", [("sharpness", 210, 260), ("contrast", 41, 30)]),
    ("dark", [("brightness", 110, 60)]),
    ("dark", [("brightness", 117, 64), ("contrast", 34, 19), ("sharpness", 1250, 415)]),
    ("dark", [("brightness", 110, 40), ("contrast", 41, 15), ("sharpness", 210, 90)]),
    ("dark", [("brightness", 110, 40), ("contrast", 41, 25), ("noise", 2, 4)]),
    ("dirty-lens", [("sharpness", 210, 130), ("structure", 0.05, 0.09)]),
    (
        "dirty-lens",
        [("structure", 0.15, 0.5), ("brightness", 135, 104), ("contrast", 31, 15.4), ("sharpness", 1157, 213)],
    ),
    ("dirty-lens", [("structure", 0.09, 0.48), ("brightness", 119, 93)]),
    ("dirty-lens", [("sharpness", 210, 130), ("contrast", 41, 35), ("structure", 0.05, 0.09)]),
    ("blurred-lens", [("blurred", 100, 30)]),
    ("blurred-lens", [("blurred", 100, 30), ("sharpness", 984, 104), ("contrast", 29, 15.5)]),
    ("blurred-lens", [("sharpness", 210, 60)]),
    ("blurred-lens", [("blurred", 100, 30), ("sharpness", 210, 60), ("confidence", 0.9, 0.6)]),
    ("noise", [("noise", 2, 6)]),
    ("noise", [("noise", 2, 6), ("sharpness", 210, 500), ("confidence", 0.9, 0.8)]),
    ("sensor-heat", [("noise", 2, 6), ("temperature", 40, 75)]),
    ("sensor-heat", [("noise", 2, 6), ("temperature", 40, 75), ("confidence", 0.9, 0.8)]),
    ("frozen", [("frozen", 60, 600)]),
    ("frozen", [("frozen", 60, 600), ("confidence", 0.9, 0.7), ("noise", 2, 0.5), ("structure", 0.05, 0.3)]),
    ("black", [("black", 0.1, 1)]),
    ("black", [("black", 0.1, 1), ("frozen", 60, 600), ("brightness", 110, 2), ("contrast", 40, 1)]),
    ("blown-out", [("blown-out", 0.1, 0.8)]),
    ("blown-out", [("blown-out", 0.1, 1), ("frozen", 60, 600), ("brightness", 110, 250), ("contrast", 40, 1)]),
    ("size-change", [("size", 1280, 640)]),
    ("size-change", [("size", 1280, 640), ("structure", 0.05, 0.3), ("moved", 0.1, 0.5), ("sharpness", 210, 100)]),
    ("gaps", [("gap", 0, 120)]),
    ("gaps", [("rate", 10, 4), ("drops", 0, 200)]),
    ("gaps", [("gap", 0, 12), ("disorder", 0, 12), ("reconnects", 0, 3)]),
    ("dead-camera", [("stalled", 60, 900)]),
    ("dead-camera", [("stalled", 60, 900), ("silent", 60, 900), ("gap", 0, 10), ("reconnects", 0, 30)]),
    ("dead-camera", [("silent", 0, 120), ("reconnects", 0, 9)]),
    ("clock", [("clock", 0, 3600)]),
    ("clock", [("clock", 0, 3600), ("disorder", 0, 20)]),
    ("device", [("temperature", 40, 72)]),
    ("device", [("pressure", 1013, 900), ("stuck", 0, 1)]),
    ("device", [("magnetometer", 48, 40)]),
    ("new-vehicles", [("confidence", 0.9, 0.7)]),
    ("new-vehicles", [("flip", 0.1, 0.25), ("abstention", 0.02, 0.2), ("class-mix", 0.1, 0.4)]),
    ("new-vehicles", [("class-mix", 0.1, 0.3)]),
    ("new-vehicles", [("confidence", 0.9, 0.7), ("errors", 0.05, 0.2)]),
    ("labels", [("errors", 0.05, 0.3)]),
    ("labels", [("errors", 0.05, 0.3), ("class-mix", 0.1, 0.2)]),
    ("model", [("labels", 0, 2)]),
    ("model", [("labels", 0, 2), ("errors", 0.05, 0.3), ("confidence", 0.9, 0.7)]),
    ("unknown", [("brightness", 110, 160)]),
    ("unknown", [("values", 0, 3)]),
]


def found(*changes: tuple[str, float, float]) -> list[Finding]:
    return [finding(signal, before, after) for signal, before, after in changes]


@pytest.mark.parametrize(("cause", "changes"), TABLE)
def test_what_was_found_names_its_cause(cause: str, changes: list[tuple[str, float, float]]) -> None:
    """Physics as a table: what each cause does to the signals."""
    assert diagnose(found(*changes), ALONE).cause == cause


@pytest.mark.parametrize(
    "changes", [[("confidence", 0.9, 0.7)], [("errors", 0.05, 0.2)], [("flip", 0.1, 0.2), ("confidence", 0.9, 0.8)]]
)
def test_answers_that_change_with_the_model_are_the_models(changes: list[tuple[str, float, float]]) -> None:
    """At many cameras, right after it began to serve, while pictures are as before."""
    diagnosis = diagnose(found(*changes), PROMOTED)
    assert diagnosis.cause == "model"
    assert diagnosis.evidence[0] == "The model v2 began to serve about 04:55 UTC."


def test_fog_is_fog_whatever_model_serves() -> None:
    """Pictures that have changed explain the answers."""
    assert diagnose(fog(), PROMOTED).cause == "fog"


def test_a_model_of_yesterday_explains_nothing() -> None:
    """What changes long after it began has another cause."""
    old = Context(DAWN, "UTC", "v2", DAWN - timedelta(days=1), cameras=4, alike=("ramp", "south"))
    assert diagnose(found(("confidence", 0.9, 0.7)), old).cause == "new-vehicles"


def test_what_hides_a_part_of_the_scene_did_not_move_it() -> None:
    """A leaf by night, of which the scene alone tells."""
    whole, part = (finding("structure", 0.08, 0.81, note=note) for note in ("", PARTLY))
    assert [diagnose([found], ALONE).cause for found in (whole, part)] == ["moved", "dirty-lens"]
    assert "A part of the picture is as ever." in diagnose([part], ALONE).evidence[0]


def test_few_vehicles_may_tell_a_new_models_fault_as_older_than_it_is() -> None:
    """It was found soon after; of many vehicles, when it began is known."""
    guess, known = (
        [finding("confidence", 0.9, 0.6, samples=samples, found_at=DAWN + minutes(600))] for samples in (18, 900)
    )
    context = Context(DAWN + minutes(660), "UTC", "v2", DAWN + minutes(400), cameras=1)
    assert [diagnose(found, context).cause for found in (guess, known)] == ["model", "new-vehicles"]


def test_what_lasts_for_days_is_no_fog() -> None:
    """Dirt stays, weather passes."""
    changes = found(("sharpness", 210, 130), ("contrast", 41, 33))
    assert diagnose(changes, ALONE).cause == "fog"
    assert diagnose(changes, Context(DAWN + timedelta(hours=20))).cause == "dirty-lens"


def test_a_jump_of_temperature_strengthens_fog() -> None:
    changes = found(("contrast", 41, 25), ("sharpness", 210, 120))
    cold = finding("temperature", 11, 6, worse=False)
    assert diagnose([*changes, cold], ALONE).score > diagnose(changes, ALONE).score


def test_evidence_has_figures_and_begins_with_the_strongest() -> None:
    diagnosis = diagnose(fog(), ALONE)
    assert diagnosis.evidence[:2] == (
        "Contrast fell from 41.2 to 18.3, by 56%.",
        "Sharpness fell from 210 to 60.4, by 71%.",
    )
    assert (diagnosis.leading.signal, diagnosis.runner_up) == ("contrast", "blurred-lens")


def test_a_note_says_what_numbers_do_not() -> None:
    stalled = finding("stalled", 60, 960, note="no frame for 16 min")
    assert diagnose([stalled], ALONE).evidence == ("No frame for 16 min.",)


def test_a_device_that_said_nothing_for_a_while_is_no_dead_camera() -> None:
    """One that says now that it has no pictures is."""
    now = finding("silent", 0, 120)
    assert diagnose([now], ALONE).cause == "dead-camera"
    assert diagnose([replace(now, until=now.found_at)], ALONE).cause == "device"


def test_the_order_of_findings_makes_no_difference() -> None:
    changes = list(fog())
    assert diagnose(changes, ALONE) == diagnose(changes[::-1], ALONE)


def test_the_score_is_a_share() -> None:
    """High where one cause stands out, low where several may be."""
    clear, vague = diagnose(found(("frozen", 60, 600)), ALONE), diagnose(found(("contrast", 41, 35)), ALONE)
    assert (clear.score > 0.95, vague.score < 0.5) == (True, True)


def test_nothing_found_is_nothing_to_explain() -> None:
    with pytest.raises(ValueError, match="nothing was found"):
        diagnose([], ALONE)


@pytest.mark.parametrize("cause", CAUSES.values(), ids=CAUSES)
def test_the_table_names_known_clues_and_says_what_to_do(cause: Cause) -> None:
    """A misspelt clue would weigh nothing for ever."""
    signals = {*PICTURES, *MODEL, *FAULTS, *STREAM, *DEVICE, "values", "clock", "labels"}
    others = {"new model", "old model", "many cameras", "slow", "lasting", "pictures", "stream", "device", "model"}
    assert {
        clue.removesuffix(" now").removesuffix(" in part").rstrip(" ↑↓=") for clue in cause.clues
    } <= signals | others
    assert cause.actions


@pytest.mark.parametrize(
    ("names", "text"), [((), ""), (("a",), "a"), (("a", "b"), "a and b"), (tuple("abcde"), "a, b, c and 2 more")]
)
def test_names_stand_in_a_sentence(names: tuple[str, ...], text: str) -> None:
    assert listed(names) == text


@pytest.mark.parametrize(
    ("signal", "value", "text"),
    [("errors", 0.0512, "5%"), ("sharpness", 1234.5, "1,234"), ("temperature", 71, "71 °C")],
)
def test_levels_are_short(signal: str, value: float, text: str) -> None:
    assert level_of(signal, value) == text
