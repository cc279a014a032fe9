"""When each entry of a replay is due, and which of them go into one transaction.

logged      0 s ·· 1 s ·················· 9 s        speed 4
due         0 s ·· ¼ s ·················· 2¼ s       after the replay's first entry
slices      [────] [──]                  [──]        what is due within a moment goes together
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from producers.recordings.recording import Located
from schemas.errors import RecordingError

MOMENT_S: Final = 0.05
"An entry waits at most so long for others that are sent with it."
MOST_RECORDS: Final = 5_000
MOST_BYTES: Final = 4 * 1024 * 1024
"Of a slice: what a broker takes well within a transaction's time, also over a slow line."


class Timeline:
    """Says when entries are due, by the time they were logged."""

    def __init__(self, speed: float | None, now: Callable[[], float]) -> None:
        """`speed` is logged time per wall time, None for all at once; `now` counts seconds of wall time."""
        self._speed = speed
        self._now = now
        self._origin: tuple[int, float] | None = None
        self.behind_s = 0.0
        "How late the latest entry is."
        self.most_behind_s = 0.0
        "How late the latest of all entries was."

    @property
    def at_once(self) -> bool:
        """Whether nothing is waited for."""
        return self._speed is None

    def now(self) -> float:
        """Wall time, seconds."""
        return self._now()

    def left_s(self, logged_ms: int) -> float:
        """Seconds until an entry is due; 0 or less where it is. The first one is due at once."""
        if self._speed is None:
            return 0.0
        if self._origin is None:
            self._origin = logged_ms, self._now()
        first_ms, began = self._origin
        return began + (logged_ms - first_ms) / 1000 / self._speed - self._now()

    def pause(self) -> None:
        """Nothing could be sent for a while: whatever comes next is due at once, the rest after it as before."""
        self._origin = None

    def sent(self, logged_ms: int) -> None:
        """Note how late an entry was when it was sent."""
        self.behind_s = max(0.0, -self.left_s(logged_ms))
        self.most_behind_s = max(self.most_behind_s, self.behind_s)


def slices(entries: Iterable[Located], timeline: Timeline, wait: Callable[[float], bool]) -> Iterator[list[Located]]:
    """The entries, each when it is due, cut into what is sent together.

    `wait` waits so many seconds, and returns whether to stop: then what was due before comes last. Where the entries
    break off with a RecordingError, what came before is given first.
    """
    slice_ = _Slice(timeline.now())
    try:
        for located in entries:
            if slice_.is_over(timeline, located):
                yield slice_.located
                slice_ = _Slice(timeline.now())
            if not _awaited(slice_, timeline, located, wait):
                break
            slice_.add(located)
    except RecordingError:
        if slice_.located:
            yield slice_.located
        raise
    if slice_.located:
        yield slice_.located


def _awaited(slice_: "_Slice", timeline: Timeline, located: Located, wait: Callable[[float], bool]) -> bool:
    """Wait until an entry is due; returns False where told to stop meanwhile."""
    left_s = timeline.left_s(located.logged_ms)
    if left_s > 0 and wait(left_s):
        return False
    if not slice_.located:
        slice_.began_s = timeline.now()
    return True


@dataclass(slots=True)
class _Slice:
    began_s: float
    located: list[Located] = field(default_factory=list)
    size: int = 0

    def add(self, located: Located) -> None:
        self.located.append(located)
        self.size += len(located.entry.body)

    def is_over(self, timeline: Timeline, following: Located) -> bool:
        """Whether it goes before the entry that follows."""
        if not self.located:
            return False
        if len(self.located) >= MOST_RECORDS or self.size >= MOST_BYTES:
            return True
        waited_s = timeline.now() - self.began_s + max(0.0, timeline.left_s(following.logged_ms))
        return not timeline.at_once and waited_s > MOMENT_S
