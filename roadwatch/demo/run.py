"""A whole system on this machine, started, followed and stopped.

broker ─► topics ─► inbox ─► cameras, processor, monitor, mailer ─► followed on their topics ─► all stopped
"""

import os
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from monitor.inbox import Inbox
from producers.cameras import load_cameras
from roadwatch.demo.scenario import Files
from roadwatch.demo.state import RunState
from roadwatch.interrupts import uninterrupted
from roadwatch.local import require_running
from roadwatch.supervisor import Service, Supervisor
from runtime.admin import TopicAdmin
from runtime.broker import LocalBroker
from runtime.clients import Reader
from runtime.settings import Settings, load_settings
from schemas.codec import Codec
from schemas.errors import LocalStackError
from schemas.records import Record
from schemas.topics import ALERTS, CAMERA_DAYS, PASSAGES, PREDICTIONS, REPORTS, Topic

SHOWN = (PREDICTIONS, PASSAGES, CAMERA_DAYS, REPORTS, ALERTS)
SETTLE_S = 1.5
"How long nothing new must come before a run counts as over."

Progress = Callable[[int, int], None]
WriteFiles = Callable[[str, int], Files]


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a run is made."""

    folder: Path
    "Everything it leaves behind is in here."
    write_files: WriteFiles
    "Writes settings and cameras, given the broker's address and the inbox's port."
    timeout_s: float = 300.0
    "When a run that does not come to its end is given up."
    services: tuple[Service, ...] | None = None
    "What runs from the start; None: all cameras, processor, monitor and mailer. `filming` lets cameras film later."


class LocalRun:
    """A system that lives as long as the context does."""

    def __init__(self, options: RunOptions, progress: Progress) -> None:
        """Nothing is started yet; `progress` is told the bytes of a download."""
        self._options = options
        self._progress = progress
        self._stack = ExitStack()
        self.state = RunState(started=time.monotonic())

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def follow(self) -> Iterator[RunState]:
        """The state after each look at the topics, until the run is over.

        Raises:
            LocalStackError: a service cannot be kept running, or the end did not come in time.

        """
        return self.until(self._all_told, "come to its end")

    def until(self, is_over: Callable[[], bool], what: str) -> Iterator[RunState]:
        """The state after each look at the topics, until something is over and nothing new has come of late.

        Raises:
            LocalStackError: a service cannot be kept running, or it did not `what` in time.

        """
        deadline = time.monotonic() + self._options.timeout_s
        quiet_since = time.monotonic()
        while not is_over() or time.monotonic() - quiet_since <= SETTLE_S:
            if time.monotonic() > deadline:
                raise LocalStackError(
                    f"the run did not {what} in {self._options.timeout_s:.0f} s; its logs are in {self.logs}"
                )
            if self._take_in():
                quiet_since = time.monotonic()
            self._check()
            yield self.state

    @contextmanager
    def filming(self, settings_file: Path) -> Iterator[Callable[[], bool]]:
        """Let the cameras of a settings file film; the value says whether all have come to their end."""
        services = camera_services(load_settings(settings_file, {}))
        with self._supervised(services, settings_file) as cameras:
            self._supervisors.append(cameras)
            try:
                yield lambda: {service.name for service in services} <= cameras.finished
            finally:
                self._supervisors.remove(cameras)

    def pids(self) -> dict[str, int]:
        """Process ids of the services that run."""
        return {name: pid for supervisor in self._supervisors for name, pid in supervisor.pids().items()}

    @property
    def broker_pid(self) -> int | None:
        """Process id of the broker; None where it has ended."""
        return self._broker.pid

    @property
    def logs(self) -> Path:
        """The folder of the services' logs."""
        return self._options.folder / "logs"

    @property
    def inbox(self) -> Path:
        """The folder of the mails."""
        return self._options.folder / "inbox"

    def _start(self) -> None:
        self._broker = LocalBroker(self._options.folder / "broker", environment=os.environ)
        self._stack.callback(self._broker.stop)
        self._broker.start(self._progress)
        inbox = self._stack.enter_context(Inbox(self.inbox, port=0, on_mail=self._on_mail))
        files = self._options.write_files(self._broker.bootstrap_servers, inbox.port)
        self.settings = load_settings(files.settings, {})
        TopicAdmin(self.settings.kafka).create()
        self._topics = {self.settings.kafka.names.of(topic): topic for topic in SHOWN}
        self._reader = self._stack.enter_context(
            Reader(self.settings.kafka, list(self._topics), f"watch-{uuid.uuid4().hex[:8]}")
        )
        services = services_of(self.settings) if self._options.services is None else self._options.services
        self._supervisors = [self._stack.enter_context(self._supervised(services, files.settings))]

    def _supervised(self, services: Sequence[Service], settings_file: Path) -> Supervisor:
        return Supervisor(
            services,
            settings_file=settings_file,
            log_folder=self.logs,
            environment={name: value for name, value in os.environ.items() if not name.startswith("ROADWATCH_")},
        )

    def _stop(self) -> None:
        with uninterrupted():
            self._stack.close()

    def _on_mail(self, mail: object) -> None:
        self.state.mailed(str(getattr(mail, "subject", mail)), time.monotonic())

    def _take_in(self) -> int:
        records = self._reader.read(500, 0.2)
        now = time.monotonic()
        for record in records:
            self.state.feed(decode(record.value, self._topics[record.topic]), now)
        return len(records)

    def _check(self) -> None:
        for supervisor in self._supervisors:
            supervisor.check()
        require_running(self._broker)

    def _all_told(self) -> bool:
        """Cameras at their end, every day told, every alert mailed."""
        cameras = {service.name for service in camera_services(self.settings)}
        return cameras <= self._supervisors[0].finished and self.state.is_told


def decode(value: bytes, topic: Topic) -> Record:
    """A record of one of the shown topics."""
    return Codec().decode(value, topic.record)


SERVICES: Final = (
    Service("processor", ("process", "--instance", "1")),
    Service("monitor", ("monitor",)),
    Service("mailer", ("mail",)),
)
"What runs beside the cameras: writers before readers."


def camera_services(settings: Settings) -> Sequence[Service]:
    """A service for each camera."""
    cameras = load_cameras(settings.cameras_file)
    return [Service(f"camera-{camera.id}", ("camera", "--only", camera.id), ends=True) for camera in cameras]


def services_of(settings: Settings) -> Sequence[Service]:
    """The services of a run: writers before readers, so that stopping in this order loses nothing."""
    return (*camera_services(settings), *SERVICES)
