"""One record in, its outputs out, without Kafka."""

import asyncio
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from monitor.folding import Outcome, Position
from monitor.progress import Watch
from monitor.shell import Intake, Outbox
from schemas.codec import Codec
from schemas.errors import RegistryUnavailableError
from schemas.topics import OBSERVATIONS, Names


class Sent:
    """A producer that keeps what it is given."""

    def __init__(self) -> None:
        self.topics: list[str] = []

    async def send_and_wait(self, topic: str, *_: object) -> None:
        """Keep the topic's name."""
        self.topics.append(topic)


class Registry:
    """A fold that needs a registry, which is away at first."""

    def __init__(self, away: int) -> None:
        self.away = away

    def fold(self, data: bytes, _values: Mapping[str, bytes], _position: Position) -> Outcome:
        """Keep the record, once the registry answers."""
        self.away -= 1
        if self.away >= 0:
            raise RegistryUnavailableError("no answer")
        return Outcome(writes={"north": data})


def _intake(registry: Registry, table: dict[bytes, bytes], sent: Sent) -> Intake:
    outbox = Outbox(SimpleNamespace(producer=sent), Names(""), Codec(), Watch())
    return Intake(OBSERVATIONS, table, registry.fold, outbox, asyncio.Lock())


def _event() -> Any:
    message = SimpleNamespace(value=b"record", key=b"north", topic="observations", partition=0, offset=7, headers=[])
    return SimpleNamespace(message=message)


async def test_a_registry_that_is_away_is_waited_for() -> None:
    """The record is no dead letter: it is folded when the registry answers again."""
    table: dict[bytes, bytes] = {}
    sent = Sent()
    await _intake(Registry(away=1), table, sent).take(_event())
    assert (table, sent.topics) == ({b"north": b"record"}, [])


async def test_waiting_for_the_registry_can_be_stopped() -> None:
    """A service that waits still ends when told to."""
    task = asyncio.create_task(_intake(Registry(away=1000), {}, Sent()).take(_event()))
    await asyncio.sleep(0)
    task.cancel()
    assert await asyncio.wait([task]) == ({task}, set())
    assert task.cancelled()
