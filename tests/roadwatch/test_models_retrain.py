"""From labels to a challenger: what is learnt and what is left out, and that it goes on where it was killed."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from models.archive.archive import Archive
from models.archive.examples import Asked, Example, ExampleFrame, GivenLabel, Request
from models.archive.ledger import Ledger
from models.archive.opening import open_archive
from models.bundle import Bundle, load_bundle
from models.qualification.figures import PARTS
from models.registry.history import Step
from models.registry.opening import open_registry
from models.registry.store import Registry
from models.retraining.dataset import NEAR
from producers.simulator import training_crops
from roadwatch.cli import app
from roadwatch.retraining import material
from roadwatch.retraining.ancestry import oldest_of
from roadwatch.retraining.desk import STEPS
from roadwatch.retraining.following import Pace, followed, is_alarmed
from roadwatch.retraining.record import NAME, Record, known_to, record_of
from roadwatch.retraining.request import Retrained, RetrainRequest
from roadwatch.retraining.session import retrained
from runtime.clients import Writer
from runtime.registry import open_codec
from runtime.settings import ArchiveSettings, KafkaSettings, ModelSettings, Settings
from schemas.errors import ConfigurationError, ModelError
from schemas.topics import ALERTS
from tests.models.bundles import tiny_bundle
from tests.support.brokers import TestBroker
from tests.support.records import an_alert

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
LABELS = ("car", "truck")
Image = np.ndarray


def silent(_step: str, _done: int, _total: int) -> None:
    """Show no progress."""


def grey(level: int, side: int = 24) -> Image:
    """Return a plain picture: a car where it is dark, as the tiny bundle has it, a truck where it is bright."""
    return np.full((side, side, 3), level, np.uint8)


@dataclass(frozen=True)
class Place:
    """A folder with a registry, an archive, and a champion that calls pictures brighter than 127 trucks."""

    folder: Path
    settings: Settings
    archive: Archive
    ledger: Ledger
    registry: Registry
    given: list[str] = field(default_factory=list)

    def keep(
        self, camera: str, pictures: Sequence[tuple[Image, str]], at: datetime = NOON, frames: int = 1
    ) -> list[str]:
        """Keep vehicles that pass every three minutes, and label them as told; returns their ids."""
        examples = [
            an_example(camera, len(self.given) + number, at + number * timedelta(minutes=3), image, frames)
            for number, (image, _) in enumerate(pictures)
        ]
        self.archive.keep(examples)
        names = [example.example_id for example in examples]
        self.label(dict(zip(names, (label for _, label in pictures), strict=True)), at)
        return names

    def label(self, labels: dict[str, str], at: datetime = NOON, source: str = "people") -> None:
        """Give labels."""
        self.given.extend(labels)
        self.ledger.add([GivenLabel(name, label, source, at + timedelta(hours=1)) for name, label in labels.items()])

    def retrain(self, progress: Callable[[str, int, int], None] = silent, **asked: Any) -> Retrained:
        """Retrain from the champion, without a qualification unless one is asked for."""
        told = {"qualify": False, "folder": self.folder / "retraining", **asked}
        return retrained(self.settings, RetrainRequest(**told), progress)

    def actions(self) -> list[str]:
        """What the history tells."""
        return [entry.step.action for entry in Registry(self.registry.address).history()]

    def judge(self, version: str, *, approved: bool) -> None:
        """Record a qualification."""
        self.registry.record(Step("qualified", version, NOON, "test", approved=approved))

    def crown(self, version: str) -> None:
        """Approve a version, and make it champion."""
        self.judge(version, approved=True)
        self.registry.record(Step("promoted", version, NOON, "test", "", "champion"))

    def record(self, version: str) -> Record:
        """Return what a version was taught."""
        found = record_of(self.registry, version)
        assert found is not None
        return found

    def near(self, names: Iterable[str], others: Iterable[str]) -> list[str]:
        """Return those names whose vehicles passed within two minutes of one of the others."""
        at = {example.example_id: (example.camera_id, example.at) for example in self.archive.read(self.archive.ids())}
        return [a for a in names if any(at[a][0] == at[b][0] and abs(at[a][1] - at[b][1]) < NEAR for b in others)]


def an_example(camera: str, number: int, at: datetime, image: Image, frames: int) -> Example:
    """Return a passage with so many frames of one look."""
    raw = cv2.imencode(".jpg", image)[1].tobytes()
    height, width = image.shape[:2]
    level = float(image.mean())
    shown = tuple(
        ExampleFrame(f"{camera}:e:{number * 10 + k}", at, raw, width, height, level, 40, 50, 2, "car", {"car": 0.9})
        for k in range(frames)
    )
    scene = {"light": "bright", "weather": "clear"}
    return Example(
        f"{camera}:e:p{number * 10}",
        camera,
        at.date().isoformat(),
        "lane",
        at,
        "car",
        0.9,
        0,
        "tiny-1",
        shown,
        None,
        scene,
    )


def dusk(count: int, middle: int = 85, seed: int = 3) -> list[tuple[Image, str]]:
    """Return vehicles of a camera where everything is darker: trucks are brighter than `middle`."""
    rng = np.random.default_rng(seed)
    return [
        (grey(middle + (1 if number % 2 else -1) * int(rng.integers(8, 20))), LABELS[number % 2])
        for number in range(count)
    ]


def turned(count: int) -> list[tuple[Image, str]]:
    """Return simulated vehicles of a camera that lies on its side: the model that ships tells six in ten."""
    return [(np.ascontiguousarray(np.rot90(image)), label) for image, label, _ in training_crops(11, count)]


def settings_in(folder: Path) -> Settings:
    """Return settings with everything below a folder, and no broker."""
    return Settings(
        kafka=KafkaSettings(bootstrap_servers="127.0.0.1:1"),
        models=ModelSettings(registry=str(folder / "registry")),
        archive=ArchiveSettings(address=str(folder / "archive")),
    )


def place_in(folder: Path) -> Place:
    """Return a place, its champion registered where none is."""
    settings = settings_in(folder)
    archive, ledger = open_archive(settings.archive)
    registry = open_registry(settings.models)
    if not registry.history():
        registry.register(tiny_bundle(), at=NOON - timedelta(days=9), by="test")
        registry.record(Step("promoted", "tiny-1", NOON - timedelta(days=9), "test", "the first", "champion"))
    return Place(folder, settings, archive, ledger, registry)


def shipped_place(folder: Path) -> Place:
    """Return a place where nobody is champion: the model that ships serves."""
    settings = settings_in(folder)
    return Place(folder, settings, *open_archive(settings.archive), open_registry(settings.models))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """An empty place."""
    return place_in(tmp_path)


def test_labels_become_a_registered_version_that_says_what_it_was_taught(place: Place) -> None:
    """Parent, number and checksum of the labels, requests, days; and each label by its example."""
    names = place.keep("gate", dusk(100), frames=2)
    asked = tuple(Asked(name, "random", 2.0) for name in names[:50])
    place.ledger.ask(Request("r-1", "2026-11-23", NOON, "me", 200, asked))
    found = place.retrain()
    lineage = place.registry.about(found.version).card.lineage
    assert lineage.parent == "tiny-1"
    assert lineage.settings["labelled vehicles"] == "50 car, 50 truck"
    assert (lineage.settings["days"], lineage.settings["label requests"]) == ("2026-11-23", "r-1")
    known = known_to(place.registry, found.version)
    assert sorted({**known.taught, **known.held_out}) == sorted(names)
    assert len(known.held_out) == found.labels.held_out == found.findings.held_out > 0
    assert found.findings.gain.n == 100
    assert found.findings.before == 0.5 < found.findings.gain.low + 0.5 < found.findings.after
    assert (found.trained, found.registered, found.approved, found.shadow) == (True, True, None, None)


def test_the_same_again_is_the_same_version_and_trains_nothing(place: Place) -> None:
    place.keep("gate", dusk(40))
    first, history = place.retrain(), place.actions()
    again = place.retrain()
    assert (again.version, again.trained, again.findings) == (first.version, False, first.findings)
    assert place.actions() == history


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from tests.roadwatch.test_models_retrain import place_in

    def progress(step, done, total):
        if (step, done) == ("retraining", int(sys.argv[2])):
            os.kill(os.getpid(), signal.SIGKILL)

    place_in(Path(sys.argv[1])).retrain(progress)
"""


