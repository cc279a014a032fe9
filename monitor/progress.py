"""How far a stream has come: which offset of a partition may be committed, and whether the stream stands still."""

from dataclasses import dataclass, field

QUIET_S = 5.0
"""Without a record folded for so long, although there are some, the service is not called well. A fold takes
milliseconds, a rebalance and the recovery of tables report themselves or are over sooner."""

STALLED_S = 20.0
"After so long it gives up: longer than a session that expires, its rebalance and a broker's restart take together."


@dataclass(slots=True)
class Position:
    """Where a reader of one partition stands. Offsets come in rising order, and not all exist.

    Transaction markers and aborted records leave gaps::

        offset   7   8   9  10  11  12
                 a   ×   b   ×   ×   c          taken: a b c, done: a c  ─►  9 may be committed
    """

    _open: dict[int, None] = field(default_factory=dict)
    "Offsets taken and not done, in rising order."
    _next: int | None = None
    "The offset after the last one taken; None before the first."

    def take(self, offset: int) -> None:
        """A record was handed out."""
        self._open[offset] = None
        self._next = offset + 1

    def finish(self, offset: int) -> None:
        """A record is done; one that was not taken is none of ours."""
        self._open.pop(offset, None)

    @property
    def is_open(self) -> bool:
        """Whether something was taken and is not done."""
        return bool(self._open)

    def has_taken(self, offset: int | None) -> bool:
        """Whether that record was taken, or there was none to take."""
        return offset is None or (self._next is not None and self._next > offset)

    @property
    def committable(self) -> int | None:
        """The first offset that a restart has to read; None before the first record."""
        return next(iter(self._open), self._next)

    def done_until(self, read: int, handed: int | None) -> int:
        """The offset before which every record is done; `read` is the next to be read, `handed` the last handed out."""
        if self.is_open or not self.has_taken(handed):
            return self.committable or 0
        return read


@dataclass(slots=True)
class Watch:
    """Notices a stream that stands still although there is something to read."""

    _steps: int = 0
    "Records folded, and waits that are meant."
    _seen: tuple[int, int] = (0, 0)
    "Steps and restored records at the last look."
    _since: float | None = None
    "Since when nothing has moved, seconds of a monotonic clock; None before the first look."

    def step(self) -> None:
        """A record was folded, or waits for what is known to be away."""
        self._steps += 1

    def look(self, now: float, behind: bool, restored: int) -> float:
        """Seconds in which nothing moved although records wait.

        `restored` counts what was read from the changelogs: a long recovery is no standstill.
        """
        moved = (self._steps, restored)
        if self._since is None or not behind or moved != self._seen:
            self._seen, self._since = moved, now
        return now - self._since
