"""The way of a label on a real Kafka: asked for, exported, imported; kept where it came from elsewhere."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from typer.testing import CliRunner

from models.archive.archive import Archive
from models.archive.examples import Request
from models.archive.ledger import Ledger
from models.archive.opening import OWNER, open_archive
from models.asking import weights_of
from models.files import open_files
from roadwatch.cli import app
from roadwatch.labelling.days import examples_of_day
from roadwatch.labelling.importing import Import
from roadwatch.labelling.importing import Wanted as Importing
from roadwatch.labelling.keeping import Keeper
from roadwatch.labelling.requesting import Requested, Wanted, requested
from roadwatch.labelling.terminal import notes
from runtime.clients import Outgoing, Writer, client_properties
from runtime.picking import read_picked
from runtime.settings import ArchiveSettings, KafkaSettings, Settings
from runtime.spans import read_all
from schemas.codec import Codec
from schemas.errors import ArchiveError, ConfigurationError
from schemas.ids import frame_id, passage_id
from schemas.records import Frame, Label, Origin, Passage, Prediction, Record
from schemas.topics import FRAMES, LABELS, PASSAGES, PREDICTIONS, SHADOW_PREDICTIONS, Topic
from tests.support.examples import Killed, Stopping
from tests.support.records import EPOCH, NOON, a_frame, a_label, a_prediction

pytestmark = pytest.mark.integration
CODEC = Codec()
DAY = f"{NOON:%Y-%m-%d}"
VEHICLES = 12
PER_VEHICLE = 4

Run = Callable[..., Any]


def quietly(_topic: str, _number: int) -> None:
    """Show no progress."""


def a_picture(seed: int) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    return bytes(cv2.imencode(".jpg", noise)[1])


def send(kafka: KafkaSettings, topic: Topic, records: Iterable[Record]) -> None:
    with Writer(kafka, CODEC) as writer:
        for record in records:
            writer.send(topic, record.camera_id, record)  # type: ignore[attr-defined]
        writer.flush()


def vehicle(number: int, camera_id: str) -> list[Frame]:
    """A vehicle's frames, a second apart; it crosses at its second one. Its name is its first frame's."""
    first = number * PER_VEHICLE
    crossed = NOON + timedelta(seconds=first + 1)
    return [
        a_frame(
            n,
            camera_id,
            passage_id=passage_id(camera_id, EPOCH, first),
            crossed_at=None if n == first else crossed,
            picture=a_picture(n),
        )
        for n in range(first, first + PER_VEHICLE)
    ]


def origins(kafka: KafkaSettings) -> dict[str, Origin]:
    """Where the frames lie."""
    topic = kafka.names.of(FRAMES)
    found = {CODEC.decode(record.value, Frame).frame_id: record for record in read_all(kafka, topic)}
    return {name: Origin(topic, record.partition, record.offset) for name, record in found.items()}


def predicted(frame: Frame, origin: Origin, **changes: Any) -> Prediction:
    label = "car" if frame.sequence // PER_VEHICLE % 3 else "truck"
    made = a_prediction(frame.sequence, label, frame.camera_id, crossed_at=frame.crossed_at)
    return replace(made, passage_id=frame.passage_id, captured_at=frame.captured_at, origin=origin, **changes)


@pytest.fixture
def road(settings: Settings) -> Settings:
    """A day of two cameras: 24 vehicles whose frames lie among each other, classified."""
    kafka = settings.kafka
    frames = [f for n in range(VEHICLES) for camera in ("gate", "bridge") for f in vehicle(n, camera)]
    send(kafka, FRAMES, frames)
    where = origins(kafka)
    send(kafka, PREDICTIONS, [predicted(frame, where[frame.frame_id]) for frame in frames])
    return settings


@pytest.fixture
def kept(settings: Settings) -> tuple[Archive, Ledger]:
    return open_archive(settings.archive)


@pytest.fixture
def run(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `roadwatch label` on the test's cluster and archive, in its folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> str:
        done = CliRunner().invoke(app, ["label", *arguments], env=environment(settings))
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.stdout

    return call


def environment(settings: Settings) -> dict[str, str]:
    return {
        "ROADWATCH_KAFKA__BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers,
        "ROADWATCH_KAFKA__TOPIC_PREFIX": settings.kafka.topic_prefix,
        "ROADWATCH_ARCHIVE__ADDRESS": settings.archive.address,
        "ROADWATCH_MODELS__REGISTRY": settings.models.registry,
        "COLUMNS": "140",
    }


def wanted(budget: int = 6, **changes: Any) -> Wanted:
    return replace(Wanted(DAY, budget, None, 0, 100, "ann@host", datetime.now(UTC)), **changes)


def ask(settings: Settings, kept: tuple[Archive, Ledger], **changes: Any) -> Requested:
    return requested(settings, kept, wanted(**changes), {}, quietly)


def on(kafka: KafkaSettings, topic: Topic) -> list[Label]:
    return [CODEC.decode(record.value, Label) for record in read_all(kafka, kafka.names.of(topic))]


def words_on(kafka: KafkaSettings) -> list[Label]:
    """Labels on the topic that say something, without those that only end an import."""
    return [label for label in on(kafka, LABELS) if label.passage_id or label.frame_id]


def forget_frames(kafka: KafkaSettings, below: Mapping[str, int]) -> None:
    """Delete a camera's frames below a sequence, as retention does."""
    where = origins(kafka)
    asked = [
        TopicPartition(at.topic, at.partition, at.offset)
        for camera_id, sequence in below.items()
        if (at := where[frame_id(camera_id, EPOCH, sequence)])
    ]
    delete_before(kafka, asked)


