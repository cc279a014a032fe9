"""Cameras and imported labels on a real Kafka."""

from pathlib import Path
from threading import Event

import pytest
from typer.testing import CliRunner

from producers.camera import equipment_of, run_cameras
from producers.cameras import CameraConfig, read_camera
from producers.filming import CameraLoop
from producers.sink import ListSink
from roadwatch.cli import app
from runtime.clients import Received
from runtime.settings import KafkaSettings, Settings
from runtime.spans import read_all
from schemas.codec import Codec
from schemas.errors import BrokerUnavailableError, ConfigurationError, RoadwatchError, TopicError
from schemas.records import Frame, Label, Telemetry
from schemas.topics import FRAMES, LABELS, TELEMETRY, Topic

pytestmark = pytest.mark.integration


def simulated(name: str) -> CameraConfig:
    """A camera on a simulated night, with a few vehicles."""
    simulator = {"seed": 7, "days": 0.22, "passages_per_day": 100, "truth": True}
    return read_camera({"id": name, "source": "sim:gate", "speed": 0, "heartbeat_s": 3600, "simulator": simulator})


def on(kafka: KafkaSettings, topic: Topic) -> list[Received]:
    """Everything on a topic."""
    return list(read_all(kafka, kafka.names.of(topic)))


def test_a_cameras_frames_are_on_its_topic_in_order(kafka: KafkaSettings) -> None:
    """Every record that a list would hold, keyed by camera, each frame with its trace."""
    run_cameras([simulated("one")], Settings(kafka=kafka), Event())
    expected = ListSink()
    CameraLoop(simulated("one"), equipment_of(simulated("one"), expected, Event())).run()
    received = on(kafka, FRAMES)
    assert [Codec().decode(record.value, Frame) for record in received] == expected.records(Frame)
    assert {record.key for record in received} == {b"one"}
    assert all(record.header("traceparent") for record in received)


def test_cameras_film_side_by_side_and_one_that_fails_stops_no_other(kafka: KafkaSettings) -> None:
    """Two records of it: the error names the camera; the others' ends are on the topic."""
    broken = read_camera({"id": "broken", "source": "none.mp4", "gate": False})
    with pytest.raises(RoadwatchError, match=r"1 of 3 cameras failed[\s\S]*'broken'[\s\S]*does not exist"):
        run_cameras([simulated("one"), broken, simulated("two")], Settings(kafka=kafka), Event())
    told = [Codec().decode(record.value, Telemetry) for record in on(kafka, TELEMETRY)]
    assert {record.camera_id for record in told if record.state == "ended"} == {"one", "two"}


def test_a_single_cameras_error_is_raised_as_it_is(kafka: KafkaSettings) -> None:
    broken = read_camera({"id": "broken", "source": "none.mp4", "gate": False})
    with pytest.raises(ConfigurationError, match="does not exist"):
        run_cameras([broken], Settings(kafka=kafka), Event())


def test_cameras_that_are_told_to_stop_leave_without_an_end(kafka: KafkaSettings) -> None:
    """What they pushed before is on the topic."""
    stop = Event()
    camera = simulated("one").model_copy(update={"speed": 600.0})
    run_cameras([camera], Settings(kafka=kafka), stop, beat=stop.set)
    frames = [Codec().decode(record.value, Frame) for record in on(kafka, FRAMES)]
    assert "end" not in {frame.kind for frame in frames}


def test_missing_topics_are_named_before_anything_is_filmed(kafka: KafkaSettings) -> None:
    elsewhere = kafka.model_copy(update={"topic_prefix": f"{kafka.topic_prefix}-none"})
    with pytest.raises(TopicError, match="roadwatch topics create"):
        run_cameras([simulated("one")], Settings(kafka=elsewhere), Event())


def test_no_broker_is_said_with_its_address() -> None:
    nowhere = Settings(kafka=KafkaSettings(bootstrap_servers="127.0.0.1:1"))
    with pytest.raises(BrokerUnavailableError, match=r"127\.0\.0\.1:1"):
        run_cameras([simulated("one")], nowhere, Event())


def imported(kafka: KafkaSettings, file: Path, *options: str) -> int:
    """The exit code of `roadwatch label import`."""
    environment = {
        "ROADWATCH_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "ROADWATCH_KAFKA__TOPIC_PREFIX": kafka.topic_prefix,
        "ROADWATCH_ARCHIVE__ADDRESS": str(file.parent / "archive"),
    }
    result = CliRunner().invoke(app, ["label", "import", str(file), *options], env=environment)
    return 2 if isinstance(result.exception, ConfigurationError) else result.exit_code


@pytest.fixture
def labels_file(tmp_path: Path) -> Path:
    """Two right lines and a wrong one."""
    file = tmp_path / "labels.csv"
    file.write_text("frame_id,label\ngate:e:1,car\ngate:e:2,lorry\ngate:e:3,truck\n", encoding="utf-8")
    return file


def test_a_file_with_a_wrong_line_sends_nothing(kafka: KafkaSettings, labels_file: Path) -> None:
    assert imported(kafka, labels_file) == 2
    assert on(kafka, LABELS) == []


def test_the_right_lines_are_sent_when_asked_for(kafka: KafkaSettings, labels_file: Path) -> None:
    assert imported(kafka, labels_file, "--skip-bad") == 0
    *labels, done = [Codec().decode(record.value, Label) for record in on(kafka, LABELS)]
    assert [(label.frame_id, label.label) for label in labels] == [("gate:e:1", "car"), ("gate:e:3", "truck")]
    assert (done.frame_id, done.label, done.complete_until) == (None, None, None)  # late ones need not wait


def test_a_dry_run_sends_nothing(kafka: KafkaSettings, labels_file: Path) -> None:
    assert imported(kafka, labels_file, "--skip-bad", "--dry-run") == 0
    assert on(kafka, LABELS) == []
