"""The local broker, as commands use it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from runtime.broker import LocalBroker
from schemas.errors import LocalStackError


@contextmanager
def closing_broker(broker: LocalBroker, progress: Callable[[int, int], None]) -> Iterator[LocalBroker]:
    """The broker, started with progress shown and stopped at the end."""
    broker.start(progress)
    try:
        yield broker
    finally:
        broker.stop()


def require_running(broker: LocalBroker) -> None:
    """Raise LocalStackError when the broker has ended by itself."""
    if broker.exit_code is not None:
        raise LocalStackError(f"the broker ended with code {broker.exit_code}; its log is {broker.folder}/broker.log")
