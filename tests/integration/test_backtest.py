"""A backtest of what ran on a real Kafka says what the live monitor said, to the byte."""

import threading
from pathlib import Path

import pytest

from processors.service import run_processor
from producers.recordings.index import Chosen
from producers.recordings.recorder import USUAL, Ending, record
from producers.recordings.recording import Selection
from roadwatch.backtesting.comparing import LiveDay
from roadwatch.backtesting.trying import Request, backtest
from roadwatch.backtesting.variants import CURRENT, chosen_models, chosen_rules
from runtime.clients import Writer
from runtime.settings import Settings
from runtime.spans import read_all
from schemas.codec import Codec
from schemas.records import Frame, Label
from schemas.topics import FRAMES, LABELS, REPORTS, Topic
from tests.processors.road import running
from tests.support.backtests import Logged, filmed_days, tiny
from tests.support.monitors import judging, monitor
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

CODEC = Codec()


def test_the_live_runs_model_and_rules_give_its_reports_to_the_byte(settings: Settings, tmp_path: Path) -> None:
    """Frames through a real processor, their observations and labels through a real monitor, all of it recorded."""
    settings = _with(settings, tiny(tmp_path / "a", "tiny-a"))
    road = filmed_days()
    with running(lambda stop: run_processor(settings, stop, "1")), monitor(settings):
        _send(settings, road)
        assert eventually(lambda: len(_newest(settings, REPORTS)) >= 2, 90)
    record(settings.kafka, tmp_path / "day", USUAL, Chosen(), Ending(), threading.Event(), more=False)
    days = _tried(settings, tmp_path, "recorded", str(tmp_path / "a"))
    assert sorted((day.day, day.variant, day.equal) for day in days) == [
        (day, f"{model}, current", True) for day in ("2026-03-02", "2026-03-03") for model in ("recorded", "tiny-a")
    ]


def _with(settings: Settings, bundle: Path) -> Settings:
    processor = settings.processor.model_copy(update={"bundle": bundle})
    return judging(settings.model_copy(update={"processor": processor}), min_accuracy=0.9, min_labels=10)


def _send(settings: Settings, road: list[Logged]) -> None:
    """Labels first: the end of the camera's source closes its last day."""
    with Writer(settings.kafka, CODEC) as writer:
        for topic, kind in ((LABELS, Label), (FRAMES, Frame)):
            for each in road:
                if isinstance(each.record, kind):
                    writer.send(topic, "gate", each.record)
            writer.flush()


def _newest(settings: Settings, topic: Topic) -> dict[bytes | None, bytes]:
    found = read_all(settings.kafka, settings.kafka.names.of(topic))
    return {each.key: each.value for each in found}


def _tried(settings: Settings, folder: Path, *models: str) -> list[LiveDay]:
    request = Request(
        folder / "day",
        chosen_models(models, settings.models),
        chosen_rules([CURRENT], settings),
        Selection(),
        settings.processor,
    )
    return list(backtest(request, lambda _what, _done, _total: None).comparison.live)
