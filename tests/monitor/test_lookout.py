"""Who looks, and when not, without Kafka."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from faust.exceptions import ProducerSendError
from faust.types import TP

from monitor.lookout import Lookout
from monitor.merging import STATE
from monitor.stillness import Stillness
from monitor.windows import Calendar
from runtime.settings import KafkaSettings
from schemas.errors import BrokerError, BrokerUnavailableError
from tests.monitor.world import START, Bus, heartbeat

KAFKA = KafkaSettings(bootstrap_servers="127.0.0.1:1")
MERGER = TP("roadwatch.camera-days", 0)
HOUR = timedelta(hours=1)
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


class Member:
    """A member of the group that has the merger, on a cluster whose newest observations are known."""

    def __init__(self) -> None:
        bus = Bus()
        bus.observe([heartbeat("north", 0, START)], 0)
        self.table = {key.encode(): value for key, value in bus.merger.items()}
        self.app: Any = SimpleNamespace(rebalancing=False, reading=SimpleNamespace(moves=0, assignment=self._assigned))
        self.app.producer = SimpleNamespace(flush=self._flushed)
        self.partitions = {MERGER}
        self.told: list[str] = []
        self.stillness = Stillness(HOUR, Calendar("UTC"))
        self.now = NOON
        self.on_question: Callable[[], None] = lambda: None
        self.lookout = self.looking_with(self.stillness)

    def looking_with(self, stillness: Stillness) -> Lookout:
        """Its lookout."""
        lock, outbox = asyncio.Lock(), cast(Any, self)
        lookout = Lookout(self.app, self.table, outbox, lock, KAFKA, stillness, lambda: self.now)
        lookout._offsets = cast(Any, self)
        return lookout

    def _assigned(self) -> set[TP]:
        return self.partitions

    async def _flushed(self) -> None:
        pass

    def newest(self, _places: Iterable[object]) -> datetime:
        """The last picture came at noon."""
        self.on_question()
        return NOON

    async def send(self, outcome: Any, _partition: int) -> None:
        """Keep the states of what is told."""
        self.told += [alert.state for alert in outcome.outputs]

    async def look(self, times: int) -> list[str]:
        """Look so often, an hour apart; the states told up to now."""
        for _ in range(times):
            await self.lookout.look()
            self.now += HOUR
        return self.told


@pytest.fixture
def member() -> Member:
    return Member()


async def test_what_is_found_is_written_and_then_told_once(member: Member) -> None:
    """A kill between the two forgets nothing."""
    before = member.table[STATE.encode()]
    assert await member.look(2) == []
    assert member.table[STATE.encode()] != before
    assert await member.look(3) == ["open"]


@pytest.mark.parametrize("partitions", [set[TP](), {TP("roadwatch.observations", 0)}])
async def test_whoever_does_not_have_the_merger_does_not_look(member: Member, partitions: set[TP]) -> None:
    """And forgets what it saw."""
    await member.look(1)
    member.partitions = partitions
    assert await member.look(4) == []
    member.partitions = {MERGER}
    assert await member.look(4) == []


async def test_nobody_looks_while_partitions_move(member: Member) -> None:
    """But remembers what it saw, if the merger stays."""
    await member.look(1)
    member.app.rebalancing = True
    assert await member.look(4) == []
    member.app.rebalancing = False
    assert await member.look(3) == ["open"]


async def test_nothing_is_written_once_the_merger_may_be_anothers(member: Member) -> None:
    """Partitions move while the cluster is asked."""

    def move() -> None:
        member.app.reading.moves += 1

    before, member.on_question = dict(member.table), move
    assert await member.look(4) == []
    assert member.table == before


async def test_a_broker_that_is_away_is_waited_for(member: Member) -> None:
    """What has happened meanwhile is told when it is back."""

    def fail() -> None:
        raise BrokerUnavailableError("nobody answers")

    await member.look(1)
    member.on_question = fail
    assert await member.look(4) == []
    member.on_question = lambda: None
    assert await member.look(2) == ["open"]


async def test_what_the_changelog_has_not_taken_is_not_told(member: Member) -> None:
    """The service ends, and whoever goes on finds it anew."""

    async def refuse() -> None:
        raise ProducerSendError("too large")

    member.app.producer = SimpleNamespace(flush=refuse)
    with pytest.raises(BrokerError, match="cannot be kept: too large"):
        await member.look(4)
    assert member.told == []


async def test_nobody_asks_the_cluster_where_nobody_wants_to_be_told(member: Member) -> None:
    """Zero is for never."""
    asked: list[bool] = []
    member.on_question = lambda: asked.append(True)
    member.lookout = member.looking_with(Stillness(timedelta(0), Calendar("UTC")))
    assert (await member.look(4), asked) == ([], [])
