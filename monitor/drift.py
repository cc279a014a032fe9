"""Detectors of change in a stream of numbers, kept as plain JSON between records.

value ──► Detector.update ──► Change(before, after, values) or None
              │  ▲
      snapshot▼  │restore     JSON with a checksum; never pickle
"""

import base64
import hashlib
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any, Protocol, Self

# Not river.drift.ADWIN, which wraps this: its package imports scikit-learn and scipy, seconds and 100 MB for nothing.
from river._river_rust.drift import AdaptiveWindowing

Snapshot = Mapping[str, str]


class SnapshotError(ValueError):
    """A detector's snapshot that this version may not restore."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a detector found."""

    before: float
    "The mean before."
    after: float
    "The mean since."
    values: int
    "On how many values the mean since rests."


class Detector(Protocol):
    """Finds changes of a stream's mean."""

    name: str

    def update(self, value: float) -> Change | None:
        """Take the next value, in units of what the signal moves by chance; the change that it proves, if any."""

    def snapshot(self) -> Snapshot:
        """The whole state, as JSON."""

    @classmethod
    def restore(cls, snapshot: Snapshot) -> Self:
        """Continue exactly where the snapshot was taken.

        Raises:
            SnapshotError: it is damaged, or another version of River wrote it.

        """


class Adwin:
    """ADWIN: a window that forgets its older part once the means of both parts differ provably.

    Bifet and Gavaldà, "Learning from time-changing data with adaptive windowing", SDM 2007.
    """

    name = "adwin"

    # River's default: no false alarm in 100,000 stationary confidences, however skewed (tests/monitor/test_drift.py).
    DELTA = 2e-3
    # Values between two looks: a camera may see only a few hundred vehicles a day.
    CLOCK = 8
    MAX_BUCKETS = 5
    # Fewer values on either side of a cut prove nothing.
    MIN_SIDE = 10
    GRACE = 30

    # Values that the mean since a change is taken of: when it finds a change, ADWIN's window still holds older ones.
    RECENT = 16

    def __init__(self) -> None:
        self._window = _empty_window()
        self._recent: deque[float] = deque(maxlen=self.RECENT)

    def update(self, value: float) -> Change | None:
        """See Detector."""
        self._recent.append(value)
        total, width = self._window.get_total() + value, self._window.get_width() + 1
        if not self._window.update(value):
            return None
        recent, n = sum(self._recent), len(self._recent)
        change = Change((total - recent) / max(width - n, 1), recent / n, n)
        self._window = _empty_window()
        self._recent.clear()
        return change

    def snapshot(self) -> Snapshot:
        """See Detector."""
        arguments = json.dumps(self._window.__getnewargs__())
        state = base64.b64encode(bytes(self._window.__getstate__())).decode()
        recent = json.dumps([*self._recent])
        total = _sum(arguments, state, recent)
        return {"river": _river(), "arguments": arguments, "state": state, "recent": recent, "sum": total}

    @classmethod
    def restore(cls, snapshot: Snapshot) -> Self:
        """See Detector."""
        arguments, state, recent = _checked(snapshot)
        detector = cls()
        if arguments != json.dumps(detector._window.__getnewargs__()):
            raise SnapshotError(f"taken with the parameters {arguments}")
        detector._window.__setstate__(base64.b64decode(state))
        detector._recent.extend(json.loads(recent))
        return detector


def _empty_window() -> Any:
    return AdaptiveWindowing(
        delta=Adwin.DELTA,
        clock=Adwin.CLOCK,
        max_buckets=Adwin.MAX_BUCKETS,
        min_window_length=Adwin.MIN_SIDE,
        grace_period=Adwin.GRACE,
    )


@cache
def _river() -> str:
    return version("river")


def _checked(snapshot: Snapshot) -> tuple[str, str, str]:
    """What is inside a sound snapshot: River's Rust parts abort on torn bytes, so none may reach them."""
    arguments, state, recent = (snapshot.get(name, "") for name in ("arguments", "state", "recent"))
    if snapshot.get("river") != _river():
        raise SnapshotError(f"written by River {snapshot.get('river')}, this is {_river()}")
    if snapshot.get("sum") != _sum(arguments, state, recent):
        raise SnapshotError("its checksum does not match")
    return arguments, state, recent


def _sum(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
