"""Cameras as a service: each in a thread of its own, with its own source and its own writer to Kafka."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Event, Thread

import cv2
import structlog

from producers.cameras import SIMULATOR, CameraConfig
from producers.filming import CameraLoop, Equipment
from producers.framing import Framer
from producers.selection import EveryNth, Selection, Vehicles
from producers.simulator.pacing import PacedSource
from producers.simulator.source import SimulatorSource
from producers.sink import FrameSink
from producers.source import Source
from producers.sources import open_source
from producers.truth import TruthLabels
from producers.zones import Zone
from runtime.admin import TopicAdmin
from runtime.clients import Writer
from runtime.registry import open_codec
from runtime.settings import Settings
from schemas.codec import Codec
from schemas.errors import ConfigurationError, RoadwatchError, SourceError

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 0.2


def run_cameras(
    cameras: Sequence[CameraConfig], settings: Settings, stop: Event, beat: Callable[[], None] = lambda: None
) -> None:
    """Film with all cameras at once, until each has ended or `stop` is set.

    A camera that fails says so at once and ends; the others go on.

    Args:
        cameras: Each gets a thread.
        settings: The cluster.
        stop: Set it to end within a second or so.
        beat: Called a few times a second while any camera films.

    Raises:
        ConfigurationError: the only camera is a recording that is not there.
        BrokerUnavailableError: nobody answers.
        TopicError: topics are missing or not as the table says.
        RoadwatchError: after all have ended, what cameras failed of: a single one's own error, or all in one.

    """
    cv2.setNumThreads(1)
    if len(cameras) == 1:
        _require_recording(cameras[0])
    TopicAdmin(settings.kafka).require()
    codec = open_codec(settings.kafka)
    failures: dict[str, Exception] = {}
    threads = [_start(camera, partial(run_camera, camera, settings, codec, stop), failures) for camera in cameras]
    while filming := [thread for thread in threads if thread.is_alive()]:
        beat()
        filming[0].join(LOOK_EVERY_S)
    _raise(failures, len(cameras))


def _require_recording(camera: CameraConfig) -> None:
    """A file that is not there never will be: said at once, and not after a broker was found."""
    if camera.kind == "recording" and not Path(camera.source).exists():
        raise ConfigurationError("source", [f"camera {camera.id!r}: {camera.source} does not exist"])


def _start(camera: CameraConfig, run: Callable[[], None], failures: dict[str, Exception]) -> Thread:
    def film() -> None:
        try:
            run()
        except RoadwatchError as error:
            log.warning("camera failed", camera=camera.id, error=str(error))
            failures[camera.id] = error
        except Exception as error:
            log.exception("camera failed unexpectedly", camera=camera.id)
            failures[camera.id] = error

    thread = Thread(target=film, name=f"camera-{camera.id}")
    thread.start()
    return thread


def _raise(failures: dict[str, Exception], cameras: int) -> None:
    if len(failures) == 1 and cameras == 1:
        raise next(iter(failures.values()))
    if failures:
        lines = "\n".join(f"  - camera {name!r}: {error}" for name, error in sorted(failures.items()))
        raise RoadwatchError(f"{len(failures)} of {cameras} cameras failed\n{lines}")


def run_camera(camera: CameraConfig, settings: Settings, codec: Codec, stop: Event) -> None:
    """Film with one camera until its source ends or `stop` is set; raises as `CameraLoop.run`."""
    log.info("camera begins", camera=camera.id, kind=camera.kind)
    with Writer(settings.kafka, codec, stop=stop) as writer:
        CameraLoop(camera, equipment_of(camera, writer, stop)).run()


def equipment_of(camera: CameraConfig, sink: FrameSink, stop: Event) -> Equipment:
    """Everything that a described camera's loop works with; opens nothing yet."""
    framer = Framer(camera.id, camera.epoch(datetime.now(UTC)), camera.jpeg_quality)
    if camera.kind == "simulator":
        return _simulated(camera, framer, sink, stop)
    opener = _LiveOpener(camera, stop) if camera.kind == "live" else partial(_recorded, camera, stop)
    return Equipment(
        open=opener,
        sink=sink,
        framer=framer,
        selection=_selection(camera, framer, camera.zones),
        stopped=stop.is_set,
        wait=stop.wait,
    )


def _simulated(camera: CameraConfig, framer: Framer, sink: FrameSink, stop: Event) -> Equipment:
    simulator = simulator_of(camera)
    zones = camera.zones or tuple(Zone(name, tuple(area), line) for name, area, line in simulator.zones())
    return Equipment(
        open=lambda: _paced(simulator, camera.speed, stop),
        sink=sink,
        framer=framer,
        selection=_selection(camera, framer, zones),
        stopped=stop.is_set,
        wait=stop.wait,
        device=simulator.telemetry_at,
        truth=TruthLabels(camera.id, simulator.truth_at) if camera.simulator.truth else None,
    )


def simulator_of(camera: CameraConfig) -> SimulatorSource:
    """The simulated road that a camera with a `sim:` source looks at."""
    wanted = camera.simulator
    return SimulatorSource(
        camera.source.removeprefix(SIMULATOR),
        seed=wanted.seed,
        start=camera.start,
        days=wanted.days,
        passages_per_day=wanted.passages_per_day,
        truck_share=wanted.truck_share,
        conditions=wanted.conditions,
        pictures_per_second=wanted.pictures_per_second,
    )


def _selection(camera: CameraConfig, framer: Framer, zones: Sequence[Zone]) -> Selection:
    return Vehicles(framer, zones) if camera.gate else EveryNth(framer, camera.every)


def _recorded(camera: CameraConfig, stop: Event) -> Source:
    with _faults_of(camera):
        return _paced(
            open_source(camera.source, started_at=camera.start, fps=camera.fps, loop=camera.loop), camera.speed, stop
        )


class _LiveOpener:
    """Opens a live camera, anew after each loss, and lets go of it as soon as somebody says stop."""

    def __init__(self, camera: CameraConfig, stop: Event) -> None:
        self._camera = camera
        self._stop = stop
        self._source: Source | None = None
        self._watcher = Thread(target=self._close_at_stop, name=f"stop-{camera.id}", daemon=True)

    def __call__(self) -> Source:
        """Begin to connect; only reading tells whether the camera answers."""
        with _faults_of(self._camera):
            self._source = open_source(self._camera.source)
        if not self._watcher.is_alive() and not self._stop.is_set():
            self._watcher.start()
        return self._source

    def _close_at_stop(self) -> None:
        """A read that waits for a picture returns when its source is closed."""
        self._stop.wait()
        if self._source:
            self._source.close()


@contextmanager
def _faults_of(camera: CameraConfig) -> Iterator[None]:
    """What fails when a source is opened can never work: streams connect later, when read."""
    try:
        yield
    except SourceError as error:
        raise ConfigurationError(f"camera {camera.id!r}", [f"source: {error}"]) from error


def _paced(source: Source, speed: float, stop: Event) -> Source:
    def wait(seconds: float) -> None:
        stop.wait(seconds)

    return PacedSource(source, speed or None, sleep=wait)