@pytest.mark.parametrize("step", range(1, STEPS.index("recorded") + 2), ids=STEPS[:4])
def test_killed_after_any_step_it_goes_on_there(place: Place, step: int) -> None:
    """What was trained is not trained again; there is one version, and its record is beside it."""
    place.keep("gate", dusk(40))
    script = [sys.executable, "-c", textwrap.dedent(KILLED), str(place.folder), str(step)]
    done = subprocess.run(script, cwd=Path(__file__).parents[2], capture_output=True, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    found = place.retrain()
    assert found.trained == (step <= STEPS.index("labels") + 1)
    assert place.actions() == ["registered", "promoted", "registered"]
    assert record_of(place.registry, found.version) is not None
    assert place.retrain() == replace(found, trained=False)


def test_a_draft_that_was_torn_is_trained_anew(place: Place) -> None:
    """A disk that was full, a file that was changed: never registered as it is."""
    place.keep("gate", dusk(40))
    with pytest.raises(StoppedError):
        place.retrain(_stop_after("trained"))
    (draft,) = (place.folder / "retraining").glob("*/model.onnx")
    draft.write_bytes(b"torn")
    found = place.retrain()
    assert (found.trained, found.registered) == (True, True)


class StoppedError(Exception):
    """A test ends a run."""


def _stop_after(step: str) -> Callable[[str, int, int], None]:
    """Return a progress that ends the run there."""

    def progress(what: str, done: int, _total: int) -> None:
        if (what, done) == ("retraining", STEPS.index(step) + 1):
            raise StoppedError

    return progress


def test_two_at_once_make_one_version(place: Place) -> None:
    """The second waits, says so, and finds it done."""
    place.keep("gate", dusk(40))
    said: list[str] = []
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: place_in(place.folder).retrain(lambda step, *_: said.append(step)), range(2)))
    assert len({found.version for found in both}) == 1
    assert sorted(found.trained for found in both) == [False, True]
    assert "waiting for another retraining" in said
    assert place.actions() == ["registered", "promoted", "registered"]


