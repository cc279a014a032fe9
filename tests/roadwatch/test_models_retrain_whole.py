"""The whole network from labels to a registered version: as a head's retraining, with the network tuned anew."""

import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import models.retraining.whole
import roadwatch.training
from models.archive.opening import open_archive
from models.bundle import Bundle
from models.card import DataSource
from models.preprocessing import Image
from models.registry.history import Step
from models.registry.opening import open_registry
from models.retraining.whole import Course
from models.training.fit import Fitted, fit
from models.training.recipe import ARCHITECTURE
from producers.simulator import training_crops
from roadwatch.cli import app
from roadwatch.retraining import material
from roadwatch.retraining.desk import STEPS
from roadwatch.retraining.record import CHECKSUM, known_to, record_of
from roadwatch.retraining.request import Retrained, Whole
from schemas.errors import ConfigurationError, ModelError
from tests.models.bundles import tiny_bundle, tiny_graph
from tests.roadwatch.test_models_retrain import NOON, Place, old_pictures, settings_in

TINY = Whole(rows=60, steps=5, simulated=30)


def parent_bundle(*sources: str, labels: tuple[str, ...] = ("car", "truck")) -> Bundle:
    """Return a tiny bundle that says it was made by `models train`, on pictures of these sources."""
    data = tuple(DataSource(name, "train", {"car": 5, "truck": 5}) for name in sources)
    card = replace(tiny_bundle().card, architecture=ARCHITECTURE, data=data, labels=labels)
    return replace(tiny_bundle(), card=card, labels=labels)


def place_in(folder: Path, bundle: Bundle | None = None) -> Place:
    """Return a place, its champion registered where none is."""
    settings = settings_in(folder)
    place = Place(folder, settings, *open_archive(settings.archive), open_registry(settings.models))
    if not place.registry.history():
        place.registry.register(bundle or parent_bundle("simulator"), at=NOON - timedelta(days=9), by="test")
        place.registry.record(Step("promoted", "tiny-1", NOON - timedelta(days=9), "test", "the first", "champion"))
    return place


@cache
def filmed(count: int = 70) -> list[tuple[Image, str]]:
    """Return small simulated vehicles."""
    return [(image[::2, ::2].copy(), label) for image, label, _ in training_crops(11, count)]


def retrain(place: Place, progress: Callable[[str, int, int], None] = lambda *_: None, **asked: Any) -> Retrained:
    """Retrain with few steps, registered whatever comes of it."""
    return place.retrain(progress, **{"whole": TINY, "force": True, "replay": 40, **asked})


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A place with 70 labelled vehicles."""
    monkeypatch.setattr(material, "SIMULATED_TRIED", 20)
    found = place_in(tmp_path)
    found.keep("gate", filmed(), frames=2)
    return found


def test_it_is_registered_with_its_lineage_and_its_record(place: Place) -> None:
    """Parent, how it was retrained, data; purpose and credits are the parent's, figures those of vehicles held out."""
    found = retrain(place)
    card, before = place.registry.about(found.version).card, parent_bundle().card
    assert (found.trained, found.registered, card.lineage.parent) == (True, True, "tiny-1")
    assert (card.lineage.settings["retrained"], card.lineage.settings["steps"]) == ("whole", "5")
    assert {(data.name, data.split) for data in card.data} >= {("gate", "train"), ("gate", "test")}
    assert (card.credits, card.purpose, card.limits) == (before.credits, before.purpose, before.limits)
    assert found.findings.held_out == found.findings.gain.n == found.labels.held_out >= 10
    assert found.labels.replayed == {"simulated": 30}
    record = record_of(place.registry, found.version)
    assert record is not None
    assert card.lineage.data_sha256[CHECKSUM] == record.key
    assert retrain(place) == replace(found, trained=False)


def test_a_quantised_parent_gives_a_quantised_one_with_its_reference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And its input is the parent's."""
    monkeypatch.setattr(material, "SIMULATED_TRIED", 20)
    place = place_in(tmp_path, replace(parent_bundle("simulator"), reference=tiny_graph()))
    place.keep("gate", filmed())
    found = place.registry.load(retrain(place).version)
    assert found.reference is not None
    assert len(found.model) < len(found.reference) / 2
    assert found.preprocessing == tiny_bundle().preprocessing


def test_the_head_and_the_whole_network_are_two_retrainings(place: Place) -> None:
    """Their keys differ; the split is the same."""
    versions = [found.version for found in (place.retrain(force=True, replay=40), retrain(place))]
    records = [record_of(place.registry, version) for version in versions]
    assert len({record.key for record in records if record}) == 2
    held = [known_to(place.registry, version).held_out for version in versions]
    assert held[0] == held[1]