def forget_all(kafka: KafkaSettings) -> None:
    delete_before(kafka, [TopicPartition(kafka.names.of(FRAMES), partition, -1) for partition in range(4)])


def delete_before(kafka: KafkaSettings, places: list[TopicPartition]) -> None:
    client = AdminClient(client_properties(kafka))  # its futures end with it
    for future in client.delete_records(places).values():
        future.result()


# A day's examples


def test_a_days_examples_come_with_their_pictures(road: Settings) -> None:
    """Those of a passage are its three largest."""
    found = examples_of_day(road, DAY, pictures=True, progress=quietly)
    assert len(found.examples) == 2 * VEHICLES
    assert found.gone == ()
    frames = [frame for example in found.examples for frame in example.frames]
    assert len(frames) == 3 * 2 * VEHICLES
    assert all(frame.picture == a_picture(int(frame.frame_id.rpartition(":")[2])) for frame in frames)
    assert list(found.examples) == sorted(found.examples, key=lambda each: (each.at, each.example_id))


def test_only_the_cameras_that_are_named_are_read(road: Settings) -> None:
    found = examples_of_day(road, DAY, ["gate"], pictures=False, progress=quietly)
    assert {each.camera_id for each in found.examples} == {"gate"}
    assert {frame.picture for each in found.examples for frame in each.frames} == {b""}


def test_the_monitors_verdict_the_challengers_and_an_unreadable_record(road: Settings) -> None:
    name = passage_id("gate", EPOCH, 0)
    at = NOON + timedelta(seconds=1)
    told = Passage(name, "gate", "lane-1", NOON, at, NOON, "car", 0.5, {"car": 1, "truck": 1}, 2, "road-test")
    send(road.kafka, PASSAGES, [told])
    send(road.kafka, SHADOW_PREDICTIONS, [a_prediction(0, "car", model_version="new", passage_id=name)])
    with Writer(road.kafka, CODEC) as writer:
        writer.send_bytes(Outgoing(road.kafka.names.of(PREDICTIONS), b"gate", b"no avro", []))
    found = examples_of_day(road, DAY, ["gate"], pictures=False, progress=quietly)
    (example,) = [each for each in found.examples if each.example_id == name]
    assert (example.predicted, example.confidence, example.dissent, example.challenged) == ("car", 0.5, 0.5, "car")
    assert found.unreadable == 1


def test_what_is_gone_is_named(road: Settings) -> None:
    """Of one vehicle all frames are gone, of another two of its three largest."""
    forget_frames(road.kafka, {"gate": PER_VEHICLE + 2})
    found = examples_of_day(road, DAY, ["gate"], pictures=False, progress=quietly)
    assert found.gone == (passage_id("gate", EPOCH, 0),)
    assert len(found.examples) == VEHICLES
    assert len(found.reachable()) == VEHICLES - 1
    assert len(found.reachable()[0].frames) == 1
    with_pictures = examples_of_day(road, DAY, ["gate"], pictures=True, progress=quietly)
    assert with_pictures.gone == found.gone


