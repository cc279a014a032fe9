"""Running processors follow the registry while frames flow, on a real Kafka: none is lost, none is doubled."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from processors.service import run_processor
from processors.shadow import is_chosen, run_shadow
from runtime.settings import Settings
from schemas.records import Alert
from schemas.topics import (
    ALERTS,
    MODELS,
    OBSERVATIONS,
    PREDICTIONS,
    SHADOW_PREDICTIONS,
)
from tests.processors.road import Road, running
from tests.processors.versions import promote, registry_of, unfit, version
from tests.support.monitors import once
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]


@pytest.fixture
def road(settings: Settings, tmp_path: Path) -> Iterator[Road]:
    """With a, b and an unfit version registered, and a polled so seldom that only events can make it quick."""
    models = settings.models.model_copy(update={"registry": str(tmp_path / "registry"), "poll": timedelta(minutes=10)})
    settings = settings.model_copy(update={"models": models})
    road = Road(settings, registry_of(models.registry, version("a"), version("b"), unfit("unfit")))
    with road.stack:
        yield road


@contextmanager
def flowing(road: Road) -> Iterator[None]:
    """Frames for as long as the context lasts, each of them predicted at its end."""
    with running(lambda stop: run_processor(road.settings, stop, "1")):
        with running(road.drive):
            yield
        assert eventually(lambda: len(road.so_far(PREDICTIONS)) >= len(road.sent))


def shadowed(road: Road) -> Any:
    """The challenger's worker."""
    return running(lambda stop: run_shadow(road.settings, stop, "1"))


def assert_each_frame_once(road: Road) -> None:
    """Neither lost nor doubled nor out of order."""
    assert [said.sequence for said in road.records(PREDICTIONS)] == list(range(len(road.sent)))


def test_swaps_and_rollbacks_lose_and_double_nothing(road: Road) -> None:
    """Four of them; each serves from one batch on, and the one before never again."""
    road.promote("a")
    with flowing(road):
        road.await_version("a")
        for act, name in ((lambda: road.promote("b"), "b"), (road.rollback, "a")) * 2:
            act()
            road.await_version(name)
    assert_each_frame_once(road)
    said = road.versions()
    assert [name for name, before in zip(said, ["", *said], strict=False) if name != before] == list("ababa")


def test_a_processor_looks_by_itself_where_no_event_comes(road: Road) -> None:
    models = road.settings.models.model_copy(update={"poll": timedelta(seconds=0.2)})
    road.settings = road.settings.model_copy(update={"models": models})
    with flowing(road):
        promote(road.registry, "a")
        road.await_version("a")
    assert_each_frame_once(road)


def test_a_bundle_that_the_settings_name_serves_whatever_the_registry_says(road: Road) -> None:
    folder = next(Path(road.registry.address).glob("bundles/b/*"))
    processor = road.settings.processor.model_copy(update={"bundle": folder})
    road.settings = road.settings.model_copy(update={"processor": processor})
    road.promote("a")
    with flowing(road):
        road.await_version("b")
    assert set(road.versions()) == {"b"}


def test_a_damaged_bundle_is_refused_while_frames_flow(road: Road) -> None:
    """The old one stays, and an event tells it; the next good one is taken."""
    road.promote("a")
    next(Path(road.registry.address).glob("bundles/b/*/model.onnx")).write_bytes(b"torn")
    with flowing(road):
        road.await_version("a")
        road.promote("b")
        road.await_event("refused", "b")
        sent = len(road.sent)
        assert eventually(lambda: len(road.versions()) > sent)
    assert_each_frame_once(road)
    assert set(road.versions()) == {"a"}


def test_frames_are_predicted_while_the_registry_is_gone(road: Road) -> None:
    """And when it is back, it is followed again."""
    folder = Path(road.registry.address)
    road.promote("a")
    with flowing(road):
        road.await_version("a")
        folder.rename(folder.with_name("away"))
        road.ring("promoted", "b")
        sent = len(road.sent)
        assert eventually(lambda: len(road.versions()) > sent + 50)
        assert road.versions()[-1] == "a"
        folder.with_name("away").rename(folder)
        road.promote("b")
        road.await_version("b")
    assert_each_frame_once(road)


