"""The monitor as a service: starts the app, stops it when told to, and gives up when it has."""

import asyncio
import logging
import os
from threading import Event

import structlog

from monitor.app import data_folder, monitor_app
from runtime.admin import TopicAdmin
from runtime.registry import open_codec
from runtime.service import Pulse
from runtime.settings import Settings
from schemas.codec import Codec
from schemas.errors import BrokerError

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 0.2
STOP_TIMEOUT_S = 10.0
CHATTY_LOGGERS = {
    "faust": logging.WARNING,
    "faust.transport.producer": logging.ERROR,  # warns of every hundred writes at once, as at a day's close
    "mode": logging.WARNING,
    "monitor.transport": logging.WARNING,  # Faust's own lines, through our subclasses
    "aiokafka": logging.ERROR,  # reconnects by itself, and says so at every step
}


def run_monitor(settings: Settings, stop: Event) -> None:
    """Monitor until `stop` is set.

    Raises:
        BrokerUnavailableError: nobody answers.
        TopicError: topics are missing or differ from the topic table.
        ConfigurationError: a Kafka property that Faust's client cannot honour.
        BrokerError: the app gave up; the log says why.

    """
    TopicAdmin(settings.kafka).require()
    for name, level in CHATTY_LOGGERS.items():
        logging.getLogger(name).setLevel(level)
    asyncio.run(_serve(settings, stop, open_codec(settings.kafka)))


async def _serve(settings: Settings, stop: Event, codec: Codec) -> None:
    data_folder(settings.monitor, os.environ).mkdir(parents=True, exist_ok=True)
    app = monitor_app(settings, codec)
    pulse = Pulse(settings.service.heartbeat_file)
    app.finalize()
    await app.start()
    log.info("monitor started", group=settings.monitor.group)
    try:
        while not stop.is_set() and not app.crashed:
            pulse.beat()
            await asyncio.sleep(LOOK_EVERY_S)
        if app.crashed:
            raise BrokerError(f"the monitor's stream gave up: {app.crash_reason!r}")
    finally:
        await asyncio.wait_for(app.stop(), STOP_TIMEOUT_S)
        log.info("monitor stopped")
