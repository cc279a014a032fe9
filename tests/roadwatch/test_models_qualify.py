"""Around the measuring: pictures into frames, answers joined, versions found, verdicts written and recorded."""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.bundle import BUNDLED, load_bundle, save_bundle
from models.qualification.figures import Fault, Figure, Measured, Measurements, Subject, figure
from models.qualification.judgement import judge
from models.qualification.thresholds import parse_thresholds
from models.registry.store import Registry
from models.training.data import LabelledPicture
from roadwatch.ledger import Ledger
from roadwatch.qualification.answers import join, ledger_faults, verdicts_of, version_faults
from roadwatch.qualification.held_out import camera_of, frames_of, held_out, require_known
from roadwatch.qualification.load import backlog_of, latency_of
from roadwatch.qualification.outcome import headlines, reason_of
from roadwatch.qualification.stack import Arrival
from roadwatch.qualification.versions import find, find_champion, require_the_registered
from roadwatch.qualification.worker import resident_mb
from schemas.errors import ConfigurationError, ModelError
from tests.models.bundles import tiny_bundle
from tests.support.records import a_prediction

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
TABLE = b"[accuracy]\naccuracy = { min = 0.9 }\n[latency]\np99_ms = { max = 350 }\n"
SUBJECT = Subject("tiny-1", None, "made", "ab", "a machine", {}, NOON)


def _pictures(*sources: str) -> list[LabelledPicture]:
    rng = np.random.default_rng(1)
    return [
        LabelledPicture(f"{n}.jpg", rng.integers(0, 255, (20, 30, 3), np.uint8), "car", source, source)
        for n, source in enumerate(sources)
    ]


def _measured(accuracy: float = 0.95, p99_ms: float = 100.0) -> Measurements:
    parts = (Measured("accuracy", (Figure("accuracy", accuracy),)), Measured("latency", (Figure("p99_ms", p99_ms),)))
    return Measurements(SUBJECT, parts)


def test_each_source_is_a_camera_that_counts_its_own_frames() -> None:
    frames = list(frames_of(_pictures("Toll Road", "bridge", "Toll Road"), "accuracy"))
    assert [(frame.camera_id, frame.sequence) for frame in frames] == [
        ("toll-road", 0),
        ("bridge", 0),
        ("toll-road", 1),
    ]
    assert cv2.imdecode(np.frombuffer(frames[0].picture, np.uint8), cv2.IMREAD_COLOR).shape == (20, 30, 3)


@pytest.mark.parametrize(("source", "camera"), [("a:b/c", "a-b-c"), ("Überführung", "-berf-hrung"), ("", "camera")])
def test_a_source_of_any_name_makes_a_camera(source: str, camera: str) -> None:
    assert camera_of(source) == camera


def test_held_out_pictures_are_told_in_words() -> None:
    assert held_out("mine", _pictures("toll", "bridge", "toll")).about == "mine: 3 pictures (bridge 1, toll 2)"


def test_no_pictures_are_a_fault() -> None:
    with pytest.raises(ConfigurationError, match="no held-out pictures"):
        held_out("mine", [])


def test_classes_that_the_model_does_not_know_are_counted() -> None:
    with pytest.raises(ConfigurationError, match="2 pictures are 'car': tiny-1 knows bus, tram"):
        require_known(held_out("mine", _pictures("a", "a")), "tiny-1", ("bus", "tram"))


def _arrival(frame_id: str, label: str | None) -> Arrival:
    prediction = a_prediction(0, label, frame_id=frame_id) if label else None
    return Arrival(frame_id, prediction, at=1.0, written_at=1.0)


def test_pictures_get_the_first_prediction_of_their_frame() -> None:
    """A dead letter is no answer, and neither is nothing."""
    pictures = _pictures("a", "a", "a")
    frames = list(frames_of(pictures, "accuracy"))
    names = [frame.frame_id for frame in frames]
    joined = join(pictures, frames, [_arrival(names[2], "truck"), _arrival(names[2], "car"), _arrival(names[0], None)])
    assert joined.pictures == (pictures[2],)
    assert [prediction.label for prediction in joined.predictions] == ["truck"]
    assert joined.unanswered == 2


def test_predictions_carry_verdicts_in_the_order_of_the_labels() -> None:
    verdicts = verdicts_of([a_prediction(0, "truck"), a_prediction(1, "car")], tiny_bundle())
    assert verdicts.best == ("truck", "car")
    assert verdicts.familiar is None


def test_a_prediction_without_a_label_is_of_an_unfamiliar_picture() -> None:
    sure, unsure = a_prediction(0, "truck"), replace(a_prediction(1, "truck"), label=None, confidence=None)
    assert verdicts_of([sure, unsure], replace(tiny_bundle(), abstain_below=0.5)).labels == ("truck", None)


def test_predictions_of_another_model_are_a_fault() -> None:
    assert version_faults([a_prediction(0)], tiny_bundle()) == (
        Fault("predictions came from road-test, not from tiny-1"),
    )


