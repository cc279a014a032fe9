"""When days are told, and told anew, by the log's time: of all labels it is those before that count.

a camera's day   closed ──── late label ──── round time ──── the camera's next label, or frames after a week without
the report       when all cameras have closed the day, or one a later day; anew whenever a camera tells anew
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

NEVER: Final = 2**62
WEEK_MS: Final = 7 * 86_400_000
Told = Mapping[tuple[str, str], Sequence[int]]
"By camera and day, when it was told, rising: the first time at its close."


@dataclass(frozen=True, slots=True)
class Came:
    """When a camera's records were logged."""

    labels_ms: np.ndarray
    "Labels."
    frames_ms: np.ndarray
    "Observations."
    last_ms: int
    "After the last record: what is left over then is told."


def told_at(closed_ms: int, late_ms: Iterable[int], final_ms: int, came: Came, every_ms: int) -> list[int]:
    """When a camera's day is told.

    Args:
        closed_ms: When it closed.
        late_ms: When labels were logged that came too late for that, and before `final_ms`.
        final_ms: From when on labels are too late for anything: what is left over is told with frames.
        came: When the camera's records were logged.
        every_ms: Between round times.

    """
    told, left = [closed_ms], sorted(late_ms)
    while left:
        round_ms = (max(left[0], closed_ms) // every_ms + 1) * every_ms
        end_ms = final_ms + WEEK_MS
        labels = came.labels_ms[(came.labels_ms >= round_ms) & (came.labels_ms < end_ms)]
        frames = came.frames_ms[came.frames_ms >= end_ms]
        told.append(
            int(min(labels.min() if len(labels) else NEVER, frames.min() if len(frames) else NEVER, came.last_ms))
        )
        left = [ms for ms in left if ms >= told[-1]]
    return told


def reported_at(told: Told) -> dict[str, list[int]]:
    """When each day is reported; all of its cameras have shown themselves before one has closed it."""
    return {day: _reported_at(told, day) for day in sorted({day for _, day in told})}


def _reported_at(told: Told, day: str) -> list[int]:
    own = [times for (_, other), times in told.items() if other == day]
    later = [times[0] for (_, other), times in told.items() if other > day]
    closed = [times[0] for times in own]
    first = min([max(closed), *(max(min(closed), ms) for ms in later)])
    return sorted({first, *(ms for times in own for ms in times if ms > first)})


def newest(times: Sequence[int], until_ms: int) -> int | None:
    """The last of some times that is not after another; None without any."""
    return max((ms for ms in times if ms <= until_ms), default=None)