def test_records_are_picked_from_where_they_lie(road: Settings) -> None:
    """Near and far, and those that never were or are gone are passed."""
    kafka, where = road.kafka, origins(road.kafka)
    places = [((at.topic, at.partition), at.offset) for at in where.values()]
    chosen = [*places[::7], (places[0][0], 10**6), ((kafka.names.of(FRAMES), 1), 0)]
    found = [((record.topic, record.partition), record.offset) for record in read_picked(kafka, chosen)]
    assert sorted(found) == sorted(places[::7])
    assert list(read_picked(kafka, [])) == []


# Asked for


def test_a_request_keeps_the_pictures_of_what_it_asks_for(road: Settings, kept: tuple[Archive, Ledger]) -> None:
    found = ask(road, kept)
    archive, ledger = kept
    assert found.is_new
    assert ledger.requests() == (found.request,)
    assert (len(found.request.asked), found.request.population) == (6, 24)
    examples = list(archive.read(each.example_id for each in found.request.asked))
    assert [len(example.frames) for example in examples] == [3] * 6
    assert all(frame.picture.startswith(b"\xff\xd8") for each in examples for frame in each.frames)


def test_asked_twice_it_is_the_same_request(road: Settings, kept: tuple[Archive, Ledger]) -> None:
    """Also when the day has grown, and its pictures have gone."""
    first = ask(road, kept)
    forget_frames(road.kafka, {"gate": 30, "bridge": 30})
    again = ask(road, kept, by="bob@host")
    assert (again.is_new, again.request) == (False, first.request)
    assert set(again.examples) == {each.example_id for each in first.request.asked}
    assert ask(road, open_archive(road.archive), cameras=("gate",)).request != first.request


def test_only_what_still_has_its_pictures_is_asked_for(road: Settings, kept: tuple[Archive, Ledger]) -> None:
    forget_frames(road.kafka, {"gate": 6 * PER_VEHICLE})
    found = ask(road, kept, budget=100)
    assert (len(found.gone), found.request.population, len(found.request.asked)) == (6, 18, 18)
    assert not set(found.gone) & {each.example_id for each in found.request.asked}
    asked = [each.at for each in found.request.asked if each.at and each.example_id.startswith("gate")]
    assert (min(asked), max(asked)) == (found.request.reach["gate"].first, found.request.reach["gate"].last)
    assert found.request.reach["gate"].first > found.request.reach["bridge"].first


def test_a_day_that_is_not_over_is_asked_about_again_later(road: Settings, kept: tuple[Archive, Ledger]) -> None:
    """It is said, also when it is asked for again, until the day's end."""
    noon = datetime(2026, 3, 2, 12, 5, tzinfo=UTC)
    for _ in range(2):
        (note,) = notes(ask(road, kept, at=noon))
        assert note == (
            "The day was not over: the labels speak for its vehicles up to 12:05 UTC. Ask again after 2026-03-03 00:00 UTC"
            " with another --seed, for those that came later."
        )
    assert notes(ask(road, kept, at=noon + timedelta(hours=12), seed=2)) == []


def killed_at(address: str, writes: int) -> tuple[Archive, Ledger]:
    """An archive whose writer is killed at its n-th write."""
    files = Stopping(open_files(address, {}, OWNER), writes)
    return Archive(files, "here"), Ledger(files, "here")


def test_killed_at_any_write_the_next_request_is_whole(road: Settings, tmp_path: Path) -> None:
    """Six examples of three pictures and a file each, then the request."""
    for writes in (0, 1, 4, 9, 18, 24):
        address = str(tmp_path / f"killed-at-{writes}")
        with pytest.raises(Killed):
            ask(road, killed_at(address, writes))
        archive, ledger = open_archive(ArchiveSettings(address=address))
        assert ledger.requests() == ()
        found = ask(road, (archive, ledger))
        assert found.is_new
        assert archive.ids() == {each.example_id for each in found.request.asked}


