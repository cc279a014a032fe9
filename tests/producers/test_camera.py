"""Cameras on their real sources: the simulator, files that are not there, devices that do not answer."""

from collections import defaultdict
from pathlib import Path
from threading import Event, Thread

import pytest

from producers.camera import equipment_of, simulator_of
from producers.cameras import CameraConfig, read_camera
from producers.filming import CameraLoop
from producers.sink import ListSink
from schemas.errors import ConfigurationError
from schemas.records import Frame, Label, Telemetry
from tests.support.waiting import eventually

SIMULATED = {
    "id": "sim",
    "source": "sim:gate",
    "speed": 0,
    "heartbeat_s": 3600,
    "telemetry_s": 3600,
    "simulator": {"seed": 7, "days": 0.33, "passages_per_day": 70, "truth": True},
}
SHORTER = {**SIMULATED, "simulator": {"seed": 7, "days": 0.26, "passages_per_day": 70, "truth": True}}


def filmed(camera: CameraConfig, stop: Event | None = None) -> ListSink:
    """Everything that a camera sends until it ends."""
    sink = ListSink()
    CameraLoop(camera, equipment_of(camera, sink, stop or Event())).run()
    return sink


@pytest.fixture(scope="module")
def simulated() -> ListSink:
    """A simulated morning."""
    return filmed(read_camera(SIMULATED))


def test_a_simulated_camera_watches_its_views_own_lanes(simulated: ListSink) -> None:
    zones = {frame.zone_id for frame in simulated.records(Frame) if frame.kind == "vehicle"}
    assert zones == {"left", "right"}


def test_frames_are_numbered_without_a_gap_and_the_end_is_last(simulated: ListSink) -> None:
    frames = simulated.records(Frame)
    assert [frame.sequence for frame in frames] == list(range(len(frames)))
    assert [frame.kind for frame in frames].index("end") == len(frames) - 1


def test_passages_are_those_that_happened(simulated: ListSink) -> None:
    """Nearly every true crossing has a passage whose frames cross within a second of it."""
    simulator = simulator_of(read_camera(SIMULATED))
    crossed = {frame.passage_id: frame.crossed_at for frame in simulated.records(Frame) if frame.crossed_at}
    true = [passage.crossed_at for passage in simulator.passages(simulator.start, simulator.end)]
    found = [when for when in true if any(seen and abs((seen - when).total_seconds()) < 1 for seen in crossed.values())]
    assert len(true) >= 10
    assert len(found) >= 0.9 * len(true)


def test_each_crossing_is_labelled_once_before_the_end_frame(simulated: ListSink) -> None:
    """What closes the day comes after the labels that the day needs."""
    crossed = {frame.passage_id for frame in simulated.records(Frame) if frame.crossed_at}
    labelled = [label.passage_id for label in simulated.records(Label) if label.label]
    assert len(labelled) == len(set(labelled))
    assert len(crossed - set(labelled)) <= 1
    order = [sent.record for sent in simulated.sent]
    last_label = max(n for n, record in enumerate(order) if isinstance(record, Label))
    assert last_label < next(n for n, record in enumerate(order) if isinstance(record, Frame) and record.kind == "end")


def test_no_label_comes_after_the_promise_that_covers_it(simulated: ListSink) -> None:
    """Promises only grow, and each is kept."""
    first_seen = defaultdict(list)
    for frame in simulated.records(Frame):
        first_seen[frame.passage_id].append(frame.captured_at)
    promised = None
    for label in simulated.records(Label):
        assert promised is None or label.passage_id is None or min(first_seen[label.passage_id]) >= promised
        assert label.complete_until is not None
        assert promised is None or label.complete_until >= promised
        promised = label.complete_until


def test_a_simulated_device_is_measured(simulated: ListSink) -> None:
    told = simulated.records(Telemetry)
    assert all(record.temperature_c and len(record.magnetometer_ut) == 3 for record in told)
    assert [record.state for record in told] == ["running"] * (len(told) - 1) + ["ended"]


def test_a_simulation_run_again_sends_the_same_records(simulated: ListSink) -> None:
    """To the byte, as far as the shorter one goes: whoever reads both counts each frame once."""
    *again, _ = filmed(read_camera(SHORTER)).records(Frame)
    assert len(again) > 10
    assert again == simulated.records(Frame)[: len(again)]


@pytest.mark.parametrize("source", ["none.mp4", "usb:first", "."])
def test_a_source_that_can_never_work_is_a_fault_of_the_configuration(source: str, tmp_path: Path) -> None:
    """No such file, no such device, no picture in the folder."""
    where = str(tmp_path) if source == "." else source
    with pytest.raises(ConfigurationError, match="source: "):
        filmed(read_camera({"id": "a", "source": where, "gate": False}))


def test_a_real_clip_is_read_to_its_end(shared_data: Path) -> None:
    """Its last frame says so, at the event time of its last picture."""
    clip = str(shared_data / "traffic-video" / "highway-small.avi")
    sink = filmed(read_camera({"id": "clip", "source": clip, "speed": 0, "gate": False, "every": 250}))
    frames = sink.records(Frame)
    assert [frame.kind for frame in frames] == ["sample", "heartbeat", "sample", "sample", "end"]
    assert (frames[-1].source_width, frames[-1].source_height) == (320, 240)
    assert 29 <= (frames[-1].captured_at - frames[0].captured_at).total_seconds() <= 30


def test_a_waiting_camera_stops_when_told() -> None:
    """In real time the simulator's next picture is twenty minutes away."""
    stop = Event()
    camera = read_camera({**SIMULATED, "speed": 1})
    thread = Thread(target=filmed, args=(camera, stop))
    thread.start()
    stop.set()
    thread.join(5)
    assert not thread.is_alive()


def test_a_live_camera_that_never_answers_stops_when_told() -> None:
    """It says that it stalls, is tried again, and a wait for it ends at once."""
    stop = Event()
    sink = ListSink()
    camera = read_camera({"id": "a", "source": "http://127.0.0.1:1/none", "gate": False})
    thread = Thread(target=CameraLoop(camera, equipment_of(camera, sink, stop)).run)
    thread.start()
    assert eventually(lambda: bool(sink.records(Telemetry)))
    stop.set()
    thread.join(5)
    assert not thread.is_alive()
    assert {record.state for record in sink.records(Telemetry)} == {"stalled"}
