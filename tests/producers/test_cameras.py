"""cameras.toml: what it describes, and every fault of it at once."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from producers.cameras import DEFAULT_START, CameraConfig, kind_of, load_cameras, read_camera
from schemas.errors import ConfigurationError
from schemas.ids import frame_id, parse_id

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "cameras.toml"
BEGAN = datetime(2026, 11, 23, 5, 6, 7, tzinfo=UTC)


def written(folder: Path, text: str) -> Path:
    """A cameras.toml with this text."""
    file = folder / "cameras.toml"
    file.write_text(text, encoding="utf-8")
    return file


def faults_of_file(folder: Path, text: str) -> list[str]:
    """What is wrong with a cameras.toml."""
    with pytest.raises(ConfigurationError) as caught:
        load_cameras(written(folder, text))
    return caught.value.faults


def test_the_example_in_the_documents_is_sound() -> None:
    """It shows one camera of each kind."""
    cameras = load_cameras(EXAMPLE)
    assert [camera.kind for camera in cameras] == ["live", "recording", "simulator"]
    assert [zone.id for zone in cameras[0].zones] == ["lane-1"]
    assert cameras[2].simulator.conditions[0].kind == "fog"


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("rtsp://camera/1", "live"),
        ("http://camera/mjpeg", "live"),
        ("usb:0", "live"),
        ("sim:gate", "simulator"),
        ("clips/monday.mp4", "recording"),
        ("C:/clips/monday.mp4", "recording"),
        ("pictures", "recording"),
    ],
)
def test_an_address_tells_the_kind_of_source(source: str, kind: str) -> None:
    assert kind_of(source) == kind


def test_every_fault_of_every_camera_is_named_at_once(tmp_path: Path) -> None:
    """Values, unknown names, zones, conditions and what does not go together: one look mends them all."""
    faults = faults_of_file(
        tmp_path,
        """
        [[cameras]]
        id = "Gate:1"
        source = "usb:0"
        speed = 2
        jpeg_qualty = 80
        zones = [{id = "lane", area = [[0, 0], [1, 1]]}]

        [[cameras]]
        id = "sim"
        source = "sim:moon"
        simulator = {conditions = ["snow@2026-01-01"]}
        """,
    )
    expected = ["Gate:1", "jpeg_qualty", "at least 3 corners", "speed: only for", "snow", "moon"]
    assert [word for word in expected if not any(word in fault for fault in faults)] == []
    assert all(fault.startswith(("camera 'Gate:1'", "camera 'sim'")) for fault in faults)


def test_ids_are_given_once(tmp_path: Path) -> None:
    """Two cameras, or two zones of one, never share an id."""
    camera = '[[cameras]]\nid = "a"\nsource = "sim:gate"\n'
    assert faults_of_file(tmp_path, camera + camera) == ["camera 'a' is there 2 times; give each an id of its own"]
    zone = {"id": "lane", "area": [[0, 0], [9, 0], [9, 9]]}
    with pytest.raises(ConfigurationError, match="zone 'lane' is there 2 times"):
        read_camera({"id": "a", "source": "usb:0", "zones": [zone, zone]})


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"source": "usb:0"}, "zones: none, and the gate is on"),
        ({"source": "sim:gate", "every": 5}, "every: counts pictures where the gate is off"),
        ({"source": "sim:gate", "gate": False, "simulator": {"truth": True}}, "simulator.truth"),
        ({"source": "sim:gate", "loop": True}, "loop: only for a recording"),
        ({"source": "usb:0", "gate": False, "simulator": {}}, "simulator: only for a simulator"),
        ({"source": "clip.mp4", "gate": False, "start": datetime(2026, 1, 1)}, "start"),  # noqa: DTZ001
    ],
)
def test_what_does_not_go_together_is_refused(values: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        read_camera({"id": "a", **values})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no camera in it"),
        ("cameras = 3", "no camera in it"),
        ("[[camera]]\nid=1", "camera: not known"),
        ("x", "not TOML"),
    ],
)
def test_a_file_without_cameras_says_how_to_begin(tmp_path: Path, text: str, said: str) -> None:
    assert any(said in fault for fault in faults_of_file(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such file"):
        load_cameras(tmp_path / "none.toml")


def test_a_recordings_epoch_is_the_same_in_every_run() -> None:
    """Name and start make it, never the clock; ids made with it can be taken apart."""
    camera = CameraConfig(id="a", source="clips/a day: 1.mp4", gate=False)
    assert camera.epoch(BEGAN) == camera.epoch(datetime.now(UTC)) == "a-day-1.mp4@20260101T000000Z"
    assert camera.start == DEFAULT_START
    assert parse_id(frame_id("a", camera.epoch(BEGAN), 3)).epoch == camera.epoch(BEGAN)


def test_a_simulations_epoch_names_view_and_seed() -> None:
    camera = read_camera({"id": "a", "source": "sim:gate", "simulator": {"seed": 7}})
    assert camera.epoch(BEGAN) == "sim-gate-7@20260101T000000Z"


def test_a_live_cameras_epoch_is_when_its_process_began() -> None:
    assert CameraConfig(id="a", source="usb:0", gate=False).epoch(BEGAN) == "20261123T050607Z"
