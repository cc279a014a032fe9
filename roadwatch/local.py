"""The local broker and its folder, as commands use them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

from roadwatch.context import console
from runtime.broker import LocalBroker
from runtime.settings import KafkaSettings
from schemas.errors import ConfigurationError, LocalStackError

SERVERS: Final = "ROADWATCH_KAFKA__BOOTSTRAP_SERVERS"
HERE: Final = ("127.0.0.1", "localhost")


@contextmanager
def closing_broker(broker: LocalBroker, progress: Callable[[int, int], None]) -> Iterator[LocalBroker]:
    """The broker, started with progress shown and stopped at the end."""
    broker.start(progress)
    try:
        yield broker
    finally:
        broker.stop()


def writable(folder: Path, option: str) -> None:
    """Make a folder where there is none; raises ConfigurationError where nothing can be written into it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except (FileExistsError, NotADirectoryError) as error:
        raise ConfigurationError(option, [f"{folder} is a file, or lies in one; name a folder"]) from error
    except OSError as error:
        raise ConfigurationError(
            option, [f"{folder} cannot be written: {error.strerror}; name another folder"]
        ) from error


def usual_port(kafka: KafkaSettings) -> int | None:
    """The port at which commands look for a broker on this machine; None where they look elsewhere."""
    host, _, port = kafka.bootstrap_servers.rpartition(":")
    return int(port) if host in HERE and port.isdigit() else None


def say_elsewhere(servers: str, kafka: KafkaSettings) -> None:
    """Say how commands are told of a broker that is not where they look."""
    if int(servers.rpartition(":")[2]) != usual_port(kafka):
        console.print(
            f"Commands look for it at {kafka.bootstrap_servers}. In other terminals: export {SERVERS}={servers}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


def require_running(broker: LocalBroker) -> None:
    """Raise LocalStackError when the broker has ended by itself."""
    if broker.exit_code is not None:
        raise LocalStackError(f"the broker ended with code {broker.exit_code}; its log is {broker.folder}/broker.log")
