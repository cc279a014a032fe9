"""`roadwatch failures` on a real Kafka: truths from everywhere, pictures from where they are, and what is asked for wrongly."""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from typer.testing import CliRunner

from models.archive.examples import GivenLabel
from models.archive.opening import open_archive
from models.bundle import BUNDLED, read_manifest
from roadwatch.cli import app
from roadwatch.failing.material import CONTRADICTED
from roadwatch.failing.request import FailuresRequest
from roadwatch.failing.session import Failing, failures_of
from roadwatch.labelling.days import examples_of_day
from runtime.admin import TopicAdmin
from runtime.clients import Outgoing, Writer, client_properties
from runtime.settings import KafkaSettings, Settings
from runtime.spans import read_all
from schemas.codec import Codec
from schemas.errors import ConfigurationError
from schemas.ids import passage_id
from schemas.records import Frame, Origin, Record
from schemas.topics import ALERTS, FRAMES, LABELS, PREDICTIONS, Topic
from tests.support.records import EPOCH, NOON, a_frame, a_label, a_prediction, an_alert

pytestmark = pytest.mark.integration
CODEC = Codec()
DAY = f"{NOON:%Y-%m-%d}"
VEHICLES = 12
"Of each camera: what the model calls a car. At the gate all are trucks but the last four, at the bridge all are cars."

Run = Callable[..., Any]


def quietly(_what: str, _done: int, _total: int) -> None:
    """Show no progress."""


def vehicle(number: int, camera_id: str) -> Frame:
    """A vehicle in one frame, a minute apart."""
    noise = np.random.default_rng(number).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    at = NOON + timedelta(minutes=number)
    picture = bytes(cv2.imencode(".jpg", noise)[1])
    return a_frame(
        number, camera_id, passage_id=name_of(number, camera_id), captured_at=at, crossed_at=at, picture=picture
    )


def name_of(number: int, camera_id: str = "gate") -> str:
    return passage_id(camera_id, EPOCH, number)


def truth_of(number: int, camera_id: str) -> str:
    return "truck" if camera_id == "gate" and number < 8 else "car"


def send(kafka: KafkaSettings, topic: Topic, records: Iterable[tuple[str, Record]]) -> None:
    with Writer(kafka, CODEC) as writer:
        for key, record in records:
            writer.send(topic, key, record)
        writer.flush()


def origins(kafka: KafkaSettings) -> dict[str, Origin]:
    topic = kafka.names.of(FRAMES)
    found = {CODEC.decode(record.value, Frame).frame_id: record for record in read_all(kafka, topic)}
    return {name: Origin(topic, record.partition, record.offset) for name, record in found.items()}


@pytest.fixture
def road(settings: Settings) -> Settings:
    """A day of two cameras, classified; the gate's labels are on the topic, the bridge's in the ledger."""
    kafka, numbers = settings.kafka, range(VEHICLES)
    frames = [vehicle(number, camera) for number in numbers for camera in ("gate", "bridge")]
    send(kafka, FRAMES, ((frame.camera_id, frame) for frame in frames))
    where = origins(kafka)
    send(
        kafka,
        PREDICTIONS,
        (
            (
                frame.camera_id,
                replace(
                    a_prediction(frame.sequence, "car", frame.camera_id, crossed_at=frame.crossed_at),
                    passage_id=frame.passage_id,
                    captured_at=frame.captured_at,
                    origin=where[frame.frame_id],
                ),
            )
            for frame in frames
        ),
    )
    send(
        kafka,
        LABELS,
        (("gate", a_label(truth_of(n, "gate"), passage_id=name_of(n), label_id=f"l{n}")) for n in numbers),
    )
    words = [GivenLabel(name_of(n, "bridge"), "car", "ann", NOON + timedelta(days=1), 2.0) for n in numbers]
    open_archive(settings.archive)[1].add(words)
    return settings