def test_there_is_nothing_to_ask_about(settings: Settings, road: Settings, kept: tuple[Archive, Ledger]) -> None:
    with pytest.raises(ConfigurationError, match=r"holds no vehicle of attic that crossed a line on 2026-03-02"):
        ask(road, kept, cameras=("attic",))
    with pytest.raises(ConfigurationError, match="holds no vehicle that crossed a line on 2026-03-09"):
        ask(road, kept, day="2026-03-09")
    forget_frames(road.kafka, {"gate": 45, "bridge": 45})
    assert len(ask(road, kept, budget=50).request.asked) == 2
    forget_all(road.kafka)
    with pytest.raises(ConfigurationError, match="the pictures of all 24 vehicles and single frames are no longer on"):
        ask(road, kept)


# From the request to the topic


def fill(file: Path, answers: Mapping[str, str]) -> None:
    rows = list(csv.DictReader(io.StringIO(file.read_text())))
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows({**row, "label": answers.get(row["passage_id"], "")} for row in rows)
    file.write_text(text.getvalue())


def request_of(run: Run, *options: str) -> Request:
    """Ask on the command line; return the request as it is told."""
    told = json.loads(run("request", DAY, "--budget", "6", "--json", *options))
    return Request(**{name: told[name] for name in Request.__slots__})


def test_the_way_of_a_label(road: Settings, run: Run, kept: tuple[Archive, Ledger], tmp_path: Path) -> None:
    """Asked for, exported, filled in, imported: on the topic with the weight of its request; then the queue is shorter."""
    asked = request_of(run).asked
    shown = " ".join(run("request", DAY, "--budget", "6").split())
    assert "6 labels of 24 examples of 2026-03-02, was asked before" in shown
    run("export", "labels.csv")
    names = [each["example_id"] for each in asked]  # type: ignore[index]
    weights = {each["example_id"]: each["weight"] for each in asked}  # type: ignore[index]
    fill(tmp_path / "labels.csv", dict.fromkeys(names[:4], "truck"))
    told = json.loads(run("import", "labels.csv", "--source", "ann", "--json"))
    assert (told["sent"], told["new"], told["asked"], told["open"]) == (4, 4, 4, 2)
    said = {label.passage_id: label for label in words_on(road.kafka)}
    assert {name: label.weight for name, label in said.items()} == {name: weights[name] for name in names[:4]}
    assert {(label.label, label.source) for label in said.values()} == {("truck", "ann")}
    assert [each["example_id"] for each in json.loads(run("queue", "--json"))["open"]] == names[4:]


def test_the_same_file_twice_counts_once(
    road: Settings, run: Run, kept: tuple[Archive, Ledger], tmp_path: Path
) -> None:
    """What is sent again is the same to the byte: a label's time is when it was first given."""
    request_of(run)
    run("export", "labels.csv")
    example_id = json.loads(run("queue", "--json"))["open"][0]["example_id"]
    fill(tmp_path / "labels.csv", {example_id: "car"})
    assert "1 labels sent" in run("import", "labels.csv")
    again = " ".join(run("import", "labels.csv").split())
    assert "1 labels sent, 1 of which the ledger knew: they count once" in again
    first, second = words_on(road.kafka)
    assert first == second
    assert len(kept[1].labels()) == 1


def test_a_day_that_is_asked_about_again_weighs_anew(
    road: Settings, run: Run, kept: tuple[Archive, Ledger], tmp_path: Path
) -> None:
    """Answers of before are sent again as they weigh with both requests; once more, and nothing changes."""
    (known, *_) = (each["example_id"] for each in request_of(run).asked)  # type: ignore[index]
    file = tmp_path / "labels.csv"
    file.write_text(f"passage_id,label\n{known},car\n")
    run("import", file.name)
    request_of(run, "--seed", "2")
    weight = weights_of(kept[1].requests())[known]
    for _ in range(2):
        assert "1 answers of before were sent again" in " ".join(run("import", file.name).split())
        assert newest_of(road.kafka, known).weight == weight
    assert len(kept[1].labels()) == 2


