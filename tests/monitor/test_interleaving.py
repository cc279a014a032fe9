"""A recorded stream tells the same, to the byte, in whatever order its topics, partitions and cameras are read."""

import random
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from itertools import groupby

import pytest

from schemas.records import CameraDay, Record
from tests.monitor.recorded import CAMERAS, Chain, Logged, corrections, fed, live, offline, recorded, shuffled, told
from tests.monitor.world import policy

POLICIES = {
    "patient": policy(label_patience=timedelta(days=2)),
    "hasty": policy(label_patience=timedelta(hours=2)),
    "without patience": policy(),
}


@cache
def stream(seed: int, name: str) -> tuple[Chain, ...]:
    """Without promises where days are to close without them."""
    return tuple(corrections(chain) for chain in recorded(seed, promises=name == "patient"))


@cache
def as_it_happened(seed: int, name: str) -> dict[str, bytes]:
    """What a monitor tells that keeps up: all is settled after each millisecond."""
    monitor, sent = offline(POLICIES[name]), []
    for _, together in groupby(live(stream(seed, name)), key=lambda logged: logged.at):
        for logged in together:
            sent += fed(monitor, logged)
        sent += monitor.settle()
    return told(sent)


@pytest.mark.parametrize("name", POLICIES)
def test_the_stream_has_what_could_go_wrong(name: str) -> None:
    """Late frames and labels, unmatched labels, a camera that comes after the report, alerts."""
    monitor = offline(POLICIES[name])
    for logged in live(stream(0, name)):
        fed(monitor, logged)
    expected = as_it_happened(0, name)
    assert "2026-03-02 revision 2" in expected
    assert {key.partition(":")[0] for key in expected} >= {"accuracy", "incident"}
    assert monitor.counts["late_frames"] > 3
    assert monitor.counts["late_labels"] > 3


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("seed", range(10))
def test_every_interleaving_tells_the_same(seed: int, name: str) -> None:
    """Settled only when everything was read, as from a backlog."""
    monitor, sent = offline(POLICIES[name]), []
    for logged in shuffled(random.Random(seed), stream(seed % 3, name)):
        sent += fed(monitor, logged)
    assert told(sent + monitor.settle()) == as_it_happened(seed % 3, name)


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_same_settled_whenever_all_was_read_until_then(seed: int, name: str) -> None:
    """As a replay at some speed: read in pieces, within which anything may overtake anything."""
    rng = random.Random(seed)
    monitor, sent = offline(POLICIES[name]), []
    for piece in pieces(rng, live(stream(seed % 3, name))):
        for logged in shuffled(rng, by_chain(piece)):
            sent += fed(monitor, logged)
        sent += monitor.settle()
    assert told(sent) == as_it_happened(seed % 3, name)


def reported(records: list[Record]) -> set[str]:
    """The reports among them."""
    return {name for name in told(records) if "revision" in name}


def pieces(rng: random.Random, logged: list[Logged]) -> Iterator[list[Logged]]:
    """A stream cut at random, between two milliseconds."""
    while logged:
        size = rng.choice((1, 3, 30, 300))
        while size < len(logged) and logged[size].at == logged[size - 1].at:
            size += 1
        yield logged[:size]
        logged = logged[size:]


def by_chain(piece: list[Logged]) -> list[Chain]:
    """The records of each camera and topic."""
    kinds = {(one.record.camera_id, type(one.record)) for one in piece}
    return [
        [one for one in piece if (one.record.camera_id, type(one.record)) == kind] for kind in sorted(kinds, key=str)
    ]


@pytest.mark.parametrize("name", POLICIES)
def test_an_end_adds_nothing_to_what_has_ended(name: str) -> None:
    """But a revision by late labels that waited for a turn."""
    monitor = offline(POLICIES[name])
    for logged in live(stream(0, name)):
        fed(monitor, logged)
    monitor.settle()
    ended = name == "patient" or not POLICIES[name].label_patience
    closed = [day for day in monitor.finish() if isinstance(day, CameraDay) and day.revision == 1]
    assert (closed == []) is ended
    assert monitor.finish() == []


def test_an_end_closes_what_a_recording_breaks_off() -> None:
    """Half the stream, its last day still open: reported as far as it goes."""
    monitor, records = offline(POLICIES["patient"]), live(stream(0, "patient"))
    for logged in records[: len(records) // 2]:
        fed(monitor, logged)
    before, after = (reported(monitor.settle()), reported(monitor.finish()))
    assert after
    assert before.isdisjoint(after)
    assert len(CAMERAS) == 4
