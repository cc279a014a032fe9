"""When what was logged before is known to be folded, and what the merger reports then; without Kafka."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from monitor.merging import OFFSETS
from monitor.outcomes import Outcome
from monitor.progress import Position, Watch
from monitor.settling import Reading, Settler
from monitor.shell import Outbox
from monitor.transport import CommittedConsumer, Whereabouts
from runtime.settings import KafkaSettings
from schemas.codec import Codec
from schemas.topics import Names

HERE, THERE = TP("labels", 0), TP("labels", 1)


class Thread:
    """Two partitions: one is read here, the other by another member of the group."""

    def __init__(self, at: Whereabouts, committed: int, unread: Iterable[TP] = ()) -> None:
        self.at, self.there, self.unread_tps = at, committed, set(unread)

    async def whereabouts(self, _tps: Iterable[TP]) -> dict[TP, Whereabouts]:
        """Of the one that is read here."""
        return {HERE: self.at}

    async def committed(self, tps: Iterable[TP]) -> dict[TP, int]:
        """By the other member."""
        return dict.fromkeys(tps, self.there)

    def unread(self, among: Iterable[TP]) -> bool:
        """Whether one of these could go on here."""
        return bool(self.unread_tps & set(among))


def _consumer(thread: Thread, taken: Iterable[int], acked: Iterable[int]) -> Any:
    consumer = CommittedConsumer.__new__(CommittedConsumer)
    consumer._positions, consumer._acked = defaultdict(Position), defaultdict(list, {HERE: [*acked]})
    for offset in taken:
        consumer._positions[HERE].take(offset)
    consumer._thread, consumer.app = thread, SimpleNamespace(watch=Watch())  # type: ignore[assignment]
    return consumer


@pytest.mark.parametrize(("end", "folded"), [(8, True), (9, True), (10, False)])
async def test_a_stream_without_a_pause_holds_nobody_up(end: int, folded: bool) -> None:
    """Records 7 and 8 are folded, 9 and 10 are in hand: what lies before 9 is known."""
    consumer = _consumer(Thread(Whereabouts(11, 10), committed=5), taken=(7, 8, 9, 10), acked=(7, 8))
    assert await consumer.has_folded({HERE: end, THERE: 5}) is folded


@pytest.mark.parametrize(
    ("ends", "taken", "unread", "steps"),
    [
        ({HERE: 12}, (), (), 1),  # a transaction is open
        ({HERE: 12}, (), (HERE,), 0),  # there is more to be read
        ({HERE: 12}, (10,), (), 0),  # or to be folded
        ({HERE: 11, THERE: 9}, (), (HERE,), 1),  # what is awaited is the other member's
    ],
)
async def test_only_waits_that_are_meant_are_no_standstill(
    ends: Mapping[TP, int], taken: Iterable[int], unread: Iterable[TP], steps: int
) -> None:
    """What may go on here and does not is one."""
    consumer = _consumer(Thread(Whereabouts(11, 10 if taken else None), 5, unread), taken, ())
    assert await consumer.has_folded(ends) is False
    assert consumer.app.watch._steps == steps


async def test_what_comes_again_is_not_taken_even_when_partitions_move_in_the_grace() -> None:
    """They move while a record just logged is waited for, before anybody was asked for the ends."""
    reading = SimpleNamespace(moves=0)
    waiting = Reading(SimpleNamespace(reading=reading), KafkaSettings(bootstrap_servers="127.0.0.1:1"))  # type: ignore[arg-type]
    waiting._ends_of = _no_ends  # type: ignore[method-assign]
    task = asyncio.create_task(waiting.labels_before(SimpleNamespace(timestamp=9e9, partition=0)))
    await asyncio.sleep(0)
    reading.moves = 1
    assert await task is False


async def _no_ends(_tps: list[TP]) -> dict[TP, int]:
    return {}


class Settled:
    """Everything is folded at once; counts how often it is asked."""

    def __init__(self, end: int, moved: bool = False) -> None:
        self.end, self.moved, self.rounds, self.asked = end, moved, 0, 0

    async def everything_before(self, _message: object) -> int | None:
        """The end, unless partitions have moved."""
        self.rounds += 1
        return None if self.moved else self.end

    async def end_of_camera_days(self) -> int:
        """The end."""
        self.asked += 1
        return self.end


def _settler(table: dict[bytes, bytes], reading: Any, merged: list[int]) -> Settler:
    def merge(_values: Mapping[str, bytes], until_ms: int) -> Outcome:
        merged.append(until_ms)
        return Outcome(writes={OFFSETS: b"[0,-1,-1]"})

    outbox = Outbox(SimpleNamespace(), Names(""), Codec(), Watch())
    return Settler(table, merge, outbox, asyncio.Lock(), reading, _always)


async def _always(_record: object) -> bool:
    return True


def _event(offset: int) -> Any:
    return SimpleNamespace(message=SimpleNamespace(offset=offset, partition=0, acked=False))


def _waiting() -> dict[bytes, bytes]:
    return {OFFSETS.encode(): b"[0,-1,42]"}


async def test_the_last_camera_day_settles_all() -> None:
    """Those before it only come to it; the end, once known, is not asked for again before it."""
    reading, merged = Settled(end=3), list[int]()
    settler = _settler(_waiting(), reading, merged)
    for offset in range(3):
        await settler.take(_event(offset))
    assert (merged, reading.rounds, reading.asked) == ([42], 1, 2)


async def test_what_is_settled_is_not_put_off_by_the_next_round() -> None:
    """However long the camera-days take to read that follow from it."""
    reading, merged = Settled(end=9), list[int]()
    settler = _settler(_waiting(), reading, merged)
    for offset in range(9):
        settler._last_round = float("-inf")
        await settler.take(_event(offset))
    assert (merged, reading.rounds) == ([42], 1)


async def test_a_camera_day_that_comes_again_is_not_acknowledged() -> None:
    event, merged = _event(0), list[int]()
    await _settler(_waiting(), Settled(end=1, moved=True), merged).take(event)
    assert (merged, event.message.acked) == ([], True)
