"""What may be committed, and when a stream stands still."""

import random

import pytest

from monitor.progress import STALLED_S, Position, Watch


def test_gaps_between_offsets_hold_nothing_back() -> None:
    """Markers and aborted records leave gaps: all that was done may be committed."""
    position = Position()
    for offset in (0, 2, 4, 9):
        position.take(offset)
        position.finish(offset)
    assert position.committable == 10


def test_an_open_record_is_never_committed() -> None:
    """A record after a gap that is not done holds back what follows."""
    position = Position()
    for offset in (7, 9, 12):
        position.take(offset)
    position.finish(7)
    position.finish(12)
    assert position.committable == 9


def test_nothing_taken_is_nothing_to_commit() -> None:
    """Before the first record there is no offset, and a stranger's end changes nothing."""
    position = Position()
    position.finish(3)
    assert position.committable is None


def test_what_is_done_is_forgotten() -> None:
    """Memory holds only open records, however long the stream and its gaps."""
    rng, position, offset = random.Random(1), Position(), 0
    for _ in range(10_000):
        offset += rng.randint(1, 4)
        position.take(offset)
        position.finish(offset)
    assert (position.is_open, position.committable, len(position._open)) == (False, offset + 1, 0)


def test_a_stream_that_moves_is_never_stalled() -> None:
    """Each record folded starts the count anew."""
    watch = Watch()
    for second in range(100):
        watch.step()
        assert watch.look(float(second), behind=True, restored=0) == 0


def test_waiting_records_and_no_step_is_a_standstill() -> None:
    """The count begins where the last thing moved."""
    watch = Watch()
    watch.look(100.0, behind=True, restored=0)
    assert watch.look(101.0 + STALLED_S, behind=True, restored=0) > STALLED_S


def test_a_stream_without_records_may_rest() -> None:
    """Nothing to read is no standstill, however long."""
    watch = Watch()
    watch.look(0.0, behind=False, restored=0)
    assert watch.look(10_000.0, behind=False, restored=0) == 0
    assert watch.look(10_001.0, behind=True, restored=0) == 1


def test_a_long_recovery_is_no_standstill() -> None:
    """Records read from the changelogs count as movement."""
    watch = Watch()
    assert [watch.look(10.0 * i, behind=True, restored=i) for i in range(5)] == [0, 0, 0, 0, 0]


def test_what_was_handed_out_is_taken_sooner_or_later() -> None:
    """Records lie between the reader and us for a while: until then nothing behind them may be committed."""
    position = Position()
    assert position.has_taken(None)
    assert not position.has_taken(7)
    position.take(7)
    assert position.has_taken(7)
    assert not position.has_taken(8)


@pytest.mark.parametrize(
    ("taken", "done", "read", "handed", "until"),
    [
        ((), (), 12, None, 12),  # nothing to take: gaps alone, or nothing
        ((7, 9), (7, 9), 12, 9, 12),  # a gap behind the last one
        ((7, 9), (7,), 12, 9, 9),  # one is in hand, those before it are done
        ((7, 9), (7, 9), 12, 11, 10),  # one was handed out that has not arrived
        ((), (), 12, 11, 0),  # likewise, and none before it
    ],
)
def test_what_is_done_is_known_while_more_is_in_hand(
    taken: tuple[int, ...], done: tuple[int, ...], read: int, handed: int | None, until: int
) -> None:
    """Who waits for an offset need not wait for a pause in the stream."""
    position = Position()
    for offset in taken:
        position.take(offset)
    for offset in done:
        position.finish(offset)
    assert position.done_until(read, handed) == until
