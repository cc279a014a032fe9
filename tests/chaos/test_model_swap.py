"""A processor is killed in the middle of swaps, and nothing is lost or doubled."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from roadwatch.ledger import read_ledger
from runtime.settings import Settings
from tests.processors.road import Road, running
from tests.processors.versions import registry_of, version
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.chaos, pytest.mark.timeout(240)]

ROOT = Path(__file__).parents[2]


@contextmanager
def processor(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """A processor in a process of its own, killed at the end."""
    environment = os.environ | {
        "ROADWATCH_KAFKA__BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers,
        "ROADWATCH_KAFKA__TOPIC_PREFIX": settings.kafka.topic_prefix,
        "ROADWATCH_PROCESSOR__GROUP": settings.processor.group,
        "ROADWATCH_MODELS__REGISTRY": settings.models.registry,
    }
    command = [sys.executable, "-m", "roadwatch", "process", "--instance", "1"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_kills_in_the_middle_of_swaps_change_nothing(settings: Settings, tmp_path: Path) -> None:
    """Three times: the alias moves, the processor dies at once, and another starts with the model that holds now."""
    models = settings.models.model_copy(update={"registry": str(tmp_path / "registry"), "poll": timedelta(minutes=10)})
    settings = settings.model_copy(update={"models": models})
    road = Road(settings, registry_of(models.registry, version("a"), version("b")))
    road.promote("a")
    with road.stack:
        with running(road.drive):
            for name in ("b", "a", "b"):
                with processor(settings):
                    assert eventually(lambda: road.advances(50), 60)
                    road.promote(name)
        with processor(settings):
            assert eventually(lambda: road.advances(0), 60)
    ledger = read_ledger(settings.kafka)
    assert ledger.balanced
    assert (ledger.predicted, ledger.waiting) == (len(road.sent), 0)