def test_an_answer_of_before_its_request_weighs_as_the_request_says(
    road: Settings, run: Run, kept: tuple[Archive, Ledger], tmp_path: Path
) -> None:
    """Also where the request was made while the import was under way; and a correction made since holds."""
    file = tmp_path / "labels.csv"
    file.write_text("passage_id,label\n" + "".join(f"gate:{DAY}:p{4 * n},car\n" for n in range(12)))
    early = datetime.now(UTC) - timedelta(hours=1)
    importing = Import(road, kept, Importing(file, ("car", "truck"), early, "ann"))
    asked = {each["example_id"]: each["weight"] for each in request_of(run).asked}  # type: ignore[index]
    importing.send(importing.check(), lambda: None)
    answered = [name for name in asked if name.startswith("gate:")]
    assert {name: newest_of(road.kafka, name).weight for name in answered} == {n: asked[n] for n in answered}
    corrected = early + timedelta(minutes=30)
    file.write_text(f"passage_id,label,labelled_at\n{answered[0]},truck,{corrected.isoformat()}\n")
    run("import", file.name, "--source", "ann")
    assert newest_of(road.kafka, answered[0]).label == "truck"


def newest_of(kafka: KafkaSettings, passage_id: str) -> Label:
    """The word that holds."""
    return max((each for each in words_on(kafka) if each.passage_id == passage_id), key=lambda each: each.labelled_at)


def test_killed_between_ledger_and_topic_a_second_run_sends_it(
    settings: Settings, run: Run, kept: tuple[Archive, Ledger], tmp_path: Path
) -> None:
    """The first has recorded all of its words, and sent one."""
    file = tmp_path / "labels.csv"
    file.write_text("passage_id,label\ngate:e:p1,car\nbridge:e:p2,truck\nroof:e:p3,car\n")

    def die() -> None:
        raise Killed

    importing = Import(settings, kept, Importing(file, ("car", "truck"), datetime.now(UTC)))
    with pytest.raises(Killed):
        importing.send(importing.check(), die)
    assert (len(kept[1].labels()), len(words_on(settings.kafka))) == (3, 1)
    assert "3 labels sent, 3 of which the ledger knew" in " ".join(run("import", "labels.csv").split())
    assert len({label.label_id for label in words_on(settings.kafka)}) == 3
    assert len(set(words_on(settings.kafka))) == 3, "what was sent again is what was sent before"


def test_a_file_with_a_fault_records_and_sends_nothing(
    road: Settings, run: Run, kept: tuple[Archive, Ledger], tmp_path: Path
) -> None:
    (tmp_path / "labels.csv").write_text("passage_id,label\ngate:e:p1,car\ngate:e:p2,tram\n")
    with pytest.raises(ConfigurationError, match="line 3: label 'tram' is not known"):
        run("import", "labels.csv")
    assert (words_on(road.kafka), kept[1].labels()) == ([], ())


def test_answers_of_label_studio_come_back(
    road: Settings, run: Run, kept: tuple[Archive, Ledger], tmp_path: Path
) -> None:
    request_of(run)
    run("export", "tasks.json", "--format", "label-studio")
    tasks = json.loads((tmp_path / "tasks.json").read_text())
    result = [{"from_name": "label", "to_name": "image", "type": "choices", "value": {"choices": ["truck"]}}]
    for task in tasks:
        task["annotations"] = [{"result": result, "completed_by": 7, "updated_at": "2026-03-03T10:00:00Z"}]
    (tmp_path / "answers.json").write_text(json.dumps(tasks))
    assert json.loads(run("import", "answers.json", "--json"))["new"] == 6
    assert {label.source for label in words_on(road.kafka)} == {"label-studio:7"}
    assert json.loads(run("queue", "--json"))["open"] == []


# Kept


def labels_of(*vehicles: int, **changes: Any) -> list[Label]:
    return [
        a_label(
            label_id=f"loop-{n}",
            passage_id=passage_id("gate", EPOCH, n * PER_VEHICLE),
            **{"source": "loop", **changes},
        )
        for n in vehicles
    ]


def keeper(settings: Settings, kept: tuple[Archive, Ledger] | None = None, **options: Any) -> Keeper:
    return Keeper(settings, kept or open_archive(settings.archive), **options)


