"""What every test may ask for: the real pictures, a real Kafka, topics of its own."""

import os
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from runtime.admin import TopicAdmin
from runtime.settings import KafkaSettings, Settings
from tests.support.brokers import TestBroker, start_broker

cv2.setNumThreads(1)
os.environ.pop("COLUMNS", None)  # the workers of a test run get it, and rich would keep to it whatever a test asks for

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> Iterator[None]:
    """Ctrl-C reaches what tests start also where they run in the background themselves, with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real pictures and clips."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the real pictures are not there: {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestBroker]:
    """One real Kafka for the session; in a container where ROADWATCH_TEST_BROKER=docker asks for it."""
    with start_broker(tmp_path_factory.mktemp("kafka"), os.environ) as running:
        yield running


@pytest.fixture
def kafka(broker: TestBroker) -> Iterator[KafkaSettings]:
    """A cluster with topics of this test alone, deleted afterwards."""
    prefix = f"t{uuid.uuid4().hex[:10]}"
    settings = KafkaSettings(bootstrap_servers=broker.bootstrap_servers, topic_prefix=prefix)
    admin = TopicAdmin(settings)
    admin.create()
    yield settings
    admin.delete(name for name in admin.existing() if name.startswith(prefix))


@pytest.fixture
def settings(kafka: KafkaSettings, tmp_path: Path) -> Settings:
    """All settings, with a cluster, groups and a data folder of this test alone."""
    prefix = kafka.topic_prefix
    base = Settings(kafka=kafka)
    return base.model_copy(
        update={
            "processor": base.processor.model_copy(update={"group": f"{prefix}-processor"}),
            "monitor": base.monitor.model_copy(
                update={"group": f"{prefix}-monitor", "data_folder": tmp_path / "monitor"}
            ),
            "models": base.models.model_copy(update={"registry": str(tmp_path / "registry")}),
            "archive": base.archive.model_copy(update={"address": str(tmp_path / "archive")}),
            "mail": base.mail.model_copy(update={"group": f"{prefix}-mailer"}),
        }
    )
