"""The broker goes away and comes back: the processor waits, and each frame has one prediction."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from processors.service import run_processor
from roadwatch.ledger import Ledger, read_ledger
from runtime.admin import TopicAdmin
from runtime.broker import LocalBroker
from runtime.clients import Writer
from runtime.settings import KafkaSettings, ModelSettings, Settings
from schemas.codec import Codec
from schemas.topics import FRAMES
from tests.support.records import a_frame
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.chaos]

PICTURE = bytes(cv2.imencode(".jpg", np.full((40, 60, 3), 90, np.uint8))[1])


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[LocalBroker]:
    broker = LocalBroker(tmp_path / "broker", environment=os.environ)
    broker.start()
    yield broker
    broker.stop()


def _send(kafka: KafkaSettings, sequences: range) -> None:
    with Writer(kafka, Codec()) as writer:
        for n in sequences:
            writer.send(FRAMES, "gate", a_frame(n, picture=PICTURE))


def _predicted(kafka: KafkaSettings, count: int) -> Ledger:
    assert eventually(lambda: read_ledger(kafka).predicted >= count, 60)
    return read_ledger(kafka)


def test_a_broker_that_restarts_costs_no_frame(own_broker: LocalBroker, tmp_path: Path) -> None:
    kafka = KafkaSettings(bootstrap_servers=own_broker.bootstrap_servers)
    settings = Settings(kafka=kafka, models=ModelSettings(registry=str(tmp_path / "registry")))
    TopicAdmin(kafka).create()
    stop = threading.Event()
    processor = threading.Thread(target=run_processor, args=(settings, stop, "1"))
    processor.start()
    try:
        _send(kafka, range(30))
        _predicted(kafka, 30)
        own_broker.stop()
        own_broker.start()
        _send(kafka, range(30, 60))
        ledger = _predicted(kafka, 60)
    finally:
        stop.set()
        processor.join()
    assert ledger.balanced
    assert (ledger.frames, ledger.predicted) == (60, 60)
