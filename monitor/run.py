"""The monitor as a service: starts the app, stops it when told to, and gives up when it has, or stands still."""

import asyncio
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import structlog

from monitor.app import changelogs, data_folder, monitor_app
from monitor.progress import QUIET_S, STALLED_S
from monitor.stores import TableFile
from monitor.transport import CommittedApp
from runtime.admin import TopicAdmin
from runtime.registry import open_codec
from runtime.service import Pulse
from runtime.settings import Settings
from schemas.codec import Codec
from schemas.errors import BrokerError

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 0.2
LOOK_ABOUT_EVERY_S = 2.0
"A look costs one or two milliseconds; what it finds is told by the next."

# Whoever told the service to stop kills it after ten seconds. Nothing is lost by an end at any moment, but it should
# be its own, and said.
STOP_TIMEOUT_S = 6.0
LAST_RESORT_S = 8.0

CHATTY_LOGGERS = {
    "faust": logging.WARNING,
    "faust.transport.producer": logging.ERROR,  # warns of every hundred writes at once, as at a day's close
    "mode": logging.WARNING,
    "monitor.stores": logging.WARNING,  # Faust's own lines, through our subclasses
    "monitor.transport": logging.WARNING,
    "aiokafka": logging.ERROR,  # reconnects by itself, and says so at every step
}


def run_monitor(settings: Settings, stop: Event) -> None:
    """Monitor until `stop` is set.

    Raises:
        BrokerUnavailableError: nobody answers.
        TopicError: topics are missing or differ from the topic table.
        ConfigurationError: a Kafka property that Faust's client cannot honour.
        TableFileError: `monitor.data_folder` cannot be written, or its disk is full.
        BrokerError: the app gave up, stood still, or did not stop in time; the log says why.

    """
    admin = TopicAdmin(settings.kafka)
    admin.require()
    admin.create(changelogs(settings))
    for name, level in CHATTY_LOGGERS.items():
        logging.getLogger(name).setLevel(level)
    with _last_resort(stop) as leaving:
        asyncio.run(_serve(settings, stop, open_codec(settings.kafka), leaving))


async def _serve(settings: Settings, stop: Event, codec: Codec, leaving: Event) -> None:
    TableFile(data_folder(settings.monitor, os.environ)).close()  # better now than at the first record
    app = monitor_app(settings, codec)
    app.finalize()
    try:
        await app.start()
        log.info("monitor started", group=settings.monitor.group)
        await _watch(app, stop, Pulse(settings.service.heartbeat_file))
    finally:
        leaving.set()
        await _stop(app)


async def _watch(app: CommittedApp, stop: Event, pulse: Pulse) -> None:
    looking = asyncio.create_task(_look_about(app))
    try:
        while not (stop.is_set() or looking.done()):
            _look(app, pulse)
            await asyncio.sleep(LOOK_EVERY_S)
        if looking.done():
            looking.result()
    finally:
        looking.cancel()


def _look(app: CommittedApp, pulse: Pulse) -> None:
    idle_s = app.idle_s(time.monotonic())
    if app.fault:
        raise app.fault
    if app.crashed:
        raise BrokerError(f"the monitor's stream gave up: {app.crash_reason!r}")
    if idle_s > STALLED_S:
        raise BrokerError(f"the monitor's stream stands still: records wait, none was folded for {idle_s:.0f} s")
    if idle_s < QUIET_S:
        pulse.beat()


async def _look_about(app: CommittedApp) -> None:
    """Waits for the broker as long as it takes, beside all else: it may be the broker that is away."""
    while True:
        await app.look()
        await asyncio.sleep(LOOK_ABOUT_EVERY_S)


async def _stop(app: CommittedApp) -> None:
    try:
        await asyncio.wait_for(app.stop(), STOP_TIMEOUT_S)
    except TimeoutError as error:
        raise BrokerError(f"the monitor's stream did not stop within {STOP_TIMEOUT_S:.0f} s") from error
    log.info("monitor stopped")


@contextmanager
def _last_resort(stop: Event) -> Iterator[Event]:
    """Ends the process should the end take too long: Faust may wait for its threads with the loop held.

    Yields what is to be set when the service begins to end by itself.
    """
    leaving, left = Event(), Event()

    def guard() -> None:
        while not (stop.is_set() or leaving.is_set() or left.is_set()):
            left.wait(LOOK_EVERY_S)
        if not left.wait(LAST_RESORT_S):
            log.error("the monitor does not end by itself, ending it", after_s=LAST_RESORT_S)
            os._exit(1)

    Thread(target=guard, name="last-resort", daemon=True).start()
    try:
        yield leaving
    finally:
        left.set()
