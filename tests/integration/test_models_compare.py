"""Champion against challenger, and frames explained, on a real Kafka."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from pathlib import Path
from threading import Event

import cv2
import numpy as np
import pytest

from models.bundle import BUNDLED, Bundle, load_bundle, save_bundle
from models.comparison import Counts, Rule
from models.registry.history import Step
from models.registry.opening import open_registry
from roadwatch.comparing import Asked, Standing, asked_of, compared, followed
from roadwatch.explaining import explained, model_for, picture_of
from runtime.clients import Outgoing, Writer
from runtime.settings import KafkaSettings, Settings
from schemas.codec import Codec
from schemas.errors import ConfigurationError, ModelRegistryError, PictureError, TopicError
from schemas.ids import passage_id
from schemas.records import Frame, Label, Prediction
from schemas.topics import FRAMES, LABELS, PREDICTIONS, SHADOW_PREDICTIONS
from tests.models.bundles import tiny_bundle
from tests.support.records import EPOCH, NOON, a_frame, a_label, a_prediction

pytestmark = pytest.mark.integration
CODEC = Codec()
OLD_TO_NEW = Asked("old", "new", Rule(), None)
WHERE = {Prediction: PREDICTIONS, Label: LABELS, Frame: FRAMES}


def quietly(_topic: str, _number: int) -> None:
    """Show no progress."""


def vehicle(number: int, said: tuple[str, str], truth: str | None) -> list[Prediction | Label]:
    """Return three frames of one vehicle as champion and challenger saw it, and its label."""
    first, passage = number * 60, passage_id("gate", EPOCH, number * 60)
    frames = [
        a_prediction(first + k, label, passage_id=passage, model_version=version)
        for version, label in zip(("old", "new"), said, strict=True)
        for k in range(3)
    ]
    at = NOON + timedelta(days=1, seconds=number)
    label = a_label(truth, passage_id=passage, label_id=f"label-{number}", labelled_at=at)
    return [*frames, *([label] if truth else [])]


def send(kafka: KafkaSettings, records: Iterable[Prediction | Label | Frame]) -> None:
    with Writer(kafka, CODEC) as writer:
        for record in records:
            shadow = isinstance(record, Prediction) and record.model_version == "new"
            writer.send(SHADOW_PREDICTIONS if shadow else WHERE[type(record)], record.camera_id, record)


def road(better: int, alike: int) -> list[Prediction | Label]:
    """Return vehicles that the challenger alone tells, and others that both tell."""
    told = [("car", "truck")] * better + [("truck", "truck")] * alike
    return [record for number, said in enumerate(told) for record in vehicle(number, said, "truck")]


def test_what_is_on_the_cluster_is_paired_and_weighed(kafka: KafkaSettings) -> None:
    """Forty of fifty labelled vehicles told by the challenger alone; one more has no label."""
    send(kafka, [*road(40, 10), *vehicle(60, ("car", "car"), None)])
    standing = compared(kafka, OLD_TO_NEW, quietly)
    assert standing.evidence.answer == "promote"
    assert standing.evidence.counts == Counts(both=10, challenger=40)
    assert standing.left_out == {"frames of vehicles without a label": 6}
    assert standing.sentence.startswith(
        "Promote: on 50 labelled vehicles new is 80.0 points better than old; that it is better"
    )


def test_the_same_cluster_gives_the_same_answer_again(kafka: KafkaSettings) -> None:
    send(kafka, road(20, 20))
    assert compared(kafka, OLD_TO_NEW, quietly) == compared(kafka, OLD_TO_NEW, quietly)


def test_pictures_before_since_and_unreadable_records_are_left_out_and_counted(kafka: KafkaSettings) -> None:
    send(kafka, road(1, 4))
    with Writer(kafka, CODEC) as writer:
        writer.send_bytes(Outgoing(kafka.names.of(PREDICTIONS), b"gate", b"no avro", []))
    standing = compared(kafka, replace(OLD_TO_NEW, since=NOON + timedelta(seconds=150)), quietly)
    assert standing.evidence.counts.labels == 2
    assert standing.left_out["unreadable records"] == 1
    assert standing.left_out["predictions of pictures before --since"] == 18


def test_nothing_to_compare_is_an_answer_too(kafka: KafkaSettings) -> None:
    standing = compared(kafka, OLD_TO_NEW, quietly)
    assert standing.evidence.answer == "not yet"
    assert standing.sentence == "Not yet: no vehicle that both old and new saw is labelled."
    assert json.loads(json.dumps(standing.plain(), default=str))["labels_wanted"] is None


def test_a_cluster_without_the_topics_is_told(kafka: KafkaSettings) -> None:
    bare = kafka.model_copy(update={"topic_prefix": "nothing-here"})
    with pytest.raises(TopicError):
        compared(bare, OLD_TO_NEW, quietly)


def test_following_ends_in_the_decision_and_hears_corrections(kafka: KafkaSettings) -> None:
    """Labels come after their vehicles; one of them is corrected before the evidence suffices."""
    send(kafka, road(5, 5))
    stop = Event()
    standings = followed(kafka, OLD_TO_NEW, stop, quietly)
    until(standings, lambda standing: standing.evidence.counts.labels == 9)  # the tenth may still be there
    corrected = a_label(
        "car", passage_id=passage_id("gate", EPOCH, 0), label_id="other", labelled_at=NOON.replace(day=9)
    )
    send(kafka, [corrected])
    found = until(standings, lambda standing: standing.evidence.counts.champion == 1)
    assert found.evidence.warnings == ("labels corrected or taken back after they were counted: 1",)
    send(kafka, [record for n in range(10, 60) for record in vehicle(n, ("car", "truck"), "truck")])
    assert until(standings, lambda standing: standing.evidence.decision is not None).evidence.answer == "promote"
    stop.set()
    assert list(standings) == []


def until(standings: Iterable[Standing], holds: object) -> Standing:
    """Return the first of the next two hundred standings, half a second each at most, that is so."""
    return next(standing for standing in islice(standings, 200) if holds(standing))  # type: ignore[operator]


def register(settings: Settings, version: str) -> Bundle:
    bundle = tiny_bundle()
    bundle = replace(bundle, version=version, card=replace(bundle.card, version=version))
    open_registry(settings.models).register(bundle, at=NOON, by="test")
    return bundle


@pytest.fixture
def with_registry(settings: Settings, tmp_path: Path) -> Settings:
    """Settings with a registry of this test alone."""
    return settings.model_copy(
        update={"models": settings.models.model_copy(update={"registry": str(tmp_path / "registry")})}
    )


def test_the_registry_says_who_is_compared(with_registry: Settings) -> None:
    """Nobody is challenger at first; the champion is the model that ships until another is."""
    with pytest.raises(ModelRegistryError, match="nobody is challenger"):
        asked_of(with_registry, None, None, Rule(), None)
    register(with_registry, "tiny-2")
    step = Step("promoted", "tiny-2", NOON, "test", "for the test", "challenger", share=0.5)
    open_registry(with_registry.models).record(step)
    asked = asked_of(with_registry, None, None, Rule(), None)
    assert (asked.champion, asked.challenger) == (load_bundle(BUNDLED).version, "tiny-2")
    with pytest.raises(ConfigurationError, match="no match in itself"):
        asked_of(with_registry, "tiny-2", None, Rule(), None)


def a_picture(seed: int = 0) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    return bytes(cv2.imencode(".jpg", noise)[1])


def test_a_frame_is_found_and_explained_with_the_model_that_classified_it(with_registry: Settings) -> None:
    """Among frames whose ids begin alike, and predictions of two versions."""
    frames = [a_frame(n, picture=a_picture(n)) for n in (1, 12, 123)]
    send(with_registry.kafka, [*frames, a_prediction(1), a_prediction(12, model_version="tiny-3")])
    register(with_registry, "tiny-3")
    found = picture_of(with_registry, frames[1].frame_id, quietly)
    assert found.jpeg == frames[1].picture
    told = explained(with_registry, found, model_for(with_registry, found, None, None))
    assert (told.version, told.why) == ("tiny-3", "it classified the frame")


def test_a_frame_of_a_model_that_is_gone_is_explained_by_another_and_says_so(with_registry: Settings) -> None:
    send(with_registry.kafka, [a_frame(1, picture=a_picture()), a_prediction(1, model_version="gone-1")])
    found = picture_of(with_registry, a_frame(1).frame_id, quietly)
    chosen = model_for(with_registry, found, None, None)
    assert chosen.why == "the model that ships; gone-1, which classified the frame, is not registered"


def test_a_frame_past_its_retention_is_told_from_one_that_never_was(settings: Settings) -> None:
    send(settings.kafka, [a_prediction(7)])
    with pytest.raises(ConfigurationError, match=r"of 2026-03-02 12:00:07 UTC is no longer on .*frames, which keeps"):
        picture_of(settings, a_frame(7).frame_id, quietly)
    with pytest.raises(ConfigurationError, match="on neither"):
        picture_of(settings, a_frame(8).frame_id, quietly)


@pytest.mark.parametrize("target", ["nothing", "gate:2026-03-02:p4"])
def test_what_is_no_frame_is_told(target: str) -> None:
    with pytest.raises(ConfigurationError, match="PICTURE"):
        picture_of(Settings(), target, quietly)


def test_a_file_is_explained_on_the_command_line(tmp_path: Path) -> None:
    """A picture, and JSON beside it; a broken one ends in a message."""
    (tmp_path / "crop.jpg").write_bytes(a_picture())
    (tmp_path / "torn.jpg").write_bytes(a_picture()[:200])
    save_bundle(tiny_bundle(), tmp_path / "tiny")
    done = run(tmp_path, "models", "explain", "crop.jpg", "--bundle", "tiny", "--out", "map.png", "--json")
    assert json.loads(done.stdout)["version"] == "tiny-1"
    assert cv2.imread(str(tmp_path / "map.png")).shape[0] > 400
    torn = run(tmp_path, "models", "explain", "torn.jpg", "--bundle", "tiny")
    assert torn.returncode == 1
    assert "Traceback" not in torn.stderr


def test_a_comparison_is_asked_for_on_the_command_line(tmp_path: Path, kafka: KafkaSettings) -> None:
    """As a table for people, and as JSON."""
    send(kafka, road(3, 4))
    versions = ("--champion", "old", "--challenger", "new")
    shown = run(tmp_path, "models", "compare", *versions, kafka=kafka)
    assert "Not yet: on 7 labelled vehicles" in " ".join(shown.stdout.split())
    plain = run(tmp_path, "models", "compare", *versions, "--json", kafka=kafka)
    assert json.loads(plain.stdout)["counts"] == {"both": 4, "champion": 0, "challenger": 3, "neither": 0}
    assert run(tmp_path, "models", "compare", *versions, "--since", "soon", kafka=kafka).returncode == 2


def test_following_on_the_command_line_ends_with_the_decision(tmp_path: Path, kafka: KafkaSettings) -> None:
    send(kafka, road(60, 10))
    arguments = ("models", "compare", "--champion", "old", "--challenger", "new", "--follow", "--json")
    done = run(tmp_path, *arguments, kafka=kafka)
    assert json.loads(done.stdout)["decision"]["answer"] == "promote"


def run(folder: Path, *arguments: str, kafka: KafkaSettings | None = None) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ)
    if kafka:
        environment["ROADWATCH_KAFKA__BOOTSTRAP_SERVERS"] = kafka.bootstrap_servers
        environment["ROADWATCH_KAFKA__TOPIC_PREFIX"] = kafka.topic_prefix
    command = [sys.executable, "-m", "roadwatch", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def test_too_large_a_file_is_not_read(tmp_path: Path) -> None:
    large = tmp_path / "large.jpg"
    large.write_bytes(b"\xff\xd8" + bytes(9 * 1024 * 1024))
    with pytest.raises(PictureError, match="more than"):
        picture_of(Settings(), str(large), quietly)
