"""One record in, its outputs out, without Kafka."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from monitor.app import _take_or_leave
from monitor.outcomes import Outcome, Position
from monitor.progress import Watch
from monitor.shell import Intake, Outbox, is_left, position_of
from schemas.codec import Codec
from schemas.errors import RegistryUnavailableError
from schemas.records import CameraDay, DeviceDay, Tally
from schemas.replayed import logged_at_header
from schemas.topics import OBSERVATIONS, Names
from tests.monitor.world import START


class Sent:
    """A producer that keeps what it is given."""

    def __init__(self) -> None:
        self.topics: list[str] = []

    async def send(self, topic: str, *_: object) -> Awaitable[None]:
        """Keep the topic's name; the broker has it later."""
        self.topics.append(topic)
        return asyncio.sleep(0)


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
    return Intake(OBSERVATIONS, table, registry.fold, outbox, asyncio.Lock(), lambda: 0)


def _event() -> Any:
    at = {"topic": "observations", "partition": 0, "offset": 7, "timestamp": 1_700_000_000.123}
    return SimpleNamespace(message=SimpleNamespace(value=b"record", key=b"north", headers=[], acked=False, **at))


async def test_a_registry_that_is_away_is_waited_for() -> None:
    """The record is no dead letter: it is folded when the registry answers again."""
    table: dict[bytes, bytes] = {}
    sent = Sent()
    await _intake(Registry(away=1), table, sent).take(_event())
    assert (table, sent.topics) == ({b"north": b"record"}, [])


@pytest.mark.parametrize("headers", [None, [], {}, [("roadwatch-logged-at", b"torn")]])
def test_a_record_was_logged_when_kafka_says(headers: object) -> None:
    """Milliseconds, whatever Faust makes of absent headers."""
    message = _event().message
    message.headers = headers
    assert position_of(OBSERVATIONS, message).logged_ms == 1_700_000_000_123


@pytest.mark.parametrize("as_headers", [list, dict])
def test_a_replayed_record_was_logged_when_its_header_says(as_headers: Callable[..., object]) -> None:
    message = _event().message
    message.headers = as_headers([("trace", b"1"), logged_at_header(42)])
    assert position_of(OBSERVATIONS, message).logged_ms == 42


class Gate:
    """Says whether labels were read, and counts how often it is asked."""

    def __init__(self, answer: bool) -> None:
        self.answer, self.asked = answer, 0

    async def labels(self, _message: object) -> bool:
        """Answer."""
        self.asked += 1
        return self.answer


async def _for_ever(_event: object) -> None:
    """A record that is not folded."""
    await asyncio.Event().wait()


def _fold_of_a_day(_data: bytes, _values: Mapping[str, bytes], at: Position) -> Outcome:
    """A fold that waits for labels, and says so in what it writes."""
    return Outcome(writes={"north": b"closed" if at.labels_read else b"open"}, waits=not at.labels_read)


@pytest.mark.parametrize(("read", "written"), [(True, {b"north": b"closed"}), (False, {})])
async def test_a_record_that_labels_decide_on_waits_for_them(read: bool, written: dict[bytes, bytes]) -> None:
    """Where its partition is taken away meanwhile, nothing is written, and it is not acknowledged."""
    gate, table, event = Gate(read), dict[bytes, bytes](), _event()
    outbox = Outbox(SimpleNamespace(producer=Sent()), Names(""), Codec(), Watch())
    await Intake(OBSERVATIONS, table, _fold_of_a_day, outbox, asyncio.Lock(), lambda: 0, gate.labels).take(event)
    assert (table, gate.asked, getattr(event.message, "acked", False)) == (written, 1, not read)


def _fold_of_too_much(_data: bytes, _values: Mapping[str, bytes], _at: Position) -> Outcome:
    """A fold from which a record follows that no bytes can hold."""
    device = DeviceDay(1, (), {}, 2**64, 0, {}, 0)
    day = CameraDay("north", "2026-03-02", "UTC", 1, START, START, Tally(), part="device", device=device)
    outcome = Outcome(writes={"north": b"closed"})
    outcome.hand_in(day, 0)
    return outcome


async def test_a_record_from_which_nothing_can_be_sent_is_put_aside() -> None:
    """The monitor goes on with the next one; nothing is written, and no part of its outputs is sent."""
    table, sent = dict[bytes, bytes](), Sent()
    outbox = Outbox(SimpleNamespace(producer=sent), Names(""), Codec(), Watch())
    await Intake(OBSERVATIONS, table, _fold_of_too_much, outbox, asyncio.Lock(), lambda: 0).take(_event())
    assert (table, sent.topics) == ({}, ["observations.dlq"])


async def test_waiting_for_the_registry_can_be_stopped() -> None:
    """A service that waits still ends when told to."""
    task = asyncio.create_task(_intake(Registry(away=1000), {}, Sent()).take(_event()))
    await asyncio.sleep(0)
    task.cancel()
    assert await asyncio.wait([task]) == ({task}, set())
    assert task.cancelled()


async def test_a_record_that_waited_while_partitions_moved_is_left() -> None:
    """It comes again; meanwhile its state may be in the midst of being restored."""
    moves, lock, table, event = iter((0, 1)), asyncio.Lock(), dict[bytes, bytes](), _event()
    outbox = Outbox(SimpleNamespace(producer=Sent()), Names(""), Codec(), Watch())
    await Intake(OBSERVATIONS, table, _fold_of_a_day, outbox, lock, lambda: next(moves)).take(event)
    assert (table, is_left(event.message)) == ({}, True)


async def test_what_was_taken_away_while_outputs_were_sent_is_not_written() -> None:
    """Another monitor may have gone on with the state by then; the record comes again, as after a kill."""
    moves, table, event = iter((0, 0, 1)), dict[bytes, bytes](), _event()
    outbox = Outbox(SimpleNamespace(producer=Sent()), Names(""), Codec(), Watch())
    intake = Intake(OBSERVATIONS, table, Registry(away=0).fold, outbox, asyncio.Lock(), lambda: next(moves))
    await intake.take(event)
    assert (table, is_left(event.message)) == ({}, True)


async def test_a_record_in_hand_at_the_end_is_left() -> None:
    """Faust acknowledges what a cancelled agent held: it would be committed, and never folded."""
    event = _event()
    task = asyncio.create_task(_take_or_leave(SimpleNamespace(), (_for_ever,), event))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert (task.cancelled(), is_left(event.message)) == (True, True)
