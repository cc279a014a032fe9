"""Faust's consumer as the monitor has it, without a broker."""

import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from faust.transport.drivers.aiokafka import Consumer
from faust.types import TP

from monitor.app import monitor_app
from runtime.settings import MonitorSettings, Settings
from schemas.codec import Codec
from schemas.topics import OBSERVATIONS


async def test_a_partition_without_a_position_ends_nothing(tmp_path: Path) -> None:
    """It was assigned and fetched before a rebalance, and its position is not known again yet; Faust's check fails on it."""
    consumer = monitor_app(Settings(monitor=MonitorSettings(data_folder=tmp_path)), Codec()).reading
    thread = consumer._thread
    thread.time_started = time.monotonic()
    thread._consumer = reader = thread._create_worker_consumer(consumer.transport)
    reader._fetcher = SimpleNamespace(_subscriptions=reader._subscription)
    try:
        reader.assign([tp := TP(OBSERVATIONS.name, 0)])
        reader._subscription.subscription.assignment.state_value(tp).timestamp = time.monotonic() * 1000
        assert consumer.assignment() == {tp}
        await consumer.verify_all_partitions_active()
        consumer.verify_recovery_event_path(time.monotonic(), tp)
        with pytest.raises(AssertionError):  # once it no longer fails, the monitor may have it again
            Consumer.verify_event_path(consumer, time.monotonic(), tp)
    finally:
        reader._closed = True
        thread.thread_loop.close()