@pytest.fixture
def run(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `roadwatch failures` on the test's cluster and archive, in its folder."""
    monkeypatch.chdir(tmp_path)
    environment = {
        "ROADWATCH_KAFKA__BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers,
        "ROADWATCH_KAFKA__TOPIC_PREFIX": settings.kafka.topic_prefix,
        "ROADWATCH_ARCHIVE__ADDRESS": settings.archive.address,
        "ROADWATCH_MODELS__REGISTRY": settings.models.registry,
        "COLUMNS": "140",
    }

    def call(*arguments: str) -> Any:
        done = CliRunner().invoke(app, ["failures", *arguments], env=environment)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return json.loads(done.stdout) if "--json" in arguments else done.stdout

    return call


def found_on(settings: Settings, *cameras: str) -> Failing:
    return failures_of(settings, FailuresRequest(DAY, cameras, shown=2), quietly)


def test_truths_come_from_the_topic_and_from_the_ledger(road: Settings) -> None:
    """The bridge's count twice each: 12 of 36 are the gate's, and 8 of those are wrong."""
    found = found_on(road)
    assert (found.examples, found.labelled, found.failed) == (24, 24, 8)
    assert found.accuracy == pytest.approx(1 - 8 / 36)
    grouped = {name for group in found.groups for name in group.members}
    assert grouped | set(found.analysis.single) == {name_of(number) for number in range(8)}
    assert all(each.embedding.size for each in found.judged.values())
    assert (found.model, found.why) == (
        read_manifest(BUNDLED).version,
        "the model that ships; road-test, which classified the frame, is not registered",
    )


def test_a_correction_counts_and_a_contradiction_is_named(road: Settings) -> None:
    """Who labelled the first says that it is a car after all; of the second another source of the same weight says so."""
    later = NOON + timedelta(days=2)
    corrected = a_label("car", passage_id=name_of(0), label_id="c0", labelled_at=later)
    other = a_label("car", passage_id=name_of(1), label_id="c1", source="loop")
    send(road.kafka, LABELS, [("gate", corrected), ("gate", other)])
    with Writer(road.kafka, CODEC) as writer:
        writer.send_bytes(Outgoing(road.kafka.names.of(LABELS), b"gate", b"no avro", []))
    found = found_on(road, "gate")
    assert (found.labelled, found.failed, found.unreadable) == (11, 6, 1)
    assert found.left_out == {CONTRADICTED: (name_of(1),)}


def test_pictures_that_are_gone_come_from_the_archive(road: Settings) -> None:
    """Of one failure the archive has the picture; the others are named, and counted all the same."""
    kept = examples_of_day(road, DAY, pictures=True, progress=lambda *_: None).examples
    archive, _ = open_archive(road.archive)
    archive.keep(each for each in kept if each.example_id == name_of(0))
    forget_frames(road.kafka)
    found = found_on(road)
    assert (found.failed, set(found.unpictured)) == (8, {name_of(number) for number in range(1, 8)})
    assert set(found.looked) <= {name_of(0)}
    assert found.judged[name_of(0)].embedding.size


def forget_frames(kafka: KafkaSettings) -> None:
    """Delete all, as retention does."""
    client = AdminClient(client_properties(kafka))  # its futures end with it
    places = [TopicPartition(kafka.names.of(FRAMES), partition, -1) for partition in range(4)]
    for future in client.delete_records(places).values():
        future.result()


def test_a_day_that_is_gone_from_the_cluster_is_told_from_the_archive(settings: Settings, road: Settings) -> None:
    """Its labelled examples are all that is known of it."""
    archive, ledger = open_archive(road.archive)
    archive.keep(examples_of_day(road, DAY, pictures=True, progress=lambda *_: None).examples)
    ledger.add([GivenLabel(name_of(n), truth_of(n, "gate"), "ann", NOON + timedelta(days=1)) for n in range(VEHICLES)])
    elsewhere = settings.kafka.model_copy(update={"topic_prefix": f"{settings.kafka.topic_prefix}-new"})
    TopicAdmin(elsewhere).create()
    found = found_on(road.model_copy(update={"kafka": elsewhere}))
    assert (found.labelled, found.failed, found.unpictured) == (24, 8, ())


def test_the_command_writes_a_page_and_says_what_is_on_it(road: Settings, run: Run, tmp_path: Path) -> None:
    said = run(DAY, "--camera", "gate", "--out", "pages")
    assert f"{DAY}, gate: Wrong on 8 of 12 labelled vehicles" in said
    assert "pages/failures.html is the page" in said
    page = (tmp_path / "pages" / "failures.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg") >= 2
    told = run(DAY, "--camera", "bridge", "--json")
    assert (told["failed"], told["labelled"], told["groups"]) == (0, 12, [])
    assert "nothing failed" in (tmp_path / told["page"]).read_text(encoding="utf-8")


def test_an_alert_asks_about_its_day_and_cameras(road: Settings, run: Run) -> None:
    alert = an_alert(alert_id="drift|gate", day=DAY, cameras=("gate",), title="Fog at gate")
    send(road.kafka, ALERTS, [(alert.alert_id, alert)])
    told = run("--alert", "drift|gate", "--json")
    assert (told["day"], told["cameras"], told["about"], told["labelled"]) == (DAY, ["gate"], "Fog at gate", 12)
    with pytest.raises(ConfigurationError, match=r"'nothing' is not known; there are drift\|gate"):
        run("--alert", "nothing")


def test_what_is_not_there_is_named_with_what_to_do(road: Settings, run: Run) -> None:
    with pytest.raises(ConfigurationError, match="attic: nothing of it on 2026-03-02; there is no report of that day"):
        run(DAY, "--camera", "attic")
    with pytest.raises(ConfigurationError, match="no vehicle and no single frame of 2026-03-09 is on the cluster"):
        run("2026-03-09")
    withdrawn = [
        ("gate", a_label(None, passage_id=name_of(n), label_id=f"w{n}", labelled_at=NOON + timedelta(days=2)))
        for n in range(VEHICLES)
    ]
    send(road.kafka, LABELS, withdrawn)
    fault = (
        "nobody has labelled any of the 12 vehicles and single frames of 2026-03-02, gate; ask with 'roadwatch label"
    )
    with pytest.raises(ConfigurationError, match=fault):
        run(DAY, "--camera", "gate")
    with pytest.raises(ConfigurationError, match="there is no report yet"):
        run()