def test_frames_that_ended_twice_or_never_are_faults() -> None:
    ledger = Ledger(frames=9, predicted=6, dead_lettered=0, waiting=2, doubled=((0, 1),), expired=0)
    assert [fault.what for fault in ledger_faults(ledger)] == [
        "1 of 9 held-out frames ended more than once",
        "2 of 9 held-out frames were never processed",
    ]


def test_a_refusal_says_for_which_parts() -> None:
    measured = _measured(0.5, 900)
    judgement = judge(parse_thresholds(TABLE, "table"), measured)
    assert reason_of(judgement, measured).startswith("refused for accuracy, errors, consistency, latency")


def test_a_fault_stands_in_the_reason() -> None:
    broken = Measurements(SUBJECT, (Measured("errors", (), (Fault("it does not load: no graph\nat all"),)),))
    judgement = judge(parse_thresholds(TABLE, "table"), broken)
    assert reason_of(judgement, broken).endswith(": it does not load: no graph")


def test_headlines_are_what_was_measured() -> None:
    assert headlines(_measured()) == {"accuracy": 0.95, "p99 ms": 100.0}


def test_a_frame_that_never_came_is_as_late_as_was_waited_for_it() -> None:
    """Two frames a second from 0 s; the second of three that count comes after 20 ms, the others not until 9 s."""
    due = {"b": 0.5, "c": 1.0, "d": 1.5}
    measured = latency_of(due, [replace(_arrival("c", "car"), at=1.02)], ended=9.0, load=2.0)
    assert [figure(measured, name).value for name in ("p50_ms", "max_ms")] == pytest.approx([7500.0, 8500.0])  # type: ignore[union-attr]


def test_no_prediction_under_load_is_a_fault() -> None:
    assert latency_of({"a": 0.0}, [], ended=9.0, load=2.0).faults


@pytest.mark.parametrize(("wanted", "frames"), [(0.5, 48), (1200.4, 1200), (1e9, 6000)])
def test_a_backlog_is_neither_tiny_nor_endless(wanted: float, frames: int) -> None:
    assert backlog_of(wanted) == frames


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry that holds the tiny bundle."""
    registry = Registry(str(tmp_path / "registry"))
    registry.register(tiny_bundle(), at=NOON, by="test")
    return registry


@pytest.mark.parametrize("name", ["tiny-1", "tin"])
def test_a_registered_version_is_laid_out_for_processors(registry: Registry, tmp_path: Path, name: str) -> None:
    bundle, folder = find(name, registry, tmp_path / "scratch")
    assert (bundle, load_bundle(folder)) == (tiny_bundle(), tiny_bundle())


def test_a_folder_is_taken_where_it_lies(registry: Registry, tmp_path: Path) -> None:
    save_bundle(tiny_bundle(), tmp_path / "mine")
    assert find(str(tmp_path / "mine"), registry, tmp_path) == (tiny_bundle(), tmp_path / "mine")


def test_the_shipped_bundle_has_a_name(registry: Registry, tmp_path: Path) -> None:
    assert find("bundled", registry, tmp_path)[1] == BUNDLED


def test_an_unknown_version_is_said_so(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nothing-like-it"):
        find("nothing-like-it", registry, tmp_path)


def test_another_bundle_of_a_registered_version_is_refused(registry: Registry) -> None:
    """Its verdict would be recorded for the registered one."""
    require_the_registered(tiny_bundle(), registry)
    with pytest.raises(ModelError, match="not what is registered"):
        require_the_registered(replace(tiny_bundle(), model=b"another"), registry)


def test_without_a_champion_the_shipped_bundle_is_compared_with(registry: Registry, tmp_path: Path) -> None:
    found = find_champion(None, tiny_bundle(), registry, tmp_path)
    assert found is not None
    assert found[1] == BUNDLED


def test_a_candidate_is_not_compared_with_itself(registry: Registry, tmp_path: Path) -> None:
    assert find_champion(None, load_bundle(BUNDLED), registry, tmp_path) is None
    with pytest.raises(ConfigurationError, match="the candidate itself"):
        find_champion("tiny-1", tiny_bundle(), registry, tmp_path)


def test_a_candidate_of_other_labels_is_compared_with_nothing(registry: Registry, tmp_path: Path) -> None:
    assert find_champion(None, tiny_bundle(labels=("bus", "tram")), registry, tmp_path) is None


def test_memory_of_a_process_is_told() -> None:
    assert 5 < (resident_mb(os.getpid()) or 0) < 10_000


MISTAKES = [
    (("qualify", "bundled", "--part", "beauty"), 2, "beauty"),
    (("qualify", "no-such-version"), 1, "no-such-version"),
    (("qualify", "bundled", "--data", "none.zip"), 2, "none.zip"),
    (("qualify", "bundled", "--thresholds", "none.toml"), 2, "none.toml"),
    (("qualify", "bundled", "--against", "bundled"), 2, "the candidate itself"),
    (("qualify", "bundled", "--out", "/proc/nothing"), 2, "/proc/nothing"),
    (("report", "one"), 2, "two or more"),
    (("report", "one", "two"), 1, "one"),
]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    MISTAKES,
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_a_mistake_ends_in_a_message(tmp_path: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    command = [sys.executable, "-m", "roadwatch", "models", *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)
    assert said in done.stderr
