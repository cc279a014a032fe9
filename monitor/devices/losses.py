"""What a device loses within an hour: its source, pictures, frames."""

from typing import Final

from monitor.devices.counters import Counters
from monitor.integrity.troubles import Sign, Verdict, sound_if

RECONNECTS_AN_HOUR = 3
DROPPED, DROPPED_AGAIN, DROPPED_LEAST = 0.05, 0.025, 20
"Share of an hour's pictures or frames; and how many of them at least."
OF_PICTURES: Final = frozenset({"overrun", "unreadable"})
"Reasons for which pictures are dropped; for others frames are."


def reconnects(total: Counters) -> Verdict:
    """Whether the source is lost again and again."""
    times = total.reconnects
    if times >= RECONNECTS_AN_HOUR:
        return Sign(0.0, times, f"the source was opened again {times} times within an hour")
    return sound_if(times == 0)


def drops(total: Counters) -> Verdict:
    """Whether much is dropped, for one reason."""
    shares = {reason: _share(total, reason) for reason in sorted(total.dropped)}
    reason, share = max(shares.items(), key=lambda item: item[1], default=("", 0.0))
    if share > DROPPED:
        what = "pictures" if reason in OF_PICTURES else "frames"
        note = f"{total.dropped[reason]} {what} were dropped within an hour, {share:.0%} of them: {reason}"
        return Sign(DROPPED, round(share, 4), note)
    return sound_if(share < DROPPED_AGAIN)


def _share(counts: Counters, reason: str) -> float:
    n = counts.dropped[reason]
    kept = counts.pictures if reason in OF_PICTURES else counts.frames
    return n / (kept + n) if n >= DROPPED_LEAST else 0.0
