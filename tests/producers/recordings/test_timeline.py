"""When entries of a replay are due, and what is sent together."""

from collections.abc import Iterator

import pytest

from producers.recordings import timeline as module
from producers.recordings.container import Entry
from producers.recordings.recording import Located
from producers.recordings.timeline import MOMENT_S, Timeline, slices
from schemas.errors import RecordingError


class Clock:
    """Wall time that moves only when somebody waits."""

    def __init__(self) -> None:
        self.s = 100.0

    def now(self) -> float:
        """Seconds."""
        return self.s

    def wait(self, seconds: float) -> bool:
        """Move on; nobody says stop."""
        self.s += seconds
        return False


def _at(logged_ms: int, body: bytes = b"") -> Located:
    entry = Entry(0, logged_ms, None, None, None, (), 0, body)
    return Located(logged_ms, 0, 0, 0, "frames", entry)


def _sent(logged: list[int], speed: float | None) -> list[tuple[float, list[int]]]:
    """Wall time of each slice from the first, and when its entries were logged."""
    clock = Clock()
    found = slices(map(_at, logged), Timeline(speed, clock.now), clock.wait)
    return [(round(clock.s - 100, 3), [one.logged_ms for one in slice_]) for slice_ in found]


@pytest.mark.parametrize(("speed", "times"), [(1, [0, 1, 9]), (4, [0, 0.25, 2.25]), (0.5, [0, 2, 18])])
def test_entries_are_due_by_the_time_they_were_logged(speed: float, times: list[float]) -> None:
    """The first at once, the others as long after it as they were logged, divided by the speed."""
    clock = Clock()
    timeline = Timeline(speed, clock.now)
    assert [timeline.left_s(ms) for ms in (5_000, 6_000, 14_000)] == times


def test_each_slice_goes_once_its_entries_are_due() -> None:
    """What is due within a moment goes together, and does not wait for what comes long after."""
    assert _sent([0, 10, 20, 5_000, 5_001], 1) == [(0.02, [0, 10, 20]), (5.001, [5_000, 5_001])]


def test_no_entry_waits_longer_than_a_moment() -> None:
    """A steady stream is cut."""
    logged = list(range(0, 1000, 7))
    for at_s, slice_ in _sent(logged, 1):
        assert at_s - slice_[0] / 1000 <= MOMENT_S + 1e-6


def test_at_once_nothing_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slices are cut by their number of records alone."""
    monkeypatch.setattr(module, "MOST_RECORDS", 3)
    assert _sent([0, 5_000, 10_000, 90_000_000], None) == [(0, [0, 5_000, 10_000]), (0, [90_000_000])]


def test_a_slice_is_cut_by_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 100)
    clock = Clock()
    found = slices([_at(0, b"x" * 60) for _ in range(5)], Timeline(None, clock.now), clock.wait)
    assert [len(slice_) for slice_ in found] == [2, 2, 1]


def test_a_replay_that_is_too_slow_says_how_late_it_is() -> None:
    clock = Clock()
    timeline = Timeline(2, clock.now)
    timeline.left_s(0)
    clock.s += 5
    timeline.sent(2_000)
    timeline.sent(9_000)
    assert (timeline.most_behind_s, timeline.behind_s) == (4.0, 0.5)


def test_after_a_pause_what_comes_next_is_due_at_once() -> None:
    """Time that the target was away is not made up for in a rush."""
    clock = Clock()
    timeline = Timeline(1, clock.now)
    timeline.left_s(0)
    clock.s += 60
    timeline.pause()
    assert [timeline.left_s(ms) for ms in (1_000, 3_000)] == [0, 2]


def test_who_is_told_to_stop_sends_what_was_due() -> None:
    """And reads no further."""
    clock = Clock()
    found = slices(map(_at, [0, 1, 60_000, 60_001]), Timeline(1, clock.now), lambda seconds: seconds > 1)
    assert [[one.logged_ms for one in slice_] for slice_ in found] == [[0, 1]]


def test_what_comes_before_a_tear_is_sent() -> None:
    def torn() -> Iterator[Located]:
        yield _at(0)
        yield _at(1)
        raise RecordingError("torn")

    clock = Clock()
    found = slices(torn(), Timeline(None, clock.now), clock.wait)
    assert [one.logged_ms for one in next(found)] == [0, 1]
    with pytest.raises(RecordingError, match="torn"):
        next(found)