def test_labels_from_elsewhere_are_kept_with_their_pictures(road: Settings, kept: tuple[Archive, Ledger]) -> None:
    """A passage's, a single frame's, one that is taken back, one of what never was, and a promise."""
    frame = frame_id("gate", EPOCH, 9)
    promise = a_label(None, passage_id=None, label_id="promise", complete_until=NOON)
    withdrawn = labels_of(3, label=None)
    single = a_label(passage_id=None, frame_id=frame, label_id="single")
    send(road.kafka, LABELS, [*labels_of(0, 1, 500), *withdrawn, single, promise])
    found = keeper(road).keep()
    assert (found.labels, found.new, found.kept, found.gone) == (5, 5, 3, 1)
    archive, ledger = kept
    assert archive.ids() == {passage_id("gate", EPOCH, 0), passage_id("gate", EPOCH, PER_VEHICLE), frame}
    assert [len(each.frames) for each in archive.read([frame, passage_id("gate", EPOCH, 0)])] == [1, 3]
    assert len(ledger.labels()) == 5


def test_it_goes_on_where_it_left_off(road: Settings, kept: tuple[Archive, Ledger]) -> None:
    send(road.kafka, LABELS, labels_of(0))
    assert keeper(road).keep().labels == 1
    send(road.kafka, LABELS, labels_of(1))
    assert (keeper(road).keep().labels, keeper(road).keep().labels) == (1, 0)


def test_killed_at_any_write_no_label_is_lost(road: Settings, tmp_path: Path) -> None:
    """The words, three pictures, the example, where it left off."""
    send(road.kafka, LABELS, labels_of(0))
    for writes in range(6):
        address = str(tmp_path / f"killed-at-{writes}")
        with pytest.raises(Killed):
            keeper(road, killed_at(address, writes)).keep()
        archive, ledger = kept = open_archive(ArchiveSettings(address=address))
        assert keeper(road, kept).keep().labels == 1
        assert (len(archive.ids()), len(ledger.labels())) == (1, 1)
        assert keeper(road, kept).keep().labels == 0


def test_pictures_that_are_gone_are_counted_and_the_words_stay(road: Settings, kept: tuple[Archive, Ledger]) -> None:
    forget_frames(road.kafka, {"gate": PER_VEHICLE})
    send(road.kafka, LABELS, labels_of(0, 1))
    found = keeper(road).keep()
    assert (found.new, found.kept, found.gone) == (2, 1, 1)
    assert len(kept[1].labels()) == 2


def test_a_share_is_always_the_same(road: Settings) -> None:
    send(road.kafka, LABELS, labels_of(*range(VEHICLES)))
    found = keeper(road, share=0.5).keep()
    assert 0 < found.kept < VEHICLES
    assert found.kept + found.thinned == VEHICLES
    assert (found.new, found.gone) == (VEHICLES, 0)


def test_what_was_imported_is_not_counted_again(road: Settings, run: Run, tmp_path: Path) -> None:
    """Labels of an import come on the topic like any others."""
    name = passage_id("gate", EPOCH, 0)
    (tmp_path / "labels.csv").write_text(f"passage_id,label\n{name},car\n")
    run("import", "labels.csv")
    told = json.loads(run("keep", "--json"))
    assert (told["labels"], told["new"], told["kept"]) == (1, 0, 1)


def test_following_stops_when_it_is_told_to(road: Settings, kept: tuple[Archive, Ledger], tmp_path: Path) -> None:
    """What was logged a minute ago is kept first."""
    old = int((time.time() - 120) * 1000)
    with Writer(road.kafka, CODEC) as writer:
        (label,) = labels_of(0)
        writer._producer.produce(road.kafka.names.of(LABELS), CODEC.encode(label), b"gate", timestamp=old)
        writer.send(LABELS, "gate", labels_of(1)[0])
        writer.flush()
    command = [sys.executable, "-m", "roadwatch", "label", "keep", "--follow", "--every", "1"]
    process = subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, **environment(road)}, stderr=subprocess.PIPE, text=True
    )
    try:
        until(lambda: len(kept[0].ids()) == 1)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0, said
    assert "labels kept" in said
    assert [word.example_id for word in kept[1].labels()] == [passage_id("gate", EPOCH, 0)]


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_damaged_ledger_is_named(road: Settings, kept: tuple[Archive, Ledger]) -> None:
    send(road.kafka, LABELS, labels_of(0))
    keeper(road).keep()
    file = next((Path(road.archive.address) / "words").iterdir())
    file.write_bytes(b"torn")
    with pytest.raises(ArchiveError, match=file.name):
        open_archive(road.archive)[1].labels()