@contextmanager
def monitoring(settings: Settings) -> Iterator[None]:
    """The monitor in a process of its own, killed at the end."""
    environment = os.environ | {
        "ROADWATCH_KAFKA__BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers,
        "ROADWATCH_KAFKA__TOPIC_PREFIX": settings.kafka.topic_prefix,
        "ROADWATCH_MONITOR__GROUP": settings.monitor.group,
        "ROADWATCH_MONITOR__DATA_FOLDER": str(settings.monitor.data_folder),
    }
    process = subprocess.Popen([sys.executable, "-m", "tests.monitor.process"], cwd=ROOT, env=environment)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def test_refusals_by_two_processors_are_one_alert_also_after_a_kill(road: Road) -> None:
    """The monitor is killed as soon as it has told the first; over when another version is champion."""
    road.promote("unfit")
    with running(lambda stop: run_processor(road.settings, stop, "1")):
        road.await_event("refused", "unfit")
        with monitoring(road.settings):
            assert eventually(lambda: bool(road.so_far(ALERTS)), 60)
    with running(lambda stop: run_processor(road.settings, stop, "2")), monitoring(road.settings):
        assert eventually(lambda: [event.kind for event in road.so_far(MODELS)].count("refused") == 2)
        road.promote("a")
        assert eventually(lambda: road.so_far(ALERTS)[-1].state == "resolved", 60)
    alerts: list[Alert] = once(road.records(ALERTS))  # type: ignore[assignment]
    assert [alert.state for alert in alerts] == ["open", "resolved"]
    assert {alert.alert_id.rpartition(":")[0] for alert in alerts} == {"model-refused:champion:unfit"}


def test_the_challenger_sees_its_share_from_now_on(road: Road) -> None:
    """Whole vehicles of what comes after its promotion; the monitor hears nothing of it."""
    road.promote("a")
    with flowing(road), shadowed(road):
        road.await_version("a")
        before = len(road.sent)
        assert road.so_far(SHADOW_PREDICTIONS) == []
        promote(road.registry, "b", "challenger", 0.5)
        road.ring("promoted", "b")
        assert eventually(lambda: len(road.so_far(SHADOW_PREDICTIONS)) > 100)
    said = road.records(SHADOW_PREDICTIONS)
    assert {prediction.model_version for prediction in said} == {"b"}
    first, last = said[0].sequence, said[-1].sequence
    assert first >= before
    wanted = [frame.sequence for frame in road.sent[first : last + 1] if is_chosen(frame, 0.5)]
    assert [prediction.sequence for prediction in said] == wanted
    assert {batch.model_version for batch in road.records(OBSERVATIONS)} == {"a"}


def test_a_shadow_that_starts_again_goes_on_where_it_was(road: Road) -> None:
    """No frame of its share is missing or said twice, although it was away for a while."""
    promote(road.registry, "b", "challenger", 1.0)
    with running(road.drive):
        for _ in range(2):
            said = len(road.so_far(SHADOW_PREDICTIONS))
            with shadowed(road):
                assert eventually(partial(_goes_on, road, said))
    numbers = [prediction.sequence for prediction in road.records(SHADOW_PREDICTIONS)]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))


def test_a_withdrawn_challenger_is_silent(road: Road) -> None:
    """What comes after the withdrawal is not read: the next challenger begins after it."""
    promote(road.registry, "b", "challenger", 1.0)
    with running(road.drive), shadowed(road):
        road.await_version("b", SHADOW_PREDICTIONS)
        promote(road.registry, "b")
        road.ring("promoted", "b")
        assert eventually(lambda: _is_silent(road))
        promote(road.registry, "a", "challenger", 1.0)
        road.ring("promoted", "a")
        road.await_version("a", SHADOW_PREDICTIONS)
    numbers = [prediction.sequence for prediction in road.records(SHADOW_PREDICTIONS)]
    assert len(numbers) == len(set(numbers)) < len(road.sent)


def _goes_on(road: Road, said: int) -> bool:
    """Whether the shadow has said more than that."""
    return len(road.so_far(SHADOW_PREDICTIONS)) > said + 50


def _is_silent(road: Road) -> bool:
    """Whether nothing was said although frames came."""
    said, sent = len(road.so_far(SHADOW_PREDICTIONS)), len(road.sent)
    return eventually(lambda: len(road.sent) > sent + 100) and len(road.so_far(SHADOW_PREDICTIONS)) == said
