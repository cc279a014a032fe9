"""A mailer in a thread, and what came of it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from monitor.errands import MemoryDeliveries
from monitor.mailer import run_mailer
from runtime.settings import Settings, Subscription
from runtime.spans import read_all
from schemas.codec import Codec
from schemas.errors import BrokerUnavailableError
from schemas.records import Delivery
from schemas.topics import DELIVERIES

ANNE, BEN = "anne@example.com", "ben@example.com"


def with_mail(settings: Settings, port: int, *recipients: str, resolved: bool = False) -> Settings:
    """Subscriptions of recipients; the first one also hears of what is over, if wanted."""
    names = recipients or (ANNE,)
    subscriptions = tuple(Subscription(to=name, resolved=resolved and name == names[0]) for name in names)
    mail = settings.mail.model_copy(update={"port": port, "subscriptions": subscriptions, "timeout_s": 2.0})
    return settings.model_copy(update={"mail": mail})


@contextmanager
def mailing(settings: Settings) -> Iterator[None]:
    """A mailer, told to stop at the end."""
    stop = threading.Event()
    thread = threading.Thread(target=run_mailer, args=(settings, stop, "1"))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()


def delivered(settings: Settings) -> set[str]:
    """The deliveries on record."""
    records = read_all(settings.kafka, settings.kafka.names.of(DELIVERIES))
    return {Codec().decode(record.value, Delivery).delivery_id for record in records}


def has(folder: Path, count: int) -> Callable[[], bool]:
    """Whether so many mails are in an inbox's folder."""
    return lambda: len(list(folder.glob("*.eml"))) >= count


class BrokenOnce(MemoryDeliveries):
    """A record whose first write fails."""

    def __init__(self) -> None:
        super().__init__()
        self.broken = True

    def record(self, delivery: Delivery) -> None:
        """Fail once."""
        if self.broken:
            self.broken = False
            raise BrokerUnavailableError("nobody answers")
        super().record(delivery)