def test_what_is_held_out_is_not_among_the_pictures_it_is_taught(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """No picture of a vehicle held out, nor of its block; they are what it is tested on."""
    courses: list[Course] = []
    made = models.retraining.whole.retrain_whole

    def seen(parent: Bundle, taught: Course, *rest: Any) -> Bundle:
        courses.append(taught)
        return made(parent, taught, *rest)

    monkeypatch.setattr(models.retraining.whole, "retrain_whole", seen)
    known = known_to(place.registry, retrain(place).version)
    (course,) = courses
    frames = {vehicle: _frames(vehicle) for vehicle in (*known.taught, *known.held_out)}
    assert {picture.name for picture in course.new} == set().union(*(frames[name] for name in known.taught))
    tested = {picture.name for picture in course.tested}
    assert all(tested & frames[name] for name in known.held_out)
    assert tested.isdisjoint(picture.name for picture in (*course.real, *course.simulated))


def _frames(vehicle: str) -> set[str]:
    """Return the ids of a vehicle's two frames."""
    camera, epoch, number = vehicle.split(":")
    return {f"{camera}:{epoch}:{int(number.removeprefix('p')) + k}" for k in range(2)}


def test_all_of_the_base_data_is_taught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only what is replayed to a head; a source that neither has is a limit on the card."""
    monkeypatch.setattr(material, "SIMULATED_TRIED", 20)
    place = place_in(tmp_path, parent_bundle("before", "harbour"))
    place.keep("gate", filmed())
    fitted: list[Sequence[str]] = []

    def seen(network: Any, data: Any, *rest: Any) -> Fitted:
        fitted.append([picture.source for picture in data.pictures])
        return fit(network, data, *rest)

    monkeypatch.setattr(models.retraining.whole, "fit", seen)
    found = retrain(place, base=(old_pictures(tmp_path / "before", 40),), replay=5)
    assert found.labels.replayed == {"base": 20}
    assert fitted[0].count("before") == 20
    assert any("harbour" in limit for limit in place.registry.about(found.version).card.limits)
    assert "before" in {name for _, name in (change.slice for change in found.findings.changes)}


def test_base_data_that_the_archive_does_not_have_are_asked_for(tmp_path: Path) -> None:
    """In a sentence that names the sources."""
    place = place_in(tmp_path, parent_bundle("gate", "tollroad", "simulator"))
    place.keep("gate", filmed())
    with pytest.raises(ConfigurationError, match="pictures of tollroad, which the archive does not have: give them"):
        retrain(place)


def test_too_few_vehicles_held_out_are_refused(tmp_path: Path) -> None:
    """The head is what few labels can teach."""
    place = place_in(tmp_path)
    place.keep("gate", filmed(40))
    with pytest.raises(ConfigurationError, match=r"of 40 labelled vehicles none would be held out.*retrain its head"):
        retrain(place)


OTHERS = [
    (replace(tiny_bundle(), card=replace(tiny_bundle().card, data=())), "was not made by 'roadwatch models train'"),
    (
        parent_bundle(labels=("car", "lorry")),
        "tells car, lorry; the whole network is trained for car, truck",
    ),
]


@pytest.mark.parametrize(("bundle", "message"), OTHERS, ids=["another network", "other classes"])
def test_a_model_of_another_kind_is_refused(tmp_path: Path, bundle: Bundle, message: str) -> None:
    place = place_in(tmp_path, bundle)
    classes = dict(zip(("car", "truck"), bundle.labels, strict=True))
    place.keep("gate", [(image, classes[label]) for image, label in filmed(30)])
    with pytest.raises(ModelError, match=message):
        retrain(place)


@pytest.fixture
def without_jax(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jax is not installed."""
    monkeypatch.setattr(roadwatch.training, "find_spec", lambda name: None if name == "jax" else find_spec(name))


@pytest.mark.usefixtures("without_jax")
def test_without_the_extra_it_is_said_what_to_install(place: Place) -> None:
    with pytest.raises(ConfigurationError, match=r"jax is missing; pip install 'roadwatch\[train\]'"):
        retrain(place)


@pytest.mark.usefixtures("without_jax")
def test_the_command_says_so_too() -> None:
    done = CliRunner().invoke(app, ["models", "retrain", "--whole"], env={"COLUMNS": "200"})
    assert done.exit_code != 0
    assert "pip install 'roadwatch[train]'" in str(done.exception)


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from roadwatch.retraining import material
    from tests.roadwatch.test_models_retrain_whole import place_in, retrain

    def progress(step, done, total):
        if (step, done) == ("retraining", int(sys.argv[2])):
            os.kill(os.getpid(), signal.SIGKILL)

    material.SIMULATED_TRIED = 20
    retrain(place_in(Path(sys.argv[1])), progress)
"""


def test_killed_after_the_draft_it_goes_on_there(place: Place) -> None:
    """What was trained is not trained again."""
    step = STEPS.index("trained") + 1
    script = [sys.executable, "-c", textwrap.dedent(KILLED), str(place.folder), str(step)]
    done = subprocess.run(script, cwd=Path(__file__).parents[2], capture_output=True, check=False, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert place.actions() == ["registered", "promoted"]
    found = retrain(place)
    assert (found.trained, found.registered) == (False, True)
    assert place.actions() == ["registered", "promoted", "registered"]
