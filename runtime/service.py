"""What every service does beside its work: logs, metrics, a sign of life, and stopping when told to."""

import logging
import signal
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from types import FrameType

import structlog
from prometheus_client import start_http_server

from runtime.settings import ServiceSettings
from schemas.errors import ConfigurationError

HEARTBEAT_EVERY_S = 1.0


def configure_logs(settings: ServiceSettings) -> None:
    """Send structlog's and the standard library's lines to stderr, for people or as JSON."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=_renderer(settings), foreign_pre_chain=shared))
    logging.basicConfig(handlers=[handler], level=settings.log_level.upper(), force=True)
    for chatty in ("httpx2", "mail.log"):  # every request to the registry, every line of SMTP
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _renderer(settings: ServiceSettings) -> structlog.typing.Processor:
    if settings.log_format == "json":
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())


@contextmanager
def stopping() -> Iterator[Event]:
    """An event that SIGTERM and SIGINT set; the handlers that were there before come back afterwards."""
    stop = Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def serve_metrics(settings: ServiceSettings) -> None:
    """Serve Prometheus metrics, if a port is set; raises ConfigurationError where it is not to be had."""
    port, host = settings.metrics_port, settings.metrics_host
    if port is None:
        return
    try:
        start_http_server(port, host)
    except OSError as error:
        raise ConfigurationError(
            "service.metrics_port",
            [f"metrics cannot be served at {host}:{port}: {error.strerror}; choose another port, or metrics_host"],
        ) from error


class Pulse:
    """Touches a file while its service is well; at most once a second."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._last = 0.0

    def beat(self) -> None:
        """Say that the service is well now."""
        now = time.monotonic()
        if self._file and now - self._last >= HEARTBEAT_EVERY_S:
            self._last = now
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.touch()


def seconds_since_beat(file: Path) -> float | None:
    """How long ago a service last said that it is well, negative for a time to come; None when it never did.

    Raises:
        ConfigurationError: it is no file, so that no service can touch it.

    """
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError("service.heartbeat_file", [f"{file}: {error.strerror}"]) from error
    if not stat.S_ISREG(found.st_mode):
        raise ConfigurationError("service.heartbeat_file", [f"{file} is no file; name one that services may touch"])
    return time.time() - found.st_mtime