def test_a_disk_without_room_leaves_nothing_half(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so; with room again it goes on."""
    place.keep("gate", dusk(40))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(ModelError, match="No space left"):
            place.retrain()
    assert place.actions() == ["registered", "promoted"]
    assert place.retrain().registered


MISTAKES = [
    (0, ("car", "truck"), "not taught before: none, and at least 20 are needed"),
    (12, ("car", "truck"), "6 car, 6 truck, and at least 20"),
    (30, ("car", "car"), "30 car, and a head is fitted to two classes"),
    (30, ("car", "bus"), "15 are 'bus', such as that of gate:e:p"),
]


@pytest.mark.parametrize(("count", "labels", "message"), MISTAKES, ids=[message for *_, message in MISTAKES])
def test_labels_that_cannot_teach_are_refused_with_what_to_do(
    place: Place, count: int, labels: tuple[str, str], message: str
) -> None:
    place.keep("gate", [(image, labels[number % 2]) for number, (image, _) in enumerate(dusk(count))])
    with pytest.raises(ConfigurationError) as refusal:
        place.retrain()
    assert message in str(refusal.value)
    assert "bus" in message or "roadwatch label request" in str(refusal.value)
    assert place.actions() == ["registered", "promoted"]


def test_one_of_a_class_is_too_few(place: Place) -> None:
    place.keep("gate", [(image, "car") for image, _ in dusk(30)] + [(grey(100), "truck")])
    with pytest.raises(ConfigurationError, match="1 of truck, and at least 3"):
        place.retrain()


def test_what_is_left_out_is_named(place: Place) -> None:
    """Labels that contradict each other, a word taken back, pictures that are gone, and damaged ones."""
    names = place.keep("gate", dusk(46))
    place.label({names[0]: "truck"}, source="loop")
    place.ledger.add([GivenLabel(names[1], None, "people", NOON + timedelta(hours=2))])
    place.label({"gate:e:p99990": "car"})
    _damage(place, names[2])
    found = place.retrain()
    assert found.labels.left_out == {
        "contradicted": (names[0],),
        "taken back": (names[1],),
        "without a picture in the archive": ("gate:e:p99990",),
        "damaged": (names[2],),
    }
    assert sum(found.labels.vehicles.values()) == 43


def test_of_very_many_labels_the_newest_are_learnt(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are named, and are new for the next retraining."""
    monkeypatch.setattr(material, "MOST_NEW", 30)
    older = place.keep("gate", dusk(10), NOON - timedelta(hours=5))
    names = place.keep("gate", dusk(30))
    found = place.retrain()
    assert found.labels.left_out == {"older than the newest 30": tuple(sorted(older))}
    assert sorted(known_to(place.registry, found.version).taught) == sorted(names)


def _damage(place: Place, name: str) -> None:
    """Change an example's picture."""
    sequence = name.rpartition(":p")[2]
    (picture,) = (place.folder / "archive" / "pictures").rglob(f"*_{sequence}-*.jpg")
    picture.write_bytes(b"torn")


def test_labels_that_bring_nothing_are_not_registered_and_not_trained_again(place: Place) -> None:
    """Drawn by lot: vehicles held out are told no better. Forced, it is registered, and the history says that."""
    rng = np.random.default_rng(8)
    place.keep("gate", [(grey(int(rng.integers(120, 135))), LABELS[number % 2]) for number in range(40)])
    found = place.retrain()
    assert not found.registered
    assert "cannot be learnt" in found.refusals[0]
    assert place.actions() == ["registered", "promoted"]
    assert place.retrain() == replace(found, trained=False)
    forced = place.retrain(force=True)
    assert (forced.registered, forced.trained) == (True, False)
    assert "forced, though" in place.registry.history()[-1].step.reason


def old_pictures(folder: Path, count: int = 120) -> Path:
    """Write pictures of a road as the champion knows it."""
    rng = np.random.default_rng(9)
    for number in range(count):
        label = LABELS[number % 2]
        (folder / label).mkdir(parents=True, exist_ok=True)
        level = 127 + (1 if number % 2 else -1) * int(rng.integers(5, 60))
        cv2.imwrite(str(folder / label / f"{number:03d}.png"), grey(level))
    return folder


def test_what_has_forgotten_old_vehicles_is_refused_naming_them(place: Place, tmp_path: Path) -> None:
    """Labels of which all are swapped: held-out ones agree with them, and old ones do not."""
    base = old_pictures(tmp_path / "before")
    place.keep("gate", [(grey(127 + 40 * (-1) ** number), LABELS[number % 2]) for number in range(400)])
    found = place.retrain(base=(base,), replay=0)
    assert found.findings.gain.value > 0
    assert not found.registered
    assert any("it has forgotten camera before: of 60 old vehicles" in reason for reason in found.refusals)


def forgetful_place(place: Place, base: Path) -> tuple[str, Retrained]:
    """Make a champion that has unlearnt half of what it knew, unseen, and retrain it; returns champion and candidate."""
    place.keep("gate", dusk(100, middle=100))
    champion = place.retrain().version
    place.crown(champion)
    place.keep("bridge", dusk(100, middle=100, seed=4), later(days=1))
    return champion, place.retrain(base=(base,), replay=0)


def test_what_was_forgotten_in_steps_is_refused_beside_the_oldest_version(place: Place, tmp_path: Path) -> None:
    """No step falls beside its parent; all together do beside the first."""
    base = old_pictures(tmp_path / "before")
    champion, found = forgetful_place(place, base)
    assert not any(change.forgotten for change in found.findings.changes)
    assert not found.registered
    assert any(
        "it has forgotten step by step camera before: of 60 old vehicles tiny-1 alone" in reason
        for reason in found.refusals
    )
    assert place.registry.about(champion).card.lineage.parent == "tiny-1"


def test_what_was_forced_is_not_held_against_those_after_it(place: Place, tmp_path: Path) -> None:
    """Somebody has seen what was lost: from there on it counts anew."""
    base = old_pictures(tmp_path / "before")
    forgetful_place(place, base)
    forced = place.retrain(base=(base,), replay=0, force=True)
    place.crown(forced.version)
    place.keep("quarry", dusk(100, middle=100, seed=6), later(days=2))
    found = place.retrain(base=(base,), replay=0, force=True)
    assert found.findings.since_oldest == ()
    place.crown(found.version)
    place.keep("harbour", dusk(100, middle=100, seed=7), later(days=3))
    last = place.retrain(base=(base,), replay=0, force=True)
    assert {change.before for change in last.findings.since_oldest} == {forced.version}


def an_heir(parent: str) -> Bundle:
    """Return a model that was made from another."""
    card = replace(tiny_bundle().card, version="heir-1")
    return replace(tiny_bundle(), version="heir-1", card=replace(card, lineage=replace(card.lineage, parent=parent)))


def test_an_ancestor_that_is_damaged_gives_way_to_a_younger_one(place: Place) -> None:
    """One of other classes too; the parent itself is no ancestor."""
    place.keep("gate", dusk(40))
    child = place.retrain().version
    assert oldest_of(place.registry, place.registry.load("tiny-1")) is None
    heir = an_heir(child)
    found = oldest_of(place.registry, heir)
    assert found is not None
    assert found.version == "tiny-1"
    assert oldest_of(place.registry, replace(heir, labels=("bus", "tram"))) is None
    (graph,) = (place.folder / "registry" / "bundles" / "tiny-1").glob("*/model.onnx")
    graph.write_bytes(b"torn")
    found = oldest_of(open_registry(place.settings.models), heir)
    assert found is not None
    assert found.version == child


def test_only_what_the_champion_was_not_taught_is_new(place: Place) -> None:
    """Of the next round: new labels, and corrected ones; what was held out stays so, and is what old means."""
    first_names = place.keep("gate", dusk(100))
    first = place.retrain()
    place.crown(first.version)
    with pytest.raises(ConfigurationError, match="none, and at least 20"):
        place.retrain()
    names = place.keep("bridge", dusk(60, middle=60), NOON + timedelta(days=1))
    before = known_to(place.registry, first.version)
    corrected = next(name for name in first_names if name in before.taught)
    place.label({corrected: "truck" if before.taught[corrected] == "car" else "car"}, NOON + timedelta(days=1))
    second = place.retrain()
    record = record_of(place.registry, second.version)
    assert record is not None
    assert sorted({**record.taught, **record.held_out}) == sorted([*names, corrected])
    assert set(before.held_out).isdisjoint(record.taught)
    assert second.labels.replayed == {"archive": len(before.taught) - 1}
    assert second.findings.changes[0].change.n == len(before.held_out)
    assert set(before.held_out) <= set(known_to(place.registry, second.version).held_out)


def later(minutes: float = 0, days: int = 0) -> datetime:
    """Return a time after noon."""
    return NOON + timedelta(minutes=minutes, days=days)


def test_vehicles_that_pass_beside_those_of_an_earlier_round_are_on_their_side(place: Place) -> None:
    """Few labels are all taught, and mixed in later: no neighbour of them is ever held out."""
    place.keep("gate", dusk(40))
    first = place.retrain(force=True)
    place.crown(first.version)
    place.keep("gate", dusk(100, seed=9), later(1))
    second = place.record(place.retrain(force=True).version)
    assert second.held_out
    assert place.near(second.held_out, {**place.record(first.version).taught, **second.taught}) == []


def test_a_cameras_day_that_was_taught_is_never_held_out(place: Place) -> None:
    """Nor is one that is held out taught: where no label is left then, it is said where they went."""
    for day in range(4):
        place.keep("gate", dusk(30, seed=day), later(days=day))
        place.keep("bridge", dusk(30, seed=50 + day), later(days=day))
    first = place.retrain(force=True)
    place.crown(first.version)
    (side,) = {
        (passed.camera_id, passed.day)
        for passed in place.record(first.version).passed
        if passed.example_id in known_to(place.registry, first.version).held_out
    }
    camera, day = side
    place.keep(camera, dusk(40, seed=77), datetime.fromisoformat(f"{day}T05:00:00+00:00"))
    with pytest.raises(ConfigurationError, match="none, and at least 20 are needed; 40 are held out for good"):
        place.retrain()
    other = next(name for name in ("bridge", "gate") if name != camera)
    names = place.keep(other, dusk(80, seed=78), datetime.fromisoformat(f"{day}T05:00:00+00:00"))
    second = place.record(place.retrain(force=True).version)
    assert set(names) <= set(second.taught)


def test_what_the_parent_was_taught_is_never_held_out(place: Place) -> None:
    """Neither where a day's labels are learnt again, nor where labels were corrected; both teach."""
    place.keep("gate", dusk(60))
    place.keep("bridge", dusk(60))
    first = place.retrain(force=True)
    place.crown(first.version)
    taught = place.record(first.version).taught
    place.keep("gate", dusk(60, middle=100, seed=5), later(480))
    again = place.record(place.retrain(force=True, since="2026-11-23").version)
    assert again.held_out
    assert set(taught) <= set(again.taught)
    turned_round = {name: LABELS[taught[name] == "car"] for name in list(taught)[:30]}
    place.label(turned_round, later(days=1))
    corrected = place.record(place.retrain(force=True).version)
    assert corrected.held_out
    assert set(turned_round) <= set(corrected.taught)


def test_neighbours_of_all_that_is_held_out_are_known_not_of_those_tried_alone(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(material, "TRIED", 5)
    place.keep("gate", dusk(100))
    first = place.retrain(force=True)
    place.crown(first.version)
    place.keep("gate", dusk(100, seed=9), later(1))
    second = place.record(place.retrain(force=True).version)
    held_out = place.record(first.version).held_out
    assert len(held_out) > 5
    assert place.near(second.taught, held_out) == []


def _as_before(place: Place, version: str, **changes: Any) -> None:
    """Rewrite a version's record as it was written before records knew when vehicles passed."""
    told = json.loads(place.registry.attached(version, NAME))
    kept = {name: value for name, value in told.items() if name not in ("replayed", "passed")}
    place.registry.attach(version, NAME, json.dumps({**kept, **changes}).encode())


def test_records_of_before_are_read_and_the_archive_says_when_their_vehicles_passed(place: Place) -> None:
    """What such a record says is held out though it was taught is not tried, and nor are its neighbours."""
    place.keep("gate", dusk(100))
    first = place.retrain(force=True)
    place.crown(first.version)
    record = place.record(first.version)
    stray = next(iter(record.taught))
    _as_before(place, first.version, held_out={**record.held_out, stray: record.taught[stray]})
    assert place.record(first.version).passed == ()
    assert stray not in known_to(place.registry, first.version).held_out
    place.keep("gate", dusk(100, seed=9), later(1))
    found = place.retrain(force=True)
    second = place.record(found.version)
    assert found.findings.changes[0].change.n == len(record.held_out)
    assert place.near(second.taught, record.held_out) == place.near(second.held_out, record.taught) == []


def test_what_was_only_mixed_in_or_perhaps_taught_is_not_held_out_later(place: Place) -> None:
    """Of labels from before a champion that was trained elsewhere half are mixed in, and it may have been taught all."""
    old = place.keep("gate", dusk(300), NOON - timedelta(days=20))
    place.keep("gate", dusk(60))
    first = place.retrain(force=True)
    place.crown(first.version)
    mixed_in = place.record(first.version).replayed
    assert mixed_in
    assert set(mixed_in) < set(old)
    second = place.record(place.retrain(force=True).version)
    assert place.near(second.held_out, old) == []
    assert len(second.taught) == len(old)


def test_pictures_that_are_put_back_are_learnt(place: Place) -> None:
    """The same labels with more pictures are another retraining; with the same ones, the same."""
    names = place.keep("gate", dusk(60))
    pictures = {file: file.read_bytes() for file in (place.folder / "archive" / "pictures").rglob("*.jpg")}
    for name in names[:20]:
        _damage(place, name)
    torn = place.retrain()
    assert len(torn.labels.left_out["damaged"]) == 20
    assert not place.retrain().trained
    for file, raw in pictures.items():
        file.write_bytes(raw)
    whole = place.retrain()
    assert (whole.trained, whole.labels.left_out) == (True, {})
    assert sum(whole.labels.vehicles.values()) == 60


def test_since_a_day_takes_labels_of_it_and_later(place: Place) -> None:
    """Others are old: half of them are tried, the other half mixed in."""
    place.keep("gate", dusk(60), NOON - timedelta(days=2))
    names = place.keep("gate", dusk(30), NOON)
    found = place.retrain(since="2026-11-23")
    record = record_of(place.registry, found.version)
    assert record is not None
    assert sorted(record.taught) == sorted(names)
    assert found.labels.days == ("2026-11-23",)
    old = found.findings.changes[0].change.n if found.findings.changes else 0
    assert found.labels.replayed.get("archive", 0) + old == 60


def test_labels_from_before_a_champion_that_was_trained_elsewhere_are_old(place: Place) -> None:
    """It does not say on which labels it was trained."""
    place.keep("gate", dusk(30), NOON - timedelta(days=20))
    names = place.keep("gate", dusk(30))
    record = record_of(place.registry, place.retrain().version)
    assert record is not None
    assert sorted(record.taught) == sorted(names)


def test_an_approved_candidate_becomes_challenger_once(place: Place) -> None:
    """With its share; it takes the place of another, and is never champion."""
    place.keep("gate", dusk(40))
    other = replace(tiny_bundle(), version="tiny-2", card=replace(tiny_bundle().card, version="tiny-2"))
    place.registry.register(other, at=NOON, by="test")
    place.registry.record(Step("promoted", "tiny-2", NOON, "test", "for fun", "challenger", 0.5))
    version = place.retrain().version
    place.judge(version, approved=True)
    found = place.retrain(shadow_share=0.1)
    assert (found.approved, found.shadow, found.replaced) == (True, 0.1, "tiny-2")
    assert place.retrain(shadow_share=0.1) == replace(found, replaced=None)
    holders = place.registry.state().holders
    assert (holders["champion"].version, holders["challenger"].version) == ("tiny-1", version)
    assert place.actions().count("promoted") == 3


def test_who_was_decided_about_is_not_started_in_shadow_again(place: Place) -> None:
    """Neither one withdrawn nor a champion that was rolled back, nor by a service that starts anew; it is said how to."""
    place.keep("gate", dusk(40))
    version = place.retrain().version
    place.judge(version, approved=True)
    assert place.retrain().shadow == 0.25
    place.registry.record(Step("withdrawn", version, NOON, "me", "3 points worse", "challenger"))
    asked = RetrainRequest(qualify=False, folder=place.folder / "retraining")
    found = next(followed(place.settings, asked, Pace(every=timedelta(days=1)), Event(), silent))
    assert (found.shadow, "challenger" in place.registry.state().holders) == (None, False)
    assert found.not_started == (
        "it was withdrawn as challenger on 2026-11-23 (3 points worse); to compare it again:"
        f" roadwatch models promote {version} --to challenger --share 0.25"
    )
    place.registry.record(Step("promoted", version, NOON, "me", "", "champion"))
    place.registry.rollback("champion", at=NOON, by="me", reason="trucks of the quarry")
    found = place.retrain()
    assert found.shadow is None
    assert "it was made champion on 2026-11-23" in str(found.not_started)


def test_who_was_refused_before_it_was_approved_is_started_by_hand(place: Place) -> None:
    place.keep("gate", dusk(40))
    version = place.retrain().version
    place.judge(version, approved=False)
    place.judge(version, approved=True)
    found = place.retrain()
    assert (found.approved, found.shadow) == (True, None)
    assert "its qualification refused it on 2026-11-23" in str(found.not_started)


def test_without_anything_to_qualify_it_on_nothing_is_trained(place: Place) -> None:
    """What is missing is said first, not once it is registered; and of one that is registered, in the same words."""
    place.keep("gate", dusk(40))
    missing = "no labelled vehicle is held out to qualify it on: of 60 new ones and more a fifth is"
    with pytest.raises(ConfigurationError, match=missing):
        place.retrain(qualify=True)
    assert place.actions() == ["registered", "promoted"]
    assert place.retrain().registered
    with pytest.raises(ConfigurationError, match=missing):
        place.retrain(qualify=True)


def test_a_refused_candidate_goes_no_further(place: Place) -> None:
    place.keep("gate", dusk(40))
    version = place.retrain().version
    place.judge(version, approved=False)
    found = place.retrain(qualify=True)
    assert (found.approved, found.shadow, found.qualification) == (False, None, None)
    assert found.refusals == ("its qualification refused it",)


def test_the_model_that_ships_is_retrained_on_simulated_vehicles(tmp_path: Path) -> None:
    """Nobody is champion: vehicles of a camera that fell over are learnt, upright ones mixed in and kept."""
    place = shipped_place(tmp_path)
    place.keep("gate", turned(60), frames=2)
    found = place.retrain(replay=20)
    assert found.parent.startswith("road-")
    assert found.labels.replayed == {"simulated": 20}
    changes = {change.slice: change for change in found.findings.changes}
    assert changes["camera", "simulator"].change.n == 200
    assert not any(change.forgotten for change in found.findings.changes)
    assert found.findings.before + 0.15 < found.findings.after


@pytest.fixture
def run(place: Place, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs `roadwatch models retrain` there."""
    monkeypatch.chdir(place.folder)
    environment = {
        "ROADWATCH_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "ROADWATCH_MODELS__REGISTRY": place.settings.models.registry,
        "ROADWATCH_ARCHIVE__ADDRESS": place.settings.archive.address,
        "COLUMNS": "200",
    }
    return lambda *arguments: CliRunner().invoke(app, ["models", "retrain", *arguments], env=environment)


def test_the_command_tells_what_it_did(place: Place, run: Callable[..., Any]) -> None:
    """As text and as JSON; with --out the bundle is a folder too."""
    place.keep("gate", dusk(40))
    done = run("--no-qualify", "--out", "out")
    assert done.exit_code == 0, done.output
    for words in (
        "20 car, 20 truck, of gate, 2026-11-23",
        "0.500",
        "is registered, made from tiny-1",
        "models qualify",
    ):
        assert words in done.stdout
    told = json.loads(run("--no-qualify", "--json", "--out", "out").stdout)
    assert (told["trained"], told["registered"], told["labels"]["vehicles"]) == (False, True, {"car": 20, "truck": 20})
    assert load_bundle(place.folder / "out").version == told["version"]


def test_the_command_says_where_forgetting_could_not_be_tried(place: Place, run: Callable[..., Any]) -> None:
    place.keep("gate", dusk(100))
    assert "whether something is forgotten was not tried" in run("--no-qualify").stdout
    told = json.loads(run("--no-qualify", "--json").stdout)
    assert (told["old_vehicles_tried"], told["not_started"]) == (0, None)
    place.crown(told["version"])
    place.keep("bridge", dusk(60, middle=60), later(days=1))
    assert json.loads(run("--no-qualify", "--json").stdout)["old_vehicles_tried"] == told["labels"]["held_out"] > 0


def test_the_command_ends_with_1_where_it_is_refused(place: Place, run: Callable[..., Any]) -> None:
    place.keep("gate", [(grey(127), LABELS[number % 2]) for number in range(40)])
    done = run("--no-qualify")
    assert done.exit_code == 1
    assert "Not registered" in done.stdout


WRONG = [
    (("--since", "yesterday"), "no day such as"),
    (("--register",), "--register means nothing for a retraining of the archive's labels"),
    (("pictures", "--quick", "--out", "out"), "--quick means nothing for a retraining of pictures"),
    (("--base", "none"), "none: no such file or folder"),
    (("--parent", "nobody"), "nobody"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG, ids=[" ".join(given) for given, _ in WRONG])
def test_a_mistake_is_told(place: Place, run: Callable[..., Any], arguments: tuple[str, ...], message: str) -> None:
    place.keep("gate", dusk(40))
    done = run(*arguments)
    assert message in str(done.exception)
    assert place.actions() == ["registered", "promoted"]


SERVICE = ("--every", "1d", "--no-qualify", "--json")


def test_as_a_service_it_retrains_and_ends_when_it_is_told_to(place: Place) -> None:
    """What is tried at its start is done; nothing is tried again before its time, and SIGTERM ends it cleanly."""
    place.keep("gate", dusk(40))
    environment = {
        **os.environ,
        "ROADWATCH_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "ROADWATCH_MODELS__REGISTRY": place.settings.models.registry,
        "ROADWATCH_ARCHIVE__ADDRESS": place.settings.archive.address,
    }
    command = [sys.executable, "-m", "roadwatch", "models", "retrain", *SERVICE]
    with subprocess.Popen(command, cwd=place.folder, env=environment, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        first = running.stdout.readline()
        running.send_signal(signal.SIGTERM)
        rest = running.stdout.read()
        assert running.wait(30) == 0
    assert json.loads(first + rest)["registered"]
    assert place.actions() == ["registered", "promoted", "registered"]


def test_a_service_leaves_a_challenger_in_peace_and_waits_for_more_labels(place: Place) -> None:
    """Few labels are no error; with twenty more it is tried again, unless somebody is compared in shadow."""
    asked = RetrainRequest(qualify=False, folder=place.folder / "retraining")
    pace, stop = Pace(every=timedelta(seconds=0.01)), Event()
    place.keep("gate", dusk(10))
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(lambda: next(followed(place.settings, asked, pace, stop, silent)))
        place.keep("gate", dusk(30))
        first = found.result(30)
    assert first.registered
    place.judge(first.version, approved=True)
    place.retrain()
    place.keep("bridge", dusk(30))
    with ThreadPoolExecutor(1) as pool:
        left = pool.submit(lambda: list(followed(place.settings, asked, pace, stop, silent)))
        stop.wait(0.3)
        stop.set()
        assert left.result(30) == []


@pytest.mark.integration
def test_an_open_alert_about_accuracy_calls_for_a_retraining(settings: Settings) -> None:
    """One about a signal does not, and one that is resolved no more."""
    codec = open_codec(settings.kafka)
    alert = an_alert(metric="brightness", alert_id="a")
    with Writer(settings.kafka, codec) as writer:
        for told, is_called_for in (
            (alert, False),
            (replace(alert, metric="accuracy", alert_id="b"), True),
            (replace(alert, metric="accuracy", alert_id="b", state="resolved"), False),
        ):
            writer.send(ALERTS, told.alert_id, told)
            writer.flush()
            assert is_alarmed(settings.kafka) == is_called_for


@pytest.mark.integration
def test_killed_in_its_qualification_it_is_qualified_once_and_not_trained_again(
    tmp_path: Path, broker: TestBroker
) -> None:
    """On a real Kafka, the model that ships and simulated vehicles: all six parts, quickly, and challenger if approved."""
    place = shipped_place(tmp_path)
    place.keep("gate", turned(80))
    script = [sys.executable, "-c", textwrap.dedent(KILLED_LATER), str(tmp_path), broker.bootstrap_servers]
    done = subprocess.run(script, cwd=Path(__file__).parents[2], capture_output=True, check=False, timeout=150)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert place.actions() == ["registered"]
    kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
    found = place.retrain(qualify=True, quick=True, kafka=kafka, outputs=tmp_path / "pages")
    assert not found.trained
    assert found.qualification is not None
    assert [part.part for part in found.qualification.judgement.parts if part.checks] == list(PARTS)
    assert place.actions() == ["registered", "qualified", *(["promoted"] if found.approved else [])]
    assert (found.shadow is not None) == found.approved


KILLED_LATER = """
    import os, signal, sys
    from pathlib import Path
    from runtime.settings import KafkaSettings
    from tests.roadwatch.test_models_retrain import shipped_place

    def progress(step, done, total):
        if step == "accuracy":
            os.kill(os.getpid(), signal.SIGKILL)

    kafka = KafkaSettings(bootstrap_servers=sys.argv[2])
    shipped_place(Path(sys.argv[1])).retrain(progress, qualify=True, quick=True, kafka=kafka, outputs=Path(sys.argv[1]) / "pages")
"""
