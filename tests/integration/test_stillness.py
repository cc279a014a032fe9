"""No pictures of any camera, on a real Kafka: told once, whoever reads which camera, and through a restart."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from runtime.clients import Writer
from runtime.settings import Settings
from schemas.codec import Codec
from schemas.observations import pack
from schemas.records import Alert, AlertAction, CameraDay
from schemas.topics import ALERT_ACTIONS, ALERTS, CAMERA_DAYS, OBSERVATIONS
from tests.monitor.world import CLASSES, START, heartbeat
from tests.support.monitors import judging, monitor, once, sent
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

AFTER = timedelta(seconds=5)
EVERY_S = 0.2
CAMERAS = ("gate", "west", "north", "south")
"One in each partition."
NUMBERS = count()


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Some seconds of nothing are told."""
    return judging(settings, silence_after=AFTER)


@contextmanager
def filming(settings: Settings, *cameras: str) -> Iterator[None]:
    """Pictures of cameras come for as long as the context lasts, of a day long past."""
    ended = threading.Event()

    def film() -> None:
        with Writer(settings.kafka, Codec(), linger_ms=0) as writer:
            while not ended.wait(EVERY_S):
                for camera in cameras:
                    n = next(NUMBERS)
                    (batch,) = pack([heartbeat(camera, n, START + timedelta(seconds=n))], CLASSES)
                    writer.send(OBSERVATIONS, camera, batch)

    thread = threading.Thread(target=film)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(10)


def is_heard(settings: Settings, *cameras: str) -> Callable[[], bool]:
    """Whether a monitor knows of these cameras."""
    return lambda: {day.camera_id for day in sent(settings, CAMERA_DAYS) if isinstance(day, CameraDay)} >= {*cameras}


def told(settings: Settings) -> list[Alert]:
    """What was told of silence, as often as it was."""
    return [alert for alert in sent(settings, ALERTS) if isinstance(alert, Alert) and alert.rule == "all-silent"]


def has_come_to(settings: Settings, *states: str) -> Callable[[], bool]:
    """Whether these were told; what a kill repeats is the same to the byte."""
    return lambda: tuple(alert.state for alert in once([*told(settings)]) if isinstance(alert, Alert)) == states


def acknowledge(settings: Settings, alert: Alert) -> None:
    """As `roadwatch alerts ack` does."""
    with Writer(settings.kafka, Codec()) as writer:
        said = AlertAction("acknowledge", alert.alert_id, "anna", datetime.now(UTC), None, "on my way")
        writer.send(ALERT_ACTIONS, alert.alert_id, said)


def test_a_silence_is_told_once_acknowledged_and_over_also_through_a_restart(settings: Settings) -> None:
    with monitor(settings):
        with filming(settings, "gate"):
            assert eventually(is_heard(settings, "gate"), 40)
        assert eventually(has_come_to(settings, "open"), 30)
        acknowledge(settings, told(settings)[0])
        assert eventually(has_come_to(settings, "open", "acknowledged"))
    with monitor(settings):
        assert not eventually(lambda: len(once([*told(settings)])) != 2, 12)
        with filming(settings, "gate"):
            assert eventually(has_come_to(settings, "open", "acknowledged", "resolved"), 30)
    assert len({alert.alert_id for alert in told(settings)}) == 1
    assert [alert.state for alert in told(settings)].count("open") == 1


def test_what_another_monitor_reads_is_no_silence(settings: Settings) -> None:
    """Two monitors share the cameras, one of which sends at a time, each for longer than a silence takes."""
    with monitor(settings), monitor(settings):
        with filming(settings, *CAMERAS):
            assert eventually(is_heard(settings, *CAMERAS), 60)
        for camera in CAMERAS:
            with filming(settings, camera):
                assert not eventually(lambda: bool(told(settings)), AFTER.total_seconds() + 2.5)
        assert eventually(has_come_to(settings, "open"), 30)
    assert told(settings)[0].cameras == tuple(sorted(CAMERAS))
